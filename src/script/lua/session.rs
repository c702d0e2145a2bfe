//! A conversation in Lua: one VM, one environment, one `ctx`; each text is a chunk of its own.

use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use mlua::chunk::ChunkMode;
use mlua::{Function, MultiValue, Table};
use serde_json::Value as Json;

use crate::base::{Code, Fault, LocalBoxFuture, Map, Place, Value};
use crate::contract::{Call, SourceSet};
use crate::script::host::chance::Chance;
use crate::script::lua::bridge::PRELUDE_NAME;
use crate::script::lua::convert::Reader;
use crate::script::lua::diagnostic;
use crate::script::lua::keep::keep;
use crate::script::lua::memory::Guarded;
use crate::script::lua::object::Held;
use crate::script::lua::vm::{Parts, Vm, text_of};
use crate::script::lua::{scan, written};
use crate::script::meter::{Manners, Meter, Running};
use crate::script::poll::{Bounds, Metered};
use crate::script::session::{Entry, Ground, Outcome, PATH, Session, Variable, meant};

/// The longest text, in bytes.
const MAX_TEXT: usize = 256 << 10;
/// The names of the environment that are no variables of the user.
const OURS: [&str; 2] = ["ctx", "_"];
/// How many names of a table are offered.
const MEMBERS: usize = 200;

/// Makes `ctx` once: what depends on the call is read from the one that runs.
const CTX: &str = "
local ctx_meta, request_meta, response_meta = ...
local request = setmetatable({}, request_meta)
local response = setmetatable({ payload = {} }, response_meta)
return setmetatable({ request = request, response = response }, ctx_meta), request
";

/// A conversation.
pub(crate) struct LuaSession {
    /// What texts set.
    env: Table,
    ctx: Table,
    request: Table,
    vm: Vm,
    meter: Rc<Meter>,
}

impl LuaSession {
    /// Begins a conversation.
    pub(crate) fn open(ground: &Ground) -> Result<Self, Fault> {
        let meter = ground.core.local::<Meter>();
        let parts = Parts {
            meter: &meter,
            api: &ground.api,
            set: &ground.set,
            waits: ground.waits,
            seed: ground.core.local::<Chance>().seed()?,
            declaration: None,
        };
        let made = Vm::open(&parts).and_then(|vm| {
            let metatables = vm.context.metatables();
            let chunk = vm.lua.load(CTX).set_name(format!("={PRELUDE_NAME}"));
            let metatables = (metatables.ctx, metatables.request, metatables.response);
            let (ctx, request) = chunk.call::<(Table, Table)>(metatables)?;
            Ok((vm.own_env()?, ctx, request, vm))
        });
        let (env, ctx, request, vm) = made.map_err(|error| diagnostic::fault_of(&error))?;
        let session = Self {
            env,
            ctx,
            request,
            vm,
            meter,
        };
        session.set_input(Value::Map(Map::new()));
        Ok(session)
    }

    fn chunk(&self, text: &str) -> mlua::Result<Function> {
        let chunk = self.vm.lua.load(text).set_name(format!("@{PATH}"));
        let chunk = chunk.set_mode(ChunkMode::Text);
        chunk.set_environment(self.env.clone()).into_function()
    }

    /// Compiles a text: an expression gives its value, anything else runs.
    fn compile(&self, entry: &Entry) -> Result<Function, Fault> {
        let (above, text) = (entry.above(), &entry.text);
        if text.len() > MAX_TEXT {
            return Err(too_long(entry));
        }
        let value = match self.chunk(&format!("{above}return {text}")) {
            Ok(function) => return Ok(function),
            Err(error) => error,
        };
        let plain = self.chunk(&format!("{above}{text}"));
        plain.map_err(|error| telling(&error, &value))?;
        let kept = self.chunk(&format!("{above}{}", keep(text)));
        kept.map_err(|error| diagnostic::fault_of(&error))
    }

    async fn evaluate(&self, entry: &Entry, call: Rc<Call>) -> Result<Outcome, Fault> {
        let function = self.compile(entry)?;
        let set = self.env.raw_set("ctx", &self.ctx);
        set.map_err(|error| diagnostic::fault_of(&error))?;
        let limits = call.ctx.limits;
        let budget = Duration::from_millis(limits.cpu_ms);
        let running = Running::new(call, budget, Manners::Shared);
        let bounds = Bounds {
            meter: Rc::clone(&self.meter),
            running: Rc::clone(&running),
            guard: Guarded::new(&self.vm, limits.memory),
        };
        let result = Metered::new(function.call_async::<MultiValue>(()), bounds).await;
        let result = result.map_err(|error| running.locate(diagnostic::fault_of(&error)));
        let result = match running.over() {
            Some(over) => Err(over),
            None => result,
        };
        match result {
            Ok(returned) => Ok(self.outcome(&entry.text, &returned.into_vec())),
            Err(fault) => {
                let fault = self.recover(fault, limits.memory);
                Err(meant(placed(fault, entry), &self.variables()))
            }
        }
    }

