//! An object as it is stored, and how it is doing.

use serde::Serialize;

use crate::base::{Fault, ObjectName};

/// Which object: kind and name.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
pub struct ObjectId {
    /// The kind, such as `channel.http`.
    pub kind: String,
    /// The name, unique within the kind.
    pub name: ObjectName,
}

impl std::fmt::Display for ObjectId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {}", self.kind, self.name)
    }
}

/// An object as it is stored.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct StoredObject {
    /// Which object.
    #[serde(flatten)]
    pub id: ObjectId,
    /// Counts its edits, from 1.
    pub version: i64,
    /// The configuration revision of its last edit.
    pub rev: i64,
    /// Whether it is switched on.
    pub enabled: bool,
    /// The spec as written, `${…}` not resolved, so that no secret of the environment is stored.
    pub body: serde_json::Value,
    /// Where it was written: `config/objects.yaml:23`.
    pub source: String,
}

/// How a live object is doing.
#[derive(Clone, Debug)]
pub enum ObjectState {
    /// It runs as stored.
    Current,
    /// Switched off.
    Disabled,
    /// It could not be built as stored; the fault says why.
    Degraded(Fault),
}
