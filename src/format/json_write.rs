//! Writes values as JSON, in their order. Decimals, dates, uuids and bytes become texts.

use std::io::Write as _;

use crate::base::{Code, Fault, Map, Value};
use crate::format::json_read::plain_length;

/// How deep an answer may nest: what our own reader takes, and a wrapper.
const MAX_DEPTH: usize = crate::format::json_read::MAX_DEPTH + 1;

/// The digits of an escaped control character.
const HEX: &[u8; 16] = b"0123456789abcdef";

/// Writes a value at the end of `out`.
pub(crate) fn write(out: &mut Vec<u8>, value: &Value) -> Result<(), Fault> {
    write_at(out, value, 0)
}

fn write_at(out: &mut Vec<u8>, value: &Value, depth: usize) -> Result<(), Fault> {
    match value {
        Value::Null => out.extend_from_slice(b"null"),
        Value::Bool(true) => out.extend_from_slice(b"true"),
        Value::Bool(false) => out.extend_from_slice(b"false"),
        Value::Int(number) => integer(out, *number),
        Value::Uint(number) => integer(out, *number),

        Value::Float(number) => float(out, *number)?,
        Value::Text(text) => string(out, text),
        Value::List(list) => nested(out, depth, |out| members(out, list, depth + 1))?,
        Value::Map(map) => nested(out, depth, |out| entries(out, map, depth + 1))?,
        Value::Handle(object) => {
            let class = object.0.class();
            return Err(refused(format!(
                "an object of class {class} cannot be written"
            )));
        }
        scalar => string(out, &scalar.to_text().unwrap_or_default()),
    }
    Ok(())
}

fn integer(out: &mut Vec<u8>, number: impl itoa::Integer) {
    out.extend_from_slice(itoa::Buffer::new().format(number).as_bytes());
}

#[cold]
fn refused(what: String) -> Fault {
    Fault::new(Code::OutputRejected, what)
}

fn nested(
    out: &mut Vec<u8>,
    depth: usize,
    write: impl FnOnce(&mut Vec<u8>) -> Result<(), Fault>,
) -> Result<(), Fault> {
    if depth >= MAX_DEPTH {
        return Err(refused(format!(
            "an answer nested more than {MAX_DEPTH} deep"
        )));
    }
    write(out)
}

fn members(out: &mut Vec<u8>, list: &[Value], depth: usize) -> Result<(), Fault> {
    out.push(b'[');
    for (index, member) in list.iter().enumerate() {
        if index > 0 {
            out.push(b',');
        }
        write_at(out, member, depth)?;
    }
    out.push(b']');
    Ok(())
}

fn entries(out: &mut Vec<u8>, map: &Map, depth: usize) -> Result<(), Fault> {
    out.push(b'{');
    for (index, (name, value)) in map.iter().enumerate() {
        if index > 0 {
            out.push(b',');
        }
        string(out, name);
        out.push(b':');
        write_at(out, value, depth)?;
    }
    out.push(b'}');
    Ok(())
}

/// Writes a float with the fewest digits that read back as the same one.
fn float(out: &mut Vec<u8>, number: f64) -> Result<(), Fault> {
    if !number.is_finite() {
        return Err(refused(format!("the number {number} cannot be written")));
    }
    // Writing to memory does not fail; `{:?}` uses an exponent where digits would be many.
    write!(out, "{number:?}").map_err(|error| refused(error.to_string()))
}

/// Writes a text in quotes.
pub(crate) fn string(out: &mut Vec<u8>, text: &str) {
    out.reserve(text.len() + 2);
    out.push(b'"');
    let mut rest = text.as_bytes();
    loop {
        let (plain, after) = rest.split_at(plain_length(rest));
        out.extend_from_slice(plain);
        let Some((byte, after)) = after.split_first() else {
            break;
        };
        escape(out, *byte);
        rest = after;
    }
    out.push(b'"');
}

fn escape(out: &mut Vec<u8>, byte: u8) {
    let short = match byte {
        b'\n' => b'n',
        b'\r' => b'r',
        b'\t' => b't',
        0x8 => b'b',
        0xc => b'f',
        b'"' | b'\\' => byte,
        _ => {
            let digit = |nibble: u8| HEX.get(usize::from(nibble)).copied().unwrap_or(b'0');
            out.extend_from_slice(b"\\u00");
            return out.extend_from_slice(&[digit(byte >> 4), digit(byte & 15)]);
        }
    };
    out.extend_from_slice(&[b'\\', short]);
}
