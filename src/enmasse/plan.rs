//! What applying files would change: add, change field by field, leave alone, remove.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use serde::Serialize;
use serde_json::Value;

use crate::base::{Code, Fault, Place};
use crate::config::interpolate::{Variables, is_bare_placeholder};
use crate::config::schema::{Schema, push_step, references_of};
use crate::contract::{AnyKind, ObjectId, StoredObject};
use crate::enmasse::catalog::{Catalog, Index};
use crate::enmasse::conform::dotted;
use crate::enmasse::normal::comparable;
use crate::enmasse::sections;
use crate::enmasse::wanted::Wanted;

/// What applying files would change. Its JSON shows no secret.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Plan {
    /// The configuration revision it was made against; applying it to another is `KL-C409`.
    pub(crate) rev: i64,
    /// One for each object of either side: first the wanted in their order, then the unmanaged.
    pub(crate) entries: Vec<PlanEntry>,
}

/// What would happen to one object.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct PlanEntry {
    /// Which object.
    #[serde(flatten)]
    pub(crate) id: ObjectId,
    /// Where it stands: in a file, or for an unmanaged one where it came from.
    pub(crate) source: String,
    /// What would happen.
    #[serde(flatten)]
    pub(crate) step: Step,
    /// The wanted state; `None` for an unmanaged object. Not shown: it may hold secrets.
    #[serde(skip)]
    wanted: Option<State>,
    /// The objects its present or wanted body names.
    #[serde(skip)]
    names: Vec<ObjectId>,
}

/// What would happen to an object.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "step", rename_all = "snake_case")]
pub(crate) enum Step {
    /// It is new.
    Add,
    /// Some of its fields change.
    Change {
        /// The fields, in the order of the body.
        fields: Vec<FieldChange>,
    },
    /// Nothing.
    Same,
    /// It goes, pruned or not: the files give its name to an object of another kind.
    Replaced {
        /// The kind of that object.
        by: String,
    },
    /// It is on the server only. Kept, unless pruned.
    Unmanaged {
        /// Whether pruning would remove it: only what once came from a file.
        prunable: bool,
    },
}

/// A field that changes; secrets are masked.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct FieldChange {
    /// The field, such as `rate_limit.limit`.
    pub(crate) field: String,
    /// The present value; `None` when there is none.
    pub(crate) old: Option<Value>,
    /// The wanted value; `None` when there is none.
    pub(crate) new: Option<Value>,
    /// Where the wanted value stands.
    pub(crate) place: String,
}

/// Whether objects that are in no file any more are removed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Prune {
    /// They stay.
    Keep,
    /// Those that came from a file go.
    Remove,
}

/// A change for the store, as written in the files.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Change {
    /// Adds or replaces an object.
    Put {
        /// Which object.
        id: ObjectId,
        /// Whether it is switched on.
        enabled: bool,
        /// The spec as written, `${…}` not filled.
        body: Value,
        /// Where it was written.
        source: String,
    },
    /// Removes an object.
    Delete {
        /// Which object.
        id: ObjectId,
    },
}

#[derive(Clone, Debug)]
struct State {
    enabled: bool,
    body: Value,
}

/// How many entries a plan has of each step.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub(crate) struct Counts {
    /// To change.
    pub(crate) change: usize,
    /// To add.
    pub(crate) add: usize,
    /// To remove.
    pub(crate) remove: usize,
    /// On the server only, and kept.
    pub(crate) unmanaged: usize,
}

/// Compares the stored objects with the wanted ones. `variables` serve normalisation only; bodies
/// stay as written.
pub(crate) fn plan(
    current: &[StoredObject],
    wanted: &[Wanted],
    kinds: &[&dyn AnyKind],
    variables: &dyn Variables,
    rev: i64,
) -> Plan {
    let catalog = Catalog::new(kinds);
    let stored: HashMap<_, _> = current.iter().map(|object| (&object.id, object)).collect();
    let in_files: HashMap<_, _> = wanted.iter().map(|wanted| (&wanted.id, wanted)).collect();
    let ids = wanted.iter().map(|wanted| &wanted.id);
    let index = Index::new(ids.chain(stored.keys().copied()));
    let taken = Index::new(in_files.keys().copied());
    let of_files = wanted.iter().map(|wanted| PlanEntry {
        id: wanted.id.clone(),
        source: wanted.source.clone(),
        step: step(stored.get(&wanted.id).copied(), wanted, &catalog, variables),
        names: names(&wanted.id, &wanted.body, &catalog, &index),
        wanted: Some(State {
            enabled: wanted.enabled,
            body: wanted.body.clone(),
        }),
    });
    let left = current
        .iter()
        .filter(|object| !in_files.contains_key(&object.id));
    let of_server = left.map(|object| PlanEntry {
        id: object.id.clone(),
        source: object.source.clone(),
        step: step_of_left(object, &taken),
        names: names(&object.id, &object.body, &catalog, &index),
        wanted: None,
    });
    Plan {
        rev,
        entries: of_files.chain(of_server).collect(),
    }
}

