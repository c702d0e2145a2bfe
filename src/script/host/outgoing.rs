//! `ctx.outgoing.KIND["name"]`: the live connections. Names resolve at each call, so editing one needs no reload.

use crate::base::{Fault, Use, Value};
use crate::contract::{Call, HostFn, Receiver};
use crate::script::host::{self, uses};

/// Returns a connection by kind and name.
pub(crate) fn connection(call: &Call, kind: &str, name: &str) -> Result<Value, Fault> {
    uses::permit(call, &Use::outgoing(kind, name))?;
    call.ctx
        .ports
        .connections
        .outgoing(kind, name)
        .map(Value::Handle)
}

/// Returns the kinds of connections that have functions, such as `http`.
pub(crate) fn kinds(tables: &[&'static [HostFn]]) -> Vec<&'static str> {
    let mut kinds: Vec<&str> = tables
        .iter()
        .flat_map(|table| table.iter())
        .filter(|function| function.receiver == Receiver::Method)
        .filter_map(|function| host::split(function.path).0.strip_prefix("outgoing."))
        .filter(|kind| !kind.contains('.'))
        .collect();
    kinds.sort_unstable();
    kinds.dedup();
    kinds
}
