//! Background tasks: named, tracked, cancelled in two steps at shutdown.

use std::time::Duration;

use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::Instrument as _;

/// Owns every background task of a server. Cheap to clone.
#[derive(Clone, Default)]
pub(crate) struct Tasks {
    tracker: TaskTracker,
    /// Cancelled first: stop taking new work and finish what runs.
    pub(crate) soft: CancellationToken,
    /// Cancelled when the grace period is over: drop everything.
    pub(crate) hard: CancellationToken,
}

impl Tasks {
    /// Spawns a task on the current runtime; it is dropped when the hard token is cancelled.
    pub(crate) fn spawn(
        &self,
        name: &'static str,
        future: impl Future<Output = ()> + Send + 'static,
    ) {
        let hard = self.hard.clone();
        let guarded = async move {
            tokio::select! {
                () = hard.cancelled() => {}
                () = future => {}
            }
        };
        drop(
            self.tracker
                .spawn(guarded.instrument(tracing::debug_span!("task", name))),
        );
    }

    /// Asks all tasks to end, waits up to `grace`, then drops those that are left.
    pub(crate) async fn shutdown(&self, grace: Duration) {
        self.soft.cancel();
        self.tracker.close();
        if tokio::time::timeout(grace, self.tracker.wait())
            .await
            .is_err()
        {
            self.hard.cancel();
            self.tracker.wait().await;
        }
    }
}
