//! The kinds with their schemas, made once for a run.

use std::collections::HashMap;

use serde_json::Value;

use crate::contract::{AnyKind, ObjectId};
use crate::enmasse::sections;

/// The kinds with their schemas.
pub(crate) struct Catalog<'a> {
    /// The kinds, in the order of the list.
    pub(crate) kinds: &'a [&'a dyn AnyKind],
    schemas: HashMap<&'static str, (&'a dyn AnyKind, Value)>,
}

impl<'a> Catalog<'a> {
    /// Makes the schemas of all kinds.
    pub(crate) fn new(kinds: &'a [&'a dyn AnyKind]) -> Self {
        let with_schema = |kind: &&'a dyn AnyKind| (kind.name(), (*kind, kind.schema()));
        Self {
            kinds,
            schemas: kinds.iter().map(with_schema).collect(),
        }
    }

    /// Returns a kind and its schema.
    pub(crate) fn find(&self, name: &str) -> Option<(&'a dyn AnyKind, &Value)> {
        self.schemas.get(name).map(|(kind, schema)| (*kind, schema))
    }

    /// Returns the schema of a kind; one that allows anything when the kind is not known.
    pub(crate) fn schema(&self, name: &str) -> &Value {
        self.find(name).map_or(&Value::Null, |(_, schema)| schema)
    }
}

/// Objects by name, to follow references.
#[derive(Default)]
pub(crate) struct Index<'a>(HashMap<&'a str, Vec<&'a ObjectId>>);

impl<'a> Index<'a> {
    /// Makes an index of objects.
    pub(crate) fn new(ids: impl IntoIterator<Item = &'a ObjectId>) -> Self {
        let mut index = Self::default();
        for id in ids {
            let known = index.0.entry(id.name.as_str()).or_default();
            if !known.contains(&id) {
                known.push(id);
            }
        }
        index
    }

    /// Returns the objects that a name may mean where a role is asked for.
    pub(crate) fn named(&self, name: &str, role: &str) -> impl Iterator<Item = &'a ObjectId> {
        let ids = self.0.get(name).into_iter().flatten().copied();
        ids.filter(move |id| plays(&id.kind, role))
    }

    /// Returns all names that fit a role.
    pub(crate) fn names(&self, role: &str) -> impl Iterator<Item = &'a str> {
        let ids = self.0.values().flatten();
        ids.filter(move |id| plays(&id.kind, role))
            .map(|id| id.name.as_str())
    }
}

/// Tells whether objects of a kind may be named where a role is asked for: the kind itself or its
/// group.
fn plays(kind: &str, role: &str) -> bool {
    kind == role || sections::group_of(kind) == role
}
