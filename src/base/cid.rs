//! The correlation id: one for each message, in every log line and answer about it.

use std::fmt;
use std::hash::{BuildHasher as _, Hasher as _, RandomState};

use crate::base::{Clock as _, SystemClock, Text};

/// A correlation id: at most 128 visible ASCII characters.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Cid(Text);

/// Crockford's digits: no letter is taken for another.
const DIGITS: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";
/// Digits of the time in milliseconds, then of chance.
const LENGTHS: [usize; 2] = [10, 14];

impl Cid {
    /// Returns a fresh id that sorts by the time it was made: 24 characters, which a `Text` holds in itself.
    pub fn fresh() -> Self {
        let millis = u64::try_from(SystemClock.now().timestamp_millis()).unwrap_or_default();
        let chance = (u128::from(chance()) << 64) | u128::from(chance());
        let mut text = Text::default();
        for (number, length) in [u128::from(millis), chance].into_iter().zip(LENGTHS) {
            (0..length)
                .rev()
                .for_each(|place| text.push(digit(number >> (place * 5))));
        }
        Self(text)
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

/// Returns 64 bits that differ from call to call and process to process, without asking the kernel each time.
fn chance() -> u64 {
    RandomState::new().build_hasher().finish()
}

fn digit(number: u128) -> char {
    DIGITS
        .get((number & 31) as usize)
        .copied()
        .map_or('0', char::from)
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
