//! `t`: what tests can do beside everything that `ctx` can.

use std::path::Component;
use std::path::Path;
use std::rc::Rc;

use bytes::Bytes;
use serde_json::Value as Json;

use crate::base::{Code, Fault, Handle, LocalBoxFuture, Map, Value};
use crate::contract::{Arg, Args, Call, Effect, HostCall, HostFn, Receiver, Type};
use crate::format::json_write;
use crate::service;
use crate::testing::compare::{self, plain, short};
use crate::testing::mocks::{Peer, Prepare, Prepared};
use crate::testing::scene::{self, Scene};
use crate::testing::wanted::{Wanted, bytes, refused};
use crate::xml::Node;

const fn arg(name: &'static str, ty: Type) -> Arg {
    let optional = false;
    Arg { name, ty, optional }
}

const fn optional(name: &'static str, ty: Type) -> Arg {
    let optional = true;
    Arg { name, ty, optional }
}

const fn on_t(
    path: &'static str,
    args: &'static [Arg],
    returns: Type,
    doc: &'static str,
    call: HostCall,
) -> HostFn {
    HostFn {
        path,
        receiver: Receiver::Ctx,
        args,
        returns,
        effect: Effect::Write,
        doc,
        examples: &[],
        call,
    }
}

const fn on_object(
    path: &'static str,
    args: &'static [Arg],
    returns: Type,
    doc: &'static str,
    call: HostCall,
) -> HostFn {
    HostFn {
        receiver: Receiver::Method,
        ..on_t(path, args, returns, doc, call)
    }
}

/// The functions of tests.
pub(super) const TABLE: &[HostFn] = &[
    on_t(
        "invoke",
        &[arg("name", Type::Text), optional("payload", Type::Any)],
        Type::Any,
        "Calls a service as from outside and returns its payload.",
        HostCall::Wait(invoke),
    ),
    on_t(
        "eq",
        &[
            optional("actual", Type::Any),
            optional("expected", Type::Any),
        ],
        Type::Nothing,
        "Checks that two values are the same, deeply.",
        HostCall::Now(eq),
    ),
    on_t(
        "ok",
        &[
            optional("value", Type::Any),
            optional("message", Type::Text),
        ],
        Type::Nothing,
        "Checks that a value is neither nothing nor false.",
        HostCall::Now(ok),
    ),
    on_t(
        "fails",
        &[
            arg("what", Type::Function),
            optional("input", Type::Any),
            optional("wanted", Type::Map),
        ],
        Type::Nothing,
        "Checks that a function, or a service with an input, fails with a `code`, `status`, `pointer` and `message`.",
        HostCall::Wait(fails),
    ),
    on_t(
        "logged",
        &[arg("level", Type::Text), arg("text", Type::Text)],
        Type::Nothing,
        "Checks that a line was logged; a text between slashes is a regular expression.",
        HostCall::Now(logged),
    ),
    on_t(
        "fixture",
        &[arg("path", Type::Text)],
        Type::Text,
        "Returns the bytes of a file below tests/fixtures/.",
        HostCall::Now(fixture),
    ),
    on_t(
        "clock.set",
        &[arg("moment", Type::Text)],
        Type::Nothing,
        "Sets the clock, which stands otherwise.",
        HostCall::Now(|call, mut args| {
            let moment = args.text(0, "moment")?;
            scene::of(call)?.clock.set(&moment).map(|()| Value::Null)
        }),
    ),
    on_t(
        "clock.advance",
        &[arg("duration", Type::Text)],
        Type::Nothing,
        "Moves the clock on, such as by `1h`.",
        HostCall::Now(|call, mut args| {
            let by = args.text(0, "duration")?;
            scene::of(call)?.clock.advance(&by).map(|()| Value::Null)
        }),
    ),
    on_object(
        "out.http.on",
        &[arg("method", Type::Text), optional("request", Type::Map)],
        Type::Object("mock.http"),
        "Begins a mock for requests of a method, and of a `path`, `query`, `headers`, `body` or `json`.",
        HostCall::Now(on),
    ),
    on_object(
        "out.http.called",
        &[optional("request", Type::Map)],
        Type::Nothing,
        "Checks that the connection was called so; `times` says how often.",
        HostCall::Now(called),
    ),
    on_object(
        "mock.http.reply",
        &[
            arg("status", Type::Int),
            optional("body", Type::Any),
            optional("headers", Type::Map),
        ],
        Type::Object("mock.http"),
        "Adds an answer: the first to the first request, the last to all that come after.",
        HostCall::Now(reply),
    ),
    on_object(
        "mock.http.fail",
        &[arg("how", Type::Text)],
        Type::Object("mock.http"),
        "Adds a failure in the place of an answer: `timeout` or `connect`.",
        HostCall::Now(fail),
    ),
];

