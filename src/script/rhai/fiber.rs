//! Runs a script on a stack of its own, so that host functions can wait in the middle of it.
//!
//! Rhai is a plain recursive interpreter. A [`Fiber`] is a future whose poll switches to the script's stack;
//! [`wait`] polls a future in place and switches back while it is pending. What belongs to the running fiber is set
//! at each poll and restored when the poll ends, also by a panic.
//!
//! This module holds the only `unsafe` expression of the crate, in [`suspend`].

use std::cell::{Cell, RefCell};
use std::pin::{Pin, pin};
use std::ptr::NonNull;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use corosensei::stack::{DefaultStack, Stack as _};
use corosensei::{Coroutine, CoroutineResult, Yielder};

use crate::base::{Code, Fault};
use crate::script::meter::Verdict;
use crate::script::rhai::task::Task;

/// The size of a stack. Only what is touched takes memory.
const STACK: usize = 32 << 20;
/// What must be left of it before the interpreter goes one step deeper: nested values are dropped and copied
/// recursively, where nothing looks at the stack.
const RESERVE: usize = 24 << 20;
/// How often the variables of a script are weighed at most, and how much of its time that may take.
const WEIGH: Duration = Duration::from_millis(2);
const SHARE: u32 = 20;
/// How many steps a script whose budget is spent may still take to reach a variable.
const GRACE: u32 = 32;
/// A stack used deeper than this is not kept, as its memory would stay in use.
const SHALLOW: usize = 256 << 10;
/// How many stacks a thread keeps for later calls, and how many calls each serves.
const SPARE: usize = 64;
const SERVES: u32 = 1_000;

thread_local! {
    /// The fiber that runs on this thread now.
    static CURRENT: RefCell<Option<Rc<Stay>>> = const { RefCell::new(None) };
    /// Stacks for later, and how many calls they have served.
    static STACKS: RefCell<Vec<(DefaultStack, u32)>> = const { RefCell::new(Vec::new()) };
}

type Switch = Yielder<(), ()>;

/// What a running script finds of its fiber.
struct Stay {
    task: Rc<Task>,
    /// How to switch back; set exactly while the script's closure is on its stack.
    switch: Cell<Option<NonNull<Switch>>>,
    /// Whom to wake; renewed at each poll.
    waker: RefCell<Waker>,
    /// The address below which the script must not go.
    floor: usize,
    /// The lowest address seen.
    low: Cell<usize>,
    /// When its variables are to be weighed next, and whether that is now.
    weigh: Cell<Instant>,
    due: Cell<bool>,
    /// Whether it must end, and how many steps it has left to reach a variable, where an error gets a place.
    ends: Cell<bool>,
    grace: Cell<u32>,
}

/// A script under way on its own stack. To drop it unwinds that stack.
pub(crate) struct Fiber<R: 'static> {
    coroutine: Option<Coroutine<(), (), R>>,
    stay: Rc<Stay>,
    /// The first address above the stack.
    base: usize,
    served: u32,
}

impl<R> Fiber<R> {
    /// Puts a script on a stack.
    pub(crate) fn new(task: Rc<Task>, run: impl FnOnce() -> R + 'static) -> Result<Self, Fault> {
        let spare = STACKS.with_borrow_mut(Vec::pop);
        let (stack, served) = match spare {
            Some(spare) => spare,
            None => (
                DefaultStack::new(STACK).map_err(|error| no_stack(&error))?,
                0,
            ),
        };
        let base = stack.base().get();
        let stay = Rc::new(Stay {
            task,
            switch: Cell::new(None),
            waker: RefCell::new(Waker::noop().clone()),
            floor: stack.limit().get() + RESERVE,
            low: Cell::new(base),
            weigh: Cell::new(Instant::now() + WEIGH),
            due: Cell::new(false),
            ends: Cell::new(false),
            grace: Cell::new(GRACE),
        });
        let own = Rc::clone(&stay);
        let coroutine = Coroutine::with_stack(stack, move |switch: &Switch, ()| {
            own.switch.set(Some(NonNull::from(switch)));
            let _left = Left(&own);
            run()
        });
        Ok(Self {
            coroutine: Some(coroutine),
            stay,
            base,
            served: served + 1,
        })
    }

    /// Keeps the stack of a finished script for another one.
    fn finish(&mut self) {
        let Some(coroutine) = self.coroutine.take() else {
            return;
        };
        let deep = self.base.saturating_sub(self.stay.low.get()) > SHALLOW;
        if deep || self.served >= SERVES {
            return;
        }
        STACKS.with_borrow_mut(|stacks| {
            if stacks.len() < SPARE {
                stacks.push((coroutine.into_stack(), self.served));
            }
        });
    }
}

fn no_stack(error: &std::io::Error) -> Fault {
    Fault::new(Code::MemoryBudget, "there is no memory for another call")
        .detail(format!("stack of a fiber: {error}"))
}

/// Clears the way back when the script's closure leaves its stack, by return or by unwinding.
struct Left<'a>(&'a Stay);

impl Drop for Left<'_> {
    fn drop(&mut self) {
        self.0.switch.set(None);
    }
}

