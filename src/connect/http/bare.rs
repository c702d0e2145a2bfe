//! The answers that hyper gives on its own to what it cannot read: made into faults with a correlation id.
//!
//! They leave without a body and without us, so they are caught where they are written to the socket.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Buf as _, Bytes};
use tokio::io::AsyncWrite;

use crate::base::{Cid, Code, Fault, Inbound};
use crate::connect::http::fallback::Fallback;

/// What a bare answer holds behind its status line; ours have a correlation id there.
const BARE: &[u8] = b"\r\nconnection: close\r\ncontent-length: 0\r\ndate: ";

/// An answer that takes the place of a bare one, as far as it is not sent yet.
#[derive(Default)]
pub(super) struct Instead(Bytes);

impl Instead {
    /// Takes over what hyper writes if that is a bare answer.
    pub(super) fn takes(&mut self, written: &[u8], fallback: &Fallback) -> bool {
        let Some((code, message)) = meaning(written) else {
            return false;
        };
        let inbound = Inbound {
            cid: Cid::fresh(),
            meta: std::sync::Arc::default(),
            body: Bytes::new(),
        };
        let (cid, fault) = (&inbound.cid, Fault::new(code, message));
        tracing::debug!(%cid, code = fault.code_text(), error = fault.message(), "Request refused.");
        let reply = fallback.of(&inbound.meta).fault(&fault, &inbound);
        let line = written.split(|byte| *byte == b'\r').next();
        let head = format!(
            "\r\ncontent-type: {}\r\nx-correlation-id: {cid}\r\nconnection: close\r\ncontent-length: {}\r\n\r\n",
            reply.media_type,
            reply.body.len()
        );
        self.0 = [line.unwrap_or_default(), head.as_bytes(), &reply.body]
            .concat()
            .into();
        true
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

/// Returns what a bare answer means.
fn meaning(written: &[u8]) -> Option<(Code, &'static str)> {
    let after_line = written.iter().position(|byte| *byte == b'\r')?;
    if !written.get(after_line..)?.starts_with(BARE) {
        return None;
    }
    match written.strip_prefix(b"HTTP/1.1 ")?.get(..3)? {
        b"400" => Some((Code::BadRequest, "the request is not HTTP as we read it")),
        b"414" => Some((Code::UriTooLong, "the address is too long")),
        b"431" => Some((
            Code::HeadersTooLarge,
            "the headers are too many or too long",
        )),
        _ => None,
    }
}
