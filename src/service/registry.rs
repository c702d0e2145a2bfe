//! One immutable snapshot of all services; a deployment swaps it whole.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, PoisonError};

use arc_swap::ArcSwap;

use crate::base::{ServiceName, Text};
use crate::contract::{Entry, Services};

/// The place of a name, the same for the life of the server. Routes hold it and never look a name up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Slot(usize);

/// All services of one moment.
#[derive(Default)]
pub(crate) struct Snapshot {
    entries: Vec<Option<Arc<Entry>>>,
    names: Arc<HashMap<Text, usize>>,
}

/// Holds the snapshot. Readers load it once per message; a deployment swaps all its services at once.
#[derive(Default)]
pub(crate) struct Registry {
    current: ArcSwap<Snapshot>,
    // Short sections without an await: only deployments and route building take it.
    names: Mutex<HashMap<Text, usize>>,
}

impl Snapshot {
    /// Returns the service at a slot; `None` while no file defines it.
    pub(crate) fn at(&self, slot: Slot) -> Option<&Arc<Entry>> {
        self.entries.get(slot.0)?.as_ref()
    }

    /// Walks all services by name.
    pub(crate) fn entries(&self) -> impl Iterator<Item = &Arc<Entry>> {
        let sorted: BTreeMap<&Text, usize> = self
            .names
            .iter()
            .map(|(name, index)| (name, *index))
            .collect();
        sorted
            .into_values()
            .filter_map(|index| self.entries.get(index)?.as_ref())
    }
}

impl Services for Snapshot {
    fn find(&self, name: &str) -> Option<Arc<Entry>> {
        self.entries.get(*self.names.get(name)?)?.clone()
    }

    fn names(&self) -> Vec<ServiceName> {
        self.entries()
            .map(|entry| entry.service.declaration().name.clone())
            .collect()
    }
}

impl Registry {
    /// Returns the services of the moment.
    pub(crate) fn load(&self) -> Arc<Snapshot> {
        self.current.load_full()
    }

    /// Returns the slot of a name, whether or not a service has it yet.
    pub(crate) fn slot(&self, name: &ServiceName) -> Slot {
        let mut names = self.names.lock().unwrap_or_else(PoisonError::into_inner);
        let next = names.len();
        Slot(*names.entry(Text::new(name.as_str())).or_insert(next))
    }

    /// Swaps in `entries` as all services of the server, in one step.
    pub(crate) fn swap(&self, entries: Vec<Arc<Entry>>) {
        let slots: Vec<Slot> = entries
            .iter()
            .map(|entry| self.slot(&entry.service.declaration().name))
            .collect();
        let names = self
            .names
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone();
        let mut placed = vec![None; names.len()];
        for (slot, entry) in slots.into_iter().zip(entries) {
            if let Some(place) = placed.get_mut(slot.0) {
                *place = Some(entry);
            }
        }
        self.current.store(Arc::new(Snapshot {
            entries: placed,
            names: Arc::new(names),
        }));
    }
}
