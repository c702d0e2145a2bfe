//! The data plane: one thread per core, each with its own loop. The acceptor deals connections to them.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, AtomicUsize, Ordering};
use std::thread::JoinHandle;

use arc_swap::ArcSwap;
use tokio::sync::{Notify, mpsc, oneshot};

use crate::base::{ByteSize, Code, Fault, Reply};
use crate::connect::http::connection;
use crate::connect::http::fallback::Fallback;
use crate::connect::http::outbox::Outbox;
use crate::connect::http::places::Places;
use crate::connect::http::router::Router;
use crate::connect::http::watch::{Timeouts, Watch};
use crate::contract::{Accepted, Answer, Core, Dispatch, Handover, Invocation, Work};
use crate::gateway::Gateway;
use crate::net::ServerTls;
use crate::service;
use crate::tasks::Tasks;

/// Work a core may have waiting before its senders wait themselves.
const QUEUE: usize = 1024;
/// Stack of a core's thread: script engines recurse. It is address space until it is used.
const STACK: usize = 16 << 20;

/// What peers may send and how long they may take. Zero never means unlimited.
#[derive(Clone, Copy, Debug)]
pub(crate) struct HttpLimits {
    /// Length of path and query, in bytes.
    pub(crate) url: usize,
    /// Length of one header, in bytes.
    pub(crate) header: usize,
    /// Number of headers.
    pub(crate) headers: usize,
    /// Length of all headers, in bytes.
    pub(crate) header_bytes: usize,
    /// What a body must make in a second once it has taken five.
    pub(crate) pace: ByteSize,
    /// Connections at once.
    pub(crate) connections: usize,
    /// Connections at once from one address.
    pub(crate) connections_per_address: usize,
    /// Requests at once.
    pub(crate) in_flight: usize,
    /// Streams at once on a connection of HTTP/2.
    pub(crate) streams: u32,
    /// How long each part of an exchange may take.
    pub(crate) timeouts: Timeouts,
}

impl Default for HttpLimits {
    fn default() -> Self {
        Self {
            url: 8 << 10,
            header: 8 << 10,
            headers: 100,
            header_bytes: 32 << 10,
            pace: ByteSize(1 << 10),
            connections: 10_000,
            connections_per_address: 256,
            in_flight: 1_024,
            streams: 128,
            timeouts: Timeouts::default(),
        }
    }
}

/// Whether load balancers should send requests here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum State {
    /// Not yet: 503.
    Starting,
    /// Yes: 200.
    Ready,
    /// No longer: 404, which takes the server out of rotation without an alarm.
    Draining,
}

impl State {
    pub(super) fn is_draining(self) -> bool {
        self == Self::Draining
    }

    pub(super) fn reply(self) -> Reply {
        let (status, word) = match self {
            Self::Starting => (503, "starting\n"),
            Self::Ready => (200, "ready\n"),
            Self::Draining => (404, "draining\n"),
        };
        Reply {
            status,
            media_type: "text/plain".into(),
            body: word.into(),
            ..Reply::default()
        }
    }
}

/// What all cores share.
pub(crate) struct Shared {
    /// The pipeline.
    pub(crate) gateway: Arc<Gateway>,
    /// The routes of the moment.
    pub(crate) routes: ArcSwap<Router>,
    /// The formats of answers that belong to no channel.
    pub(crate) fallback: Fallback,
    /// The bounds of what peers may do.
    pub(crate) limits: HttpLimits,
    /// The certificate, where the services port speaks TLS.
    pub(crate) tls: Option<Arc<ServerTls>>,
    /// Lets a core drop what old revisions left behind.
    pub(crate) sweep: fn(&Rc<Core>),
    /// Its soft token closes connections as they fall idle, its hard token drops them.
    pub(crate) tasks: Tasks,
    pub(super) places: Arc<Places>,
    state: AtomicU8,
    in_flight: AtomicUsize,
}

impl Shared {
    /// Makes the shared part of a data plane without routes, not ready yet.
    pub(crate) fn new(
        gateway: Arc<Gateway>,
        fallback: Fallback,
        limits: HttpLimits,
        tls: Option<Arc<ServerTls>>,
        sweep: fn(&Rc<Core>),
        tasks: Tasks,
    ) -> Self {
        Self {
            gateway,
            routes: ArcSwap::default(),
            fallback,
            limits,
            tls,
            sweep,
            tasks,
            places: Places::new(limits.connections, limits.connections_per_address),
            state: AtomicU8::new(State::Starting as u8),
            in_flight: AtomicUsize::new(0),
        }
    }

    /// Returns what load balancers are told.
    pub(crate) fn state(&self) -> State {
        match self.state.load(Ordering::Relaxed) {
            0 => State::Starting,
            1 => State::Ready,
            _ => State::Draining,
        }
    }

