//! A conversation in Rhai: its variables, functions, constants and imports stay; each text runs on a fiber.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::panic::AssertUnwindSafe;
use std::rc::Rc;
use std::sync::{Arc, RwLock};
use std::time::Duration;

use futures_util::FutureExt as _;
use rhai::{AST, Caches, Dynamic, Expr, ImmutableString, ParseError, Position, Scope, Stmt};
use serde_json::Value as Json;

use crate::base::{Code, Fault, LocalBoxFuture, Map, Place, Value};
use crate::contract::{Call, SourceSet};
use crate::script::meter::{Manners, Meter, Running};
use crate::script::poll::{Bounds, Metered};
use crate::script::rhai::convert::Reader;
use crate::script::rhai::diagnostic::{self, Around, line_and_column};
use crate::script::rhai::engine::Interpreter;
use crate::script::rhai::fiber::Fiber;
use crate::script::rhai::module::{Loader, Modules};
use crate::script::rhai::object::{Held, Root};
use crate::script::rhai::task::{Input, Response, Task};
use crate::script::rhai::{fiber, scan, written};
use crate::script::session::{Entry, Ground, Outcome, PATH, Session, Variable, meant, with};

/// The longest text, in bytes.
const MAX_TEXT: usize = 128 << 10;
/// The names that are no variables of the user.
const OURS: [&str; 2] = ["ctx", "_"];
/// How many names of a map are offered.
const MEMBERS: usize = 200;

/// A conversation.
pub(crate) struct RhaiSession {
    interpreter: Arc<Interpreter>,
    meter: Rc<Meter>,
    set: RefCell<Arc<SourceSet>>,
    modules: RefCell<Arc<Modules>>,
    /// `ctx.request.input`.
    input: Input,
    /// `ctx.response`, from one text to the next.
    response: Response,
    state: Rc<RefCell<State>>,
}

/// What texts define. Its values may be nested as deep as a fiber's stack allows: they are dropped on one.
struct State {
    scope: Scope<'static>,
    /// The functions.
    functions: AST,
    /// The imports: the path and the name of each.
    imports: Vec<(String, String)>,
}

impl RhaiSession {
    /// Begins a conversation.
    pub(crate) fn open(ground: &Ground) -> Self {
        let interpreter = Interpreter::for_session(&ground.api);
        let state = State {
            scope: Scope::new(),
            functions: AST::empty(),
            imports: Vec::new(),
        };
        let session = Self {
            interpreter: Arc::new(interpreter),
            meter: ground.core.local::<Meter>(),
            set: RefCell::new(Arc::clone(&ground.set)),
            modules: RefCell::default(),
            input: Input::of(Value::Null),
            response: Response::default(),
            state: Rc::new(RefCell::new(state)),
        };
        drop(session.response.payload.replace(rhai::Map::new().into()));
        drop(session.response.headers.replace(rhai::Map::new().into()));
        session.set_input(Value::Map(Map::new()));
        session
    }

    async fn evaluate(&self, entry: &Entry, call: Rc<Call>) -> Result<Outcome, Fault> {
        let budget = Duration::from_millis(call.ctx.limits.cpu_ms);
        let running = Running::new(call, budget, Manners::Shared);
        let set = Arc::clone(&self.set.borrow());
        let modules = Arc::clone(&self.modules.borrow());
        let loader = Loader::lasting(Arc::clone(&self.interpreter), Arc::clone(&set), modules);
        let meter = Rc::clone(&self.meter);
        let task = Task::new(Rc::clone(&meter), Rc::clone(&running), loader, Value::Null);
        let lent = Lent::to(&task, self);
        let bounds = Bounds {
            meter,
            running: Rc::clone(&running),
            guard: (),
        };
        let line = Line {
            interpreter: Arc::clone(&self.interpreter),
            set,
            text: entry.text.clone(),
            above: entry.above(),
            said: Rc::clone(&entry.said),
        };
        let state = Rc::clone(&self.state);
        let fiber = Fiber::new(task, move || line.run(&mut state.borrow_mut()))?;
        let result = AssertUnwindSafe(Metered::new(fiber, bounds)).catch_unwind();
        let result = result
            .await
            .unwrap_or_else(|_panic| Err(Fault::new(Code::Internal, "the script engine failed")));
        drop(lent);
        let place = Place::new(PATH, u32::try_from(entry.line).unwrap_or(0), 0);
        match running.over() {
            Some(over) => Err(diagnostic::ended(over, result.err(), place)),
            None => result.map_err(|fault| match fault.place() {
                Some(_) => meant(fault, &self.variables()),
                None => fault.at(place),
            }),
        }
    }

    /// Returns why a text does not compile, where it stands behind the imports.
    fn broken(&self, text: &str) -> Option<(ParseError, String)> {
        let state = self.state.try_borrow().ok()?;
        let text = state.imports() + scan::with_last(text).as_str();
        let error = self.interpreter.parse_among(&state.names(), &text).err()?;
        Some((error, text))
    }
}

