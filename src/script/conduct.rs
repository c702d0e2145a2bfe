//! What a program's calls show of themselves: whether they hold their core for long, so that they belong elsewhere.
//!
//! A stretch is what a script runs from one wait to the next; giving way to others does not end it. The wall clock
//! tells a long one for free, but on a busy machine it may be the thread that waited. So a long stretch only makes
//! the program suspect; its next calls are measured by the thread's own CPU time, and those count.

use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::Duration;

/// The longest stretch that neighbours on the same core should bear.
const STRETCH: Duration = Duration::from_millis(20);
/// How many measured calls must exceed it.
const STRIKES: u32 = 3;
/// For how many calls a program stays suspect after one that exceeded it.
const WATCH: u32 = 64;

/// The record of one program, shared by all cores. A new revision is a new program and starts anew.
#[derive(Default)]
pub(crate) struct Conduct {
    long: AtomicBool,
    /// How many of the next calls are measured well.
    watch: AtomicU32,
    /// How many measured calls exceeded the stretch.
    strikes: AtomicU32,
}

impl Conduct {
    /// Starts the record of a program, which may ask for threads apart from the start.
    pub(crate) fn new(asks: bool) -> Self {
        Self {
            long: AtomicBool::new(asks),
            ..Self::default()
        }
    }

    /// Tells whether its calls belong on threads for long calls.
    pub(crate) fn is_long(&self) -> bool {
        self.long.load(Ordering::Relaxed)
    }

    /// Tells whether the next call is to be measured well.
    ///
    /// Cores that ask at once may measure a call more or less; that does no harm.
    pub(crate) fn watch(&self) -> bool {
        let left = self.watch.load(Ordering::Relaxed);
        if left == 0 {
            return false;
        }
        self.watch.store(left - 1, Ordering::Relaxed);
        if left == 1 {
            self.strikes.store(0, Ordering::Relaxed);
        }
        true
    }

    /// Takes note of a call's longest stretch; returns true when the program moves by it.
    pub(crate) fn note(&self, stretch: Duration, measured: bool) -> bool {
        if stretch <= STRETCH {
            return false;
        }
        self.watch.store(WATCH, Ordering::Relaxed);
        if !measured || self.strikes.fetch_add(1, Ordering::Relaxed) + 1 < STRIKES {
            return false;
        }
        self.convict()
    }

    /// Moves a program at once; returns true when it moves by it. One that held its core where it could not give
    /// way has made its neighbours wait enough.
    pub(crate) fn convict(&self) -> bool {
        !self.long.swap(true, Ordering::Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHORT: Duration = Duration::from_millis(20);
    const LONG: Duration = Duration::from_millis(21);

    #[test]
    fn three_measured_long_stretches_move_a_program_once() {
        let conduct = Conduct::new(false);
        assert!(!conduct.watch(), "nobody is suspect at first");
        assert!(!conduct.note(LONG, false));
        for _ in 0..2 {
            assert!(conduct.watch());
            assert!(!conduct.note(LONG, true));
            assert!(!conduct.note(SHORT, true));
        }
        assert!(!conduct.is_long());
        assert!(conduct.note(LONG, true));
        assert!(conduct.is_long());
        assert!(!conduct.note(LONG, true), "it is told once");
    }

    #[test]
    fn what_the_wall_clock_alone_shows_moves_nobody() {
        let conduct = Conduct::new(false);
        for _ in 0..100 {
            assert!(!conduct.note(LONG, false));
        }
        assert!(!conduct.is_long());
    }

    #[test]
    fn suspicion_ends_and_takes_its_strikes_along() {
        let conduct = Conduct::new(false);
        conduct.note(LONG, false);
        conduct.note(LONG, true);
        conduct.note(LONG, true);
        let watched = (0..1_000).filter(|_| conduct.watch()).count();
        assert_eq!(watched, WATCH as usize);
        assert!(!conduct.note(LONG, true), "the first strike of a new count");
        assert!(!conduct.is_long());
    }
}
