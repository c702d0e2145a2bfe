//! `require` and `service`: what a file may ask of its VM while its top level runs.
//!
//! Modules come from the sources of the moment only, run once per VM, and what they return is frozen.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeSet, HashMap};
use std::rc::Rc;
use std::sync::Arc;

use mlua::chunk::Compiler;
use mlua::{Function, Lua, Table};

use crate::base::{Code, Fault, closest, with_article};
use crate::contract::{Source, SourceSet};
use crate::script::declare::broken;
use crate::script::lua::bridge::raise;
use crate::script::lua::diagnostic;
use crate::script::lua::load::ENDINGS;
use crate::script::{Api, Coverage, Declares};

/// The state of loading in one VM.
pub(crate) struct Loader {
    /// The sources; a session may take others.
    set: RefCell<Arc<SourceSet>>,
    declares: Declares,
    /// Where lines that run are noted.
    coverage: Option<Arc<Coverage>>,
    /// The files that were compiled so that it shows which of their lines run.
    compiled: RefCell<Vec<(String, Function)>>,
    /// What the modules returned, by name.
    ready: RefCell<HashMap<String, mlua::Value>>,
    /// The modules that run now, outermost first.
    stack: RefCell<Vec<String>>,
    /// Paths of the modules used so far.
    uses: RefCell<BTreeSet<String>>,
    /// What `service{…}` was called with, and on which line it stands.
    declared: RefCell<Vec<Declared>>,
    /// Whether the top level of the file still runs.
    open: Cell<bool>,
}

/// One call of `service{…}`.
#[derive(Clone)]
pub(crate) struct Declared {
    /// Its table.
    pub(crate) table: Table,
    /// Its line; 0 when unknown.
    pub(crate) line: u32,
}

impl Loader {
    /// Starts loading from a set of sources.
    pub(crate) fn new(set: Arc<SourceSet>, api: &Api) -> Rc<Self> {
        Rc::new(Self {
            set: RefCell::new(set),
            declares: api.declares,
            coverage: api.coverage.clone(),
            compiled: RefCell::default(),
            ready: RefCell::default(),
            stack: RefCell::default(),
            uses: RefCell::default(),
            declared: RefCell::default(),
            open: Cell::new(true),
        })
    }

    /// Adds `require` and `service`, or `test`, to the globals.
    pub(crate) fn install(self: &Rc<Self>, lua: &Lua, env: &Table) -> mlua::Result<()> {
        let globals = lua.globals();
        let this = Rc::clone(self);
        let environment = env.clone();
        let find =
            lua.create_function(move |lua, name: mlua::Value| this.find(lua, &environment, &name))?;
        let this = Rc::clone(self);
        let done = lua.create_function(move |_, (name, value): (String, mlua::Value)| {
            this.done(&name, value).map_err(raise)
        })?;
        let this = Rc::clone(self);
        let failed = lua.create_function(move |_, ()| {
            drop(this.stack.borrow_mut().pop());
            Ok(())
        })?;
        let require: Function = lua.load(REQUIRE).set_name("=kladka").call((
            find,
            done,
            failed,
            globals.get::<Function>("pcall")?,
        ))?;
        globals.raw_set("require", require)?;
        let this = Rc::clone(self);
        if self.declares == Declares::Tests {
            let test =
                lua.create_function(move |lua, (name, run): (mlua::Value, mlua::Value)| {
                    this.test(lua, &name, run).map_err(raise)
                })?;
            return globals.raw_set("test", test);
        }
        let service = lua.create_function(move |lua, table: mlua::Value| {
            this.service(lua, &table).map_err(raise)
        })?;
        globals.raw_set("service", service)
    }

    /// Compiles one source under its path as chunk name.
    pub(crate) fn compile(
        &self,
        lua: &Lua,
        source: &Source,
        env: &Table,
    ) -> mlua::Result<Function> {
        let mut chunk = lua
            .load(source.text.as_str())
            .set_name(format!("@{}", source.path))
            .set_mode(mlua::chunk::ChunkMode::Text)
            .set_environment(env.clone());
        if self.coverage.is_some() {
            chunk = chunk.set_compiler(Compiler::new().set_coverage_level(1));
        }
        let function = chunk.into_function()?;
        if self.coverage.is_some() {
            let mut compiled = self.compiled.borrow_mut();
            compiled.push((source.path.clone(), function.clone()));
        }
        Ok(function)
    }

