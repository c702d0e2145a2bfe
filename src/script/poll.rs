//! Polls a script inside its budgets, and lets the core's loop run when it gives way.

use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use crate::script::meter::{Meter, Running};

/// How many polls follow one in which the script gave way: the coroutines of `parallel` inside `parallel` stand behind
/// each other, and each may use up one.
const OWED: u8 = 8;

/// What else a language needs while its script runs, such as a memory limit in force.
pub(crate) trait Guard {
    /// Runs something of a call under it; what it sets is undone also by a panic.
    fn within<R>(&self, running: &Running, run: impl FnOnce() -> R) -> R;
}

/// Nothing else.
impl Guard for () {
    fn within<R>(&self, _: &Running, run: impl FnOnce() -> R) -> R {
        run()
    }
}

/// The future of a script under a meter. Everything it sets while polling is undone by guards, so that a panic or
/// a drop leaves the core and the VM as they were.
pub(crate) struct Metered<F, G> {
    future: Pin<Box<F>>,
    bounds: Bounds<G>,
    waker: Waker,
    /// How many polls are owed because a wake-up may have been swallowed that was not the script's own: a coroutine
    /// may give way between the poll of what it waits for and its wait, and then uses up a poll to begin its wait.
    owed: u8,
}

/// What a poll happens under.
pub(crate) struct Bounds<G> {
    /// The meter of the core.
    pub(crate) meter: Rc<Meter>,
    /// The call.
    pub(crate) running: Rc<Running>,
    /// What the language adds.
    pub(crate) guard: G,
}

impl<F, G> Metered<F, G> {
    /// Puts a future under bounds.
    pub(crate) fn new(future: F, bounds: Bounds<G>) -> Self {
        let waker = Waker::from(Arc::clone(bounds.running.gate()));
        Self {
            future: Box::pin(future),
            bounds,
            waker,
            owed: 0,
        }
    }
}

impl<G: Guard> Bounds<G> {
    /// Runs something inside the bounds that does not wait.
    pub(crate) fn within<R>(&self, run: impl FnOnce() -> R) -> R {
        let _entered = self.meter.enter(&self.running);
        self.guard.within(&self.running, run)
    }
}

impl<F: Future, G: Guard + Unpin> Future for Metered<F, G> {
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
