//! The admin port: operations under `/api/v1/`, health and metrics beside them.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Router;
use axum::body::Bytes;
use axum::extract::rejection::BytesRejection;
use axum::extract::{DefaultBodyLimit, Path, Query, RawQuery, Request, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse as _, Response};
use axum::routing::{any, get};
use serde_json::{Value as Json, json};

use crate::admin::health::Health;
use crate::base::{ByteSize, Cid, Code, Fault, FieldError};
use crate::contract::{Effect, Native};

/// How long a body may be, in bytes: a package of ten megabytes as text, and what is written around it.
const BODY: usize = 16 << 20;

/// What the admin port serves.
pub(crate) struct AdminPort {
    operations: BTreeMap<&'static str, Arc<dyn Native>>,
    /// The token of `data/token`.
    token: String,
    health: Arc<dyn Health>,
}

impl AdminPort {
    /// Makes the port of a server.
    pub(crate) fn new(
        operations: Vec<Arc<dyn Native>>,
        token: String,
        health: Arc<dyn Health>,
    ) -> Arc<Self> {
        let operations = operations
            .into_iter()
            .map(|operation| (operation.name(), operation))
            .collect();
        Arc::new(Self {
            operations,
            token,
            health,
        })
    }

    /// Serves connections until `stop` resolves.
    pub(crate) async fn serve(
        self: Arc<Self>,
        listener: tokio::net::TcpListener,
        stop: impl Future<Output = ()> + Send + 'static,
    ) -> std::io::Result<()> {
        axum::serve(listener, router(self))
            .with_graceful_shutdown(stop)
            .await
    }
}

fn router(port: Arc<AdminPort>) -> Router {
    Router::new()
        .route("/api/v1/{operation}", any(operate))
        .route("/livez", get(|| async { "ok\n" }))
        .route("/readyz", get(ready))
        .route("/healthz", get(ready))
        .route("/metrics", get(metrics))
        .fallback(unknown_path)
        .layer(DefaultBodyLimit::max(BODY))
        .layer(middleware::from_fn(only_by_address))
        .with_state(port)
}

/// Refuses requests whose `Host` is a name: a page in a browser could have resolved it to this server.
async fn only_by_address(request: Request, next: Next) -> Response {
    let host = request
        .headers()
        .get(header::HOST)
        .and_then(|host| host.to_str().ok())
        .unwrap_or_default();
    let name = host
        .rsplit_once(':')
        .map_or(host, |(name, _port)| name)
        .trim_matches(['[', ']']);
    let by_address =
        name.eq_ignore_ascii_case("localhost") || name.parse::<std::net::IpAddr>().is_ok();
    if by_address {
        return next.run(request).await;
    }
    let fault = Fault::new(
        Code::Forbidden,
        format!("the admin port does not answer to the name {name:?}"),
    );
    problem(&Cid::fresh(), &fault.hint("Use its address, or localhost."))
}

async fn operate(
    State(port): State<Arc<AdminPort>>,
    Path(name): Path<String>,
    method: http::Method,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Response {
    let given = headers
        .get("x-correlation-id")
        .and_then(|cid| cid.to_str().ok())
        .and_then(Cid::accept);
    let cid = given.unwrap_or_else(Cid::fresh);
    let body = body.map_err(|rejected| unreadable(&rejected));
    let answer = match authorise(&port, &headers).and(body) {
        Ok(body) => run(&port, &name, &method, query.as_deref(), &body).await,
        Err(fault) => Err(fault),
    };
    match answer {
        Ok(output) => reply(&cid, StatusCode::OK, "application/json", output.to_string()),
        Err(fault) => {
            tracing::debug!(%cid, name, code = fault.code_text(), error = fault.message(), "Operation refused.");
            problem(&cid, &fault)
        }
    }
}

fn unreadable(rejected: &BytesRejection) -> Fault {
    if rejected.status() == StatusCode::PAYLOAD_TOO_LARGE {
        let most = ByteSize(BODY as u64);
        return Fault::new(
            Code::BodyTooLarge,
            format!("the body is longer than {most}"),
        );
    }
    Fault::new(Code::BadRequest, "the body broke off").detail(rejected.body_text())
}

async fn run(
    port: &AdminPort,
    name: &str,
    method: &http::Method,
    query: Option<&str>,
    body: &[u8],
) -> Result<Json, Fault> {
    let operation = port.operations.get(name).ok_or_else(|| {
        let fault = Fault::new(
            Code::UnknownOperation,
            format!("there is no operation '{name}'"),
        );
        match crate::base::closest(name, port.operations.keys().copied()) {
            Some(near) => fault.hint(format!("Did you mean `{near}`?")),
            None => fault,
        }
    })?;
    let allowed = methods(operation.effect());
    if !allowed.split(", ").any(|known| known == method.as_str()) {
        let fault = Fault::new(
            Code::WrongMethod,
            format!("{method} is not answered by '{name}'"),
        );
        return Err(fault.header("Allow", allowed));
    }
    operation.call(arguments(method, query, body)?).await
}

/// Returns the methods of an operation: an address that somebody is made to open must change nothing.
fn methods(effect: Effect) -> &'static str {
    match effect {
        Effect::Pure | Effect::Read => "GET, POST",
        Effect::Write | Effect::Network => "POST",
    }
}

