//! What operations work on: the parts of a running server.

use std::sync::Arc;
use std::time::Instant;

use tokio_util::sync::CancellationToken;

use crate::admin::Configuration;
use crate::config::{ServerConfig, UserSettings};
use crate::deploy::Deployer;
use crate::net::ServerTls;
use crate::service::{Direct, Registry};

/// The parts of a running server.
pub(crate) struct Parts {
    /// `dev` or `start`.
    pub(crate) mode: &'static str,
    /// The bootstrap settings.
    pub(crate) config: ServerConfig,
    /// When it started.
    pub(crate) started: Instant,
    /// Where it listens.
    pub(crate) endpoints: Endpoints,
    /// The objects, the live ones and the jobs.
    pub(crate) configuration: Configuration,
    /// The scripts.
    pub(crate) deployer: Arc<Deployer>,
    /// The services of the moment.
    pub(crate) registry: Arc<Registry>,
    /// The way to call them.
    pub(crate) direct: Direct,
    /// The certificate of the services port, if it speaks TLS.
    pub(crate) tls: Option<Arc<ServerTls>>,
    /// The scripts' own settings.
    pub(crate) settings: Arc<UserSettings>,
    /// Cancelled to make the server drain and end.
    pub(crate) stop: CancellationToken,
}

/// Where a server listens, as URLs.
#[derive(Clone, Debug, serde::Serialize)]
pub(crate) struct Endpoints {
    /// The services port.
    pub(crate) services: String,
    /// The admin port.
    pub(crate) admin: String,
}
