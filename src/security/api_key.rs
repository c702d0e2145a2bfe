//! API keys: a secret in a header of the caller's requests.

use std::sync::Arc;

use http::HeaderName;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::base::{Caller, Code, Fault, Faults, Inbound, ObjectName, Secret, Text};
use crate::contract::{Checked, Credentials, Env, Guard, Kind, Live, Ports};
use crate::security::{Expected, refused, unset};

/// A secret key, sent in a header with every message.
#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ApiKeySpec {
    /// The header that carries the key.
    #[serde(default = "default_header")]
    pub(crate) header: String,
    /// The key. While it is empty, channels of this definition answer 503.
    #[serde(default)]
    pub(crate) key: Secret,
}

fn default_header() -> String {
    "X-API-Key".to_owned()
}

/// Authentication by a key in a header.
pub(crate) struct ApiKey;

impl Kind for ApiKey {
    const NAME: &'static str = "security.api_key";
    const DOC: &'static str = "An API key in a header.";
    const EXAMPLE: &'static str = r#"{"header": "X-API-Key", "key": "secret"}"#;

    type Spec = ApiKeySpec;

    fn check(spec: &ApiKeySpec, faults: &mut Faults) {
        if let Err(fault) = header_name(spec) {
            faults.push(fault);
        }
    }

    fn start(name: &ObjectName, spec: Arc<ApiKeySpec>, _env: &Env<'_>) -> Result<Live, Fault> {
        Ok(Live::Guard(Arc::new(ApiKeyGuard {
            name: Text::new(name.as_str()),
            header: header_name(&spec)?,
            expected: Expected::new(spec.key.reveal().as_bytes()),
            challenge: format!("ApiKey realm=\"{name}\", header=\"{}\"", spec.header),
            spec,
        })))
    }
}

fn header_name(spec: &ApiKeySpec) -> Result<HeaderName, Fault> {
    HeaderName::from_bytes(spec.header.as_bytes()).map_err(|_invalid| {
        Fault::new(
            Code::ConfigConstraint,
            format!("header {:?} is not the name of a header", spec.header),
        )
    })
}

struct ApiKeyGuard {
    name: Text,
    spec: Arc<ApiKeySpec>,
    header: HeaderName,
    expected: Expected,
    challenge: String,
}

impl ApiKeyGuard {
    fn decide(&self, inbound: &Inbound) -> Result<Caller, Fault> {
        self.usable()?;
        let mut given = inbound.meta.headers.get_all(&self.header).iter();
        let (only, second) = (given.next(), given.next());
        // Something is compared in any case, so that every refusal takes the same way.
        let fits = self
            .expected
            .is(only.map(http::HeaderValue::as_bytes).unwrap_or_default());
        if fits && only.is_some() && second.is_none() {
            return Ok(Caller {
                security: self.name.clone(),
                name: self.name.clone(),
            });
        }
        Err(refused(&self.challenge))
    }
}

impl Guard for ApiKeyGuard {
    fn check<'a>(&'a self, inbound: &'a Inbound, _ports: &'a Ports) -> Checked<'a> {
        Checked::Done(self.decide(inbound))
    }

    fn usable(&self) -> Result<(), Fault> {
        if self.spec.key.is_empty() {
            return Err(unset(&self.name));
        }
        Ok(())
    }

    fn credentials(&self) -> Option<Credentials> {
        Some(Credentials::Header {
            name: Text::new(&self.spec.header),
            key: self.spec.key.clone(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::security::tests::{Keys, guard_of, message, ports};

    async fn answer(
        body: serde_json::Value,
        headers: &[(&'static str, &str)],
    ) -> Result<Caller, Fault> {
        let ports = ports(chrono::Utc::now(), Keys::default());
        guard_of::<ApiKey>(body)
            .check(&message(headers, "", false), &ports)
            .decided()
            .await
    }

    fn spec() -> serde_json::Value {
        serde_json::json!({"key": "demo-1"})
    }

    #[tokio::test]
    async fn the_right_key_is_let_in() {
        let caller = answer(spec(), &[("x-api-key", "demo-1")]).await.unwrap();
        assert_eq!((&*caller.security, &*caller.name), ("own", "own"));
    }

    #[tokio::test]
    async fn every_wrong_key_gets_the_same_answer() {
        let reference = format!("{:?}", answer(spec(), &[]).await.unwrap_err());
        for given in ["", "demo-2", "demo-1 x", "DEMO-1", "demo-1demo-1"] {
            let fault = answer(spec(), &[("x-api-key", given)]).await.unwrap_err();
            assert_eq!(fault.status(), 401);
            let challenge = &fault.headers().first().unwrap().1;
            assert_eq!(challenge, "ApiKey realm=\"own\", header=\"X-API-Key\"");
            assert_eq!(format!("{fault:?}"), reference, "{given}");
        }
        let twice = [("x-api-key", "demo-1"), ("x-api-key", "demo-1")];
        assert_eq!(answer(spec(), &twice).await.unwrap_err().status(), 401);
        let elsewhere = [("authorization", "demo-1")];
        assert_eq!(answer(spec(), &elsewhere).await.unwrap_err().status(), 401);
    }

    #[tokio::test]
    async fn a_definition_without_a_key_lets_nobody_in() {
        let fault = answer(serde_json::json!({}), &[("x-api-key", "")])
            .await
            .unwrap_err();
        assert_eq!(fault.code(), Code::GuardUnavailable);
    }
}