impl<R> Future for Fiber<R> {
    type Output = R;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<R> {
        let this = &mut *self;
        this.stay.waker.borrow_mut().clone_from(context.waker());
        let Some(coroutine) = this.coroutine.as_mut() else {
            return Poll::Pending;
        };
        let resumed = {
            let _entered = Entered::set(&this.stay);
            coroutine.resume(())
        };
        match resumed {
            CoroutineResult::Yield(()) => Poll::Pending,
            CoroutineResult::Return(result) => {
                this.finish();
                Poll::Ready(result)
            }
        }
    }
}

impl<R> Drop for Fiber<R> {
    fn drop(&mut self) {
        // Destructors on its stack may ask which fiber runs.
        let _entered = Entered::set(&self.stay);
        drop(self.coroutine.take());
    }
}

/// The stay of a fiber on its thread; its drop restores the one before.
struct Entered(Option<Rc<Stay>>);

impl Entered {
    fn set(stay: &Rc<Stay>) -> Self {
        Self(CURRENT.replace(Some(Rc::clone(stay))))
    }
}

impl Drop for Entered {
    fn drop(&mut self) {
        drop(CURRENT.replace(self.0.take()));
    }
}

/// Returns the task of the script that runs on this thread now.
pub(crate) fn task() -> Option<Rc<Task>> {
    CURRENT.with_borrow(|current| current.as_ref().map(|stay| Rc::clone(&stay.task)))
}

/// Waits for a future in the middle of a script; its core serves others meanwhile. `None` outside of a fiber.
pub(crate) fn wait<F: Future>(future: F) -> Option<F::Output> {
    let stay = CURRENT.with_borrow(Clone::clone)?;
    let mut future = pin!(future);
    loop {
        let waker = stay.waker.borrow().clone();
        match future.as_mut().poll(&mut Context::from_waker(&waker)) {
            Poll::Ready(output) => return Some(output),
            Poll::Pending => suspend(&stay),
        }
    }
}

/// Looks at the budgets at a step of the interpreter; gives way when it is time to. Returns whether the script may go on.
pub(crate) fn step() -> bool {
    let here = 0_u8;
    let here = std::ptr::from_ref(&here).addr();
    let verdict = CURRENT.with_borrow(|current| {
        let stay = current.as_ref()?;
        stay.low.set(stay.low.get().min(here));
        if here < stay.floor {
            stay.task.running.end(too_deep());
            return Some(Err(()));
        }
        let verdict = stay.task.meter.judge();
        if !matches!(verdict, Verdict::Skip) && Instant::now() >= stay.weigh.get() {
            stay.due.set(true);
        }
        match verdict {
            Verdict::Skip | Verdict::Go => None,
            Verdict::Yield => Some(Ok(Rc::clone(stay))),
            Verdict::Over(_) => {
                stay.ends.set(true);
                let left = stay.grace.get().checked_sub(1);
                stay.grace.set(left.unwrap_or(0));
                left.is_none().then_some(Err(()))
            }
        }
    });
    match verdict {
        None => true,
        Some(Ok(stay)) => {
            suspend(&stay);
            true
        }
        Some(Err(())) => false,
    }
}

/// What there is to do where a script uses a variable.
pub(crate) enum Chore {
    /// Nothing.
    None,
    /// Weigh what its variables hold.
    Weigh(Rc<Task>),
    /// Fail with this: its budget is spent.
    End(Fault),
}

/// Returns what there is to do now.
pub(crate) fn chore() -> Chore {
    CURRENT.with_borrow(|current| match current {
        Some(stay) if stay.ends.get() => {
            let over = stay.task.running.over();
            over.map_or(Chore::None, Chore::End)
        }
        Some(stay) if stay.due.take() => Chore::Weigh(Rc::clone(&stay.task)),
        _ => Chore::None,
    })
}

/// Notes how long it took to weigh; the more there is, the longer until the next time.
pub(crate) fn weighed(took: Duration) {
    CURRENT.with_borrow(|current| {
        if let Some(stay) = current {
            stay.weigh.set(Instant::now() + WEIGH.max(took * SHARE));
        }
    });
}

fn too_deep() -> Fault {
    Fault::new(Code::ScriptError, "the script calls itself too deep")
        .hint("Use a loop, or a list of what is left to do.")
}

/// Switches back to the poll of the running fiber, until its next poll. A fiber that is dropped meanwhile unwinds
/// from here.
#[expect(
    unsafe_code,
    reason = "corosensei lends its switch to one closure; interpreter and host functions are called from there without it"
)]
fn suspend(stay: &Stay) {
    let Some(switch) = stay.switch.get() else {
        return;
    };
    // SAFETY: `switch` points to the yielder that corosensei keeps at the root of the fiber's stack for as long as the
    // closure given to it runs there. The closure's first statement stores the pointer and the drop of `Left` clears it
    // when the closure returns or unwinds, so a stored pointer is valid. It is used on that very stack only: `stay`
    // comes from `CURRENT`, which holds a fiber exactly while its `resume` (or its unwinding) runs on this thread, and
    // a fiber polled inside another one replaces it until its own poll ends. Nothing here is `Send`, so no other thread
    // sees the pointer. The reference lives for the call of `suspend` alone.
    unsafe { switch.as_ref() }.suspend(());
}
