//! What several namespaces take as arguments: bytes, durations, options, and faults that name their function.

use bytes::Bytes;

use crate::base::{Code, Fault, Map, Millis, Text, Value};
use crate::contract::{Arg, Args, Type};

/// Declares an argument.
pub(crate) const fn arg(name: &'static str, ty: Type) -> Arg {
    let optional = false;
    Arg { name, ty, optional }
}

/// Declares an argument that may be left out.
pub(crate) const fn optional(name: &'static str, ty: Type) -> Arg {
    let optional = true;
    Arg { name, ty, optional }
}

/// Takes a text or bytes as bytes.
pub(crate) fn bytes(args: &mut Args, index: usize, name: &str) -> Result<Bytes, Fault> {
    match args.take(index) {
        Value::Bytes(bytes) => Ok(bytes),
        Value::Text(text) => Ok(Bytes::copy_from_slice(text.as_bytes())),
        other => {
            let got = if other.is_null() {
                "nothing"
            } else {
                other.kind()
            };
            Err(refused(format!(
                "argument `{name}` must be a text or bytes, got {got}"
            )))
        }
    }
}

/// Takes a text that may be left out.
pub(crate) fn optional_text(
    args: &mut Args,
    index: usize,
    name: &str,
) -> Result<Option<String>, Fault> {
    match args.get(index) {
        None => Ok(None),
        Some(_) => args.text(index, name).map(|text| Some(text.to_string())),
    }
}

/// Reads seconds, or a duration such as `30s`, as milliseconds.
#[expect(
    clippy::cast_possible_truncation,
    reason = "the cast saturates, and nothing takes a time that large"
)]
pub(crate) fn millis(value: &Value, name: &str) -> Result<i64, Fault> {
    let millis = match value {
        Value::Int(seconds) => seconds.checked_mul(1000),
        Value::Float(seconds) if seconds.is_finite() => Some((seconds * 1000.0).round() as i64),
        Value::Text(text) => Millis::parse(text).and_then(|time| i64::try_from(time.0).ok()),
        _ => None,
    };
    millis.ok_or_else(|| {
        let got = match value {
            Value::Null => "nothing".to_owned(),
            Value::Text(text) => format!("'{text}'"),
            other => other.kind().to_owned(),
        };
        refused(format!(
            "argument `{name}` must be seconds or a duration such as `30s`, got {got}"
        ))
    })
}

/// Returns the text of an option, if it is given.
pub(crate) fn text_option(options: &Map, name: &str) -> Result<Option<Text>, Fault> {
    match options.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::Text(text)) => Ok(Some(text.clone())),
        Some(other) => Err(refused(format!(
            "option `{name}` must be a text, got {}",
            other.kind()
        ))),
    }
}

/// Returns whether an option is set; `or` when it is not given.
pub(crate) fn flag(options: &Map, name: &str, or: bool) -> Result<bool, Fault> {
    match options.get(name) {
        None | Some(Value::Null) => Ok(or),
        Some(Value::Bool(truth)) => Ok(*truth),
        Some(other) => {
            let kind = other.kind();
            Err(refused(format!(
                "option `{name}` must be true or false, got {kind}"
            )))
        }
    }
}

/// Refuses options that a function does not have.
pub(crate) fn known(options: &Map, names: &[&str]) -> Result<(), Fault> {
    match options.names().find(|name| !names.contains(name)) {
        None => Ok(()),
        Some(name) => Err(refused(format!("there is no option `{name}`"))
            .hint(format!("The options are {}.", names.join(", ")))),
    }
}

/// Makes the fault of an argument that a function cannot take.
pub(crate) fn refused(message: impl Into<String>) -> Fault {
    Fault::new(Code::ScriptArgument, message)
}

/// Makes a fault the script's own: the text a script reads is not the message its caller sent.
pub(crate) fn in_script(function: &str, fault: &Fault) -> Fault {
    let own = refused(format!("{function}: {}", fault.message()));
    match fault.hint_text() {
        Some(hint) => own.hint(hint),
        None => own,
    }
}
