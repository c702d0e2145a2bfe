//! One call of a peer: what the script asked for, the attempts, and the answer within its bounds.

use std::collections::BTreeMap;
use std::error::Error;
use std::io::ErrorKind;
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::{Bytes, BytesMut};
use http::header::{AUTHORIZATION, CONTENT_TYPE};
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use url::Url;

use crate::base::{Cid, Code, Fault, Map, Millis, Text, Value, closest};
use crate::connect::http::address::{self, refused};
use crate::connect::http::answer::CORRELATION;
use crate::connect::http::client::{Forbidden, causes, chain};
use crate::connect::http::outgoing::Connection;
use crate::connect::http::outgoing_spec::{Failure, When};
use crate::connect::http::response::HttpResponse;
use crate::connect::http::wire::Way;
use crate::contract::Credentials;
use crate::format::json_write;
use crate::xml;

/// What a request table may hold; `send` takes the method, too.
const NAMES: [&str; 8] = [
    "method", "path", "params", "query", "headers", "body", "json", "timeout",
];
/// How many headers a script may add to a request; peers take a hundred or so.
const MAX_HEADERS: usize = 256;
/// Headers that only we may set: they say where a request goes and where it ends.
const OURS: [HeaderName; 8] = [
    header::HOST,
    header::CONTENT_LENGTH,
    header::TRANSFER_ENCODING,
    header::CONNECTION,
    header::UPGRADE,
    header::TE,
    header::TRAILER,
    CORRELATION,
];

/// A call that is ready to be made.
pub(super) struct Outcall {
    method: Method,
    url: Url,
    headers: HeaderMap,
    body: Bytes,
    pub(super) timeout: Duration,
}

impl Outcall {
    /// Reads a request table; `method` is given by all but `send`.
    pub(super) fn read(
        connection: &Connection,
        method: Option<Method>,
        mut request: Map,
        cid: &Cid,
    ) -> Result<Self, Fault> {
        check_names(&request, method.is_none())?;
        let method = match method {
            Some(method) => method,
            None => named_method(request.remove("method"))?,
        };
        let path = text(request.remove("path"), "path")?;
        let path = path.as_deref().unwrap_or(&connection.spec.path);
        let params = map(request.remove("params"), "params")?;
        let query = query(connection, map(request.remove("query"), "query")?)?;
        let mut headers = connection.headers.clone();
        set_headers(
            &mut headers,
            map(request.remove("headers"), "headers")?,
            connection,
        )?;
        let body = body(request.remove("body"), request.remove("json"), &mut headers)?;
        prove(&mut headers, connection)?;
        headers.insert(CORRELATION, value("x-correlation-id", cid.as_str())?);
        Ok(Self {
            url: address::join(&connection.base, path, &params, &query)?,
            timeout: timeout(request.remove("timeout").as_ref())?
                .unwrap_or(connection.spec.timeout.total.into()),
            method,
            headers,
            body,
        })
    }

    pub(super) fn request(&self) -> reqwest::Request {
        let mut request = reqwest::Request::new(self.method.clone(), self.url.clone());
        request.headers_mut().clone_from(&self.headers);
        if !self.body.is_empty() {
            *request.body_mut() = Some(self.body.clone().into());
        }
        request
    }

    /// Returns the request as it goes out.
    pub(super) fn as_sent(&self) -> http::Request<Bytes> {
        let mut request = http::Request::new(self.body.clone());
        request.method_mut().clone_from(&self.method);
        // The address was made of one that was checked.
        *request.uri_mut() = self.url.as_str().parse().unwrap_or_default();
        request.headers_mut().clone_from(&self.headers);
        request
    }

    fn is_idempotent(&self) -> bool {
        matches!(
            self.method,
            Method::GET | Method::HEAD | Method::PUT | Method::DELETE | Method::OPTIONS
        )
    }
}

fn check_names(request: &Map, with_method: bool) -> Result<(), Fault> {
    let known = || {
        NAMES
            .into_iter()
            .filter(|name| with_method || *name != "method")
    };
    let Some(name) = request
        .names()
        .find(|name| !known().any(|known| known == *name))
    else {
        return Ok(());
    };
    let fault = refused(format!("a request has no field '{name}'"));
    Err(match closest(name, known()) {
        Some(near) => fault.hint(format!("Did you mean `{near}`?")),
        None => fault.hint(format!(
            "There are {}.",
            known().collect::<Vec<_>>().join(", ")
        )),
    })
}

