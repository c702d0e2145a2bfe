//! A thread apart for services that held their core where they cannot give way: there only they wait for each other.
//!
//! The first such call costs its neighbours some milliseconds; from the second one on nobody else notices.

use std::rc::Rc;
use std::sync::{Arc, OnceLock};

use tokio::sync::{mpsc, oneshot};

use crate::base::{Code, Fault, Value};
use crate::contract::{Answer, Core, Ctx};
use crate::script::lua::service::{Instances, Program, call_here};

/// The number of its core, which no core of the data plane has.
const INDEX: usize = usize::MAX;
/// As large as that of the cores: engines recurse.
const STACK: usize = 16 << 20;

type Queue = mpsc::UnboundedSender<Errand>;

/// A call that moves over.
struct Errand {
    program: Arc<Program>,
    ctx: Ctx,
    input: Value,
    reply: oneshot::Sender<Result<Answer, Fault>>,
}

/// Tells whether this is the thread apart.
pub(super) fn is_here(core: &Core) -> bool {
    core.index == INDEX
}

/// Calls a service on the thread apart; whoever stops waiting cancels the call.
pub(super) async fn call(program: &Arc<Program>, ctx: &Ctx, input: Value) -> Result<Answer, Fault> {
    static QUEUE: OnceLock<Option<Queue>> = OnceLock::new();
    let (reply, answer) = oneshot::channel();
    let errand = Errand {
        program: Arc::clone(program),
        ctx: ctx.clone(),
        input,
        reply,
    };
    let queue = QUEUE.get_or_init(start).as_ref();
    let sent = queue.is_some_and(|queue| queue.send(errand).is_ok());
    let broken = || Fault::new(Code::Internal, "the service failed unexpectedly");
    if !sent {
        return Err(broken().detail("the thread apart does not run"));
    }
    answer.await.map_err(|_gone| broken())?
}

fn start() -> Option<Queue> {
    let (queue, errands) = mpsc::unbounded_channel();
    let thread = std::thread::Builder::new()
        .name("apart".to_owned())
        .stack_size(STACK);
    match thread.spawn(move || serve(errands)) {
        Ok(_detached) => Some(queue),
        Err(error) => {
            tracing::error!(%error, "The thread apart does not start.");
            None
        }
    }
}

fn serve(mut errands: mpsc::UnboundedReceiver<Errand>) {
    let mut builder = tokio::runtime::Builder::new_current_thread();
    let built = builder
        .enable_all()
        .build_local(tokio::runtime::LocalOptions::default());
    let runtime = match built {
        Ok(runtime) => runtime,
        Err(error) => return tracing::error!(%error, "The thread apart does not start."),
    };
    runtime.block_on(async move {
        let core = Rc::new(Core::new(INDEX));
        while let Some(errand) = errands.recv().await {
            // Old revisions end here when something new comes.
            core.local::<Instances>().sweep();
            drop(tokio::task::spawn_local(run(Rc::clone(&core), errand)));
        }
    });
}

async fn run(core: Rc<Core>, errand: Errand) {
    let Errand {
        program,
        ctx,
        input,
        mut reply,
    } = errand;
    let answer = tokio::select! {
        answer = call_here(&program, &core, &ctx, input) => answer,
        () = reply.closed() => return,
    };
    // The caller may have gone in this very moment.
    drop(reply.send(answer));
}
