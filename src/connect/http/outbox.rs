//! The answers of one turn of a core's loop leave together.
//!
//! Sending wakes the peer, which costs more than the bytes; and code that handles twenty messages and then sends
//! twenty answers finds the processor's caches warm. So a short write is kept until the tasks that were ready with it
//! have run. One task per core sends what was kept: woken by the first write of a turn, it stands behind those tasks
//! in the core's queue.

use std::cell::{Cell, RefCell};
use std::future::poll_fn;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

use crate::contract::CoreLocal;

/// Up to this length a write is kept, in bytes.
const SHORT: usize = 4 << 10;
/// So many writes are sent before the turn ends: the first of them should not wait for long.
const MOST: usize = 32;

/// What was written on one core in this turn and is not sent yet.
pub(super) struct Outbox {
    kept: RefCell<Kept>,
    /// Of the task that sends.
    waker: RefCell<Waker>,
}

impl CoreLocal for Outbox {}

impl Default for Outbox {
    fn default() -> Self {
        Self {
            kept: RefCell::default(),
            waker: RefCell::new(Waker::noop().clone()),
        }
    }
}

/// The bytes of all writes, one behind the other, and where each ends.
#[derive(Default)]
struct Kept {
    bytes: Vec<u8>,
    writes: Vec<(Rc<Line>, usize)>,
}

impl Outbox {
    /// Sends what each turn kept. Never ends.
    pub(super) async fn run(self: Rc<Self>) {
        poll_fn(|cx| {
            self.waker.borrow_mut().clone_from(cx.waker());
            self.send();
            Poll::<()>::Pending
        })
        .await;
    }

    fn keep(&self, line: &Rc<Line>, slices: &[IoSlice<'_>]) {
        let mut kept = self.kept.borrow_mut();
        for slice in slices {
            kept.bytes.extend_from_slice(slice);
        }
        let end = kept.bytes.len();
        kept.writes.push((Rc::clone(line), end));
        match kept.writes.len() {
            1 => self.waker.borrow().wake_by_ref(),
            MOST => {
                drop(kept);
                self.send();
            }
            _ => {}
        }
    }

    /// Sends what is kept, as far as the sockets take it.
    pub(super) fn send(&self) {
        let mut kept = self.kept.take();
        let mut start = 0;
        for (line, end) in kept.writes.drain(..) {
            line.send(kept.bytes.get(start..end).unwrap_or_default());
            start = end;
        }
        kept.bytes.clear();
        // Keeps the room.
        drop(self.kept.replace(kept));
    }
}

/// A connection's stream, as its task and the one that sends share it.
struct Line {
    stream: RefCell<TcpStream>,
    /// What the socket did not take; nothing more is kept for it until it does.
    left: RefCell<Vec<u8>>,
    failed: Cell<Option<io::ErrorKind>>,
    /// Of the connection's task.
    waker: RefCell<Waker>,
}

impl Line {
    fn send(&self, bytes: &[u8]) {
        let mut left = self.left.borrow_mut();
        let sent = if left.is_empty() {
            self.stream.borrow().try_write(bytes)
        } else {
            Ok(0)
        };
        let sent = match sent {
            Ok(sent) => sent,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => 0,
            Err(error) => return self.failed.set(Some(error.kind())),
        };
        if let Some(rest @ [_, ..]) = bytes.get(sent..) {
            left.extend_from_slice(rest);
            self.waker.borrow().wake_by_ref();
        }
    }

    /// Sends what the socket did not take before.
    fn poll_left(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut left = self.left.borrow_mut();
        while !left.is_empty() {
            let mut stream = self.stream.borrow_mut();
            let sent = ready!(Pin::new(&mut *stream).poll_write(cx, &left))?;
            if sent == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            drop(left.drain(..sent));
        }
        Poll::Ready(self.failed.get().map_or(Ok(()), |kind| Err(kind.into())))
    }
}

/// A stream whose short writes leave at the end of the turn.
pub(super) struct Gathering {
    line: Rc<Line>,
    outbox: Rc<Outbox>,
}

impl Gathering {
    pub(super) fn new(stream: TcpStream, outbox: Rc<Outbox>) -> Self {
        let line = Line {
            stream: RefCell::new(stream),
            left: RefCell::default(),
            failed: Cell::default(),
            waker: RefCell::new(Waker::noop().clone()),
        };
        Self {
            line: Rc::new(line),
            outbox,
        }
    }

    /// Sends all that was written before what comes now.
    fn poll_sent(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.outbox.send();
        self.line.poll_left(cx)
    }
}

impl AsyncRead for Gathering {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut *self.line.stream.borrow_mut()).poll_read(cx, buffer)
    }
}

impl AsyncWrite for Gathering {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.poll_write_vectored(cx, &[IoSlice::new(bytes)])
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let length = slices.iter().map(|slice| slice.len()).sum::<usize>();
        if length > SHORT {
            ready!(self.poll_sent(cx))?;
            return Pin::new(&mut *self.line.stream.borrow_mut()).poll_write_vectored(cx, slices);
        }
        ready!(self.line.poll_left(cx))?;
        self.line.waker.borrow_mut().clone_from(cx.waker());
        self.outbox.keep(&self.line, slices);
        Poll::Ready(Ok(length))
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    /// What is kept leaves by itself; what the socket did not take is waited for.
    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.line.poll_left(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.poll_sent(cx))?;
        Pin::new(&mut *self.line.stream.borrow_mut()).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::task::LocalSet;

