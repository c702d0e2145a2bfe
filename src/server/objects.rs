//! How the objects of a server come to life: what resolves them, what publishes them, what reads them again.

use std::sync::{Arc, OnceLock};

use crate::admin::{Configuration, Parts, Selection, joined};
use crate::base::{Fault, Faults, ObjectName};
use crate::config::interpolate::{Variables, resolve};
use crate::config::{Project, UserSettings};
use crate::connect::http::{Router, Shared};
use crate::enmasse::refuse_demo;
use crate::gateway::Route;
use crate::runtime::{Publish, Resolve};
use crate::server::file_watch::FileWatch;
use crate::server::{Mode, editor};
use crate::tasks::Tasks;

/// Returns what fills the `${…}` of a body, and refuses the demo's credentials outside `dev`.
pub(super) fn resolver(mode: Mode, variables: Arc<dyn Variables>) -> Resolve {
    Box::new(move |kind, stored| {
        let resolved = resolve(&stored.body, &kind.schema(), &*variables)?;
        let refused = || refuse_demo(&stored.id, &resolved.body, kind);
        match (mode == Mode::Start).then(refused).flatten() {
            Some(fault) => Err(Faults::from(fault)),
            None => Ok(resolved.body),
        }
    })
}

/// Returns what makes routes reachable on the data plane.
pub(super) fn publisher(plane: Arc<OnceLock<Arc<Shared>>>) -> Publish {
    Box::new(move |routes| match plane.get() {
        Some(shared) => publish(shared, routes),
        None => Vec::new(),
    })
}

/// Puts as many routes in service as fit beside each other, in the order of their names.
fn publish(shared: &Shared, routes: Vec<Arc<Route>>) -> Vec<(ObjectName, Fault)> {
    let mut router = Router::default();
    let mut refused = Vec::new();
    for route in routes {
        let name = route.plan.name.clone();
        refused.extend(router.add(route).err().map(|fault| (name, fault)));
    }
    shared.routes.store(Arc::new(router));
    refused
}

/// Applies the files of the project. `start` refuses what `dev` only reports, since `dev` sees the next save.
pub(super) async fn apply_at_start(mode: Mode, configuration: &Configuration) -> Result<(), Fault> {
    let applied = apply(mode, configuration).await;
    match (mode, applied) {
        (_, Ok(())) => Ok(()),
        (Mode::Start, Err(faults)) => Err(joined(faults)),
        (Mode::Dev, Err(faults)) => {
            report(&faults);
            configuration.reconcile().await.map(drop)
        }
    }
}

async fn apply(mode: Mode, configuration: &Configuration) -> Result<(), Faults> {
    // In `dev` the files are the truth: what they no longer name goes.
    let selection = Selection {
        files: Vec::new(),
        prune: mode == Mode::Dev,
        expect_rev: None,
    };
    let applied = configuration.apply(&selection, mode.name()).await?;
    for warning in &applied.planned.warnings {
        tracing::warn!(
            code = warning.code_text(),
            error = warning.message(),
            "Configuration warning."
        );
    }
    let refused = applied.degraded.into_iter().map(|degraded| degraded.fault);
    let demo: Vec<Fault> = refused
        .filter(|fault| fault.code() == crate::base::Code::ConfigDemo)
        .collect();
    if demo.is_empty() {
        Ok(())
    } else {
        Err(Faults(demo))
    }
}

/// Reads `config/` again: after SIGHUP, and in `dev` after each save.
///
/// What is refused is logged; how many problems there are comes back.
pub(super) async fn reload(mode: Mode, parts: &Parts) -> usize {
    let refused = reload_settings(&parts.settings, &parts.configuration.project);
    match apply(mode, &parts.configuration).await {
        Ok(()) => refused,
        Err(faults) => {
            report(&faults);
            refused + faults.0.len()
        }
    }
}

/// Reads the scripts' own settings again. What is refused is logged; how many problems there are comes back.
pub(super) fn reload_settings(settings: &UserSettings, project: &Project) -> usize {
    match settings.reload(&project.config().join("user")) {
        Ok(()) => 0,
        Err(faults) => {
            report(&faults);
            faults.0.len()
        }
    }
}

/// Watches `config/`: the scripts' settings always, the objects in `dev`.
pub(super) fn watch(mode: Mode, parts: &Arc<Parts>, tasks: &Tasks) -> Result<(), Fault> {
    let mut changes = FileWatch::new(&parts.configuration.project.config())?;
    let (parts, soft) = (Arc::clone(parts), tasks.soft.clone());
    tasks.spawn("configuration watch", async move {
        loop {
            tokio::select! {
                () = soft.cancelled() => break,
                () = changes.next() => {}
            }
            match mode {
                Mode::Dev => {
                    reload(mode, &parts).await;
                    editor::refresh(&parts).await;
                }
                Mode::Start => {
                    reload_settings(&parts.settings, &parts.configuration.project);
                }
            }
        }
    });
    Ok(())
}

fn report(faults: &Faults) {
    for fault in &faults.0 {
        let (code, diagnostic) = (fault.code_text(), fault.block());
        tracing::error!(
            code,
            error = fault.message(),
            diagnostic,
            "Configuration not applied."
        );
    }
}
