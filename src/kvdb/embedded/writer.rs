//! Writes changed keys to the file, in groups, on a thread of its own.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use tokio::sync::oneshot;

use crate::base::{Clock, Fault};
use crate::kvdb::embedded::file::File;
use crate::kvdb::embedded::op::millis;
use crate::kvdb::embedded::space::Space;
use crate::kvdb::fault;

/// How long a change may wait for others; with the commit itself it stays below 100 ms.
const GATHER: Duration = Duration::from_millis(90);
/// How long to wait after a commit that failed.
const RETRY: Duration = Duration::from_secs(1);
/// The least time between two sweeps for keys whose time is over.
const SWEEP: Duration = Duration::from_secs(1);

/// Answers when what was changed before is on disk.
type Waiter = oneshot::Sender<Result<(), Fault>>;

/// Owns the writing thread. Dropping it writes what is left and ends the thread.
pub(super) struct Writer {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

struct Shared {
    /// Whether the thread knows that there are changes, so that most changes need not wake it.
    told: AtomicBool,
    state: Mutex<State>,
    wake: Condvar,
    /// How many commits were made.
    commits: AtomicU64,
}

#[derive(Default)]
struct State {
    /// When the next commit is due; `None` when nothing changed.
    due: Option<Instant>,
    waiters: Vec<Waiter>,
    closing: bool,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Writer {
    /// Starts the thread.
    pub(super) fn start(
        space: Arc<Space>,
        file: File,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, Fault> {
        let shared = Arc::new(Shared {
            told: AtomicBool::new(false),
            // One round at start sweeps what expired while the server was down.
            state: Mutex::new(State {
                due: Some(Instant::now() + GATHER),
                ..State::default()
            }),
            wake: Condvar::new(),
            commits: AtomicU64::new(0),
        });
        let thread = Thread {
            shared: Arc::clone(&shared),
            space,
            file,
            clock,
        };
        let thread = std::thread::Builder::new()
            .name("kladka-kvdb".to_owned())
            .spawn(move || thread.run())
            .map_err(|error| fault::storage("cannot start its thread", error))?;
        Ok(Self {
            shared,
            thread: Some(thread),
        })
    }

    /// Tells the thread that something changed.
    pub(super) fn changed(&self) {
        // Told before this was changed is good enough: the thread takes the mark down before it
        // collects.
        let told = &self.shared.told;
        if told.load(Ordering::Acquire) || told.swap(true, Ordering::AcqRel) {
            return;
        }
        let mut state = self.shared.lock();
        let due = Instant::now() + GATHER;
        // After a failed commit the next attempt is set already, and later.
        state.due.get_or_insert(due);
        drop(state);
        self.shared.wake.notify_one();
    }

    /// Tells how many commits were made.
    #[cfg(test)]
    pub(super) fn commits(&self) -> u64 {
        self.shared.commits.load(Ordering::Relaxed)
    }

    /// Asks for a commit now; the future ends when all changes so far are on disk.
    pub(super) fn save(&self) -> impl Future<Output = Result<(), Fault>> + Send + use<> {
        let (waiter, saved) = oneshot::channel();
        self.shared.lock().waiters.push(waiter);
        self.shared.wake.notify_one();
        async move {
            let gone = |_gone| fault::storage("is closed", "the writing thread has ended");
            saved.await.map_err(gone)?
        }
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.shared.lock().closing = true;
        self.shared.wake.notify_one();
        if let Some(thread) = self.thread.take() {
            // A panic of the thread was reported by the panic hook already.
            drop(thread.join());
        }
    }
}

/// What the thread works on.
struct Thread {
    shared: Arc<Shared>,
    space: Arc<Space>,
    file: File,
    clock: Arc<dyn Clock>,
}

impl Thread {
    fn run(mut self) {
        let mut swept = None;
        loop {
            let (waiters, closing) = self.wait(swept);
            let sweep_due = swept.is_none_or(|at: Instant| at.elapsed() >= SWEEP);
            if sweep_due {
                self.space.sweep(millis(&*self.clock));
                swept = Some(Instant::now());
            }
            let result = self.commit();
            if let Err(error) = &result {
                tracing::error!(code = %error.code(), ?error, "Key/value store not saved.");
                let mut state = self.shared.lock();
                state.due = Some(Instant::now() + RETRY);
            }
            for waiter in waiters {
                // Who no longer waits does not want to know.
                drop(waiter.send(result.clone()));
            }
            if closing {
                return;
            }
        }
    }

    /// Waits until there is something to do; returns who waits for it and whether it is the last
    /// time.
    fn wait(&self, swept: Option<Instant>) -> (Vec<Waiter>, bool) {
        // A time to live set meanwhile is a change: the round that saves it looks again.
        let sweep_at = self.sweep_at(swept);
        let mut state = self.shared.lock();
        loop {
            let now = Instant::now();
            let reached = |at: Option<Instant>| at.is_some_and(|at| at <= now);
            let sweep = reached(sweep_at);
            if state.closing || !state.waiters.is_empty() || reached(state.due) || sweep {
                break;
            }
            let until = [state.due, sweep_at].into_iter().flatten().min();
            state = match until {
                None => self
                    .shared
                    .wake
                    .wait(state)
                    .unwrap_or_else(PoisonError::into_inner),
                Some(at) => {
                    let wait = self
                        .shared
                        .wake
                        .wait_timeout(state, at.saturating_duration_since(now));
                    wait.unwrap_or_else(PoisonError::into_inner).0
                }
            };
        }
        state.due = None;
        // Before the changes are collected: whoever changes something from now on tells again.
        self.shared.told.store(false, Ordering::Release);
        (std::mem::take(&mut state.waiters), state.closing)
    }

    /// Tells when to sweep next: when the next key goes away, but not too often.
    fn sweep_at(&self, swept: Option<Instant>) -> Option<Instant> {
        let now = millis(&*self.clock);
        let left = Duration::from_millis(self.space.next_expiry()?.saturating_sub(now));
        // Longer waits would only meet the limits of `Instant`.
        let next = Instant::now() + left.min(Duration::from_hours(1));
        Some(swept.map_or(next, |at| next.max(at + SWEEP)))
    }

    fn commit(&mut self) -> Result<(), Fault> {
        let changes = self.space.take_dirty();
        if changes.is_empty() {
            return Ok(());
        }
        let result = self.file.commit(&changes);
        self.shared.commits.fetch_add(1, Ordering::Relaxed);
        if result.is_err() {
            self.space
                .mark_dirty(changes.into_iter().map(|(key, _)| key));
        }
        result
    }
}