    use super::*;

    /// Runs a test on one thread, with a task that sends.
    async fn with_outbox<T: Future<Output = ()>>(test: impl FnOnce(Rc<Outbox>) -> T) {
        let tasks = LocalSet::new();
        let outbox = Rc::new(Outbox::default());
        drop(tasks.spawn_local(Rc::clone(&outbox).run()));
        tasks
            .run_until(async {
                // The sender has to wait for its first turn before anything wakes it.
                tokio::task::yield_now().await;
                test(outbox).await;
            })
            .await;
    }

    async fn pair(outbox: &Rc<Outbox>) -> (Gathering, TcpStream) {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (peer, accepted) = tokio::join!(
            TcpStream::connect(listener.local_addr().unwrap()),
            listener.accept()
        );
        let own = Gathering::new(accepted.unwrap().0, Rc::clone(outbox));
        (own, peer.unwrap())
    }

    fn has_nothing(peer: &TcpStream) -> bool {
        let read = peer.try_read(&mut [0]);
        read.is_err_and(|error| error.kind() == io::ErrorKind::WouldBlock)
    }

    async fn read(peer: &mut TcpStream, length: usize) -> Vec<u8> {
        let mut bytes = vec![0; length];
        peer.read_exact(&mut bytes).await.unwrap();
        bytes
    }

    #[tokio::test]
    async fn short_writes_leave_when_the_turn_ends_and_all_at_once() {
        with_outbox(|outbox| async move {
            let (mut first, mut first_peer) = pair(&outbox).await;
            let (mut second, mut second_peer) = pair(&outbox).await;
            let ready = |peer: TcpStream| async move {
                peer.readable().await.unwrap();
                peer
            };
            first.write_all(b"one").await.unwrap();
            second.write_all(b"two").await.unwrap();
            first.write_all(b"three").await.unwrap();
            first.flush().await.unwrap();
            assert!(has_nothing(&first_peer) && has_nothing(&second_peer));
            assert_eq!(outbox.kept.borrow().writes.len(), 3);
            first_peer = ready(first_peer).await;
            assert_eq!(read(&mut first_peer, 8).await, b"onethree");
            assert_eq!(read(&mut second_peer, 3).await, b"two");
        })
        .await;
    }

    #[tokio::test]
    async fn many_writes_do_not_wait_for_the_end_of_the_turn() {
        with_outbox(|outbox| async move {
            let (mut own, mut peer) = pair(&outbox).await;
            for _ in 1..MOST {
                own.write_all(b"x").await.unwrap();
            }
            assert_eq!(outbox.kept.borrow().writes.len(), MOST - 1);
            own.write_all(b"x").await.unwrap();
            assert_eq!(outbox.kept.borrow().writes.len(), 0);
            assert_eq!(read(&mut peer, MOST).await, [b'x'; MOST]);
        })
        .await;
    }

    #[tokio::test]
    async fn a_long_write_and_the_end_stay_behind_what_was_kept() {
        with_outbox(|outbox| async move {
            let (mut own, mut peer) = pair(&outbox).await;
            let long = vec![b'l'; SHORT + 1];
            own.write_all(b"short").await.unwrap();
            own.write_all(&long).await.unwrap();
            own.write_all(b"last").await.unwrap();
            own.shutdown().await.unwrap();
            let mut got = Vec::new();
            peer.read_to_end(&mut got).await.unwrap();
            assert_eq!(got, [b"short", &*long, b"last"].concat());
        })
        .await;
    }

    #[tokio::test]
    async fn what_a_socket_does_not_take_is_waited_for_and_stays_in_order() {
        with_outbox(|outbox| async move {
            let (mut own, mut peer) = pair(&outbox).await;
            let mut written = Vec::new();
            while own.line.left.borrow().is_empty() {
                let bytes = vec![written.len().to_le_bytes()[2]; SHORT];
                own.write_all(&bytes).await.unwrap();
                written.extend_from_slice(&bytes);
                outbox.send();
            }
            let flushed = futures_util::poll!(std::pin::pin!(own.flush()));
            assert!(flushed.is_pending(), "nobody has read yet");
            let (ended, got) = tokio::join!(own.shutdown(), read(&mut peer, written.len()));
            ended.unwrap();
            assert!(got == written, "all of it, in order");
        })
        .await;
    }

    #[tokio::test]
    async fn a_peer_that_is_gone_is_an_error_of_a_later_write() {
        with_outbox(|outbox| async move {
            let (mut own, peer) = pair(&outbox).await;
            peer.set_zero_linger().unwrap();
            drop(peer);
            let error = loop {
                if let Err(error) = own.write_all(b"x").await {
                    break error;
                }
                tokio::task::yield_now().await;
            };
            let gone = [io::ErrorKind::ConnectionReset, io::ErrorKind::BrokenPipe];
            assert!(gone.contains(&error.kind()), "{error}");
        })
        .await;
    }
}
