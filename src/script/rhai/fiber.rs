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
use crate::script::rhai::weigh::Load;

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
    /// What a step of it looks at first. Outside of fibers every address is too low.
    static PACE: Pace = const {
        Pace { floor: Cell::new(usize::MAX), low: Cell::new(usize::MAX), left: Cell::new(0) }
    };
    /// Stacks for later, and how many calls they have served.
    static STACKS: RefCell<Vec<(DefaultStack, u32)>> = const { RefCell::new(Vec::new()) };
}

type Switch = Yielder<(), ()>;

/// The little that each step of the running script looks at; the rest waits until these are used up.
struct Pace {
    /// The address below which the script must not go.
    floor: Cell<usize>,
    /// The lowest address seen.
    low: Cell<usize>,
    /// How many steps it may take before the meter is asked.
    left: Cell<u32>,
}

impl Pace {
    /// Takes a step at an address, if nothing else has to be looked at.
    fn step(&self, here: usize) -> bool {
        let left = self.left.get();
        if left == 0 || here < self.floor.get() {
            return false;
        }
        self.left.set(left - 1);
        self.low.set(self.low.get().min(here));
        true
    }

    /// Exchanges all for another's; returns what was there.
    fn turn(&self, floor: usize, low: usize, left: u32) -> (usize, usize, u32) {
        (
            self.floor.replace(floor),
            self.low.replace(low),
            self.left.replace(left),
        )
    }
}

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
    /// What the functions that call each other now were last seen to hold, outermost first.
    held: RefCell<Vec<Load>>,
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
            held: RefCell::default(),
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

/// The stay of a fiber on its thread; its drop restores the one before, and its pace.
struct Entered {
    before: Option<Rc<Stay>>,
    pace: (usize, usize, u32),
}

impl Entered {
    fn set(stay: &Rc<Stay>) -> Self {
        Self {
            before: CURRENT.replace(Some(Rc::clone(stay))),
            pace: PACE.with(|pace| pace.turn(stay.floor, stay.low.get(), 0)),
        }
    }
}

