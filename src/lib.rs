//! Kladka: an integration server. Business services are scripts; everything else is declared.
//!
//! The modules stand in one total order: each may use only those above it. `tests/it/tidy.rs` reads this
//! list and fails on an upward path. `docs/ARCHITECTURE.md` is the map.
//!
//! Three declarations carry the system: [`contract::Kind`] (everything an operator can name),
//! [`contract::Service`] (everything that happens) and [`contract::HostFn`] (everything a script can do).
//! Two verbs move it: `gateway::handle` takes a message through the pipeline, `runtime::reconcile` makes the
//! stored objects live.

pub mod base;
pub mod contract;
pub mod config;
mod tasks;
mod net;
mod telemetry;
mod xml;
mod format;
mod sio;
mod security;
mod limit;
mod store;
mod kvdb;
mod service;
mod script;
mod gateway;
mod connect;
mod runtime;
mod deploy;
mod schedule;
mod enmasse;
mod admin;
mod kinds;
mod stubs;
mod testing;
pub mod server;
mod check;
mod repl;
pub mod cli;
