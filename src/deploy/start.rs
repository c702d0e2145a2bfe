//! Start-up: every file for itself. A broken one keeps no other from serving; where a text of it
//! that served is on record, that one serves instead.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::base::Fault;
use crate::deploy::apply::Change;
use crate::deploy::deployer::{Deployer, blocking};
use crate::deploy::load::{Image, Prepared, Problems};
use crate::deploy::reconcile::{prints, without_empty_files};
use crate::deploy::report::{Report, Which};
use crate::deploy::scan::Scan;
use crate::deploy::settled::Trust;
use crate::deploy::sources::{Files, module_name, source};
use crate::deploy::state::{Known, State};
use crate::deploy::write;
use crate::store::RevisionRow;

impl Deployer {
    /// Loads all sources and makes the good ones serve. Call it once, before anything else.
    pub(crate) async fn start_up(self: &Arc<Self>) -> Result<Report, Fault> {
        let deployer = Arc::clone(self);
        self.to_its_end(async move {
            let mut state = deployer.state.lock().await;
            deployer.first_load(&mut state).await
        })
        .await
    }

    async fn first_load(&self, state: &mut State) -> Result<Report, Fault> {
        self.finish_writes().await?;
        let rows = self.store.newest_revisions().await?;
        state.known = rows.into_iter().map(known).collect();
        let mut scan = self.scan(Trust::Asked).await?;
        without_empty_files(&mut scan, &Image::default());
        state.list.clone_from(&scan.list);
        let (prepared, problems) = self.settle_for_what_loads(state, &scan).await?;
        let change = Change {
            stamp: self.stamp("start", ""),
            ..Change::default()
        };
        let mut report = self.apply(state, prepared, change).await?;
        state.units = problems
            .keys()
            .map(|path| BTreeSet::from([path.clone()]))
            .collect();
        state.problems = problems;
        state.tried = prints(&scan);
        state.complete(&mut report, &Which::All);
        Self::log_problems(state, &BTreeMap::new());
        self.publish(state);
        Ok(report)
    }

    /// Writes what a deployment had still to write when its process was killed. Nothing serves
    /// before that is done: half a deployment must not.
    async fn finish_writes(&self) -> Result<(), Fault> {
        let scripts = self.options.project.join("scripts");
        if let Err(error) = blocking(move || write::sweep(&scripts)).await? {
            tracing::warn!(%error, "Cannot remove what an interrupted deployment left.");
        }
        let writes = self.store.file_writes().await?;
        if writes.is_empty() {
            return Ok(());
        }
        let (project, count) = (self.options.project.clone(), writes.len());
        tracing::warn!(count, "Finishing a deployment that was interrupted.");
        blocking(move || write::finish(&project, writes)).await??;
        self.store.forget_file_writes().await
    }

    /// Loads all files; replaces those that do not load by texts on record, then leaves out what
    /// still does not.
    async fn settle_for_what_loads(
        &self,
        state: &State,
        scan: &Scan,
    ) -> Result<(Prepared, Problems), Fault> {
        let owners = state.owners();
        let mut problems: Problems = scan
            .broken
            .iter()
            .map(|(path, fault)| (path.clone(), vec![fault.clone()]))
            .collect();
        let mut files = scan.files.clone();
        let mut replaced = BTreeSet::new();
        let broken: Vec<String> = problems.keys().cloned().collect();
        self.replace(&broken, &mut files, &mut replaced).await?;
        let mut image = Image::default();
        let mut fresh = BTreeSet::new();
        loop {
            let mut prepared = self.loader.prepare(&image, files.clone(), &owners).await;
            fresh.append(&mut prepared.fresh);
            if prepared.problems.is_empty() {
                problems.retain(|path, _| digest(&files, path) != digest(&scan.files, path));
                prepared.fresh = fresh;
                return Ok((prepared, problems));
            }
            let failing: Vec<String> = prepared.problems.keys().cloned().collect();
            for (path, faults) in prepared.problems {
                problems.entry(path.clone()).or_insert(faults);
                prepared.image.loaded.remove(&path);
            }
            image = prepared.image;
            if !self.replace(&failing, &mut files, &mut replaced).await? {
                files.retain(|path, _| !failing.contains(path));
            }
        }
    }

    /// Replaces files by texts that served before; tells whether one was replaced.
    async fn replace(
        &self,
        paths: &[String],
        files: &mut Files,
        replaced: &mut BTreeSet<String>,
    ) -> Result<bool, Fault> {
        let mut any = false;
        for path in paths {
            if !replaced.insert(path.clone()) {
                continue;
            }
            let Some(text) = self.store.last_good_text(path).await? else {
                continue;
            };
            let module = match files.get(path) {
                Some(source) => source.module.clone(),
                None => module_name(path.split_once('/').map_or(path, |(_, below)| below)),
            };
            let old = source(path, &module, text.into_bytes(), usize::MAX)?;
            if digest(files, path) != Some(&old.sha256) {
                files.insert(path.clone(), old);
                any = true;
            }
        }
        Ok(any)
    }
}

fn digest<'a>(files: &'a Files, path: &str) -> Option<&'a String> {
    files.get(path).map(|source| &source.sha256)
}

fn known(row: RevisionRow) -> (String, Known) {
    let known = Known {
        revision: row.revision,
        digest: row.digest,
        package: row.package,
        removed: row.state == "removed",
        path: row.path,
    };
    (row.service, known)
}
