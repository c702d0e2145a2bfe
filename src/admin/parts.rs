//! What operations work on: the parts of a running server.

use std::sync::Arc;
use std::time::Instant;

use tokio_util::sync::CancellationToken;

use crate::admin::{Configuration, story};
use crate::base::{Code, Fault};
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

impl Parts {
    /// Returns what happened to the last message, or to the last one of a service; nothing when there was none.
    pub(crate) fn last(&self, service: Option<&str>) -> Result<serde_json::Value, Fault> {
        let stories = self.direct.stories.as_ref().ok_or_else(|| {
            let message = "what happens to messages is recorded in `kladka dev` only";
            Fault::new(Code::UnknownOperation, message)
                .hint("Run the project with `kladka dev` and send the message again.")
        })?;
        let last = stories.last(service);
        Ok(last.map_or_else(Default::default, |last| story::document(&last)))
    }
}
