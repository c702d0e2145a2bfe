//! What the parts of one VM share: the core's meter, and the helpers written in Luau.

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;

use mlua::{Function, Lua, LuaString, Table};

use crate::base::{Code, Fault, LocalBoxFuture};
use crate::script::lua::diagnostic;
use crate::script::lua::object::{JsonNull, Raised};
use crate::script::meter::Meter;

/// The helpers of one VM. Closures of the VM share it.
pub(crate) struct Bridge {
    /// The meter of the core; knows the call that runs.
    pub(crate) meter: Rc<Meter>,
    /// Sets a key of a table to an integer given as digits.
    pub(crate) put: Function,
    /// Keeps an integer given as digits for the wrapper that `exact` made.
    pub(crate) hold: Function,
    /// Wraps a host function that may return such an integer.
    pub(crate) exact: Function,
    /// Wraps a host function that may have to be waited for.
    pub(crate) either: Function,
    /// What a host function returns instead of such an integer.
    pub(crate) big: mlua::Value,
    /// Whether the key/value store has to be waited for.
    pub(crate) waits: bool,
    /// What a null is in a list, the `json.null` of scripts.
    pub(crate) null: mlua::Value,
    /// Wraps a host function that takes a function: it gets what became of calling it.
    pub(crate) tried: Function,
    /// The metatable of lists that `for` walks directly.
    pub(crate) each: Table,
    /// The metatable of empty lists, by which they are known as lists when they come back.
    pub(crate) list: Table,
    /// The metatable of headers, which are found whatever their case.
    pub(crate) headers: Table,
    /// Makes the metatable of `ctx.response`.
    pub(crate) response: Function,
    /// Makes the metatable of a payload with declared names.
    pub(crate) payload: Function,
    /// The methods of host objects by class; filled once while the VM is made.
    pub(crate) classes: RefCell<HashMap<&'static str, Class>>,
}

/// What scripts can do with the host objects of one class.
#[derive(Clone)]
pub(crate) struct Class {
    /// Its methods; strict.
    pub(crate) methods: Table,
    /// What is read like a field: functions of the object.
    pub(crate) properties: Table,
}

const PRELUDE: &str = include_str!("prelude.lua");
/// The chunk name of the prelude, as traces show it.
pub(crate) const PRELUDE_NAME: &str = "kladka";

impl Bridge {
    /// Runs the prelude in a fresh VM.
    pub(crate) fn install(
        lua: &Lua,
        meter: Rc<Meter>,
        waits: bool,
        seed: i32,
    ) -> mlua::Result<Rc<Self>> {
        let big = mlua::Value::Table(lua.create_table()?);
        let host = lua.create_table()?;
        host.raw_set("big", &big)?;
        host.raw_set("seed", seed)?;
        host.raw_set("caught", lua.create_function(caught)?)?;
        host.raw_set(
            "is_fault",
            lua.create_function(|_, value: mlua::Value| Ok(is_fault(&value)))?,
        )?;
        host.raw_set(
            "rethrow",
            lua.create_function(|_, value: mlua::AnyUserData| rethrow(&value))?,
        )?;
        host.raw_set("fail", lua.create_function(fail)?)?;
        host.raw_set(
            "linear_find",
            lua.create_function(|_, (hay, needle, from): (LuaString, LuaString, i64)| {
                Ok(linear_find(&hay.as_bytes(), &needle.as_bytes(), from))
            })?,
        )?;
        host.raw_set("wait", lua.create_async_function(wait)?)?;
        let helpers: Table = lua
            .load(PRELUDE)
            .set_name(format!("={PRELUDE_NAME}"))
            .call(host)?;
        Ok(Rc::new(Self {
            meter,
            waits,
            put: helpers.get("put")?,
            hold: helpers.get("hold")?,
            exact: helpers.get("exact")?,
            either: helpers.get("either")?,
            big,
            null: mlua::Value::UserData(lua.create_userdata(JsonNull)?),
            tried: helpers.get("tried")?,
            each: helpers.get("each")?,
            list: helpers.get("list")?,
            headers: helpers.get("headers")?,
            response: helpers.get("response")?,
            payload: helpers.get("payload")?,
            classes: RefCell::default(),
        }))
    }
}

/// Makes the error that a script sees and that keeps the fault inside.
pub(crate) fn raise(fault: Fault) -> mlua::Error {
    mlua::Error::external(fault)
}

/// Makes a script error of a message.
pub(crate) fn script_error(message: impl Into<String>) -> mlua::Error {
    raise(Fault::new(Code::ScriptError, message))
}

/// What a host function has begun, on its way to be waited for.
pub(crate) struct Pending(pub(crate) LocalBoxFuture<'static, mlua::Result<mlua::Value>>);

impl mlua::UserData for Pending {}

async fn wait(_: Lua, pending: mlua::AnyUserData) -> mlua::Result<mlua::Value> {
    let Pending(future) = pending.take()?;
    future.await
}

/// Turns what `pcall` caught into what the script sees.
fn caught(lua: &Lua, error: mlua::Value) -> mlua::Result<mlua::Value> {
    match error {
        mlua::Value::Error(error) => {
            let raised = Raised(diagnostic::fault_of(&error));
            lua.create_userdata(raised).map(mlua::Value::UserData)
        }
        mlua::Value::String(text) => {
            let own = text.to_string_lossy();
            match diagnostic::without_prelude(&own) {
                Some(rest) => lua.create_string(rest).map(mlua::Value::String),
                None => Ok(mlua::Value::String(text)),
            }
        }
        other => Ok(other),
    }
}

fn is_fault(value: &mlua::Value) -> bool {
    value
        .as_userdata()
        .is_some_and(mlua::AnyUserData::is::<Raised>)
}

fn rethrow(value: &mlua::AnyUserData) -> mlua::Result<()> {
    Err(raise(value.borrow::<Raised>()?.0.clone()))
}

fn fail(_: &Lua, message: String) -> mlua::Result<()> {
    Err(script_error(message))
}

/// Finds a plain text in time linear in both lengths, which Luau's own search is not. Positions count from 1.
fn linear_find(hay: &[u8], needle: &[u8], from: i64) -> (Option<usize>, Option<usize>) {
    let start = match usize::try_from(from) {
        Ok(from) => from.saturating_sub(1),
        Err(_negative) => {
            let back = usize::try_from(from.unsigned_abs()).unwrap_or(usize::MAX);
            hay.len().saturating_sub(back)
        }
    };
    let rest = hay.get(start..).unwrap_or_default();
    match memchr::memmem::find(rest, needle) {
        Some(at) => (Some(start + at + 1), Some(start + at + needle.len())),
        None => (None, None),
    }
}
