//! What a peer answered, as scripts see it: `res.status`, `res.headers`, `res.text`, `res:json()`, `res:xml()`.

use std::any::Any;
use std::rc::Rc;

use bytes::Bytes;
use http::HeaderMap;
use http::header::CONTENT_TYPE;

use crate::base::{Code, Fault, Handle, Map, Object, Text, Value};
use crate::contract::{Args, Call, Effect, HostCall, HostFn, Receiver, Type};
use crate::format::json_read;
use crate::xml;

/// The class of answers.
pub(super) const CLASS: &str = "http.response";

/// An answer of a peer, read whole.
pub(super) struct HttpResponse {
    pub(super) connection: Text,
    pub(super) status: u16,
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
}

impl Object for HttpResponse {
    fn class(&self) -> &'static str {
        CLASS
    }

    fn gist(&self) -> Option<String> {
        let (status, length) = (self.status, self.body.len());
        Some(format!("<{status}, {length} bytes>"))
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}

impl HttpResponse {
    fn charset(&self) -> Option<&str> {
        let media_type = self.headers.get(CONTENT_TYPE)?.to_str().ok()?;
        let parameter = media_type
            .split(';')
            .skip(1)
            .filter_map(|pair| pair.split_once('='));
        let charset = parameter
            .into_iter()
            .find(|(name, _)| name.trim().eq_ignore_ascii_case("charset"));
        charset.map(|(_, value)| value.trim().trim_matches('"'))
    }

    /// Returns the body as text, in the character set the peer names, else UTF-8.
    fn text(&self) -> Text {
        let named = self
            .charset()
            .and_then(|name| encoding_rs::Encoding::for_label(name.as_bytes()));
        let (text, _, _) = named.unwrap_or(encoding_rs::UTF_8).decode(&self.body);
        Text::new(text)
    }

    fn headers(&self) -> Map {
        let mut map = Map::with_capacity(self.headers.keys_len());
        for name in self.headers.keys() {
            let values: Vec<_> = self
                .headers
                .get_all(name)
                .iter()
                .map(|value| String::from_utf8_lossy(value.as_bytes()))
                .collect();
            map.push(Text::new(name.as_str()), Value::text(values.join(", ")));
        }
        map
    }

    fn json(&self) -> Result<Value, Fault> {
        // Our own reader: it keeps every digit, and trusts a peer as little as a caller.
        json_read::read(&self.body).map_err(|fault| self.unreadable("JSON", fault.message()))
    }

    fn xml(&self) -> Result<Value, Fault> {
        // A fault of the document is the peer's, not the caller's: it must not become a 400.
        let node = xml::parse(&self.body, self.charset(), &xml::Limits::default())
            .map_err(|fault| self.unreadable("XML", fault.message()))?;
        Ok(Value::Handle(Handle::new(node)))
    }

    fn unreadable(&self, format: &str, why: &str) -> Fault {
        let (connection, status) = (&self.connection, self.status);
        Fault::new(
            Code::OutgoingFailed,
            format!("the answer of '{connection}' (status {status}) is not {format}: {why}"),
        )
    }
}

fn of(args: &mut Args, read: fn(&HttpResponse) -> Result<Value, Fault>) -> Result<Value, Fault> {
    let handle = args.handle(0, "response")?;
    let response = handle.downcast::<HttpResponse>().ok_or_else(|| {
        Fault::new(
            Code::ScriptArgument,
            "argument `response` must be an answer of a connection",
        )
    })?;
    read(response)
}

fn status(_: &Rc<Call>, mut args: Args) -> Result<Value, Fault> {
    of(&mut args, |response| Ok(Value::Int(response.status.into())))
}

fn headers(_: &Rc<Call>, mut args: Args) -> Result<Value, Fault> {
    of(&mut args, |response| Ok(response.headers().into()))
}

