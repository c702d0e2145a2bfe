//! `ctx`: two small tables per call over classes that all calls of a VM share.
//!
//! Fields that depend on the call are read from the running one when a script asks, so nothing of another call can
//! show, even to a script that kept a context.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::rc::Rc;

use mlua::{Lua, Table};

use crate::base::{Code, Fault, Text};
use crate::contract::{Declaration, HostFn, Receiver};
use crate::script::context::{
    self as shared, FIELDS, REQUEST, RESPONSE, call_field, functions, request_value, undeclared,
    unknown,
};
use crate::script::host;
use crate::script::lua::bind::{self, Owner};
use crate::script::lua::bridge::{Bridge, raise};
use crate::script::lua::entry::Metatables;
use crate::script::lua::sandbox;

/// The shared parts of all contexts of one VM.
pub(crate) struct Context {
    ctx: Table,
    request: Table,
    response: Table,
    payload: Option<Table>,
}

impl Context {
    /// Makes the shared parts. Must run before `coroutine` is removed.
    pub(crate) fn install(
        lua: &Lua,
        bridge: &Rc<Bridge>,
        tables: &[&'static [HostFn]],
        declaration: Option<&Declaration>,
    ) -> mlua::Result<Self> {
        let class = ctx_class(lua, bridge, tables)?;
        let ctx = lua.create_table()?;
        ctx.raw_set("__index", &class.table)?;
        ctx.raw_set("__newindex", refuse(lua, "ctx")?)?;
        lock(&ctx)?;
        class.owner.set(ctx.to_pointer() as usize);
        let request = lua.create_table()?;
        let shared = Rc::clone(bridge);
        request.raw_set(
            "__index",
            lua.create_function(move |lua, (own, key): (Table, mlua::Value)| {
                request_field(lua, &shared, &own, &key)
            })?,
        )?;
        lock(&request)?;
        let response = bridge
            .response
            .call((response_unknown(lua)?, header_twice(lua)?))?;
        let payload = declaration
            .map(|it| payload_meta(lua, bridge, it))
            .transpose()?;
        Ok(Self {
            ctx,
            request,
            response,
            payload: payload.flatten(),
        })
    }

    /// Returns the metatables of a call's tables.
    pub(crate) fn metatables(&self) -> Metatables<'_> {
        Metatables {
            ctx: &self.ctx,
            request: &self.request,
            response: &self.response,
            payload: self.payload.as_ref(),
        }
    }
}

struct Class {
    table: Table,
    owner: Owner,
}

