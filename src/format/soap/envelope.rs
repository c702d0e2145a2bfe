//! Reads an envelope: its version, the headers that must be understood, and the one element of its
//! body.

use crate::base::{Code, Fault, Inbound};
use crate::contract::SoapVersion;
use crate::format::content_type::ContentType;
use crate::format::soap::version;
use crate::xml::{self, Limits, Node};

const WSSE: &str =
    "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-secext-1.0.xsd";
const XOP: &str = "http://www.w3.org/2004/08/xop/include";

/// An envelope that keeps the rules of its version.
pub(super) struct Envelope {
    pub(super) version: SoapVersion,
    header: Option<Node>,
    /// The element in the body, if there is one.
    pub(super) operation: Option<Node>,
}

impl Envelope {
    /// Reads the body of a message.
    pub(super) fn read(inbound: &Inbound) -> Result<Self, Fault> {
        let kind = ContentType::of(inbound);
        if !version::ALL
            .into_iter()
            .any(|any| version::accepts(any, &kind))
        {
            return Err(kind.refused("text/xml for SOAP 1.1 or application/soap+xml for SOAP 1.2"));
        }
        if inbound.body.trim_ascii().is_empty() {
            return Err(not_soap("the message has no body"));
        }
        let document = xml::parse(&inbound.body, kind.xml_charset(), &Limits::default())?;
        let root = document.root();
        let version = version_of(&root)?;
        if !version::accepts(version, &kind) {
            let wanted = version::media_type(version);
            return Err(kind.refused(&format!("SOAP {} as {wanted}", version::name(version))));
        }
        if document.has_instruction() {
            return Err(not_soap(
                "a processing instruction is not allowed in a SOAP message",
            ));
        }
        let (header, body) = parts(&root)?;
        Ok(Self {
            version,
            header,
            operation: operation(&body)?,
        })
    }

    /// Returns the headers that the message wants understood by us, and that we do not know.
    pub(super) fn not_understood(&self) -> Vec<Node> {
        let headers = self.header.iter().flat_map(Node::children);
        headers
            .filter(|header| !header.is(WSSE, "Security") && self.is_for_us(header))
            .filter(|header| matches!(self.soap_attribute(header, "mustUnderstand"), "1" | "true"))
            .collect()
    }

    fn is_for_us(&self, header: &Node) -> bool {
        match self.version {
            SoapVersion::V11 => matches!(
                self.soap_attribute(header, "actor"),
                "" | "http://schemas.xmlsoap.org/soap/actor/next"
            ),
            SoapVersion::V12 => matches!(
                self.soap_attribute(header, "role"),
                "" | "http://www.w3.org/2003/05/soap-envelope/role/next"
                    | "http://www.w3.org/2003/05/soap-envelope/role/ultimateReceiver"
            ),
        }
    }

    fn soap_attribute<'a>(&self, header: &'a Node, name: &str) -> &'a str {
        let value = header.attribute(name, Some(version::namespace(self.version)));
        value.unwrap_or_default().trim()
    }
}

fn version_of(root: &Node) -> Result<SoapVersion, Fault> {
    if root.name() != "Envelope" {
        return Err(not_soap(&format!(
            "the root is `{}`, not a SOAP envelope",
            root.name()
        )));
    }
    version::of_namespace(root.namespace()).ok_or_else(|| {
        let message = format!(
            "envelope namespace `{}` is not that of SOAP 1.1 or 1.2",
            root.namespace()
        );
        Fault::new(Code::SoapVersion, message)
    })
}

/// Returns header and body, which must be all there is, in this order.
fn parts(root: &Node) -> Result<(Option<Node>, Node), Fault> {
    let mut header = None;
    let mut body = None;
    for part in root.children() {
        let own = part.namespace() == root.namespace();
        match part.name() {
            "Header" if own && header.is_none() && body.is_none() => header = Some(part),
            "Body" if own && body.is_none() => body = Some(part),
            name => {
                let message = format!(
                    "`{name}` is out of place in the envelope (line {})",
                    part.line()
                );
                return Err(not_soap(&message));
            }
        }
    }
    let body = body.ok_or_else(|| not_soap("the envelope has no body"))?;
    Ok((header, body))
}

fn operation(body: &Node) -> Result<Option<Node>, Fault> {
    let mut elements = body.children();
    let operation = elements.next();
    if elements.next().is_some() {
        return Err(not_soap("the SOAP body has more than one element"));
    }
    match &operation {
        None if !body.text().trim().is_empty() => {
            Err(not_soap("the SOAP body is text, not an element"))
        }
        Some(operation) if has_attachment(operation) => {
            Err(not_soap("attachments by `xop:Include` are not accepted"))
        }
        _ => Ok(operation),
    }
}

/// The reader's depth limit bounds this walk.
fn has_attachment(node: &Node) -> bool {
    node.is(XOP, "Include") || node.children().any(|child| has_attachment(&child))
}

pub(super) fn not_soap(why: &str) -> Fault {
    Fault::new(Code::NotSoap, why)
}
