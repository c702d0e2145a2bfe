//! Watches the project: saved files are loaded, dropped files deployed. Events say where to look;
//! the disk says what.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use notify::event::{AccessKind, AccessMode, CreateKind, EventKind, ModifyKind, RenameMode};
use notify::{Event, RecommendedWatcher, RecursiveMode, Watcher as _};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use crate::base::Fault;
use crate::deploy::deployer::Deployer;
use crate::deploy::editor_files::is_temporary;
use crate::deploy::pickup::Drops;
use crate::deploy::settled::Settle;
use crate::tasks::Tasks;

impl Deployer {
    /// Watches until shutdown. Without events from the system it compares everything every two
    /// seconds.
    pub(crate) fn watch(self: &Arc<Self>, tasks: &Tasks) {
        if !self.options.watch && !self.options.pickup {
            return;
        }
        let eyes = Arc::new(Eyes {
            pickup_dir: self.options.pickup_dir(),
            sources: Arc::clone(&self.settle),
            drops: Mutex::default(),
            moved: Notify::new(),
            lost: AtomicBool::new(false),
        });
        let mut watching = Watching {
            deployer: Arc::clone(self),
            roots: Roots::new(&eyes),
            eyes,
            drops: Arc::default(),
            places: Vec::new(),
            soft: tasks.soft.clone(),
            said: String::new(),
        };
        tasks.spawn("watch", async move { watching.run().await });
    }
}

/// Where events arrive, on the watcher's own thread.
struct Eyes {
    pickup_dir: PathBuf,
    /// What events told of sources; the scanner takes it.
    sources: Arc<Mutex<Settle>>,
    /// What events told of dropped files.
    drops: Mutex<Settle>,
    /// Wakes the loop.
    moved: Notify,
    /// A watched directory went: watch all anew.
    lost: AtomicBool,
}

impl Eyes {
    fn see(&self, event: &Event) {
        if event.need_rescan() {
            self.forget_writers();
        }
        let mut look = event.need_rescan();
        if event.kind == EventKind::Modify(ModifyKind::Name(RenameMode::Both)) {
            self.renamed(&event.paths);
        }
        for path in &event.paths {
            look |= self.note(path, event.kind);
        }
        if look {
            self.moved.notify_one();
        }
    }

    /// Notes what an event tells of a file; returns whether it is time to look.
    fn note(&self, path: &Path, kind: EventKind) -> bool {
        let settle = if path.starts_with(&self.pickup_dir) {
            &self.drops
        } else {
            &*self.sources
        };
        let mut settle = settle.lock().unwrap_or_else(PoisonError::into_inner);
        match kind {
            EventKind::Access(AccessKind::Close(AccessMode::Write))
            | EventKind::Modify(ModifyKind::Name(RenameMode::To)) => {
                settle.writing.remove(path);
                settle.closed.insert(path.to_owned());
                true
            }
            EventKind::Modify(ModifyKind::Data(_)) => {
                settle.writing.insert(path.to_owned(), Instant::now());
                false
            }
            EventKind::Modify(ModifyKind::Name(RenameMode::From)) | EventKind::Remove(_) => {
                settle.writing.remove(path);
                self.lost.store(true, Ordering::Relaxed);
                true
            }
            // A file just made is empty or still being written; its closing will be told.
            EventKind::Create(kind) => kind != CreateKind::File,
            _ => false,
        }
    }

    /// Notes a file that has another name now. One with a temporary name is a backup: its successor
    /// comes.
    fn renamed(&self, paths: &[PathBuf]) {
        let [from, to] = paths else {
            return;
        };
        let name = to.file_name().unwrap_or_default().to_string_lossy();
        if !is_temporary(&name) {
            let mut settle = self.sources.lock().unwrap_or_else(PoisonError::into_inner);
            settle.renamed.insert(from.clone());
        }
    }

    fn forget_writers(&self) {
        for settle in [&*self.sources, &self.drops] {
            let mut settle = settle.lock().unwrap_or_else(PoisonError::into_inner);
            settle.writing.clear();
        }
    }
}

/// The loop.
struct Watching {
    deployer: Arc<Deployer>,
    eyes: Arc<Eyes>,
    roots: Roots,
    drops: Arc<Mutex<Drops>>,
    places: Vec<PathBuf>,
    soft: CancellationToken,
    /// The last error that was logged.
    said: String,
}