fn arguments(method: &http::Method, query: Option<&str>, body: &[u8]) -> Result<Json, Fault> {
    if *method == http::Method::GET {
        let pairs = form_urlencoded::parse(query.unwrap_or_default().as_bytes());
        return Ok(pairs
            .map(|(name, text)| (name.into_owned(), plain(&text)))
            .collect());
    }
    if body.iter().all(u8::is_ascii_whitespace) {
        return Ok(json!({}));
    }
    serde_json::from_slice(body)
        .map_err(|error| Fault::new(Code::BadArguments, format!("the body is not JSON: {error}")))
}

/// A query has only text: numbers and truth values are taken as such.
fn plain(text: &str) -> Json {
    let scalar = serde_json::from_str(text)
        .ok()
        .filter(|json: &Json| json.is_number() || json.is_boolean());
    scalar.unwrap_or_else(|| Json::from(text))
}

fn authorise(port: &AdminPort, headers: &HeaderMap) -> Result<(), Fault> {
    let given = headers
        .get(header::AUTHORIZATION)
        .and_then(|value| value.to_str().ok());
    let token = given
        .and_then(|value| value.strip_prefix("Bearer "))
        .unwrap_or_default();
    let same =
        aws_lc_rs::constant_time::verify_slices_are_equal(token.as_bytes(), port.token.as_bytes());
    same.map_err(|_different| {
        Fault::new(Code::BadToken, "the admin token is missing or wrong")
            .hint("Send the text of data/token as `Authorization: Bearer …`.")
            .header("WWW-Authenticate", "Bearer realm=\"kladka\"")
    })
}

async fn ready(
    State(port): State<Arc<AdminPort>>,
    Query(query): Query<BTreeMap<String, String>>,
) -> Response {
    let verbose = query.get("verbose").is_some_and(|text| text != "false");
    let (ready, text) = port.health.ready(verbose);
    let status = if ready {
        StatusCode::OK
    } else {
        StatusCode::SERVICE_UNAVAILABLE
    };
    (status, text).into_response()
}

async fn metrics(State(port): State<Arc<AdminPort>>) -> Response {
    let kind = "text/plain; version=0.0.4; charset=utf-8";
    ([(header::CONTENT_TYPE, kind)], port.health.metrics()).into_response()
}

async fn unknown_path(request: Request) -> Response {
    let path = request.uri().path();
    let fault = Fault::new(
        Code::UnknownOperation,
        format!("there is nothing at {path}"),
    );
    problem(
        &Cid::fresh(),
        &fault.hint("Operations stand at /api/v1/NAME."),
    )
}

/// Answers a fault; people who run the server may see its diagnostic.
fn problem(cid: &Cid, fault: &Fault) -> Response {
    let mut body = json!({
        "type": format!("urn:kladka:error:{}", fault.code_text().trim_start_matches("KL-")),
        "title": fault.code().title(),
        "status": fault.status(),
        "detail": fault.message(),
        "hint": fault.hint_text(),
        "code": fault.code_text(),
        "cid": cid.as_str(),
        "diagnostic": fault.block(),
    });
    if !fault.field_errors().is_empty() {
        body["errors"] = fault.field_errors().iter().map(field_error).collect();
    }
    let status = StatusCode::from_u16(fault.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let mut response = reply(cid, status, "application/problem+json", body.to_string());
    for (name, value) in fault.headers() {
        let pair = (
            header::HeaderName::try_from(name.as_str()),
            header::HeaderValue::try_from(value.as_str()),
        );
        if let (Ok(name), Ok(value)) = pair {
            response.headers_mut().insert(name, value);
        }
    }
    response
}

/// Returns a problem of one field as the channels' JSON has it.
fn field_error(error: &FieldError) -> Json {
    json!({ "pointer": error.pointer(), "code": error.code.as_str(), "detail": error.detail })
}

fn reply(cid: &Cid, status: StatusCode, kind: &'static str, body: String) -> Response {
    let headers = [
        ("content-type", kind),
        ("x-correlation-id", cid.as_str()),
        ("cache-control", "no-store"),
    ];
    (status, headers, body).into_response()
}