fn invoke(call: Rc<Call>, mut args: Args) -> LocalBoxFuture<'static, Result<Value, Fault>> {
    Box::pin(async move {
        let name = args.text(0, "name")?;
        let scene = scene::of(&call)?;
        let answer = service::invoke(&call.core, &scene.ctx(), &name, args.take(1)).await?;
        Ok(answer.value)
    })
}

fn eq(call: &Rc<Call>, mut args: Args) -> Result<Value, Fault> {
    let scene = scene::of(call)?;
    let (actual, expected) = (args.take(0), args.take(1));
    let result = same(&actual, &expected).map_err(|fault| {
        let hint = actual.is_null().then(|| scene.keys.hint()).flatten();
        match hint {
            Some(hint) => fault.hint(hint),
            None => fault,
        }
    });
    scene.note(result).map(|()| Value::Null)
}

fn same(actual: &Value, expected: &Value) -> Result<(), Fault> {
    if actual == expected {
        return Ok(());
    }
    if holds_objects(actual) || holds_objects(expected) {
        let message = "objects of the server have no content to compare";
        return Err(Fault::new(Code::TestFailed, message).hint("Compare their texts or fields."));
    }
    compare::check(&plain(expected), &plain(actual))
}

fn holds_objects(value: &Value) -> bool {
    match value {
        Value::Handle(_) => true,
        Value::List(list) => list.iter().any(holds_objects),
        Value::Map(map) => map.iter().any(|(_, value)| holds_objects(value)),
        _ => false,
    }
}

fn ok(call: &Rc<Call>, mut args: Args) -> Result<Value, Fault> {
    let scene = scene::of(call)?;
    let value = args.take(0);
    let good = !matches!(value, Value::Null | Value::Bool(false));
    let message = match args.get(1) {
        Some(_) => args.text(1, "message")?.to_string(),
        None => format!("expected something, got {}", shown(&value)),
    };
    let result = if good {
        Ok(())
    } else {
        Err(Fault::new(Code::TestFailed, message))
    };
    scene.note(result).map(|()| Value::Null)
}

fn shown(value: &Value) -> String {
    match value {
        Value::Null => "nothing".to_owned(),
        value => short(&Json::from(value)),
    }
}

fn fails(call: Rc<Call>, mut args: Args) -> LocalBoxFuture<'static, Result<Value, Fault>> {
    Box::pin(async move {
        let scene = scene::of(&call)?;
        let (seen, wanted) = match args.take(0) {
            Value::Text(name) => {
                let input = args.take(1);
                let result = service::invoke(&call.core, &scene.ctx(), &name, input).await;
                (Seen::of(result.err().as_ref()), args.map(2, "wanted")?)
            }
            Value::Map(outcome) => (Seen::read(&outcome), args.map(1, "wanted")?),
            other => {
                let kind = other.kind();
                let message =
                    format!("fails takes a function or the name of a service, got {kind}");
                return Err(refused(message));
            }
        };
        scene.note(check_failure(seen.as_ref(), &wanted))?;
        Ok(Value::Null)
    })
}

