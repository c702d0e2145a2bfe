//! What one test stands on: an empty store, a clock that stands, mocks, a log, and what it checked so far.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::rc::Rc;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};
use serde_json::Value as Json;

use crate::base::{Caller, Cid, Clock, Code, Fault, Millis, Text, Value};
use crate::config::UserSettings;
use crate::contract::{
    Call, Connections, Core, CoreLocal, Ctx, KeyValue, Limits, Ports, Request, Settings,
};
use crate::gateway::Gateway;
use crate::script::host::chance::Chance;
use crate::service::Registry;
use crate::sio;
use crate::telemetry::{Logged, Recorder};
use crate::testing::keys::Keys;
use crate::testing::mocks::Mocks;
use crate::testing::paste::Written;
use crate::testing::project::Project;

/// When it is in a test that does not say.
const NOW: &str = "2026-01-01T00:00:00Z";
/// The correlation id of every message of a test.
const CID: &str = "test";
/// How long a test may take.
const PATIENCE: Duration = Duration::from_secs(30);

/// The world of one test.
pub(super) struct Scene {
    /// The key/value store.
    pub(super) keys: Arc<Keys>,
    /// The clock.
    pub(super) clock: Arc<FrozenClock>,
    /// What stands in the place of peers.
    pub(super) mocks: Mocks,
    /// Where fixtures stand.
    pub(super) fixtures: PathBuf,
    ports: Arc<Ports>,
    registry: Arc<Registry>,
    limits: Limits,
    recorder: Recorder,
    checks: Cell<usize>,
    /// Checks that failed, also where the script caught it.
    failures: RefCell<Vec<Fault>>,
}

/// The scene of a core, for the functions that its tests call.
#[derive(Default)]
struct Current(RefCell<Option<Rc<Scene>>>);

impl CoreLocal for Current {}

impl Scene {
    /// Makes the scene of one test.
    pub(super) fn new(project: &Project, written: Written) -> Rc<Self> {
        Self::with_settings(project, written, BTreeMap::new())
    }

    /// Makes a scene in which some of the scripts' settings are others.
    pub(super) fn with_settings(
        project: &Project,
        written: Written,
        settings: BTreeMap<String, BTreeMap<String, Json>>,
    ) -> Rc<Self> {
        let clock = Arc::new(FrozenClock::default());
        let keys = Arc::new(Keys::new(Arc::clone(&clock) as Arc<dyn Clock>));
        let mocks = Mocks::new(Arc::clone(&project.runtime), written);
        let ports = Ports {
            kvdb: Arc::clone(&keys) as Arc<dyn KeyValue>,
            connections: Arc::new(mocks.clone()) as Arc<dyn Connections>,
            settings: Arc::new(Layered {
                base: Arc::clone(&project.settings),
                over: settings,
            }),
            clock: Arc::clone(&clock) as Arc<dyn Clock>,
        };
        project.recorder.clear();
        Rc::new(Self {
            keys,
            clock,
            mocks,
            fixtures: project.directory.root().join("tests/fixtures"),
            ports: Arc::new(ports),
            registry: Arc::clone(&project.registry),
            limits: project.limits,
            recorder: project.recorder.clone(),
            checks: Cell::new(0),
            failures: RefCell::default(),
        })
    }

    /// Makes a core on which the test runs. Nothing is left on it of another test.
    pub(super) fn core(self: &Rc<Self>) -> Rc<Core> {
        let core = Rc::new(Core::new(0));
        core.local::<Chance>().fix();
        drop(core.local::<Current>().0.replace(Some(Rc::clone(self))));
        core
    }

    /// Returns the context of a call from outside.
    pub(super) fn ctx(&self) -> Ctx {
        Ctx {
            cid: cid(),
            caller: Arc::new(Caller::default()),
            channel: None,
            job: None,
            request: Arc::new(Request::default()),
            deadline: Instant::now() + PATIENCE,
            depth: 0,
            limits: self.limits,
            ports: Arc::clone(&self.ports),
            services: self.registry.load(),
        }
    }

    /// Returns what messages of a channel go through.
    pub(super) fn gateway(&self) -> Gateway {
        Gateway {
            registry: Arc::clone(&self.registry),
            ports: Arc::clone(&self.ports),
            limits: self.limits,
            open: false,
            stories: None,
        }
    }

    /// Returns what scripts logged.
    pub(super) fn logged(&self) -> Vec<Logged> {
        self.recorder.lines(CID)
    }

