//! Reads what a service set beside its payload: status, media type, headers.

use crate::base::{Code, Fault, Text, Value};
use crate::script::lua::convert::Reader;
use crate::script::lua::vm::text_of;

/// How many response headers a service may set, and their size together.
const MAX_HEADERS: usize = 64;
const MAX_HEADER_BYTES: usize = 32 << 10;

fn rejected(message: String) -> Fault {
    Fault::new(Code::OutputRejected, message)
}

pub(super) fn status(value: &mlua::Value) -> Result<Option<u16>, Fault> {
    match value {
        mlua::Value::Nil => Ok(None),
        mlua::Value::Integer(number) if (200..=599).contains(number) => {
            Ok(u16::try_from(*number).ok())
        }
        other => {
            let shown = crate::script::lua::sandbox::shown(other);
            Err(rejected(format!(
                "ctx.response.status must be 200 to 599, got {shown}"
            )))
        }
    }
}

pub(super) fn media_type(value: &mlua::Value) -> Result<Option<Text>, Fault> {
    if value.is_nil() {
        return Ok(None);
    }
    match text_of(value) {
        Some(text) if visible(&text) => Ok(Some(text)),
        _ => Err(rejected(
            "ctx.response.content_type is not a media type".to_owned(),
        )),
    }
}

pub(super) fn headers(value: &mlua::Value) -> Result<Vec<(Text, Text)>, Fault> {
    let value = Reader::new("ctx.response.headers").read(value)?;
    let Value::Map(map) = value else {
        return match value {
            Value::Null => Ok(Vec::new()),
            _ => Err(rejected(
                "ctx.response.headers must hold named values".to_owned(),
            )),
        };
    };
    let mut headers = Vec::with_capacity(map.len());
    let mut bytes = 0;
    for (name, value) in map {
        let refuse = |why: &str| rejected(format!("ctx.response.headers has '{name}'{why}"));
        let text = value.to_text().filter(|text| visible(text));
        let token = http::HeaderName::from_bytes(name.as_bytes()).is_ok();
        let Some(text) = text.filter(|_| token) else {
            return Err(refuse(", which cannot be sent"));
        };
        // `rawset` gets past the case of names.
        let same = |(own, _): &(Text, Text)| own.eq_ignore_ascii_case(&name);
        if headers.iter().any(same) {
            return Err(refuse(" twice"));
        }
        bytes += name.len() + text.len();
        headers.push((name, text));
    }
    if headers.len() > MAX_HEADERS || bytes > MAX_HEADER_BYTES {
        let message = "ctx.response.headers is larger than 64 headers or 32 KiB";
        return Err(Fault::new(Code::OutputTooLarge, message));
    }
    Ok(headers)
}

/// Tells whether a text can stand in a header: no line break, no control character.
fn visible(text: &str) -> bool {
    http::HeaderValue::from_str(text).is_ok()
}
