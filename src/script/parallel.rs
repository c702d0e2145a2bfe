//! Runs several functions of one script at the same time, in whatever language.

use std::future::poll_fn;
use std::pin::Pin;
use std::task::{Context, Poll};

use futures_util::future::{MaybeDone, maybe_done};

use crate::base::{Code, Fault};

/// How many run at once; the others wait their turn.
const AT_ONCE: usize = 6;
/// How many one call of `parallel` takes.
const MOST: usize = 100;

/// Makes the fault of a wrong call.
pub(crate) fn refuse(why: &str) -> Fault {
    Fault::new(Code::ScriptArgument, format!("parallel {why}"))
}

/// Checks how many functions there are.
pub(crate) fn check(count: usize) -> Result<(), Fault> {
    if count > MOST {
        return Err(refuse("takes at most 100 functions"));
    }
    Ok(())
}

/// Runs all and returns their results in order, or the first error.
pub(crate) async fn run<F: Future<Output = Result<T, E>>, T, E>(
    running: impl Iterator<Item = F>,
) -> Result<Vec<T>, E> {
    let mut branches: Vec<_> = running.map(|branch| Box::pin(maybe_done(branch))).collect();
    poll_fn(|context| poll_all(&mut branches, context)).await?;
    let results = branches
        .iter_mut()
        .filter_map(|branch| branch.as_mut().take_output());
    results.collect()
}

/// Polls all that run, not only those that were woken: a script that gives way right after it polled what it waits for
/// learns of a wake-up that came meanwhile only from one more poll. Ends when all have, or with the first error.
fn poll_all<F: Future<Output = Result<T, E>>, T, E>(
    branches: &mut [Pin<Box<MaybeDone<F>>>],
    context: &mut Context<'_>,
) -> Poll<Result<(), E>> {
    let mut running = 0;
    for branch in branches.iter_mut() {
        if branch.as_mut().poll(context).is_pending() {
            running += 1;
        }
        if branch
            .as_mut()
            .output_mut()
            .is_some_and(|output| output.is_err())
        {
            let error = branch.as_mut().take_output().and_then(Result::err);
            return Poll::Ready(error.map_or(Ok(()), Err));
        }
        if running == AT_ONCE {
            break;
        }
    }
    if running == 0 {
        Poll::Ready(Ok(()))
    } else {
        Poll::Pending
    }
}
