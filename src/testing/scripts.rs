//! Tests written in a script language: loads their files, runs each test in a call of its own.

use std::sync::Arc;
use std::time::Instant;

use crate::base::{Code, Fault, Map, Value};
use crate::contract::{Engine, Service, SourceSet};
use crate::deploy;
use crate::testing::paste::Written;
use crate::testing::project::Project;
use crate::testing::report::TestReport;
use crate::testing::scene::Scene;

/// A test of a script.
pub(super) struct ScriptTest(Arc<dyn Service>);

/// Loads a file of tests, or returns every problem of it.
pub(super) fn load(
    project: &Project,
    engine: &dyn Engine,
    path: &str,
) -> Result<Vec<ScriptTest>, Vec<Fault>> {
    let set = with_source(project, path).map_err(|fault| vec![fault])?;
    let loaded = engine.load(&set, path)?;
    if loaded.services.is_empty() {
        let message = format!("{path} holds no test");
        let hint = match engine.language().name {
            "rhai" => "Write `fn test_what_it_shows(t) { … }`.",
            _ => "Write `test(\"what it shows\", function(t) … end)`.",
        };
        return Err(vec![Fault::new(Code::TestFailed, message).hint(hint)]);
    }
    Ok(loaded.services.into_iter().map(ScriptTest).collect())
}

fn with_source(project: &Project, path: &str) -> Result<Arc<SourceSet>, Fault> {
    let read = std::fs::read(project.directory.root().join(path));
    let bytes =
        read.map_err(|error| Fault::new(Code::Storage, format!("{path} cannot be read: {error}")))?;
    deploy::with_file(&project.set, path, bytes)
}

impl ScriptTest {
    /// Returns what it shows.
    pub(super) fn name(&self) -> &str {
        &self.0.declaration().doc
    }

    /// Runs it.
    pub(super) async fn run(&self, project: &Project, written: Written) -> TestReport {
        let started = Instant::now();
        let scene = Scene::new(project, written);
        let core = scene.core();
        let input = Value::Map(Map::new());
        let declaration = self.0.declaration();
        let result = crate::service::run(&core, scene.ctx(), &*self.0, input).await;
        let mut faults: Vec<Fault> = result.err().into_iter().collect();
        let same = |one: &Fault, other: &Fault| {
            one.code() == other.code() && one.message() == other.message()
        };
        for hidden in scene.hidden() {
            if !faults.iter().any(|known| same(known, &hidden)) {
                faults.push(hidden);
            }
        }
        if faults.is_empty() && scene.checks() == 0 {
            let fault = Fault::new(Code::TestFailed, "the test checks nothing");
            let hint = "Use one of eq, ok, fails, logged and called.";
            faults.push(fault.hint(hint).at(declaration.place.clone()));
        }
        TestReport {
            name: self.name().to_owned(),
            exposure: None,
            place: Some(declaration.place.clone()),
            elapsed: started.elapsed(),
            faults,
        }
    }
}