    /// Checks that a line was logged; a text between slashes is a regular expression.
    pub(super) fn check_logged(&self, level: Option<&str>, wanted: &str) -> Result<(), Fault> {
        let pattern = wanted
            .strip_prefix('/')
            .and_then(|rest| rest.strip_suffix('/'));
        let pattern = pattern
            .map(regex::Regex::new)
            .transpose()
            .map_err(|error| {
                Fault::new(
                    Code::ScriptArgument,
                    format!("{wanted} is no pattern: {error}"),
                )
            })?;
        let lines = self.logged();
        let fits = |line: &&Logged| {
            let level = level.is_none_or(|level| line.level == level);
            level
                && pattern
                    .as_ref()
                    .map_or(line.text == wanted, |it| it.is_match(&line.text))
        };
        if lines.iter().any(|line| fits(&line)) {
            return Ok(());
        }
        let level = level.map_or(String::new(), |level| format!(" at level {level}"));
        let fault = Fault::new(Code::TestFailed, format!("not logged{level}: {wanted}"));
        if lines.is_empty() {
            return Err(fault.hint("Nothing was logged."));
        }
        let lines = lines
            .iter()
            .map(|line| format!("{:5} {}", line.level, line.text));
        let lines: Vec<String> = lines.collect();
        Err(fault.detail(format!("logged was\n{}", lines.join("\n"))))
    }

    /// Counts a check and keeps its failure.
    pub(super) fn note(&self, result: Result<(), Fault>) -> Result<(), Fault> {
        self.checks.set(self.checks.get() + 1);
        if let Err(fault) = &result {
            self.failures.borrow_mut().push(fault.clone());
        }
        result
    }

    /// Returns how much was checked.
    pub(super) fn checks(&self) -> usize {
        self.checks.get()
    }

    /// Returns everything that went wrong beside how the test ended: checks whose failure a script caught, and calls
    /// that were not mocked.
    pub(super) fn hidden(&self) -> Vec<Fault> {
        let mut found = self.failures.borrow().clone();
        found.extend(self.mocks.unmocked());
        found
    }
}

/// Returns the scene of a test's call.
pub(super) fn of(call: &Call) -> Result<Rc<Scene>, Fault> {
    let scene = call.core.local::<Current>().0.borrow().clone();
    scene.ok_or_else(|| Fault::new(Code::Internal, "there is no test here"))
}

/// Returns the correlation id of every message of a test.
pub(super) fn cid() -> Cid {
    Cid::accept(CID).unwrap_or_else(Cid::fresh)
}

/// A clock that moves only when it is told to.
pub(super) struct FrozenClock(Mutex<DateTime<Utc>>);

impl Default for FrozenClock {
    fn default() -> Self {
        Self(Mutex::new(moment(NOW).unwrap_or_default()))
    }
}

impl Clock for FrozenClock {
    fn now(&self) -> DateTime<Utc> {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl FrozenClock {
    /// Sets it to a date or a moment.
    pub(super) fn set(&self, text: &str) -> Result<(), Fault> {
        let moment = moment(text).ok_or_else(|| {
            Fault::new(Code::ScriptArgument, format!("'{text}' is not a moment"))
                .hint("Write a date such as 2013-09-03, or a moment such as 2013-09-03T10:00:00Z.")
        })?;
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = moment;
        Ok(())
    }

    /// Moves it on by a duration such as `1h`.
    pub(super) fn advance(&self, by: &str) -> Result<(), Fault> {
        let millis = Millis::parse(by).and_then(|by| i64::try_from(by.0).ok());
        let millis = millis.ok_or_else(|| {
            Fault::new(Code::ScriptArgument, format!("'{by}' is not a duration"))
                .hint("Write 250ms, 30s, 5m, 1h or 2d.")
        })?;
        let mut now = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        *now += chrono::Duration::milliseconds(millis);
        Ok(())
    }
}

fn moment(text: &str) -> Option<DateTime<Utc>> {
    let date = || {
        sio::date_of(text)?
            .and_hms_opt(0, 0, 0)
            .map(|at| at.and_utc())
    };
    sio::datetime_of(text)
        .map(|moment| moment.with_timezone(&Utc))
        .or_else(date)
}

/// The scripts' settings with some of them replaced.
struct Layered {
    base: Arc<UserSettings>,
    over: BTreeMap<String, BTreeMap<String, Json>>,
}

impl Settings for Layered {
    fn file(&self, name: &str) -> Option<Value> {
        let base = self.base.file(name);
        let Some(over) = self.over.get(name) else {
            return base;
        };
        let mut map = base
            .and_then(|base| base.as_map().cloned())
            .unwrap_or_default();
        for (name, value) in over {
            map.set(Text::new(name), Value::from(value));
        }
        Some(Value::Map(map))
    }
}