/// Decides about an object that is in no file.
fn step_of_left(object: &StoredObject, taken: &Index<'_>) -> Step {
    let group = sections::group_of(&object.id.kind);
    let mut successors = taken.named(object.id.name.as_str(), group);
    match successors.next().filter(|_| sections::shares_names(group)) {
        Some(successor) => Step::Replaced {
            by: successor.kind.clone(),
        },
        None => Step::Unmanaged {
            prunable: is_file(&object.source),
        },
    }
}

impl Plan {
    /// Counts what would happen.
    pub(crate) fn counts(&self, prune: Prune) -> Counts {
        let mut counts = Counts::default();
        for entry in &self.entries {
            match &entry.step {
                Step::Add => counts.add += 1,
                Step::Change { .. } => counts.change += 1,
                Step::Same => {}
                Step::Replaced { .. } => counts.remove += 1,
                Step::Unmanaged { prunable: true } if prune == Prune::Remove => counts.remove += 1,
                Step::Unmanaged { .. } => counts.unmanaged += 1,
            }
        }
        counts
    }

    /// Returns the changes in an order in which every reference holds: what is named comes before
    /// what names it, and removals come last, the other way round.
    pub(crate) fn changes(&self, prune: Prune) -> Vec<Change> {
        let order = self.by_reference();
        let puts = order.iter().filter_map(|entry| entry.put());
        let removals = order.iter().rev().filter(|entry| entry.is_removed(prune));
        puts.chain(removals.map(|entry| Change::Delete {
            id: entry.id.clone(),
        }))
        .collect()
    }

    /// Returns a fault for each object that stays and names one that would go.
    pub(crate) fn dangling(&self, prune: Prune) -> Vec<Fault> {
        let (gone, kept): (Vec<_>, Vec<_>) = self
            .entries
            .iter()
            .partition(|entry| entry.is_removed(prune));
        let gone: HashSet<&ObjectId> = gone.iter().map(|entry| &entry.id).collect();
        let lost = |entry: &PlanEntry, id: &ObjectId| {
            let has_successor = |other: &ObjectId| other.name == id.name && !gone.contains(other);
            gone.contains(id) && !entry.names.iter().any(has_successor)
        };
        let faults = kept.iter().flat_map(|entry| {
            let lost = entry.names.iter().filter(|id| lost(entry, id));
            lost.map(|id| {
                let message = format!("{} refers to {id}, which would be removed", entry.id);
                let place = Place::new(entry.source.as_str(), 0, 0);
                Fault::new(Code::ConfigReference, message)
                    .at(place)
                    .hint("Keep it in the files, or change what refers to it.")
            })
        });
        faults.collect()
    }

    /// Returns the entries, each after those it names. A circle is cut where it is met first.
    fn by_reference(&self) -> Vec<&PlanEntry> {
        let mut order: Vec<&PlanEntry> = Vec::with_capacity(self.entries.len());
        let index: HashMap<&ObjectId, usize> = (0..)
            .zip(&self.entries)
            .map(|(n, entry)| (&entry.id, n))
            .collect();
        let mut met = vec![false; self.entries.len()];
        // A stack instead of recursion: files decide how long a chain of references is.
        for start in 0..self.entries.len() {
            let mut stack = vec![(start, false)];
            while let Some((n, finished)) = stack.pop() {
                let (Some(entry), Some(seen)) = (self.entries.get(n), met.get_mut(n)) else {
                    continue;
                };
                if finished {
                    order.push(entry);
                } else if !std::mem::replace(seen, true) {
                    stack.push((n, true));
                    stack.extend(
                        entry
                            .names
                            .iter()
                            .filter_map(|id| index.get(id))
                            .map(|n| (*n, false)),
                    );
                }
            }
        }
        order
    }
}

