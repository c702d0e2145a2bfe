//! Binds a message to the declared inputs of a service.
//!
//! What the body says wins over parameters; of several parameters with one name the first wins, and the
//! path stands before the query. A list takes all of them. Undeclared inputs are dropped.

use crate::base::{Code, Fault, Map, Text, Value};
use crate::contract::{Declaration, Field, Ty};
use crate::sio::fit::{Fitter, Path, Side};

/// Binds a decoded value and the parameters of path and query to the declared inputs.
pub(crate) fn bind(
    declaration: &Declaration,
    value: Value,
    params: &[(Text, Text)],
) -> Result<Value, Fault> {
    let Some(fields) = &declaration.input else {
        return Ok(merged(value, params));
    };
    let given = named(fields, value)?;
    let mut fitter = Fitter::new(Side::Input);
    let bound = fitter.fields(
        fields,
        given,
        |field| param(field, params),
        false,
        &Path::ROOT,
    );
    if fitter.count == 0 {
        return Ok(Value::Map(bound));
    }
    Err(rejected(fitter))
}

/// Returns the message as named values. A list fills the only declared input when that is a list.
fn named(fields: &[Field], value: Value) -> Result<Map, Fault> {
    match value {
        Value::Map(map) => Ok(map),
        Value::Null => Ok(Map::new()),
        Value::List(list) => match fields {
            [only] if matches!(only.ty, Ty::List(_)) => {
                Ok(Map::from_iter([(only.name.clone(), Value::List(list))]))
            }
            _ => Err(not_named("list")),
        },
        other => Err(not_named(other.kind())),
    }
}

fn not_named(kind: &str) -> Fault {
    let message = format!("the message must hold named values, got {kind}");
    Fault::new(Code::InputType, message)
        .hint("Send an object with the declared inputs, or declare no `input` to take any message.")
}

fn param(field: &Field, params: &[(Text, Text)]) -> Option<Value> {
    let mut found = params
        .iter()
        .filter(|(name, _)| *name == field.name)
        .map(|(_, value)| value);
    if matches!(field.ty, Ty::List(_)) {
        let all: Vec<Value> = found.cloned().map(Value::Text).collect();
        return (!all.is_empty()).then_some(Value::List(all));
    }
    found.next().cloned().map(Value::Text)
}

/// Adds parameters that the body lacks; the message of an undeclared service is never just nothing.
fn merged(value: Value, params: &[(Text, Text)]) -> Value {
    let mut map = match value {
        Value::Map(map) => map,
        Value::Null => Map::new(),
        other => return other,
    };
    let own = map.len();
    for (name, text) in params {
        let text = Value::Text(text.clone());
        let in_body = map.names().take(own).any(|known| known == name);
        match map.get_mut(name) {
            None => map.push(name.clone(), text),
            Some(slot) if slot.is_null() => *slot = text,
            Some(_) if in_body => {}
            Some(Value::List(all)) => all.push(text),
            Some(slot) => *slot = Value::List(vec![std::mem::take(slot), text]),
        }
    }
    Value::Map(map)
}

fn rejected(fitter: Fitter) -> Fault {
    let fault = match fitter.problems.as_slice() {
        [only] => Fault::new(
            only.code,
            format!("input `{}` {}", only.pointer(), only.detail),
        ),
        _ => Fault::new(
            Code::InputRejected,
            format!("the input has {} problems", fitter.count),
        ),
    };
    fault.errors(fitter.problems)
}