    /// Notes which lines ran in this VM.
    pub(crate) fn note_coverage(&self) {
        let Some(coverage) = &self.coverage else {
            return;
        };
        for (path, function) in self.compiled.take() {
            function.coverage(|ran| {
                for (line, hits) in (0..).zip(ran.hits) {
                    // Lines without anything to run are negative.
                    if let Ok(hits) = u64::try_from(hits) {
                        coverage.note(&path, line, hits);
                    }
                }
            });
        }
    }

    /// Ends loading: from now on, `require` gives loaded modules only.
    pub(crate) fn close(&self) {
        self.open.set(false);
    }

    /// Takes other sources and forgets what it loaded of the old ones; returns that.
    pub(crate) fn renew(&self, set: Arc<SourceSet>) -> HashMap<String, mlua::Value> {
        drop(self.set.replace(set));
        self.ready.take()
    }

    /// Returns the paths of the modules used.
    pub(crate) fn uses(&self) -> Vec<String> {
        self.uses.borrow().iter().cloned().collect()
    }

    /// Returns the services that a file returned, in order; none when it is a plain module.
    pub(crate) fn services(&self, returned: &mlua::Value) -> Result<Vec<Declared>, Fault> {
        let declared = self.declared.borrow();
        if self.declares == Declares::Tests {
            return Ok(declared.clone());
        }
        let known = |value: &mlua::Value| {
            let table = value.as_table()?;
            declared.iter().find(|one| one.table == *table).cloned()
        };
        if let Some(one) = known(returned) {
            return Ok(vec![one]);
        }
        let listed: Vec<Declared> = match returned.as_table() {
            Some(list) => list
                .sequence_values::<mlua::Value>()
                .filter_map(|value| known(&value.ok()?))
                .collect(),
            None => Vec::new(),
        };
        if listed.len() == declared.len() {
            return Ok(listed);
        }
        Err(Fault::new(
            Code::BadDeclaration,
            "service{…} is called but not returned",
        )
        .hint("Write `return service { … }`, or `return { service{…}, service{…} }` for several."))
    }

    fn service(&self, lua: &Lua, table: &mlua::Value) -> Result<mlua::Value, Fault> {
        let Some(table) = table.as_table() else {
            return Err(Fault::new(
                Code::BadDeclaration,
                "service needs a table: service { … }",
            ));
        };
        if !self.open.get() {
            return Err(Fault::new(
                Code::BadDeclaration,
                "service{…} stands inside a function: services are declared at the top of a file",
            ));
        }
        if let Some(module) = self.stack.borrow().last() {
            return Err(Fault::new(
                Code::ScriptModule,
                format!("module '{module}' declares a service, so no other file can load it"),
            )
            .hint("Move what both files need into a plain module."));
        }
        let line = lua.inspect_stack(1, diagnostic::line_of).flatten();
        self.declared.borrow_mut().push(Declared {
            table: table.clone(),
            line: line.unwrap_or(0),
        });
        Ok(mlua::Value::Table(table.clone()))
    }

    /// Declares a test: to the engine a service, whose name is its number.
    fn test(&self, lua: &Lua, name: &mlua::Value, run: mlua::Value) -> Result<(), Fault> {
        let refuse = |message: &str| {
            Fault::new(Code::BadDeclaration, message)
                .hint("Write `test(\"what it shows\", function(t) … end)` at the top of the file.")
        };
        let (mlua::Value::String(_), mlua::Value::Function(_)) = (name, &run) else {
            return Err(refuse("test needs a name and a function"));
        };
        if !self.open.get() || !self.stack.borrow().is_empty() {
            return Err(refuse("test stands inside a function or a module"));
        }
        let number = self.declared.borrow().len() + 1;
        let made = lua.create_table().and_then(|table| {
            table.raw_set("name", format!("test.{number}"))?;
            table.raw_set("doc", name)?;
            table.raw_set("handle", run)?;
            Ok(table)
        });
        let table = made.map_err(|error| Fault::new(Code::Internal, error.to_string()))?;
        let line = lua.inspect_stack(1, diagnostic::line_of).flatten();
        self.declared.borrow_mut().push(Declared {
            table,
            line: line.unwrap_or(0),
        });
        Ok(())
    }

