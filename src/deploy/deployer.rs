//! The deployer: owns the state of the sources and the only way to change what serves.

use std::sync::{Arc, Mutex, PoisonError};

use arc_swap::ArcSwap;
use tokio::sync::{oneshot, watch};

use crate::base::{Clock, Code, Fault};
use crate::contract::Engine;
use crate::deploy::load::{Image, Loader};
use crate::deploy::options::Options;
use crate::deploy::report::{Report, ServiceInfo, State as Health, distinct};
use crate::deploy::scan::{Scan, Scanner};
use crate::deploy::settled::{Settle, Trust};
use crate::deploy::state::{Serving, State};
use crate::service::Registry;
use crate::store::{Stamp, Store};
use crate::tasks::Tasks;

/// Called after each swap, with what it changed.
pub(crate) type OnSwap = Arc<dyn Fn(&Report) + Send + Sync>;

/// What a deployer is made of.
pub(crate) struct Parts {
    /// Where things stand, and the bounds.
    pub(crate) options: Options,
    /// The languages.
    pub(crate) engines: Vec<Arc<dyn Engine>>,
    /// The records.
    pub(crate) store: Store,
    /// What serves.
    pub(crate) registry: Arc<Registry>,
    /// The time of day.
    pub(crate) clock: Arc<dyn Clock>,
    /// Where work runs that must end once it has begun.
    pub(crate) tasks: Tasks,
    /// Called after each swap.
    pub(crate) on_swap: OnSwap,
}

/// Loads, checks, swaps and records the sources of one project.
pub(crate) struct Deployer {
    pub(in crate::deploy) options: Options,
    pub(in crate::deploy) loader: Loader,
    pub(in crate::deploy) store: Store,
    pub(in crate::deploy) registry: Arc<Registry>,
    pub(in crate::deploy) tasks: Tasks,
    pub(in crate::deploy) on_swap: OnSwap,
    clock: Arc<dyn Clock>,
    // Held for one scan, on a thread that may block.
    scanner: Arc<Mutex<Scanner>>,
    /// What events told of files; short sections.
    pub(in crate::deploy) settle: Arc<Mutex<Settle>>,
    /// Changes happen one after the other: whoever changes something holds this to the end.
    pub(in crate::deploy) state: tokio::sync::Mutex<State>,
    /// What readers see; replaced after each change.
    pub(in crate::deploy) view: ArcSwap<View>,
    generation: watch::Sender<u64>,
}

/// What readers see between two changes.
#[derive(Default)]
pub(in crate::deploy) struct View {
    pub(in crate::deploy) services: Vec<ServiceInfo>,
    pub(in crate::deploy) faults: Vec<Fault>,
    pub(in crate::deploy) image: Image,
}

impl Deployer {
    /// Makes a deployer. Nothing serves before `start_up`.
    pub(crate) fn new(mut parts: Parts) -> Arc<Self> {
        // Events name real paths, so all paths are real from here on.
        if let Ok(real) = parts.options.project.canonicalize() {
            parts.options.project = real;
        }
        let loader = Loader::new(parts.engines, parts.options.embedded);
        let scanner = Scanner::new(parts.options.clone(), loader.endings());
        Arc::new(Self {
            options: parts.options,
            loader,
            store: parts.store,
            registry: parts.registry,
            tasks: parts.tasks,
            on_swap: parts.on_swap,
            clock: parts.clock,
            scanner: Arc::new(Mutex::new(scanner)),
            settle: Arc::default(),
            state: tokio::sync::Mutex::default(),
            view: ArcSwap::default(),
            generation: watch::Sender::new(0),
        })
    }

    /// Returns a counter that grows after each change that was tried, whatever became of it.
    pub(crate) fn changes(&self) -> watch::Receiver<u64> {
        self.generation.subscribe()
    }

    /// Runs work to its end even when the caller goes away meanwhile.
    pub(in crate::deploy) async fn to_its_end<T: Send + 'static>(
        &self,
        work: impl Future<Output = Result<T, Fault>> + Send + 'static,
    ) -> Result<T, Fault> {
        let (tx, rx) = oneshot::channel();
        self.tasks.spawn("deploy", async move {
            // The caller may have gone; the work is done all the same.
            drop(tx.send(work.await));
        });
        rx.await
            .map_err(|_dropped| Fault::new(Code::ServiceGone, "the server is stopping"))?
    }

    /// Reads all sources on a thread that may block.
    pub(in crate::deploy) async fn scan(&self, trust: Trust) -> Result<Scan, Fault> {
        let scanner = Arc::clone(&self.scanner);
        let settle = Arc::clone(&self.settle);
        let patience = self.options.limits.rescan * 30;
        blocking(move || {
            let mut scanner = scanner.lock().unwrap_or_else(PoisonError::into_inner);
            // The watcher must not wait for the scan: it adds to a fresh one meanwhile.
            let settle = settle
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .take(patience);
            scanner.scan(trust, &settle)
        })
        .await?
    }

    /// Tells the scanner that files were written whole, or removed for good.
    pub(in crate::deploy) fn note_closed(&self, paths: Vec<std::path::PathBuf>) {
        let (there, gone): (Vec<_>, Vec<_>) = paths.into_iter().partition(|path| path.exists());
        let mut settle = self.settle.lock().unwrap_or_else(PoisonError::into_inner);
        settle.closed.extend(there);
        // No editor is about to bring these back: the next look must not keep them for a while.
        settle.renamed.extend(gone);
    }

    /// Returns the time of day.
    pub(in crate::deploy) fn now(&self) -> chrono::DateTime<chrono::Utc> {
        self.clock.now()
    }

    /// Returns the stamp of a change made now.
    pub(in crate::deploy) fn stamp(&self, way: &str, author: &str) -> Stamp {
        let now = self.now();
        Stamp {
            at: now.to_rfc3339_opts(chrono::SecondsFormat::Millis, true),
            author: author.to_owned(),
            origin: way.to_owned(),
        }
    }

    /// Shows readers what stands now, and tells those who wait for a change.
    pub(in crate::deploy) fn publish(&self, state: &State) {
        let mut faults = state.list.clone();
        faults.extend(state.trouble.clone());
        faults.extend(state.problems.values().flatten().cloned());
        faults.extend(state.refused.values().flatten().cloned());
        let services = state.serving.values().map(|serving| info(state, serving));
        self.view.store(Arc::new(View {
            services: services.collect(),
            faults: distinct(faults),
            image: state.image.clone(),
        }));
        self.tell();
    }

    /// Tells those who wait for a change.
    pub(in crate::deploy) fn tell(&self) {
        self.generation.send_modify(|generation| *generation += 1);
    }
}

/// Runs a function on a thread that may block.
pub(in crate::deploy) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, Fault> {
    tokio::task::spawn_blocking(work).await.map_err(|error| {
        Fault::new(Code::Internal, "work on the sources failed").detail(error.to_string())
    })
}

fn info(state: &State, serving: &Serving) -> ServiceInfo {
    let entry = &serving.entry;
    let declaration = entry.service.declaration();
    let own = std::iter::once(&entry.path).chain(&serving.uses);
    let wrong = |path| {
        let on_disk = state.problems.get(path).into_iter();
        on_disk.chain(state.refused.get(path)).flatten().cloned()
    };
    let faults = distinct(own.flat_map(wrong));
    ServiceInfo {
        name: declaration.name.clone(),
        revision: entry.revision,
        language: declaration.language,
        state: if faults.is_empty() {
            Health::Ok
        } else {
            Health::Degraded
        },
        faults,
        path: entry.path.clone(),
        uses: serving.uses.clone(),
        package: serving.package,
    }
}
