//! `ctx.fail{…}`: the service reports a failure of its own choice.

use std::rc::Rc;

use crate::base::{Code, Fault, FieldError, Segment, Text, Value};
use crate::contract::{Arg, Args, Call, Effect, Example, HostCall, HostFn, Receiver, Type};

/// The namespace.
pub(crate) const TABLE: &[HostFn] = &[HostFn {
    path: "fail",
    receiver: Receiver::Ctx,
    args: &[Arg {
        name: "failure",
        ty: Type::Any,
        optional: false,
    }],
    returns: Type::Nothing,
    effect: Effect::Pure,
    doc: "Ends the call with a failure: `status` (default 500), `code` and `message`, which the caller sees; or with a text, its message. \
          `errors` is a list of problems of single fields, each with `pointer` and `message`.",
    examples: &[
        Example {
            lua: "pcall(ctx.fail, { status = 404, code = 'NO-RATE', message = 'no rate' })",
            rhai: "try { ctx.fail(#{ status: 404, code: \"NO-RATE\", message: \"no rate\" }); } catch { return false; }",
            result: "false",
        },
        Example {
            lua: "select(2, pcall(ctx.fail, { status = 400, message = 'no', errors = { { pointer = '/a/0', message = 'is missing' } } })).status",
            rhai: "try { ctx.fail(#{ status: 400, message: \"no\", errors: [#{ pointer: \"/a/0\", message: \"is missing\" }] }); } catch (e) { return e.status; }",
            result: "400",
        },
    ],
    call: HostCall::Now(fail),
}];

fn fail(_: &Rc<Call>, mut args: Args) -> Result<Value, Fault> {
    if let Some(Value::Text(message)) = args.get(0) {
        return Err(Fault::new(Code::ScriptFailed, message.as_str()));
    }
    let mut failure = args.map(0, "failure")?;
    let message = failure.remove("message").and_then(|value| value.to_text());
    let code = failure.remove("code").and_then(|value| value.to_text());
    let status = failure.remove("status").map(status).transpose()?;
    let errors = failure.remove("errors").map(problems).transpose()?;
    if let Some(unknown) = failure.names().next() {
        return Err(Fault::new(
            Code::ScriptArgument,
            format!("a failure has no field '{unknown}'"),
        )
        .hint("Its fields are status, code, message and errors."));
    }
    let message = message.unwrap_or_else(|| Text::const_new("the service reported a failure"));
    Err(Fault::new(Code::ScriptFailed, message.as_str())
        .chosen(status, code.as_deref().map(clean))
        .errors(errors.unwrap_or_default()))
}

fn problems(value: Value) -> Result<Vec<FieldError>, Fault> {
    let list = match value {
        Value::List(list) => list.iter().map(problem).collect(),
        Value::Map(map) if map.is_empty() => Some(Vec::new()),
        _ => None,
    };
    list.ok_or_else(|| {
        Fault::new(
            Code::ScriptArgument,
            "`errors` of a failure must be a list of tables with `pointer` and `message`",
        )
    })
}

fn problem(value: &Value) -> Option<FieldError> {
    let map = value.as_map()?;
    let pointer = map.get("pointer")?.as_str()?;
    Some(FieldError {
        path: pointer.split('/').skip(1).map(segment).collect(),
        code: Code::ScriptFailed,
        detail: map.get("message")?.to_text()?.to_string(),
    })
}

fn segment(step: &str) -> Segment {
    match step.parse() {
        Ok(index) => Segment::Index(index),
        Err(_name) => Segment::Name(step.replace("~1", "/").replace("~0", "~").into()),
    }
}

fn status(value: Value) -> Result<u16, Fault> {
    let number = Args::new(vec![value]).int(0, "status")?;
    u16::try_from(number)
        .ok()
        .filter(|status| (400..=599).contains(status))
        .ok_or_else(|| {
            Fault::new(
                Code::ScriptArgument,
                format!("status {number} is not one of a failure: use 400 to 599"),
            )
        })
}

/// Keeps a code to one short visible word, as it may travel in headers.
fn clean(code: &str) -> Text {
    code.chars()
        .filter(char::is_ascii_graphic)
        .take(64)
        .collect()
}
