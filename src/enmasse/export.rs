//! Stored objects as files: the same objects give the same text, in the order people read them.

use serde::Serialize;
use serde_json::{Map, Value};

use crate::config::interpolate::is_bare_placeholder;
use crate::config::schema::{Schema, secrets_of};
use crate::contract::{AnyKind, ObjectId, StoredObject};
use crate::enmasse::catalog::Catalog;
use crate::enmasse::conform::dotted;
use crate::enmasse::emit;
use crate::enmasse::sections::{self, Section, Shape};

/// What becomes of secrets that are stored as they are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Secrets {
    /// Each becomes `${secret.NAME}`; the names are listed.
    AsReferences,
    /// They are written in clear: for a backup that stays on the machine.
    InClear,
}

/// Objects as a document.
#[derive(Clone, Debug)]
pub(crate) struct Exported {
    /// The document: sections with their objects.
    pub(crate) document: Value,
    /// The secrets that were replaced, to be set where the document is applied.
    pub(crate) secrets: Vec<ReplacedSecret>,
}

/// A secret that was left out of a document.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct ReplacedSecret {
    /// The name of the secret the document refers to.
    pub(crate) name: String,
    /// The object it belongs to.
    pub(crate) object: ObjectId,
    /// The field, such as `password`.
    pub(crate) field: String,
}

impl Exported {
    /// Returns the document as YAML.
    pub(crate) fn to_yaml(&self) -> String {
        emit::yaml(&self.document, 2)
    }

    /// Returns the document as JSON.
    pub(crate) fn to_json(&self) -> String {
        format!("{:#}\n", self.document)
    }
}

/// Writes stored objects as a document: sections in their order, objects by name, keys as the
/// schema has them.
pub(crate) fn export(
    objects: &[StoredObject],
    kinds: &[&dyn AnyKind],
    secrets: Secrets,
) -> Exported {
    let catalog = Catalog::new(kinds);
    let mut export = Export {
        catalog: &catalog,
        secrets,
        replaced: Vec::new(),
    };
    let mut sorted: Vec<&StoredObject> = objects.iter().collect();
    sorted.sort_by_key(|object| (&object.id.name, &object.id.kind));
    let mut document = Map::new();
    document.insert("version".to_owned(), 1.into());
    for section in all_sections(kinds, objects) {
        let in_section =
            |object: &&&StoredObject| sections::group_of(&object.id.kind) == section.group;
        let members: Vec<_> = sorted.iter().filter(in_section).copied().collect();
        if !members.is_empty() {
            document.insert(section.key.clone(), export.section(&section, &members));
        }
    }
    Exported {
        document: Value::Object(document),
        secrets: export.replaced,
    }
}

/// Returns the sections of all kinds, also of those that only stored objects still have.
fn all_sections(kinds: &[&dyn AnyKind], objects: &[StoredObject]) -> Vec<Section> {
    let stored = objects.iter().map(|object| object.id.kind.as_str());
    sections::sections_of(kinds.iter().map(|kind| kind.name()).chain(stored))
}

struct Export<'a> {
    catalog: &'a Catalog<'a>,
    secrets: Secrets,
    replaced: Vec<ReplacedSecret>,
}

impl Export<'_> {
    fn section(&mut self, section: &Section, members: &[&StoredObject]) -> Value {
        match section.shape {
            Shape::Named => {
                let named = members.iter().map(|object| {
                    let settings = self.attributes(Map::new(), section, object);
                    (object.id.name.to_string(), settings)
                });
                named.collect()
            }
            Shape::Grouped => {
                let mut groups = Map::new();
                for object in members {
                    let last = sections::last_part(&object.id.kind).unwrap_or(&object.id.kind);
                    let list = groups
                        .entry(last.to_owned())
                        .or_insert_with(|| Value::Array(Vec::new()));
                    if let Value::Array(list) = list {
                        list.push(self.listed(section, object));
                    }
                }
                groups.sort_keys();
                Value::Object(groups)
            }
            Shape::Typed | Shape::Keyed | Shape::Plain => members
                .iter()
                .map(|object| self.listed(section, object))
                .collect(),
        }
    }

    fn listed(&mut self, section: &Section, object: &StoredObject) -> Value {
        let mut head = Map::new();
        head.insert("name".to_owned(), object.id.name.as_str().into());
        self.attributes(head, section, object)
    }

    fn attributes(
        &mut self,
        mut head: Map<String, Value>,
        section: &Section,
        object: &StoredObject,
    ) -> Value {
        if let Some(last) =
            sections::last_part(&object.id.kind).filter(|_| self.needs_type(section, object))
        {
            head.insert("type".to_owned(), last.into());
        }
        if !object.enabled {
            head.insert("enabled".to_owned(), false.into());
        }
        let schema = self.catalog.schema(&object.id.kind);
        let body = self.without_secrets(object, schema);
        if let Value::Object(body) = in_order(&body, &[Schema::new(schema)]) {
            head.extend(body);
        }
        Value::Object(head)
    }

    /// Tells whether the kind must be named: always in a typed list, else when the keys do not say
    /// it.
    fn needs_type(&self, section: &Section, object: &StoredObject) -> bool {
        match section.shape {
            Shape::Typed => true,
            Shape::Keyed => {
                let names = sections::of_group(self.catalog.kinds, &section.group);
                let keys = names.iter().filter_map(|kind| sections::last_part(kind));
                let present: Vec<_> = keys.filter(|key| object.body.get(key).is_some()).collect();
                present != [sections::last_part(&object.id.kind).unwrap_or_default()]
            }
            _ => false,
        }
    }

    fn without_secrets(&mut self, object: &StoredObject, schema: &Value) -> Value {
        let mut body = object.body.clone();
        if self.secrets == Secrets::InClear {
            return body;
        }
        for (pointer, text) in secrets_of(schema, &object.body) {
            if text.is_empty() || is_bare_placeholder(&text) {
                continue;
            }
            let field = dotted(&pointer);
            let name = secret_name(object.id.name.as_str(), &field);
            if let Some(slot) = body.pointer_mut(&pointer) {
                *slot = format!("${{secret.{name}}}").into();
            }
            self.replaced.push(ReplacedSecret {
                name,
                object: object.id.clone(),
                field,
            });
        }
        body
    }
}

/// Returns the name of the secret that an export refers to for a field of an object.
pub(crate) fn secret_name(object: &str, field: &str) -> String {
    let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_');
    let whole = format!("{object}.{field}");
    whole
        .chars()
        .map(|c| if fits(c) { c } else { '_' })
        .collect()
}

/// Returns a value with the keys of its maps in the order of the schema; keys it does not know keep
/// theirs.
fn in_order(value: &Value, schemas: &[Schema<'_>]) -> Value {
    match value {
        Value::Object(map) => {
            let known: Vec<&str> = schemas.iter().flat_map(|schema| schema.keys()).collect();
            let place = |key: &str| known.iter().position(|known| *known == key);
            let mut keys: Vec<&String> = map.keys().collect();
            keys.sort_by_key(|key| place(key).unwrap_or(usize::MAX));
            let ordered = keys.into_iter().filter_map(|key| {
                let inner: Vec<_> = schemas.iter().flat_map(|s| s.properties(key)).collect();
                Some((key.clone(), in_order(map.get(key)?, &inner)))
            });
            Value::Object(ordered.collect())
        }
        Value::Array(list) => {
            let members = list.iter().enumerate().map(|(index, value)| {
                let inner: Vec<_> = schemas.iter().flat_map(|s| s.members(index)).collect();
                in_order(value, &inner)
            });
            members.collect()
        }
        scalar => scalar.clone(),
    }
}
