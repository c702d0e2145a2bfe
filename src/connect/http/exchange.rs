//! One request: to its channel, through the gateway, and back as an answer.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;

use bytes::Bytes;
use http::request::Parts;
use http::{HeaderMap, Method, Request, Response, Version, header};
use hyper::body::Incoming;

use crate::base::{ByteSize, Cid, Code, Fault, HttpMeta, Inbound, Meta, Reply, Text};
use crate::connect::http::answer::{self, Sending};
use crate::connect::http::body;
use crate::connect::http::path::{self, Path};
use crate::connect::http::router::Found;
use crate::connect::http::server::Shared;
use crate::connect::http::watch::Flight;
use crate::contract::Core;
use crate::gateway::{self, Route};

/// Where load balancers ask whether to send requests here.
const READY: &str = "/-/ready";

/// The other end of a connection, and who serves it.
pub(super) struct Peer {
    pub(super) core: Rc<Core>,
    pub(super) shared: Arc<Shared>,
    pub(super) address: SocketAddr,
    pub(super) secure: bool,
}

/// A request that has found its channel, or not.
struct Arrived {
    inbound: Inbound,
    target: Target,
}

enum Target {
    Channel(Arc<Route>),
    Options(String),
    Nowhere(Option<Arc<Route>>, Fault),
}

/// Answers a request. Never fails: what goes wrong is an answer, too.
pub(super) async fn respond(
    peer: Rc<Peer>,
    request: Request<Incoming>,
    flight: Flight,
) -> Result<Response<Sending>, Infallible> {
    let (parts, body) = request.into_parts();
    let cid = accepted_cid(&parts).unwrap_or_else(Cid::fresh);
    let multiplexed = parts.version == Version::HTTP_2;
    let head = parts.method == Method::HEAD;
    let (reply, ends) = if parts.uri.path() == READY {
        (peer.shared.state().reply(), false)
    } else {
        answer(&peer, cid.clone(), parts, body).await
    };
    let close = !multiplexed && (ends || peer.shared.state().is_draining());
    Ok(answer::response(reply, &cid, head, close, flight))
}

fn accepted_cid(parts: &Parts) -> Option<Cid> {
    let mut given = parts.headers.get_all(answer::CORRELATION).iter();
    let only = given.next().filter(|_| given.next().is_none())?;
    Cid::accept(only.to_str().ok()?)
}

/// Returns the reply, and whether the connection cannot be used after it.
async fn answer(peer: &Peer, cid: Cid, parts: Parts, body: Incoming) -> (Reply, bool) {
    let Arrived {
        mut inbound,
        target,
    } = arrive(peer, cid, parts);
    let shared = &peer.shared;
    let (route, fault) = match target {
        Target::Options(allow) => return (options(&allow), false),
        Target::Nowhere(route, fault) => (route, fault),
        Target::Channel(route) => {
            let limit = route.plan.body_limit;
            let read = match shared.enter() {
                Ok(_permit) => {
                    let read = body::read(body, &inbound.meta.headers, limit, &shared.limits);
                    match read.await {
                        Ok(bytes) => {
                            inbound.body = bytes;
                            let gateway = &shared.gateway;
                            let outcome = gateway::handle(gateway, &peer.core, &route, &inbound);
                            return (sendable(outcome.await.reply, &route, &inbound), false);
                        }
                        Err(fault) => fault,
                    }
                }
                Err(fault) => fault,
            };
            (Some(route), read)
        }
    };
    tracing::debug!(cid = %inbound.cid, code = fault.code_text(), error = fault.message(), "Request refused.");
    let ends = matches!(
        fault.code(),
        Code::BadRequest | Code::BodyTooLarge | Code::RequestTimeout
    );
    (render(shared, route.as_deref(), &fault, &inbound), ends)
}

fn arrive(peer: &Peer, cid: Cid, parts: Parts) -> Arrived {
    let mut http = HttpMeta {
        method: parts.method.clone(),
        path: Text::new(parts.uri.path()),
        query: Text::new(parts.uri.query().unwrap_or_default()),
        secure: peer.secure,
    };
    let mut params = Vec::new();
    let target = match find(peer, &parts, &mut http, &mut params) {
        Ok(target) => target,
        Err(fault) => Target::Nowhere(None, fault),
    };
    let meta = Meta {
        headers: parts.headers,
        params,
        http: Some(http),
        peer: Some(peer.address),
    };
    Arrived {
        inbound: Inbound {
            cid,
            meta: Arc::new(meta),
            body: Bytes::new(),
        },
        target,
    }
}

