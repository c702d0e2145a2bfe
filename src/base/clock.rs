//! Where the time of day comes from, so that tests can set it.

use chrono::{DateTime, Utc};

/// Tells the time of day. Durations are measured with `Instant`, never with this.
pub trait Clock: Send + Sync {
    /// Returns the present moment.
    fn now(&self) -> DateTime<Utc>;
}

/// The clock of the machine.
#[derive(Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> DateTime<Utc> {
        Utc::now()
    }
}
