//! Tries a file: compiles it, runs its top level in a VM that is thrown away, reads what it declares.

use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use crate::base::{Code, Fault, Place, Value, closest, with_article};
use crate::contract::{
    Declaration, Engine, HostFn, Language, Limits, Loaded, Service, Source, SourceSet,
};
use crate::script::lua::convert::Reader;

use crate::script::lua::module::Declared;
use crate::script::lua::poll::Bounds;
use crate::script::lua::service::{LuaService, Program};
use crate::script::lua::vm::{Parts, Vm};
use crate::script::lua::{diagnostic, offline};
use crate::script::meter::{Manners, Meter, Running};
use crate::sio;

/// How long the top level of a file may run.
const LOAD_TIME: Duration = Duration::from_secs(1);
/// The longest source, in bytes.
const MAX_SOURCE: usize = 256 << 10;

/// Services in Lua (Luau).
pub(crate) struct LuaEngine {
    tables: Arc<[&'static [HostFn]]>,
}

impl LuaEngine {
    /// Makes the engine with the script API it offers.
    pub(crate) fn new(tables: Vec<&'static [HostFn]>) -> Self {
        Self {
            tables: tables.into(),
        }
    }
}

impl Engine for LuaEngine {
    fn language(&self) -> &'static Language {
        &Language {
            name: "lua",
            endings: &["lua", "luau"],
        }
    }

    fn load(&self, set: &Arc<SourceSet>, path: &str) -> Result<Loaded, Vec<Fault>> {
        let source = set.by_path.get(path).ok_or_else(|| {
            let message = format!("there is no source '{path}'");
            vec![Fault::new(Code::BadSource, message)]
        })?;
        if source.text.len() > MAX_SOURCE {
            let message = format!("'{path}' is longer than {} KiB", MAX_SOURCE >> 10);
            return Err(vec![
                Fault::new(Code::BadSource, message).at(Place::new(path, 0, 0)),
            ]);
        }
        let trial = Trial::run(&self.tables, set, source)
            .map_err(|fault| vec![diagnostic::show(fault, set)])?;
        let program = |declaration| {
            let set = Arc::clone(&trial.used);
            Program::new(Arc::clone(&self.tables), set, source, declaration)
        };
        let services = declarations(source, &trial.declared).map_err(|faults| {
            let shown = faults.into_iter().map(|fault| diagnostic::show(fault, set));
            shown.collect::<Vec<_>>()
        })?;
        let services = services.into_iter().map(|declaration| {
            let service: Arc<dyn Service> = Arc::new(LuaService::new(program(declaration)));
            service
        });
        Ok(Loaded {
            services: services.collect(),
            uses: trial.uses,
        })
    }
}

/// What running the top level gave.
struct Trial {
    declared: Vec<Read>,
    uses: Vec<String>,
    /// The sources that a VM of this file needs, and no others.
    used: Arc<SourceSet>,
}

/// One `service{…}`, out of its VM.
struct Read {
    line: u32,
    raw: Result<Value, Fault>,
    problems: Vec<Fault>,
}