fn named_method(method: Option<Value>) -> Result<Method, Fault> {
    let name = text(method, "method")?
        .ok_or_else(|| refused("send needs the field 'method'".to_owned()))?;
    let known = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"];
    let method = known.contains(&&*name).then(|| name.parse().ok()).flatten();
    method.ok_or_else(|| refused(format!("method '{name}' is none of {}", known.join(", "))))
}

fn text(value: Option<Value>, name: &str) -> Result<Option<Text>, Fault> {
    match value {
        None | Some(Value::Null) => Ok(None),
        Some(Value::Text(text)) => Ok(Some(text)),
        Some(other) => Err(refused(format!(
            "'{name}' must be a text, got {}",
            other.kind()
        ))),
    }
}

fn map(value: Option<Value>, name: &str) -> Result<Map, Fault> {
    match value {
        None | Some(Value::Null) => Ok(Map::new()),
        Some(Value::Map(map)) => Ok(map),
        // An empty table of a script is both.
        Some(Value::List(list)) if list.is_empty() => Ok(Map::new()),
        Some(other) => Err(refused(format!(
            "'{name}' must hold named values, got {}",
            other.kind()
        ))),
    }
}

fn scalar(value: &Value, what: &str) -> Result<String, Fault> {
    let text = value.to_text().filter(|_| !value.is_null());
    text.map(String::from)
        .ok_or_else(|| refused(format!("{what} must be a text or a number")))
}

/// Merges the query of the call over that of the connection; a list repeats its name.
fn query(connection: &Connection, own: Map) -> Result<BTreeMap<String, Vec<String>>, Fault> {
    let defaults = connection.spec.query.iter();
    let mut query: BTreeMap<_, _> = defaults
        .map(|(name, value)| (name.clone(), vec![value.clone()]))
        .collect();
    for (name, value) in own {
        let what = format!("query '{name}'");
        let values = match &value {
            Value::Null => continue,
            Value::List(list) => list.iter().map(|value| scalar(value, &what)).collect(),
            value => scalar(value, &what).map(|text| vec![text]),
        };
        query.insert(String::from(name), values?);
    }
    Ok(query)
}

fn set_headers(headers: &mut HeaderMap, own: Map, connection: &Connection) -> Result<(), Fault> {
    let proof = match &connection.credentials {
        Some(Credentials::Basic { .. }) => Some(AUTHORIZATION),
        Some(Credentials::Header { name, .. }) => HeaderName::from_bytes(name.as_bytes()).ok(),
        None => None,
    };
    if own.len() > MAX_HEADERS {
        let count = own.len();
        return Err(refused(format!(
            "{count} headers are more than {MAX_HEADERS}"
        )));
    }
    for (name, given) in own {
        let parsed = HeaderName::from_bytes(name.as_bytes())
            .map_err(|_invalid| refused(format!("{name:?} is not the name of a header")))?;
        if OURS.contains(&parsed) || proof.as_ref() == Some(&parsed) {
            return Err(refused(format!("header '{name}' is set by the connection")));
        }
        let given = scalar(&given, &format!("header '{name}'"))?;
        headers.insert(parsed, value(&name, &given)?);
    }
    Ok(())
}

fn value(name: &str, text: &str) -> Result<HeaderValue, Fault> {
    HeaderValue::from_str(text).map_err(|_invalid| {
        refused(format!(
            "the value of header '{name}' holds control characters"
        ))
    })
}

/// Adds what proves who we are.
fn prove(headers: &mut HeaderMap, connection: &Connection) -> Result<(), Fault> {
    let (name, proof, set) = match &connection.credentials {
        None => return Ok(()),
        Some(Credentials::Basic { username, password }) => {
            let pair = STANDARD.encode(format!("{username}:{}", password.reveal()));
            (
                AUTHORIZATION.as_str(),
                format!("Basic {pair}"),
                !password.is_empty(),
            )
        }
        Some(Credentials::Header { name, key }) => {
            (&**name, key.reveal().to_owned(), !key.is_empty())
        }
    };
    if !set {
        let message = format!(
            "the credential of connection '{}' is not set",
            connection.name
        );
        return Err(Fault::new(Code::GuardUnavailable, message));
    }
    let unusable = |_| {
        refused(format!(
            "the credential of connection '{}' cannot be sent",
            connection.name
        ))
    };
    let mut proof = HeaderValue::from_str(&proof).map_err(unusable)?;
    proof.set_sensitive(true);
    headers.insert(
        HeaderName::from_bytes(name.as_bytes())
            .map_err(|_invalid| refused(format!("{name:?} is not the name of a header")))?,
        proof,
    );
    Ok(())
}