    /// Sets what load balancers are told. While draining, connections are closed after their next answer.
    pub(crate) fn set_state(&self, state: State) {
        self.state.store(state as u8, Ordering::Relaxed);
    }

    /// Returns how many connections are open.
    pub(crate) fn connections(&self) -> usize {
        self.places.count()
    }

    /// Returns how many connections were refused because too many were open.
    pub(crate) fn refused(&self) -> u64 {
        self.places.refused()
    }

    /// Returns how many requests are being handled.
    pub(crate) fn in_flight(&self) -> usize {
        self.in_flight.load(Ordering::Relaxed)
    }

    /// Takes a place among the requests at once, or refuses.
    pub(super) fn enter(&self) -> Result<Counted<'_>, Fault> {
        let place = Counted::new(&self.in_flight);
        if place.number > self.limits.in_flight {
            let fault = Fault::new(Code::Overloaded, "too many requests at once");
            return Err(fault.header("Retry-After", "1"));
        }
        Ok(place)
    }
}

/// A place that is given back when it is dropped.
pub(super) struct Counted<'a> {
    counter: &'a AtomicUsize,
    number: usize,
}

impl<'a> Counted<'a> {
    fn new(counter: &'a AtomicUsize) -> Self {
        Self {
            counter,
            number: counter.fetch_add(1, Ordering::Relaxed) + 1,
        }
    }
}

impl Drop for Counted<'_> {
    fn drop(&mut self) {
        self.counter.fetch_sub(1, Ordering::Relaxed);
    }
}

/// How many threads the data plane has.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Threads {
    /// Those that take messages; at least one.
    pub(crate) cores: usize,
    /// Those that long calls have for themselves; with none, long calls run beside the others.
    pub(crate) long: usize,
}

/// Starts the threads of the data plane. They end once the soft token is cancelled and nothing runs, or by the
/// hard token.
pub(crate) fn start_cores(
    count: Threads,
    shared: &Arc<Shared>,
) -> Result<(Dispatch, Vec<JoinHandle<()>>), Fault> {
    let mut threads = Vec::new();
    let mut queues = Vec::new();
    for index in 0..count.long {
        let (queue, work) = mpsc::channel(QUEUE);
        let shared = Arc::clone(shared);
        let run = move || run_long(index, work, &shared);
        threads.push(start_thread(&format!("long-{index}"), run)?);
        queues.push(queue);
    }
    let long = (count.long > 0).then(|| Dispatch::new(queues));
    let mut queues = Vec::new();
    for index in 0..count.cores.max(1) {
        let (queue, work) = mpsc::channel(QUEUE);
        let (shared, long) = (Arc::clone(shared), long.clone());
        let (started, outcome) = std::sync::mpsc::channel();
        let run = move || {
            let runtime = match runtime() {
                Ok(runtime) => runtime,
                // The starter waits for this word; it cannot be gone.
                Err(error) => return started.send(Err(error)).unwrap_or_default(),
            };
            started.send(Ok(())).unwrap_or_default();
            let core = Rc::new(Core::with_long(index, long));
            runtime.block_on(serve_core(core, work, shared));
        };
        let name = format!("core-{index}");
        threads.push(start_thread(&name, run)?);
        match outcome.recv() {
            Ok(Ok(())) => queues.push(queue),
            Ok(Err(error)) => return Err(no_start(&name, &error)),
            Err(error) => return Err(no_start(&name, &error)),
        }
    }
    Ok((Dispatch::new(queues), threads))
}

fn start_thread(name: &str, run: impl FnOnce() + Send + 'static) -> Result<JoinHandle<()>, Fault> {
    let thread = std::thread::Builder::new().name(name.to_owned());
    let thread = thread.stack_size(STACK).spawn(run);
    thread.map_err(|error| no_start(name, &error))
}

fn no_start(name: &str, error: &dyn std::fmt::Display) -> Fault {
    let message = format!("thread {name} does not start: {error}");
    Fault::new(Code::Internal, message)
}

fn runtime() -> std::io::Result<tokio::runtime::LocalRuntime> {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build_local(tokio::runtime::LocalOptions::default())
}

/// What runs on a core now.
#[derive(Default)]
struct Running {
    next: Cell<u64>,
    /// Connections by number, to tell them that the server closes.
    connections: RefCell<HashMap<u64, Rc<Watch>>>,
    calls: Cell<usize>,
    changed: Notify,
}

impl Running {
    fn is_idle(&self) -> bool {
        self.calls.get() == 0 && self.connections.borrow().is_empty()
    }

