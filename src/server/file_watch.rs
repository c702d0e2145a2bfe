//! Tells when something below a directory was saved. Several saves at once count as one.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use notify::event::{AccessKind, AccessMode, CreateKind, EventKind, ModifyKind};
use notify::{Event, RecommendedWatcher, RecursiveMode, Watcher as _};
use tokio::sync::Notify;

use crate::base::{Code, Fault};

/// How long a burst of saves may go on before it is reported.
const SETTLE: Duration = Duration::from_millis(10);

/// A watched directory.
pub(crate) struct FileWatch {
    saved: Arc<Notify>,
    // Watching ends when it is dropped.
    _watcher: RecommendedWatcher,
}

impl FileWatch {
    /// Watches a directory and all below it.
    pub(crate) fn new(dir: &Path) -> Result<Self, Fault> {
        let failed = |error: notify::Error| {
            Fault::new(
                Code::Storage,
                format!("cannot watch {}: {error}", dir.display()),
            )
        };
        let saved: Arc<Notify> = Arc::default();
        let tell = Arc::clone(&saved);
        let handler = move |event: notify::Result<Event>| {
            if event.is_ok_and(|event| is_save(event.kind)) {
                tell.notify_one();
            }
        };
        let mut watcher = notify::recommended_watcher(handler).map_err(failed)?;
        watcher
            .watch(dir, RecursiveMode::Recursive)
            .map_err(failed)?;
        Ok(Self {
            saved,
            _watcher: watcher,
        })
    }

    /// Waits for the next save.
    pub(crate) async fn next(&mut self) {
        self.saved.notified().await;
        tokio::time::sleep(SETTLE).await;
        // What was saved meanwhile is about to be read: it does not count as another save.
        drop(tokio::time::timeout(Duration::ZERO, self.saved.notified()).await);
    }
}

fn is_save(kind: EventKind) -> bool {
    matches!(
        kind,
        EventKind::Access(AccessKind::Close(AccessMode::Write))
            // What was saved in it before the system watched it too is told by nothing else.
            | EventKind::Create(CreateKind::Folder)
            | EventKind::Modify(ModifyKind::Name(_))
            | EventKind::Remove(_)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_save_is_seen_also_by_rename_and_in_a_new_folder() {
        let dir = std::env::temp_dir().join(format!("kladka-watch-{}", uuid::Uuid::now_v7()));
        std::fs::create_dir_all(dir.join("user")).unwrap();
        let mut watch = FileWatch::new(&dir).unwrap();
        let soon = Duration::from_secs(5);
        std::fs::write(dir.join("user/app.toml"), "a = 1").unwrap();
        tokio::time::timeout(soon, watch.next()).await.unwrap();
        std::fs::rename(dir.join("user/app.toml"), dir.join("user/b.toml")).unwrap();
        tokio::time::timeout(soon, watch.next()).await.unwrap();
        // A file in it can be there before anything looks into it.
        std::fs::create_dir(dir.join("more")).unwrap();
        tokio::time::timeout(soon, watch.next()).await.unwrap();
        std::fs::remove_dir_all(&dir).unwrap();
    }
}
