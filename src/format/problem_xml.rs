//! Faults as XML problem documents (RFC 9457): what XML channels answer.

use bytes::Bytes;

use crate::base::{Fault, FieldError, Inbound, Reply, Text};
use crate::format::content_type::ContentType;
use crate::xml::{self, Writer};

/// The namespace of problem documents; RFC 9457 kept that of its forerunner.
const NAMESPACE: &str = "urn:ietf:rfc:7807";

/// Writes a fault. Never fails, and shows of it what clients are told.
pub(crate) fn reply(fault: &Fault, inbound: &Inbound) -> Reply {
    Reply {
        status: fault.status(),
        headers: fault.headers().to_vec(),
        media_type: Text::const_new("application/problem+xml; charset=utf-8"),
        body: Bytes::from(document(fault, inbound)),
    }
}

fn document(fault: &Fault, inbound: &Inbound) -> String {
    let told = fault.told();
    let mut writer = Writer::with_declaration();
    writer.start("problem").attribute("xmlns", NAMESPACE);
    let kind = fault.code().as_str().trim_start_matches("KL-");
    writer.leaf("type", &format!("urn:kladka:error:{kind}"));
    writer.leaf("title", fault.code().title());
    writer.leaf("status", &fault.status().to_string());
    if let Some(message) = told.message {
        writer.leaf("detail", message);
    }
    writer.leaf("instance", &format!("urn:cid:{}", inbound.cid));
    writer.leaf("code", fault.code_text());
    writer.leaf("cid", inbound.cid.as_str());
    if let Some(hint) = told.hint {
        writer.leaf("hint", hint);
    }
    if !told.errors.is_empty() {
        write_errors(&mut writer, told.errors, inbound);
    }
    if let Some(diagnostic) = fault.diagnostic() {
        writer.leaf("diagnostic", &diagnostic);
    }
    writer.finish()
}

/// The RFC writes the members of a list as elements `i`.
fn write_errors(writer: &mut Writer, errors: &[FieldError], inbound: &Inbound) {
    let charset = ContentType::of(inbound);
    let root = xml::peek_root(&inbound.body, charset.xml_charset());
    let root = root.map_or_else(|| "request".to_owned(), |(_, local)| local);
    writer.start("errors");
    for error in errors {
        writer.start("i");
        writer.leaf("pointer", &error.xpath(&root));
        writer.leaf("code", error.code.as_str());
        writer.leaf("detail", &error.detail);
        writer.end();
    }
    writer.end();
}
