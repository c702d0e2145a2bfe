//! `kladka stubs`: what editors need to complete and check scripts.

use std::sync::Arc;

use serde_json::json;

use crate::base::Fault;
use crate::cli::args::Global;
use crate::cli::out::Out;
use crate::cli::{DONE, Ended, offline};
use crate::config::{Environment, Project};
use crate::deploy::{self, Options};
use crate::kinds;
use crate::server::configuration;
use crate::stubs::{self, Known};
use crate::testing;

pub(super) fn run(global: &Global, out: Out) -> Ended {
    let project = Project::open(&global.project)?;
    let known = offline(known(&project))?;
    let files = stubs::all(&known);
    let written = stubs::write(&project, &files)?;
    let paths: Vec<&str> = files.iter().map(|file| file.path.as_str()).collect();
    let document = json!({ "files": paths, "written": written.changed, "unchanged": written.same });
    out.document(&document, |_| {
        let (changed, same) = (written.changed, written.same);
        format!("{changed} files written, {same} as they were: .kladka/types/, .luarc.json, .emmyrc.json")
    });
    Ok(DONE)
}

/// Reads the project as it is on disk. What does not load is left out.
async fn known(project: &Project) -> Result<Known, Fault> {
    let options = Options::new(project.root());
    let mut known = Known {
        functions: kinds::tables().into_iter().flatten().collect(),
        tests: testing::functions().iter().collect(),
        settings: project.settings().into_iter().collect(),
        shipped: options.embedded,
        ..Known::default()
    };
    let examined = deploy::examine(options, kinds::engines()).await?;
    let services = examined.services().into_iter();
    known.services = services
        .map(|(name, declared)| (name.to_string(), Arc::clone(declared)))
        .collect();
    if let Ok((set, _)) = configuration(project, Environment::of_process(), Some("dev")) {
        for object in &set.objects {
            known.connect(&object.id.kind, object.id.name.as_str(), &object.source);
        }
    }
    Ok(known)
}
