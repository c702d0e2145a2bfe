//! The correlation id: one for each message, in every log line and answer about it.

use std::cell::Cell;
use std::fmt;
use std::hash::{BuildHasher as _, Hasher as _, RandomState};

use crate::base::{Clock as _, SystemClock, Text};

/// A correlation id: at most 128 visible ASCII characters.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Cid(Text);

/// Crockford's digits: no letter is taken for another.
const DIGITS: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";
/// Digits of the time in milliseconds, before those of chance.
const OF_TIME: usize = 10;
/// Digits of an id: as many as a `Text` holds in itself.
const LENGTH: usize = 24;

impl Cid {
    /// Returns a fresh id that sorts by the time it was made.
    pub fn fresh() -> Self {
        let mut text = [b'0'; LENGTH];
        let millis = u64::try_from(SystemClock.now().timestamp_millis()).unwrap_or_default();
        let (of_time, of_chance) = text.split_at_mut(OF_TIME);
        write(of_time, millis);
        of_chance
            .chunks_mut(7)
            .for_each(|part| write(part, chance()));
        Self(Text::from(str::from_utf8(&text).unwrap_or_default()))
    }

    /// Accepts an id that a caller sent, if it is sane.
    pub fn accept(text: &str) -> Option<Self> {
        let sane =
            (1..=128).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic());
        sane.then(|| Self(Text::from(text)))
    }

    /// Returns the id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Writes the low bits of a number, five to a digit.
fn write(digits: &mut [u8], mut number: u64) {
    for digit in digits.iter_mut().rev() {
        *digit = DIGITS.get((number & 31) as usize).copied().unwrap_or(b'0');
        number >>= 5;
    }
}

/// Returns 64 bits that differ from call to call, thread to thread and process to process, without asking the
/// kernel each time: a walk through all numbers from a random start, mixed (splitmix64).
fn chance() -> u64 {
    thread_local!(static PLACE: Cell<u64> = Cell::new(RandomState::new().build_hasher().finish()));
    let place = PLACE.get().wrapping_add(0x9e37_79b9_7f4a_7c15);
    PLACE.set(place);
    let mixed = (place ^ (place >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

impl fmt::Display for Cid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Cid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn a_caller_cannot_forge_a_log_line() {
        assert!(Cid::accept("abc-1").is_some());
        for bad in ["", "a b", "a\nb", "é", &"x".repeat(129)] {
            assert!(Cid::accept(bad).is_none(), "{bad:?}");
        }
    }

    #[test]
    fn fresh_ids_differ_and_sort_by_time() {
        let ids: HashSet<String> = (0..10_000).map(|_| Cid::fresh().to_string()).collect();
        assert_eq!(ids.len(), 10_000);
        assert!(
            ids.iter()
                .all(|id| id.len() == 24 && Cid::accept(id).is_some())
        );
        // The digits stand in order, so the time part sorts as the time does.
        assert!(DIGITS.is_sorted());
    }
}
