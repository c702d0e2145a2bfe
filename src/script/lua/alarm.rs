//! Arms the interrupt of a VM only once a script has run for a while; a ticker thread does it.
//!
//! An armed interrupt costs about 70 ns at every safepoint (each call, each turn of a loop), and nearly all calls end
//! long before their first turn is over. So a script starts without one. The ticker looks every millisecond at the
//! polls under way and arms the VM of one that it has seen before; the poll's end disarms it.
//!
//! # Why this is sound
//!
//! The one thing that is done is to store to the field `interrupt` of a VM's `lua_Callbacks`, either null or the
//! function that mlua itself had put there. Luau's header says of it: safe to set from an arbitrary thread. The store
//! is atomic. The ticker stores only while it holds the lock of a line whose target is set; the target is set only
//! inside [`Alarm::watch`], whose guard borrows the alarm's VM and takes the target back under the same lock. So the
//! VM is alive at every store, and after the guard only its own thread stores. Measured and argued in
//! `docs/decisions/0012`.
#![expect(
    unsafe_code,
    reason = "the interrupt of a VM can be armed from another thread in no other way"
)]

use std::ptr::NonNull;
use std::sync::atomic::{AtomicBool, AtomicPtr, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, Weak};
use std::thread::Thread;
use std::time::Duration;

use mlua::{Lua, ffi};

/// How often the ticker looks.
const TICK: Duration = Duration::from_millis(1);
/// After how many looks without a poll under way the ticker rests.
const IDLE: u32 = 20;

/// The field of a VM that holds its interrupt, and what it holds when armed.
#[derive(Clone, Copy)]
struct Target {
    field: NonNull<AtomicPtr<()>>,
    armed: *mut (),
}

// SAFETY: the field may be stored to from any thread while the VM is alive, which the line's lock ensures.
unsafe impl Send for Target {}

impl Target {
    fn store(self, interrupt: *mut ()) {
        // SAFETY: the VM is alive: its thread is inside `Alarm::watch`, or it is this very thread.
        unsafe { self.field.as_ref() }.store(interrupt, Ordering::Relaxed);
    }
}

/// What a thread polls at this moment.
#[derive(Clone, Copy)]
struct Polled {
    target: Target,
    /// The look after which it began.
    began: u64,
}

impl Polled {
    /// Arms what has been running for a whole tick.
    fn arm_if_due(self, look: u64) {
        if look >= self.began + 2 {
            self.target.store(self.target.armed);
        }
    }
}

/// The way between one thread and the ticker.
#[derive(Default)]
struct Line(Mutex<Watched>);

#[derive(Default)]
struct Watched {
    polled: Option<Polled>,
    /// Counts the looks that found a poll under way.
    looks: u64,
}

impl Line {
    fn lock(&self) -> MutexGuard<'_, Watched> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Begins a poll; returns the one around it.
    fn enter(&self, target: Target) -> Option<Polled> {
        let mut watched = self.lock();
        let began = watched.looks;
        watched.polled.replace(Polled { target, began })
    }

    /// Disarms the poll that ends and goes back to the one around it, maybe of the same VM. A script that calls and calls others must not escape the ticker.
    fn leave(&self, ended: Target, outer: Option<Polled>) {
        let mut watched = self.lock();
        watched.polled = outer;
        ended.store(std::ptr::null_mut());
        if let Some(outer) = outer {
            outer.arm_if_due(watched.looks);
        }
    }

    /// Arms what has been running for too long; tells whether anything runs.
    fn look(&self) -> bool {
        let mut watched = self.lock();
        let Some(polled) = watched.polled else {
            return false;
        };
        watched.looks += 1;
        polled.arm_if_due(watched.looks);
        true
    }
}

/// The alarm of one VM.
pub(crate) struct Alarm {
    /// Keeps the VM alive.
    _vm: Lua,
    target: Target,
    line: Arc<Line>,
}

impl Alarm {
    /// Takes over the interrupt that a VM has; it is disarmed from now on.
    pub(crate) fn take(lua: &Lua) -> mlua::Result<Self> {
        thread_local! {
            static LINE: Arc<Line> = Ticker::get().line();
        }
        let mut field = NonNull::dangling();
        // SAFETY: the closure pushes nothing, pops nothing and cannot fail.
        unsafe { lua.exec_raw::<()>((), |state| field = field_of(state))? };
        // SAFETY: a field of function pointer type, null included, is a pointer in size and alignment.
        let armed = unsafe { field.as_ref() }.swap(std::ptr::null_mut(), Ordering::Relaxed);
        Ok(Self {
            _vm: lua.clone(),
            target: Target { field, armed },
            line: LINE.with(Arc::clone),
        })
    }

