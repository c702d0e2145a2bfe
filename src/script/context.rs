//! `ctx`, in whatever language: what its fields are called and what they hold.

use crate::base::{Code, Fault, Map, Place, Text, Value, with_article};
use crate::contract::{Call, HostFn, Receiver, SoapVersion};
use crate::script::meter::Running;

/// Fields of `ctx` that depend on the call.
pub(crate) const FIELDS: &[&str] = &["cid", "service", "channel", "caller", "job"];
/// Fields of `ctx.request` that are made when asked for.
pub(crate) const REQUEST: &[&str] = &["input", "raw", "headers", "http", "soap"];
/// Fields of `ctx.response`.
pub(crate) const RESPONSE: &[&str] = &["payload", "status", "headers", "content_type"];

/// Walks the host functions of one kind of receiver.
pub(crate) fn functions<'a>(
    tables: &'a [&'static [HostFn]],
    receiver: Receiver,
) -> impl Iterator<Item = &'static HostFn> + 'a {
    tables
        .iter()
        .flat_map(|table| table.iter())
        .filter(move |function| function.receiver == receiver)
}

/// Returns a field of `ctx` that depends on the call.
pub(crate) fn call_field(call: &Call, name: &str) -> Value {
    let ctx = &call.ctx;
    match name {
        "cid" => Value::text(ctx.cid.as_str()),
        "service" => Value::text(call.service.name.as_str()),
        "caller" => Value::Map(
            [
                (
                    Text::const_new("name"),
                    Value::Text(ctx.caller.name.clone()),
                ),
                (
                    Text::const_new("security"),
                    Value::Text(ctx.caller.security.clone()),
                ),
            ]
            .into_iter()
            .collect(),
        ),
        "channel" => ctx.channel.as_ref().map_or(Value::Null, |channel| {
            let mut map = Map::with_capacity(3);
            map.set("name", channel.name.as_str());
            map.set("transport", channel.transport);
            map.set("format", channel.format);
            Value::Map(map)
        }),
        "job" => ctx.job.as_ref().map_or(Value::Null, |job| {
            let mut map = Map::with_capacity(4);
            map.set("name", job.name.as_str());
            map.set("fire_time", job.fire_time.to_rfc3339());
            map.set("attempt", i64::from(job.attempt));
            map.set("fence", job.fence);
            Value::Map(map)
        }),
        _ => Value::Null,
    }
}

/// Returns a field of `ctx.request`.
pub(crate) fn request_value(call: &Call, name: &str) -> Value {
    let request = &call.ctx.request;
    match name {
        "raw" => match std::str::from_utf8(&request.raw) {
            Ok(text) => Value::text(text),
            Err(_binary) => Value::Bytes(request.raw.clone()),
        },
        "headers" => headers(&request.meta.headers),
        "http" => request.meta.http.as_ref().map_or(Value::Null, |http| {
            let mut map = Map::with_capacity(4);
            map.set("method", http.method.as_str());
            map.set("path", http.path.as_str());
            map.set("query", http.query.as_str());
            let params = request.meta.params.iter();
            let params = params.map(|(name, value)| (name.clone(), Value::Text(value.clone())));
            map.set("params", params.collect::<Map>());
            Value::Map(map)
        }),
        "soap" => request.soap.as_ref().map_or(Value::Null, |soap| {
            let mut map = Map::with_capacity(2);
            let version = match soap.version {
                SoapVersion::V11 => "1.1",
                SoapVersion::V12 => "1.2",
            };
            map.set("version", version);
            map.set("operation", soap.operation.as_str());
            Value::Map(map)
        }),
        _ => Value::Null,
    }
}

/// Returns headers by their lower-case name; those given several times are joined, as HTTP allows.
fn headers(headers: &http::HeaderMap) -> Value {
    let mut map = Map::with_capacity(headers.keys_len());
    for name in headers.keys() {
        let values: Vec<String> = headers
            .get_all(name)
            .iter()
            .map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned())
            .collect();
        map.push(Text::new(name.as_str()), Value::from(values.join(", ")));
    }
    Value::Map(map)
}

/// Explains that a thing has no such field.
pub(crate) fn unknown<'a>(what: &str, name: &str, names: impl Iterator<Item = &'a str>) -> Fault {
    let names: Vec<&str> = names.collect();
    Fault::new(Code::ScriptError, format!("{what} has no field '{name}'"))
        .hint(format!("Its fields are: {}.", names.join(", ")))
        .near(name, names)
}

/// Explains that a service does not declare an output.
pub(crate) fn undeclared<'a>(name: &str, outputs: impl Iterator<Item = &'a str>) -> Fault {
    let outputs: Vec<&str> = outputs.collect();
    Fault::new(
        Code::OutputRejected,
        format!("output '{name}' is not declared"),
    )
    .hint(format!("The outputs are: {}.", outputs.join(", ")))
    .near(name, outputs)
}

/// Explains that a name stands for nothing.
pub(crate) fn undefined<'a>(name: &str, names: impl Iterator<Item = &'a str>) -> Fault {
    Fault::new(Code::ScriptError, format!("undefined name '{name}'"))
        .hint("Declare it before its use with `local`.")
        .near(name, names)
}

/// Explains that a variable is set that was not declared.
pub(crate) fn not_local(name: &str) -> Fault {
    Fault::new(Code::ScriptError, format!("'{name}' is not declared")).hint(format!(
        "Write `local {name} = …`: calls share no variables."
    ))
}

/// Explains that something needs a call.
pub(crate) fn no_call(what: &str) -> Fault {
    let message = format!("{what} works only while a message is handled");
    Fault::new(Code::ScriptError, message)
}

/// What a panic carries.
pub(crate) type Panic = Box<dyn std::any::Any + Send>;

/// Turns a panic of a host function into a fault that ends the call: a script cannot catch it and go on.
pub(crate) fn settle(
    running: &Running,
    function: &HostFn,
    result: Result<Result<Value, Fault>, Panic>,
) -> Result<Value, Fault> {
    result.unwrap_or_else(|panic| {
        let text = panic.downcast_ref::<String>().cloned();
        let text = text.or_else(|| panic.downcast_ref::<&str>().map(ToString::to_string));
        let path = function.path;
        let fault = Fault::new(Code::Internal, format!("host function '{path}' failed"))
            .detail(format!("panic: {}", text.unwrap_or_default()));
        running.end(fault.clone());
        Err(fault)
    })
}

/// Explains that a header is given in two spellings.
pub(crate) fn header_twice(name: &str) -> Fault {
    let message = format!("ctx.response.headers has '{name}' twice");
    let fault = Fault::new(Code::OutputRejected, message);
    fault.hint("The case of header names does not matter.")
}

/// Refuses what `handle` returned: nobody would get it.
pub(crate) fn returned(kind: &str, place: Place) -> Fault {
    let message = format!(
        "`handle` returned {}, which nobody gets",
        with_article(kind)
    );
    let fault = Fault::new(Code::OutputRejected, message).at(place);
    fault.hint(
        "Set `ctx.response.payload` to answer, call `ctx.fail` to refuse; `handle` returns nothing.",
    )
}