/// What a task has of a session while it runs, given back when that ends, however it does.
struct Lent<'a> {
    task: Rc<Task>,
    session: &'a RhaiSession,
}

impl<'a> Lent<'a> {
    fn to(task: &Rc<Task>, session: &'a RhaiSession) -> Self {
        let lent = Self {
            task: Rc::clone(task),
            session,
        };
        lent.swap();
        lent
    }

    fn swap(&self) {
        let (task, session) = (&self.task, self.session);
        task.input.swap(&session.input);
        for name in ["payload", "status", "headers", "content_type"] {
            if let (Some(one), Some(other)) =
                (task.response.field(name), session.response.field(name))
            {
                one.swap(other);
            }
        }
    }
}

impl Drop for Lent<'_> {
    fn drop(&mut self) {
        self.swap();
        drop(self.session.modules.replace(self.task.loader.modules()));
    }
}

impl State {
    /// Returns the imports so far, as a text.
    fn imports(&self) -> String {
        let imports = self.imports.iter();
        let imports = imports.map(|(path, name)| format!("import {path:?} as {name}; "));
        imports.collect()
    }

    /// Sets a variable.
    fn set(&mut self, name: &str, value: Dynamic) {
        match self.scope.get_mut(name) {
            Some(own) => *own = value,
            None => drop(self.scope.push_dynamic(name, value)),
        }
    }

    /// Returns the constants, which functions see as `global::NAME`.
    fn constants(&self) -> BTreeMap<ImmutableString, Dynamic> {
        let all = self.scope.iter_raw();
        let constants = all.filter(|(_, constant, _)| *constant);
        let constants = constants.map(|(name, _, value)| (name.into(), value.clone()));
        constants.collect()
    }

    fn names(&self) -> Vec<String> {
        let names = self.scope.iter_raw();
        names.map(|(name, _, _)| name.to_owned()).collect()
    }

    /// Keeps the last variable of each name.
    fn settle(&mut self) {
        let mut all: Vec<(String, Dynamic, _)> =
            std::mem::take(&mut self.scope).into_iter().collect();
        let mut seen = std::collections::BTreeSet::new();
        all.reverse();
        all.retain(|(name, _, _)| seen.insert(name.clone()));
        for (name, value, _) in all.into_iter().rev() {
            if value.is_read_only() {
                self.scope.push_constant_dynamic(name, value);
            } else {
                self.scope.push_dynamic(name, value);
            }
        }
    }

    /// Forgets an import that cannot be loaded any more: it would keep every text from running.
    fn forget(&mut self) {
        let loaded = fiber::task().map(|task| task.loader.modules());
        let loaded = loaded.unwrap_or_default();
        let mut all = self.imports.iter();
        if let Some(at) = all.position(|(path, _)| !loaded.contains_key(path)) {
            drop(self.imports.remove(at));
        }
    }

    /// Notes the imports of a text that ran.
    fn note(&mut self, ast: &AST) {
        for statement in ast.statements() {
            let Stmt::Import(import, _) = statement else {
                continue;
            };
            let (Expr::StringConstant(path, _), name) = (&import.0, import.1.as_str()) else {
                continue;
            };
            if !name.is_empty() {
                self.imports.retain(|(_, own)| own != name);
                self.imports.push((path.to_string(), name.to_owned()));
            }
        }
    }
}

/// A text that is about to run.
struct Line {
    interpreter: Arc<Interpreter>,
    set: Arc<SourceSet>,
    text: String,
    above: String,
    said: Rc<str>,
}

impl Line {
    /// Runs on the fiber, so that all values are made and dropped there.
    fn run(&self, state: &mut State) -> Result<Outcome, Fault> {
        if self.text.len() > MAX_TEXT {
            let message = format!("the text is longer than {} KiB", MAX_TEXT >> 10);
            let fault = Fault::new(Code::ScriptCompile, message);
            return Err(fault.hint("Put it in a file of scripts/ and `import` that."));
        }
        state.set("ctx", Dynamic::from(Root));
        let text = state.imports() + self.above.as_str() + scan::with_last(&self.text).as_str();
        let compiled = self.interpreter.compile_among(&state.names(), &text);
        let mut ast = compiled.map_err(|(fault, position)| at(fault, position))?;
        ast.set_source(PATH);
        state.functions = state.functions.merge(&ast.clone_functions_only());
        let result = self.statements(state, &ast);
        state.settle();
        if result.is_err() {
            state.forget();
        }
        let value = result?;
        state.note(&ast);
        Ok(self.outcome(state, &ast, value))
    }

