//! Tries a file: compiles it, runs its top level in a VM that is thrown away, reads what it declares.

use std::rc::Rc;
use std::sync::{Arc, OnceLock};

use crate::base::{Code, Fault, Outline, Value, closest, with_article};
use crate::contract::{Engine, Language, Limits, Loaded, Service, Source, SourceSet};
use crate::script::Api;
use crate::script::declare::{self, LOAD_TIME, Loading, Read, Tried, at_service, too_long};
use crate::script::lua::convert::Reader;
use crate::script::lua::diagnostic;
use crate::script::lua::memory::Guarded;
use crate::script::lua::module::Declared;
use crate::script::lua::outline;
use crate::script::lua::service::LuaRunner;
use crate::script::lua::vm::{Parts, Vm};
use crate::script::meter::{Manners, Meter, Running};
use crate::script::offline;
use crate::script::poll::Bounds;
use crate::script::program::{Program, ScriptService};

/// The file endings.
pub(crate) const ENDINGS: &[&str] = &["lua", "luau"];

/// Services in Lua (Luau).
pub(crate) struct LuaEngine {
    api: Arc<Api>,
    /// The names that any file may use; asked for by checks only.
    globals: OnceLock<Vec<String>>,
}

impl LuaEngine {
    /// Makes the engine with the script API it offers.
    pub(crate) fn new(api: impl Into<Api>) -> Self {
        Self {
            api: Arc::new(api.into()),
            globals: OnceLock::new(),
        }
    }

    fn globals(&self) -> &[String] {
        self.globals.get_or_init(|| {
            let vm = Vm::open(&Parts {
                meter: &Rc::new(Meter::default()),
                api: &self.api,
                set: &Arc::default(),
                waits: false,
                seed: 0,
                declaration: None,
            });
            vm.map_or_else(|_no_memory| Vec::new(), |vm| vm.names())
        })
    }
}

impl Engine for LuaEngine {
    fn language(&self) -> &'static Language {
        &Language {
            name: Self::LANGUAGE,
            endings: ENDINGS,
        }
    }

    fn load(&self, set: &Arc<SourceSet>, path: &str) -> Result<Loaded, Vec<Fault>> {
        declare::load(self, set, path)
    }

    fn outline(&self, source: &Source) -> Option<Outline> {
        outline::read(source, self.globals())
    }
}

impl Loading for LuaEngine {
    const LANGUAGE: &'static str = "lua";
    const MAX_SOURCE: usize = 256 << 10;
    type Kept = ();

    fn api(&self) -> &Arc<Api> {
        &self.api
    }

    fn attempt(&self, set: &Arc<SourceSet>, source: &Arc<Source>) -> Result<Tried<()>, Fault> {
        let meter = Rc::new(Meter::default());
        let parts = Parts {
            meter: &meter,
            api: &self.api,
            set,
            waits: false,
            seed: 0,
            declaration: None,
        };
        let vm = Vm::open(&parts).map_err(|error| diagnostic::fault_of(&error))?;
        let main = vm
            .compile(source)
            .map_err(|error| diagnostic::fault_of(&error))?;
        let call = offline::call(&source.path, Self::LANGUAGE)
            .ok_or_else(|| Fault::new(Code::Internal, "no name for a call"))?;
        let running = Running::new(call, LOAD_TIME, Manners::Alone);
        let bounds = Bounds {
            meter,
            running: Rc::clone(&running),
            guard: Guarded::new(&vm, Limits::default().memory),
        };
        let returned = bounds.within(|| main.call::<mlua::Value>(()));
        if let Some(over) = running.over() {
            return Err(too_long(&over, source));
        }
        let returned = returned.map_err(|error| running.locate(diagnostic::fault_of(&error)))?;
        let declared = vm.loader.services(&returned);
        let declared = declared.map_err(|fault| at_service(fault, source))?;
        Ok(Tried {
            declared: declared.iter().map(read).collect(),
            uses: vm.loader.uses(),
            kept: (),
        })
    }

    fn serve(&self, (): &(), _: usize, program: Arc<Program>) -> Arc<dyn Service> {
        Arc::new(ScriptService::new(Arc::new(LuaRunner(program))))
    }
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
        doc_below: None,
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
