//! Bodies in the form in which they can be compared: defaults filled in, quantities in one
//! spelling.

use serde_json::Value;

use crate::config::interpolate::{Variables, has_placeholder, resolve_all};
use crate::config::schema::{Schema, push_step};
use crate::contract::AnyKind;

/// Brings two bodies of a kind into one form.
///
/// Placeholders stay as written: a body that names a variable differs from one that holds the
/// variable's value. When a kind refuses one of the bodies, both get the defaults of the schema
/// only, so that they stay comparable.
pub(crate) fn comparable(
    (kind, schema): (&dyn AnyKind, &Value),
    bodies: [&Value; 2],
    variables: &dyn Variables,
) -> [Value; 2] {
    let full = bodies.map(|body| normal(kind, schema, body, variables));
    match full {
        [Some(one), Some(other)] => [one, other],
        _ => bodies.map(|body| with_defaults(body, Schema::new(schema))),
    }
}

fn normal(
    kind: &dyn AnyKind,
    schema: &Value,
    body: &Value,
    variables: &dyn Variables,
) -> Option<Value> {
    let (resolved, problems) = resolve_all(body, schema, variables);
    if !problems.is_empty() {
        return None;
    }
    let mut normal = kind.normal(&resolved.body).ok()?;
    put_placeholders_back(body, &mut normal, &mut String::new())?;
    without_nulls(&mut normal);
    Some(normal)
}

/// Puts each text that held a placeholder back to where it stood; `None` when the place is gone.
fn put_placeholders_back(written: &Value, normal: &mut Value, pointer: &mut String) -> Option<()> {
    let mut enter = |step: &str, value: &Value| {
        let length = pointer.len();
        push_step(pointer, step);
        put_placeholders_back(value, normal, pointer)?;
        pointer.truncate(length);
        Some(())
    };
    match written {
        Value::Object(map) => map.iter().try_for_each(|(key, value)| enter(key, value)),
        Value::Array(list) => {
            let mut members = list.iter().enumerate();
            members.try_for_each(|(index, value)| enter(&index.to_string(), value))
        }
        Value::String(text) if has_placeholder(text) => {
            *normal.pointer_mut(pointer)? = written.clone();
            Some(())
        }
        _ => Some(()),
    }
}

fn with_defaults(body: &Value, schema: Schema<'_>) -> Value {
    let mut full = body.clone();
    if let Value::Object(map) = &mut full {
        for key in schema.keys() {
            let declared = schema.properties(key);
            let default = declared.iter().find_map(|inner| inner.keyword("default"));
            match (map.get_mut(key), default) {
                (Some(value), _) => {
                    if let Some(inner) = declared.first() {
                        *value = with_defaults(value, *inner);
                    }
                }
                (None, Some(default)) => {
                    map.insert(key.to_owned(), default.clone());
                }
                (None, None) => {}
            }
        }
    }
    without_nulls(&mut full);
    full
}

/// Takes out keys that hold nothing: absent and `null` mean the same.
fn without_nulls(value: &mut Value) {
    match value {
        Value::Object(map) => {
            map.retain(|_, value| !value.is_null());
            map.values_mut().for_each(without_nulls);
        }
        Value::Array(list) => list.iter_mut().for_each(without_nulls),
        _ => {}
    }
}
