//! Faults of XML input, with the line and column of the sender's own text.

use crate::base::{Code, Fault};

/// Makes the fault for input that is not well-formed at byte `offset`.
pub(crate) fn malformed(text: &str, offset: usize, why: &str) -> Fault {
    at(Code::Malformed, "XML not well-formed", text, offset, why)
}

/// Makes the fault for input beyond a limit at byte `offset`.
pub(crate) fn limit(text: &str, offset: usize, why: &str) -> Fault {
    at(Code::TooDeep, "XML beyond limits", text, offset, why)
}

/// Makes the fault for a DOCTYPE at byte `offset`.
pub(crate) fn doctype(text: &str, offset: usize) -> Fault {
    let why = "`<!DOCTYPE` is never accepted";
    at(Code::Doctype, "XML refused", text, offset, why)
        .hint("Remove the DOCTYPE; use character references instead of entities of your own.")
}

/// Makes the fault for bytes that are not text after the valid ones in `before`.
pub(crate) fn bytes(before: &[u8], why: &str) -> Fault {
    let text = String::from_utf8_lossy(before);
    malformed(&text, text.len(), why)
}

fn at(code: Code, what: &str, text: &str, offset: usize, why: &str) -> Fault {
    let (line, column) = position(text, offset);
    Fault::new(
        code,
        format!("{what} at line {line}, column {column}: {why}"),
    )
}

/// Returns line and column, both from 1, the column in characters.
pub(crate) fn position(text: &str, offset: usize) -> (usize, usize) {
    let before = text.as_bytes().get(..offset).unwrap_or(text.as_bytes());
    let line = before.split(|&byte| byte == b'\n').count();
    let start = before
        .iter()
        .rposition(|&byte| byte == b'\n')
        .map_or(0, |at| at + 1);
    let last = before.get(start..).unwrap_or_default();
    // Continuation bytes of UTF-8 do not start a character.
    let column = last.iter().filter(|&&byte| byte & 0xC0 != 0x80).count() + 1;
    (line, column)
}
