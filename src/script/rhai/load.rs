//! Tries a file: compiles it, runs its top level under the budget of a call, and keeps the module that it made.

use std::rc::Rc;
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll, Waker};

use rhai::{AST, ASTFlags, ASTNode, Expr, FnPtr, Module, Position, Shared, Stmt};

use crate::base::{Code, Fault, Map, Outline, Place, Value, closest};
use crate::contract::{Engine, Language, Loaded, Service, Source, SourceSet};
use crate::script::context::returned;
use crate::script::declare::{self, LOAD_TIME, Loading, Read, Tried, too_long};
use crate::script::meter::{Manners, Meter, Running};
use crate::script::offline;
use crate::script::poll::Bounds;
use crate::script::program::{Program, ScriptService};
use crate::script::rhai::convert::Reader;
use crate::script::rhai::diagnostic::{self, article, line_and_column};
use crate::script::rhai::engine::Interpreter;
use crate::script::rhai::fiber::Fiber;
use crate::script::rhai::found::Found;
use crate::script::rhai::module::{self, Declared, Loader, Modules, Ran};
use crate::script::rhai::outline;
use crate::script::rhai::service::RhaiRunner;
use crate::script::rhai::task::Task;
use crate::script::{Api, Declares};

/// The file endings.
pub(crate) const ENDINGS: &[&str] = &["rhai"];
/// The function that handles a message unless the declaration names another.
const HANDLE: &str = "handle";
/// How the names of tests begin.
const TEST: &str = "test_";

/// Services in Rhai.
pub(crate) struct RhaiEngine {
    api: Arc<Api>,
    /// Made for the first file: a project without any pays nothing for it.
    interpreter: OnceLock<Arc<Interpreter>>,
}

impl RhaiEngine {
    /// Makes the engine with the script API it offers.
    pub(crate) fn new(api: impl Into<Api>) -> Self {
        Self {
            api: Arc::new(api.into()),
            interpreter: OnceLock::new(),
        }
    }

    fn interpreter(&self) -> &Arc<Interpreter> {
        let make = || Arc::new(Interpreter::new(&self.api));
        self.interpreter.get_or_init(make)
    }
}

impl Engine for RhaiEngine {
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
        outline::read(self.interpreter(), source)
    }
}

/// What a file made.
pub(crate) struct Kept {
    module: Shared<Module>,
    modules: Arc<Modules>,
    /// The function of each service.
    handles: Vec<String>,
}

impl Loading for RhaiEngine {
    const LANGUAGE: &'static str = "rhai";
    const MAX_SOURCE: usize = 128 << 10;
    type Kept = Kept;

    fn api(&self) -> &Arc<Api> {
        &self.api
    }

    fn attempt(&self, set: &Arc<SourceSet>, source: &Arc<Source>) -> Result<Tried<Kept>, Fault> {
        let meter = Rc::new(Meter::default());
        let call = offline::call(&source.path, Self::LANGUAGE)
            .ok_or_else(|| Fault::new(Code::Internal, "no name for a call"))?;
        let running = Running::new(call, LOAD_TIME, Manners::Alone);
        let loader = Loader::open(Arc::clone(self.interpreter()), Arc::clone(set));
        let task = Task::new(Rc::clone(&meter), Rc::clone(&running), loader, Value::Null);
        let (interpreter, own) = (Arc::clone(self.interpreter()), Arc::clone(source));
        let all = Arc::clone(set);
        let fiber = Fiber::new(Rc::clone(&task), move || {
            module::run(&interpreter, &own, &all)
        })?;
        let mut fiber = std::pin::pin!(fiber);
        let bounds = Bounds {
            meter,
            running: Rc::clone(&running),
            guard: (),
        };
        let context = &mut Context::from_waker(Waker::noop());
        let made = match bounds.within(|| fiber.as_mut().poll(context)) {
            Poll::Ready(made) => made,
            Poll::Pending => Err(waits(source)),
        };
        if let Some(over) = running.over() {
            let file = Place::new(source.path.as_str(), 0, 0);
            return Err(too_long(&diagnostic::ended(over, made.err(), file), source));
        }
        let ran = made?;
        let gathered = task.loader.gather();
        let (declared, handles) = match self.api.declares {
            Declares::Services => {
                let read = gathered.declared.into_iter();
                read.map(|declared| read_one(declared, &ran, source))
                    .unzip()
            }
            Declares::Tests => tests(&ran, source),
        };
        Ok(Tried {
            declared,
            uses: gathered.uses,
            kept: Kept {
                module: ran.module,
                modules: gathered.modules,
                handles,
            },
        })
    }

