//! The script API, one file for each namespace. Every language, the reference and the editor stubs walk [`TABLES`].

pub(crate) mod base64;
mod calendar;
pub(crate) mod chance;
pub(crate) mod config;
pub(crate) mod crypto;
pub(crate) mod csv;
pub(crate) mod data;
pub(crate) mod date;
pub(crate) mod decimal;
pub(in crate::script) mod exact;
mod fail;
mod invoke;
pub(crate) mod json;
pub(crate) mod kvdb;
pub(crate) mod log;
mod moment;
pub(crate) mod outgoing;
mod pattern;
mod read_only;
pub(crate) mod regex;
pub(crate) mod time;
pub(crate) mod uses;
pub(crate) mod uuid;
pub(crate) mod xml;
mod zone;

use tokio::sync::SemaphorePermit;

use crate::base::{Code, Fault};
use crate::contract::{Args, Call, Effect, HostFn, Receiver, Type};

/// All host functions but those of connections, which their kinds declare, in the order the reference shows them.
pub(crate) const TABLES: &[&[HostFn]] = &[
    invoke::TABLE,
    fail::TABLE,
    log::TABLE,
    kvdb::TABLE,
    time::TABLE,
    crypto::TABLE,
    xml::TABLE,
    json::TABLE,
    csv::TABLE,
    regex::TABLE,
    base64::TABLE,
    uuid::TABLE,
    date::TABLE,
    decimal::TABLE,
];

/// How many outgoing calls a call may have under way; further ones wait their turn.
pub(in crate::script) const AT_ONCE: usize = 6;

/// Splits a path into its namespace or class and its last part; the namespace of `invoke` is empty.
pub(crate) fn split(path: &'static str) -> (&'static str, &'static str) {
    path.rsplit_once('.').unwrap_or(("", path))
}

/// Tells whether a method is read like a field: `response.status`. Its documentation begins with `Property:`.
pub(crate) fn is_property(function: &HostFn) -> bool {
    function.receiver == Receiver::Method
        && function.args.is_empty()
        && function.doc.starts_with("Property:")
}

/// Tells whether it takes a function, and in its place gets what became of calling it: a map of `failed`, `code`,
/// `status` and `message`.
pub(crate) fn takes_function(function: &HostFn) -> bool {
    let first = function.args.first();
    first.is_some_and(|arg| arg.ty == Type::Function)
}

/// Lets a host function run: its service may use what it reaches, and its call is within its limits.
pub(crate) fn admit(call: &Call, function: &HostFn, args: &Args) -> Result<(), Fault> {
    uses::permit_all(call, function, args)?;
    if matches!(function.effect, Effect::Pure | Effect::Read) {
        return Ok(());
    }
    if call.ctx.request.read_only {
        read_only::permit(function, args)?;
    }
    if function.effect != Effect::Network {
        return Ok(());
    }
    let used = call.outgoing_used.get();
    let limit = call.ctx.limits.outgoing;
    if used >= limit {
        let name = &call.service.name;
        return Err(Fault::new(
            Code::TooManyCalls,
            format!("service '{name}' made more than {limit} outgoing calls"),
        ));
    }
    call.outgoing_used.set(used + 1);
    Ok(())
}

/// Waits until an outgoing call may be under way. Its turn lasts until the permit is dropped.
pub(crate) async fn turn<'a>(call: &'a Call, function: &HostFn) -> Option<SemaphorePermit<'a>> {
    if function.effect != Effect::Network {
        return None;
    }
    // Nobody closes it.
    call.outgoing_turns.acquire().await.ok()
}

/// Checks how many arguments a host function was given.
pub(crate) fn check_count(function: &HostFn, given: usize) -> Result<(), Fault> {
    let path = function.path;
    let open = function.args.last().is_some_and(|arg| arg.ty == Type::Rest);
    let most = function.args.len();
    if given > most && !open {
        let fault = Fault::new(
            Code::ScriptArgument,
            format!("'{path}' takes {most} argument(s), got {given}"),
        );
        return Err(fault.hint(format!("Its arguments are: {}.", signature(function))));
    }
    let required = |arg: &&crate::contract::Arg| !arg.optional && arg.ty != Type::Rest;
    match function.args.iter().skip(given).find(required) {
        Some(missing) => Err(Fault::new(
            Code::ScriptArgument,
            format!("'{path}' needs the argument `{}`", missing.name),
        )
        .hint(format!("Its arguments are: {}.", signature(function)))),
        None => Ok(()),
    }
}

fn signature(function: &HostFn) -> String {
    let names: Vec<String> = function
        .args
        .iter()
        .map(|arg| {
            if arg.optional {
                format!("{}?", arg.name)
            } else {
                arg.name.to_owned()
            }
        })
        .collect();
    if names.is_empty() {
        return "none".to_owned();
    }
    names.join(", ")
}

#[cfg(test)]
mod tests;