    /// Watches a poll until the guard drops. `urgent` arms the interrupt at once.
    pub(crate) fn watch(&self, urgent: bool) -> Watch<'_> {
        if urgent {
            self.target.store(self.target.armed);
        }
        let outer = self.line.enter(self.target);
        Ticker::get().wake();
        Watch { alarm: self, outer }
    }

    /// Tells whether safepoints ask.
    #[cfg(test)]
    fn is_armed(&self) -> bool {
        // SAFETY: the VM is alive: `self` holds it.
        !unsafe { self.target.field.as_ref() }
            .load(Ordering::Relaxed)
            .is_null()
    }
}

fn field_of(state: *mut ffi::lua_State) -> NonNull<AtomicPtr<()>> {
    // SAFETY: the state is valid, and so is its table of callbacks for as long as the VM lives.
    unsafe { NonNull::from(&mut (*ffi::lua_callbacks(state)).interrupt) }.cast()
}

/// The stay of a VM under watch; its drop disarms the VM and puts back what was watched before.
pub(crate) struct Watch<'a> {
    alarm: &'a Alarm,
    outer: Option<Polled>,
}

impl Drop for Watch<'_> {
    fn drop(&mut self) {
        self.alarm.line.leave(self.alarm.target, self.outer.take());
    }
}

/// The thread that looks. There is one in the process, started with the first VM.
struct Ticker {
    thread: Thread,
    lines: Arc<Mutex<Vec<Weak<Line>>>>,
    rests: Arc<AtomicBool>,
}

impl Ticker {
    fn get() -> &'static Self {
        static TICKER: OnceLock<Ticker> = OnceLock::new();
        TICKER.get_or_init(Self::start)
    }

    fn start() -> Self {
        let (lines, rests) = (Arc::<Mutex<Vec<Weak<Line>>>>::default(), Arc::default());
        let (own, flag) = (Arc::clone(&lines), Arc::clone(&rests));
        let thread = std::thread::spawn(move || {
            tick(&own, &flag);
        })
        .thread()
        .clone();
        Self {
            thread,
            lines,
            rests,
        }
    }

    fn wake(&self) {
        if self.rests.load(Ordering::SeqCst) {
            self.thread.unpark();
        }
    }

    fn line(&self) -> Arc<Line> {
        let line = Arc::<Line>::default();
        let mut lines = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
        lines.retain(|line| line.strong_count() > 0);
        lines.push(Arc::downgrade(&line));
        line
    }
}

fn tick(lines: &Mutex<Vec<Weak<Line>>>, rests: &AtomicBool) -> ! {
    let look = || {
        let lines = lines.lock().unwrap_or_else(PoisonError::into_inner);
        // All of them: `any` would stop at the first.
        let busy = lines
            .iter()
            .filter_map(Weak::upgrade)
            .filter(|line| line.look());
        busy.count() > 0
    };
    let mut idle = 0;
    loop {
        std::thread::park_timeout(TICK);
        idle = if look() { 0 } else { idle + 1 };
        if idle < IDLE {
            continue;
        }
        rests.store(true, Ordering::SeqCst);
        // A poll that began before the flag stood is seen by this look; one that begins later sees the flag.
        if !look() {
            std::thread::park();
        }
        rests.store(false, Ordering::SeqCst);
        idle = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use mlua::VmState;

    fn alarmed() -> (Lua, Alarm) {
        let lua = Lua::new();
        lua.set_interrupt(|_| Ok(VmState::Continue));
        let alarm = Alarm::take(&lua).unwrap();
        (lua, alarm)
    }

    fn wait_until_armed(alarm: &Alarm) {
        while !alarm.is_armed() {
            std::thread::yield_now();
        }
    }

    #[test]
    fn a_poll_that_goes_on_is_armed_and_its_end_disarms() {
        let (_lua, alarm) = alarmed();
        assert!(!alarm.is_armed());
        let watch = alarm.watch(false);
        wait_until_armed(&alarm);
        drop(watch);
        assert!(!alarm.is_armed());
        let _again = alarm.watch(true);
        assert!(alarm.is_armed());
    }

    #[test]
    fn the_poll_around_another_is_watched_again_when_that_ends() {
        let ((_outer, outer), (_inner, inner)) = (alarmed(), alarmed());
        let around = outer.watch(false);
        let within = inner.watch(false);
        wait_until_armed(&inner);
        drop(within);
        wait_until_armed(&outer);
        drop(around);
        assert!(!outer.is_armed() && !inner.is_armed());
    }

    #[test]
    fn calls_of_others_do_not_put_the_ticker_off() {
        let ((_outer, outer), (_inner, inner)) = (alarmed(), alarmed());
        let _around = outer.watch(false);
        while !outer.is_armed() {
            drop(inner.watch(false));
        }
    }

    #[test]
    fn a_ticker_at_rest_wakes() {
        let ticker = Ticker::start();
        let line = ticker.line();
        let (_lua, alarm) = alarmed();
        for _ in 0..3 {
            while !ticker.rests.load(Ordering::SeqCst) {
                std::thread::yield_now();
            }
            line.enter(alarm.target);
            ticker.wake();
            wait_until_armed(&alarm);
            line.leave(alarm.target, None);
            assert!(!alarm.is_armed());
        }
    }
}