    fn serve(&self, kept: &Kept, index: usize, program: Arc<Program>) -> Arc<dyn Service> {
        let handle = kept.handles.get(index).map_or(HANDLE, String::as_str);
        let line = line_of(&program.source, handle).unwrap_or(0);
        let runner = RhaiRunner {
            program,
            interpreter: Arc::clone(self.interpreter()),
            module: Arc::clone(&kept.module),
            modules: Arc::clone(&kept.modules),
            entry: self.interpreter().entry(handle).map(Arc::new),
            found: Arc::new(Found::new(&kept.module, &kept.modules)),
            line,
        };
        Arc::new(ScriptService::new(Arc::new(runner)))
    }
}

fn waits(source: &Source) -> Fault {
    let place = Place::new(source.path.as_str(), 0, 0);
    Fault::new(
        Code::ScriptError,
        "nothing can be waited for while a file is loaded",
    )
    .at(place)
    .hint("Do it in `handle`, when a message comes.")
}

/// Reads a declaration, and the name of its function.
fn read_one(declared: Declared, ran: &Ran, source: &Source) -> (Read, String) {
    let mut problems = Vec::new();
    let mut pairs = Map::new();
    let mut failed = None;
    let mut handle = HANDLE.to_owned();
    for (name, value) in declared.map {
        if name == HANDLE {
            match value.as_immutable_string_ref() {
                Ok(named) => handle = named.to_string(),
                Err(kind) => problems.push(not_a_name(kind)),
            }
            continue;
        }
        if value.is::<FnPtr>() {
            problems.push(stray(&name));
            continue;
        }
        match Reader::new(&name).read(value) {
            Ok(value) => pairs.set(&name, value),
            Err(fault) => failed = Some(fault),
        }
    }
    if problems.is_empty() {
        problems
            .extend(missing(&ran.module, &handle).or_else(|| returning(&ran.ast, &handle, source)));
    }
    let read = Read {
        line: declared.line,
        doc_below: line_of(source, &handle),
        raw: failed.map_or(Ok(Value::Map(pairs)), Err),
        problems,
    };
    (read, handle)
}

/// Reads the tests of a file: the functions whose names begin with `test_`, in the order they stand in.
fn tests(ran: &Ran, source: &Source) -> (Vec<Read>, Vec<String>) {
    let functions = ran.module.iter_script_fn_info();
    let names = functions.filter(|(_, _, name, _, _)| name.starts_with(TEST));
    let read = names.map(|(_, _, name, params, _)| {
        let line = line_of(source, name);
        let mut pairs = Map::new();
        pairs.set("name", name);
        pairs.set("doc", name.replacen(TEST, "", 1).replace('_', " "));
        let wrong = (params != 1).then(|| {
            let message = format!("'{name}' must take t alone, not {params} arguments");
            let fault = Fault::new(Code::BadDeclaration, message);
            fault.hint(format!("Write `fn {name}(t) {{ … }}`."))
        });
        let read = Read {
            line: line.unwrap_or(0),
            doc_below: None,
            raw: Ok(Value::Map(pairs)),
            problems: wrong.into_iter().collect(),
        };
        (read, name.to_owned())
    });
    let mut read: Vec<(Read, String)> = read.collect();
    read.sort_by_key(|(read, _)| read.line);
    read.into_iter().unzip()
}

