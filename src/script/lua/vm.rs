//! One Luau VM: made in the right order, for one service on one core, or to try a file.

use std::cell::Cell;
use std::rc::Rc;
use std::sync::Arc;

use mlua::{Function, Lua, MetaMethod, MultiValue, Table, VmState};

use crate::base::{Fault, Place, Text};
use crate::contract::{Declaration, HostFn, Receiver, Source, SourceSet};
use crate::script::Api;
use crate::script::context::functions;
use crate::script::host;
use crate::script::host::log::Level;
use crate::script::lua::alarm::Alarm;
use crate::script::lua::bind;
use crate::script::lua::bridge::{Bridge, Class, raise, script_error};
use crate::script::lua::context::{self, Context};
use crate::script::lua::entry::Entry;
use crate::script::lua::module::Loader;
use crate::script::lua::object::Held;
use crate::script::lua::{diagnostic, parallel, sandbox};
use crate::script::meter::{Meter, Verdict};

/// A VM whose globals are frozen, ready to load one file.
pub(crate) struct Vm {
    /// The VM. Dropped after everything that points into it.
    pub(crate) lua: Lua,
    /// Arms its interrupt when a poll goes on.
    pub(crate) alarm: Rc<Alarm>,
    /// What its parts share.
    pub(crate) bridge: Rc<Bridge>,
    /// The shared parts of contexts.
    pub(crate) context: Context,
    /// `require` and `service`.
    pub(crate) loader: Rc<Loader>,
    env: Table,
}

/// What a VM is made of.
pub(crate) struct Parts<'a> {
    /// The meter of the core.
    pub(crate) meter: &'a Rc<Meter>,
    /// The script API.
    pub(crate) api: &'a Api,
    /// The sources it may load.
    pub(crate) set: &'a Arc<SourceSet>,
    /// Whether the key/value store has to be waited for.
    pub(crate) waits: bool,
    /// From what its random numbers come.
    pub(crate) seed: i32,
    /// The service it is for; `None` to try a file.
    pub(crate) declaration: Option<&'a Declaration>,
}

impl Vm {
    /// Makes a VM. The order matters: waiting functions first, then removal, then freezing.
    pub(crate) fn open(parts: &Parts<'_>) -> mlua::Result<Self> {
        let lua = sandbox::open()?;
        // What is only tried is not worth its machine code.
        lua.enable_jit(parts.declaration.is_some() && !parts.api.rarely);
        let bridge = Bridge::install(&lua, Rc::clone(parts.meter), parts.waits, parts.seed)?;
        let env = lua.create_table()?;
        let loader = Loader::new(Arc::clone(parts.set), parts.api);
        let tables = &parts.api.tables;
        libraries(&lua, &bridge, tables)?;
        classes(&lua, &bridge, tables)?;
        let context = Context::install(&lua, &bridge, tables, parts.declaration)?;
        parallel::install(&lua)?;
        print(&lua, &bridge)?;
        loader.install(&lua, &env)?;
        sandbox::close(&lua, &env)?;
        interrupt(&lua, parts.meter);
        let alarm = Rc::new(Alarm::take(&lua)?);
        Ok(Self {
            lua,
            alarm,
            bridge,
            context,
            loader,
            env,
        })
    }

    /// Makes the function by which calls enter a service.
    pub(crate) fn entry(&self, handle: Function, declaration: &Declaration) -> mlua::Result<Entry> {
        Entry::new(&self.lua, handle, declaration, &self.context.metatables())
    }

    /// Returns the names that a file may use without declaring them.
    pub(crate) fn names(&self) -> Vec<String> {
        // The globals stand behind one another: each frozen one is read through the next.
        let behind = |table: &Table| table.metatable()?.raw_get::<Table>("__index").ok();
        let tables = std::iter::successors(Some(self.lua.globals()), behind);
        let tables = tables.chain([self.env.clone()]);
        tables.flat_map(|table| context::keys(&table)).collect()
    }

