//! The way of a request to its peer: the network, or what tests put in its place.
//!
//! A wire gets requests as they would go out, so that all that scripts and connections say of them counts.

use std::sync::Arc;

use bytes::Bytes;

use crate::base::{Code, Fault, Handle};
use crate::connect::http::call::{Broken, Outcall, broken, late};
use crate::connect::http::outgoing::Connection;
use crate::connect::http::outgoing_spec::Failure;

/// Answers requests in the place of the peers of all connections.
pub(crate) trait Wire: Send + Sync {
    /// Takes a request of the connection of a name, complete but for what HTTP itself adds.
    fn exchange(
        &self,
        connection: &str,
        request: http::Request<Bytes>,
    ) -> Result<http::Response<Bytes>, Lost>;
}

/// Why there is no answer.
pub(crate) enum Lost {
    /// No connection was made.
    Connect,
    /// The answer did not come in time.
    Timeout,
    /// There is no answer to such a request.
    Refused(Fault),
}

/// Returns a connection with a wire in the place of the network.
pub(crate) fn rewired(handle: &Handle, wire: Arc<dyn Wire>) -> Option<Handle> {
    let connection = handle.downcast::<Connection>()?;
    Some(Handle::new(Connection {
        wire: Some(wire),
        ..connection.clone()
    }))
}

/// The way of a request.
pub(super) enum Way {
    /// Over the network, by the client of the connection and core.
    Network(reqwest::Client),
    /// Over what stands in its place.
    Wire(Arc<dyn Wire>),
}

impl Way {
    /// Sends a request once and returns the answer, its body not read yet.
    pub(super) async fn send(
        &self,
        connection: &Connection,
        outcall: &Outcall,
    ) -> Result<reqwest::Response, Broken> {
        match self {
            Self::Network(client) => {
                let answer = client.execute(outcall.request()).await;
                answer.map_err(|error| broken(connection, &error))
            }
            Self::Wire(wire) => {
                let answer = wire.exchange(&connection.name, outcall.as_sent());
                let answer = answer.map(reqwest::Response::from);
                answer.map_err(|lost| lost.broken(connection, outcall))
            }
        }
    }

    /// Tells whether peers need time before another attempt.
    pub(super) fn is_network(&self) -> bool {
        matches!(self, Self::Network(_))
    }
}

impl Lost {
    /// Returns the attempt that failed for it.
    fn broken(self, connection: &Connection, outcall: &Outcall) -> Broken {
        let (failure, fault) = match self {
            Self::Timeout => (Some(Failure::Timeout), late(connection, outcall.timeout)),
            Self::Connect => {
                let message = format!("no connection to '{}': it is refused", connection.name);
                let fault = Fault::new(Code::OutgoingFailed, message);
                (Some(Failure::Connect), fault)
            }
            Self::Refused(fault) => (None, fault),
        };
        Broken { failure, fault }
    }
}
