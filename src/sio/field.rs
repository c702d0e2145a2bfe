//! One field of a declaration: the string `name[:type][constraint][?][=default][!]`, or the long form.

use std::sync::Arc;

use crate::base::{Map, Text, Value, closest};
use crate::contract::{Constraint, Field, Model, Ty};
use crate::sio::fit::fit_default;
use crate::sio::models::Models;
use crate::sio::{constraint, ty};

/// The keys of the long form.
const KEYS: &[&str] = &[
    "name",
    "type",
    "optional",
    "default",
    "min",
    "max",
    "pattern",
    "values",
    "doc",
    "sensitive",
    "fields",
];

/// Reads a list of fields and returns the problems of all of them.
pub(super) fn list(raw: &Value, models: &mut Models<'_>) -> (Vec<Field>, Vec<String>) {
    let mut problems = Vec::new();
    let mut fields: Vec<Field> = Vec::new();
    let members = match raw {
        Value::List(members) => members.as_slice(),
        // An empty table has no shape in Lua.
        Value::Map(map) if map.is_empty() => &[],
        other => {
            problems.push(format!(
                "must be a list of fields such as \"year:int?\", got {}",
                other.kind()
            ));
            &[]
        }
    };
    for member in members {
        match one(member, models) {
            Ok(field) if fields.iter().any(|known| known.name == field.name) => {
                problems.push(format!("field `{}` is declared twice", field.name));
            }
            Ok(field) => fields.push(field),
            Err(found) => problems.extend(found),
        }
    }
    (fields, problems)
}

fn one(raw: &Value, models: &mut Models<'_>) -> Result<Field, Vec<String>> {
    match raw {
        Value::Text(text) => parse(text, models).map_err(|problem| vec![problem]),
        Value::Map(map) => long_form(map, models),
        other => Err(vec![format!(
            "a field must be a text or a table, got {}",
            other.kind()
        )]),
    }
}

/// Reads the string form of a field.
pub(super) fn parse(text: &str, models: &mut Models<'_>) -> Result<Field, String> {
    let told = |problem: String| format!("field `{text}`: {problem}");
    let end = text
        .find([':', '?', '=', '!', '(', '['])
        .unwrap_or(text.len());
    let (name, rest) = text.split_at_checked(end).unwrap_or((text, ""));
    let mut field = blank(name_of(name.trim()).map_err(told)?);
    typed(&mut field, rest, models).map_err(told)?;
    Ok(field)
}

fn typed(field: &mut Field, rest: &str, models: &mut Models<'_>) -> Result<(), String> {
    let (ty, rest) = match rest.strip_prefix(':') {
        Some(rest) => ty::parse(rest.trim_start(), models)?,
        None => (Ty::Text, rest),
    };
    field.ty = ty;
    let rest = match constraint_text(rest)? {
        Some((inside, rest)) => {
            if rest.starts_with("[]") {
                return Err(
                    "bounds of a list's members are not supported, `(…)` after `[]` counts the \
                            members: put the bounded value into a model"
                        .to_owned(),
                );
            }
            field.constraint = Some(constraint::parse(inside, &field.ty)?);
            rest
        }
        None => rest,
    };
    tail(field, rest)
}

/// Returns what stands between the parentheses, and what follows them.
fn constraint_text(text: &str) -> Result<Option<(&str, &str)>, String> {
    let Some(inside) = text.strip_prefix('(') else {
        return Ok(None);
    };
    let end = if inside.starts_with('/') {
        inside.find("/)").map(|at| at + 1)
    } else {
        inside.find(')')
    };
    let parts = end.and_then(|end| inside.split_at_checked(end));
    let (inside, rest) = parts.ok_or_else(|| format!("`{text}` is not closed by `)`"))?;
    Ok(Some((inside, rest.strip_prefix(')').unwrap_or(rest))))
}

fn tail(field: &mut Field, rest: &str) -> Result<(), String> {
    let (optional, rest) = flag(rest.trim(), '?');
    field.optional = optional;
    if let Some(text) = rest.strip_prefix('=') {
        let (text, sensitive) = match text.strip_suffix('!') {
            Some(text) => (text, true),
            None => (text, false),
        };
        field.sensitive = sensitive;
        return set_default(field, Value::text(text));
    }
    let (sensitive, rest) = flag(rest, '!');
    field.sensitive = sensitive;
    match rest {
        "" => Ok(()),
        _ if sensitive && rest.starts_with(['?', '=']) => {
            Err("`!` comes last: name:type(constraint)?=default!".to_owned())
        }
        _ => Err(format!(
            "`{rest}` is not understood, write name:type(constraint)?=default!"
        )),
    }
}

fn flag(text: &str, sign: char) -> (bool, &str) {
    match text.strip_prefix(sign) {
        Some(rest) => (true, rest),
        None => (false, text),
    }
}

fn set_default(field: &mut Field, value: Value) -> Result<(), String> {
    field.default = Some(fit_default(field, value)?);
    field.optional = true;
    Ok(())
}

fn blank(name: Text) -> Field {
    Field {
        name,
        ty: Ty::Text,
        optional: false,
        default: None,
        sensitive: false,
        constraint: None,
        doc: String::new(),
    }
}

/// Accepts a name that every format can write, as an XML element too.
fn name_of(name: &str) -> Result<Text, String> {
    let first = |c: char| c.is_alphabetic() || c == '_';
    let further = |c: char| c.is_alphanumeric() || matches!(c, '_' | '-' | '.');
    let fits = name.starts_with(first) && name.chars().all(further) && name.len() <= 128;
    fits.then(|| Text::from(name)).ok_or_else(|| {
        format!("`{name}` is not a name: start with a letter, then letters, digits, _ - .")
    })
}

