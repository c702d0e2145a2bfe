//! What all tests of a project share: its services, objects, settings and limits, as `dev` would have them.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::base::{Faults, SystemClock};
use crate::config::interpolate::{Variables, resolve};
use crate::config::{Environment, Project as Directory, ServerConfig, UserSettings};
use crate::contract::{Engine, Limits, SourceSet, StoredObject};
use crate::deploy::{Examined, Options, examine};
use crate::enmasse::{self, Against, Files, Wanted};
use crate::kinds::{FORMATS, KINDS};
use crate::runtime::{Builder, Runtime};
use crate::service::Registry;
use crate::telemetry::Recorder;

/// A project that is ready to be tested.
pub(super) struct Project {
    /// Where it stands.
    pub(super) directory: Directory,
    /// Its sources.
    pub(super) set: Arc<SourceSet>,
    /// Its services.
    pub(super) registry: Arc<Registry>,
    /// Its objects.
    pub(super) runtime: Arc<Runtime>,
    /// The scripts' own settings.
    pub(super) settings: Arc<UserSettings>,
    /// The bounds of every call.
    pub(super) limits: Limits,
    /// What scripts log.
    pub(super) recorder: Recorder,
}

impl Project {
    /// Loads everything, or returns every problem of it.
    pub(super) async fn load(
        directory: Directory,
        engines: Vec<Arc<dyn Engine>>,
    ) -> Result<Self, Faults> {
        let environment = Environment::of_process();
        let limits = ServerConfig::load(&directory, &environment)?.call_limits();
        let options = Options::new(directory.root());
        let Examined {
            set,
            entries,
            faults,
            ..
        } = examine(options, engines).await?;
        Faults(faults).into_result()?;
        let registry = Arc::new(Registry::default());
        registry.swap(entries);
        let files = Files::read(directory.root(), Some("dev"))?;
        let variables: Arc<dyn Variables> = Arc::new(StandIns::new(&files, environment));
        let wanted = wanted(&files, &*variables)?;
        let runtime = Arc::new(objects(&directory, variables, &registry, wanted));
        let settings = Arc::new(UserSettings::default());
        settings.reload(&directory.config().join("user"))?;
        Ok(Self {
            directory,
            set,
            registry,
            runtime,
            settings,
            limits,
            recorder: Recorder::install(),
        })
    }
}

/// Reads the objects of a project's files.
pub(crate) fn wanted(
    files: &Files,
    variables: &dyn Variables,
) -> Result<Vec<StoredObject>, Faults> {
    let against = Against {
        kinds: KINDS,
        variables,
        stored: &[],
    };
    let (wanted, _warnings) = enmasse::load(files, &against)?;
    Ok(wanted.objects.into_iter().map(stored).collect())
}

/// Makes objects live without a server. None of them touches the network before it is called, and what could not be
/// built says so then.
pub(crate) fn objects(
    directory: &Directory,
    variables: Arc<dyn Variables>,
    registry: &Arc<Registry>,
    wanted: Vec<StoredObject>,
) -> Runtime {
    let runtime = Runtime::new(Builder {
        kinds: KINDS,
        formats: FORMATS,
        registry: Arc::clone(registry),
        clock: Arc::new(SystemClock),
        project: directory.root().to_owned(),
        resolve: Box::new(move |kind, stored| {
            let resolved = resolve(&stored.body, &kind.schema(), &*variables)?;
            Ok(resolved.body)
        }),
        publish: Box::new(|_routes| Vec::new()),
    });
    drop(runtime.reconcile(wanted));
    runtime
}

fn stored(wanted: Wanted) -> StoredObject {
    StoredObject {
        id: wanted.id,
        version: 1,
        rev: 1,
        enabled: wanted.enabled,
        body: wanted.body,
        source: wanted.source,
    }
}

/// What fills the `${…}` of objects: their defaults. A test must not depend on where it runs, so the environment counts
/// only where there is no default, and what it does not have gets a stand-in.
struct StandIns {
    environment: Environment,
    /// The variables without a default.
    bare: BTreeSet<String>,
}

/// Stands for what nobody set: most of what must be set are addresses.
const STAND_IN: &str = "http://test.invalid";

impl StandIns {
    fn new(files: &Files, environment: Environment) -> Self {
        let texts = files.base.iter().chain(&files.overlays);
        let names = texts.flat_map(|source| {
            let after = source.text.split("${env.").skip(1);
            after.filter_map(|rest| rest.split_once('}').map(|(name, _)| name.to_owned()))
        });
        Self {
            environment,
            bare: names.filter(|name| !name.contains(':')).collect(),
        }
    }
}

impl Variables for StandIns {
    fn env(&self, name: &str) -> Option<String> {
        let bare = self.bare.contains(name);
        let set = self.environment.get(name).map(str::to_owned);
        bare.then(|| set.unwrap_or_else(|| STAND_IN.to_owned()))
    }

    fn secret(&self, _: &str) -> Option<String> {
        Some("stand-in".to_owned())
    }

    fn dev(&self, _: &str) -> Option<String> {
        Some(STAND_IN.to_owned())
    }
}
