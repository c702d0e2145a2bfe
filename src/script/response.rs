//! Reads what a service set beside its payload: status, media type, headers.

use crate::base::{Code, Fault, Text, Value};

/// How many response headers a service may set, and their size together.
const MAX_HEADERS: usize = 64;
const MAX_HEADER_BYTES: usize = 32 << 10;

fn rejected(message: String) -> Fault {
    Fault::new(Code::OutputRejected, message)
}

/// Reads the status.
pub(crate) fn status(value: &Value) -> Result<Option<u16>, Fault> {
    match value {
        Value::Null => Ok(None),
        Value::Int(number) if (200..=599).contains(number) => Ok(u16::try_from(*number).ok()),
        other => {
            let kind = || Text::from(format!("({})", other.kind()));
            let shown = other.to_text().unwrap_or_else(kind);
            let shown: String = shown.chars().take(80).collect();
            Err(rejected(format!(
                "ctx.response.status must be 200 to 599, got {shown}"
            )))
        }
    }
}

/// Reads the media type.
pub(crate) fn media_type(value: &Value) -> Result<Option<Text>, Fault> {
    match value {
        Value::Null => Ok(None),
        Value::Text(text) if visible(text) => Ok(Some(text.clone())),
        _ => Err(rejected(
            "ctx.response.content_type is not a media type".to_owned(),
        )),
    }
}

/// Reads the headers.
pub(crate) fn headers(value: Value) -> Result<Vec<(Text, Text)>, Fault> {
    let Value::Map(map) = value else {
        return match value {
            Value::Null => Ok(Vec::new()),
            _ => Err(rejected(
                "ctx.response.headers must hold named values".to_owned(),
            )),
        };
    };
    let too_large = || {
        let message = "ctx.response.headers is larger than 64 headers or 32 KiB";
        Fault::new(Code::OutputTooLarge, message)
    };
    if map.len() > MAX_HEADERS {
        return Err(too_large());
    }
    let mut headers: Vec<(Text, Text)> = Vec::with_capacity(map.len());
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
    if bytes > MAX_HEADER_BYTES {
        return Err(too_large());
    }
    Ok(headers)
}

/// Tells whether a text can stand in a header: no line break, no control character.
fn visible(text: &str) -> bool {
    http::HeaderValue::from_str(text).is_ok()
}
