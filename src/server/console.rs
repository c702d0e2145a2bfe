//! What the terminal of `dev` asks of the server that runs.

use std::sync::Arc;
use std::time::Instant;

use serde_json::{Value as Json, json};

use crate::admin::Parts;
use crate::base::Fault;
use crate::deploy::{Origin, Which};
use crate::server::{Mode, Server, curls, editor, objects};

/// A running server as its terminal sees it.
#[derive(Clone)]
pub struct Console {
    mode: Mode,
    parts: Arc<Parts>,
}

impl Server {
    /// Returns what the terminal asks.
    pub fn console(&self) -> Console {
        Console {
            mode: self.mode,
            parts: Arc::clone(&self.parts),
        }
    }
}

impl Console {
    /// Loads everything again, as if all of it was saved now, and returns what came of it. What is wrong is logged, too.
    pub async fn reload(&self) -> Result<Json, Fault> {
        let started = Instant::now();
        let refused = objects::reload(self.mode, &self.parts).await;
        let scripts = self.parts.deployer.reload(Which::All, Origin::way("file"));
        let report = scripts.await?;
        editor::refresh(&self.parts).await;
        Ok(json!({
            "scripts": report,
            "refused": refused,
            "elapsed_ms": started.elapsed().as_millis(),
        }))
    }

    /// Returns what happened to the last message; nothing when there was none.
    pub fn last(&self) -> Result<Json, Fault> {
        self.parts.last(None)
    }

    /// Returns calls to try.
    pub fn curls(&self) -> Vec<String> {
        curls::all(&self.parts)
    }

    /// Returns the page for people on the admin port.
    pub fn page(&self) -> String {
        format!("{}/readyz?verbose", self.parts.endpoints.admin)
    }

    /// Makes the server finish what runs and end.
    pub fn stop(&self) {
        self.parts.stop.cancel();
    }

    /// Waits until the server is about to end, whoever asked.
    pub async fn stopped(&self) {
        self.parts.stop.cancelled().await;
    }
}
