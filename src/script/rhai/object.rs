//! What scripts hold beside plain values: parts of `ctx`, libraries, host objects, large numbers, caught faults.
//!
//! The parts of `ctx` hold nothing: their fields are those of the call that runs, so that a script that kept one
//! learns nothing of another call.

use std::sync::Arc;

use crate::base::{Fault, Handle, Map, Value};
use crate::contract::Receiver;

/// `ctx`.
#[derive(Clone, Copy)]
pub(crate) struct Root;

/// `ctx.request`.
#[derive(Clone, Copy)]
pub(crate) struct Request;

/// `ctx.response`.
#[derive(Clone, Copy)]
pub(crate) struct Response;

/// `ctx.response.payload` of a service that declares its outputs.
#[derive(Clone, Copy)]
pub(crate) struct Payload;

/// `ctx.response.headers`: one header whatever its case.
#[derive(Clone, Copy)]
pub(crate) struct SentHeaders;

/// `ctx.outgoing`, or a group like it, by its name.
#[derive(Clone, Copy)]
pub(crate) struct Outgoing(pub(crate) &'static str);

/// `ctx.outgoing.KIND`.
#[derive(Clone, Copy)]
pub(crate) struct Connections {
    /// The group, such as `outgoing`.
    pub(crate) group: &'static str,
    /// The kind.
    pub(crate) kind: &'static str,
}

/// `ctx.config`.
#[derive(Clone, Copy)]
pub(crate) struct Config;

/// `ctx.request.headers`: found whatever their case.
#[derive(Clone)]
pub(crate) struct Headers(pub(crate) Arc<Map>);

/// A namespace of host functions: `ctx.kvdb`, or the library `json`.
#[derive(Clone, Copy)]
pub(crate) struct Space {
    /// Which of the two.
    pub(crate) receiver: Receiver,
    /// Its name.
    pub(crate) name: &'static str,
}

impl Space {
    /// Returns what scripts write for it.
    pub(crate) fn shown(self) -> String {
        match self.receiver {
            Receiver::Ctx => format!("ctx.{}", self.name),
            Receiver::Library | Receiver::Method => self.name.to_owned(),
        }
    }
}

/// A host object; its methods are the host functions of its class.
#[derive(Clone)]
pub(crate) struct Held(pub(crate) Handle);

/// An integer above `i64::MAX`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Unsigned(pub(crate) u64);

/// A fault that a script caught. It can be shown, read and raised again.
#[derive(Clone)]
pub(crate) struct Raised(pub(crate) Fault);

impl Raised {
    /// Returns a field of it; nothing when there is none of the name.
    pub(crate) fn field(&self, name: &str) -> Value {
        let fault = &self.0;
        match name {
            "message" => Value::text(fault.message()),
            "code" => Value::text(fault.code_text()),
            "status" => Value::Int(fault.status().into()),
            "hint" => fault.hint_text().map_or(Value::Null, Value::text),
            _ => Value::Null,
        }
    }
}
