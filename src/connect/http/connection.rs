//! One connection: hyper, a watched socket, and the one timer that cuts it.

use std::future::{Future as _, poll_fn};
use std::io;
use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Instant;

use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::Sleep;

use crate::connect::http::bare::Instead;
use crate::connect::http::exchange::{Peer, respond};
use crate::connect::http::outbox::{Gathering, Outbox};
use crate::connect::http::server::Shared;
use crate::connect::http::watch::{Flight, Watch};
use crate::contract::{Accepted, Core};

/// What hyper may buffer of a head; longer ones get its own 431.
const BUFFER: usize = 64 << 10;

/// Serves a connection until either side ends it.
pub(super) async fn serve(
    core: Rc<Core>,
    shared: Arc<Shared>,
    accepted: Accepted,
    watch: Rc<Watch>,
) {
    let (address, _place) = (accepted.peer, accepted.place);
    let stream = match tokio::net::TcpStream::from_std(accepted.stream) {
        Ok(stream) => Gathering::new(stream, core.local::<Outbox>()),
        Err(error) => return tracing::debug!(peer = %address, %error, "Connection lost."),
    };
    let Some(tls) = shared.tls.as_ref().map(|tls| tls.acceptor()) else {
        return exchange(stream, core, shared, (address, false), watch).await;
    };
    // A peer that stalls in the handshake is as silent as one that sends nothing.
    match tokio::time::timeout(shared.limits.timeouts.head, tls.accept(stream)).await {
        Ok(Ok(stream)) => exchange(stream, core, shared, (address, true), watch).await,
        Ok(Err(error)) => tracing::debug!(peer = %address, %error, "TLS handshake failed."),
        Err(_elapsed) => tracing::debug!(peer = %address, "TLS handshake took too long."),
    }
}

async fn exchange<S>(
    stream: S,
    core: Rc<Core>,
    shared: Arc<Shared>,
    (address, secure): (SocketAddr, bool),
    watch: Rc<Watch>,
) where
    S: AsyncRead + AsyncWrite + Unpin + 'static,
{
    let builder = builder(&shared);
    let refusals = Arc::clone(&shared);
    let peer = Rc::new(Peer {
        core,
        shared,
        address,
        secure,
    });
    let requests = Rc::clone(&watch);
    let service = service_fn(move |request: hyper::Request<hyper::body::Incoming>| {
        let multiplexed = request.version() == hyper::Version::HTTP_2;
        let flight = Flight::begin(&requests, multiplexed);
        respond(Rc::clone(&peer), request, flight)
    });
    let io = TokioIo::new(Watched {
        stream,
        watch: Rc::clone(&watch),
        shared: refusals,
        instead: Instead::default(),
        refused: false,
    });
    let mut connection = pin!(builder.serve_connection(io, service));
    let mut timer = pin!(Timer::new(&watch));
    let mut finishing = false;
    poll_fn(|cx| {
        if !finishing && watch.may_finish() {
            finishing = true;
            connection.as_mut().graceful_shutdown();
        }
        watch.enter(cx.waker());
        let polled = match connection.as_mut().poll(cx) {
            Poll::Ready(result) => {
                if let Err(error) = result {
                    tracing::debug!(peer = %address, %error, "Connection ended.");
                }
                Poll::Ready(())
            }
            Poll::Pending => timer.as_mut().poll_due(&watch, cx).map(|()| {
                if watch.expire() {
                    // Reads once more: the socket tells the peer why, and ends.
                    drop(connection.as_mut().poll(cx));
                }
                tracing::debug!(peer = %address, "Connection cut: the peer is too slow.");
            }),
        };
        watch.leave();
        polled
    })
    .await;
}

fn builder(shared: &Shared) -> auto::Builder<LocalExecutor> {
    let limits = &shared.limits;
    let mut builder = auto::Builder::new(LocalExecutor);
    // Our own timer watches heads and idle connections; hyper's would count both as one.
    builder
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(None)
        .max_buf_size(BUFFER);
    builder
        .http2()
        .timer(TokioTimer::new())
        .max_concurrent_streams(limits.streams)
        .max_header_list_size(u32::try_from(limits.header_bytes).unwrap_or(u32::MAX));
    builder
}

/// Runs the streams of HTTP/2 on the core of their connection.
#[derive(Clone, Copy)]
struct LocalExecutor;

impl<F: Future<Output = ()> + 'static> hyper::rt::Executor<F> for LocalExecutor {
    fn execute(&self, future: F) {
        drop(tokio::task::spawn_local(future));
    }
}

