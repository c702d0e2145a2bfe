//! The whole key space: shards behind their locks.

use std::hash::{BuildHasher as _, RandomState};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use bytes::Bytes;

use crate::kvdb::embedded::data::Data;
use crate::kvdb::embedded::op::Op;
use crate::kvdb::embedded::shard::Shard;

/// The number of shards: a power of two, the top bits of a key's hash choose one.
const SHARDS: usize = 64;
const SHIFT: u32 = u64::BITS - SHARDS.trailing_zeros();

/// The whole key space. Whoever locks several shards does so in their order.
pub(in crate::kvdb) struct Space {
    shards: Box<[RwLock<Shard>]>,
    hasher: RandomState,
    /// About how much memory all keys take.
    used: AtomicUsize,
    /// Grows with each change.
    changes: AtomicUsize,
}

/// Some keys met by a walk.
pub(super) struct Page {
    /// The keys that were wanted.
    pub(super) keys: Vec<Bytes>,
    /// How many keys were looked at.
    pub(super) visited: usize,
    /// The hash to go on from; `None` when the walk is over.
    pub(super) next: Option<u64>,
}

impl Space {
    pub(super) fn new() -> Self {
        Self {
            shards: (0..SHARDS).map(|_| RwLock::default()).collect(),
            hasher: RandomState::new(),
            used: AtomicUsize::new(0),
            changes: AtomicUsize::new(0),
        }
    }

    /// Returns about how much memory all keys take.
    pub(super) fn used(&self) -> usize {
        self.used.load(Ordering::Relaxed)
    }

    /// Returns a number that grows with each change.
    pub(super) fn changes(&self) -> usize {
        self.changes.load(Ordering::Acquire)
    }

    /// Lets `read` see the shard of a key.
    pub(super) fn read<R>(&self, key: &[u8], read: impl FnOnce(&Shard) -> R) -> Option<R> {
        let shard = self.shards.get(self.place(key))?;
        Some(read(&lock_read(shard)))
    }

    /// Lets `write` change the shard of a key.
    pub(super) fn write<R>(&self, key: &[u8], write: impl FnOnce(&mut Shard) -> R) -> Option<R> {
        let shard = self.shards.get(self.place(key))?;
        Some(self.counted(&mut lock_write(shard), write))
    }

