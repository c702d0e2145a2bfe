//! Faults as SOAP, in the caller's version, whatever went wrong.

use bytes::Bytes;

use crate::base::{Code, Fault, Inbound, Reply, Text};
use crate::contract::SoapVersion;
use crate::format::soap::envelope::Envelope;
use crate::format::soap::version;
use crate::xml::{Node, Writer};

/// The namespace of our elements in `detail`.
const OURS: &str = "urn:kladka:1";

const WSSE: &str =
    "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-secext-1.0.xsd";

/// Who is to blame, in the words of SOAP.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Blame {
    Caller,
    Server,
    Version,
    Header,
}

/// Writes a fault; `supported` are the versions the channel takes.
pub(super) fn reply(fault: &Fault, inbound: &Inbound, supported: &[SoapVersion]) -> Reply {
    let version = version::of_caller(inbound);
    let blame = blame(fault);
    let mut writer = Writer::with_declaration();
    writer
        .start("soap:Envelope")
        .attribute("xmlns:soap", version::namespace(version));
    match (blame, version) {
        (Blame::Version, _) => write_upgrade(&mut writer, supported),
        (Blame::Header, SoapVersion::V12) => write_not_understood(&mut writer, inbound),
        _ => {}
    }
    writer.start("soap:Body").start("soap:Fault");
    match version {
        SoapVersion::V11 => write_v11(&mut writer, fault, blame, inbound),
        SoapVersion::V12 => write_v12(&mut writer, fault, blame, inbound),
    }
    Reply {
        status: status(fault, version, blame),
        headers: fault.headers().to_vec(),
        media_type: Text::const_new(version::media_type(version)),
        body: Bytes::from(writer.finish()),
    }
}

fn blame(fault: &Fault) -> Blame {
    match fault.code() {
        Code::SoapVersion => Blame::Version,
        Code::MustUnderstand => Blame::Header,
        _ if fault.status() < 500 => Blame::Caller,
        _ => Blame::Server,
    }
}

/// Problems of HTTP keep the status of HTTP; all others have the one SOAP gives them.
fn status(fault: &Fault, version: SoapVersion, blame: Blame) -> u16 {
    let chosen_by_script = fault.code() == Code::ScriptFailed;
    let http = [
        401, 403, 404, 405, 408, 410, 413, 414, 415, 429, 431, 502, 503, 504,
    ];
    if !chosen_by_script && http.contains(&fault.status()) {
        return fault.status();
    }
    match (version, blame) {
        (SoapVersion::V12, Blame::Caller) => 400,
        _ => 500,
    }
}

/// Names the versions that would have been understood, in words of 1.2 whatever the version.
fn write_upgrade(writer: &mut Writer, supported: &[SoapVersion]) {
    writer.start("soap:Header").start("up:Upgrade");
    writer.attribute("xmlns:up", version::namespace(SoapVersion::V12));
    for version in supported {
        writer
            .start("up:SupportedEnvelope")
            .attribute("qname", "own:Envelope");
        writer
            .attribute("xmlns:own", version::namespace(*version))
            .end();
    }
    writer.end().end();
}

/// Names the headers that were not understood.
fn write_not_understood(writer: &mut Writer, inbound: &Inbound) {
    let Ok(envelope) = Envelope::read(inbound) else {
        return;
    };
    writer.start("soap:Header");
    for header in envelope.not_understood() {
        let prefix = if header.namespace().is_empty() {
            ""
        } else {
            "h:"
        };
        writer.start("soap:NotUnderstood");
        writer.attribute("qname", &format!("{prefix}{}", header.name()));
        if !prefix.is_empty() {
            writer.attribute("xmlns:h", header.namespace());
        }
        writer.end();
    }
    writer.end();
}

/// The children of a fault of SOAP 1.1 are in no namespace.
fn write_v11(writer: &mut Writer, fault: &Fault, blame: Blame, inbound: &Inbound) {
    let code = match blame {
        Blame::Caller => "soap:Client",
        Blame::Server => "soap:Server",
        Blame::Version => "soap:VersionMismatch",
        Blame::Header => "soap:MustUnderstand",
    };
    writer.start("faultcode");
    if let Some(code) = security_code(fault) {
        writer.attribute("xmlns:wsse", WSSE).text(code);
    } else {
        writer.text(code);
    }
    writer.end();
    writer.leaf("faultstring", reason(fault));
    writer.start("detail");
    write_detail(writer, fault, inbound);
    writer.end();
}

fn write_v12(writer: &mut Writer, fault: &Fault, blame: Blame, inbound: &Inbound) {
    let code = match blame {
        Blame::Caller => "soap:Sender",
        Blame::Server => "soap:Receiver",
        Blame::Version => "soap:VersionMismatch",
        Blame::Header => "soap:MustUnderstand",
    };
    writer.start("soap:Code").leaf("soap:Value", code);
    if let Some(code) = security_code(fault) {
        writer.start("soap:Subcode");
        writer
            .start("soap:Value")
            .attribute("xmlns:wsse", WSSE)
            .text(code)
            .end();
        writer.end();
    }
    writer.end();
    writer
        .start("soap:Reason")
        .start("soap:Text")
        .attribute("xml:lang", "en");
    writer.text(reason(fault)).end().end();
    writer.start("soap:Detail");
    write_detail(writer, fault, inbound);
    writer.end();
}

/// Returns what a client may read of it in words; SOAP wants some.
fn reason(fault: &Fault) -> &str {
    fault.told().message.unwrap_or(fault.code().title())
}

/// Where the challenge asks for WS-Security, the fault speaks its words.
fn security_code(fault: &Fault) -> Option<&'static str> {
    let challenges = fault
        .headers()
        .iter()
        .filter(|(name, _)| name.eq_ignore_ascii_case("www-authenticate"));
    let mut schemes = challenges.filter_map(|(_, value)| value.split(' ').next());
    let asks = schemes.any(|scheme| scheme.eq_ignore_ascii_case("WSSE"));
    match fault.code() {
        Code::Unauthorized if asks => Some("wsse:FailedAuthentication"),
        Code::InvalidSecurity if asks => Some("wsse:InvalidSecurity"),
        _ => None,
    }
}

fn write_detail(writer: &mut Writer, fault: &Fault, inbound: &Inbound) {
    writer.start("error").attribute("xmlns", OURS);
    writer.leaf("code", fault.code_text());
    writer.leaf("cid", inbound.cid.as_str());
    if let Some(diagnostic) = fault.diagnostic() {
        writer.leaf("diagnostic", &diagnostic);
    }
    let errors = fault.told().errors;
    if !errors.is_empty() {
        let envelope = Envelope::read(inbound).ok();
        let operation = envelope.and_then(|envelope| envelope.operation);
        let root = operation.as_ref().map_or("request", Node::name);
        for error in errors {
            writer
                .start("field")
                .attribute("pointer", &error.xpath(root));
            writer
                .attribute("code", error.code.as_str())
                .text(&error.detail)
                .end();
        }
    }
    writer.end();
}
