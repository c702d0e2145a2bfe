//! Bodies as they are, for services that read and write their own: text when it is UTF-8, else bytes.

use std::sync::Arc;

use bytes::Bytes;

use crate::base::{Code, Fault, Inbound, Reply, Text, Value};
use crate::contract::{Answer, Declaration, Decoded, Format, FormatMaker, FormatOptions};
use crate::format::{answer, problem};

/// Makes the format `raw`.
pub(crate) struct RawFormat;

impl FormatMaker for RawFormat {
    fn name(&self) -> &'static str {
        "raw"
    }

    fn make(&self, _options: &FormatOptions) -> Result<Arc<dyn Format>, Fault> {
        Ok(Arc::new(Raw))
    }
}

struct Raw;

impl Format for Raw {
    fn name(&self) -> &'static str {
        "raw"
    }

    fn decode(&self, inbound: &Inbound) -> Result<Decoded, Fault> {
        let value = read(inbound);
        Ok(Decoded { value, soap: None })
    }

    fn encode(
        &self,
        _declaration: &Declaration,
        answer: Answer,
        _inbound: &Inbound,
    ) -> Result<Reply, Fault> {
        let (media_type, body) = match &answer.value {
            Value::Bytes(bytes) => ("application/octet-stream", bytes.clone()),
            Value::Null => ("", Bytes::new()),
            value => ("text/plain; charset=utf-8", text(value)?),
        };
        answer::reply(&answer, media_type, body)
    }

    fn fault(&self, fault: &Fault, inbound: &Inbound) -> Reply {
        problem::problem(fault, inbound)
    }
}

fn read(inbound: &Inbound) -> Value {
    if inbound.body.is_empty() {
        return Value::Null;
    }
    let header = inbound.meta.header("content-type").unwrap_or_default();
    let binary = header
        .to_ascii_lowercase()
        .starts_with("application/octet-stream");
    match std::str::from_utf8(&inbound.body) {
        Ok(text) if !binary => Value::Text(Text::from(text)),
        _ => Value::Bytes(inbound.body.clone()),
    }
}

fn text(value: &Value) -> Result<Bytes, Fault> {
    let refused = || {
        let message = format!("a raw answer is a text or bytes, got {}", value.kind());
        Fault::new(Code::OutputRejected, message)
            .hint("Assign a text to the payload, or give the channel another format.")
    };
    let text = value.to_text().ok_or_else(refused)?;
    Ok(Bytes::copy_from_slice(text.as_bytes()))
}
