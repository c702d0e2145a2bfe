//! A YAML or JSON document as a tree in which every value knows its place.

use serde_json::Value;

use crate::enmasse::source::Spot;

/// A value and where it stands.
#[derive(Clone, Debug)]
pub(crate) struct Node {
    /// The value.
    pub(crate) data: Data,
    /// Where it stands; an empty value stands at its key.
    pub(crate) spot: Spot,
}

/// A value.
#[derive(Clone, Debug)]
pub(crate) enum Data {
    /// Nothing: `null`, `~`, or nothing at all.
    Null,
    /// A truth value.
    Bool(bool),
    /// A number.
    Number(serde_json::Number),
    /// A text.
    Text(String),
    /// Values in order.
    List(Vec<Node>),
    /// Named values in order, no name twice.
    Map(Vec<Entry>),
    /// Something that was reported already; nothing more is said about it.
    Unusable,
}

/// A named value.
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    /// The name.
    pub(crate) key: String,
    /// Where the name stands.
    pub(crate) spot: Spot,
    /// The value.
    pub(crate) value: Node,
}

impl Node {
    /// Returns the entry of a name, if this is a map that has it.
    pub(crate) fn entry(&self, key: &str) -> Option<&Entry> {
        self.entries()?.iter().find(|entry| entry.key == key)
    }

    /// Returns the value of a name.
    pub(crate) fn value(&self, key: &str) -> Option<&Self> {
        self.entry(key).map(|entry| &entry.value)
    }

    /// Returns the entries of a map; an empty value counts as an empty map.
    pub(crate) fn entries(&self) -> Option<&[Entry]> {
        match &self.data {
            Data::Map(entries) => Some(entries),
            Data::Null => Some(&[]),
            _ => None,
        }
    }

    /// Returns the members of a list; an empty value counts as an empty list.
    pub(crate) fn members(&self) -> Option<&[Self]> {
        match &self.data {
            Data::List(members) => Some(members),
            Data::Null => Some(&[]),
            _ => None,
        }
    }

    /// Returns the text, if it is one.
    pub(crate) fn text(&self) -> Option<&str> {
        match &self.data {
            Data::Text(text) => Some(text),
            _ => None,
        }
    }

    /// Returns the word for its type, as messages to people use it.
    pub(crate) fn kind(&self) -> &'static str {
        match self.data {
            Data::Null => "nothing",
            Data::Bool(_) => "a truth value",
            Data::Number(_) => "a number",
            Data::Text(_) => "a text",
            Data::List(_) => "a list",
            Data::Map(_) => "a map",
            Data::Unusable => "something not understood",
        }
    }

    /// Returns the value without its places.
    pub(crate) fn to_json(&self) -> Value {
        match &self.data {
            Data::Null | Data::Unusable => Value::Null,
            Data::Bool(truth) => Value::Bool(*truth),
            Data::Number(number) => Value::Number(number.clone()),
            Data::Text(text) => Value::String(text.clone()),
            Data::List(members) => members.iter().map(Self::to_json).collect(),
            Data::Map(entries) => entries
                .iter()
                .map(|entry| (entry.key.clone(), entry.value.to_json()))
                .collect(),
        }
    }
}
