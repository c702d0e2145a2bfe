//! The places for connections: so many in all, and so many for one address. A connection holds its place while it is open.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Counts the open connections.
pub(super) struct Places {
    most: usize,
    most_of_one: usize,
    taken: AtomicUsize,
    // Short sections without an await: one when a connection is accepted, one when it ends.
    of_address: Mutex<HashMap<IpAddr, usize>>,
    refused: AtomicU64,
}

/// The place of one connection; given back when it is dropped.
pub(super) struct Place {
    places: Arc<Places>,
    address: IpAddr,
}

impl Places {
    /// Makes `most` places, `most_of_one` for each address.
    pub(super) fn new(most: usize, most_of_one: usize) -> Arc<Self> {
        Arc::new(Self {
            most,
            most_of_one,
            taken: AtomicUsize::new(0),
            of_address: Mutex::default(),
            refused: AtomicU64::new(0),
        })
    }

    /// Takes a place for a peer; `None` when there is none left. Only the acceptor does.
    pub(super) fn take(self: &Arc<Self>, peer: IpAddr) -> Option<Place> {
        let address = counted_as(peer);
        if self.count() >= self.most || !self.take_of(address) {
            self.refused.fetch_add(1, Ordering::Relaxed);
            return None;
        }
        self.taken.fetch_add(1, Ordering::Relaxed);
        Some(Place {
            places: Arc::clone(self),
            address,
        })
    }

    fn take_of(&self, address: IpAddr) -> bool {
        let mut all = self.of_address();
        let own = all.entry(address).or_default();
        let free = *own < self.most_of_one;
        *own += usize::from(free);
        free
    }

    fn of_address(&self) -> MutexGuard<'_, HashMap<IpAddr, usize>> {
        self.of_address
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns how many are taken.
    pub(super) fn count(&self) -> usize {
        self.taken.load(Ordering::Relaxed)
    }

    /// Returns how many peers were refused one.
    pub(super) fn refused(&self) -> u64 {
        self.refused.load(Ordering::Relaxed)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.places.taken.fetch_sub(1, Ordering::Relaxed);
        let mut all = self.places.of_address();
        if let Some(own) = all.get_mut(&self.address) {
            *own -= 1;
            if *own == 0 {
                all.remove(&self.address);
            }
        }
    }
}

/// Returns the address that a peer counts as: in IPv6 its network of 64 bits, as one machine has all of it.
fn counted_as(peer: IpAddr) -> IpAddr {
    match peer.to_canonical() {
        IpAddr::V6(address) => Ipv6Addr::from_bits(address.to_bits() >> 64 << 64).into(),
        address @ IpAddr::V4(_) => address,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_has_its_share_and_gives_it_back() {
        let places = Places::new(4, 2);
        let take = |peer: &str| places.take(peer.parse().unwrap());
        let held = [take("10.0.0.1"), take("::ffff:10.0.0.1")];
        assert!(held.iter().all(Option::is_some));
        assert!(take("10.0.0.1").is_none(), "its share is taken");
        let others = [take("2001:db8::1"), take("2001:db8:0:0:ffff::2")];
        assert!(others.iter().all(Option::is_some));
        assert!(take("10.0.0.2").is_none(), "all are taken");
        drop(others);
        assert!(take("10.0.0.2").is_some());
        assert!(take("10.0.0.1").is_none());
        drop(held);
        assert!(take("10.0.0.1").is_some());
        assert_eq!((places.count(), places.refused()), (0, 3));
        assert!(places.of_address().is_empty(), "nobody is remembered");
    }
}
