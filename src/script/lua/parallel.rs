//! `parallel{ f, g }`: runs functions of a script at the same time and returns their results in order.

use futures_util::stream::{self, StreamExt as _, TryStreamExt as _};
use mlua::{Function, Lua, MultiValue, Table};

use crate::base::{Code, Fault};
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
        let results: Vec<mlua::Value> = stream::iter(running)
            .buffered(AT_ONCE)
            .try_collect()
            .await?;
        Ok(MultiValue::from_iter(results))
    })?;
    lua.globals().raw_set("parallel", parallel)
}

fn functions(list: &Table) -> Result<Vec<Function>, Fault> {
    let refuse = |why: &str| Fault::new(Code::ScriptArgument, format!("parallel {why}"));
    if list.raw_len() > MOST {
        return Err(refuse("takes at most 100 functions"));
    }
    list.sequence_values::<mlua::Value>()
        .map(|member| match member {
            Ok(mlua::Value::Function(function)) => Ok(function),
            Ok(other) => Err(
                refuse(&format!("takes functions, got a {}", other.type_name()))
                    .hint("Write `parallel { function() … end, function() … end }`."),
            ),
            Err(error) => Err(refuse(&error.to_string())),
        })
        .collect()
}
