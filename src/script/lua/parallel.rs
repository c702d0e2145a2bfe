//! `parallel{ f, g }`: runs functions of a script at the same time and returns their results in order.

use std::future::poll_fn;
use std::pin::Pin;
use std::task::{Context, Poll};

use futures_util::future::{MaybeDone, maybe_done};
use mlua::{Function, Lua, MultiValue, Table};

use crate::base::{Code, Fault, with_article};
use crate::script::lua::bridge::raise;

/// How many run at once; the others wait their turn.
const AT_ONCE: usize = 6;
/// How many one call of `parallel` takes.
const MOST: usize = 100;

/// Adds `parallel` to the globals. Must run before `coroutine` is removed.
pub(crate) fn install(lua: &Lua) -> mlua::Result<()> {
    let parallel = lua.create_async_function(|_, list: Table| async move {
        let functions = functions(&list).map_err(raise)?;
        let running = functions
            .into_iter()
            .map(|function| async move { function.call_async::<mlua::Value>(()).await });
        let mut branches: Vec<_> = running.map(|branch| Box::pin(maybe_done(branch))).collect();
        poll_fn(|context| poll_all(&mut branches, context)).await?;
        let results = branches
            .iter_mut()
            .filter_map(|branch| branch.as_mut().take_output());
        results.collect::<mlua::Result<MultiValue>>()
    })?;
    lua.globals().raw_set("parallel", parallel)
}

/// Polls all that run, not only those that were woken: a script that gives way right after it polled what it waits for
/// learns of a wake-up that came meanwhile only from one more poll. Ends when all have, or with the first error.
fn poll_all<F: Future<Output = mlua::Result<mlua::Value>>>(
    branches: &mut [Pin<Box<MaybeDone<F>>>],
    context: &mut Context<'_>,
) -> Poll<mlua::Result<()>> {
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

fn functions(list: &Table) -> Result<Vec<Function>, Fault> {
    let refuse = |why: &str| Fault::new(Code::ScriptArgument, format!("parallel {why}"));
    if list.raw_len() > MOST {
        return Err(refuse("takes at most 100 functions"));
    }
    list.sequence_values::<mlua::Value>()
        .map(|member| match member {
            Ok(mlua::Value::Function(function)) => Ok(function),
            Ok(other) => Err(refuse(&format!(
                "takes functions, got {}",
                with_article(other.type_name())
            ))
            .hint("Write `parallel { function() … end, function() … end }`.")),
            Err(error) => Err(refuse(&error.to_string())),
        })
        .collect()
}
