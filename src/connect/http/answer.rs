//! A reply as an HTTP answer.

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::{HeaderName, HeaderValue, Response, StatusCode, header};
use hyper::body::{Body, Frame, SizeHint};

use crate::base::{Cid, Code, Fault, Reply};
use crate::connect::http::watch::Flight;

/// The header that carries the correlation id, in both directions.
pub(super) const CORRELATION: HeaderName = HeaderName::from_static("x-correlation-id");
/// The most common media type, checked once.
const JSON: HeaderValue = HeaderValue::from_static("application/json");
/// How much of an answer is handed over at once: between parts we see whether the peer takes it.
const PART: usize = 64 << 10;
/// Headers that only we may set: they say where an answer ends and whose it is.
const OURS: [HeaderName; 6] = [
    header::CONTENT_LENGTH,
    header::TRANSFER_ENCODING,
    header::CONNECTION,
    header::UPGRADE,
    header::TRAILER,
    CORRELATION,
];

/// Checks that HTTP can carry a reply: its status, and each header.
pub(super) fn check(reply: &Reply) -> Result<(), Fault> {
    let refuse = |what: String| Err(Fault::new(Code::OutputRejected, what));
    if !(200..=599).contains(&reply.status) {
        return refuse(format!("{} is not a status of an answer", reply.status));
    }
    if HeaderValue::from_str(&reply.media_type).is_err() {
        return refuse(format!("{:?} is not a media type", reply.media_type));
    }
    for (name, value) in &reply.headers {
        match HeaderName::from_bytes(name.as_bytes()) {
            Err(_) => return refuse(format!("{name:?} is not the name of a header")),
            Ok(name) if OURS.contains(&name) => {
                return refuse(format!("header '{name}' cannot be set"));
            }
            Ok(name) if HeaderValue::from_str(value).is_err() => {
                return refuse(format!(
                    "the value of header '{name}' holds control characters"
                ));
            }
            Ok(_) => {}
        }
    }
    Ok(())
}

/// Makes the answer of a reply. What `check` would refuse is left out.
pub(super) fn response(
    reply: Reply,
    cid: &Cid,
    head: bool,
    close: bool,
    flight: Flight,
) -> Response<Sending> {
    let status = StatusCode::from_u16(reply.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let bodiless = matches!(status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED);
    let length = reply.body.len();
    let rest = if head || bodiless {
        Bytes::new()
    } else {
        reply.body
    };
    let mut response = Response::new(Sending {
        rest,
        flight: flight.sending(),
    });
    *response.status_mut() = status;
    let headers = response.headers_mut();
    if !reply.media_type.is_empty() && !bodiless {
        match &*reply.media_type {
            "application/json" => drop(headers.insert(header::CONTENT_TYPE, JSON)),
            other => set(headers, header::CONTENT_TYPE, other),
        }
    }
    for (name, value) in &reply.headers {
        let name = HeaderName::from_bytes(name.as_bytes()).ok();
        let value = HeaderValue::from_str(value).ok();
        if let (Some(name), Some(value)) = (name, value) {
            headers.append(name, value);
        }
    }
    set(headers, CORRELATION, cid.as_str());
    if head && !bodiless {
        headers.insert(header::CONTENT_LENGTH, HeaderValue::from(length));
    }
    if close {
        headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
    }
    response
}

fn set(headers: &mut http::HeaderMap, name: HeaderName, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        headers.insert(name, value);
    }
}

/// The body of an answer; its request is over when hyper has taken the last part.
pub(super) struct Sending {
    rest: Bytes,
    flight: Flight,
}

impl Body for Sending {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        if self.rest.is_empty() {
            return Poll::Ready(None);
        }
        self.flight.progress();
        let length = self.rest.len().min(PART);
        Poll::Ready(Some(Ok(Frame::data(self.rest.split_to(length)))))
    }

    fn is_end_stream(&self) -> bool {
        self.rest.is_empty()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.rest.len() as u64)
    }
}
