//! Puts stand-ins where values of a body were refused, so that its kind can check the rest at the same time.
//!
//! A stand-in has the type the schema wants and keeps its key, because kinds ask which keys are given. What a kind then
//! says of a stand-in is not the author's mistake: `is_about` tells.

use serde_json::{Map, Value};

use crate::base::{Code, Fault};
use crate::config::schema::{MAX_DEPTH, Schema, push_step};
use crate::enmasse::conform::{Issue, Part};

/// The text of stand-ins, also a valid name; no author writes it.
const TEXT: &str = "kladka.stand-in";

/// A body that its kind can read.
pub(crate) struct Mended {
    /// The body.
    pub(crate) body: Value,
    /// The pointers of the stand-ins.
    stand_ins: Vec<String>,
    /// Whether keys were taken out: each may be another one misspelt.
    is_shorter: bool,
}

/// Mends a body whose `issues` are known; the values at `unread` were reported before.
pub(crate) fn mend(
    body: &Value,
    schema: Schema<'_>,
    issues: &[Issue],
    unread: &[String],
) -> Mended {
    let mut mended = Mended {
        body: body.clone(),
        stand_ins: Vec::new(),
        is_shorter: false,
    };
    let refused = issues.iter().filter(|issue| issue.part == Part::Value);
    let refused = refused.map(|issue| &issue.pointer).chain(unread);
    refused.for_each(|pointer| mended.replace(pointer, schema));
    let unknown = issues
        .iter()
        .filter(|issue| issue.fault.code() == Code::ConfigUnknownKey);
    unknown.for_each(|issue| mended.remove(&issue.pointer));
    let mut added = Vec::new();
    complete(&mut mended.body, &[schema], "", MAX_DEPTH, &mut added);
    mended.stand_ins.extend(added);
    mended
}

impl Mended {
    /// Tells whether a fault of the kind, about the value at a pointer if it is known, may come from a stand-in.
    pub(crate) fn is_about(&self, fault: &Fault, pointer: Option<&str>) -> bool {
        if self.stand_ins.is_empty() && !self.is_shorter {
            return false;
        }
        let unread = fault.code() == Code::ConfigType;
        let vague = self.is_shorter && pointer.is_none();
        let within = |known: &String| {
            let rest = pointer.and_then(|pointer| pointer.strip_prefix(known.as_str()));
            rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        };
        unread || vague || fault.message().contains(TEXT) || self.stand_ins.iter().any(within)
    }

    fn replace(&mut self, pointer: &str, schema: Schema<'_>) {
        let stand_in = stand_in(&at(schema, pointer), MAX_DEPTH);
        if let Some(value) = self.body.pointer_mut(pointer) {
            *value = stand_in;
            self.stand_ins.push(pointer.to_owned());
        }
    }

    fn remove(&mut self, pointer: &str) {
        let Some((parent, key)) = pointer.rsplit_once('/') else {
            return;
        };
        let parent = self.body.pointer_mut(parent).and_then(Value::as_object_mut);
        let key = key.replace("~1", "/").replace("~0", "~");
        self.is_shorter |= parent.is_some_and(|map| map.remove(&key).is_some());
    }
}

/// Returns the schemas of the value at a pointer.
fn at<'a>(schema: Schema<'a>, pointer: &str) -> Vec<Schema<'a>> {
    let steps = pointer.split('/').skip(1);
    steps.fold(vec![schema], |schemas, step| {
        let step = step.replace("~1", "/").replace("~0", "~");
        let members = |schema: &Schema<'a>| step.parse().map(|index| schema.members(index));
        let inner = |schema: &Schema<'a>| match schema.properties(&step) {
            none if none.is_empty() => members(schema).unwrap_or_default(),
            found => found,
        };
        schemas.iter().flat_map(inner).collect()
    })
}

/// Adds the keys that must be there and are not, and notes their pointers.
fn complete(
    value: &mut Value,
    schemas: &[Schema<'_>],
    pointer: &str,
    depth: usize,
    added: &mut Vec<String>,
) {
    let Some(depth) = depth.checked_sub(1) else {
        return;
    };
    let below = |step: &str| {
        let mut inner = pointer.to_owned();
        push_step(&mut inner, step);
        inner
    };
    match value {
        Value::Object(map) => {
            for key in required(schemas) {
                if !map.contains_key(key) {
                    let inner: Vec<_> = schemas.iter().flat_map(|s| s.properties(key)).collect();
                    map.insert(key.to_owned(), stand_in(&inner, depth));
                    added.push(below(key));
                }
            }
            for (key, value) in map {
                let inner: Vec<_> = schemas.iter().flat_map(|s| s.properties(key)).collect();
                complete(value, &inner, &below(key), depth, added);
            }
        }
        Value::Array(list) => {
            for (index, value) in list.iter_mut().enumerate() {
                let inner: Vec<_> = schemas.iter().flat_map(|s| s.members(index)).collect();
                complete(value, &inner, &below(&index.to_string()), depth, added);
            }
        }
        _ => {}
    }
}

fn required<'a>(schemas: &[Schema<'a>]) -> Vec<&'a str> {
    let layers = schemas.iter().flat_map(|schema| schema.layers());
    let lists = layers.filter_map(|layer| layer.keyword("required")?.as_array());
    lists.flatten().filter_map(Value::as_str).collect()
}

/// Returns a value of the type that one of the schemas wants.
fn stand_in(schemas: &[Schema<'_>], depth: usize) -> Value {
    let layers: Vec<_> = schemas.iter().flat_map(|schema| schema.layers()).collect();
    let keyword = |name: &str| layers.iter().find_map(|layer| layer.keyword(name));
    let choices = keyword("enum").and_then(Value::as_array);
    if let Some(choice) = keyword("const").or_else(|| choices?.first()) {
        return choice.clone();
    }
    let types = layers.iter().flat_map(|layer| layer.own_types());
    match types.into_iter().find(|ty| *ty != "null") {
        Some("object") => {
            let mut map = Value::Object(Map::new());
            complete(&mut map, schemas, "", depth, &mut Vec::new());
            map
        }
        Some("array") => Value::Array(Vec::new()),
        Some("integer" | "number") => keyword("minimum").cloned().unwrap_or_else(|| 1.into()),
        Some("boolean") => Value::Bool(false),
        Some("string") => match keyword("x-unit").and_then(Value::as_str) {
            Some("duration") => "1m".into(),
            Some("size") => "1KiB".into(),
            _ => TEXT.into(),
        },
        _ => Value::Null,
    }
}