    /// Makes an environment that sees all that files see and keeps what is set in it.
    pub(crate) fn own_env(&self) -> mlua::Result<Table> {
        let behind = self.env.metatable();
        let globals = behind.map(|meta| meta.raw_get::<Table>("__index"));
        let meta = self.lua.create_table()?;
        meta.raw_set("__index", globals.transpose()?)?;
        meta.raw_set("__metatable", false)?;
        meta.set_readonly(true);
        let env = self.lua.create_table()?;
        env.set_metatable(Some(meta))?;
        Ok(env)
    }

    /// Compiles a file.
    pub(crate) fn compile(&self, source: &Source) -> mlua::Result<Function> {
        self.loader.compile(&self.lua, source, &self.env)
    }
}

impl Drop for Vm {
    fn drop(&mut self) {
        self.loader.note_coverage();
    }
}

fn interrupt(lua: &Lua, meter: &Rc<Meter>) {
    let meter = Rc::clone(meter);
    let collected = Cell::new(0);
    lua.set_interrupt(move |lua| match meter.judge() {
        Verdict::Skip => Ok(VmState::Continue),
        Verdict::Go => {
            relieve(lua, &meter, &collected);
            Ok(VmState::Continue)
        }
        Verdict::Yield if is_waiting(lua) => Ok(VmState::Continue),
        Verdict::Yield => Ok(VmState::Yield),
        Verdict::Over(fault) => Err(raise(placed(lua, &meter, fault))),
    });
}

/// Tells whether a coroutine is about to wait, inside the loop by which mlua polls. It gives way there anyway; and one
/// that is given up is made to let go of what it waits for only if it stopped where that loop yields: stopped elsewhere, it
/// would hold that until its VM is collected, which may be never.
fn is_waiting(lua: &Lua) -> bool {
    let polls = |debug: &mlua::debug::Debug<'_>| {
        let source = debug.source().source;
        source.is_some_and(|source| source == "=__mlua_async_poll")
    };
    (0..2).any(|level| lua.inspect_stack(level, polls).unwrap_or(false))
}

/// Collects garbage when a script nears its memory limit, so that only what it holds counts. `collected` is what was
/// left the last time: when little more has come since, nothing would be gained.
fn relieve(lua: &Lua, meter: &Meter, collected: &Cell<usize>) {
    let Some(running) = meter.running() else {
        return;
    };
    let limit = running.call.ctx.limits.memory;
    let used = lua.used_memory();
    if used > limit / 2
        && let Some(place) = place(lua)
    {
        running.see(place);
        meter.look_soon();
    }
    if used > limit / 2 && used > collected.get().saturating_add(limit / 8) {
        // A failure to collect shows as the memory error that follows.
        drop(lua.gc_collect());
        collected.set(lua.used_memory());
    } else if used < collected.get() {
        collected.set(used);
    }
}

/// Adds the line that runs: the traceback of an interrupt begins one frame too late.
fn placed(lua: &Lua, meter: &Meter, fault: Fault) -> Fault {
    if fault.place().is_some() {
        return fault;
    }
    let (Some(place), Some(running)) = (place(lua), meter.running()) else {
        return fault;
    };
    let fault = fault.at(place);
    running.end_at(fault.clone());
    fault
}

/// Returns the line of the script that runs.
pub(crate) fn place(lua: &Lua) -> Option<Place> {
    (0..8).find_map(|level| lua.inspect_stack(level, diagnostic::place_of).flatten())
}

