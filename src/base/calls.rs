//! Counters of calls: a few relaxed atomics, so that counting costs the hot path next to nothing.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// Upper bounds of the latency buckets in microseconds: those of the OpenTelemetry convention.
const BUCKETS_US: &[u64] = &[
    1_000, 5_000, 10_000, 25_000, 50_000, 75_000, 100_000, 250_000, 500_000, 750_000, 1_000_000,
    2_500_000, 5_000_000, 7_500_000, 10_000_000,
];

/// How a call ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// It answered.
    Ok,
    /// The caller was at fault (4xx).
    Refused,
    /// We were (5xx).
    Failed,
}

impl Ending {
    /// Returns the outcome of an HTTP status.
    pub fn of_status(status: u16) -> Self {
        match status {
            0..=399 => Self::Ok,
            400..=499 => Self::Refused,
            _ => Self::Failed,
        }
    }
}

/// The counters of one channel or service.
#[derive(Debug)]
pub struct CallStats {
    outcomes: [AtomicU64; 3],
    micros: AtomicU64,
    /// Calls per latency bucket; the last one is for what is slower than all bounds.
    buckets: [AtomicU64; BUCKETS_US.len() + 1],
}

impl Default for CallStats {
    fn default() -> Self {
        Self {
            outcomes: Default::default(),
            micros: AtomicU64::default(),
            buckets: std::array::from_fn(|_| AtomicU64::default()),
        }
    }
}

impl CallStats {
    /// Counts one call.
    pub fn count(&self, outcome: Ending, elapsed: Duration) {
        let micros = u64::try_from(elapsed.as_micros()).unwrap_or(u64::MAX);
        let slot = BUCKETS_US.partition_point(|bound| *bound < micros);
        add(self.outcomes.get(outcome as usize), 1);
        add(Some(&self.micros), micros);
        add(self.buckets.get(slot), 1);
    }

    /// Returns how many calls ended so.
    pub fn outcome(&self, outcome: Ending) -> u64 {
        self.outcomes
            .get(outcome as usize)
            .map_or(0, |counter| counter.load(Ordering::Relaxed))
    }

    /// Returns how many calls there were.
    pub fn calls(&self) -> u64 {
        self.outcomes
            .iter()
            .map(|counter| counter.load(Ordering::Relaxed))
            .sum()
    }

    /// Returns the time of all calls together, in seconds.
    #[expect(
        clippy::cast_precision_loss,
        reason = "a statistic; 2^53 µs are 285 years"
    )]
    pub fn seconds(&self) -> f64 {
        self.micros.load(Ordering::Relaxed) as f64 / 1e6
    }

    /// Returns the calls up to each bound, cumulated, without the unbounded rest.
    pub fn cumulated(&self) -> Vec<(u64, u64)> {
        let mut sum = 0;
        let counts = BUCKETS_US.iter().zip(&self.buckets);
        counts
            .map(|(bound, bucket)| {
                sum += bucket.load(Ordering::Relaxed);
                (*bound, sum)
            })
            .collect()
    }
}

fn add(counter: Option<&AtomicU64>, amount: u64) {
    if let Some(counter) = counter {
        counter.fetch_add(amount, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_is_counted_once_in_its_bucket_and_all_above() {
        let stats = CallStats::default();
        stats.count(Ending::Ok, Duration::from_millis(7));
        stats.count(Ending::Failed, Duration::from_mins(1));
        assert_eq!((stats.calls(), stats.outcome(Ending::Failed)), (2, 1));
        let cumulated = stats.cumulated();
        assert_eq!(cumulated[1], (5_000, 0));
        assert_eq!(cumulated[2], (10_000, 1));
        assert_eq!(cumulated.last(), Some(&(10_000_000, 1)));
    }
}