/// Returns the body: text and bytes as they are, tables as JSON, nodes as XML.
pub(super) fn body(
    body: Option<Value>,
    json: Option<Value>,
    headers: &mut HeaderMap,
) -> Result<Bytes, Fault> {
    let (bytes, media_type) = match (body.filter(|body| !body.is_null()), json) {
        (Some(_), Some(_)) => {
            return Err(refused("a request has either 'body' or 'json'".to_owned()));
        }
        (None, None) => return Ok(Bytes::new()),
        (None, Some(json)) => (as_json(&json)?, Some("application/json")),
        (Some(Value::Bytes(bytes)), None) => (bytes, None),
        (Some(Value::Handle(handle)), None) => {
            let node = handle.downcast::<xml::Node>().ok_or_else(|| {
                refused(format!(
                    "an object of class '{}' cannot be sent",
                    handle.0.class()
                ))
            })?;
            (node.to_xml().into(), Some("application/xml"))
        }
        (Some(table @ (Value::Map(_) | Value::List(_))), None) => {
            (as_json(&table)?, Some("application/json"))
        }
        (Some(other), None) => (scalar(&other, "body")?.into(), None),
    };
    if let Some(media_type) = media_type {
        headers
            .entry(CONTENT_TYPE)
            .or_insert(HeaderValue::from_static(media_type));
    }
    Ok(bytes)
}

fn as_json(value: &Value) -> Result<Bytes, Fault> {
    let mut bytes = Vec::new();
    json_write::write(&mut bytes, value)?;
    Ok(bytes.into())
}

fn timeout(value: Option<&Value>) -> Result<Option<Duration>, Fault> {
    let seconds = match value {
        None | Some(Value::Null) => return Ok(None),
        Some(Value::Text(text)) => Millis::parse(text).map(Duration::from),
        Some(Value::Int(seconds)) => u64::try_from(*seconds).ok().map(Duration::from_secs),
        Some(Value::Float(seconds)) => Duration::try_from_secs_f64(*seconds).ok(),
        Some(_) => None,
    };
    let usable = seconds.filter(|timeout| !timeout.is_zero());
    usable
        .map(Some)
        .ok_or_else(|| refused("'timeout' must be seconds or a text such as '5s'".to_owned()))
}

/// An attempt that gave no answer.
pub(super) struct Broken {
    pub(super) failure: Option<Failure>,
    pub(super) fault: Fault,
}

/// Makes a call, again where the connection says so and it does no harm.
pub(super) async fn perform(
    connection: &Connection,
    way: &Way,
    outcall: Outcall,
    deadline: Instant,
) -> Result<HttpResponse, Fault> {
    let retry = &connection.spec.retry;
    let (mut pause, longest) = retry.pauses().unwrap_or_default();
    let mut left = if outcall.is_idempotent() {
        retry.attempts
    } else {
        1
    };
    loop {
        let result = attempt(connection, way, &outcall).await;
        let worth = match &result {
            Ok(response) => Some(When::Status(response.status)),
            Err(broken) => broken.failure.map(When::Failure),
        };
        let worth = worth.is_some_and(|when| retry.when.contains(&when));
        left = left.saturating_sub(1);
        let waiting = jittered(pause);
        if left == 0 || !worth || Instant::now() + waiting >= deadline {
            return result.map_err(|broken| broken.fault);
        }
        tracing::debug!(object = %connection.name, "Outgoing call is tried again.");
        if way.is_network() {
            tokio::time::sleep(waiting).await;
        }
        pause = (pause * 2).min(longest);
    }
}

/// Returns between half and the whole of a pause, so that many callers do not come back at once.
fn jittered(pause: Duration) -> Duration {
    let [random, ..] = *uuid::Uuid::new_v4().as_bytes();
    pause / 2 + pause * u32::from(random) / 512
}

async fn attempt(
    connection: &Connection,
    way: &Way,
    outcall: &Outcall,
) -> Result<HttpResponse, Broken> {
    let exchange = async {
        let answer = way.send(connection, outcall).await?;
        read(connection, answer).await
    };
    let late = |_elapsed| Broken {
        failure: Some(Failure::Timeout),
        fault: late(connection, outcall.timeout),
    };
    tokio::time::timeout(outcall.timeout, exchange)
        .await
        .map_err(late)?
}

