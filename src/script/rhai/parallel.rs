//! `parallel([f, g])`: runs functions of a script at the same time and returns their results in order.
//!
//! `parallel(list, f)` calls one function with each member. Each call has its own copy of what a closure captured: Rhai
//! locks a shared variable while one of its methods runs, and these wait.

use std::rc::Rc;
use std::sync::Arc;

use rhai::{Array, Dynamic, Engine, FnPtr, GlobalRuntimeState, NativeCallContext, Position};

use crate::base::Fault;
use crate::script::context::no_call;
use crate::script::parallel::{self, refuse};
use crate::script::rhai::bind::{Outcome, current, raise};
use crate::script::rhai::diagnostic::article;
use crate::script::rhai::fiber::{self, Fiber};
use crate::script::rhai::task::Task;
use crate::service::UnderWay;

/// Adds `parallel`.
pub(crate) fn install(engine: &mut Engine) {
    let each = |context: NativeCallContext<'_>, list: Array, function: FnPtr| {
        let calls = list
            .into_iter()
            .map(|member| (function.clone(), vec![member]));
        run(&context, calls.collect())
    };
    let all = |context: NativeCallContext<'_>, list: Array| {
        let calls = list.into_iter().map(|member| {
            let kind = member.type_name();
            let function = member.try_cast::<FnPtr>();
            let function = function.ok_or_else(|| raise(not_a_function(kind)))?;
            Ok((function, Vec::new()))
        });
        run(&context, calls.collect::<Outcome<_>>()?)
    };
    engine.register_fn("parallel", all);
    engine.register_fn("parallel", each);
}

fn not_a_function(kind: &str) -> Fault {
    refuse(&format!("takes functions, got {}", article(kind)))
        .hint("Write `parallel([|| …, || …])`, or `parallel(list, |member| …)`.")
}

type Calls = Vec<(FnPtr, Vec<Dynamic>)>;

fn run(context: &NativeCallContext<'_>, calls: Calls) -> Outcome<Array> {
    parallel::check(calls.len()).map_err(raise)?;
    let task = current("parallel")?;
    let global = Rc::new(context.global_runtime_state().clone());
    let position = context.call_position();
    let branches = calls.into_iter().map(|(function, arguments)| {
        let (task, global) = (&task, &global);
        // Made when its turn comes: most of the functions wait for theirs, and each takes a stack.
        async move {
            let _under_way = UnderWay::begin(&task.running.call.ctx).map_err(raise)?;
            branch(task, global, position, function, arguments)?.await
        }
    });
    let results = fiber::wait(parallel::run(branches));
    results.unwrap_or_else(|| Err(raise(no_call("parallel"))))
}

fn branch(
    task: &Rc<Task>,
    global: &Rc<GlobalRuntimeState>,
    position: Position,
    mut function: FnPtr,
    arguments: Vec<Dynamic>,
) -> Outcome<Fiber<Outcome>> {
    let captured: Vec<Dynamic> = function.iter_curry().map(Dynamic::flatten_clone).collect();
    function.set_curry(captured);
    let interpreter = Arc::clone(task.loader.interpreter());
    let global = Rc::clone(global);
    let run = move || {
        let engine = &interpreter.engine;
        let source = global.source();
        let context = (engine, "parallel", source, &*global, position);
        let context = NativeCallContext::from(context);
        function.call_raw(&context, None, arguments)
    };
    Fiber::new(Rc::clone(task), run).map_err(raise)
}
