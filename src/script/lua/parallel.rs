//! `parallel{ f, g }`: runs functions of a script at the same time and returns their results in order.

use mlua::{Function, Lua, MultiValue, Table};

use crate::base::{Fault, with_article};
use crate::script::lua::bridge::raise;
use crate::script::parallel::{self, refuse};

/// Adds `parallel` to the globals. Must run before `coroutine` is removed.
pub(crate) fn install(lua: &Lua) -> mlua::Result<()> {
    let parallel = lua.create_async_function(|_, list: Table| async move {
        let functions = functions(&list).map_err(raise)?;
        let running = functions
            .into_iter()
            .map(|function| async move { function.call_async::<mlua::Value>(()).await });
        let results = parallel::run(running).await;
        results.map(MultiValue::from_iter)
    })?;
    lua.globals().raw_set("parallel", parallel)
}

fn functions(list: &Table) -> Result<Vec<Function>, Fault> {
    parallel::check(list.raw_len())?;
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
