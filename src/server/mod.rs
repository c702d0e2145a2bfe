//! Puts the parts together and owns their shutdown.
//!
//! Start-up goes from the bottom of the module order to its top; whatever fails, fails before the server says that
//! it is ready. Shutdown goes the other way: load balancers are told first, running calls finish, then stores close.

mod console;
mod curls;
mod shell;
mod editor;
mod file_watch;
mod files;
mod greeting;
mod health;
mod jobs;
mod objects;
mod start;
mod stop;
mod validate;
mod variables;

use std::sync::Arc;
use std::thread::JoinHandle;

use crate::admin::Parts;
use crate::connect::http::Shared;
use crate::contract::KeyValue;
use crate::store::Store;
use crate::tasks::Tasks;

pub use console::Console;
pub(crate) use file_watch::FileWatch;
pub(crate) use start::check_ports;
pub use stop::Signals;
pub(crate) use validate::{configuration, validate};
pub(crate) use variables::ServerVariables;

/// How a server runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// For development: demo partner, demo credentials, the configuration reloads when it is saved.
    Dev,
    /// For production.
    Start,
}

impl Mode {
    /// Returns the command that starts it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Dev => "dev",
            Self::Start => "start",
        }
    }

    /// Returns the overlay of the objects that is applied too.
    pub(crate) fn overlay(self) -> Option<&'static str> {
        (self == Self::Dev).then_some("dev")
    }
}

/// A running server.
pub struct Server {
    mode: Mode,
    parts: Arc<Parts>,
    shared: Arc<Shared>,
    store: Store,
    kvdb: Arc<dyn KeyValue>,
    tasks: Tasks,
    cores: Vec<JoinHandle<()>>,
    /// Where the demo partner listens.
    partner: Option<String>,
    /// How long start-up took.
    took: std::time::Duration,
    lock: files::Lock,
}
