//! Calls a service: binds, bounds, catches panics, checks. Every way in ends here.

use std::panic::AssertUnwindSafe;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Instant;

use futures_util::FutureExt as _;

use crate::base::{Code, Ending, Fault, LocalBoxFuture, ServiceName, Value};
use crate::contract::{Answer, Core, Ctx, Declaration, Entry, Request, Service};
use crate::sio;

/// How much may be under way for one message: services that others invoked, and functions in `parallel` that need a
/// stack. Each may run six at once, sixteen deep; without a bound for all together one message would take the memory
/// of everybody. Six times six fit.
const AT_ONCE: usize = 100;

/// How much of an input is kept for the case that the call fails, in bytes: more than a block shows.
pub(super) const SHOWN: usize = 2 << 10;

/// Calls a service by name with input that is not bound yet: direct calls, jobs, `ctx:invoke`. Counts the call; a
/// message of a channel is counted by its route.
pub(crate) fn invoke<'a>(
    core: &'a Rc<Core>,
    ctx: &'a Ctx,
    name: &'a str,
    input: Value,
) -> LocalBoxFuture<'a, Result<Answer, Fault>> {
    Box::pin(async move {
        let found = ctx
            .services
            .find(name)
            .ok_or_else(|| unknown(name, &ctx.services.names()));
        let entry = found.map_err(|fault| of_caller(ctx, fault))?;
        let _under_way = UnderWay::begin(ctx)?;
        let started = Instant::now();
        let result = bound_call(core, ctx, &entry, input).await;
        let result = result.map_err(Fault::across);
        let status = match &result {
            Ok(answer) => answer.status.unwrap_or(200),
            Err(fault) => fault.status(),
        };
        let ending = Ending::of_status(status);
        entry.direct.count(ending, started.elapsed());
        result
    })
}

/// One of the things under way for a message beside its first call; its drop ends it.
pub(crate) struct UnderWay(Arc<Request>);

impl UnderWay {
    /// Begins one, unless there are too many.
    pub(crate) fn begin(ctx: &Ctx) -> Result<Self, Fault> {
        let own = Self(Arc::clone(&ctx.request));
        if own.0.under_way.fetch_add(1, Ordering::Relaxed) < AT_ONCE {
            return Ok(own);
        }
        let message = format!("more than {AT_ONCE} calls are under way for one message");
        let fault = Fault::new(Code::TooNested, message);
        Err(fault.hint("Call fewer services in `parallel`, or the next ones after the first."))
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        self.0.under_way.fetch_sub(1, Ordering::Relaxed);
    }
}

async fn bound_call(
    core: &Rc<Core>,
    ctx: &Ctx,
    entry: &Arc<Entry>,
    input: Value,
) -> Result<Answer, Fault> {
    let declaration = entry.service.declaration();
    // Of the first call its caller has the input.
    let given = (ctx.depth > 0).then(|| input.excerpt(SHOWN));
    let bound = sio::bind(declaration, input, &[]);
    let input = bound.map_err(|fault| of_caller(ctx, fault))?;
    let answer = call(core, ctx.clone(), entry, input).await;
    let answer = answer.map_err(|fault| match given {
        Some(given) => with_input(fault, &given, declaration),
        None => fault,
    })?;
    sio::check_answer(declaration, answer)
}

/// Adds to a failure of a script what it was given.
pub(super) fn with_input(fault: Fault, given: &Value, declaration: &Declaration) -> Fault {
    if fault.status() < 500 || fault.place().is_none() {
        return fault;
    }
    fault.given(&sio::masked(given, declaration).to_string())
}

/// Calls a service with bound input, until its own or its caller's deadline; a panic becomes a fault.
pub(crate) async fn call(
    core: &Rc<Core>,
    mut ctx: Ctx,
    entry: &Arc<Entry>,
    input: Value,
) -> Result<Answer, Fault> {
    if ctx.depth >= ctx.limits.depth {
        let limit = ctx.limits.depth;
        return Err(Fault::new(
            Code::TooNested,
            format!("services invoke each other more than {limit} deep"),
        ));
    }
    let declaration = entry.service.declaration();
    ctx.depth += 1;
    if let Some(timeout) = declaration.timeout {
        ctx.deadline = ctx
            .deadline
            .min(Instant::now() + std::time::Duration::from(timeout));
    }
    if let Some(cpu) = declaration.cpu {
        ctx.limits.cpu_ms = cpu.0;
    }
    let Some(story) = ctx.request.story.clone() else {
        return run(core, ctx, &*entry.service, input).await;
    };
    story.hide(|veil| sio::veil(&input, declaration, veil));
    let answer = run(core, ctx, &*entry.service, input).await?;
    story.hide(|veil| sio::veil(&answer.value, declaration, veil));
    Ok(answer)
}

/// Runs a service in a context that is its own already, until the deadline; a panic becomes a fault.
pub(crate) async fn run(
    core: &Rc<Core>,
    ctx: Ctx,
    service: &dyn Service,
    input: Value,
) -> Result<Answer, Fault> {
    if Instant::now() >= ctx.deadline {
        // It would still get one poll, and whoever caught its failure could go on with the next.
        return Err(late(service));
    }
    let deadline = ctx.deadline.into();
    let running = AssertUnwindSafe(service.call(core, ctx, input)).catch_unwind();
    match tokio::time::timeout_at(deadline, running).await {
        Ok(Ok(result)) => result,
        Ok(Err(panic)) => Err(panicked(&panic)),
        Err(_elapsed) => Err(late(service)),
    }
}

fn late(service: &dyn Service) -> Fault {
    let name = &service.declaration().name;
    Fault::new(
        Code::WallBudget,
        format!("service '{name}' did not answer in time"),
    )
}

/// Blames the service that calls another wrongly, not the client of the first: its answer is 500.
fn of_caller(ctx: &Ctx, fault: Fault) -> Fault {
    if ctx.depth == 0 {
        return fault;
    }
    fault.chosen(Some(500), None)
}

/// Explains that no service has the name.
pub(crate) fn unknown<'a>(name: &str, names: impl IntoIterator<Item = &'a ServiceName>) -> Fault {
    let message = format!("there is no service named '{name}'");
    let names = names.into_iter().map(ServiceName::as_str);
    Fault::new(Code::UnknownService, message).near(name, names)
}

fn panicked(panic: &(dyn std::any::Any + Send)) -> Fault {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    let text = text
        .or_else(|| panic.downcast_ref::<&str>().copied())
        .unwrap_or("no message");
    Fault::new(Code::Internal, "the service failed unexpectedly").detail(format!("panic: {text}"))
}