fn not_a_name(kind: &str) -> Fault {
    let kind = article(kind);
    let message = format!("'handle' must be the name of a function, got {kind}");
    Fault::new(Code::BadDeclaration, message)
        .hint("Write `handle: \"name\"` and `fn name(ctx) { … }`.")
}

fn stray(name: &str) -> Fault {
    let fault = Fault::new(
        Code::BadDeclaration,
        format!("a service has no function '{name}'"),
    );
    match closest(name, [HANDLE]) {
        Some(near) => fault.hint(format!("Did you mean `{near}`?")),
        None => fault.hint("Its only function is `handle`; write others as `fn name() { … }`."),
    }
}

/// Returns what is wrong with the function of a service.
fn missing(module: &Shared<Module>, handle: &str) -> Option<Fault> {
    let functions: Vec<(&str, usize)> = module
        .iter_script_fn_info()
        .map(|(_, _, name, params, _)| (name, params))
        .collect();
    if functions.contains(&(handle, 1)) {
        return None;
    }
    let fault = |message: String| Some(Fault::new(Code::BadDeclaration, message));
    if let Some((_, params)) = functions.iter().find(|(name, _)| *name == handle) {
        let fault = fault(format!(
            "'{handle}' must take ctx alone, not {params} arguments"
        ))?;
        return Some(fault.hint(format!("Write `fn {handle}(ctx) {{ … }}`.")));
    }
    if handle == HANDLE {
        let fault = fault("the service has no 'handle'".to_owned())?;
        return Some(fault.hint("Add `fn handle(ctx) { … }`."));
    }
    let fault = fault(format!("there is no function '{handle}'"))?;
    let names = functions.iter().filter(|(_, params)| *params == 1);
    Some(match closest(handle, names.map(|(name, _)| *name)) {
        Some(near) => fault.hint(format!("Did you mean `{near}`?")),
        None => fault.hint(format!("Add `fn {handle}(ctx) {{ … }}`.")),
    })
}

/// Refuses a function that plainly means to answer by what it returns. The value of a last statement that does
/// something is nobody's intention: in Rhai every block has one.
fn returning(ast: &AST, handle: &str, source: &Source) -> Option<Fault> {
    // Closures are functions of their own.
    let mut own = ast.clone_functions_only();
    own.retain_functions(|_, _, name, params| name == handle && params == 1);
    let (mut last, mut early) = (None, None);
    own.walk(&mut |path| {
        if let Some(ASTNode::Stmt(statement)) = path.last() {
            match statement {
                Stmt::Return(Some(value), flags, _) if !flags.contains(ASTFlags::BREAK) => {
                    early = early.or_else(|| plain_value(value));
                }
                Stmt::Expr(value) if path.len() == 1 => last = plain_value(value),
                _ if path.len() == 1 => last = None,
                _ => {}
            }
        }
        true
    });
    let (kind, position) = early.or(last)?;
    let (line, column) = line_and_column(position);
    let place = Place::new(source.path.as_str(), line, column);
    Some(returned(kind, place))
}

/// Returns what an expression is that only gives a value.
fn plain_value(expression: &Expr) -> Option<(&'static str, Position)> {
    let kind = match expression {
        Expr::Map(..) => "map",
        Expr::Array(..) => "list",
        Expr::StringConstant(..) | Expr::InterpolatedString(..) => "text",
        Expr::BoolConstant(..) => "bool",
        Expr::IntegerConstant(..) | Expr::FloatConstant(..) => "number",
        Expr::DynamicConstant(..) => "value",
        Expr::Variable(..) => "variable",
        _ => return None,
    };
    Some((kind, expression.position()))
}

/// Returns the line where a function stands.
fn line_of(source: &Source, name: &str) -> Option<u32> {
    let starts = |text: &str| {
        let rest = text.trim_start().strip_prefix("fn ")?.trim_start();
        let rest = rest.strip_prefix(name)?.trim_start();
        rest.starts_with('(').then_some(())
    };
    let mut lines = (1..).zip(source.text.lines());
    lines.find_map(|(number, text)| starts(text).map(|()| number))
}
