//! What Redis says, as the contract has it.

use bytes::Bytes;
use redis::{RedisError, Value};

use crate::base::Fault;
use crate::contract::{Command, KvReply};
use crate::kvdb::{fault, number};

/// Returns the reply to a command.
pub(super) fn reply(command: &Command, value: Value) -> Result<KvReply, Fault> {
    let reply = convert(value).ok_or_else(|| fault::down("a reply of an unknown type"))?;
    Ok(match reply {
        // With scores, the third protocol sends pairs where the contract has member, score, member,
        // score.
        KvReply::List(parts) if command.name == "zrange" => KvReply::List(flat(parts)),
        other => other,
    })
}

fn convert(value: Value) -> Option<KvReply> {
    Some(match value {
        Value::Nil => KvReply::Nil,
        Value::Okay => KvReply::Ok,
        Value::Int(number) => KvReply::Int(number),
        Value::Boolean(truth) => KvReply::Int(i64::from(truth)),
        Value::BulkString(bytes) => KvReply::Data(bytes.into()),
        Value::SimpleString(text) | Value::VerbatimString { text, .. } => {
            KvReply::Data(text.into())
        }
        Value::Double(score) => {
            KvReply::Data(Bytes::copy_from_slice(number::score(score).as_bytes()))
        }
        Value::Array(parts) | Value::Set(parts) => {
            KvReply::List(parts.into_iter().map(convert).collect::<Option<_>>()?)
        }
        Value::Map(pairs) => {
            let parts = pairs.into_iter().flat_map(|(field, value)| [field, value]);
            KvReply::List(parts.map(convert).collect::<Option<_>>()?)
        }
        _ => return None,
    })
}

fn flat(parts: Vec<KvReply>) -> Vec<KvReply> {
    let inner = |part| match part {
        KvReply::List(parts) => parts,
        other => vec![other],
    };
    parts.into_iter().flat_map(inner).collect()
}

/// Returns the fault that an error means.
pub(super) fn failure(command: &Command, error: &RedisError) -> Fault {
    let name = command.name;
    match error.code() {
        Some("WRONGTYPE") => {
            fault::wrong_type(name, command.args.first().map_or(b"", |key| key.as_ref()))
        }
        Some("OOM") => fault::full(name),
        Some("ERR" | "CROSSSLOT") => fault::command(name, error.detail().unwrap_or("not accepted")),
        _ => fault::down(error.to_string()),
    }
}

/// Tells whether an error means that the connection must be made anew.
pub(super) fn broken(error: &RedisError) -> bool {
    // A master that became a replica is the wrong one: the sentinels know the new one.
    error.is_unrecoverable_error()
        || error.is_connection_dropped()
        || error.is_timeout()
        || error.code() == Some("READONLY")
}