/// The one timer of a connection: moved forward lazily, back at once.
struct Timer {
    sleep: Pin<Box<Sleep>>,
    armed: Instant,
    /// Whether it wakes the connection's task, whose waker stays the same.
    set: bool,
}

impl Timer {
    fn new(watch: &Watch) -> Self {
        let armed = watch
            .deadline()
            .unwrap_or_else(|| Instant::now() + watch.pause());
        Self {
            sleep: Box::pin(tokio::time::sleep_until(armed.into())),
            armed,
            set: false,
        }
    }

    fn arm(&mut self, moment: Instant) {
        self.armed = moment;
        self.set = false;
        self.sleep.as_mut().reset(moment.into());
    }

    /// Is ready when the peer has waited too long.
    fn poll_due(mut self: Pin<&mut Self>, watch: &Watch, cx: &mut Context<'_>) -> Poll<()> {
        let mut deadline = watch.deadline();
        if let Some(nearer) = deadline.filter(|moment| *moment < self.armed) {
            self.arm(nearer);
        }
        if self.set && watch.now() < self.armed {
            return Poll::Pending;
        }
        self.set = true;
        while self.sleep.as_mut().poll(cx).is_ready() {
            let now = Instant::now();
            deadline = watch.deadline();
            match deadline {
                Some(moment) if moment <= now => return Poll::Ready(()),
                Some(moment) => self.arm(moment),
                None => self.arm(now + watch.pause()),
            }
        }
        Poll::Pending
    }
}

/// A socket that notes what it does.
struct Watched<S> {
    stream: S,
    watch: Rc<Watch>,
    shared: Arc<Shared>,
    instead: Instead,
    /// Whether the peer is being told why its head is refused.
    refused: bool,
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncRead for Watched<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.watch.refusal().is_some() {
            return self.poll_refused(cx);
        }
        let (before, room) = (buffer.filled().len(), buffer.remaining());
        let polled = Pin::new(&mut self.stream).poll_read(cx, buffer);
        let nothing = matches!(polled, Poll::Ready(Ok(()))) && buffer.remaining() == room;
        if nothing && room > 0 && !self.watch.ends() {
            return Poll::Pending;
        }
        if let Some(bytes @ [_, ..]) = buffer.filled().get(before..) {
            let taken = self.watch.read(bytes);
            buffer.set_filled(before + taken);
            if taken == 0 {
                return self.poll_refused(cx);
            }
        }
        polled
    }
}

impl<S: AsyncWrite + Unpin> Watched<S> {
    /// Tells the peer why its head is refused, once it has the answers to what it sent before; hyper ends the connection
    /// for the error, and asks again when it has answered.
    fn poll_refused(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if !self.refused {
            let refusal = self.watch.refusal().filter(|_| self.watch.is_quiet());
            let Some(refusal) = refusal else {
                return Poll::Pending;
            };
            self.refused = true;
            self.instead.refuse(refusal, &self.shared.fallback);
        }
        ready!(self.instead.poll_send(Pin::new(&mut self.stream), cx))?;
        ready!(Pin::new(&mut self.stream).poll_flush(cx))?;
        Poll::Ready(Err(io::ErrorKind::InvalidData.into()))
    }
}

impl<S> Watched<S> {
    fn note(&self, polled: &Poll<io::Result<usize>>) {
        match polled {
            Poll::Ready(_) => self.watch.wrote(),
            Poll::Pending => self.watch.blocked(),
        }
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Watched<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let this = &mut *self;
        if this
            .instead
            .takes(bytes, &this.watch, &this.shared.fallback)
        {
            return Poll::Ready(Ok(bytes.len()));
        }
        let polled = Pin::new(&mut this.stream).poll_write(cx, bytes);
        self.note(&polled);
        polled
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let this = &mut *self;
        if let [only] = slices
            && this.instead.takes(only, &this.watch, &this.shared.fallback)
        {
            return Poll::Ready(Ok(only.len()));
        }
        let polled = Pin::new(&mut this.stream).poll_write_vectored(cx, slices);
        self.note(&polled);
        polled
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = &mut *self;
        ready!(this.instead.poll_send(Pin::new(&mut this.stream), cx))?;
        let polled = Pin::new(&mut this.stream).poll_flush(cx);
        this.watch.flushed(polled.is_ready());
        polled
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = &mut *self;
        ready!(this.instead.poll_send(Pin::new(&mut this.stream), cx))?;
        Pin::new(&mut this.stream).poll_shutdown(cx)
    }
}
