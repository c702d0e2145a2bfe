//! Polls a coroutine inside its budgets, and lets the core's loop run when it gives way.

use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use mlua::Lua;

use crate::script::lua::alarm::Alarm;
use crate::script::meter::{Meter, Running};

/// How many polls follow one in which the script gave way: the coroutines of `parallel` inside `parallel` stand behind
/// each other, and each may use up one.
const OWED: u8 = 8;

/// The future of a coroutine under a meter. Everything it sets while polling is undone by guards, so that a panic or
/// a drop leaves the core and the VM as they were.
pub(crate) struct Metered<F> {
    future: Pin<Box<F>>,
    bounds: Bounds,
    waker: Waker,
    /// How many polls are owed because a wake-up may have been swallowed that was not the script's own: a coroutine
    /// may give way between the poll of what it waits for and its wait, and then uses up a poll to begin its wait.
    owed: u8,
}

/// What a poll happens under.
pub(crate) struct Bounds {
    /// The meter of the core.
    pub(crate) meter: Rc<Meter>,
    /// The call.
    pub(crate) running: Rc<Running>,
    /// The VM.
    pub(crate) lua: Lua,
    /// Its alarm.
    pub(crate) alarm: Rc<Alarm>,
    /// The memory the VM may use, in bytes.
    pub(crate) memory: usize,
}

impl<F> Metered<F> {
    /// Puts a future under bounds.
    pub(crate) fn new(future: F, bounds: Bounds) -> Self {
        let waker = Waker::from(Arc::clone(bounds.running.gate()));
        Self {
            future: Box::pin(future),
            bounds,
            waker,
            owed: 0,
        }
    }
}

impl Bounds {
    /// Runs something inside the bounds that does not wait.
    pub(crate) fn within<R>(&self, run: impl FnOnce() -> R) -> R {
        let _entered = self.meter.enter(&self.running);
        let _memory = MemoryGuard::set(&self.lua, self.memory);
        let full = self.lua.used_memory() > self.memory / 4;
        let _watch = self.alarm.watch(full || self.running.is_urgent());
        run()
    }
}

impl<F: Future> Future for Metered<F> {
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let this = &mut *self;
        let gate = Arc::clone(this.bounds.running.gate());
        let woken = gate.open(context.waker());
        if !woken && this.owed == 0 {
            // Others woke the task; hyper also asks again by itself. The script would only find that it still waits.
            return Poll::Pending;
        }
        let future = this.future.as_mut();
        let waker = &this.waker;
        let polled = this
            .bounds
            .within(|| future.poll(&mut Context::from_waker(waker)));
        let gave_way = gate.release();
        if polled.is_pending() && (gave_way || this.owed > 0) {
            wake_later(context);
        }
        this.owed = if gave_way {
            OWED
        } else {
            this.owed.saturating_sub(1)
        };
        polled
    }
}

/// Wakes the task after the loop has looked at its sockets and timers.
fn wake_later(context: &mut Context<'_>) {
    let mut turn = std::pin::pin!(tokio::task::yield_now());
    if turn.as_mut().poll(context).is_ready() {
        context.waker().wake_by_ref();
    }
}

/// Keeps a memory limit in force; with one, each allocation of ours is a protected call, so it holds only while the
/// script runs.
pub(crate) struct MemoryGuard<'a> {
    lua: &'a Lua,
    before: usize,
}

impl<'a> MemoryGuard<'a> {
    /// Sets the limit of a VM until the guard drops; 0 lifts it.
    pub(crate) fn set(lua: &'a Lua, limit: usize) -> Self {
        let before = lua.set_memory_limit(limit).unwrap_or_default();
        Self { lua, before }
    }
}

impl Drop for MemoryGuard<'_> {
    fn drop(&mut self) {
        // It cannot fail: the VM has our allocator.
        drop(self.lua.set_memory_limit(self.before));
    }
}
