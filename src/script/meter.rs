//! Bounds what a call may use of its core: time inside `poll`, and time without letting others run.
//!
//! One [`Meter`] per core knows the call that runs at this moment. A script engine enters it for each poll and asks
//! [`Meter::judge`] at its safepoints. What was spent is latched: once over, always over.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Wake, Waker};
use std::time::{Duration, Instant};

use futures_util::task::AtomicWaker;

use crate::base::{Code, Fault, Place};
use crate::contract::{Call, CoreLocal};

/// How long a script runs before others get their turn.
const TURN: Duration = Duration::from_millis(2);
/// How long a script may hold its core where it cannot be interrupted.
const HOLD: Duration = Duration::from_millis(50);
/// A poll beyond this may have waited for the processor; below it, its time is taken as its own.
const SUSPECT: Duration = Duration::from_millis(10);
/// How old the CPU time may be that stands for the beginning of a poll; that much a poll may be charged in excess.
const STALE: Duration = Duration::from_millis(20);
/// The clock is read at every so many safepoints, at most, while they follow each other closely.
const STRIDE: u32 = 32;

/// What runs on this core now, and since when.
#[derive(Default)]
pub(crate) struct Meter {
    /// The call whose script is being polled; set on entry, restored on exit.
    current: RefCell<Option<Rc<Running>>>,
    /// When the core's loop last had its turn, at the latest: when the outermost poll began.
    turned: Cell<Option<Instant>>,
    /// When the poll began, moved on by the time that nested calls took.
    since: Cell<Option<Instant>>,
    /// When the clock was last read.
    read: Cell<Option<Instant>>,
    /// Safepoints until the clock is read again.
    left: Cell<u32>,
    /// How many safepoints lie between two readings now.
    stride: Cell<u32>,
    /// The thread's own CPU time when this poll should have ended, if it was asked to.
    overdue: Cell<Option<Duration>>,
    /// The thread's own CPU time when the poll began; read only when the call nears its limit.
    mark: Cell<Option<Duration>>,
    /// The thread's own CPU time at a moment not long before the poll, for calls far from their limit.
    base: Cell<Option<(Instant, Duration)>>,
}

impl CoreLocal for Meter {}

/// A call under way: what it may use and what it has used.
pub(crate) struct Running {
    /// The call, as host functions see it.
    pub(crate) call: Rc<Call>,
    /// Swallows wake-ups while the script gives way.
    gate: Arc<Gate>,
    limit: Duration,
    used: Cell<Duration>,
    /// What it ran since it last waited.
    stretch: Cell<Duration>,
    /// The longest of these.
    longest: Cell<Duration>,
    /// Whether each poll is measured by the thread's own CPU time.
    measured: bool,
    manners: Manners,
    /// Whether it held the core where it cannot give way.
    held: Cell<bool>,
    /// Why the call must end; latched.
    over: RefCell<Option<Fault>>,
    /// Where it was when it was last seen to hold much memory.
    seen: RefCell<Option<Place>>,
}

/// Whether a call lets others run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Manners {
    /// It runs on a core and gives way every two milliseconds.
    Shared,
    /// It has the thread for itself, as when a file is checked.
    Alone,
}

/// What a script must do at a safepoint.
#[derive(Clone, Debug)]
pub(crate) enum Verdict {
    /// Go on; nothing was looked at.
    Skip,
    /// Go on; this was one of the safepoints at which the clock is read.
    Go,
    /// Give way, where that is possible.
    Yield,
    /// Fail with this.
    Over(Fault),
}

impl Running {
    /// Starts the account of a call.
    pub(crate) fn new(call: Rc<Call>, limit: Duration, manners: Manners) -> Rc<Self> {
        Self::observed(call, limit, manners, manners == Manners::Alone)
    }

    /// Starts the account of a call whose time is measured well, or only where the answer may matter.
    pub(crate) fn observed(
        call: Rc<Call>,
        limit: Duration,
        manners: Manners,
        measured: bool,
    ) -> Rc<Self> {
        Rc::new(Self {
            call,
            gate: Arc::default(),
            limit,
            used: Cell::default(),
            stretch: Cell::default(),
            longest: Cell::default(),
            measured,
            manners,
            held: Cell::default(),
            over: RefCell::default(),
            seen: RefCell::default(),
        })
    }

    /// Notes where it is while it holds much memory.
    pub(crate) fn see(&self, place: Place) {
        drop(self.seen.replace(Some(place)));
    }

    /// Adds the place where it was last seen to the failure of memory running out, which leaves no room for a trace.
    pub(crate) fn locate(&self, fault: Fault) -> Fault {
        let lost = fault.code() == Code::MemoryBudget && fault.place().is_none();
        match self.seen.borrow().clone().filter(|_| lost) {
            Some(place) => fault.at(place),
            None => fault,
        }
    }

    /// Returns the longest time it ran from one wait to the next.
    pub(crate) fn longest(&self) -> Duration {
        self.longest.get()
    }

