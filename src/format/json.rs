//! JSON messages. An empty body is no input; an answer stands in a wrapper, `response` unless configured.

use std::sync::Arc;

use bytes::Bytes;

use crate::base::{Code, Fault, Inbound, Reply, Value};
use crate::contract::{Answer, Declaration, Decoded, Format, FormatMaker, FormatOptions};
use crate::format::{answer, json_read, json_write, media, problem};

/// Makes the format `json`.
pub(crate) struct JsonFormat;

impl FormatMaker for JsonFormat {
    fn name(&self) -> &'static str {
        "json"
    }

    fn make(&self, options: &FormatOptions) -> Result<Arc<dyn Format>, Fault> {
        Ok(Arc::new(Json {
            strict: options.strict,
            head: head(&options.wrap.0)?,
        }))
    }
}

/// Returns what stands before an answer: `{"response":`, or nothing for `none`.
fn head(wrap: &str) -> Result<Vec<u8>, Fault> {
    let mut head = Vec::new();
    match wrap {
        "none" => {}
        "" => {
            let fault = Fault::new(Code::ConfigConstraint, "the wrapper of JSON has no name");
            return Err(fault.hint("Use `none` to answer without a wrapper."));
        }
        name => {
            head.push(b'{');
            json_write::string(&mut head, name);
            head.push(b':');
        }
    }
    Ok(head)
}

struct Json {
    strict: bool,
    head: Vec<u8>,
}

fn is_json(essence: &str) -> bool {
    essence == "application/json"
        || (essence.starts_with("application/") && essence.ends_with("+json"))
}

/// Tells whether a message that should have a body says that it is JSON: then nothing is not no input but a mistake.
fn says_json(inbound: &Inbound) -> bool {
    let http = inbound.meta.http.as_ref();
    let sends = http.is_some_and(|http| matches!(http.method.as_str(), "POST" | "PUT" | "PATCH"));
    let header = inbound.meta.header("content-type").unwrap_or_default();
    let essence = header.split(';').next().unwrap_or_default().trim();
    sends && is_json(&essence.to_ascii_lowercase())
}

impl Format for Json {
    fn name(&self) -> &'static str {
        "json"
    }

    fn decode(&self, inbound: &Inbound) -> Result<Decoded, Fault> {
        media::check(inbound, self.strict, "application/json", is_json)?;
        let value = if inbound.body.is_empty() && !says_json(inbound) {
            Value::Null
        } else {
            json_read::read(&inbound.body)?
        };
        Ok(Decoded { value, soap: None })
    }

    fn encode(
        &self,
        _declaration: &Declaration,
        answer: Answer,
        _inbound: &Inbound,
    ) -> Result<Reply, Fault> {
        if let Some(reply) = answer::as_is(&answer) {
            return reply;
        }
        let mut body = Vec::with_capacity(128);
        body.extend_from_slice(&self.head);
        json_write::write(&mut body, &answer.value)?;
        if !self.head.is_empty() {
            body.push(b'}');
        }
        answer::reply(&answer, "application/json", Bytes::from(body))
    }

    fn fault(&self, fault: &Fault, inbound: &Inbound) -> Reply {
        problem::problem(fault, inbound)
    }
}