    /// Returns what a module returned, or the function that makes it.
    fn find(
        &self,
        lua: &Lua,
        env: &Table,
        name: &mlua::Value,
    ) -> Result<(mlua::Value, mlua::Value), mlua::Error> {
        let name = match name {
            mlua::Value::String(name) => name.to_string_lossy(),
            other => {
                let kind = with_article(other.type_name());
                let message = format!("require needs the name of a module, got {kind}");
                return Err(raise(Fault::new(Code::ScriptModule, message)));
            }
        };
        if let Some(ready) = self.ready.borrow().get(&name) {
            return Ok((ready.clone(), mlua::Value::Nil));
        }
        let source = self.source(&name).map_err(raise)?;
        self.uses.borrow_mut().insert(source.path.clone());
        let function = self
            .compile(lua, &source, env)
            .map_err(|error| raise(broken(&name, &diagnostic::fault_of(&error))))?;
        self.stack.borrow_mut().push(name);
        Ok((mlua::Value::Nil, mlua::Value::Function(function)))
    }

    fn source(&self, name: &str) -> Result<Arc<Source>, Fault> {
        let stack = self.stack.borrow();
        if let Some(start) = stack.iter().position(|running| running == name) {
            let circle = stack.iter().skip(start).map(String::as_str);
            let circle = circle.chain([name]).collect::<Vec<_>>().join(" → ");
            let message = format!("module '{name}' requires itself: {circle}");
            return Err(Fault::new(Code::ScriptModule, message)
                .hint("Move what both need into a third module."));
        }
        let set = Arc::clone(&self.set.borrow());
        let source = set
            .module(name, ENDINGS)
            .ok_or_else(|| unknown(&set, name))?;
        if !self.open.get() {
            let message = format!("module '{name}' is not loaded yet");
            return Err(Fault::new(Code::ScriptModule, message)
                .hint("Call require at the top of the file, not inside a function."));
        }
        Ok(Arc::clone(source))
    }

    fn done(&self, name: &str, value: mlua::Value) -> Result<mlua::Value, Fault> {
        drop(self.stack.borrow_mut().pop());
        if value.is_nil() {
            let message = format!("module '{name}' returns nothing");
            return Err(Fault::new(Code::ScriptModule, message)
                .hint("End the file with `return M`, the table of its functions."));
        }
        freeze(&value, 8);
        self.ready
            .borrow_mut()
            .insert(name.to_owned(), value.clone());
        Ok(value)
    }
}

/// Explains that there is no such module.
fn unknown(set: &SourceSet, name: &str) -> Fault {
    let fault = Fault::new(
        Code::ScriptModule,
        format!("there is no module named '{name}'"),
    );
    let names = set.by_module.keys().map(String::as_str);
    match closest(name, names) {
        Some(near) => fault.hint(format!("Did you mean `{near}`?")),
        None => fault.hint(format!(
            "Modules are files of scripts/ and stdlib/: scripts/{}.lua.",
            name.replace('.', "/")
        )),
    }
}

/// Runs the module in Luau, so that its top level can give way like any script.
const REQUIRE: &str = "
local find, done, failed, pcall = ...
local rethrow = error
return function(name)
  local value, make = find(name)
  if make == nil then
    return value
  end
  local ok, result = pcall(make)
  if not ok then
    failed()
    rethrow(result, 0)
  end
  return done(name, result)
end
";

/// Makes a table and those in it read-only.
fn freeze(value: &mlua::Value, depth: u32) {
    let Some(table) = value.as_table() else {
        return;
    };
    if depth == 0 || table.is_readonly() {
        return;
    }
    table.set_readonly(true);
    for (_, member) in table.pairs::<mlua::Value, mlua::Value>().flatten() {
        freeze(&member, depth - 1);
    }
}
