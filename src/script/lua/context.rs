//! `ctx`: two small tables per call over classes that all calls of a VM share.
//!
//! Fields that depend on the call are read from the running one when a script asks, so nothing of another call can
//! show, even to a script that kept a context.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::rc::Rc;

use mlua::{Lua, Table};

use crate::base::{Code, Fault, Map, Text, Value, closest};
use crate::contract::{Call, Declaration, HostFn, Receiver, SoapVersion};
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

/// Fields of `ctx` that depend on the call.
const FIELDS: &[&str] = &["cid", "service", "channel", "caller", "job"];
/// Fields of `ctx.request` that are made when asked for.
const REQUEST: &[&str] = &["input", "raw", "headers", "http", "soap"];
/// Fields of `ctx.response`.
const RESPONSE: &[&str] = &["payload", "status", "headers", "content_type"];

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
            table.raw_set(name, bind::bind(lua, bridge, function, &owner, None)?)?;
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
    table.raw_set("outgoing", outgoing(lua, bridge, tables)?)?;
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

/// Walks the host functions of one kind of receiver.
pub(crate) fn functions<'a>(
    tables: &'a [&'static [HostFn]],
    receiver: Receiver,
) -> impl Iterator<Item = &'static HostFn> + 'a {
    tables
        .iter()
        .flat_map(|table| table.iter())
        .filter(move |function| function.receiver == receiver)
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

fn call_field(call: &Call, name: &str) -> Value {
    let ctx = &call.ctx;
    match name {
        "cid" => Value::text(ctx.cid.as_str()),
        "service" => Value::text(call.service.name.as_str()),
        "caller" => Value::Map(
            [
                (
                    Text::const_new("name"),
                    Value::Text(ctx.caller.name.clone()),
                ),
                (
                    Text::const_new("security"),
                    Value::Text(ctx.caller.security.clone()),
                ),
            ]
            .into_iter()
            .collect(),
        ),
        "channel" => ctx.channel.as_ref().map_or(Value::Null, |channel| {
            let mut map = Map::with_capacity(3);
            map.set("name", channel.name.as_str());
            map.set("transport", channel.transport);
            map.set("format", channel.format);
            Value::Map(map)
        }),
        "job" => ctx.job.as_ref().map_or(Value::Null, |job| {
            let mut map = Map::with_capacity(4);
            map.set("name", job.name.as_str());
            map.set("fire_time", job.fire_time.to_rfc3339());
            map.set("attempt", i64::from(job.attempt));
            map.set("fence", job.fence);
            Value::Map(map)
        }),
        _ => Value::Null,
    }
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

fn request_value(call: &Call, name: &str) -> Value {
    let request = &call.ctx.request;
    match name {
        "raw" => match std::str::from_utf8(&request.raw) {
            Ok(text) => Value::text(text),
            Err(_binary) => Value::Bytes(request.raw.clone()),
        },
        "headers" => headers(&request.meta.headers),
        "http" => request.meta.http.as_ref().map_or(Value::Null, |http| {
            let mut map = Map::with_capacity(4);
            map.set("method", http.method.as_str());
            map.set("path", http.path.as_str());
            map.set("query", http.query.as_str());
            let params = request.meta.params.iter();
            let params = params.map(|(name, value)| (name.clone(), Value::Text(value.clone())));
            map.set("params", params.collect::<Map>());
            Value::Map(map)
        }),
        "soap" => request.soap.as_ref().map_or(Value::Null, |soap| {
            let mut map = Map::with_capacity(2);
            let version = match soap.version {
                SoapVersion::V11 => "1.1",
                SoapVersion::V12 => "1.2",
            };
            map.set("version", version);
            map.set("operation", soap.operation.as_str());
            Value::Map(map)
        }),
        _ => Value::Null,
    }
}

/// Returns headers by their lower-case name; those given several times are joined, as HTTP allows.
fn headers(headers: &http::HeaderMap) -> Value {
    let mut map = Map::with_capacity(headers.keys_len());
    for name in headers.keys() {
        let values: Vec<String> = headers
            .get_all(name)
            .iter()
            .map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned())
            .collect();
        map.push(Text::new(name.as_str()), Value::from(values.join(", ")));
    }
    Value::Map(map)
}

/// Makes `ctx.outgoing`: a table per kind, which finds connections by name at each call.
fn outgoing(lua: &Lua, bridge: &Rc<Bridge>, tables: &[&'static [HostFn]]) -> mlua::Result<Table> {
    let all = lua.create_table()?;
    for kind in host::outgoing::kinds(tables) {
        let shared = Rc::clone(bridge);
        let find = lua.create_function(move |lua, (_, key): (Table, mlua::Value)| {
            let call = bind::current(&shared, "ctx.outgoing")?;
            let found = host::outgoing::connection(&call, kind, &sandbox::shown(&key));
            shared.to_lua(lua, found.map_err(raise)?)
        })?;
        all.raw_set(kind, lookup(lua, find)?)?;
    }
    seal(lua, &all, "ctx.outgoing", &[])?;
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
        let name = sandbox::shown(&name);
        let message = format!("ctx.response.headers has '{name}' twice");
        let fault = Fault::new(Code::OutputRejected, message);
        Err(raise(
            fault.hint("The case of header names does not matter."),
        ))
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
        let message = format!("output '{name}' is not declared");
        let fault = Fault::new(Code::OutputRejected, message);
        Err(raise(
            match closest(&name, names.iter().map(Text::as_str)) {
                Some(near) => fault.hint(format!("Did you mean `{near}`?")),
                None => fault.hint(format!("The outputs are: {}.", names.join(", "))),
            },
        ))
    })?;
    bridge.payload.call((known, complain)).map(Some)
}

fn unknown<'a>(what: &str, name: &str, names: impl Iterator<Item = &'a str>) -> Fault {
    let fault = Fault::new(Code::ScriptError, format!("{what} has no field '{name}'"));
    let names: Vec<&str> = names.collect();
    match closest(name, names.iter().copied()) {
        Some(near) => fault.hint(format!("Did you mean `{near}`?")),
        None => fault.hint(format!("Its fields are: {}.", names.join(", "))),
    }
}
