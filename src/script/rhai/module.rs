//! `import` and `service`: what a file may ask for while its top level runs.
//!
//! Modules come from the sources of the moment only and run once per file that is loaded.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use rhai::{
    AST, Dynamic, Engine, EvalAltResult, Map, Module, ModuleResolver, NativeCallContext, Position,
    Scope, Shared,
};

use crate::base::{Code, Fault, Place, closest};
use crate::contract::{Source, SourceSet};
use crate::script::declare::broken;
use crate::script::rhai::bind::{Outcome, raise};
use crate::script::rhai::closure::Problem;
use crate::script::rhai::diagnostic::{self, Around};
use crate::script::rhai::engine::Interpreter;
use crate::script::rhai::fiber;
use crate::script::rhai::load::ENDINGS;

/// The modules of one file by name, once it is loaded.
pub(crate) type Modules = BTreeMap<String, Shared<Module>>;

/// The state of loading a file, or its modules when it is loaded.
pub(crate) struct Loader {
    interpreter: Arc<Interpreter>,
    set: Arc<SourceSet>,
    /// What the modules made, by name.
    ready: RefCell<Arc<Modules>>,
    /// The modules that run now, outermost first.
    stack: RefCell<Vec<String>>,
    /// Paths of the modules used so far.
    uses: RefCell<BTreeSet<String>>,
    /// What `service` was called with.
    declared: RefCell<Vec<Declared>>,
    /// Whether the top level of the file still runs.
    open: Cell<bool>,
    /// Whether modules may be loaded at any time.
    lasting: bool,
}

/// One call of `service(#{…})`.
pub(crate) struct Declared {
    /// Its map.
    pub(crate) map: Map,
    /// Its line; 0 when unknown.
    pub(crate) line: u32,
}

/// What loading gave.
pub(crate) struct Gathered {
    /// The services.
    pub(crate) declared: Vec<Declared>,
    /// The paths of the modules used.
    pub(crate) uses: Vec<String>,
    /// The modules.
    pub(crate) modules: Arc<Modules>,
}

impl Loader {
    /// Starts loading from a set of sources.
    pub(crate) fn open(interpreter: Arc<Interpreter>, set: Arc<SourceSet>) -> Self {
        Self {
            open: Cell::new(true),
            ..Self::loaded(interpreter, set, Arc::default())
        }
    }

    /// Offers what is loaded, for a call.
    pub(crate) fn loaded(
        interpreter: Arc<Interpreter>,
        set: Arc<SourceSet>,
        modules: Arc<Modules>,
    ) -> Self {
        Self {
            interpreter,
            set,
            ready: RefCell::new(modules),
            stack: RefCell::default(),
            uses: RefCell::default(),
            declared: RefCell::default(),
            open: Cell::new(false),
            lasting: false,
        }
    }

    /// Offers what is loaded and loads what is not, for a text of a session.
    pub(crate) fn lasting(
        interpreter: Arc<Interpreter>,
        set: Arc<SourceSet>,
        modules: Arc<Modules>,
    ) -> Self {
        Self {
            lasting: true,
            ..Self::loaded(interpreter, set, modules)
        }
    }

    /// Returns the modules.
    pub(crate) fn modules(&self) -> Arc<Modules> {
        Arc::clone(&self.ready.borrow())
    }

    /// Returns the interpreter.
    pub(crate) fn interpreter(&self) -> &Arc<Interpreter> {
        &self.interpreter
    }

    /// Tells whether the top level of a file runs.
    pub(crate) fn is_open(&self) -> bool {
        self.open.get()
    }

    /// Returns what loading gave.
    pub(crate) fn gather(&self) -> Gathered {
        Gathered {
            declared: self.declared.take(),
            uses: self.uses.take().into_iter().collect(),
            modules: self.ready.take(),
        }
    }

    fn service(&self, map: Map, position: Position) -> Result<(), Fault> {
        if !self.open.get() {
            return Err(Fault::new(
                Code::BadDeclaration,
                "service(…) stands inside a function: services are declared at the top of a file",
            ));
        }
        if let Some(module) = self.stack.borrow().last() {
            return Err(Fault::new(
                Code::ScriptModule,
                format!("module '{module}' declares a service, so no other file can load it"),
            )
            .hint("Move what both files need into a plain module."));
        }
        let line = position.line().and_then(|line| u32::try_from(line).ok());
        self.declared.borrow_mut().push(Declared {
            map,
            line: line.unwrap_or(0),
        });
        Ok(())
    }

