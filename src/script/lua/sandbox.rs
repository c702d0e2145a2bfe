//! The world a script sees: no files, no processes, no bytecode, nothing that two calls could share by accident.

use mlua::state::{GcIncParams, GcMode};
use mlua::{Lua, LuaOptions, StdLib, Table};

use crate::script::context::{not_local, undefined};
use crate::script::lua::bridge::raise;
use crate::script::lua::context;

/// What is taken out of the globals before they are frozen. `coroutine` goes because mlua's own yields would show in
/// it; scripts have `parallel`. It must go last: waiting host functions read it when they are made.
const REMOVED: &[&str] = &[
    "loadstring",
    "getfenv",
    "setfenv",
    "newproxy",
    "collectgarbage",
    "debug",
    "gcinfo",
    "coroutine",
];

/// How many finished coroutines a VM keeps to use again.
const SPARE_COROUTINES: usize = 64;

/// How much the collector does in one step, in KiB.
const GC_STEP: i32 = 128;

/// How large the heap may become before a new round of collection, in percent of what the last one left.
const GC_GOAL: i32 = 300;

/// Makes an empty VM with the standard library.
pub(crate) fn open() -> mlua::Result<Lua> {
    // Panics of host functions never enter the VM (`bind` turns them into faults), so the plain `pcall` may stay:
    // mlua's other one cannot be waited in.
    let options = LuaOptions::new().thread_pool_size(SPARE_COROUTINES);
    let lua = Lua::new_with(StdLib::ALL_SAFE, options)?;
    lua.globals().raw_remove("require")?;
    // Garbage counts against the memory limit, and by default the collector does so little at each allocation that a
    // few large texts reach it.
    let collector = GcIncParams::default().step_size(GC_STEP).goal(GC_GOAL);
    lua.gc_set_mode(GcMode::Incremental(collector));
    Ok(lua)
}

/// Removes, freezes and guards the globals, and returns the environment of the scripts.
///
/// Everything that scripts may call must be in the globals before.
pub(crate) fn close(lua: &Lua, env: &Table) -> mlua::Result<()> {
    let globals = lua.globals();
    for name in REMOVED {
        globals.raw_remove(*name)?;
    }
    let names = context::keys(&globals);
    let strict = lua.create_table()?;
    strict.raw_set(
        "__index",
        lua.create_function(
            move |_, (_, name): (Table, mlua::Value)| -> mlua::Result<()> {
                let known = names.iter().map(String::as_str);
                Err(raise(undefined(&shown(&name), known)))
            },
        )?,
    )?;
    strict.raw_set("__metatable", false)?;
    strict.set_readonly(true);
    globals.set_metatable(Some(strict))?;
    lua.sandbox(true)?;
    guard(lua, env, &globals)
}

fn guard(lua: &Lua, env: &Table, globals: &Table) -> mlua::Result<()> {
    let meta = lua.create_table()?;
    meta.raw_set("__index", globals)?;
    meta.raw_set(
        "__newindex",
        lua.create_function(
            |_, (_, name, _): (Table, mlua::Value, mlua::Value)| -> mlua::Result<()> {
                Err(raise(not_local(&shown(&name))))
            },
        )?,
    )?;
    meta.raw_set("__metatable", false)?;
    meta.set_readonly(true);
    env.set_metatable(Some(meta))?;
    env.set_readonly(true);
    // Without it every library call is several times slower; changes to read-only clear it.
    env.set_safeenv(true);
    Ok(())
}

/// Returns a key as messages show it.
pub(crate) fn shown(key: &mlua::Value) -> String {
    let text = match key {
        mlua::Value::String(text) => text.to_string_lossy(),
        mlua::Value::Integer(number) => number.to_string(),
        other => format!("({})", other.type_name()),
    };
    text.chars().take(80).collect()
}
