//! Reads the body of a request, bounded in length, time and pace.

use std::time::{Duration, Instant};

use bytes::{Bytes, BytesMut};
use futures_util::FutureExt as _;
use http::{HeaderMap, HeaderName, header};
use http_body_util::BodyExt as _;
use hyper::body::{Body as _, Incoming};

use crate::base::{ByteSize, Code, Fault};
use crate::connect::http::server::HttpLimits;

/// From this moment on the pace of a body counts.
const PACE_FROM: Duration = Duration::from_secs(5);

/// Headers that no trailer may be.
const HEAD_ONLY: [HeaderName; 7] = [
    header::CONTENT_LENGTH,
    header::TRANSFER_ENCODING,
    header::HOST,
    header::AUTHORIZATION,
    header::CONTENT_TYPE,
    header::CONTENT_ENCODING,
    header::TRAILER,
];

/// Reads a body. One that announces too much is refused before a byte of it is read.
pub(super) async fn read(
    mut body: Incoming,
    headers: &HeaderMap,
    limit: ByteSize,
    limits: &HttpLimits,
) -> Result<Bytes, Fault> {
    if body.is_end_stream() {
        return Ok(Bytes::new());
    }
    let most = limit.as_usize();
    let announced = headers
        .get(header::CONTENT_LENGTH)
        .and_then(|length| length.to_str().ok());
    let announced = announced
        .and_then(|length| length.parse::<u64>().ok())
        .unwrap_or_default();
    if announced.max(body.size_hint().lower()) > limit.0 {
        return Err(too_large(limit));
    }
    let mut started = None;
    let mut first = Bytes::new();
    let mut rest = BytesMut::new();
    while !body.is_end_stream() {
        // Most bodies are there already: then nothing is timed.
        let frame = if let Some(frame) = body.frame().now_or_never() {
            frame
        } else {
            let started = *started.get_or_insert_with(Instant::now);
            let due = deadline(started, first.len() + rest.len(), limits);
            let frame = tokio::time::timeout_at(due.into(), body.frame()).await;
            frame.map_err(|_elapsed| too_slow())?
        };
        let Some(frame) = frame else {
            break;
        };
        let frame = frame.map_err(|error| {
            Fault::new(Code::BadRequest, "the body broke off").detail(error.to_string())
        })?;
        let data = match frame.into_data() {
            Ok(data) => data,
            Err(frame) => {
                check_trailers(&frame.into_trailers().unwrap_or_default())?;
                continue;
            }
        };
        if first.len() + rest.len() + data.len() > most {
            return Err(too_large(limit));
        }
        // Most bodies come whole: then nothing is copied.
        if first.is_empty() {
            first = data;
        } else {
            rest.extend_from_slice(&data);
        }
    }
    Ok(if rest.is_empty() {
        first
    } else {
        [first, rest.freeze()].concat().into()
    })
}

/// Refuses trailers that say where a message ends or whose it is: that is what heads are for.
fn check_trailers(trailers: &HeaderMap) -> Result<(), Fault> {
    match trailers.keys().find(|name| HEAD_ONLY.contains(name)) {
        Some(name) => Err(Fault::new(
            Code::BadRequest,
            format!("'{name}' cannot stand behind a body"),
        )),
        None => Ok(()),
    }
}

/// Returns when the next part must be there: before the body's end of time, and before its pace is too slow.
fn deadline(started: Instant, received: usize, limits: &HttpLimits) -> Instant {
    let paced = received as u64 / limits.pace.0.max(1);
    let paced = Duration::from_secs(paced).max(PACE_FROM);
    started + paced.min(limits.timeouts.body)
}

fn too_large(limit: ByteSize) -> Fault {
    Fault::new(
        Code::BodyTooLarge,
        format!("the body is longer than {limit}"),
    )
}

fn too_slow() -> Fault {
    Fault::new(Code::RequestTimeout, "the body came too slowly")
}
