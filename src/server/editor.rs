//! Keeps the files for editors fresh while `dev` runs.

use std::sync::Arc;

use crate::admin::Parts;
use crate::deploy::Options;
use crate::kinds;
use crate::stubs::{self, Known};
use crate::tasks::Tasks;
use crate::testing;

/// Writes the files now and after each change of the services.
pub(super) fn keep_fresh(parts: &Arc<Parts>, tasks: &Tasks) {
    let mut changes = parts.deployer.changes();
    let (parts, soft) = (Arc::clone(parts), tasks.soft.clone());
    tasks.spawn("editor files", async move {
        loop {
            refresh(&parts).await;
            tokio::select! {
                () = soft.cancelled() => break,
                changed = changes.changed() => if changed.is_err() { break },
            }
        }
    });
}

/// Writes what changed. A project that cannot be written to is served all the same.
pub(super) async fn refresh(parts: &Parts) {
    let project = parts.configuration.project.clone();
    let files = stubs::all(&known(parts));
    let writing = tokio::task::spawn_blocking(move || stubs::write(&project, &files));
    if let Ok(Err(fault)) = writing.await {
        tracing::debug!(error = fault.message(), "Files for editors not written.");
    }
}

fn known(parts: &Parts) -> Known {
    let project = &parts.configuration.project;
    let services = parts.registry.load();
    let services = services.entries().map(|entry| {
        let declared = entry.service.declaration();
        (declared.name.to_string(), Arc::clone(declared))
    });
    let mut known = Known {
        functions: kinds::tables().into_iter().flatten().collect(),
        tests: testing::functions().iter().collect(),
        services: services.collect(),
        settings: project.settings().into_iter().collect(),
        shipped: Options::new(project.root()).embedded,
        ..Known::default()
    };
    for object in parts.configuration.runtime.live().objects.values() {
        let stored = &object.stored;
        known.connect(&stored.id.kind, stored.id.name.as_str(), &stored.source);
    }
    known
}