/// Makes the class of `ctx`: functions, namespaces, and the fields of the running call.
fn ctx_class(lua: &Lua, bridge: &Rc<Bridge>, tables: &[&'static [HostFn]]) -> mlua::Result<Class> {
    let table = lua.create_table()?;
    let owner: Owner = Rc::new(Cell::new(0));
    let mut spaces: BTreeMap<&str, (Table, Owner)> = BTreeMap::new();
    for function in functions(tables, Receiver::Ctx) {
        let (space, name) = host::split(function.path);
        if space.is_empty() {
            let made = bind::bind(lua, bridge, function, &owner, None)?;
            table.raw_set(name, tried(bridge, function, made)?)?;
            continue;
        }
        if !spaces.contains_key(space) {
            let made = lua.create_table()?;
            let address = made.to_pointer() as usize;
            spaces.insert(space, (made, Rc::new(Cell::new(address))));
        }
        if let Some((made, owner)) = spaces.get(space) {
            made.raw_set(name, bind::bind(lua, bridge, function, owner, Some(made))?)?;
        }
    }
    for (space, (made, _)) in &spaces {
        seal(lua, made, &format!("ctx.{space}"), &[])?;
        table.raw_set(*space, made)?;
    }
    for group in host::outgoing::groups(tables) {
        table.raw_set(group, outgoing(lua, bridge, group, tables)?)?;
    }
    table.raw_set("config", config(lua, bridge)?)?;
    let names = keys(&table);
    let shared = Rc::clone(bridge);
    let meta = lua.create_table()?;
    meta.raw_set(
        "__index",
        lua.create_function(move |lua, (_, key): (Table, mlua::Value)| {
            ctx_field(lua, &shared, &key, &names)
        })?,
    )?;
    lock(&meta)?;
    table.set_metatable(Some(meta))?;
    table.set_readonly(true);
    Ok(Class { table, owner })
}

/// Lets a host function that takes a function have what became of calling that.
fn tried(bridge: &Bridge, function: &HostFn, made: mlua::Function) -> mlua::Result<mlua::Function> {
    if host::takes_function(function) {
        return bridge.tried.call(made);
    }
    Ok(made)
}

fn ctx_field(
    lua: &Lua,
    bridge: &Rc<Bridge>,
    key: &mlua::Value,
    names: &[String],
) -> mlua::Result<mlua::Value> {
    let name = sandbox::shown(key);
    if !FIELDS.contains(&name.as_str()) {
        let own = names
            .iter()
            .map(String::as_str)
            .chain(["request", "response"]);
        return Err(raise(unknown(
            "ctx",
            &name,
            own.chain(FIELDS.iter().copied()),
        )));
    }
    let call = bind::current(bridge, "ctx")?;
    bridge.to_lua(lua, call_field(&call, &name))
}

fn request_field(
    lua: &Lua,
    bridge: &Rc<Bridge>,
    own: &Table,
    key: &mlua::Value,
) -> mlua::Result<mlua::Value> {
    let name = sandbox::shown(key);
    if !REQUEST.contains(&name.as_str()) {
        return Err(raise(unknown(
            "ctx.request",
            &name,
            REQUEST.iter().copied(),
        )));
    }
    let call = bind::current(bridge, "ctx.request")?;
    let value = bridge.to_lua(lua, request_value(&call, &name))?;
    if let (Some(table), "headers") = (value.as_table(), name.as_str()) {
        table.set_metatable(Some(bridge.headers.clone()))?;
    }
    own.raw_set(name, &value)?;
    Ok(value)
}

/// Makes `ctx.outgoing` or a group like it: a table per kind, which finds connections by name at each call.
fn outgoing(
    lua: &Lua,
    bridge: &Rc<Bridge>,
    group: &'static str,
    tables: &[&'static [HostFn]],
) -> mlua::Result<Table> {
    let all = lua.create_table()?;
    let shown = format!("ctx.{group}");
    for kind in host::outgoing::kinds(tables, group) {
        let shared = Rc::clone(bridge);
        let find = lua.create_function(move |lua, (_, key): (Table, mlua::Value)| {
            let call = bind::current(&shared, "a connection")?;
            let found = host::outgoing::connection(&call, group, kind, &sandbox::shown(&key));
            shared.to_lua(lua, found.map_err(raise)?)
        })?;
        all.raw_set(kind, lookup(lua, find)?)?;
    }
    seal(lua, &all, &shown, &[])?;
    Ok(all)
}

fn config(lua: &Lua, bridge: &Rc<Bridge>) -> mlua::Result<Table> {
    let shared = Rc::clone(bridge);
    let find = lua.create_function(move |lua, (_, key): (Table, mlua::Value)| {
        let call = bind::current(&shared, "ctx.config")?;
        let found = host::config::file(&call, &sandbox::shown(&key));
        shared.to_lua(lua, found.map_err(raise)?)
    })?;
    lookup(lua, find)
}

/// Makes a read-only table whose fields a function finds.
fn lookup(lua: &Lua, find: mlua::Function) -> mlua::Result<Table> {
    let meta = lua.create_table()?;
    meta.raw_set("__index", find)?;
    lock(&meta)?;
    let table = lua.create_table()?;
    table.set_metatable(Some(meta))?;
    table.set_readonly(true);
    Ok(table)
}

/// Makes a namespace read-only and strict: a misspelt function is named.
/// Suggestions take the names in `more` into account.
pub(crate) fn seal(lua: &Lua, table: &Table, what: &str, more: &[String]) -> mlua::Result<()> {
    let mut names = keys(table);
    names.extend_from_slice(more);
    let what = what.to_owned();
    let meta = lua.create_table()?;
    meta.raw_set(
        "__index",
        lua.create_function(
            move |_, (_, key): (Table, mlua::Value)| -> mlua::Result<()> {
                let own = names.iter().map(String::as_str);
                Err(raise(unknown(&what, &sandbox::shown(&key), own)))
            },
        )?,
    )?;
    lock(&meta)?;
    table.set_metatable(Some(meta))?;
    table.set_readonly(true);
    Ok(())
}

/// Makes a metatable that scripts can neither see nor change.
fn lock(meta: &Table) -> mlua::Result<()> {
    meta.raw_set("__metatable", false)?;
    meta.set_readonly(true);
    Ok(())
}

/// Returns the names in a table, sorted.
pub(crate) fn keys(table: &Table) -> Vec<String> {
    let mut names: Vec<String> = table
        .pairs::<String, mlua::Value>()
        .flatten()
        .map(|(name, _)| name)
        .collect();
    names.sort_unstable();
    names
}

/// Complains about a field that `ctx.response` does not have.
fn response_unknown(lua: &Lua) -> mlua::Result<mlua::Function> {
    lua.create_function(|_, key: mlua::Value| -> mlua::Result<()> {
        let name = sandbox::shown(&key);
        Err(raise(unknown(
            "ctx.response",
            &name,
            RESPONSE.iter().copied(),
        )))
    })
}

/// Complains about a header that is given in two spellings.
fn header_twice(lua: &Lua) -> mlua::Result<mlua::Function> {
    lua.create_function(|_, name: mlua::Value| -> mlua::Result<()> {
        Err(raise(shared::header_twice(&sandbox::shown(&name))))
    })
}

fn refuse(lua: &Lua, what: &'static str) -> mlua::Result<mlua::Function> {
    lua.create_function(
        move |_, (_, key, _): (Table, mlua::Value, mlua::Value)| -> mlua::Result<()> {
            let message = format!("{what}.{} cannot be set", sandbox::shown(&key));
            Err(raise(Fault::new(Code::ScriptError, message).hint(
                "Keep what belongs to the call in a `local`, and answer in `ctx.response`.",
            )))
        },
    )
}

/// Makes the metatable of the payload; `None` when the service answers as it likes.
fn payload_meta(
    lua: &Lua,
    bridge: &Bridge,
    declaration: &Declaration,
) -> mlua::Result<Option<Table>> {
    let Some(output) = &declaration.output else {
        return Ok(None);
    };
    let known = lua.create_table()?;
    let mut names = Vec::with_capacity(output.len());
    for field in output {
        known.raw_set(field.name.as_str(), true)?;
        names.push(field.name.clone());
    }
    let complain = lua.create_function(move |_, key: mlua::Value| -> mlua::Result<()> {
        let name = sandbox::shown(&key);
        Err(raise(undeclared(&name, names.iter().map(Text::as_str))))
    })?;
    bridge.payload.call((known, complain)).map(Some)
}