fn text(_: &Rc<Call>, mut args: Args) -> Result<Value, Fault> {
    of(&mut args, |response| Ok(Value::Text(response.text())))
}

fn bytes(_: &Rc<Call>, mut args: Args) -> Result<Value, Fault> {
    of(&mut args, |response| {
        Ok(Value::Bytes(response.body.clone()))
    })
}

fn json(_: &Rc<Call>, mut args: Args) -> Result<Value, Fault> {
    of(&mut args, HttpResponse::json)
}

fn xml_node(_: &Rc<Call>, mut args: Args) -> Result<Value, Fault> {
    of(&mut args, HttpResponse::xml)
}

const fn method(path: &'static str, returns: Type, doc: &'static str, call: HostCall) -> HostFn {
    HostFn {
        path,
        receiver: Receiver::Method,
        args: &[],
        returns,
        effect: Effect::Pure,
        doc,
        examples: &[],
        call,
    }
}

/// `res.status`
pub(super) const STATUS: HostFn = method(
    "http.response.status",
    Type::Int,
    "Property: the HTTP status.",
    HostCall::Now(status),
);
/// `res.headers`
pub(super) const HEADERS: HostFn = method(
    "http.response.headers",
    Type::Map,
    "Property: the headers, by name in small letters; one that came several times is joined by commas.",
    HostCall::Now(headers),
);
/// `res.text`
pub(super) const TEXT: HostFn = method(
    "http.response.text",
    Type::Text,
    "Property: the body as text, read in the character set the peer names, else UTF-8.",
    HostCall::Now(text),
);
/// `res.bytes`
pub(super) const BYTES: HostFn = method(
    "http.response.bytes",
    Type::Text,
    "Property: the body as it came.",
    HostCall::Now(bytes),
);
/// `res:json()`
pub(super) const JSON: HostFn = method(
    "http.response.json",
    Type::Any,
    "Returns the body read as JSON.",
    HostCall::Now(json),
);
/// `res:xml()`
pub(super) const XML: HostFn = method(
    "http.response.xml",
    Type::Object("xml.node"),
    "Returns the body read as XML.",
    HostCall::Now(xml_node),
);

#[cfg(test)]
mod tests {
    use super::*;

    fn response(media_type: &str, body: &[u8]) -> HttpResponse {
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_TYPE, media_type.parse().unwrap());
        headers.append("x-a", "1".parse().unwrap());
        headers.append("x-a", "2".parse().unwrap());
        HttpResponse {
            connection: "peer".into(),
            status: 200,
            headers,
            body: Bytes::copy_from_slice(body),
        }
    }

    #[test]
    fn text_is_read_in_the_character_set_of_the_peer() {
        assert_eq!(
            response("text/plain; charset=iso-8859-2", b"\xbf").text(),
            "ż"
        );
        assert_eq!(response("text/plain", "ż".as_bytes()).text(), "ż");
        assert_eq!(
            response("text/plain; charset=nonsense", b"\xff").text(),
            "\u{fffd}"
        );
    }

    #[test]
    fn headers_are_small_letters_and_joined() {
        let map = response("text/plain", b"").headers();
        assert_eq!(map.get("x-a"), Some(&Value::text("1, 2")));
    }

    #[test]
    fn a_hostile_body_is_the_peers_fault() {
        let deep = "[".repeat(100_000);
        for body in ["not json", "{", &deep] {
            let fault = response("application/json", body.as_bytes())
                .json()
                .unwrap_err();
            assert_eq!(fault.status(), 502);
        }
        let deep = "<a>".repeat(100_000);
        for body in ["", "<a>", "<!DOCTYPE a [<!ENTITY e 'x'>]><a>&e;</a>", &deep] {
            let fault = response("text/xml", body.as_bytes()).xml().unwrap_err();
            assert_eq!(fault.status(), 502, "{body:.40}");
        }
        assert!(response("text/xml", b"<a/>").xml().is_ok());
    }
}
