//! HTTP, both ways: the data plane with its channels, and outgoing connections.
//!
//! `acceptor` deals connections to the cores that `server` runs; `connection` serves one and cuts it when it is slow or
//! silent; `exchange` takes one request to its channel and back; `router` and `path` say which channel that is.
//! `outgoing` calls peers by the name of a connection, by the network or what tests put in its place (`wire`), or by the
//! process that has the connection (`distant`); `partner` plays one for the reference scenario.

mod acceptor;
mod address;
mod answer;
mod bare;
mod body;
mod call;
mod channel;
mod client;
mod connection;
mod distant;
mod exchange;
mod fallback;
mod framing;
mod outbox;
mod outgoing;
mod outgoing_spec;
mod partner;
mod path;
mod places;
mod response;
mod router;
mod server;
mod watch;
mod wire;

pub(crate) use acceptor::accept;
pub(crate) use channel::HttpChannel;
pub(crate) use distant::{Bearer, distant, send_for};
pub(crate) use fallback::Fallback;
pub(crate) use outgoing::HttpOutgoing;
pub(crate) use partner::start_partner;
pub(crate) use router::Router;
pub(crate) use server::{HttpLimits, Shared, State, Threads, start_cores};
pub(crate) use watch::Timeouts;
pub(crate) use wire::{Lost, Wire, rewired};

#[cfg(test)]
mod tests;