/// A failure as a test sees it.
struct Seen {
    code: Value,
    status: Value,
    message: Value,
    pointers: Vec<Value>,
    shown: String,
}

impl Seen {
    fn of(fault: Option<&Fault>) -> Option<Self> {
        let fault = fault?;
        let errors = fault.field_errors().iter();
        Some(Self {
            code: Value::text(fault.code_text()),
            status: Value::Int(fault.status().into()),
            message: Value::text(fault.message()),
            pointers: errors.map(|error| Value::from(error.pointer())).collect(),
            shown: fault.to_string(),
        })
    }

    /// Reads what became of a function.
    fn read(outcome: &Map) -> Option<Self> {
        let field = |name: &str| outcome.get(name).cloned().unwrap_or_default();
        (field("failed") == Value::Bool(true)).then(|| Self {
            code: field("code"),
            status: field("status"),
            message: field("message"),
            pointers: Vec::new(),
            shown: shown(&field("message")),
        })
    }
}

fn check_failure(seen: Option<&Seen>, wanted: &Map) -> Result<(), Fault> {
    let Some(seen) = seen else {
        return Err(Fault::new(Code::TestFailed, "expected a failure, got none"));
    };
    for (name, value) in wanted {
        let own = match name.as_str() {
            "code" => &seen.code,
            "status" => &seen.status,
            "message" => &seen.message,
            "pointer" => match seen.pointers.iter().find(|pointer| *pointer == value) {
                Some(pointer) => pointer,
                None => seen.pointers.first().unwrap_or(&Value::Null),
            },
            other => {
                let fault = refused(format!("a failure has no '{other}'"));
                return Err(fault.hint("There are code, status, pointer and message."));
            }
        };
        compare::check(&plain(value), &plain(own)).map_err(|fault| {
            let message = format!("{name} of the failure: {}", fault.message());
            Fault::new(Code::TestFailed, message).detail(format!("it was {}", seen.shown))
        })?;
    }
    Ok(())
}

fn logged(call: &Rc<Call>, mut args: Args) -> Result<Value, Fault> {
    let (level, text) = (args.text(0, "level")?, args.text(1, "text")?);
    if !["debug", "info", "warn", "error"].contains(&level.as_str()) {
        let fault = refused(format!("there is no level '{level}'"));
        return Err(fault.hint("There are debug, info, warn and error."));
    }
    let scene = scene::of(call)?;
    let result = scene.check_logged(Some(&level), &text);
    scene.note(result).map(|()| Value::Null)
}

fn fixture(call: &Rc<Call>, mut args: Args) -> Result<Value, Fault> {
    let path = args.text(0, "path")?;
    read_fixture(&*scene::of(call)?, &path).map(Value::Bytes)
}

/// Returns the bytes of a file below `tests/fixtures/`.
pub(super) fn read_fixture(scene: &Scene, path: &str) -> Result<Bytes, Fault> {
    let inside = Path::new(path)
        .components()
        .all(|part| matches!(part, Component::Normal(_)));
    // A link could lead out of it where the path does not.
    let full = scene.fixtures.join(path).canonicalize();
    let root = scene.fixtures.canonicalize();
    match (inside, full, root) {
        (true, Ok(full), Ok(root)) if full.starts_with(&root) && full.is_file() => {
            let read = std::fs::read(&full).map(Bytes::from);
            read.map_err(|error| refused(format!("tests/fixtures/{path} cannot be read: {error}")))
        }
        _ => Err(refused(format!(
            "there is no fixture tests/fixtures/{path}"
        ))),
    }
}

fn peer(args: &mut Args) -> Result<Handle, Fault> {
    let handle = args.handle(0, "connection")?;
    match handle.downcast::<Peer>() {
        Some(_) => Ok(handle),
        None => Err(refused("this is not a connection of t.out.http")),
    }
}