    /// Frees what a text that ran out of memory left behind; if its variables alone hold too much, they go, too.
    fn recover(&self, fault: Fault, memory: usize) -> Fault {
        if fault.code() != Code::MemoryBudget {
            return fault;
        }
        // What fails here shows as the next memory error.
        drop(self.vm.lua.gc_collect());
        if self.vm.lua.used_memory() <= memory / 4 * 3 {
            return fault;
        }
        drop(self.env.clear());
        drop(self.vm.lua.gc_collect());
        fault.hint("The variables filled the memory, so all of them are gone.")
    }

    fn outcome(&self, text: &str, values: &[mlua::Value]) -> Outcome {
        if let Some(first) = values.first().filter(|value| !value.is_nil()) {
            // It is a plain table of ours.
            drop(self.env.raw_set("_", first));
        }
        let texts = values.iter().map(|value| written::write(value).layout());
        let texts: Vec<String> = texts.collect();
        let mut documents: Vec<Json> = values.iter().map(document).collect();
        Outcome {
            // A text that ends as a statement wants no answer.
            text: (!texts.is_empty() && !text.trim_end().ends_with(';')).then(|| texts.join("\n")),
            json: match documents.len() {
                0 | 1 => documents.pop().unwrap_or_default(),
                _ => Json::Array(documents),
            },
        }
    }

    fn pairs(&self) -> impl Iterator<Item = (String, mlua::Value)> {
        let pairs = self.env.pairs::<mlua::Value, mlua::Value>().flatten();
        pairs.filter_map(|(key, value)| {
            let name = text_of(&key)?.to_string();
            (!OURS.contains(&name.as_str())).then_some((name, value))
        })
    }
}

/// Returns why a text does not compile: as statements, or as a value where it does not even begin as a statement.
fn telling(plain: &mlua::Error, value: &mlua::Error) -> Fault {
    let fault = diagnostic::fault_of(plain);
    let begins = [
        "Incomplete statement",
        "Expected identifier when parsing expression",
    ];
    if begins
        .iter()
        .any(|no_statement| fault.message().starts_with(no_statement))
    {
        return diagnostic::fault_of(value);
    }
    fault
}

/// Returns a value for programs; what they cannot have is written as people see it.
fn document(value: &mlua::Value) -> Json {
    match Reader::new("the value").read(value) {
        Ok(Value::Handle(_)) | Err(_) => Json::from(written::write(value).layout()),
        Ok(value) => Json::from(&value),
    }
}

/// Returns a fault with a place, if only the text as a whole.
fn placed(fault: Fault, entry: &Entry) -> Fault {
    match fault.place() {
        Some(_) => fault,
        None => fault.at(Place::new(PATH, u32::try_from(entry.line).unwrap_or(0), 0)),
    }
}

fn too_long(entry: &Entry) -> Fault {
    let message = format!("the text is longer than {} KiB", MAX_TEXT >> 10);
    let fault = Fault::new(Code::ScriptCompile, message);
    placed(
        fault.hint("Put it in a file of scripts/ and `require` that."),
        entry,
    )
}

fn breaks_off(error: &mlua::Error) -> bool {
    matches!(error, mlua::Error::SyntaxError { incomplete_input, .. } if *incomplete_input)
}

impl Session for LuaSession {
    fn is_incomplete(&self, text: &str) -> bool {
        if scan::is_open(text) {
            return true;
        }
        let texts = [format!("return {text}"), text.to_owned()];
        let mut tried = texts.iter().map(|text| self.chunk(text).err());
        let errors: Option<Vec<mlua::Error>> = tried.by_ref().collect();
        errors.is_some_and(|errors| errors.iter().any(breaks_off))
    }

    fn run<'a>(
        &'a self,
        entry: &'a Entry,
        call: Rc<Call>,
    ) -> LocalBoxFuture<'a, Result<Outcome, Fault>> {
        Box::pin(self.evaluate(entry, call))
    }

    fn variables(&self) -> Vec<Variable> {
        let pairs = self.pairs();
        let variables = pairs.map(|(name, value)| Variable {
            name,
            class: class(&value),
            members: members(&value),
        });
        let mut variables: Vec<Variable> = variables.collect();
        variables.sort_by(|one, other| one.name.cmp(&other.name));
        variables
    }

    fn set_input(&self, input: Value) {
        // The table is one of ours; what fails is memory, and then the text that reads it fails.
        drop(
            self.vm
                .bridge
                .set(&self.vm.lua, &self.request, "input", input),
        );
    }

    fn renew(&self, set: Arc<SourceSet>) -> Vec<String> {
        let old = self.vm.loader.renew(set);
        let again = self.pairs().filter_map(|(name, value)| {
            let (module, _) = old.iter().find(|(_, held)| **held == value)?;
            written::is_name(&name).then(|| format!("{name} = require({module:?})"))
        });
        again.collect()
    }
}

fn class(value: &mlua::Value) -> Option<&'static str> {
    let held = value.as_userdata()?.borrow::<Held>().ok()?;
    Some(held.0.0.class())
}

fn members(value: &mlua::Value) -> Vec<String> {
    let Some(table) = value.as_table() else {
        return Vec::new();
    };
    let pairs = table.pairs::<mlua::Value, mlua::Value>().flatten();
    let names = pairs.take(MEMBERS).filter_map(|(key, _)| text_of(&key));
    let names = names.filter(|name| written::is_name(name));
    let mut names: Vec<String> = names.map(|name| name.to_string()).collect();
    names.sort();
    names
}
