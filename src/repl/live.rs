//! What scripts of a REPL reach when they talk with a running server: its keys, its peers, its services, each by one
//! operation of the admin port.

use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::{Value as Json, json};

use crate::base::{
    BoxFuture, Code, Fault, Handle, LocalBoxFuture, Millis, Place, ServiceName, Text, Value,
};
use crate::connect::http::{Bearer, distant};
use crate::contract::{
    Answer, Command, Connections, Core, Ctx, Declaration, Entry, KeyValue, Running, Service,
    Services,
};
use crate::kvdb::told;
use crate::runtime::no_connection;
use crate::script::bare;

/// The way to a server.
pub(crate) trait Remote: Send + Sync {
    /// Runs an operation of its admin port; a problem it answers with becomes a fault by [`fault_of`].
    fn ask(&self, operation: &'static str, input: Json) -> BoxFuture<'static, Result<Json, Fault>>;
}

/// Makes the fault of a problem that a server told, with its block as it came.
pub(crate) fn fault_of(status: u16, problem: &Json) -> Fault {
    let text = |field: &str| problem.get(field).and_then(Json::as_str);
    let told = text("code").unwrap_or_default();
    let known = Code::ALL.iter().find(|code| code.as_str() == told);
    let message = text("detail").or_else(|| text("title"));
    let message = message.unwrap_or("the server answered without a reason");
    let fault = Fault::new(*known.unwrap_or(&Code::ScriptFailed), message);
    let own = known.is_none().then(|| Text::new(told));
    let fault = fault.chosen(Some(status), own.filter(|code| !code.is_empty()));
    let fault = match text("hint") {
        Some(hint) => fault.hint(hint),
        None => fault,
    };
    match text("diagnostic") {
        Some(block) => fault.blocks(block.to_owned()),
        None => fault,
    }
}

fn unclear() -> Fault {
    Fault::new(Code::Internal, "the server's answer is not understood")
}

fn left(deadline: Instant) -> Millis {
    let left = deadline.saturating_duration_since(Instant::now());
    // It is the server that ends the call, with a fault that says more than ours would.
    let left = left.saturating_sub(Duration::from_millis(50));
    Millis(u64::try_from(left.as_millis()).unwrap_or(u64::MAX).max(1))
}

/// The server's key/value store.
pub(super) struct Keys(pub(super) Arc<dyn Remote>);

impl KeyValue for Keys {
    fn run(&self, command: Command) -> Running {
        let input = json!({ "command": command.name, "args": told::arguments(&command) });
        let asked = self.0.ask("kladka.kvdb.run", input);
        Running::Later(Box::pin(async move {
            let answer = asked.await?;
            answer.get("reply").and_then(told::read).ok_or_else(unclear)
        }))
    }

    fn waits(&self) -> bool {
        true
    }

    fn sync(&self) -> BoxFuture<'_, Result<(), Fault>> {
        Box::pin(async { Ok(()) })
    }
}

/// The server's outgoing HTTP connections.
pub(super) struct Links {
    bearer: Arc<Peers>,
    names: Vec<String>,
}

impl Links {
    pub(super) fn new(remote: &Arc<dyn Remote>, names: Vec<String>) -> Self {
        Self {
            bearer: Arc::new(Peers(Arc::clone(remote))),
            names,
        }
    }
}

impl Connections for Links {
    fn outgoing(&self, kind: &str, name: &str) -> Result<Handle, Fault> {
        let http = kind == "http";
        let names = || self.names.iter().filter(|_| http).map(String::as_str);
        if names().any(|known| known == name) {
            let bearer: Arc<Peers> = Arc::clone(&self.bearer);
            return Ok(distant(name, bearer));
        }
        Err(no_connection(kind, name, names()))
    }
}

struct Peers(Arc<dyn Remote>);

impl Bearer for Peers {
    fn send(
        &self,
        connection: &str,
        request: Json,
        deadline: Instant,
    ) -> BoxFuture<'static, Result<Json, Fault>> {
        let timeout = left(deadline);
        let input = json!({ "name": connection, "asked": request, "timeout": timeout });
        self.0.ask("kladka.outgoing.send", input)
    }

    fn ping(&self, connection: &str, _: Instant) -> BoxFuture<'static, Result<Json, Fault>> {
        let input = json!({ "name": connection });
        self.0.ask("kladka.outgoing.ping", input)
    }
}

/// The server's services.
pub(super) struct Offers {
    entries: Vec<(ServiceName, Arc<Entry>)>,
}

impl Offers {
    pub(super) fn new(
        remote: &Arc<dyn Remote>,
        declared: impl IntoIterator<Item = Arc<Declaration>>,
    ) -> Self {
        let entries = declared.into_iter().map(|declaration| {
            let name = declaration.name.clone();
            let service = Offer {
                remote: Arc::clone(remote),
                declaration,
            };
            let entry = Entry {
                service: Arc::new(service),
                revision: 0,
                path: String::new(),
                direct: Arc::default(),
            };
            (name, Arc::new(entry))
        });
        Self {
            entries: entries.collect(),
        }
    }
}

impl Services for Offers {
    fn find(&self, name: &str) -> Option<Arc<Entry>> {
        let mut all = self.entries.iter();
        let (_, entry) = all.find(|(own, _)| own.as_str() == name)?;
        Some(Arc::clone(entry))
    }

    fn names(&self) -> Vec<ServiceName> {
        self.entries.iter().map(|(name, _)| name.clone()).collect()
    }
}

/// Declares a service of which only the name is known: the server itself binds and checks.
pub(super) fn declaration(name: &str) -> Option<Arc<Declaration>> {
    let name = ServiceName::new(name)?;
    Some(Arc::new(bare(name, Place::new("", 0, 0), "")))
}

/// One service of the server.
struct Offer {
    remote: Arc<dyn Remote>,
    declaration: Arc<Declaration>,
}

impl Service for Offer {
    fn declaration(&self) -> &Arc<Declaration> {
        &self.declaration
    }

    fn call<'a>(
        &'a self,
        _: &'a Rc<Core>,
        ctx: Ctx,
        input: Value,
    ) -> LocalBoxFuture<'a, Result<Answer, Fault>> {
        let input = json!({
            "name": self.declaration.name,
            "payload": Json::from(&input),
            "timeout": left(ctx.deadline),
            "read_only": ctx.request.read_only,
        });
        let asked = self.remote.ask("kladka.service.invoke", input);
        Box::pin(async move {
            let answer = asked.await?;
            Ok(Answer {
                value: answer.get("output").map(Value::from).unwrap_or_default(),
                ..Answer::default()
            })
        })
    }
}