    /// Tells whether all its time is measured by the thread's own CPU time.
    pub(crate) fn is_measured(&self) -> bool {
        self.measured
    }

    /// Returns the gate between the script's wake-ups and its task.
    pub(crate) fn gate(&self) -> &Arc<Gate> {
        &self.gate
    }

    /// Ends the call: every safepoint from now on fails with this fault.
    pub(crate) fn end(&self, fault: Fault) {
        self.over.borrow_mut().get_or_insert(fault);
    }

    /// Replaces why the call must end by the same with a place.
    pub(crate) fn end_at(&self, fault: Fault) {
        drop(self.over.borrow_mut().replace(fault));
    }

    /// Returns why the call must end, if it must.
    pub(crate) fn over(&self) -> Option<Fault> {
        self.over.borrow().clone()
    }

    /// Tells whether the call held the core where it cannot give way.
    pub(crate) fn held(&self) -> bool {
        self.held.get()
    }

    /// Tells whether the call must be asked at each safepoint from the start of a poll: its end may be near.
    pub(crate) fn is_urgent(&self) -> bool {
        let near = self.used.get() > self.limit / 2;
        near || self.manners == Manners::Alone || self.over.borrow().is_some()
    }

    /// Tells whether the call is so near its limit that its time is worth measuring well.
    fn is_near(&self) -> bool {
        self.measured || self.used.get() > self.limit / 2
    }

    /// Adds what a poll took. One that only gave way goes on.
    fn add(&self, spent: Duration) {
        self.used.set(self.used.get() + spent);
        let stretch = self.stretch.get() + spent;
        self.longest.set(self.longest.get().max(stretch));
        let goes_on = self.gate.hold.load(Ordering::Relaxed);
        self.stretch
            .set(if goes_on { stretch } else { Duration::ZERO });
    }
}

impl Meter {
    /// Makes `running` the current call until the guard drops.
    pub(crate) fn enter(self: &Rc<Self>, running: &Rc<Running>) -> Entered {
        let now = Instant::now();
        let outer = Outer {
            current: self.current.replace(Some(Rc::clone(running))),
            since: self.since.replace(Some(now)),
            overdue: self.overdue.take(),
        };
        if outer.current.is_none() {
            self.turned.set(Some(now));
        }
        self.mark.set(running.is_near().then(thread_cpu).flatten());
        if self.base.get().is_none_or(|(at, _)| now - at > STALE) {
            self.base.set(thread_cpu().map(|cpu| (now, cpu)));
        }
        self.read.set(Some(now));
        self.stride.set(1);
        self.left.set(1);
        Entered {
            meter: Rc::clone(self),
            began: now,
            outer: Some(outer),
        }
    }

    /// Returns the call that runs now.
    pub(crate) fn running(&self) -> Option<Rc<Running>> {
        self.current.borrow().clone()
    }

    /// Decides at a safepoint. Reads the clock at some of them only.
    pub(crate) fn judge(&self) -> Verdict {
        let current = self.current.borrow();
        let Some(running) = current.as_ref() else {
            return Verdict::Skip;
        };
        if let Some(fault) = running.over.borrow().as_ref() {
            return Verdict::Over(fault.clone());
        }
        let left = self.left.get();
        if left > 1 {
            self.left.set(left - 1);
            return Verdict::Skip;
        }
        self.look(running)
    }

    /// Lets others run before a nested call begins, when it is their turn. Each call of a tree may be short, and none would
    /// give way by itself, while all together hold the core for as long as they like.
    pub(crate) async fn give_way(&self) {
        if self
            .turned
            .get()
            .is_some_and(|turned| turned.elapsed() >= TURN)
        {
            tokio::task::yield_now().await;
        }
    }

    /// Hands out the safepoints until the clock is read next: whoever gets them counts them instead.
    pub(crate) fn take_left(&self) -> u32 {
        self.left.replace(1).saturating_sub(1)
    }

    /// Lets the next safepoint read the clock.
    pub(crate) fn look_soon(&self) {
        self.left.set(1);
    }

    /// Returns why the call that runs now must end, if it must: asked by a host function that works for long, which
    /// cannot give way.
    pub(crate) fn spent_now(&self) -> Option<Fault> {
        let current = self.current.borrow();
        let running = current.as_ref()?;
        let now = Instant::now();
        let held = self.since.get().map_or(Duration::ZERO, |since| now - since);
        self.end_spent(running, now, held);
        running.over()
    }

    fn look(&self, running: &Running) -> Verdict {
        let now = Instant::now();
        let held = self.since.get().map_or(Duration::ZERO, |since| now - since);
        self.pace(now);
        if !self.end_spent(running, now, held) && running.manners == Manners::Shared && held >= TURN
        {
            if !self.stuck(held) {
                running.gate.hold.store(true, Ordering::Release);
                return Verdict::Yield;
            }
            running.held.set(true);
            running.end(held_core(running));
        }
        running.over().map_or(Verdict::Go, Verdict::Over)
    }

