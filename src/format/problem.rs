//! Faults as `application/problem+json` (RFC 9457), for every format without a shape of its own.

use bytes::Bytes;

use crate::base::{Fault, FieldError, Inbound, Map, Reply, Text, Value};
use crate::format::json_write;

/// The media type of a problem.
const MEDIA_TYPE: &str = "application/problem+json";

/// Writes a fault as a problem. Shows of it what clients are told.
pub(crate) fn problem(fault: &Fault, inbound: &Inbound) -> Reply {
    let (status, told) = (fault.status(), fault.told());
    let kind = fault.code().as_str().trim_start_matches("KL-");
    let mut map = Map::with_capacity(9);
    map.push("type".into(), format!("urn:kladka:error:{kind}").into());
    map.push("title".into(), fault.code().title().into());
    map.push("status".into(), Value::Int(status.into()));
    if let Some(message) = told.message {
        map.push("detail".into(), message.into());
    }
    map.push("instance".into(), format!("urn:cid:{}", inbound.cid).into());
    map.push("code".into(), fault.code_text().into());
    map.push("cid".into(), inbound.cid.as_str().into());
    if let Some(hint) = told.hint {
        map.push("hint".into(), hint.into());
    }
    if !told.errors.is_empty() {
        let errors: Vec<Value> = told.errors.iter().map(field_error).collect();
        map.push("errors".into(), errors.into());
    }
    if let Some(diagnostic) = fault.diagnostic() {
        map.push("diagnostic".into(), diagnostic.into());
    }
    let mut body = Vec::with_capacity(512);
    // Texts and integers only, three deep: there is nothing the writer could refuse.
    drop(json_write::write(&mut body, &Value::Map(map)));
    Reply {
        status,
        headers: fault.headers().to_vec(),
        media_type: Text::const_new(MEDIA_TYPE),
        body: Bytes::from(body),
    }
}

fn field_error(error: &FieldError) -> Value {
    let mut map = Map::with_capacity(3);
    map.push("pointer".into(), error.pointer().into());
    map.push("code".into(), error.code.as_str().into());
    map.push("detail".into(), error.detail.as_str().into());
    Value::Map(map)
}
