//! The kind `outgoing.http`: scripts call a peer by the name of its connection.

use std::any::Any;
use std::path::Path;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use http::{HeaderMap, HeaderName, HeaderValue, Method};
use url::Url;

use crate::base::{
    BoxFuture, Cid, Code, Fault, Faults, Handle, LocalBoxFuture, Map, Object, ObjectName, Text,
    Value,
};
use crate::connect::http::call::{Outcall, perform, ping};
use crate::connect::http::client::{Clients, build};
use crate::connect::http::distant::Distant;
use crate::connect::http::outgoing_spec::{self, HttpOutgoingSpec};
use crate::connect::http::response;
use crate::connect::http::wire::{Way, Wire};
use crate::contract::{
    Arg, Args, Call, Credentials, Effect, Env, HostCall, HostFn, Kind, Live, Receiver, Type,
};

/// An outgoing HTTP connection.
pub(crate) struct HttpOutgoing;

/// Numbers the connections that were started: an edited one is a new one, with clients of its own.
static NEXT: AtomicU64 = AtomicU64::new(1);

/// A connection that is ready to be called. Nothing is dialled before the first call.
#[derive(Clone)]
pub(super) struct Connection {
    pub(super) id: u64,
    pub(super) name: Text,
    pub(super) base: Url,
    pub(super) headers: HeaderMap,
    pub(super) spec: Arc<HttpOutgoingSpec>,
    pub(super) credentials: Option<Credentials>,
    /// What tests put in the place of the network.
    pub(super) wire: Option<Arc<dyn Wire>>,
}

impl Object for Connection {
    fn class(&self) -> &'static str {
        HttpOutgoing::NAME
    }

    fn name(&self) -> Option<&str> {
        Some(&self.name)
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}

impl Kind for HttpOutgoing {
    const NAME: &'static str = "outgoing.http";
    const DOC: &'static str = "A peer that speaks HTTP.";
    const EXAMPLE: &'static str = r#"{"url": "https://treasury.example", "path": "/feed.svc/Rates", "timeout": {"connect": "5s", "total": "20s"}, "retry": {"attempts": 3, "backoff": "500ms..10s", "when": ["connect", "timeout", 502, 503, 504]}, "ping": {"path": "/"}}"#;
    const OPS: &'static [HostFn] = &[
        op(
            "outgoing.http.get",
            "Sends a GET request.",
            HostCall::Wait(|c, a| run(c, a, &Method::GET)),
        ),
        op(
            "outgoing.http.post",
            "Sends a POST request.",
            HostCall::Wait(|c, a| run(c, a, &Method::POST)),
        ),
        op(
            "outgoing.http.put",
            "Sends a PUT request.",
            HostCall::Wait(|c, a| run(c, a, &Method::PUT)),
        ),
        op(
            "outgoing.http.patch",
            "Sends a PATCH request.",
            HostCall::Wait(|c, a| run(c, a, &Method::PATCH)),
        ),
        op(
            "outgoing.http.delete",
            "Sends a DELETE request.",
            HostCall::Wait(|c, a| run(c, a, &Method::DELETE)),
        ),
        op(
            "outgoing.http.head",
            "Sends a HEAD request.",
            HostCall::Wait(|c, a| run(c, a, &Method::HEAD)),
        ),
        op(
            "outgoing.http.send",
            "Sends a request of the method that the table names.",
            HostCall::Wait(send),
        ),
        HostFn {
            args: &[],
            returns: Type::Map,
            ..op(
                "outgoing.http.ping",
                "Asks whether the peer is there; returns status and elapsed_ms.",
                HostCall::Wait(ping_op),
            )
        },
        response::STATUS,
        response::HEADERS,
        response::TEXT,
        response::BYTES,
        response::JSON,
        response::XML,
    ];

    type Spec = HttpOutgoingSpec;

    fn check(spec: &HttpOutgoingSpec, faults: &mut Faults) {
        outgoing_spec::check(spec, faults);
    }

    fn start(name: &ObjectName, spec: Arc<HttpOutgoingSpec>, env: &Env<'_>) -> Result<Live, Fault> {
        let base = outgoing_spec::base(&spec.url)
            .map_err(|message| Fault::new(Code::ConfigConstraint, message))?;
        if base.scheme() == "https" && !spec.tls.verify {
            tracing::warn!(object = %name, "Certificates of this peer are not verified.");
        }
        let spec = in_project(spec, env.project);
        let credentials = match &spec.security {
            Some(security) => Some(credentials(security.name(), env)?),
            None => None,
        };
        Ok(Live::Outgoing(Handle::new(Connection {
            id: NEXT.fetch_add(1, Ordering::Relaxed),
            name: Text::new(name.as_str()),
            base,
            headers: headers(&spec),
            credentials,
            spec,
            wire: None,
        })))
    }

    fn ping(connection: Handle) -> BoxFuture<'static, Result<serde_json::Value, Fault>> {
        Box::pin(async move {
            let said = ping_outgoing(connection, Cid::fresh()).await?;
            Ok(serde_json::Value::from(&said))
        })
    }
}