fn find(
    peer: &Peer,
    parts: &Parts,
    http: &mut HttpMeta,
    params: &mut Vec<(Text, Text)>,
) -> Result<Target, Fault> {
    let shared = &peer.shared;
    check_head(parts, shared)?;
    if parts.method == Method::OPTIONS && http.path == "*" {
        return Ok(Target::Options(
            "DELETE, GET, HEAD, OPTIONS, PATCH, POST, PUT".to_owned(),
        ));
    }
    let path = Path::parse(parts.uri.path())?;
    http.path = path.shown();
    Ok(match shared.routes.load().find(&parts.method, &path) {
        Found::Channel(route, of_path) => {
            match path::query(&http.query) {
                Ok(mut of_query) => {
                    // Whoever decides by a part of the path must not be told otherwise by the query.
                    of_query.retain(|(name, _)| !of_path.iter().any(|(known, _)| known == name));
                    *params = of_path;
                    params.extend(of_query);
                }
                Err(fault) => return Ok(Target::Nowhere(Some(route), fault)),
            }
            Target::Channel(route)
        }
        Found::Options(allow) => Target::Options(allow),
        Found::Nowhere(route, fault) => Target::Nowhere(route, fault),
    })
}

/// Checks what can be said of a request before anyone knows whom it is for.
fn check_head(parts: &Parts, shared: &Shared) -> Result<(), Fault> {
    let (uri, headers, limits) = (&parts.uri, &parts.headers, &shared.limits);
    let address = uri.path().len() + uri.query().map_or(0, |query| query.len() + 1);
    if address > limits.url {
        let limit = ByteSize(limits.url as u64);
        return Err(Fault::new(
            Code::UriTooLong,
            format!("the address is longer than {limit}"),
        ));
    }
    let (mut bytes, mut longest) = (0, 0);
    for (name, value) in headers {
        let length = name.as_str().len() + value.len() + 4;
        bytes += length;
        longest = longest.max(length);
    }
    if longest > limits.header {
        let limit = ByteSize(limits.header as u64);
        return Err(Fault::new(
            Code::HeadersTooLarge,
            format!("a header is longer than {limit}"),
        ));
    }
    if bytes > limits.header_bytes || headers.len() > limits.headers {
        let message = format!(
            "more than {} headers or {}",
            limits.headers,
            ByteSize(limits.header_bytes as u64)
        );
        return Err(Fault::new(Code::HeadersTooLarge, message));
    }
    check_coding(headers)?;
    check_host(parts)
}

/// Checks that a body is chunked at most: other codings are read in different ways by different servers.
fn check_coding(headers: &HeaderMap) -> Result<(), Fault> {
    let mut codings = headers.get_all(header::TRANSFER_ENCODING).iter();
    let (first, second) = (codings.next(), codings.next());
    let chunked = first.is_none_or(|coding| coding.as_bytes().eq_ignore_ascii_case(b"chunked"));
    if chunked && second.is_none() {
        return Ok(());
    }
    Err(Fault::new(
        Code::BadRequest,
        "the transfer encoding must be chunked, or none",
    ))
}

/// Checks that a request names one host, and the same everywhere.
fn check_host(parts: &Parts) -> Result<(), Fault> {
    let mut hosts = parts.headers.get_all(header::HOST).iter();
    let (first, second) = (hosts.next(), hosts.next());
    let missing = first.is_none() && parts.version == Version::HTTP_11;
    let other = match (parts.uri.authority(), first) {
        (Some(authority), Some(host)) => !host
            .as_bytes()
            .eq_ignore_ascii_case(authority.as_str().as_bytes()),
        _ => false,
    };
    if missing || second.is_some() || other {
        return Err(Fault::new(
            Code::BadRequest,
            "the request must name exactly one host",
        ));
    }
    if first.is_some_and(|host| !host.as_bytes().iter().copied().all(is_of_host)) {
        return Err(Fault::new(
            Code::BadRequest,
            "the host has characters that no host may have",
        ));
    }
    Ok(())
}

/// Tells whether a byte can be part of a host and its port.
fn is_of_host(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b".-_:[]%~!$&'()*+,;=".contains(&byte)
}

fn options(allow: &str) -> Reply {
    Reply {
        status: 204,
        headers: vec![(Text::const_new("Allow"), Text::new(allow))],
        ..Reply::default()
    }
}

/// Writes a fault in the format of the channel, or in the one the request looks like.
fn render(shared: &Shared, route: Option<&Route>, fault: &Fault, inbound: &Inbound) -> Reply {
    let format = match route {
        Some(route) => &route.plan.format,
        None => shared.fallback.of(&inbound.meta),
    };
    let mut reply = format.fault(fault, inbound);
    for (name, value) in fault.headers() {
        let there = reply
            .headers
            .iter()
            .any(|(own, _)| own.eq_ignore_ascii_case(name));
        if !there {
            reply.headers.push((name.clone(), value.clone()));
        }
    }
    reply
}

/// Returns the reply if HTTP can carry it, else the fault that says why not.
fn sendable(reply: Reply, route: &Route, inbound: &Inbound) -> Reply {
    match answer::check(&reply) {
        Ok(()) => reply,
        Err(fault) => {
            let (cid, channel) = (&inbound.cid, &route.plan.name);
            tracing::error!(%cid, %channel, code = fault.code_text(), error = fault.message(), "Answer not sent.");
            route.plan.format.fault(&fault, inbound)
        }
    }
}
