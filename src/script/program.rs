//! A script's service of one revision, in whatever language: what all cores share of it.

use std::cell::Cell;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::sync::Semaphore;

use crate::base::{Code, Fault, LocalBoxFuture, Place, ServiceName, Value};
use crate::contract::{
    Answer, Call, Core, Ctx, Declaration, Handover, Placement, Service, Source, SourceSet,
};
use crate::script::conduct::Conduct;
use crate::script::diagnostic;
use crate::script::host;
use crate::script::meter::{Manners, Running};
use crate::script::{Api, Declares};

/// What running a service needs. While a service or a call holds it, what cores made of it stays.
pub(crate) struct Program {
    /// Tells programs apart.
    pub(crate) id: u64,
    /// The script API.
    pub(crate) api: Arc<Api>,
    /// The sources that its file needs, and no others.
    pub(crate) set: Arc<SourceSet>,
    /// Its file.
    pub(crate) source: Arc<Source>,
    /// What it declares.
    pub(crate) declaration: Arc<Declaration>,
    conduct: Conduct,
}

impl Program {
    /// Makes a program of a file that was tried.
    pub(crate) fn new(
        api: Arc<Api>,
        set: Arc<SourceSet>,
        source: &Arc<Source>,
        declaration: Declaration,
    ) -> Arc<Self> {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        Arc::new(Self {
            id: NEXT.fetch_add(1, Ordering::Relaxed),
            api,
            set,
            source: Arc::clone(source),
            conduct: Conduct::new(declaration.is_long()),
            declaration: Arc::new(declaration),
        })
    }

    /// Makes the call that host functions see.
    pub(crate) fn call(&self, core: &Rc<Core>, ctx: Ctx) -> Rc<Call> {
        call(core, ctx, &self.declaration)
    }

    /// Starts the account of a call. It ends when what it returns drops, also when the call is dropped.
    pub(crate) fn begin<'a>(&'a self, core: &Rc<Core>, ctx: Ctx) -> Observed<'a> {
        let budget = Duration::from_millis(ctx.limits.cpu_ms);
        let measured = self.conduct.watch();
        let call = self.call(core, ctx);
        Observed {
            program: self,
            running: Running::observed(call, budget, Manners::Shared, measured),
        }
    }
}

/// Declares a name and no more: it takes and answers anything, within the usual budgets.
pub(crate) fn bare(name: ServiceName, place: Place, language: &'static str) -> Declaration {
    Declaration {
        name,
        doc: String::new(),
        input: None,
        output: None,
        timeout: None,
        cpu: None,
        uses: None,
        place,
        language,
    }
}

/// Makes the call that host functions see of what is declared.
pub(crate) fn call(core: &Rc<Core>, ctx: Ctx, declaration: &Arc<Declaration>) -> Rc<Call> {
    Rc::new(Call {
        core: Rc::clone(core),
        outgoing_turns: Semaphore::new(host::AT_ONCE),
        ctx,
        service: Arc::clone(declaration),
        log_used: Cell::new(0),
        outgoing_used: Cell::new(0),
    })
}

/// A call under way. Notes at its end how it went.
pub(crate) struct Observed<'a> {
    program: &'a Program,
    /// Its account.
    pub(crate) running: Rc<Running>,
}

impl Drop for Observed<'_> {
    fn drop(&mut self) {
        let call = &self.running.call;
        if let Some(story) = &call.ctx.request.story {
            story.keep_sources(Arc::clone(&self.program.set) as _);
        }
        if call.core.long.is_none() {
            // There is no other place to run.
            return;
        }
        let measured = self.running.is_measured();
        let conduct = &self.program.conduct;
        let held = self.running.held() && conduct.convict();
        if held || conduct.note(self.running.longest(), measured) {
            let service = call.service.name.as_str();
            tracing::info!(service, "Service moved to its own threads.");
        }
    }
}

/// How a language runs a program.
pub(crate) trait Runner: Send + Sync + 'static {
    /// Returns the program.
    fn program(&self) -> &Arc<Program>;

    /// Runs one call on this core.
    fn run<'a>(
        &'a self,
        core: &'a Rc<Core>,
        ctx: Ctx,
        input: Value,
    ) -> impl Future<Output = Result<Answer, Fault>> + 'a;
}

/// A service of one revision; all cores share it.
pub(crate) struct ScriptService<R>(Arc<R>);

impl<R: Runner> ScriptService<R> {
    /// Makes the service of a program.
    pub(crate) fn new(runner: Arc<R>) -> Self {
        Self(runner)
    }
}

impl<R: Runner> Service for ScriptService<R> {
    fn declaration(&self) -> &Arc<Declaration> {
        &self.0.program().declaration
    }

    fn placement(&self) -> Placement {
        if self.0.program().conduct.is_long() {
            Placement::Long
        } else {
            Placement::Shared
        }
    }

    fn call<'a>(
        &'a self,
        core: &'a Rc<Core>,
        ctx: Ctx,
        input: Value,
    ) -> LocalBoxFuture<'a, Result<Answer, Fault>> {
        Box::pin(async move {
            let program = self.0.program();
            if program.conduct.is_long()
                && let Some(long) = &core.long
            {
                let handover = Handover {
                    ctx,
                    service: Arc::new(Self::new(Arc::clone(&self.0))),
                    input,
                };
                return long.hand_over(handover).await;
            }
            let result = self.0.run(core, ctx, input).await;
            result.map_err(|fault| {
                let own = |place: &Place| *place.path == *program.source.path;
                let fault = match program.api.declares {
                    Declares::Tests if fault.place().is_some_and(own) => {
                        fault.reworded(diagnostic::of_test)
                    }
                    _ => ours(fault),
                };
                diagnostic::show(fault, &program.set)
            })
        })
    }
}

/// At a call, a file that cannot be loaded is the server's failure, not the caller's.
fn ours(fault: Fault) -> Fault {
    match fault.code() {
        Code::ScriptModule | Code::ScriptCompile => fault.chosen(Some(500), None),
        _ => fault,
    }
}