async fn read(
    connection: &Connection,
    mut answer: reqwest::Response,
) -> Result<HttpResponse, Broken> {
    let limit = connection.spec.response_limit;
    let too_large = || Broken {
        failure: None,
        fault: Fault::new(
            Code::OutgoingTooLarge,
            format!("the answer of '{}' is longer than {limit}", connection.name),
        ),
    };
    if answer
        .content_length()
        .is_some_and(|length| length > limit.0)
    {
        return Err(too_large());
    }
    let mut body = BytesMut::new();
    while let Some(part) = answer
        .chunk()
        .await
        .map_err(|error| broken(connection, &error))?
    {
        if body.len() + part.len() > limit.as_usize() {
            return Err(too_large());
        }
        body.extend_from_slice(&part);
    }
    Ok(HttpResponse {
        connection: connection.name.clone(),
        status: answer.status().as_u16(),
        headers: std::mem::take(answer.headers_mut()),
        body: body.freeze(),
    })
}

pub(super) fn late(connection: &Connection, timeout: Duration) -> Fault {
    let waited = Millis(u64::try_from(timeout.as_millis()).unwrap_or(u64::MAX));
    let name = &connection.name;
    Fault::new(
        Code::OutgoingTimeout,
        format!("'{name}' did not answer within {waited}"),
    )
    .hint("Look at the peer, or raise timeout.total of the connection.")
}

pub(super) fn broken(connection: &Connection, error: &reqwest::Error) -> Broken {
    let name = &connection.name;
    let ping = format!("Try `kladka outgoing ping {name}`.");
    let dialling = error.is_connect();
    let forbidden = causes(error).any(<dyn Error>::is::<Forbidden>);
    let fault = if forbidden {
        let message = format!("'{name}' leads to a link-local address, which is never called");
        Fault::new(Code::OutgoingFailed, message).hint("Give the connection another address.")
    } else if dialling && error.is_timeout() {
        let waited = connection.spec.timeout.connect;
        let message = format!("'{name}' took no connection within {waited}");
        Fault::new(Code::OutgoingTimeout, message).hint(ping)
    } else if dialling {
        let message = format!("no connection to '{name}': {}", reason(error));
        Fault::new(Code::OutgoingFailed, message).hint(ping)
    } else {
        let message = format!("the answer of '{name}' broke off or was not HTTP");
        Fault::new(Code::OutgoingFailed, message).hint(ping)
    };
    Broken {
        failure: (dialling && !forbidden).then_some(Failure::Connect),
        fault: fault.detail(chain(error)),
    }
}

/// Returns why no connection was made, in words that tell nothing of the network to a caller.
fn reason(error: &reqwest::Error) -> &'static str {
    let refused = |cause: &(dyn Error + 'static)| {
        let io = cause.downcast_ref::<std::io::Error>();
        io.is_some_and(|io| io.kind() == ErrorKind::ConnectionRefused)
    };
    if error.is_dns() {
        "its name is unknown"
    } else if causes(error).any(refused) {
        "it is refused"
    } else if causes(error).any(is_tls) {
        "its certificate is not trusted, or TLS failed otherwise"
    } else {
        "it is not reachable"
    }
}

/// Tells whether TLS failed; its error may hide in one of input and output, which is no cause of it.
fn is_tls(cause: &(dyn Error + 'static)) -> bool {
    let hidden = cause
        .downcast_ref::<std::io::Error>()
        .and_then(std::io::Error::get_ref);
    cause.is::<rustls::Error>() || hidden.is_some_and(|hidden| is_tls(hidden))
}

/// Pings a connection: a GET of its ping path, whatever the status.
pub(super) async fn ping(connection: &Connection, way: &Way, cid: &Cid) -> Result<Value, Fault> {
    let mut request = Map::new();
    request.set("path", connection.spec.ping.path.as_str());
    let outcall = Outcall::read(connection, Some(Method::GET), request, cid)?;
    let since = Instant::now();
    let response = attempt(connection, way, &outcall)
        .await
        .map_err(|broken| broken.fault)?;
    let mut report = Map::new();
    let good = StatusCode::from_u16(response.status).is_ok_and(|status| !status.is_server_error());
    report.set("ok", good);
    report.set("status", i64::from(response.status));
    report.set(
        "elapsed_ms",
        i64::try_from(since.elapsed().as_millis()).unwrap_or(i64::MAX),
    );
    Ok(report.into())
}