fn long_form(map: &Map, models: &mut Models<'_>) -> Result<Field, Vec<String>> {
    let name = match map.get("name").and_then(Value::as_str).map(name_of) {
        Some(Ok(name)) => name,
        Some(Err(problem)) => return Err(vec![problem]),
        None => return Err(vec!["a field in long form needs `name`".to_owned()]),
    };
    let mut problems: Vec<String> = map.names().filter_map(unknown_key).collect();
    let mut field = blank(name);
    if let Err(problem) = long_type(&mut field, map, models, &mut problems) {
        problems.push(problem);
    } else {
        problems.extend(long_rest(&mut field, map));
    }
    if problems.is_empty() {
        return Ok(field);
    }
    let told = |problem| format!("field `{}`: {problem}", field.name);
    Err(problems.into_iter().map(told).collect())
}

fn unknown_key(key: &str) -> Option<String> {
    if KEYS.contains(&key) {
        return None;
    }
    Some(match closest(key, KEYS.iter().copied()) {
        Some(near) => format!("unknown key `{key}`, did you mean `{near}`?"),
        None => format!("unknown key `{key}`, known are {}", KEYS.join(", ")),
    })
}

fn long_type(
    field: &mut Field,
    map: &Map,
    models: &mut Models<'_>,
    problems: &mut Vec<String>,
) -> Result<(), String> {
    let text = match map.get("type") {
        None | Some(Value::Null) => None,
        Some(Value::Text(text)) => Some(text.as_str()),
        Some(other) => return Err(format!("`type` must be a text, got {}", other.kind())),
    };
    match (map.get("fields"), map.get("values")) {
        (Some(fields), _) => field.ty = inline_model(field, text, fields, models, problems)?,
        (None, Some(values)) => field.ty = enum_type(text, values)?,
        (None, None) => match text {
            Some(text) => typed(field, &format!(":{text}"), models)?,
            None => field.ty = Ty::Text,
        },
    }
    Ok(())
}

fn inline_model(
    field: &Field,
    text: Option<&str>,
    raw: &Value,
    models: &mut Models<'_>,
    problems: &mut Vec<String>,
) -> Result<Ty, String> {
    let is_list = match text {
        None | Some("map") => false,
        Some("map[]" | "list") => true,
        Some(other) => {
            return Err(format!(
                "`fields` fits the type map or map[], not `{other}`"
            ));
        }
    };
    let (fields, found) = list(raw, models);
    if fields.is_empty() && found.is_empty() {
        return Err("`fields` is empty".to_owned());
    }
    problems.extend(found);
    let name = field.name.clone();
    let model = Ty::Model(Arc::new(Model { name, fields }));
    Ok(if is_list {
        Ty::List(Box::new(model))
    } else {
        model
    })
}

fn enum_type(text: Option<&str>, raw: &Value) -> Result<Ty, String> {
    let is_list = match text {
        None | Some("enum") => false,
        Some("enum[]") => true,
        Some(other) => return Err(format!("`values` fits the type enum, not `{other}`")),
    };
    let Value::List(values) = raw else {
        return Err("`values` must be a list of texts".to_owned());
    };
    let texts: Option<Vec<Text>> = values.iter().map(|v| v.as_str().map(Text::from)).collect();
    let ty = ty::enum_of(texts.ok_or("`values` must be a list of texts")?)?;
    Ok(if is_list { Ty::List(Box::new(ty)) } else { ty })
}

fn long_rest(field: &mut Field, map: &Map) -> Vec<String> {
    let mut problems = Vec::new();
    let mut keep = |result: Result<(), String>| problems.extend(result.err());
    keep(truth(map, "optional").map(|truth| field.optional |= truth));
    keep(truth(map, "sensitive").map(|truth| field.sensitive |= truth));
    keep(long_doc(field, map));
    keep(long_constraint(field, map));
    if let Some(value) = map.get("default").filter(|value| !value.is_null()) {
        keep(set_default(field, value.clone()));
    }
    problems
}

fn truth(map: &Map, key: &str) -> Result<bool, String> {
    match map.get(key) {
        None | Some(Value::Null) => Ok(false),
        Some(Value::Bool(truth)) => Ok(*truth),
        Some(other) => Err(format!(
            "`{key}` must be true or false, got {}",
            other.kind()
        )),
    }
}

fn long_doc(field: &mut Field, map: &Map) -> Result<(), String> {
    match map.get("doc") {
        None | Some(Value::Null) => {}
        Some(Value::Text(text)) => field.doc = text.to_string(),
        Some(other) => return Err(format!("`doc` must be a text, got {}", other.kind())),
    }
    Ok(())
}

fn long_constraint(field: &mut Field, map: &Map) -> Result<(), String> {
    let given = |key: &str| map.get(key).filter(|value| !value.is_null());
    let bounds = given("min").is_some() || given("max").is_some();
    let found: Constraint = match given("pattern") {
        None if !bounds => return Ok(()),
        Some(_) if bounds => return Err("give `pattern` or `min` and `max`, not both".to_owned()),
        Some(Value::Text(pattern)) => constraint::pattern_for(pattern, &field.ty)?,
        Some(other) => return Err(format!("`pattern` must be a text, got {}", other.kind())),
        None => {
            let bound = |key| given(key).and_then(bound_text).unwrap_or_default();
            constraint::bounds(&bound("min"), &bound("max"), &field.ty)?
        }
    };
    match field.constraint.replace(found) {
        Some(_) => Err("the constraint is given twice, in `type` and beside it".to_owned()),
        None => Ok(()),
    }
}

fn bound_text(value: &Value) -> Option<Text> {
    match value {
        // `3.0`, as a language of floats may say it, is 3.
        Value::Float(number) => Some(Text::from(number.to_string())),
        other => other.to_text(),
    }
}
