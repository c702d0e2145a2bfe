//! What a request must be like: for a mock that answers it, and for the question whether it was made.

use bytes::Bytes;
use percent_encoding::percent_decode_str;
use serde_json::Value as Json;

use crate::base::{Code, Fault, Map, Value, closest};
use crate::format::json_read;
use crate::testing::compare::plain;

/// A request as it would have gone out.
#[derive(Clone, Debug)]
pub(super) struct Sent {
    /// The name of the connection.
    pub(super) connection: String,
    /// The method.
    pub(super) method: String,
    /// The path, decoded.
    pub(super) path: String,
    /// The query, decoded.
    pub(super) query: Vec<(String, String)>,
    /// The headers.
    pub(super) headers: http::HeaderMap,
    /// The body.
    pub(super) body: Bytes,
}

impl Sent {
    /// Reads a request.
    pub(super) fn new(connection: &str, request: http::Request<Bytes>) -> Self {
        let (head, body) = request.into_parts();
        let path = percent_decode_str(head.uri.path()).decode_utf8_lossy();
        let query = form_urlencoded::parse(head.uri.query().unwrap_or_default().as_bytes());
        Self {
            connection: connection.to_owned(),
            method: head.method.to_string(),
            path: path.into_owned(),
            query: query.into_owned().collect(),
            headers: head.headers,
            body,
        }
    }

    /// Shows it in one line.
    pub(super) fn shown(&self) -> String {
        let pairs = self
            .query
            .iter()
            .map(|(name, value)| format!("{name}={value}"));
        let query = pairs.collect::<Vec<_>>().join("&");
        let mark = if query.is_empty() { "" } else { "?" };
        format!("{} {}{mark}{query}", self.method, self.path)
    }
}

/// What a request must be like; what is not said may be as it likes.
#[derive(Clone, Debug, Default)]
pub(super) struct Wanted {
    /// The method.
    pub(super) method: Option<String>,
    /// The path, with or without the part that all calls of the connection share.
    pub(super) path: Option<String>,
    /// Pairs that must be in the query, one for each member of a list; nothing expects that a name is not there.
    pub(super) query: Vec<(String, Option<String>)>,
    /// Headers that must be there.
    pub(super) headers: Vec<(String, Option<String>)>,
    /// The whole body.
    pub(super) body: Option<Bytes>,
    /// The whole body, read as JSON.
    pub(super) json: Option<Json>,
}

const NAMES: [&str; 6] = ["method", "path", "query", "headers", "body", "json"];

impl Wanted {
    /// Reads what a script says of a request; `more` are names of another meaning.
    pub(super) fn read(mut map: Map, more: &[&str]) -> Result<Self, Fault> {
        let known = || NAMES.iter().chain(more).copied();
        if let Some(unknown) = map.names().find(|name| !known().any(|own| own == *name)) {
            let fault = refused(format!("a request has no '{unknown}'"));
            return Err(match closest(unknown, known()) {
                Some(near) => fault.hint(format!("Did you mean `{near}`?")),
                None => fault.hint(format!(
                    "There are {}.",
                    known().collect::<Vec<_>>().join(", ")
                )),
            });
        }
        let mut text = |name: &str| {
            map.remove(name)
                .and_then(|value| value.to_text())
                .map(String::from)
        };
        let (method, path) = (text("method"), text("path"));
        Ok(Self {
            method,
            path,
            query: pairs(map.remove("query"), "query")?,
            headers: pairs(map.remove("headers"), "headers")?,
            body: map.remove("body").and_then(|value| bytes(&value)),
            json: map.remove("json").map(|value| plain(&value)),
        })
    }

    /// Tells whether a request is like it; `base` is the part of the path that all calls of the connection share.
    pub(super) fn fits(&self, sent: &Sent) -> bool {
        let method = self.method.as_ref().is_none_or(|own| *own == sent.method);
        let path = self.path.as_ref().is_none_or(|own| {
            let below = sent.path.strip_suffix(own.as_str());
            *own == sent.path || (own.starts_with('/') && below.is_some())
        });
        let query = self.query.iter().all(|(name, value)| {
            let mut given = sent.query.iter().filter(|(own, _)| own == name);
            match value {
                Some(value) => given.any(|(_, own)| own == value),
                None => given.next().is_none(),
            }
        });
        let headers = self.headers.iter().all(|(name, value)| {
            let mut given = sent.headers.get_all(name).iter();
            match value {
                Some(value) => given.any(|own| own.to_str().ok() == Some(value)),
                None => given.next().is_none(),
            }
        });
        let body = self.body.as_ref().is_none_or(|own| *own == sent.body);
        let json = self.json.as_ref().is_none_or(|own| {
            let read = json_read::read(&sent.body);
            read.is_ok_and(|read| plain(&read) == *own)
        });
        method && path && query && headers && body && json
    }
}

/// Returns what is sent as it is.
pub(super) fn bytes(value: &Value) -> Option<Bytes> {
    match value {
        Value::Bytes(bytes) => Some(bytes.clone()),
        other => other.to_text().map(|text| Bytes::from(String::from(text))),
    }
}

fn pairs(value: Option<Value>, name: &str) -> Result<Vec<(String, Option<String>)>, Fault> {
    let map = match value {
        None | Some(Value::Null) => return Ok(Vec::new()),
        Some(Value::Map(map)) => map,
        Some(Value::List(list)) if list.is_empty() => return Ok(Vec::new()),
        Some(other) => {
            let kind = other.kind();
            return Err(refused(format!(
                "'{name}' must hold named values, got {kind}"
            )));
        }
    };
    let pairs = map.into_iter().flat_map(|(own, value)| each(&own, value));
    Ok(pairs.collect())
}

/// Returns a pair for a value, or for each member of a list.
pub(super) fn each(name: &str, value: Value) -> Vec<(String, Option<String>)> {
    let values = match value {
        Value::List(values) if !values.is_empty() => values,
        other => vec![other],
    };
    let pairs = values.into_iter().map(|value| {
        let text = value.to_text().filter(|_| !value.is_null());
        (name.to_owned(), text.map(String::from))
    });
    pairs.collect()
}

/// Makes the fault of a test that says something that has no meaning.
pub(super) fn refused(message: impl Into<String>) -> Fault {
    Fault::new(Code::ScriptArgument, message)
}