    #[expect(
        deprecated,
        reason = "it is the only way to evaluate with constants of before"
    )]
    fn statements(&self, state: &mut State, ast: &AST) -> Result<Dynamic, Fault> {
        let engine = &self.interpreter.engine;
        let mut global = engine.new_global_runtime_state();
        global.constants = Some(Arc::new(RwLock::new(state.constants())));
        global.source = Some(PATH.into());
        global.lib.push(Arc::clone(state.functions.shared_lib()));
        let (scope, caches) = (&mut state.scope, &mut Caches::new());
        let result = engine.eval_statements_raw(&mut global, caches, scope, ast.statements());
        result.map_err(|error| {
            let around = Around {
                index: &self.interpreter.index,
                set: &with(&self.set, &self.said),
                path: PATH,
            };
            diagnostic::fault_of(&error, &around)
        })
    }

    fn outcome(&self, state: &mut State, ast: &AST, value: Dynamic) -> Outcome {
        let asked = matches!(
            ast.statements().last(),
            Some(Stmt::Expr(..) | Stmt::FnCall(..))
        );
        // A text that ends as a statement wants no answer.
        let shown = !self.text.trim_end().ends_with(';') && (asked || !value.is_unit());
        let outcome = Outcome {
            text: shown.then(|| written::write(&value).layout()),
            json: document(&value),
        };
        if !value.is_unit() {
            state.set("_", value);
        }
        outcome
    }
}

/// Returns a value for programs; what they cannot have is written as people see it.
fn document(value: &Dynamic) -> Json {
    match Reader::new("the value").read(value.clone()) {
        Ok(Value::Handle(_)) | Err(_) => Json::from(written::write(value).layout()),
        Ok(value) => Json::from(&value),
    }
}

fn at(fault: Fault, position: Position) -> Fault {
    let (line, column) = line_and_column(position);
    fault.at(Place::new(PATH, line, column))
}

impl Session for RhaiSession {
    fn is_incomplete(&self, text: &str) -> bool {
        if scan::is_open(text) {
            return true;
        }
        let broken = self.broken(text);
        broken.is_some_and(|(error, text)| is_at_end(error.1, &text))
    }

    fn run<'a>(
        &'a self,
        entry: &'a Entry,
        call: Rc<Call>,
    ) -> LocalBoxFuture<'a, Result<Outcome, Fault>> {
        Box::pin(self.evaluate(entry, call))
    }

    fn variables(&self) -> Vec<Variable> {
        let Ok(state) = self.state.try_borrow() else {
            return Vec::new();
        };
        let held = state.scope.iter_raw();
        let held = held.filter(|(name, _, _)| !OURS.contains(name));
        let mut all: Vec<Variable> = held
            .map(|(name, _, value)| Variable {
                name: name.to_owned(),
                class: value.read_lock::<Held>().map(|held| held.0.0.class()),
                members: members(value),
            })
            .collect();
        let modules = self.modules.borrow();
        all.extend(state.imports.iter().map(|(path, name)| {
            Variable {
                name: name.clone(),
                class: None,
                members: modules
                    .get(path)
                    .map(|it| functions(it))
                    .unwrap_or_default(),
            }
        }));
        let functions = state.functions.iter_functions();
        let named = functions.filter(|function| !function.name.starts_with("anon$"));
        all.extend(named.map(|function| Variable {
            name: function.name.to_owned(),
            ..Variable::default()
        }));
        all.sort_by(|one, other| one.name.cmp(&other.name));
        all.dedup_by(|one, other| one.name == other.name);
        all
    }

    fn set_input(&self, input: Value) {
        self.input.swap(&Input::of(input));
    }

    fn renew(&self, set: Arc<SourceSet>) -> Vec<String> {
        drop(self.set.replace(set));
        // Imports run again with each text.
        drop(self.modules.take());
        Vec::new()
    }
}

fn members(value: &Dynamic) -> Vec<String> {
    let map = value.read_lock::<rhai::Map>();
    let names = map.iter().flat_map(|map| map.keys()).take(MEMBERS);
    names.map(ToString::to_string).collect()
}

fn functions(module: &rhai::Module) -> Vec<String> {
    let functions = module.iter_script_fn_info();
    let mut names: Vec<String> = functions
        .map(|(_, _, name, _, _)| name.to_owned())
        .filter(|name| !name.starts_with("anon$"))
        .collect();
    names.sort();
    names.dedup();
    names
}

/// Tells whether a place is the end of a text: nothing but spaces stands there.
fn is_at_end(position: Position, text: &str) -> bool {
    let Some(line) = position.line() else {
        return true;
    };
    let column = position.position().unwrap_or(0).max(1);
    let mut lines = text.split('\n').skip(line - 1);
    let rest = lines.next().unwrap_or_default().chars().skip(column - 1);
    rest.chain(lines.flat_map(str::chars))
        .all(char::is_whitespace)
}