impl Drop for Entered {
    fn drop(&mut self) {
        let (floor, low, left) = self.pace;
        let (_, lowest, _) = PACE.with(|pace| pace.turn(floor, low, left));
        if let Some(stay) = CURRENT.replace(self.before.take()) {
            stay.low.set(lowest);
        }
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
    PACE.with(|pace| pace.step(here)) || look(here)
}

/// Looks at everything at a step at an address.
#[inline(never)]
fn look(here: usize) -> bool {
    let verdict = CURRENT.with_borrow(|current| {
        let stay = current.as_ref()?;
        PACE.with(|pace| pace.low.set(pace.low.get().min(here)));
        if here < stay.floor {
            stay.task.running.end(too_deep());
            return Some(Err(()));
        }
        let verdict = stay.task.meter.judge();
        if !matches!(verdict, Verdict::Skip) && Instant::now() >= stay.weigh.get() {
            stay.due.set(true);
        }
        match verdict {
            Verdict::Skip | Verdict::Go => {
                PACE.with(|pace| pace.left.set(stay.task.meter.take_left()));
                None
            }
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

/// Lets the next step of the running script look at everything.
pub(crate) fn look_soon() {
    PACE.with(|pace| pace.left.set(0));
    CURRENT.with_borrow(|current| {
        if let Some(stay) = current {
            stay.task.meter.look_soon();
        }
    });
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

/// Lends what the functions of the running script were seen to hold.
pub(crate) fn loads<R>(weigh: impl FnOnce(&mut Vec<Load>) -> R) -> Option<R> {
    let stay = CURRENT.with_borrow(Clone::clone)?;
    let mut held = stay.held.borrow_mut();
    Some(weigh(&mut held))
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
    // SAFETY: `switch` points to the yielder of a coroutine. It is valid here, and used where it may be:
    // - The yielder is the parent link at the root of the coroutine's stack. It does not move, and it lives for as long
    //   as the closure given to the coroutine runs; resuming it changes it through a `Cell`, so `&` is all it takes.
    // - The closure's first statement stores the pointer, the drop of `Left` clears it when the closure returns or
    //   unwinds, and nothing else sets it. So a pointer that is stored is valid.
    // - A yielder suspends the stack that runs, so that must be its own. Both callers take `stay` from `CURRENT`, which
    //   `Entered` sets for the time of one `resume` or unwinding and restores when that ends, also by a panic. A fiber
    //   polled on the stack of another one replaces it until it has switched back. So while code runs on a fiber's
    //   stack, `CURRENT` holds that fiber and no other.
    // - `wait` keeps its `stay` from one suspension to the next. It returns from `suspend` on the same stack, by a
    //   `resume` of the same fiber, for which `CURRENT` was set again.
    // - `Stay`, `Fiber` and the coroutine are not `Send`, so no other thread sees the pointer.
    // - The reference made here lives for this call. When the fiber is dropped instead of resumed, `suspend` unwinds: the
    //   frames above it run their destructors and `Left` clears the pointer. corosensei itself sees to it that the
    //   stack is not freed before its root is reached, even when something on the way catches the unwinding.
    unsafe { switch.as_ref() }.suspend(());
}

#[cfg(test)]
mod tests {
    use std::panic::catch_unwind;
    use std::sync::Arc;

    use super::*;
    use crate::base::Value;
    use crate::contract::SourceSet;
    use crate::script::meter::{Manners, Meter, Running};
    use crate::script::offline;
    use crate::script::rhai::engine::Interpreter;
    use crate::script::rhai::module::Loader;

    fn a_task() -> Rc<Task> {
        let call = offline::call("t.rhai", "rhai").unwrap();
        let running = Running::new(call, Duration::from_mins(1), Manners::Alone);
        let interpreter = Arc::new(Interpreter::new(&Vec::new().into()));
        let loader = Loader::open(interpreter, Arc::new(SourceSet::default()));
        Task::new(Rc::new(Meter::default()), running, loader, Value::Null)
    }

    /// Polls once, on the meter of the task.
    fn poll<R>(fiber: &mut Fiber<R>) -> Poll<R> {
        let task = Rc::clone(&fiber.stay.task);
        let _entered = task.meter.enter(&task.running);
        Pin::new(fiber).poll(&mut Context::from_waker(Waker::noop()))
    }

    #[test]
    fn a_fiber_dropped_while_it_waits_unwinds_its_stack() {
        let held = Rc::new(());
        let own = Rc::clone(&held);
        let mut fiber = Fiber::new(a_task(), move || {
            let _kept = Rc::clone(&own);
            wait(std::future::pending::<()>());
            unreachable!("nothing resumes it");
        })
        .unwrap();
        assert!(poll(&mut fiber).is_pending());
        assert!(poll(&mut fiber).is_pending());
        assert_eq!(Rc::strong_count(&held), 3);
        let stay = Rc::clone(&fiber.stay);
        assert!(stay.switch.get().is_some());
        drop(fiber);
        assert_eq!(Rc::strong_count(&held), 1);
        assert!(stay.switch.get().is_none(), "no way back is left");
        assert!(task().is_none());
    }

    #[test]
    fn who_catches_the_unwinding_of_a_dropped_fiber_does_not_keep_its_stack() {
        let held = Rc::new(());
        let own = Rc::clone(&held);
        let mut fiber = Fiber::new(a_task(), move || {
            for _ in 0..3 {
                let own = Rc::clone(&own);
                drop(catch_unwind(std::panic::AssertUnwindSafe(move || {
                    wait(std::future::pending::<()>());
                    drop(own);
                })));
            }
        })
        .unwrap();
        assert!(poll(&mut fiber).is_pending());
        drop(fiber);
        assert_eq!(Rc::strong_count(&held), 1);
    }

    #[test]
    fn a_panic_on_a_fiber_comes_out_of_its_poll_and_leaves_the_thread_as_it_was() {
        let mut fiber = Fiber::new(a_task(), || -> () { panic!("a bug of ours") }).unwrap();
        let polled = catch_unwind(std::panic::AssertUnwindSafe(|| poll(&mut fiber)));
        let panic = polled.map(|_| ()).unwrap_err();
        assert_eq!(panic.downcast_ref::<&str>(), Some(&"a bug of ours"));
        assert!(task().is_none() && fiber.stay.switch.get().is_none());
        drop(fiber);
        let mut next = Fiber::new(a_task(), || 7).unwrap();
        assert_eq!(poll(&mut next), Poll::Ready(7));
    }

    #[test]
    fn a_fiber_on_the_stack_of_another_one_has_its_own_task() {
        let (outer, inner) = (a_task(), a_task());
        let (own, other) = (Rc::clone(&outer), Rc::clone(&inner));
        let is = |wanted: &Rc<Task>| task().is_some_and(|task| Rc::ptr_eq(&task, wanted));
        let mut fiber = Fiber::new(outer, move || {
            let within = Rc::clone(&other);
            let mut inner = Fiber::new(other, move || {
                assert!(is(&within));
                wait(tokio::task::yield_now());
                assert!(is(&within));
            })
            .unwrap();
            assert!(poll(&mut inner).is_pending() && is(&own));
            assert!(poll(&mut inner).is_ready() && is(&own));
            wait(tokio::task::yield_now());
            assert!(is(&own));
        })
        .unwrap();
        assert!(poll(&mut fiber).is_pending());
        assert!(poll(&mut fiber).is_ready());
        assert!(task().is_none());
    }

    /// Goes deeper until a step is refused; returns how deep it came.
    fn descend(depth: u32) -> u32 {
        let frame = std::hint::black_box([depth; 256]);
        if !step() {
            return depth;
        }
        descend(depth + 1).max(frame[0])
    }

    #[test]
    fn a_script_is_stopped_long_before_its_stack_ends() {
        let mut fiber = Fiber::new(a_task(), || descend(0)).unwrap();
        let Poll::Ready(depth) = poll(&mut fiber) else {
            panic!("it waits for nothing");
        };
        let used = fiber.base - fiber.stay.low.get();
        assert!(
            (STACK - RESERVE..STACK - RESERVE + 65_536).contains(&used),
            "{used}"
        );
        assert!(depth > 1_000, "{depth}");
        let over = fiber.stay.task.running.over().unwrap();
        assert_eq!(over.message(), "the script calls itself too deep");
        assert!(
            STACKS.with_borrow(Vec::is_empty),
            "so much memory is not kept"
        );
    }

    #[test]
    fn below_a_stack_lies_a_page_that_nobody_can_touch() {
        let stack = DefaultStack::new(STACK).unwrap();
        let maps = std::fs::read_to_string("/proc/self/maps").unwrap();
        let lowest = format!("{:x}-", stack.limit().get());
        let guard = maps.lines().find(|line| line.starts_with(&lowest));
        assert!(guard.unwrap().contains(" ---p "), "{guard:?}");
    }
}