fn on(_: &Rc<Call>, mut args: Args) -> Result<Value, Fault> {
    let handle = peer(&mut args)?;
    let method = args.text(1, "method")?.to_uppercase();
    let mut wanted = Wanted::read(args.map(2, "request")?, &[])?;
    wanted.method = Some(method.to_string());
    let Some(Peer { mocks, name }) = handle.downcast::<Peer>() else {
        return Ok(Value::Null);
    };
    let index = mocks.add(name, wanted, Vec::new());
    let mocks = mocks.clone();
    Ok(Value::Handle(Handle::new(Prepare { mocks, index })))
}

fn called(call: &Rc<Call>, mut args: Args) -> Result<Value, Fault> {
    let handle = peer(&mut args)?;
    let mut request = args.map(1, "request")?;
    let times = request.remove("times");
    let times = match times {
        None | Some(Value::Null) => None,
        Some(times) => usize::try_from(Args::new(vec![times]).int(0, "times")?).ok(),
    };
    let wanted = Wanted::read(request, &["times"])?;
    let Some(Peer { mocks, name }) = handle.downcast::<Peer>() else {
        return Ok(Value::Null);
    };
    let result = mocks.check_called(name, &wanted, times);
    scene::of(call)?.note(result).map(|()| Value::Null)
}

fn reply(_: &Rc<Call>, mut args: Args) -> Result<Value, Fault> {
    let status = args.int(1, "status")?;
    let status = u16::try_from(status)
        .ok()
        .filter(|it| (100..=999).contains(it));
    let status = status.ok_or_else(|| refused("a status is a number from 100 to 999"))?;
    let (body, media_type) = body(&args.take(2))?;
    let mut headers = headers(args.map(3, "headers")?);
    let named = headers
        .iter()
        .any(|(name, _)| name.eq_ignore_ascii_case("content-type"));
    if let Some(media_type) = media_type.filter(|_| !named) {
        headers.push(("content-type".to_owned(), media_type.to_owned()));
    }
    let answer = Prepared::Reply {
        status,
        headers,
        body,
    };
    add(&mut args, answer)
}

fn headers(map: Map) -> Vec<(String, String)> {
    let pairs = map.into_iter().filter_map(|(name, value)| {
        let value = value.to_text()?;
        Some((String::from(name), String::from(value)))
    });
    pairs.collect()
}

/// Returns the body of an answer: text and bytes as they are, tables as JSON, nodes as XML.
pub(super) fn body(value: &Value) -> Result<(Bytes, Option<&'static str>), Fault> {
    match value {
        Value::Null => Ok((Bytes::new(), None)),
        Value::Map(_) | Value::List(_) => {
            let mut written = Vec::new();
            json_write::write(&mut written, value)?;
            Ok((written.into(), Some("application/json")))
        }
        Value::Handle(handle) => match handle.downcast::<Node>() {
            Some(node) => Ok((node.to_xml().into(), Some("application/xml"))),
            None => Err(refused("an object of the server cannot be a body")),
        },
        other => Ok((bytes(other).unwrap_or_default(), None)),
    }
}

fn fail(_: &Rc<Call>, mut args: Args) -> Result<Value, Fault> {
    let how = args.text(1, "how")?;
    let answer = failure(&how)?;
    add(&mut args, answer)
}

/// Returns the failure of a word.
pub(super) fn failure(how: &str) -> Result<Prepared, Fault> {
    match how {
        "timeout" => Ok(Prepared::Timeout),
        "connect" => Ok(Prepared::Connect),
        other => Err(refused(format!("a peer cannot fail by '{other}'"))
            .hint("There are timeout and connect.")),
    }
}

fn add(args: &mut Args, answer: Prepared) -> Result<Value, Fault> {
    let handle = args.handle(0, "mock")?;
    let Some(Prepare { mocks, index }) = handle.downcast::<Prepare>() else {
        return Err(refused("call it on what `on` returns"));
    };
    mocks.answer(*index, answer);
    Ok(Value::Handle(handle))
}
