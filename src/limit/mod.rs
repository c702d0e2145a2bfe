//! Token buckets: how often callers may send.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::base::{Code, Fault, Text};
use crate::contract::RateLimit;

/// Parts of the table of keys; callers on different cores rarely meet in one.
const SHARDS: usize = 16;
/// Keys a part remembers; when all of them are busy, new ones share one bucket.
const KEYS: usize = 4096;
/// The bucket shared by keys that no longer find room.
const OVERFLOW: &str = "\0overflow";

/// Counts messages by key. A bucket holds `limit` tokens and fills up evenly in each period.
///
/// It keeps one moment per key: when the bucket would be full again.
pub(crate) struct Limiter {
    limit: u32,
    /// How long one token takes to come back.
    interval: Duration,
    /// How far the moment may lie ahead: an empty bucket.
    burst: Duration,
    // Short sections without an await.
    shards: [Mutex<Shard>; SHARDS],
}

/// A part of the table.
#[derive(Default)]
struct Shard {
    /// When the bucket of each key will be full again.
    full_at: HashMap<Text, Instant>,
    /// Before this moment another look for full buckets is not worth its time.
    swept_until: Option<Instant>,
}

impl Limiter {
    /// Makes a limiter with full buckets.
    pub(crate) fn new(rate: &RateLimit) -> Self {
        let burst = Duration::from(rate.per);
        Self {
            limit: rate.limit,
            interval: (burst / rate.limit.max(1)).max(Duration::from_nanos(1)),
            burst,
            shards: std::array::from_fn(|_| Mutex::default()),
        }
    }

    /// Takes a token of the key's bucket, or refuses with the time to wait.
    pub(crate) fn admit(&self, key: &str, now: Instant) -> Result<(), Fault> {
        let Some(shard) = self.shard(key) else {
            return Ok(());
        };
        let mut shard = shard.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(slot) = shard.full_at.get_mut(key) {
            return self.take(slot, now);
        }
        self.take(shard.slot(key, now, self.burst), now)
    }

    fn take(&self, slot: &mut Instant, now: Instant) -> Result<(), Fault> {
        let next = (*slot).max(now) + self.interval;
        let ahead = next.duration_since(now);
        if self.limit == 0 || ahead > self.burst {
            return Err(self.refusal(ahead.saturating_sub(self.burst)));
        }
        *slot = next;
        Ok(())
    }

    /// The ends of keys differ: numbered names, addresses.
    fn shard(&self, key: &str) -> Option<&Mutex<Shard>> {
        let last = key.bytes().next_back().map_or(0, usize::from);
        self.shards.get((last + key.len()) % SHARDS)
    }

    fn refusal(&self, wait: Duration) -> Fault {
        // A whole second, rounded up: a client that comes back then is let in.
        let seconds = wait.as_secs() + u64::from(wait.subsec_nanos() > 0);
        let per = crate::base::Millis(u64::try_from(self.burst.as_millis()).unwrap_or(u64::MAX));
        Fault::new(
            Code::RateLimited,
            format!("more than {} messages per {per}", self.limit),
        )
        .header("Retry-After", seconds.max(1).to_string())
    }
}

impl Shard {
    /// Returns the moment of a new key; forgets full buckets when there is no room for a new one.
    fn slot(&mut self, key: &str, now: Instant, burst: Duration) -> &mut Instant {
        let mut key = key;
        if self.full_at.len() >= KEYS {
            self.sweep(now, burst);
            if self.full_at.len() >= KEYS {
                key = OVERFLOW;
            }
        }
        self.full_at.entry(Text::new(key)).or_insert(now)
    }

    fn sweep(&mut self, now: Instant, burst: Duration) {
        if self.swept_until.is_none_or(|moment| now >= moment) {
            self.full_at.retain(|_, moment| *moment > now);
            self.swept_until = Some(now + burst / 16);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::Millis;
    use crate::contract::By;

    fn limiter(limit: u32, per: u64) -> Limiter {
        Limiter::new(&RateLimit {
            limit,
            per: Millis(per),
            by: By::Security,
        })
    }

    fn wait(limiter: &Limiter, key: &str, now: Instant) -> Option<String> {
        let fault = limiter.admit(key, now).err()?;
        assert_eq!(fault.code(), Code::RateLimited);
        Some(fault.headers().first().unwrap().1.to_string())
    }

    #[test]
    fn a_full_bucket_allows_the_limit_at_once_and_then_fills_evenly() {
        let (limiter, start) = (limiter(10, 1_000), Instant::now());
        for _ in 0..10 {
            assert_eq!(wait(&limiter, "a", start), None);
        }
        assert_eq!(wait(&limiter, "a", start).as_deref(), Some("1"));
        let later = start + Duration::from_millis(99);
        assert!(
            wait(&limiter, "a", later).is_some(),
            "the token is not back yet"
        );
        let later = start + Duration::from_millis(100);
        assert_eq!(wait(&limiter, "a", later), None);
        assert!(
            wait(&limiter, "a", later).is_some(),
            "only one token came back"
        );
        let rested = start + Duration::from_mins(1);
        let admitted = (0..20).filter(|_| wait(&limiter, "a", rested).is_none());
        assert_eq!(
            admitted.count(),
            10,
            "rest does not add up beyond the limit"
        );
    }

    #[test]
    fn retry_after_tells_when_the_next_token_is_there() {
        let (limiter, start) = (limiter(1, 60_000), Instant::now());
        assert_eq!(wait(&limiter, "a", start), None);
        assert_eq!(wait(&limiter, "a", start).as_deref(), Some("60"));
        let later = start + Duration::from_millis(30_500);
        assert_eq!(wait(&limiter, "a", later).as_deref(), Some("30"));
        assert_eq!(wait(&limiter, "a", start + Duration::from_mins(1)), None);
    }

    #[test]
    fn keys_do_not_share_a_bucket() {
        let (limiter, now) = (limiter(1, 1_000), Instant::now());
        assert_eq!(wait(&limiter, "a", now), None);
        assert_eq!(wait(&limiter, "b", now), None);
        assert!(wait(&limiter, "a", now).is_some());
    }

    #[test]
    fn a_refused_message_costs_no_token() {
        let (limiter, start) = (limiter(1, 1_000), Instant::now());
        assert_eq!(wait(&limiter, "a", start), None);
        for _ in 0..100 {
            assert!(wait(&limiter, "a", start).is_some());
        }
        assert_eq!(wait(&limiter, "a", start + Duration::from_secs(1)), None);
    }

    #[test]
    fn a_flood_of_new_keys_is_bounded() {
        let (limiter, now) = (limiter(1, 60_000), Instant::now());
        let admitted = (0..200_000)
            .filter(|n| limiter.admit(&n.to_string(), now).is_ok())
            .count();
        let kept: usize = limiter
            .shards
            .iter()
            .map(|s| s.lock().unwrap().full_at.len())
            .sum();
        assert!(kept <= SHARDS * (KEYS + 1), "{kept}");
        assert!(admitted <= SHARDS * (KEYS + 1), "{admitted}");
    }

    #[test]
    fn a_limit_of_zero_lets_nothing_through() {
        assert!(limiter(0, 1_000).admit("a", Instant::now()).is_err());
    }
}
