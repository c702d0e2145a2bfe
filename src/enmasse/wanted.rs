//! Objects as the files want them, and where each value of them stands.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::config::schema::push_step;
use crate::contract::ObjectId;
use crate::enmasse::node::{Data, Node};
use crate::enmasse::source::{Sources, Spot};

/// Everything the files say.
#[derive(Clone, Debug, Default)]
pub(crate) struct WantedSet {
    /// The project's name.
    pub(crate) project: Option<String>,
    /// The environment's name, placeholders not filled.
    pub(crate) environment: Option<String>,
    /// The objects, in the order of the sections and files.
    pub(crate) objects: Vec<Wanted>,
    /// The texts, to show places in.
    pub(crate) sources: Sources,
}

/// An object as the files want it.
#[derive(Clone, Debug)]
pub(crate) struct Wanted {
    /// Which object.
    pub(crate) id: ObjectId,
    /// Whether it is switched on.
    pub(crate) enabled: bool,
    /// The spec as written, `${…}` not filled.
    pub(crate) body: Value,
    /// Where it was written: `config/objects.yaml:23`.
    pub(crate) source: String,
    /// Where each value of the body stands.
    pub(crate) places: Places,
}

/// Where the values of a body stand, by JSON pointer.
#[derive(Clone, Debug)]
pub(crate) struct Places {
    object: Spot,
    values: BTreeMap<String, Spot>,
    keys: BTreeMap<String, Spot>,
    /// Values that were reported already.
    unusable: Vec<String>,
}

impl Places {
    /// Makes the places of an object that stands at `object`.
    pub(crate) fn new(object: Spot) -> Self {
        Self {
            object,
            values: BTreeMap::new(),
            keys: BTreeMap::new(),
            unusable: Vec::new(),
        }
    }

    /// Returns where the object itself stands.
    pub(crate) fn object(&self) -> &Spot {
        &self.object
    }

    /// Returns where a value stands, or else what it is part of.
    pub(crate) fn value(&self, pointer: &str) -> &Spot {
        self.nearest(pointer, |pointer| self.values.get(pointer))
    }

    /// Returns where the key of a value stands; for the member of a list, the member.
    pub(crate) fn key(&self, pointer: &str) -> &Spot {
        self.nearest(pointer, |pointer| {
            self.keys.get(pointer).or_else(|| self.values.get(pointer))
        })
    }

    /// Returns the pointers of values that were reported already when they were read.
    pub(crate) fn unusable(&self) -> &[String] {
        &self.unusable
    }

    /// Adds the places of a key's value and of everything in it.
    pub(crate) fn add_key(&mut self, pointer: &str, spot: &Spot, value: &Node) {
        self.keys.insert(pointer.to_owned(), spot.clone());
        self.add(pointer, value);
    }

    fn add(&mut self, pointer: &str, node: &Node) {
        self.values.insert(pointer.to_owned(), node.spot.clone());
        let below = |step: &str| {
            let mut inner = pointer.to_owned();
            push_step(&mut inner, step);
            inner
        };
        match &node.data {
            Data::Map(entries) => entries
                .iter()
                .for_each(|entry| self.add_key(&below(&entry.key), &entry.spot, &entry.value)),
            Data::List(members) => members
                .iter()
                .enumerate()
                .for_each(|(index, member)| self.add(&below(&index.to_string()), member)),
            Data::Unusable => self.unusable.push(pointer.to_owned()),
            _ => {}
        }
    }

    fn nearest<'a>(&'a self, pointer: &str, find: impl Fn(&str) -> Option<&'a Spot>) -> &'a Spot {
        let mut rest = pointer;
        loop {
            if let Some(spot) = find(rest) {
                return spot;
            }
            match rest.rsplit_once('/') {
                Some((shorter, _)) => rest = shorter,
                None => return &self.object,
            }
        }
    }
}
