//! A project in a directory of its own, with its store and deployer.

use std::fs;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use super::mini::Mini;
use crate::base::{Fault, ServiceName, SystemClock};
use crate::contract::{Engine, Services as _};
use crate::deploy::options::Limits;
use crate::deploy::report::{Line, Outcome, Report};
use crate::deploy::{Deployer, Options, Origin, Parts, Which};
use crate::service::Registry;
use crate::store::Store;
use crate::tasks::Tasks;

pub(super) struct Project {
    pub(super) dir: PathBuf,
    pub(super) deployer: Arc<Deployer>,
    pub(super) registry: Arc<Registry>,
    pub(super) store: Store,
    pub(super) mini: Arc<Mini>,
    pub(super) tasks: Tasks,
    /// The reports of all swaps.
    pub(super) swaps: Arc<Mutex<Vec<Report>>>,
    options: Options,
}

pub(super) const EMBEDDED: &[(&str, &str)] = &[
    ("stdlib/greeting.mini", "text shipped"),
    ("stdlib/deep/er.mini", "text deeper"),
];

impl Project {
    pub(super) async fn new(files: &[(&str, &str)]) -> Self {
        Self::with(files, |_| {}).await
    }

    pub(super) async fn with(files: &[(&str, &str)], tune: impl FnOnce(&mut Options)) -> Self {
        let dir = std::env::temp_dir().join(format!("kladka-deploy-{}", uuid::Uuid::now_v7()));
        for part in ["scripts", "pickup-dir", "config", "data"] {
            fs::create_dir_all(dir.join(part)).unwrap();
        }
        for (path, text) in files {
            write(&dir, path, text);
        }
        let mut options = Options::new(&dir);
        options.embedded = EMBEDDED;
        options.limits.stable = Duration::from_millis(60);
        tune(&mut options);
        Self::open(dir, options).await.unwrap()
    }

    async fn open(dir: PathBuf, options: Options) -> Result<Self, Fault> {
        let store = Store::open(&dir.join("data/kladka.db")).await.unwrap();
        let (registry, mini, tasks) = (Arc::default(), Arc::default(), Tasks::default());
        let swaps: Arc<Mutex<Vec<Report>>> = Arc::default();
        let noted = Arc::clone(&swaps);
        let deployer = Deployer::new(Parts {
            options: options.clone(),
            engines: vec![Arc::clone(&mini) as Arc<dyn Engine>],
            store: store.clone(),
            registry: Arc::clone(&registry),
            clock: Arc::new(SystemClock),
            tasks: tasks.clone(),
            on_swap: Arc::new(move |report| noted.lock().unwrap().push(report.clone())),
        });
        deployer.start_up().await?;
        Ok(Self {
            dir,
            deployer,
            registry,
            store,
            mini,
            tasks,
            swaps,
            options,
        })
    }

    /// Starts another server on the same directory and store.
    pub(super) async fn reopened(&self) -> Result<Self, Fault> {
        Self::open(self.dir.clone(), self.options.clone()).await
    }

    /// Stops and starts again, on the same directory and store.
    pub(super) async fn restart(self) -> Self {
        self.tasks.shutdown(Duration::from_secs(5)).await;
        self.store.close().await;
        Self::open(self.dir, self.options).await.unwrap()
    }

    pub(super) async fn end(self) {
        self.tasks.shutdown(Duration::from_secs(5)).await;
        self.store.close().await;
        fs::remove_dir_all(&self.dir).unwrap();
    }

    pub(super) fn write(&self, path: &str, text: &str) {
        write(&self.dir, path, text);
    }

    pub(super) fn remove(&self, path: &str) {
        fs::remove_file(self.dir.join(path)).unwrap();
    }

    pub(super) fn text(&self, path: &str) -> Option<String> {
        fs::read_to_string(self.dir.join(path)).ok()
    }

    pub(super) async fn reload(&self) -> Report {
        let origin = Origin::way("cli");
        self.deployer.reload(Which::All, origin).await.unwrap()
    }

    pub(super) async fn deploy(&self, items: &[(&str, &[u8])]) -> Report {
        self.try_deploy(items).await.unwrap()
    }

    pub(super) async fn try_deploy(&self, items: &[(&str, &[u8])]) -> Result<Report, Fault> {
        let items = items.iter();
        let items = items.map(|(name, bytes)| ((*name).to_owned(), bytes.to_vec()));
        let items = items.collect();
        self.deployer.deploy(items, Origin::way("api")).await
    }

    /// What a service says now, with its revision: `r2 hello`.
    pub(super) fn says(&self, name: &str) -> String {
        let entry = self.registry.load().find(name);
        entry.map_or("gone".to_owned(), |entry| {
            format!("r{} {}", entry.revision, entry.service.declaration().doc)
        })
    }

    /// Which texts an engine was given, of a path.
    pub(super) fn loads(&self, path: &str) -> Vec<String> {
        let seen = self.mini.seen.lock().unwrap();
        let of_path = seen.iter().filter(|(seen, _)| seen == path);
        of_path.map(|(_, text)| text.clone()).collect()
    }

    pub(super) fn problems(&self) -> Vec<String> {
        messages(&self.deployer.status())
    }

    pub(super) fn swaps(&self) -> usize {
        self.swaps.lock().unwrap().len()
    }

    pub(super) fn watch(&self) {
        self.deployer.watch(&self.tasks);
    }

    /// Waits until a condition holds; looks again after each change that was tried.
    pub(super) async fn until(&self, what: &str, holds: impl Fn(&Self) -> bool) {
        let mut changes = self.deployer.changes();
        let waiting = async {
            while !holds(self) {
                changes.changed().await.unwrap();
            }
        };
        let patience = Duration::from_secs(20);
        assert!(
            tokio::time::timeout(patience, waiting).await.is_ok(),
            "{what}; problems: {:?}",
            self.problems()
        );
    }
}

fn write(dir: &std::path::Path, path: &str, text: &str) {
    let path = dir.join(path);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, text).unwrap();
}

pub(super) fn messages(faults: &[Fault]) -> Vec<String> {
    let place = |fault: &Fault| fault.place().map_or("-".to_owned(), ToString::to_string);
    let shown = |fault: &Fault| format!("{} {} {}", fault.code(), place(fault), fault.message());
    faults.iter().map(shown).collect()
}

/// The lines of a report: `a r1→r2 Ok`.
pub(super) fn lines(report: &Report) -> Vec<String> {
    let revision = |revision: Option<u32>| revision.map_or("-".to_owned(), |r| format!("r{r}"));
    let line = |line: &Line| {
        let (old, new) = (revision(line.old), revision(line.new));
        format!("{} {old}→{new} {:?}", line.name, line.outcome)
    };
    report.services.iter().map(line).collect()
}

pub(super) fn name(text: &str) -> ServiceName {
    ServiceName::new(text).unwrap()
}

/// Shortens limits that tests reach.
pub(super) fn small() -> Limits {
    Limits {
        backups: 3,
        revisions: 3,
        packages: 3,
        ..Limits::default()
    }
}

pub(super) fn outcomes(report: &Report) -> Vec<Outcome> {
    report.services.iter().map(|line| line.outcome).collect()
}