    async fn idle(&self) {
        while !self.is_idle() {
            self.changed.notified().await;
        }
    }
}

/// Runs a core: serves the connections and calls it is dealt.
pub(crate) async fn serve_core(
    core: Rc<Core>,
    mut queue: mpsc::Receiver<Work>,
    shared: Arc<Shared>,
) {
    let running = Rc::new(Running::default());
    let outbox = core.local::<Outbox>();
    drop(tokio::task::spawn_local(Rc::clone(&outbox).run()));
    let mut closing = false;
    loop {
        tokio::select! {
            work = queue.recv() => match work {
                Some(work) => take(&core, &shared, &running, work),
                None => break,
            },
            () = shared.tasks.soft.cancelled(), if !closing => {
                closing = true;
                running.connections.borrow().values().for_each(|watch| watch.close());
            }
            () = running.idle(), if closing && queue.is_empty() => break,
            () = shared.tasks.hard.cancelled() => break,
        }
    }
    outbox.send();
}

/// Runs a core for long calls. It outlives those that hand calls over, or their last calls could not end.
///
/// Many never get one: until the first it is a thread that waits, and takes next to no memory.
fn run_long(index: usize, mut work: mpsc::Receiver<Work>, shared: &Arc<Shared>) {
    while let Some(first) = work.blocking_recv() {
        if matches!(first, Work::Sweep) {
            continue; // Nothing ran here that could have left something behind.
        }
        match runtime() {
            Ok(runtime) => {
                let core = Rc::new(Core::new(index));
                return runtime.block_on(serve_long(&core, first, work, shared));
            }
            // Whoever waits for the call is told that there is nobody to run it; the next one may have more luck.
            Err(error) => tracing::error!(%error, "A core for long calls does not start."),
        }
    }
}

async fn serve_long(
    core: &Rc<Core>,
    first: Work,
    mut queue: mpsc::Receiver<Work>,
    shared: &Arc<Shared>,
) {
    let running = Rc::new(Running::default());
    take(core, shared, &running, first);
    loop {
        tokio::select! {
            work = queue.recv() => match work {
                Some(work) => take(core, shared, &running, work),
                None => break,
            },
            () = shared.tasks.hard.cancelled() => break,
        }
    }
}

fn take(core: &Rc<Core>, shared: &Arc<Shared>, running: &Rc<Running>, work: Work) {
    match work {
        Work::Socket(accepted) => serve_socket(core, shared, running, accepted),
        Work::Call(invocation, reply) => {
            let core = Rc::clone(core);
            let call = async move {
                let Invocation {
                    ctx,
                    service,
                    input,
                } = *invocation;
                service::invoke(&core, &ctx, service.as_str(), input).await
            };
            spawn(running, call, reply);
        }
        Work::Run(handover, reply) => {
            let core = Rc::clone(core);
            let call = async move {
                let Handover {
                    ctx,
                    service,
                    input,
                } = *handover;
                service::run(&core, ctx, &*service, input).await
            };
            spawn(running, call, reply);
        }
        Work::Sweep => {
            (shared.sweep)(core);
            // One of them is enough to pass it on.
            if let Some(long) = core.long.clone().filter(|_| core.index == 0) {
                drop(tokio::task::spawn_local(async move { long.sweep().await }));
            }
        }
    }
}

/// Runs a call for someone elsewhere; whoever stops waiting cancels it.
fn spawn(
    running: &Rc<Running>,
    call: impl Future<Output = Result<Answer, Fault>> + 'static,
    mut reply: oneshot::Sender<Result<Answer, Fault>>,
) {
    let running = Rc::clone(running);
    running.calls.set(running.calls.get() + 1);
    drop(tokio::task::spawn_local(async move {
        let answer = tokio::select! {
            answer = call => Some(answer),
            () = reply.closed() => None,
        };
        if let Some(answer) = answer {
            // The caller may have gone in this very moment.
            drop(reply.send(answer));
        }
        running.calls.set(running.calls.get() - 1);
        running.changed.notify_one();
    }));
}

fn serve_socket(core: &Rc<Core>, shared: &Arc<Shared>, running: &Rc<Running>, accepted: Accepted) {
    let number = running.next.get();
    running.next.set(number + 1);
    let watch = Watch::new(shared.limits.timeouts);
    if shared.tasks.soft.is_cancelled() {
        watch.close();
    }
    running
        .connections
        .borrow_mut()
        .insert(number, Rc::clone(&watch));
    let (core, shared, running) = (Rc::clone(core), Arc::clone(shared), Rc::clone(running));
    drop(tokio::task::spawn_local(async move {
        connection::serve(core, shared, accepted, watch).await;
        running.connections.borrow_mut().remove(&number);
        running.changed.notify_one();
    }));
}
