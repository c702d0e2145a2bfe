//! Runs until asked to stop, then ends in order.

use std::time::Duration;

use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::base::{Code, Fault};
use crate::connect::http::State;
use crate::server::{Mode, Server, files, objects};

/// How long load balancers have to see that this server drains before it stops accepting.
const NOTICE: Duration = Duration::from_secs(2);

/// The signals that a server answers. From when they are listened for, none of them ends the process by itself.
pub struct Signals {
    terminate: Signal,
    interrupt: Signal,
    hangup: Signal,
}

impl Signals {
    /// Listens for them.
    pub fn listen() -> Result<Self, Fault> {
        Ok(Self {
            terminate: listen_for(SignalKind::terminate())?,
            interrupt: listen_for(SignalKind::interrupt())?,
            hangup: listen_for(SignalKind::hangup())?,
        })
    }
}

impl Server {
    /// Serves until SIGTERM, SIGINT or `kladka stop`, then drains. SIGHUP reads the configuration again.
    pub async fn run_until_stopped(self, mut signals: Signals) {
        loop {
            tokio::select! {
                _ = signals.terminate.recv() => break,
                _ = signals.interrupt.recv() => break,
                () = self.parts.stop.cancelled() => break,
                _ = signals.hangup.recv() => {
                    objects::reload(self.mode, &self.parts).await;
                }
            }
        }
        self.drain(&mut signals.interrupt).await;
    }

    async fn drain(self, impatient: &mut Signal) {
        tracing::info!("Draining.");
        drop(sd_notify::notify(&[sd_notify::NotifyState::Stopping]));
        self.parts.stop.cancel();
        self.shared.set_state(State::Draining);
        let notice = if self.mode == Mode::Dev {
            Duration::ZERO
        } else {
            NOTICE
        };
        tokio::select! {
            () = tokio::time::sleep(notice) => {}
            _ = impatient.recv() => {}
        }
        let grace = self.parts.config.limits.shutdown_grace.into();
        let over = tokio::time::Instant::now() + grace;
        self.tasks.shutdown(grace).await;
        // A core that panicked has been logged; the others still end.
        let join = || self.cores.into_iter().for_each(|core| drop(core.join()));
        let mut ended = tokio::task::spawn_blocking(join);
        if tokio::time::timeout_at(over, &mut ended).await.is_err() {
            self.tasks.hard.cancel();
            drop(ended.await);
        }
        if let Err(fault) = self.kvdb.sync().await {
            tracing::error!(
                code = fault.code_text(),
                error = fault.message(),
                "Key/value store not saved."
            );
        }
        self.store.close().await;
        let data = self
            .parts
            .configuration
            .project
            .data(&self.parts.config.data.dir);
        files::remove_endpoints(&data);
        tracing::info!("Stopped.");
        drop(self.lock);
    }
}

fn listen_for(kind: SignalKind) -> Result<Signal, Fault> {
    signal(kind).map_err(|error| Fault::new(Code::Internal, format!("signals: {error}")))
}
