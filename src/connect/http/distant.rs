//! A connection of another process: scripts call it as if it were here, and its server sends what they ask for.
//!
//! Requests go as scripts wrote them, with their body as bytes; what the connection adds, credentials among it, stays
//! with the server.

use std::any::Any;
use std::sync::Arc;
use std::time::Instant;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{HeaderMap, HeaderName, HeaderValue, Method};
use serde_json::{Value as Json, json};

use crate::base::{BoxFuture, Cid, Code, Fault, Handle, Map, Object, Text, Value};
use crate::connect::http::HttpOutgoing;
use crate::connect::http::call::{Outcall, body, perform};
use crate::connect::http::client::build;
use crate::connect::http::outgoing::Connection;
use crate::connect::http::response::HttpResponse;
use crate::connect::http::wire::Way;
use crate::contract::Kind as _;

/// What takes requests to the process that has the connections.
pub(crate) trait Bearer: Send + Sync {
    /// Has a request of a connection sent until a deadline; returns what [`send_for`] gave.
    fn send(
        &self,
        connection: &str,
        request: Json,
        deadline: Instant,
    ) -> BoxFuture<'static, Result<Json, Fault>>;

    /// Has a connection pinged.
    fn ping(&self, connection: &str, deadline: Instant) -> BoxFuture<'static, Result<Json, Fault>>;
}

/// A connection that is elsewhere.
pub(super) struct Distant {
    name: Text,
    bearer: Arc<dyn Bearer>,
}

impl Object for Distant {
    fn class(&self) -> &'static str {
        HttpOutgoing::NAME
    }

    fn name(&self) -> Option<&str> {
        Some(&self.name)
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}

/// Makes the connection of a name.
pub(crate) fn distant(name: &str, bearer: Arc<dyn Bearer>) -> Handle {
    let name = Text::new(name);
    Handle::new(Distant { name, bearer })
}

impl Distant {
    /// Has a request sent; `method` is given by all but `send`.
    pub(super) async fn send(
        &self,
        method: Option<Method>,
        mut request: Map,
        deadline: Instant,
    ) -> Result<HttpResponse, Fault> {
        if let Some(method) = method {
            request.set("method", method.as_str());
        }
        let (given, json) = (request.remove("body"), request.remove("json"));
        let mut headers = HeaderMap::new();
        let bytes = body(given, json, &mut headers)?;
        let kind = headers.get(CONTENT_TYPE).and_then(|it| it.to_str().ok());
        let asked = json!({
            "request": Json::from(&Value::Map(request)),
            "body": STANDARD.encode(&bytes),
            "media_type": kind,
        });
        let told = self.bearer.send(&self.name, asked, deadline).await?;
        answer(&self.name, &told)
            .ok_or_else(|| Fault::new(Code::Internal, "the server's answer is not understood"))
    }

    /// Has the peer pinged.
    pub(super) async fn ping(&self, deadline: Instant) -> Result<Value, Fault> {
        let told = self.bearer.ping(&self.name, deadline).await?;
        Ok(Value::from(&told))
    }
}

fn answer(connection: &Text, told: &Json) -> Option<HttpResponse> {
    let mut headers = HeaderMap::new();
    for pair in told.get("headers")?.as_array()? {
        let name = HeaderName::from_bytes(pair.get(0)?.as_str()?.as_bytes()).ok()?;
        let value = STANDARD.decode(pair.get(1)?.as_str()?).ok()?;
        headers.append(name, HeaderValue::from_bytes(&value).ok()?);
    }
    let body = STANDARD.decode(told.get("body")?.as_str()?).ok()?;
    Some(HttpResponse {
        connection: connection.clone(),
        status: u16::try_from(told.get("status")?.as_u64()?).ok()?,
        headers,
        body: body.into(),
    })
}

/// Sends a request that another process asks for, over a connection of this one. Dials anew.
pub(crate) fn send_for(
    handle: Handle,
    asked: Json,
    cid: Cid,
    deadline: Instant,
) -> BoxFuture<'static, Result<Json, Fault>> {
    Box::pin(async move {
        let connection = handle.downcast::<Connection>().ok_or_else(|| {
            let message = "requests of connections of this kind cannot be sent from elsewhere";
            Fault::new(Code::BadArguments, message)
        })?;
        let request = read(&asked)?;
        let outcall = Outcall::read(connection, None, request, &cid)?;
        let way = Way::Network(build(&connection.spec)?);
        let answer = perform(connection, &way, outcall, deadline).await?;
        let headers = answer.headers.iter();
        let headers: Vec<Json> = headers
            .map(|(name, value)| json!([name.as_str(), STANDARD.encode(value.as_bytes())]))
            .collect();
        Ok(json!({
            "status": answer.status,
            "headers": headers,
            "body": STANDARD.encode(&answer.body),
        }))
    })
}

fn read(asked: &Json) -> Result<Map, Fault> {
    let unclear =
        |what: &str| Fault::new(Code::BadArguments, format!("'{what}' is not understood"));
    let request = asked.get("request").map(Value::from);
    let Some(Value::Map(mut request)) = request else {
        return Err(unclear("request"));
    };
    let body = asked.get("body").and_then(Json::as_str).unwrap_or_default();
    let body = STANDARD.decode(body).map_err(|_other| unclear("body"))?;
    if !body.is_empty() {
        request.set("body", Value::Bytes(Bytes::from(body)));
    }
    if let Some(kind) = asked.get("media_type").and_then(Json::as_str) {
        let headers = request.remove("headers");
        let mut headers = match headers {
            Some(Value::Map(headers)) => headers,
            _ => Map::new(),
        };
        let named = |name: &str| name.eq_ignore_ascii_case(CONTENT_TYPE.as_str());
        if !headers.names().any(named) {
            headers.set(CONTENT_TYPE.as_str(), kind);
        }
        request.set("headers", Value::Map(headers));
    }
    Ok(request)
}
