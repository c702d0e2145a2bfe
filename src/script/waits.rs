//! What the scripts of a call wait for, so that it ends when nobody waits for it any more.
//!
//! A coroutine that is given up keeps what it waited for until its VM collects it, which may be never: a call of another
//! service with all that this has begun, a connection. So who gives up a call, or a branch of it, ends that by hand.

use std::cell::RefCell;
use std::future::poll_fn;
use std::pin::Pin;
use std::rc::{Rc, Weak};
use std::task::{Context, Poll};

use crate::base::{Code, Fault, LocalBoxFuture};
use crate::script::meter::Running;

/// What can be given up.
trait Held {
    fn give_up(&self);
}

/// All that one call, or one branch of it, waits for.
#[derive(Default)]
pub(crate) struct Waits(RefCell<Vec<Weak<dyn Held>>>);

impl Waits {
    fn add(&self, held: Weak<dyn Held>) {
        let mut all = self.0.borrow_mut();
        if all.len() == all.capacity() {
            all.retain(|held| held.strong_count() > 0);
        }
        all.push(held);
    }

    /// Adds something to wait for.
    pub(crate) fn hold<T: 'static>(&self, future: LocalBoxFuture<'static, T>) -> Rc<Wait<T>> {
        let wait = Rc::new(Wait(RefCell::new(Some(future))));
        let held: Rc<dyn Held> = Rc::clone(&wait) as _;
        self.add(Rc::downgrade(&held));
        wait
    }
}

impl Held for Waits {
    fn give_up(&self) {
        let all = self.0.take();
        all.iter()
            .filter_map(Weak::upgrade)
            .for_each(|held| held.give_up());
    }
}

/// Something a coroutine waits for.
pub(crate) struct Wait<T>(RefCell<Option<LocalBoxFuture<'static, T>>>);

impl<T> Wait<T> {
    fn poll(&self, context: &mut Context<'_>) -> Poll<Option<T>> {
        let mut future = self.0.borrow_mut();
        match future.as_mut() {
            None => Poll::Ready(None),
            Some(running) => {
                let output = std::task::ready!(running.as_mut().poll(context));
                *future = None;
                Poll::Ready(Some(output))
            }
        }
    }
}

impl<T> Held for Wait<T> {
    fn give_up(&self) {
        // It is not taken from under its own poll.
        let future = self.0.try_borrow_mut().ok().and_then(|mut it| it.take());
        drop(future);
    }
}

/// Waits for it; `None` when it was given up.
pub(crate) async fn waited<T>(wait: &Wait<T>) -> Option<T> {
    poll_fn(|context| wait.poll(context)).await
}

/// Makes the fault of what was given up. Hardly anybody sees it: who waited is gone.
pub(crate) fn given_up() -> Fault {
    Fault::new(Code::ScriptError, "nobody waits for this any more")
}

/// Gives up all that a call waits for when the call ends, however it does.
pub(crate) struct Ends(pub(crate) Rc<Running>);

impl Drop for Ends {
    fn drop(&mut self) {
        self.0.waits().give_up();
    }
}

/// A branch of a call: what it waits for is given up with it.
pub(crate) struct Branch<F> {
    running: Rc<Running>,
    waits: Rc<Waits>,
    future: Pin<Box<F>>,
}

impl<F> Branch<F> {
    /// Makes a branch of what runs.
    pub(crate) fn new(running: Rc<Running>, future: F) -> Self {
        let waits = Rc::<Waits>::default();
        let held: Rc<dyn Held> = Rc::clone(&waits) as _;
        running.wait_for(|waits| waits.add(Rc::downgrade(&held)));
        Self {
            running,
            waits,
            future: Box::pin(future),
        }
    }
}

impl<F: Future> Future for Branch<F> {
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<F::Output> {
        let outer = self.running.wait_in(Some(Rc::clone(&self.waits)));
        let polled = self.future.as_mut().poll(context);
        drop(self.running.wait_in(outer));
        polled
    }
}

impl<F> Drop for Branch<F> {
    fn drop(&mut self) {
        self.waits.give_up();
    }
}