impl Trial {
    fn run(
        tables: &[&'static [HostFn]],
        set: &Arc<SourceSet>,
        source: &Arc<Source>,
    ) -> Result<Self, Fault> {
        let meter = Rc::new(Meter::default());
        let parts = Parts {
            meter: &meter,
            tables,
            set,
            waits: false,
            declaration: None,
        };
        let vm = Vm::open(&parts).map_err(|error| diagnostic::fault_of(&error))?;
        let main = vm
            .compile(source)
            .map_err(|error| diagnostic::fault_of(&error))?;
        let call = offline::call(&source.path)
            .ok_or_else(|| Fault::new(Code::Internal, "no name for a call"))?;
        let running = Running::new(call, LOAD_TIME, Manners::Alone);
        let bounds = Bounds {
            meter,
            running: Rc::clone(&running),
            lua: vm.lua.clone(),
            alarm: Rc::clone(&vm.alarm),
            memory: Limits::default().memory,
        };
        let returned = bounds.within(|| main.call::<mlua::Value>(()));
        if let Some(over) = running.over() {
            return Err(too_long(&over, source));
        }
        let returned = returned.map_err(|error| running.locate(diagnostic::fault_of(&error)))?;
        let declared = vm.loader.services(&returned);
        let declared = declared.map_err(|fault| at_service(fault, source))?;
        let uses = vm.loader.uses();
        Ok(Self {
            declared: declared.iter().map(read).collect(),
            used: Arc::new(reduced(set, source, &uses)),
            uses,
        })
    }
}

fn too_long(over: &Fault, source: &Source) -> Fault {
    if over.code() != Code::CpuBudget {
        return over.clone();
    }
    let place = over.place().cloned();
    let limit = LOAD_TIME.as_millis();
    let message = format!("the top level of the file ran for more than {limit} ms");
    Fault::new(Code::CpuBudget, message)
        .at(place.unwrap_or_else(|| Place::new(source.path.as_str(), 0, 0)))
        .hint("A file declares its services; the work belongs into `handle`.")
}

/// Puts a fault at the first `service` of the file.
fn at_service(fault: Fault, source: &Source) -> Fault {
    let found = (1..)
        .zip(source.text.lines())
        .find(|(_, line)| line.contains("service"));
    let line = found.map_or(0, |(number, _)| number);
    fault.at(Place::new(source.path.as_str(), line, 0))
}

/// Reads a declaration's table without its function.
fn read(declared: &Declared) -> Read {
    let mut problems = Vec::new();
    let mut handle = false;
    let mut pairs = crate::base::Map::new();
    let mut failed = None;
    for (key, value) in declared.table.pairs::<mlua::Value, mlua::Value>().flatten() {
        let name = crate::script::lua::sandbox::shown(&key);
        match (name.as_str(), value) {
            ("handle", mlua::Value::Function(_)) => handle = true,
            (_, mlua::Value::Function(_)) => problems.push(stray(&name)),
            ("handle", other) => {
                handle = true;
                let kind = with_article(other.type_name());
                let message = format!("'handle' must be a function, got {kind}");
                problems.push(Fault::new(Code::BadDeclaration, message));
            }
            (_, value) => match Reader::new(&name).read(&value) {
                Ok(value) => pairs.set(&name, value),
                Err(fault) => failed = Some(fault),
            },
        }
    }
    if !handle && problems.is_empty() {
        let fault = Fault::new(Code::BadDeclaration, "the service has no 'handle'");
        problems.push(fault.hint("Add `handle = function(ctx) … end`."));
    }
    Read {
        line: declared.line,
        raw: failed.map_or(Ok(Value::Map(pairs)), Err),
        problems,
    }
}

fn stray(name: &str) -> Fault {
    let fault = Fault::new(
        Code::BadDeclaration,
        format!("a service has no function '{name}'"),
    );
    match closest(name, ["handle"]) {
        Some(near) => fault.hint(format!("Did you mean `{near}`?")),
        None => fault.hint("Its only function is `handle`; write others as `local function`."),
    }
}

/// Checks all declarations of a file and returns them, or all their problems.
fn declarations(source: &Source, read: &[Read]) -> Result<Vec<Declaration>, Vec<Fault>> {
    let mut faults = Vec::new();
    let mut found: Vec<Declaration> = Vec::new();
    for one in read {
        let line = heading(source, one.line);
        let place = Place::new(source.path.as_str(), line, 0);
        let problems = one.problems.iter().cloned();
        faults.extend(problems.map(|fault| locate(fault, source, line)));
        let raw = one.raw.clone().map_err(|fault| vec![fault]);
        match raw.and_then(|raw| sio::declare(&raw, place, "lua")) {
            Ok(mut declaration) => {
                if declaration.doc.is_empty() {
                    declaration.doc = doc_above(source, line);
                }
                if let Some(twice) = found.iter().find(|other| other.name == declaration.name) {
                    let message = format!("service '{}' is defined twice", twice.name);
                    let fault = Fault::new(Code::DuplicateService, message);
                    faults.push(locate(fault, source, line));
                }
                found.push(declaration);
            }
            Err(more) => {
                faults.extend(more.into_iter().map(|fault| locate(fault, source, line)));
            }
        }
    }
    if faults.is_empty() {
        Ok(found)
    } else {
        Err(faults)
    }
}

/// Returns the line with the word `service` of a declaration that Luau puts at `line`.
fn heading(source: &Source, line: u32) -> u32 {
    let upto = (1..).zip(source.text.lines()).take(line as usize);
    let starts = |text: &str| {
        let mut parts = text.split("service").skip(1);
        parts.any(|rest| rest.trim_start().starts_with(['{', '(']))
    };
    upto.filter(|(_, text)| starts(text))
        .last()
        .map_or(line, |(number, _)| number)
}

/// Moves a fault to the line of the declaration that holds the name it quotes.
fn locate(fault: Fault, source: &Source, from: u32) -> Fault {
    if fault
        .place()
        .is_some_and(|place| place.line > 0 && place.line != from)
    {
        return fault;
    }
    let lines = (1..)
        .zip(source.text.lines())
        .skip((from as usize).saturating_sub(1))
        .take(80);
    let quoted: Vec<&str> = fault
        .message()
        .split(['\'', '`', '"'])
        .skip(1)
        .step_by(2)
        .collect();
    let line = quoted
        .iter()
        .filter(|name| !name.is_empty())
        .find_map(|name| lines.clone().find(|(_, text)| text.contains(name)))
        .map_or(from, |(number, _)| number);
    fault.at(Place::new(source.path.as_str(), line, 0))
}

/// Returns the `---` comment right above a line.
fn doc_above(source: &Source, line: u32) -> String {
    let above: Vec<&str> = source
        .text
        .lines()
        .take((line as usize).saturating_sub(1))
        .collect();
    let comment = above
        .iter()
        .rev()
        .map_while(|text| text.trim_start().strip_prefix("---"));
    let mut lines: Vec<&str> = comment.map(str::trim).collect();
    lines.reverse();
    lines.join("\n").trim().to_owned()
}

/// Keeps of a set what one file needs, so that a program does not hold the rest.
fn reduced(set: &SourceSet, source: &Arc<Source>, uses: &[String]) -> SourceSet {
    let mut by_path: BTreeMap<String, Arc<Source>> = uses
        .iter()
        .filter_map(|path| Some((path.clone(), Arc::clone(set.by_path.get(path)?))))
        .collect();
    by_path.insert(source.path.clone(), Arc::clone(source));
    let by_module = set
        .by_module
        .iter()
        .filter(|(_, path)| by_path.contains_key(*path));
    let by_module = by_module
        .map(|(name, path)| (name.clone(), path.clone()))
        .collect();
    SourceSet { by_path, by_module }
}