    /// Locks the shards of all keys, for a read of one moment.
    pub(super) fn read_all<'a>(&self, keys: impl Iterator<Item = &'a Bytes>) -> Reading<'_> {
        let places = self.places(keys);
        let locked = places.into_iter().filter_map(|place| {
            let shard = self.shards.get(place)?;
            Some((place, lock_read(shard)))
        });
        Reading {
            space: self,
            locked: locked.collect(),
        }
    }

    /// Locks the shards of all keys, for a change that nobody sees half done.
    pub(super) fn write_all<'a>(&self, keys: impl Iterator<Item = &'a Bytes>) -> Writing<'_> {
        let places = self.places(keys);
        let locked = places.into_iter().filter_map(|place| {
            let shard = self.shards.get(place)?;
            Some((place, lock_write(shard)))
        });
        Writing {
            space: self,
            locked: locked.collect(),
        }
    }

    /// Locks every shard and returns what changed since the last time: the state of one moment.
    pub(super) fn take_dirty(&self) -> Vec<(Bytes, Option<Vec<u8>>)> {
        let locked: Vec<_> = self.shards.iter().map(lock_read).collect();
        let mut out = Vec::new();
        for shard in &locked {
            shard.take_dirty(&mut out);
        }
        out
    }

    /// Notes that keys still have to be written.
    pub(super) fn mark_dirty(&self, keys: impl Iterator<Item = Bytes>) {
        for key in keys {
            let place = self.place(&key);
            if let Some(shard) = self.shards.get(place) {
                lock_read(shard).mark_dirty(key);
            }
        }
    }

    /// Removes keys whose time is over, a few at a time so that nobody waits long.
    pub(super) fn sweep(&self, now: u64) {
        for shard in &self.shards {
            while self.counted(&mut lock_write(shard), |shard| shard.sweep(now, 100)) {}
        }
    }

    /// Tells when the next key goes away.
    pub(super) fn next_expiry(&self) -> Option<u64> {
        let next = |shard| lock_read(shard).next_expiry();
        self.shards.iter().filter_map(next).min()
    }

    /// Looks at the next `most` keys of one shard from a hash on.
    pub(super) fn page(
        &self,
        from: u64,
        most: usize,
        op: &Op<'_>,
        wants: impl Fn(&Bytes, &Data) -> bool,
    ) -> Page {
        let place = shard_of(from);
        let shard = self.shards.get(place).map(lock_read);
        let live = shard.iter().flat_map(|shard| shard.live(op));
        let mut met: Vec<_> = live
            .map(|(key, entry)| (self.hasher.hash_one(key), key, entry))
            .filter(|(hash, ..)| *hash >= from)
            .collect();
        met.sort_unstable_by_key(|(hash, ..)| *hash);
        // Keys of the same hash stay together, or the next page would miss one.
        let end = met.get(most.saturating_sub(1)).map(|(hash, ..)| *hash);
        let taken = end.map_or(met.len(), |end| {
            met.partition_point(|(hash, ..)| *hash <= end)
        });
        let keys = met
            .iter()
            .take(taken)
            .filter(|(_, key, entry)| wants(key, &entry.data));
        Page {
            keys: keys.map(|(_, key, _)| (*key).clone()).collect(),
            visited: taken,
            next: match met.get(taken) {
                Some((hash, ..)) => Some(*hash),
                None => first_hash(place + 1),
            },
        }
    }

    fn counted<R>(&self, shard: &mut Shard, write: impl FnOnce(&mut Shard) -> R) -> R {
        let (used, changes) = (shard.used, shard.changes);
        let result = write(shard);
        if shard.changes != changes {
            // Wraps when it shrank; the sum is right again after the addition.
            self.used
                .fetch_add(shard.used.wrapping_sub(used), Ordering::Relaxed);
            self.changes.fetch_add(1, Ordering::Release);
        }
        result
    }

    fn place(&self, key: &[u8]) -> usize {
        // As `Bytes` hashes, which is as its slice does.
        shard_of(self.hasher.hash_one(key))
    }

    fn places<'a>(&self, keys: impl Iterator<Item = &'a Bytes>) -> Vec<usize> {
        let mut places: Vec<_> = keys.map(|key| self.place(key)).collect();
        places.sort_unstable();
        places.dedup();
        places
    }
}

fn shard_of(hash: u64) -> usize {
    usize::try_from(hash >> SHIFT).unwrap_or_default()
}

/// Returns the lowest hash of a shard; `None` after the last one.
fn first_hash(place: usize) -> Option<u64> {
    let place = u64::try_from(place).ok().filter(|_| place < SHARDS)?;
    Some(place << SHIFT)
}

// A handler that panicked left its shard as it was or half changed in memory; both are better than
// a store that never answers again.
fn lock_read(shard: &RwLock<Shard>) -> RwLockReadGuard<'_, Shard> {
    shard.read().unwrap_or_else(PoisonError::into_inner)
}

fn lock_write(shard: &RwLock<Shard>) -> RwLockWriteGuard<'_, Shard> {
    shard.write().unwrap_or_else(PoisonError::into_inner)
}

/// Several shards locked for reading.
pub(super) struct Reading<'a> {
    space: &'a Space,
    locked: Vec<(usize, RwLockReadGuard<'a, Shard>)>,
}

impl Reading<'_> {
    /// Returns the shard of a key.
    pub(super) fn of(&self, key: &[u8]) -> Option<&Shard> {
        let place = self.space.place(key);
        let index = self
            .locked
            .binary_search_by_key(&place, |(place, _)| *place);
        self.locked.get(index.ok()?).map(|(_, shard)| &**shard)
    }
}

/// Several shards locked for writing.
pub(super) struct Writing<'a> {
    space: &'a Space,
    locked: Vec<(usize, RwLockWriteGuard<'a, Shard>)>,
}

impl Writing<'_> {
    /// Lets `write` change the shard of a key.
    pub(super) fn of(&mut self, key: &[u8], write: impl FnOnce(&mut Shard)) {
        let place = self.space.place(key);
        let index = self
            .locked
            .binary_search_by_key(&place, |(place, _)| *place);
        let shard = index.ok().and_then(|index| self.locked.get_mut(index));
        if let Some((_, shard)) = shard {
            self.space.counted(shard, write);
        }
    }
}
