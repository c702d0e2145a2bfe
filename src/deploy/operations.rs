//! Deploys, rolls back and deletes: changes that write into `scripts/`, after the checks and with a
//! backup.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::base::{Code, Fault, ServiceName};
use crate::contract::Source;
use crate::deploy::apply::Change;
use crate::deploy::archive::Member;
use crate::deploy::backup;
use crate::deploy::deployer::{Deployer, blocking};
use crate::deploy::load::Problems;
use crate::deploy::payload::{self, Payload};
use crate::deploy::reconcile::{log_faults, unknown};
use crate::deploy::report::{Origin, Report};
use crate::deploy::sources::{module_name, print, source};
use crate::deploy::state::State;
use crate::deploy::targets::targets;
use crate::store::{NewPackage, RevisionRow};

/// What a deletion does with the other services of the same file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Siblings {
    /// They forbid it.
    Forbid,
    /// They go as well.
    GoToo,
}

impl Deployer {
    /// Deploys scripts and archives, each with its name: checks all, then writes and swaps all, or
    /// nothing.
    pub(crate) async fn deploy(
        self: &Arc<Self>,
        items: Vec<Member>,
        origin: Origin,
    ) -> Result<Report, Fault> {
        let deployer = Arc::clone(self);
        self.to_its_end(async move {
            let (endings, limits) = (deployer.loader.endings(), deployer.options.limits);
            let opened = blocking(move || payload::open(items, &endings, &limits)).await?;
            let mut state = deployer.state.lock().await;
            match opened {
                Ok(payload) => deployer.deploy_payload(&mut state, payload, &origin).await,
                Err(faults) => {
                    let problems = Problems::from([("package".to_owned(), faults)]);
                    Ok(deployer.refuse(&mut state, problems))
                }
            }
        })
        .await
    }

    async fn deploy_payload(
        &self,
        state: &mut State,
        payload: Payload,
        origin: &Origin,
    ) -> Result<Report, Fault> {
        let limit = self.options.limits.source;
        let sources = match targets(&self.loader, state, payload.files, limit).await {
            Ok(sources) => sources,
            Err(problems) => return Ok(self.refuse(state, problems)),
        };
        let files = sources
            .into_iter()
            .map(|source| (source.path.clone(), Some(source)))
            .collect();
        let name = payload.package.name.clone();
        let report = self
            .change(state, files, Some(payload.package), origin)
            .await?;
        if let Some(id) = report.package_id {
            tracing::info!("Uploaded package id:[{id}], payload_name:[{name}]");
        }
        Ok(report)
    }

    /// Writes an older text of a service over its file: `None` takes the newest one that differs.
    pub(crate) async fn rollback(
        self: &Arc<Self>,
        name: ServiceName,
        revision: Option<u32>,
        author: String,
    ) -> Result<Report, Fault> {
        let deployer = Arc::clone(self);
        self.to_its_end(async move {
            let mut state = deployer.state.lock().await;
            let rows = deployer.store.revisions(name.as_str()).await?;
            let row = wanted(&state, &name, &rows, revision)?;
            let text = deployer.store.source_text(&row.sha256).await?;
            let text = text.ok_or_else(|| no_revision(&name, row.revision))?;
            let serving = state.serving.get(&name);
            let path = serving.map_or(&row.path, |serving| &serving.entry.path);
            let below = only_in_scripts(path)?;
            let old = source(path, &module_name(below), text.into_bytes(), usize::MAX)?;
            let files = BTreeMap::from([(path.clone(), Some(old))]);
            let origin = Origin {
                way: format!("rollback to r{}", row.revision),
                author,
            };
            deployer.change(&mut state, files, None, &origin).await
        })
        .await
    }

    /// Removes the file that defines a service.
    pub(crate) async fn delete(
        self: &Arc<Self>,
        name: ServiceName,
        siblings: Siblings,
        author: String,
    ) -> Result<Report, Fault> {
        let deployer = Arc::clone(self);
        self.to_its_end(async move {
            let mut state = deployer.state.lock().await;
            let serving = state.serving.get(&name);
            let serving = serving.ok_or_else(|| unknown(&state, &name))?;
            let path = serving.entry.path.clone();
            only_in_scripts(&path)?;
            if siblings == Siblings::Forbid {
                alone_in_file(&state, &name, &path)?;
            }
            let origin = Origin {
                way: "delete".to_owned(),
                author,
            };
            let files = BTreeMap::from([(path, None)]);
            deployer.change(&mut state, files, None, &origin).await
        })
        .await
    }