const REQUEST: &[Arg] = &[Arg {
    name: "request",
    ty: Type::Map,
    optional: true,
}];

const fn op(path: &'static str, doc: &'static str, call: HostCall) -> HostFn {
    HostFn {
        path,
        receiver: Receiver::Method,
        args: REQUEST,
        returns: Type::Object(response::CLASS),
        effect: Effect::Network,
        doc,
        examples: &[],
        call,
    }
}

fn credentials(name: &ObjectName, env: &Env<'_>) -> Result<Credentials, Fault> {
    env.guard(name)?.credentials().ok_or_else(|| {
        Fault::new(
            Code::ConfigReference,
            format!("security definition '{name}' has nothing an outgoing connection could send"),
        )
        .hint("Use one of the kinds security.basic or security.api_key.")
    })
}

/// Returns the headers that every call sends; the spec was checked.
fn headers(spec: &HttpOutgoingSpec) -> HeaderMap {
    let pairs = spec.headers.iter().filter_map(|(name, value)| {
        let name = HeaderName::from_bytes(name.as_bytes()).ok()?;
        Some((name, HeaderValue::from_str(value).ok()?))
    });
    pairs.collect()
}

fn connection(args: &mut Args) -> Result<Handle, Fault> {
    let handle = args.handle(0, "connection")?;
    if handle.downcast::<Connection>().is_some() || handle.downcast::<Distant>().is_some() {
        return Ok(handle);
    }
    Err(Fault::new(
        Code::ScriptArgument,
        "argument `connection` must be an outgoing HTTP connection; call it with a colon",
    ))
}

fn run(
    call: Rc<Call>,
    mut args: Args,
    method: &Method,
) -> LocalBoxFuture<'static, Result<Value, Fault>> {
    let request = args.map(1, "request");
    dispatch(call, args, request, Some(method.clone()))
}

fn send(call: Rc<Call>, mut args: Args) -> LocalBoxFuture<'static, Result<Value, Fault>> {
    let request = args.map(1, "request");
    dispatch(call, args, request, None)
}

fn dispatch(
    call: Rc<Call>,
    mut args: Args,
    request: Result<Map, Fault>,
    method: Option<Method>,
) -> LocalBoxFuture<'static, Result<Value, Fault>> {
    Box::pin(async move {
        let handle = connection(&mut args)?;
        if let Some(distant) = handle.downcast::<Distant>() {
            let response = distant.send(method, request?, call.ctx.deadline).await?;
            return Ok(Value::Handle(Handle::new(response)));
        }
        let connection = handle.downcast::<Connection>().ok_or_else(gone)?;
        let outcall = Outcall::read(connection, method, request?, &call.ctx.cid)?;
        let way = way(&call, connection)?;
        let response = perform(connection, &way, outcall, call.ctx.deadline).await?;
        Ok(Value::Handle(Handle::new(response)))
    })
}

fn ping_op(call: Rc<Call>, mut args: Args) -> LocalBoxFuture<'static, Result<Value, Fault>> {
    Box::pin(async move {
        let handle = connection(&mut args)?;
        if let Some(distant) = handle.downcast::<Distant>() {
            return distant.ping(call.ctx.deadline).await;
        }
        let connection = handle.downcast::<Connection>().ok_or_else(gone)?;
        ping(connection, &way(&call, connection)?, &call.ctx.cid).await
    })
}

fn way(call: &Call, connection: &Connection) -> Result<Way, Fault> {
    if let Some(wire) = &connection.wire {
        return Ok(Way::Wire(Arc::clone(wire)));
    }
    let clients = call.core.local::<Clients>();
    clients
        .of(connection.id, &connection.spec)
        .map(Way::Network)
}

/// Pings a connection from outside of a call: dials anew and returns `status` and `elapsed_ms`.
pub(super) fn ping_outgoing(handle: Handle, cid: Cid) -> BoxFuture<'static, Result<Value, Fault>> {
    Box::pin(async move {
        let connection = handle.downcast::<Connection>().ok_or_else(gone)?;
        ping(connection, &Way::Network(build(&connection.spec)?), &cid).await
    })
}

/// Makes the file of authorities stand in the project.
fn in_project(spec: Arc<HttpOutgoingSpec>, project: &Path) -> Arc<HttpOutgoingSpec> {
    if spec.tls.ca_file.is_empty() {
        return spec;
    }
    let mut spec = HttpOutgoingSpec::clone(&spec);
    spec.tls.ca_file = project
        .join(&spec.tls.ca_file)
        .to_string_lossy()
        .into_owned();
    Arc::new(spec)
}

fn gone() -> Fault {
    Fault::new(
        Code::ScriptArgument,
        "this is not an outgoing HTTP connection",
    )
}