impl Watching {
    async fn run(&mut self) {
        let limits = self.deployer.options.limits;
        while !self.soft.is_cancelled() {
            if self.eyes.lost.swap(false, Ordering::Relaxed) {
                self.roots.forget();
            }
            self.roots.cover(&self.deployer, &self.places);
            let unsettled = self.look().await;
            let wait = if unsettled {
                limits.stable
            } else {
                limits.rescan
            };
            if self.moved_within(wait).await {
                // One save is several events, and one change several files.
                for _ in 0..5 {
                    if !self.moved_within(limits.settle).await {
                        break;
                    }
                }
            }
        }
    }

    async fn moved_within(&self, wait: Duration) -> bool {
        tokio::select! {
            () = self.soft.cancelled() => false,
            () = self.eyes.moved.notified() => true,
            () = tokio::time::sleep(wait) => false,
        }
    }

    /// Looks once; returns whether to look again soon.
    async fn look(&mut self) -> bool {
        let mut unsettled = false;
        if self.deployer.options.watch {
            match self.deployer.saved().await {
                Ok((again, places)) => {
                    unsettled |= again;
                    self.places = places;
                }
                Err(error) => self.complain(&error, "scripts/"),
            }
        }
        if self.deployer.options.pickup {
            let patience = self.deployer.options.limits.rescan * 30;
            let told = {
                let mut drops = self.eyes.drops.lock();
                let drops = drops.as_deref_mut();
                drops.map(|drops| drops.take(patience)).unwrap_or_default()
            };
            match self.deployer.pick_up(&self.drops, told).await {
                Ok(again) => unsettled |= again,
                Err(error) => self.complain(&error, "pickup-dir/"),
            }
        }
        unsettled
    }

    /// Logs an error once, although each look meets it again.
    fn complain(&mut self, fault: &Fault, path: &'static str) {
        let said = format!("{path} {fault}");
        if said != self.said {
            let (code, error) = (fault.code_text(), fault.message());
            let detail = fault.detail_text();
            tracing::warn!(path, code, error, detail, "Cannot take up what was saved.");
            self.said = said;
        }
    }
}

/// The directories that the system watches for us.
struct Roots {
    watcher: Option<RecommendedWatcher>,
    watched: BTreeMap<PathBuf, RecursiveMode>,
}

impl Roots {
    fn new(eyes: &Arc<Eyes>) -> Self {
        let seen = Arc::clone(eyes);
        let watcher =
            notify::recommended_watcher(move |event: notify::Result<Event>| match event {
                Ok(event) => seen.see(&event),
                Err(error) => tracing::warn!(%error, "An event of the file system was lost."),
            });
        let watcher = watcher.inspect_err(|error| {
            tracing::warn!(%error, "No events from the file system; comparing every two seconds.");
        });
        Self {
            watcher: watcher.ok(),
            watched: BTreeMap::new(),
        }
    }

    fn forget(&mut self) {
        self.watched.clear();
    }

    /// Watches all that exists and is not watched yet.
    fn cover(&mut self, deployer: &Deployer, places: &[PathBuf]) {
        let options = &deployer.options;
        if options.pickup {
            self.add(&options.pickup_dir(), RecursiveMode::NonRecursive);
        }
        if !options.watch {
            return;
        }
        self.add(&options.scripts(), RecursiveMode::Recursive);
        self.add(&options.stdlib(), RecursiveMode::Recursive);
        let list = options.source_list();
        for file in places.iter().chain([&list]) {
            if file.is_dir() {
                self.add(file, RecursiveMode::Recursive);
            } else if let Some(parent) = file.parent() {
                self.add(parent, RecursiveMode::NonRecursive);
            }
        }
    }

    fn add(&mut self, dir: &Path, mode: RecursiveMode) {
        let Some(watcher) = &mut self.watcher else {
            return;
        };
        let known = self.watched.get(dir) == Some(&mode);
        let above = dir.ancestors();
        let covered = above
            .skip(1)
            .any(|above| self.watched.get(above) == Some(&RecursiveMode::Recursive));
        if known || covered || !dir.is_dir() {
            return;
        }
        match watcher.watch(dir, mode) {
            Ok(()) => drop(self.watched.insert(dir.to_owned(), mode)),
            Err(error) => {
                let dir = dir.display();
                tracing::warn!(path = %dir, %error, "Cannot watch a directory; comparing it instead.");
            }
        }
    }
}