    /// Ends the call when its budget is spent; tells whether it was.
    fn end_spent(&self, running: &Running, now: Instant, held: Duration) -> bool {
        let spent = running.used.get() + held > running.limit
            && running.used.get() + self.spent(now) > running.limit;
        if spent {
            running.end(cpu_spent(running));
        }
        spent
    }

    /// Returns what this poll took. On a busy machine the thread may have waited for the processor meanwhile, which
    /// must not count; asking the system is slow, so it is asked only where the answer may matter.
    fn spent(&self, now: Instant) -> Duration {
        let wall = self.since.get().map_or(Duration::ZERO, |since| now - since);
        let base = || self.base.get().filter(|_| wall > SUSPECT);
        let begun = self.mark.get().or_else(|| base().map(|(_, cpu)| cpu));
        let own = begun.and_then(|begun| Some(thread_cpu()?.saturating_sub(begun)));
        own.map_or(wall, |own| own.min(wall))
    }

    /// Safepoints far apart (a long library call between them) are each worth a reading.
    fn pace(&self, now: Instant) {
        let gap = self
            .read
            .replace(Some(now))
            .map_or(Duration::ZERO, |read| now - read);
        let stride = if gap > Duration::from_micros(500) {
            (self.stride.get() / 8).max(1)
        } else {
            (self.stride.get() * 2).min(STRIDE)
        };
        self.stride.set(stride);
        self.left.set(stride);
    }

    /// Tells whether the poll went on for too long after it was asked to give way. On a busy machine the thread may
    /// have waited itself, so its own CPU time must agree.
    fn stuck(&self, held: Duration) -> bool {
        let Some(overdue) = self.overdue.get() else {
            self.overdue.set(Some(thread_cpu().unwrap_or_default()));
            return false;
        };
        held >= HOLD && thread_cpu().is_none_or(|now| now.saturating_sub(overdue) + TURN >= HOLD)
    }
}

/// Returns the CPU time of this thread, where the system tells.
pub(crate) fn thread_cpu() -> Option<Duration> {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").ok()?;
    let nanos = text.split_whitespace().next()?.parse().ok()?;
    Some(Duration::from_nanos(nanos))
}

fn cpu_spent(running: &Running) -> Fault {
    let limit = running.limit.as_millis();
    Fault::new(
        Code::CpuBudget,
        format!(
            "service '{}' spent its CPU budget of {limit} ms",
            running.call.service.name
        ),
    )
    .hint("Do less per call, or declare a larger budget: `cpu = \"1s\"`.")
}

fn held_core(running: &Running) -> Fault {
    let limit = HOLD.as_millis();
    let name = &running.call.service.name;
    Fault::new(
        Code::CpuBudget,
        format!("service '{name}' held its core for {limit} ms where it cannot give way"),
    )
    .hint(
        "Comparators, pattern callbacks and metamethods must be quick; move the work out of them.",
    )
}

struct Outer {
    current: Option<Rc<Running>>,
    since: Option<Instant>,
    overdue: Option<Duration>,
}

/// The stay of a call in the meter; its drop restores what was there before.
pub(crate) struct Entered {
    meter: Rc<Meter>,
    began: Instant,
    outer: Option<Outer>,
}

impl Drop for Entered {
    fn drop(&mut self) {
        let now = Instant::now();
        if let Some(running) = self.meter.current.borrow().as_ref() {
            running.add(self.meter.spent(now));
        }
        self.meter.mark.set(None);
        let Some(outer) = self.outer.take() else {
            return;
        };
        // What this call took is not charged to the one around it.
        let since = outer.since.map(|since| since + (now - self.began));
        drop(self.meter.current.replace(outer.current));
        self.meter.since.set(since);
        self.meter.overdue.set(outer.overdue);
        self.meter.read.set(Some(now));
        self.meter.stride.set(1);
        self.meter.left.set(1);
    }
}

/// Stands between a script's wake-ups and its task. A script that gives way wakes its task at once, which would keep
/// the loop from its sockets; the gate swallows that wake, and the poll defers it.
#[derive(Default)]
pub(crate) struct Gate {
    hold: AtomicBool,
    /// Whether nothing has happened that the script waits for since it was last polled.
    asleep: AtomicBool,
    task: AtomicWaker,
}

impl Gate {
    /// Opens the gate towards a task, for one poll. Tells whether there is a reason for one: it is the first, or the
    /// script was woken.
    pub(crate) fn open(&self, task: &Waker) -> bool {
        self.task.register(task);
        // After the task is registered: what wakes from now on wakes that one.
        !self.asleep.swap(true, Ordering::AcqRel)
    }

    /// Tells whether the script gave way, and lets wake-ups pass again. The caller must then poll once more.
    pub(crate) fn release(&self) -> bool {
        self.hold.swap(false, Ordering::AcqRel)
    }
}

impl Wake for Gate {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.asleep.store(false, Ordering::Release);
        if !self.hold.load(Ordering::Acquire) {
            self.task.wake();
        }
    }
}
