//! Answers that belong to no request: to what cannot be read, to a head that does not come, to a peer too many.
//!
//! hyper gives some on its own, without a body and without us, so they are caught where they are written to the socket.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Buf as _, Bytes};
use http::StatusCode;
use tokio::io::AsyncWrite;

use crate::base::{Cid, Code, Fault, Inbound};
use crate::connect::http::fallback::Fallback;
use crate::connect::http::watch::{Refusal, Watch};

/// What a bare answer holds behind its status line; ours have a correlation id there.
const BARE: &[u8] = b"\r\nconnection: close\r\ncontent-length: 0\r\ndate: ";

/// An answer that takes the place of a bare one, as far as it is not sent yet.
#[derive(Default)]
pub(super) struct Instead(Bytes);

impl Instead {
    /// Takes over what hyper writes if that is a bare answer.
    pub(super) fn takes(&mut self, written: &[u8], watch: &Watch, fallback: &Fallback) -> bool {
        let meant = meaning(written, watch);
        if let Some(refusal) = meant {
            self.refuse(refusal, fallback);
        }
        meant.is_some()
    }

    /// Tells the peer why its head is refused.
    pub(super) fn refuse(&mut self, (code, message): Refusal, fallback: &Fallback) {
        self.0 = whole(&Fault::new(code, message), fallback);
    }

    /// Sends what is left.
    pub(super) fn poll_send(
        &mut self,
        mut stream: Pin<&mut (impl AsyncWrite + ?Sized)>,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<()>> {
        while !self.0.is_empty() {
            let sent = ready!(stream.as_mut().poll_write(cx, &self.0))?;
            if sent == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.0.advance(sent);
        }
        Poll::Ready(Ok(()))
    }
}

/// Writes a fault as a whole answer after which the connection is closed.
pub(super) fn whole(fault: &Fault, fallback: &Fallback) -> Bytes {
    let inbound = Inbound {
        cid: Cid::fresh(),
        meta: std::sync::Arc::default(),
        body: Bytes::new(),
    };
    let cid = &inbound.cid;
    tracing::debug!(%cid, code = fault.code_text(), error = fault.message(), "Request refused.");
    let reply = fallback.of(&inbound.meta).fault(fault, &inbound);
    let status = StatusCode::from_u16(reply.status).unwrap_or(StatusCode::BAD_REQUEST);
    let headers = reply.headers.iter();
    let headers =
        headers.map(|(name, value)| format!("{}: {value}\r\n", name.to_ascii_lowercase()));
    let head = format!(
        "HTTP/1.1 {status}\r\ncontent-type: {}\r\n{}x-correlation-id: {cid}\r\nconnection: close\r\ncontent-length: {}\r\n\r\n",
        reply.media_type,
        headers.collect::<Vec<_>>().concat(),
        reply.body.len()
    );
    [head.as_bytes(), &reply.body].concat().into()
}

/// Returns what a bare answer means.
fn meaning(written: &[u8], watch: &Watch) -> Option<Refusal> {
    let after_line = written.iter().position(|byte| *byte == b'\r')?;
    if !written.get(after_line..)?.starts_with(BARE) {
        return None;
    }
    let long_address = Some((Code::UriTooLong, "the address is too long"));
    match written.strip_prefix(b"HTTP/1.1 ")?.get(..3)? {
        b"400" => Some((Code::BadRequest, "the request is not HTTP as we read it")),
        b"414" => long_address,
        // hyper's buffer is full, and the first line has no end yet.
        b"431" if watch.is_in_first_line() => long_address,
        b"431" => Some((
            Code::HeadersTooLarge,
            "the headers are too many or too long",
        )),
        _ => None,
    }
}
