//! One part of the key space, behind one lock.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::{Mutex, PoisonError};

use bytes::Bytes;

use crate::base::Fault;
use crate::kvdb::embedded::data::{Collection, Data, OVERHEAD};
use crate::kvdb::embedded::op::Op;
use crate::kvdb::fault;

/// A key's content.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) data: Data,
    /// When it goes away, in milliseconds since 1970; 0 for never.
    pub(super) expires: u64,
    /// About how much memory it takes.
    weight: usize,
}

/// One part of the key space.
#[derive(Debug, Default)]
pub(in crate::kvdb) struct Shard {
    keys: HashMap<Bytes, Entry>,
    /// The keys that go away, by time. Exactly those of `keys` whose `expires` is not 0.
    expiring: BTreeSet<(u64, Bytes)>,
    /// The keys changed since the last commit. A mutex, so that the writer can take them while it
    /// holds read locks on all shards: readers go on, and what it writes is the state of one
    /// moment.
    dirty: Mutex<HashSet<Bytes>>,
    /// About how much memory the keys take.
    pub(super) used: usize,
    /// Grows with each change.
    pub(super) changes: u64,
}

/// What an edit of a collection did.
#[derive(Default)]
pub(super) struct Change {
    /// Whether anything changed.
    pub(super) made: bool,
    /// Memory of what was added.
    added: usize,
    /// Memory of what was taken out.
    removed: usize,
}

impl Change {
    /// Notes that so many bytes came in as one member.
    pub(super) fn add(&mut self, bytes: usize) {
        self.made = true;
        self.added += bytes + OVERHEAD;
    }

    /// Notes that a member of so many bytes went away.
    pub(super) fn remove(&mut self, bytes: usize) {
        self.made = true;
        self.removed += bytes + OVERHEAD;
    }
}

impl Entry {
    fn expired(&self, op: &Op<'_>) -> bool {
        self.expires != 0 && self.expires <= op.now()
    }
}

impl Shard {
    /// Returns what a key holds, unless its time is over.
    pub(super) fn get(&self, key: &[u8], op: &Op<'_>) -> Option<&Entry> {
        self.keys.get(key).filter(|entry| !entry.expired(op))
    }

    /// Returns the collection of a key, or the fault that it holds something else.
    pub(super) fn read<C: Collection>(&self, op: &Op<'_>) -> Result<Option<&C>, Fault> {
        let key = op.key()?;
        match self.get(key, op) {
            None => Ok(None),
            Some(entry) => match C::of(&entry.data) {
                None => Err(fault::wrong_type(op.name, key)),
                some => Ok(some),
            },
        }
    }

    /// Lets `edit` change the collection of a key, made when there is none, dropped when it ends
    /// empty.
    pub(super) fn edit<C: Collection, R>(
        &mut self,
        op: &Op<'_>,
        edit: impl FnOnce(&mut C, &mut Change) -> R,
    ) -> Result<R, Fault> {
        let key = op.key()?;
        self.drop_expired(key, op);
        let mut change = Change::default();
        let Some(entry) = self.keys.get_mut(key) else {
            let mut fresh = C::default();
            let result = edit(&mut fresh, &mut change);
            if !fresh.gone() {
                self.put(key, fresh.wrap(), 0);
            }
            return Ok(result);
        };
        let kept = C::of_mut(&mut entry.data).ok_or_else(|| fault::wrong_type(op.name, key))?;
        let result = edit(kept, &mut change);
        let gone = kept.gone();
        if gone {
            self.remove(key);
        } else if change.made {
            entry.weight = (entry.weight + change.added).saturating_sub(change.removed);
            self.used = (self.used + change.added).saturating_sub(change.removed);
            self.touch(key);
        }
        Ok(result)
    }

    /// Sets a key, whatever it held.
    pub(super) fn put(&mut self, key: &Bytes, data: Data, expires: u64) {
        let weight = data.weight() + 2 * (key.len() + OVERHEAD);
        self.used += weight;
        let entry = Entry {
            data,
            expires,
            weight,
        };
        if let Some(old) = self.keys.insert(key.clone(), entry) {
            self.forget(key, &old);
        }
        if expires != 0 {
            self.expiring.insert((expires, key.clone()));
        }
        self.touch(key);
    }

    /// Replaces the data of a key that is there and keeps its expiry.
    pub(super) fn replace(&mut self, key: &Bytes, data: Data) {
        let expires = self.keys.get(key).map_or(0, |entry| entry.expires);
        self.put(key, data, expires);
    }

    /// Removes a key; tells whether it was there.
    pub(super) fn remove(&mut self, key: &Bytes) -> bool {
        let Some(old) = self.keys.remove(key) else {
            return false;
        };
        self.forget(key, &old);
        self.touch(key);
        true
    }

    /// Sets when a key goes away; 0 for never.
    pub(super) fn set_expiry(&mut self, key: &Bytes, expires: u64) {
        let Some(entry) = self.keys.get_mut(key) else {
            return;
        };
        let before = std::mem::replace(&mut entry.expires, expires);
        if before != 0 {
            self.expiring.remove(&(before, key.clone()));
        }
        if expires != 0 {
            self.expiring.insert((expires, key.clone()));
        }
        self.touch(key);
    }

    /// Removes a key whose time is over, so that what follows finds nothing there.
    pub(super) fn drop_expired(&mut self, key: &Bytes, op: &Op<'_>) {
        if self.keys.get(key).is_some_and(|entry| entry.expired(op)) {
            self.remove(key);
        }
    }

    /// Removes up to `most` keys whose time is over; tells whether there may be more.
    pub(super) fn sweep(&mut self, now: u64, most: usize) -> bool {
        for _ in 0..most {
            let due = self.expiring.first().filter(|(at, _)| *at <= now);
            let Some((_, key)) = due.cloned() else {
                return false;
            };
            self.remove(&key);
        }
        true
    }

    /// Tells when the next key goes away.
    pub(super) fn next_expiry(&self) -> Option<u64> {
        self.expiring.first().map(|(at, _)| *at)
    }

    /// Walks the keys that are there.
    pub(super) fn live<'a>(
        &'a self,
        op: &'a Op<'_>,
    ) -> impl Iterator<Item = (&'a Bytes, &'a Entry)> {
        self.keys.iter().filter(|(_, entry)| !entry.expired(op))
    }

    /// Takes the keys changed since the last time, with what they hold now.
    pub(super) fn take_dirty(&self, out: &mut Vec<(Bytes, Option<Vec<u8>>)>) {
        let dirty = std::mem::take(&mut *self.dirty.lock().unwrap_or_else(PoisonError::into_inner));
        out.extend(dirty.into_iter().map(|key| {
            let image = self
                .keys
                .get(&key)
                .map(|entry| entry.data.encode(entry.expires));
            (key, image)
        }));
    }

    /// Notes that a key still has to be written.
    pub(super) fn mark_dirty(&self, key: Bytes) {
        let mut dirty = self.dirty.lock().unwrap_or_else(PoisonError::into_inner);
        dirty.insert(key);
    }

    fn touch(&mut self, key: &Bytes) {
        self.changes += 1;
        let dirty = self.dirty.get_mut().unwrap_or_else(PoisonError::into_inner);
        if !dirty.contains(key) {
            dirty.insert(key.clone());
        }
    }

    fn forget(&mut self, key: &Bytes, old: &Entry) {
        self.used = self.used.saturating_sub(old.weight);
        if old.expires != 0 {
            self.expiring.remove(&(old.expires, key.clone()));
        }
    }
}
