//! A service in Rhai: its module is shared by all cores; each call is a fiber of its own.

use std::panic::AssertUnwindSafe;
use std::rc::Rc;
use std::sync::Arc;

use futures_util::FutureExt as _;
use rhai::{Dynamic, EvalContext, Module, Scope, Shared};

use crate::base::{Code, Fault, Map, Place, Value};
use crate::contract::{Answer, Core, Ctx, Field};
use crate::script::meter::Meter;
use crate::script::poll::{Bounds, Metered};
use crate::script::program::{Program, Runner};
use crate::script::response;
use crate::script::rhai::convert::Reader;
use crate::script::rhai::diagnostic::{self, Around};
use crate::script::rhai::engine::{Entry, Interpreter};
use crate::script::rhai::fiber::Fiber;
use crate::script::rhai::found::Found;
use crate::script::rhai::module::{Loader, Modules};
use crate::script::rhai::object::Root;
use crate::script::rhai::task::{Response, Task};

/// The name of the argument of a service.
pub(crate) const CTX: &str = "ctx";

/// Runs the calls of a Rhai service.
pub(crate) struct RhaiRunner {
    /// The service.
    pub(crate) program: Arc<Program>,
    /// The interpreter.
    pub(crate) interpreter: Arc<Interpreter>,
    /// What its file made.
    pub(crate) module: Shared<Module>,
    /// The modules that its file used, for imports inside functions.
    pub(crate) modules: Arc<Modules>,
    /// How calls enter its function; loading sees to it that there is one.
    pub(crate) entry: Option<Arc<Entry>>,
    /// What its names mean.
    pub(crate) found: Arc<Found>,
    /// The line where it stands.
    pub(crate) line: u32,
}

impl Runner for RhaiRunner {
    fn program(&self) -> &Arc<Program> {
        &self.program
    }

    async fn run<'a>(
        &'a self,
        core: &'a Rc<Core>,
        ctx: Ctx,
        input: Value,
    ) -> Result<Answer, Fault> {
        let observed = self.program.begin(core, ctx);
        let running = &observed.running;
        let meter = core.local::<Meter>();
        let loader = Loader::loaded(
            Arc::clone(&self.interpreter),
            Arc::clone(&self.program.set),
            Arc::clone(&self.modules),
        );
        let task = Task::new(Rc::clone(&meter), Rc::clone(running), loader, input);
        let fiber = Fiber::new(Rc::clone(&task), self.script(&task))?;
        let bounds = Bounds {
            meter,
            running: Rc::clone(running),
            guard: (),
        };
        let result = AssertUnwindSafe(Metered::new(fiber, bounds)).catch_unwind();
        let result = result.await.unwrap_or_else(|_panic| {
            let message = "the script engine failed";
            Err(Fault::new(Code::Internal, message))
        });
        match running.over() {
            // Whatever the script made of it.
            Some(over) => Err(diagnostic::ended(over, result.err(), self.entrance())),
            // Rhai loses the place of what no script can catch, such as a text that grows too long.
            None => result.map_err(|fault| match fault.place() {
                Some(_) => fault,
                None => fault.at(self.entrance()),
            }),
        }
    }
}

impl RhaiRunner {
    /// Returns where its function stands: Rhai does not always tell where it stopped a script.
    fn entrance(&self) -> Place {
        Place::new(self.program.source.path.as_str(), self.line, 0)
    }

    /// Returns what runs on the fiber. All values of the script are gone when it ends: to drop them may take as deep a
    /// stack as to make them.
    fn script(&self, task: &Rc<Task>) -> impl FnOnce() -> Result<Answer, Fault> + 'static {
        let interpreter = Arc::clone(&self.interpreter);
        let (module, program) = (Arc::clone(&self.module), Arc::clone(&self.program));
        let (entry, found) = (self.entry.clone(), Arc::clone(&self.found));
        let task = Rc::clone(task);
        move || {
            let entry = entry.ok_or_else(|| Fault::new(Code::Internal, "no function to enter"))?;
            let engine = &interpreter.engine;
            let path = program.source.path.as_str();
            let entered = || {
                let mut global = engine.new_global_runtime_state();
                global.push_import(entry.file.clone(), module);
                let mut scope = Scope::new();
                scope.push(CTX, Root);
                found.lend(|caches| {
                    let mut context =
                        EvalContext::new(engine, &mut global, caches, &mut scope, None);
                    context.eval_expression_tree(&(&entry.call).into())
                })
            };
            let answer = match entered() {
                // The value of its last statement, whatever that is.
                Ok(_returned) => answer(&task.response, program.declaration.output.as_deref()),
                Err(error) => {
                    let around = Around {
                        index: &interpreter.index,
                        set: &program.set,
                        path,
                    };
                    Err(diagnostic::fault_of(&error, &around))
                }
            };
            task.input.set(Dynamic::UNIT);
            drop(task.response.payload.take());
            answer
        }
    }
}

/// Reads the answer.
fn answer(response: &Response, outputs: Option<&[Field]>) -> Result<Answer, Fault> {
    let payload = Reader::new("ctx.response.payload").read(response.payload.take())?;
    let status = Reader::new("ctx.response.status").read(response.status.take())?;
    let media_type = Reader::new("ctx.response.content_type").read(response.content_type.take())?;
    let headers = Reader::new("ctx.response.headers").read(response.headers.take())?;
    Ok(Answer {
        value: ordered(payload, outputs),
        status: response::status(&status)?,
        media_type: response::media_type(&media_type)?,
        headers: response::headers(headers)?,
    })
}

/// Puts declared outputs in the order of their declaration; what is not declared stands behind them.
fn ordered(payload: Value, outputs: Option<&[Field]>) -> Value {
    let (mut map, outputs) = match (payload, outputs) {
        (Value::Map(map), Some(outputs)) => (map, outputs),
        (payload, _) => return payload,
    };
    let mut sorted = Map::with_capacity(map.len());
    for field in outputs {
        if let Some(value) = map.remove(&field.name).filter(|value| !value.is_null()) {
            sorted.push(field.name.clone(), value);
        }
    }
    for (name, value) in map {
        sorted.push(name, value);
    }
    Value::Map(sorted)
}
