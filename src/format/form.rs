//! HTML forms: `application/x-www-form-urlencoded` in, JSON without a wrapper out.
//!
//! Browsers and `curl -d` send forms but nobody reads them as answers, so answers are JSON. A name given
//! more than once is a list.

use std::sync::Arc;

use bytes::Bytes;

use crate::base::{Code, Fault, Inbound, Map, Reply, Text, Value};
use crate::contract::{Answer, Declaration, Decoded, Format, FormatMaker, FormatOptions};
use crate::format::{answer, json_write, media, problem};

/// How many fields a form may have.
const MAX_FIELDS: usize = 1_000;

/// Makes the format `form`.
pub(crate) struct FormFormat;

impl FormatMaker for FormFormat {
    fn name(&self) -> &'static str {
        "form"
    }

    fn make(&self, options: &FormatOptions) -> Result<Arc<dyn Format>, Fault> {
        let strict = options.strict;
        Ok(Arc::new(Form { strict }))
    }
}

struct Form {
    strict: bool,
}

const MEDIA_TYPE: &str = "application/x-www-form-urlencoded";

impl Format for Form {
    fn name(&self) -> &'static str {
        "form"
    }

    fn decode(&self, inbound: &Inbound) -> Result<Decoded, Fault> {
        media::check(inbound, self.strict, MEDIA_TYPE, |essence| {
            essence == MEDIA_TYPE
        })?;
        let value = if inbound.body.is_empty() {
            Value::Null
        } else {
            Value::Map(read(&inbound.body)?)
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
        json_write::write(&mut body, &answer.value)?;
        answer::reply(&answer, "application/json", Bytes::from(body))
    }

    fn fault(&self, fault: &Fault, inbound: &Inbound) -> Reply {
        problem::problem(fault, inbound)
    }
}

fn read(body: &[u8]) -> Result<Map, Fault> {
    let mut map = Map::new();
    let pairs = body
        .split(|byte| *byte == b'&')
        .filter(|pair| !pair.is_empty());
    for (index, pair) in pairs.enumerate() {
        if index >= MAX_FIELDS {
            let message = format!("the form has more than {MAX_FIELDS} fields");
            return Err(Fault::new(Code::TooDeep, message));
        }
        let mut parts = pair.splitn(2, |byte| *byte == b'=');
        let name = decoded(parts.next().unwrap_or_default())?;
        let value = Value::Text(decoded(parts.next().unwrap_or_default())?);
        match map.get_mut(&name) {
            None => map.push(name, value),
            Some(Value::List(all)) => all.push(value),
            Some(slot) => *slot = Value::List(vec![std::mem::take(slot), value]),
        }
    }
    Ok(map)
}

fn decoded(part: &[u8]) -> Result<Text, Fault> {
    let spaced: Vec<u8> = part
        .iter()
        .map(|byte| if *byte == b'+' { b' ' } else { *byte })
        .collect();
    if let Some(sign) = loose_percent(&spaced) {
        let message = format!("the form holds `{sign}`, which is no percent-encoded byte");
        let fault = Fault::new(Code::Malformed, message);
        return Err(fault.hint("Write a percent sign as `%25`."));
    }
    let bytes: Vec<u8> = percent_encoding::percent_decode(&spaced).collect();
    let text = String::from_utf8(bytes);
    text.map(Text::from)
        .map_err(|_ignored| Fault::new(Code::Malformed, "the form holds bytes that are not UTF-8"))
}

/// Returns the first percent sign that two hexadecimal digits do not follow, with what does.
fn loose_percent(part: &[u8]) -> Option<String> {
    let signs = memchr::memchr_iter(b'%', part);
    let loose = signs.map(|at| part.get(at..part.len().min(at + 3)).unwrap_or_default());
    let mut loose = loose.filter(|sign| match sign {
        [_, digits @ ..] => digits.len() < 2 || !digits.iter().all(u8::is_ascii_hexdigit),
        [] => false,
    });
    loose
        .next()
        .map(|sign| String::from_utf8_lossy(sign).escape_debug().to_string())
}
