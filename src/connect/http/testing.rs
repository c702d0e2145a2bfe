//! What the tests of this folder share: routes to services that answer at once.

use std::sync::Arc;

use crate::base::{ByteSize, Fault, Inbound, Millis, ObjectName, Reply, ServiceName, Text, Value};
use crate::contract::{Answer, Binding, ChannelPlan, Declaration, Decoded, Format, HttpBinding};
use crate::gateway::Route;
use crate::service::Registry;

/// A format that passes text through and writes faults as their code.
pub(super) struct Plain(pub(super) &'static str);

impl Format for Plain {
    fn name(&self) -> &'static str {
        self.0
    }

    fn decode(&self, inbound: &Inbound) -> Result<Decoded, Fault> {
        let text = String::from_utf8_lossy(&inbound.body);
        Ok(Decoded {
            value: Value::text(text),
            soap: None,
        })
    }

    fn encode(&self, _: &Declaration, answer: Answer, _: &Inbound) -> Result<Reply, Fault> {
        Ok(Reply {
            status: answer.status.unwrap_or(200),
            headers: answer.headers,
            media_type: Text::new("text/plain"),
            body: String::from(answer.value.to_text().unwrap_or_default()).into(),
        })
    }

    fn fault(&self, fault: &Fault, _: &Inbound) -> Reply {
        Reply {
            status: fault.status(),
            headers: fault.headers().to_vec(),
            media_type: Text::new(format!("application/{}", self.0)),
            body: format!("{} {}", fault.code_text(), fault.message()).into(),
        }
    }
}

/// Makes a plan of a channel to the service `svc`; methods are separated by spaces.
pub(super) fn plan(name: &str, path: &str, methods: &str) -> ChannelPlan {
    ChannelPlan {
        name: ObjectName::new(name).unwrap(),
        service: ServiceName::new("svc").unwrap(),
        format: Arc::new(Plain("plain")),
        guard: None,
        rate_limit: None,
        timeout: Millis::seconds(5),
        body_limit: ByteSize(1 << 20),
        binding: Binding::Http(HttpBinding {
            path: path.to_owned(),
            methods: methods
                .split_whitespace()
                .map(|m| m.parse().unwrap())
                .collect(),
        }),
    }
}

/// Makes a route of such a plan.
pub(super) fn route(name: &str, path: &str, methods: &str) -> Route {
    Route::new(
        Arc::new(plan(name, path, methods)),
        true,
        &Registry::default(),
    )
}