/// Adds the libraries: `json.parse` becomes the function `parse` of the global `json`.
fn libraries(lua: &Lua, bridge: &Rc<Bridge>, tables: &[&'static [HostFn]]) -> mlua::Result<()> {
    let globals = lua.globals();
    let mut names: Vec<&str> = Vec::new();
    for function in functions(tables, Receiver::Library) {
        let (space, name) = host::split(function.path);
        let made = bind::bind(lua, bridge, function, &bind::Owner::default(), None)?;
        if space.is_empty() {
            globals.raw_set(name, made)?;
            continue;
        }
        if !names.contains(&space) {
            globals.raw_set(space, lua.create_table()?)?;
            names.push(space);
        }
        globals.raw_get::<Table>(space)?.raw_set(name, made)?;
    }
    if let Some(json) = globals.raw_get::<Option<Table>>("json")? {
        json.raw_set("null", &bridge.null)?;
    }
    names
        .into_iter()
        .try_for_each(|space| context::seal(lua, &globals.raw_get(space)?, space, &[]))
}

/// Makes the methods and properties of host objects, and lets objects find them.
fn classes(lua: &Lua, bridge: &Rc<Bridge>, tables: &[&'static [HostFn]]) -> mlua::Result<()> {
    for function in functions(tables, Receiver::Method) {
        let (class, name) = host::split(function.path);
        let made = bind::bind(lua, bridge, function, &bind::Owner::default(), None)?;
        let mut classes = bridge.classes.borrow_mut();
        if !classes.contains_key(class) {
            let (methods, properties) = (lua.create_table()?, lua.create_table()?);
            classes.insert(
                class,
                Class {
                    methods,
                    properties,
                },
            );
        }
        match classes.get(class) {
            Some(known) if host::is_property(function) => known.properties.raw_set(name, made)?,
            Some(known) => known.methods.raw_set(name, made)?,
            None => {}
        }
    }
    for (class, known) in bridge.classes.borrow().iter() {
        context::seal(
            lua,
            &known.methods,
            class,
            &context::keys(&known.properties),
        )?;
    }
    let shared = Rc::clone(bridge);
    lua.register_userdata_type::<Held>(move |registry| {
        use mlua::{UserDataFields as _, UserDataMethods as _};
        registry.add_meta_field(MetaMethod::Type, "object");
        registry.add_meta_method(
            MetaMethod::NewIndex,
            |_, this, (key, _): (mlua::Value, mlua::Value)| -> mlua::Result<()> {
                let (class, key) = (this.0.0.class(), key.to_string()?);
                Err(script_error(format!("'{class}.{key}' cannot be set")))
            },
        );
        registry.add_meta_function(
            MetaMethod::Index,
            move |_, (object, key): (mlua::AnyUserData, mlua::Value)| member(&shared, object, key),
        );
        registry.add_meta_method(MetaMethod::ToString, |_, this, ()| {
            Ok(format!("{:?}", this.0))
        });
        registry.add_meta_function(
            MetaMethod::Eq,
            |_, (one, other): (mlua::AnyUserData, mlua::AnyUserData)| {
                Ok(one.borrow::<Held>()?.0 == other.borrow::<Held>()?.0)
            },
        );
    })
}

/// Returns a method of a host object, or the value of a property.
fn member(
    bridge: &Bridge,
    object: mlua::AnyUserData,
    key: mlua::Value,
) -> mlua::Result<mlua::Value> {
    let class = object.borrow::<Held>()?.0.0.class();
    let Some(known) = bridge.classes.borrow().get(class).cloned() else {
        return Ok(mlua::Value::Nil);
    };
    match known.properties.raw_get::<Option<Function>>(&key)? {
        Some(read) => read.call(object),
        None => known.methods.get(key),
    }
}

/// Makes `print` a line of the log.
fn print(lua: &Lua, bridge: &Rc<Bridge>) -> mlua::Result<()> {
    let shared = Rc::clone(bridge);
    let print = lua.create_function(move |_, values: MultiValue| {
        let call = bind::current(&shared, "print")?;
        let texts = values.iter().map(mlua::Value::to_string);
        let line = texts.collect::<mlua::Result<Vec<String>>>()?.join("\t");
        host::log::emit(&call, Level::Info, &line);
        Ok(())
    })?;
    lua.globals().raw_set("print", print)
}

/// The text of a Lua string, if it is text.
pub(crate) fn text_of(value: &mlua::Value) -> Option<Text> {
    let text = value.as_string()?;
    text.to_str().ok().map(|text| Text::new(&*text))
}
