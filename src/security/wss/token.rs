//! Reads the one `UsernameToken` of a SOAP message; anything doubled or unknown is refused, not chosen from.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::security::wss::PasswordKind;
use crate::xml::Node;

const ENVELOPES: [&str; 2] = [
    "http://schemas.xmlsoap.org/soap/envelope/",
    "http://www.w3.org/2003/05/soap-envelope",
];
const SECEXT: &str =
    "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-secext-1.0.xsd";
const UTILITY: &str =
    "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-utility-1.0.xsd";
const TEXT: &str = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-username-token-profile-1.0#PasswordText";
const DIGEST: &str = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-username-token-profile-1.0#PasswordDigest";

/// XML Signature and XML Encryption, in both versions.
const UNCHECKED: [&str; 4] = [
    "http://www.w3.org/2000/09/xmldsig#",
    "http://www.w3.org/2009/xmldsig11#",
    "http://www.w3.org/2001/04/xmlenc#",
    "http://www.w3.org/2009/xmlenc11#",
];

/// What a `UsernameToken` says.
pub(super) struct Token {
    pub(super) username: String,
    pub(super) kind: PasswordKind,
    pub(super) password: String,
    pub(super) nonce: Option<Vec<u8>>,
    pub(super) created: Option<String>,
    /// The `Timestamp` beside the token, if there is one.
    pub(super) timestamp: Option<Stamp>,
}

/// When a message was made and until when it means to be valid.
pub(super) struct Stamp {
    pub(super) created: String,
    pub(super) expires: Option<String>,
}

/// Why a security header gives no token.
pub(super) enum Unread {
    /// It is not as it must be.
    Refused(&'static str),
    /// It holds a signature or encryption, which nobody would check.
    Unchecked,
}

impl From<&'static str> for Unread {
    fn from(cause: &'static str) -> Self {
        Self::Refused(cause)
    }
}

impl Token {
    /// Reads the token of an envelope, or tells why there is none to judge.
    pub(super) fn read(envelope: &Node) -> Result<Self, Unread> {
        let soap = ENVELOPES
            .into_iter()
            .find(|namespace| envelope.is(namespace, "Envelope"))
            .ok_or("no SOAP envelope")?;
        let header = required(envelope, soap, "Header")?;
        let security = required(&header, SECEXT, "Security")?;
        if holds_unchecked(&security) {
            return Err(Unread::Unchecked);
        }
        let token = required(&security, SECEXT, "UsernameToken")?;
        let password = required(&token, SECEXT, "Password")?;
        let stamp = single(&security, UTILITY, "Timestamp")?;
        Ok(Self {
            username: text(&required(&token, SECEXT, "Username")?),
            kind: kind(&password)?,
            password: password.text(),
            nonce: single(&token, SECEXT, "Nonce")?
                .as_ref()
                .map(nonce)
                .transpose()?,
            created: single(&token, UTILITY, "Created")?.as_ref().map(text),
            timestamp: stamp.as_ref().map(Stamp::read).transpose()?,
        })
    }
}

/// The reader's depth limit bounds this walk.
fn holds_unchecked(node: &Node) -> bool {
    UNCHECKED.contains(&node.namespace()) || node.children().any(|child| holds_unchecked(&child))
}

impl Stamp {
    fn read(stamp: &Node) -> Result<Self, &'static str> {
        Ok(Self {
            created: text(&required(stamp, UTILITY, "Created")?),
            expires: single(stamp, UTILITY, "Expires")?.as_ref().map(text),
        })
    }
}

/// Returns the only element of a name, if there is one.
fn single(parent: &Node, namespace: &str, name: &str) -> Result<Option<Node>, &'static str> {
    let mut found = parent.children().filter(|child| child.is(namespace, name));
    let first = found.next();
    match found.next() {
        None => Ok(first),
        Some(_) => Err("a part of the security header is there twice"),
    }
}

fn required(parent: &Node, namespace: &str, name: &str) -> Result<Node, &'static str> {
    single(parent, namespace, name)?.ok_or("a part of the security header is missing")
}

fn text(node: &Node) -> String {
    node.text().trim().to_owned()
}

fn kind(password: &Node) -> Result<PasswordKind, &'static str> {
    // The profile says: without a type it is the password itself.
    match password.attribute("Type", None) {
        None | Some(TEXT) => Ok(PasswordKind::Text),
        Some(DIGEST) => Ok(PasswordKind::Digest),
        Some(_) => Err("unknown kind of password"),
    }
}

fn nonce(node: &Node) -> Result<Vec<u8>, &'static str> {
    let encoding = node.attribute("EncodingType", None);
    if encoding.is_some_and(|encoding| !encoding.ends_with("#Base64Binary")) {
        return Err("unknown encoding of the nonce");
    }
    let nonce = STANDARD
        .decode(text(node))
        .map_err(|_invalid| "the nonce is not base64")?;
    if nonce.is_empty() {
        Err("the nonce is empty")
    } else {
        Ok(nonce)
    }
}
