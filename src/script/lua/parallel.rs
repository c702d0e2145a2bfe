//! `parallel{ f, g }`: runs functions of a script at the same time and returns their results in order.

use std::rc::Rc;

use mlua::{Function, Lua, MultiValue, Table};

use crate::base::{Fault, with_article};
use crate::script::context::no_call;
use crate::script::lua::bridge::raise;
use crate::script::meter::Meter;
use crate::script::parallel::{self, refuse};
use crate::script::waits::Branch;

/// Adds `parallel` to the globals. Must run before `coroutine` is removed.
pub(crate) fn install(lua: &Lua, meter: &Rc<Meter>) -> mlua::Result<()> {
    let meter = Rc::clone(meter);
    let parallel = lua.create_async_function(move |_, list: Table| {
        let running = meter.running();
        async move {
            let running = running.ok_or_else(|| raise(no_call("parallel")))?;
            let functions = functions(&list).map_err(raise)?;
            let branches = functions.into_iter().map(|function| {
                let call = async move { function.call_async::<mlua::Value>(()).await };
                Branch::new(Rc::clone(&running), call)
            });
            let results = parallel::run(branches).await;
            results.map(MultiValue::from_iter)
        }
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
