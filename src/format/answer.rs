//! What all formats do with the parts of an answer beside its value: status, media type, headers.

use bytes::Bytes;

use crate::base::{Code, Fault, Reply, Text, Value};
use crate::contract::Answer;

/// Headers that the server sets itself.
const RESERVED: &[&str] = &[
    "connection",
    "content-length",
    "keep-alive",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "x-correlation-id",
];

/// How long the headers of an answer may be together.
const MAX_HEADERS: usize = 32 << 10;

/// Makes the reply of an answer that brings its own body: text or bytes with a media type.
pub(crate) fn as_is(answer: &Answer) -> Option<Result<Reply, Fault>> {
    answer.media_type.as_ref()?;
    let body = match &answer.value {
        Value::Text(text) => Bytes::copy_from_slice(text.as_bytes()),
        Value::Bytes(bytes) => bytes.clone(),
        _ => return None,
    };
    Some(reply(answer, "", body))
}

/// Makes the reply of an answer whose body a format wrote, with its own media type unless one was chosen.
pub(crate) fn reply(
    answer: &Answer,
    media_type: &'static str,
    body: Bytes,
) -> Result<Reply, Fault> {
    let status = status(answer)?;
    let media_type = match &answer.media_type {
        Some(chosen) => checked_media_type(chosen)?,
        None => Text::const_new(media_type),
    };
    // RFC 9110: these have no body.
    let bare = matches!(status, 204 | 304);
    Ok(Reply {
        status,
        headers: headers(&answer.headers)?,
        media_type: if bare { Text::default() } else { media_type },
        body: if bare { Bytes::new() } else { body },
    })
}

fn refused(what: String) -> Fault {
    Fault::new(Code::OutputRejected, what)
}

fn status(answer: &Answer) -> Result<u16, Fault> {
    let status = answer.status.unwrap_or(200);
    if (200..=599).contains(&status) {
        return Ok(status);
    }
    Err(refused(format!("{status} is not a status for an answer")).hint("Use 200 to 599."))
}

fn checked_media_type(text: &Text) -> Result<Text, Fault> {
    let printable = text.bytes().all(|byte| (0x20..0x7f).contains(&byte));
    let shaped = text
        .split_once('/')
        .is_some_and(|(kind, rest)| !kind.is_empty() && !rest.is_empty() && !kind.contains(' '));
    if printable && shaped && text.len() <= 256 {
        return Ok(text.clone());
    }
    let shown = text.escape_debug().to_string();
    Err(refused(format!("`{shown}` is not a media type")).hint("Write one such as `text/plain`."))
}

/// Returns the headers if each can be sent as it is.
fn headers(given: &[(Text, Text)]) -> Result<Vec<(Text, Text)>, Fault> {
    let mut length = 0;
    for (name, value) in given {
        length += name.len() + value.len() + 4;
        check_header(name, value)?;
    }
    if length > MAX_HEADERS {
        return Err(refused(format!(
            "headers of {length} bytes, {MAX_HEADERS} are allowed"
        )));
    }
    Ok(given.to_vec())
}

fn check_header(name: &Text, value: &Text) -> Result<(), Fault> {
    let shown = name.escape_debug().to_string();
    if http::HeaderName::from_bytes(name.as_bytes()).is_err() {
        return Err(refused(format!("`{shown}` is not a name for a header")));
    }
    if http::HeaderValue::from_str(value).is_err() {
        return Err(refused(format!(
            "the value of header `{shown}` has characters that no header may have"
        )));
    }
    if name.eq_ignore_ascii_case("content-type") {
        let hint = "Set `ctx.response.content_type` instead.";
        return Err(refused("the media type is no header".to_owned()).hint(hint));
    }
    if RESERVED
        .iter()
        .any(|reserved| name.eq_ignore_ascii_case(reserved))
    {
        return Err(refused(format!(
            "the header `{shown}` is set by the server"
        )));
    }
    Ok(())
}
