//! `ctx.outgoing.KIND["name"]`: the live connections. Names resolve at each call, so editing one needs no reload.

use crate::base::{Fault, Use, Value};
use crate::contract::{Call, HostFn, Receiver};
use crate::script::host::{self, uses};

/// The group of the connections.
pub(crate) const CONNECTIONS: &str = "outgoing";
/// The group of what tests say of them.
const MOCKS: &str = "out";

/// Returns a connection, or in tests what stands in for one, by kind and name.
pub(crate) fn connection(call: &Call, group: &str, kind: &str, name: &str) -> Result<Value, Fault> {
    let connections = &call.ctx.ports.connections;
    let found = match group {
        CONNECTIONS => {
            uses::permit(call, &Use::outgoing(kind, name))?;
            connections.outgoing(kind, name)
        }
        group => connections.outgoing(&format!("{group}.{kind}"), name),
    };
    found.map(Value::Handle)
}

/// Returns the groups of `ctx` whose members are found by kind and name.
pub(crate) fn groups(tables: &[&'static [HostFn]]) -> impl Iterator<Item = &'static str> {
    let mocks = !kinds(tables, MOCKS).is_empty();
    [CONNECTIONS].into_iter().chain(mocks.then_some(MOCKS))
}

/// Returns the kinds of a group that have functions, such as `http`.
pub(crate) fn kinds(tables: &[&'static [HostFn]], group: &str) -> Vec<&'static str> {
    let mut kinds: Vec<&str> = tables
        .iter()
        .flat_map(|table| table.iter())
        .filter(|function| function.receiver == Receiver::Method)
        .filter_map(|function| {
            host::split(function.path)
                .0
                .strip_prefix(group)?
                .strip_prefix('.')
        })
        .filter(|kind| !kind.contains('.'))
        .collect();
    kinds.sort_unstable();
    kinds.dedup();
    kinds
}