    /// Changes files below `scripts/` (`None` removes one): checks, backs up, writes, swaps; or
    /// refuses.
    async fn change(
        &self,
        state: &mut State,
        files: BTreeMap<String, Option<Arc<Source>>>,
        package: Option<NewPackage>,
        origin: &Origin,
    ) -> Result<Report, Fault> {
        let mut all = state.image.set.by_path.clone();
        for (path, source) in &files {
            match source {
                Some(source) => drop(all.insert(path.clone(), Arc::clone(source))),
                None => drop(all.remove(path)),
            }
        }
        let prepared = self
            .loader
            .prepare(&state.image, all, &state.owners())
            .await;
        if !prepared.problems.is_empty() {
            return Ok(self.refuse(state, prepared.problems));
        }
        let stamp = self.stamp(&origin.way, &origin.author);
        self.back_up().await?;
        let change = Change {
            writes: files.iter().map(write).collect(),
            package,
            stamp,
        };
        let report = self.apply(state, prepared, change).await?;
        for (path, source) in files {
            state.problems.remove(&path);
            for unit in &mut state.units {
                unit.remove(&path);
            }
            match source {
                Some(source) => drop(state.tried.insert(path, print(&source))),
                None => drop(state.tried.remove(&path)),
            }
        }
        self.publish(state);
        Ok(report)
    }

    async fn back_up(&self) -> Result<(), Fault> {
        let (scripts, ring) = (self.options.scripts(), self.options.backups());
        let (keep, now) = (self.options.limits.backups, self.now());
        tracing::info!("Creating tar archive");
        blocking(move || backup::create(&scripts, &ring, keep, now))
            .await?
            .map(drop)
    }

    fn refuse(&self, state: &mut State, problems: Problems) -> Report {
        let mut report = state.unchanged();
        report.applied = false;
        state.blame(&mut report, &problems);
        report.faults = problems.values().flatten().cloned().collect();
        log_faults(&report.faults);
        state.refused = problems;
        self.publish(state);
        report
    }
}

fn write((path, source): (&String, &Option<Arc<Source>>)) -> (String, Option<Vec<u8>>) {
    let bytes = source.as_ref();
    let bytes = bytes.map(|source| source.text.clone().into_bytes());
    (path.clone(), bytes)
}

/// Returns the path below `scripts/`; other places are not ours to write.
fn only_in_scripts(path: &str) -> Result<&str, Fault> {
    path.strip_prefix("scripts/").ok_or_else(|| {
        let why = format!("'{path}' does not stand in 'scripts/'");
        Fault::new(Code::DeployFailed, why).hint("Change it where it stands.")
    })
}

fn alone_in_file(state: &State, name: &ServiceName, path: &str) -> Result<(), Fault> {
    let siblings = state.siblings(name, path);
    if siblings.is_empty() {
        return Ok(());
    }
    let shown: Vec<&str> = siblings.iter().map(ServiceName::as_str).collect();
    let why = format!("'{path}' also defines {}", shown.join(", "));
    Err(Fault::new(Code::DeployFailed, why)
        .hint("Take the service out of the file, or delete all of them by force."))
}

fn wanted<'a>(
    state: &State,
    name: &ServiceName,
    rows: &'a [RevisionRow],
    revision: Option<u32>,
) -> Result<&'a RevisionRow, Fault> {
    let Some(newest) = rows.first() else {
        return Err(unknown(state, name));
    };
    let found = match revision {
        Some(revision) => rows.iter().find(|row| row.revision == revision),
        None if newest.state == "removed" => Some(newest),
        None => rows.iter().find(|row| row.sha256 != newest.sha256),
    };
    found.ok_or_else(|| match revision {
        Some(revision) => no_revision(name, revision),
        None => Fault::new(
            Code::UnknownRevision,
            format!("service '{name}' has no earlier text on record"),
        ),
    })
}

fn no_revision(name: &ServiceName, revision: u32) -> Fault {
    Fault::new(
        Code::UnknownRevision,
        format!("service '{name}' has no revision {revision} on record"),
    )
    .hint(format!("See `kladka service history {name}`."))
}
