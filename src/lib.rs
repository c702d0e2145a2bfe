//! Kladka: an integration server. Business services are scripts; everything else is declared.
//!
//! The modules stand in one total order: each may use only those above it. `tests/it/tidy.rs` reads this
//! list and fails on an upward path. `docs/ARCHITECTURE.md` is the map.
//!
//! Three declarations carry the system: [`contract::Kind`] (everything an operator can name),
//! [`contract::Service`] (everything that happens) and [`contract::HostFn`] (everything a script can do).
//! Two verbs move it: `gateway::handle` takes a message through the pipeline, `runtime::reconcile` makes the
//! stored objects live.
#![allow(
    dead_code,
    unused_imports,
    clippy::allow_attributes,
    reason = "the spine is being joined; removed when it is"
)]

mod admin;
pub mod base;
pub mod cli;
pub mod config;
mod connect;
pub mod contract;
mod deploy;
mod enmasse;
mod format;
mod gateway;
mod kinds;
mod kvdb;
mod limit;
mod net;
mod runtime;
mod schedule;
mod script;
mod security;
pub mod server;
mod service;
mod sio;
mod store;
mod tasks;
mod telemetry;
mod xml;