impl PlanEntry {
    fn is_removed(&self, prune: Prune) -> bool {
        match self.step {
            Step::Replaced { .. } => true,
            Step::Unmanaged { prunable } => prunable && prune == Prune::Remove,
            _ => false,
        }
    }

    fn put(&self) -> Option<Change> {
        let wanted = self.wanted.as_ref()?;
        (self.step != Step::Same).then(|| Change::Put {
            id: self.id.clone(),
            enabled: wanted.enabled,
            body: wanted.body.clone(),
            source: self.source.clone(),
        })
    }
}

fn step(
    stored: Option<&StoredObject>,
    wanted: &Wanted,
    catalog: &Catalog<'_>,
    variables: &dyn Variables,
) -> Step {
    let Some(stored) = stored else {
        return Step::Add;
    };
    let mut fields = Vec::new();
    if stored.enabled != wanted.enabled {
        fields.push(FieldChange {
            field: "enabled".to_owned(),
            old: Some(stored.enabled.into()),
            new: Some(wanted.enabled.into()),
            place: wanted.source.clone(),
        });
    }
    let kind = catalog.find(&wanted.id.kind);
    let [old, new] = match kind {
        Some(kind) => comparable(kind, [&stored.body, &wanted.body], variables),
        None => [stored.body.clone(), wanted.body.clone()],
    };
    let schema = Schema::new(catalog.schema(&wanted.id.kind));
    let mut difference = Difference {
        wanted,
        fields: &mut fields,
    };
    difference.walk(Some(&old), Some(&new), &[schema], "");
    if fields.is_empty() {
        Step::Same
    } else {
        Step::Change { fields }
    }
}

struct Difference<'a> {
    wanted: &'a Wanted,
    fields: &'a mut Vec<FieldChange>,
}

impl Difference<'_> {
    fn walk(
        &mut self,
        old: Option<&Value>,
        new: Option<&Value>,
        schemas: &[Schema<'_>],
        pointer: &str,
    ) {
        if old == new {
            return;
        }
        if let (Some(Value::Object(old)), Some(Value::Object(new))) = (old, new) {
            let gone = old.keys().filter(|key| !new.contains_key(*key));
            for key in new.keys().chain(gone) {
                let mut inner = pointer.to_owned();
                push_step(&mut inner, key);
                let schemas: Vec<_> = schemas.iter().flat_map(|s| s.properties(key)).collect();
                self.walk(old.get(key), new.get(key), &schemas, &inner);
            }
            return;
        }
        let place = &self.wanted.places.value(pointer).place;
        let change = FieldChange {
            field: dotted(pointer),
            old: old.map(|value| masked(value, schemas)),
            new: new.map(|value| masked(value, schemas)),
            place: Place::new(Arc::clone(&place.path), place.line, 0).to_string(),
        };
        self.fields.push(change);
    }
}

/// Returns a value with its secrets covered. A placeholder without default is no secret.
fn masked(value: &Value, schemas: &[Schema<'_>]) -> Value {
    match value {
        Value::Object(map) => map
            .iter()
            .map(|(key, value)| {
                let inner: Vec<_> = schemas.iter().flat_map(|s| s.properties(key)).collect();
                (key.clone(), masked(value, &inner))
            })
            .collect(),
        Value::Array(list) => list
            .iter()
            .enumerate()
            .map(|(index, value)| {
                let inner: Vec<_> = schemas.iter().flat_map(|s| s.members(index)).collect();
                masked(value, &inner)
            })
            .collect(),
        scalar => {
            let shows = scalar.as_str().is_some_and(is_bare_placeholder);
            if !shows && schemas.iter().any(|schema| schema.is_secret()) {
                Value::from("•••")
            } else {
                scalar.clone()
            }
        }
    }
}

/// Tells whether a stored object was last written from a file.
pub(crate) fn is_file(source: &str) -> bool {
    let path = source.split(':').next().unwrap_or_default();
    [".yaml", ".yml", ".json"]
        .iter()
        .any(|ending| path.ends_with(ending))
}

fn names(id: &ObjectId, body: &Value, catalog: &Catalog<'_>, index: &Index<'_>) -> Vec<ObjectId> {
    let references = references_of(catalog.schema(&id.kind), body);
    let named = references
        .iter()
        .flat_map(|(_, role, name)| index.named(name, role));
    named.cloned().collect()
}
