//! What every transport makes and what every transport sends.

use std::sync::Arc;

use bytes::Bytes;

use crate::base::{Cid, Fault, Text};

/// A message as it came in, whatever the transport.
#[derive(Clone, Debug)]
pub struct Inbound {
    /// The correlation id.
    pub cid: Cid,
    /// Everything but the body.
    pub meta: Arc<Meta>,
    /// The body, at most as long as the channel allows.
    pub body: Bytes,
}

/// What a transport knows of a message beside its body.
#[derive(Clone, Debug, Default)]
pub struct Meta {
    /// Headers (HTTP) or properties (queues), as they came. Never mapped into control values.
    pub headers: http::HeaderMap,
    /// Parameters of the path, then of the query, decoded; they merge into the input.
    pub params: Vec<(Text, Text)>,
    /// The part that only HTTP has.
    pub http: Option<HttpMeta>,
    /// The address of the peer, where there is one.
    pub peer: Option<std::net::SocketAddr>,
}

/// The part of a message that only HTTP has.
#[derive(Clone, Debug, Default)]
pub struct HttpMeta {
    /// The method, in capitals.
    pub method: http::Method,
    /// The path, decoded once and normalised: what routing and security saw.
    pub path: Text,
    /// The query as it came, without the question mark.
    pub query: Text,
    /// Whether it came over TLS.
    pub secure: bool,
}

impl Meta {
    /// Returns a header as text, if it is there and is text.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }
}

/// Who sent a message, as its guard found out.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Caller {
    /// The security definition that let the message in; empty for an open channel.
    pub security: Text,
    /// The name it goes by there: user name, key name, subject.
    pub name: Text,
}

/// A reply, ready to be sent.
#[derive(Clone, Debug, Default)]
pub struct Reply {
    /// The HTTP status; other transports map it to their own terms.
    pub status: u16,
    /// Headers beside `Content-Type`, `Content-Length` and `X-Correlation-ID`.
    pub headers: Vec<(Text, Text)>,
    /// The media type; empty when there is no body.
    pub media_type: Text,
    /// The body.
    pub body: Bytes,
}

/// How the handling of a message ended: bytes to send, and the fault by which a queue settles.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// What to send.
    pub reply: Reply,
    /// Why it failed, if it did.
    pub fault: Option<Fault>,
}