    /// Returns a module, and runs it if that was not done yet.
    fn module(&self, name: &str) -> Result<Shared<Module>, Fault> {
        if let Some(ready) = self.ready.borrow().get(name) {
            return Ok(Arc::clone(ready));
        }
        let source = self.source(name)?;
        self.uses.borrow_mut().insert(source.path.clone());
        self.stack.borrow_mut().push(name.to_owned());
        let made = run(&self.interpreter, &source, &self.set);
        drop(self.stack.borrow_mut().pop());
        let module = made
            .map_err(|fault| match fault.code() {
                Code::ScriptCompile => broken(name, &fault),
                _ => fault,
            })?
            .module;
        let mut ready = self.ready.borrow_mut();
        Arc::make_mut(&mut ready).insert(name.to_owned(), Arc::clone(&module));
        Ok(module)
    }

    fn source(&self, name: &str) -> Result<Arc<Source>, Fault> {
        let stack = self.stack.borrow();
        if let Some(start) = stack.iter().position(|running| running == name) {
            let circle = stack.iter().skip(start).map(String::as_str);
            let circle = circle.chain([name]).collect::<Vec<_>>().join(" → ");
            let message = format!("module '{name}' imports itself: {circle}");
            return Err(Fault::new(Code::ScriptModule, message)
                .hint("Move what both need into a third module."));
        }
        if !self.open.get() && !self.lasting {
            let message = format!("module '{name}' is not loaded yet");
            return Err(Fault::new(Code::ScriptModule, message)
                .hint("Write import at the top of the file, not inside a function."));
        }
        let source = self.set.module(&name.replace('/', "."), ENDINGS);
        source.cloned().ok_or_else(|| self.unknown(name))
    }

    fn unknown(&self, name: &str) -> Fault {
        let fault = Fault::new(
            Code::ScriptModule,
            format!("there is no module named '{name}'"),
        );
        let known = self.set.by_module.keys();
        let known = known.filter(|name| self.set.module(name, ENDINGS).is_some());
        let known: Vec<String> = known.map(|name| name.replace('.', "/")).collect();
        match closest(name, known.iter().map(String::as_str)) {
            Some(near) => fault.hint(format!("Did you mean `{near}`?")),
            None => fault.hint(format!(
                "Modules are files of scripts/ and stdlib/: scripts/{name}.rhai."
            )),
        }
    }
}

/// A file whose top level ran.
pub(crate) struct Ran {
    /// What it made.
    pub(crate) module: Shared<Module>,
    /// What it says.
    pub(crate) ast: AST,
}

/// Compiles a file and runs its top level.
pub(crate) fn run(
    interpreter: &Interpreter,
    source: &Source,
    set: &SourceSet,
) -> Result<Ran, Fault> {
    let place = |(fault, position): Problem| {
        let (line, column) = diagnostic::line_and_column(position);
        fault.at(Place::new(source.path.as_str(), line, column))
    };
    let ast = interpreter
        .compile(&source.text, &source.path)
        .map_err(place)?;
    let made = Module::eval_ast_as_new(Scope::new(), &ast, &interpreter.engine);
    let around = Around {
        index: &interpreter.index,
        set,
        path: &source.path,
    };
    let mut module = made.map_err(|error| diagnostic::fault_of(&error, &around))?;
    module.build_index();
    let module = Arc::new(module);
    Ok(Ran { module, ast })
}

/// Finds modules for the file that is loaded on this thread.
pub(crate) struct Resolver;

impl ModuleResolver for Resolver {
    fn resolve(
        &self,
        _: &Engine,
        _: Option<&str>,
        path: &str,
        position: Position,
    ) -> Result<Shared<Module>, Box<EvalAltResult>> {
        let found = fiber::task().map(|task| task.loader.module(path));
        match found {
            Some(Ok(module)) => Ok(module),
            Some(Err(fault)) => {
                let mut error = raise(fault);
                error.set_position(position);
                Err(error)
            }
            None => Err(EvalAltResult::ErrorModuleNotFound(path.to_owned(), position).into()),
        }
    }
}

/// Adds `service`.
pub(crate) fn install(engine: &mut Engine) {
    let service = |context: NativeCallContext<'_>, given: Dynamic| -> Outcome<()> {
        let Some(map) = given.try_cast::<Map>() else {
            return Err(raise(Fault::new(
                Code::BadDeclaration,
                "service needs a map: service(#{ … })",
            )));
        };
        let Some(task) = fiber::task() else {
            return Ok(());
        };
        let declared = task.loader.service(map, context.call_position());
        declared.map_err(raise)
    };
    engine.register_fn("service", service);
}
