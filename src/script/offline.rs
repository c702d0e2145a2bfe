//! The ports of a file that is only tried: nothing can be reached while its top level runs.

use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::base::{
    BoxFuture, Caller, Cid, Code, Fault, Handle, Place, ServiceName, SystemClock, Value,
};
use crate::contract::{
    Call, Command, Connections, Core, Ctx, Entry, KeyValue, Limits, Ports, Request, Running,
    Services, Settings,
};
use crate::script::program;

struct Offline;

fn offline() -> Fault {
    Fault::new(
        Code::ScriptError,
        "nothing can be reached while a file is loaded",
    )
    .hint("Do it in `handle`, when a message comes.")
}

impl KeyValue for Offline {
    fn run(&self, _: Command) -> Running {
        Running::Done(Err(offline()))
    }

    fn sync(&self) -> BoxFuture<'_, Result<(), Fault>> {
        Box::pin(async { Err(offline()) })
    }
}

impl Connections for Offline {
    fn outgoing(&self, _: &str, _: &str) -> Result<Handle, Fault> {
        Err(offline())
    }
}

impl Settings for Offline {
    fn file(&self, _: &str) -> Option<Value> {
        None
    }
}

impl Services for Offline {
    fn find(&self, _: &str) -> Option<Arc<Entry>> {
        None
    }

    fn names(&self) -> Vec<ServiceName> {
        Vec::new()
    }
}

/// Makes the call under which the top level of a file is tried.
pub(crate) fn call(path: &str, language: &'static str) -> Option<Rc<Call>> {
    let ports = Ports {
        kvdb: Arc::new(Offline),
        connections: Arc::new(Offline),
        settings: Arc::new(Offline),
        clock: Arc::new(SystemClock),
    };
    let ctx = Ctx {
        cid: Cid::fresh(),
        caller: Arc::new(Caller::default()),
        channel: None,
        job: None,
        request: Arc::new(Request::default()),
        deadline: Instant::now() + Duration::from_secs(2),
        depth: 0,
        limits: Limits::default(),
        ports: Arc::new(ports),
        services: Arc::new(Offline),
    };
    let service = program::bare(
        ServiceName::new("loading")?,
        Place::new(path, 0, 0),
        language,
    );
    Some(program::call(
        &Rc::new(Core::new(0)),
        ctx,
        &Arc::new(service),
    ))
}
