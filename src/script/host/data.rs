//! What several namespaces take as arguments: bytes, option flags, and faults that name their function.

use bytes::Bytes;

use crate::base::{Code, Fault, Map, Value};
use crate::contract::Args;

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

/// Returns whether an option is set.
pub(crate) fn flag(options: &Map, name: &str) -> Result<bool, Fault> {
    match options.get(name) {
        None | Some(Value::Null) => Ok(false),
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
