//! What a message says of its own media type, and whether a format takes it.

use crate::base::{Code, Fault, Inbound};

/// Refuses a message whose `Content-Type` does not fit: its charset always, its type when `strict`.
pub(crate) fn check(
    inbound: &Inbound,
    strict: bool,
    wanted: &str,
    fits: fn(&str) -> bool,
) -> Result<(), Fault> {
    let header = inbound.meta.header("content-type").unwrap_or_default();
    // The hot path: most senders say nothing beside a type, which is ignored unless `strict`.
    if !strict && !header.contains(';') {
        return Ok(());
    }
    let essence = header.split(';').next().unwrap_or_default().trim();
    let essence = essence.to_ascii_lowercase();
    let empty = inbound.body.is_empty() && header.is_empty();
    if strict && !empty && !fits(&essence) {
        let got = if essence.is_empty() { "none" } else { &essence };
        let message = format!("this channel takes {wanted}, got {}", got.escape_debug());
        return Err(Fault::new(Code::MediaType, message));
    }
    match charset(header) {
        Some(other) if fits(&essence) && !is_utf8(other) => Err(Fault::new(
            Code::MediaType,
            format!("{wanted} must be UTF-8, got {}", other.escape_debug()),
        )),
        _ => Ok(()),
    }
}

fn charset(header: &str) -> Option<&str> {
    let named = |part: &'_ str| {
        let (name, _) = part.split_once('=')?;
        name.trim().eq_ignore_ascii_case("charset").then_some(())
    };
    let part = header
        .split(';')
        .skip(1)
        .find(|part| named(part).is_some())?;
    let (_, value) = part.split_once('=')?;
    Some(value.trim().trim_matches('"'))
}

fn is_utf8(charset: &str) -> bool {
    ["utf-8", "utf8", "us-ascii"]
        .iter()
        .any(|known| charset.eq_ignore_ascii_case(known))
}
