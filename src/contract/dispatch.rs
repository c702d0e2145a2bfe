//! The only way from the control plane to a core, and from one core to another.

use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::sync::{mpsc, oneshot};

use crate::base::{Code, Fault, ServiceName, Value};
use crate::contract::{Answer, Ctx, Service};

/// What a core is asked to do.
pub enum Work {
    /// Serve a connection.
    Socket(Accepted),
    /// Call a service: step 5 of the pipeline, for jobs, queues, the CLI and the admin API.
    Call(Box<Invocation>, oneshot::Sender<Result<Answer, Fault>>),
    /// Run a service for another core, which has bound the input and will check the answer.
    Run(Box<Handover>, oneshot::Sender<Result<Answer, Fault>>),
    /// Let go of what old revisions left behind.
    Sweep,
}

/// A connection that was accepted.
pub struct Accepted {
    /// The socket, non-blocking.
    pub stream: TcpStream,
    /// The address of the peer.
    pub peer: SocketAddr,
    /// Its place among the connections at once, given back when it is dropped.
    pub place: Box<dyn Send>,
}

/// A call of a service from the control plane.
pub struct Invocation {
    /// The call's context.
    pub ctx: Ctx,
    /// The service.
    pub service: ServiceName,
    /// The input, not bound yet.
    pub input: Value,
}

/// A call that another core hands over.
pub struct Handover {
    /// The call's own context.
    pub ctx: Ctx,
    /// The service.
    pub service: Arc<dyn Service>,
    /// The bound input.
    pub input: Value,
}

/// Deals work to the cores. A full queue makes the caller wait: that is the back-pressure.
#[derive(Clone)]
pub struct Dispatch {
    cores: Arc<[mpsc::Sender<Work>]>,
    next: Arc<AtomicUsize>,
}

impl Dispatch {
    /// Makes a dispatch over the queues of the cores.
    pub fn new(cores: Vec<mpsc::Sender<Work>>) -> Self {
        Self {
            cores: cores.into(),
            next: Arc::default(),
        }
    }

    /// Calls a service on the next core and waits for its answer.
    pub async fn invoke(&self, invocation: Invocation) -> Result<Answer, Fault> {
        let (tx, rx) = oneshot::channel();
        self.send(Work::Call(Box::new(invocation), tx)).await?;
        rx.await.map_err(|_gone| stopping())?
    }

    /// Hands a call over to the next core and waits for its answer. Dropping the future cancels the call there.
    pub async fn hand_over(&self, handover: Handover) -> Result<Answer, Fault> {
        let (tx, rx) = oneshot::channel();
        self.send(Work::Run(Box::new(handover), tx)).await?;
        rx.await.map_err(|_gone| stopping())?
    }

    /// Hands a connection to the next core.
    pub async fn accept(&self, accepted: Accepted) -> Result<(), Fault> {
        self.send(Work::Socket(accepted)).await
    }

    /// Asks every core to let go of what old revisions left behind.
    pub async fn sweep(&self) {
        for core in self.cores.iter() {
            // A core that is gone has nothing left to let go of.
            drop(core.send(Work::Sweep).await);
        }
    }

    async fn send(&self, work: Work) -> Result<(), Fault> {
        let turn = self.next.fetch_add(1, Ordering::Relaxed);
        let core = self
            .cores
            .get(turn % self.cores.len().max(1))
            .ok_or_else(stopping)?;
        core.send(work).await.map_err(|_gone| stopping())
    }
}

fn stopping() -> Fault {
    Fault::new(Code::ServiceGone, "the server is stopping")
}
