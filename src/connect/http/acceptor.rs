//! Takes connections from the listener, refuses those too many, and deals the others to the cores.

use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::sync::Semaphore;

use crate::base::{Code, Fault};
use crate::connect::http::bare;
use crate::connect::http::server::Shared;
use crate::contract::{Accepted, Dispatch};

/// How long the acceptor rests when the process has no descriptor left.
const REST: Duration = Duration::from_millis(50);
/// How many peers are being refused with an answer at once; more are cut off.
const REFUSALS: usize = 64;
/// How long a refused peer may take to read why, and how much it may send meanwhile.
const REFUSAL: Duration = Duration::from_secs(1);
const REFUSAL_READS: u64 = 64 << 10;

/// Accepts connections until the soft token is cancelled, and deals them to the cores.
pub(crate) fn accept(
    listener: TcpListener,
    dispatch: Dispatch,
    shared: &Arc<Shared>,
) -> Result<SocketAddr, Fault> {
    let unusable = |error: std::io::Error| {
        Fault::new(
            Code::Internal,
            format!("the listener cannot be used: {error}"),
        )
    };
    let address = listener.local_addr().map_err(unusable)?;
    let listener = tokio::net::TcpListener::from_std(listener).map_err(unusable)?;
    let own = Arc::clone(shared);
    let refusals = Arc::new(Semaphore::new(REFUSALS));
    shared.tasks.spawn("acceptor", async move {
        while let Some(accepted) = next(&listener, &own, &refusals).await {
            if dispatch.accept(accepted).await.is_err() {
                break;
            }
        }
    });
    Ok(address)
}

/// Returns the next connection that may be served; `None` when the server closes.
async fn next(
    listener: &tokio::net::TcpListener,
    shared: &Shared,
    refusals: &Arc<Semaphore>,
) -> Option<Accepted> {
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = shared.tasks.soft.cancelled() => return None,
        };
        let (stream, peer) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                tracing::warn!(%error, "Connection not accepted.");
                tokio::time::sleep(REST).await;
                continue;
            }
        };
        let Some(place) = shared.places.take(peer.ip()) else {
            tracing::debug!(%peer, "Connection refused: too many are open.");
            refuse(stream, shared, refusals);
            continue;
        };
        // Answers are written whole; waiting for more would only delay them.
        let prepared = stream.set_nodelay(true).and_then(|()| stream.into_std());
        match prepared {
            Ok(stream) => {
                let place = Box::new(place);
                return Some(Accepted {
                    stream,
                    peer,
                    place,
                });
            }
            Err(error) => tracing::debug!(%peer, %error, "Connection lost."),
        }
    }
}

/// Refuses a connection: with an answer where it costs no handshake.
fn refuse(stream: TcpStream, shared: &Shared, refusals: &Arc<Semaphore>) {
    let turn = Arc::clone(refusals).try_acquire_owned();
    let Some(turn) = turn.ok().filter(|_| shared.tls.is_none()) else {
        return;
    };
    let fault = Fault::new(Code::Overloaded, "too many connections at once");
    let answer = bare::whole(&fault.header("Retry-After", "1"), &shared.fallback);
    shared.tasks.spawn("refusal", async move {
        // A peer that is gone needs no answer.
        drop(tokio::time::timeout(REFUSAL, tell(stream, answer)).await);
        drop(turn);
    });
}

async fn tell(mut stream: TcpStream, answer: Bytes) -> std::io::Result<()> {
    stream.write_all(&answer).await?;
    stream.shutdown().await?;
    // A socket closed with its request unread would be reset, and the answer lost.
    tokio::io::copy(&mut stream.take(REFUSAL_READS), &mut tokio::io::sink()).await?;
    Ok(())
}
