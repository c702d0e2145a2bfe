//! Brings what serves in line with what stands on disk: the whole change or nothing of it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::base::{Code, Fault, Place, ServiceName};
use crate::deploy::apply::Change;
use crate::deploy::deployer::Deployer;
use crate::deploy::load::{Image, Prepared, Problems};
use crate::deploy::report::{Origin, Report, Which, distinct};
use crate::deploy::scan::Scan;
use crate::deploy::settled::Trust;
use crate::deploy::sources::print;
use crate::deploy::state::{Attempt, State};
use crate::service;

impl Deployer {
    /// Loads what changed on disk. Nothing serves anew when one file of the change is not good.
    pub(crate) async fn reload(
        self: &Arc<Self>,
        which: Which,
        origin: Origin,
    ) -> Result<Report, Fault> {
        let deployer = Arc::clone(self);
        self.to_its_end(async move {
            let mut state = deployer.state.lock().await;
            let scan = deployer.look(&mut state, Trust::Asked).await?;
            // Whoever asks has seen what became of the last deployment.
            state.refused.clear();
            deployer.reconcile(&mut state, &scan, &which, &origin).await
        })
        .await
    }

    /// Loads what was saved. Returns whether to look again soon, and the listed places to watch.
    pub(in crate::deploy) async fn saved(
        self: &Arc<Self>,
    ) -> Result<(bool, Vec<std::path::PathBuf>), Fault> {
        let deployer = Arc::clone(self);
        self.to_its_end(async move {
            let mut state = deployer.state.lock().await;
            let scan = deployer.look(&mut state, Trust::Settled).await?;
            // What failed once fails again: wait until somebody touches it. Own writes end here as
            // well.
            if prints(&scan) != state.tried {
                let origin = Origin::way("file");
                deployer
                    .reconcile(&mut state, &scan, &Which::All, &origin)
                    .await?;
            }
            Ok((scan.unsettled, scan.places))
        })
        .await
    }

    async fn look(&self, state: &mut State, trust: Trust) -> Result<Scan, Fault> {
        let scanned = self.scan(trust).await;
        let list = match &scanned {
            Ok(scan) => scan.list.clone(),
            Err(fault) => vec![fault.clone()],
        };
        if texts(&list) != texts(&state.list) {
            log_faults(&list);
            state.list = list;
            self.publish(state);
        }
        let mut scan = scanned?;
        without_empty_files(&mut scan, &state.image);
        Ok(scan)
    }

    async fn reconcile(
        &self,
        state: &mut State,
        scan: &Scan,
        which: &Which,
        origin: &Origin,
    ) -> Result<Report, Fault> {
        let now = prints(scan);
        let pending = differing(&prints_of(&state.image), &now);
        let selection = state.selection(which, &pending, scan);
        let attempt = Attempt {
            scan,
            edited: &differing(&state.tried, &now) & &selection,
            selection,
            pending,
            origin,
        };
        let before = state.problems.clone();
        let done = self.attempt(state, &attempt).await;
        state.trouble = done.as_ref().err().cloned();
        if done.is_err() {
            self.publish(state);
        }
        let mut report = done?;
        state.tried(&attempt, now);
        state.complete(&mut report, which);
        name_the_unknown(state, which, &mut report);
        Self::log_problems(state, &before);
        self.publish(state);
        Ok(report)
    }

    /// Tries the whole selection. When older broken files spoil it, what was edited since is a
    /// change of its own, together with the files that it failed with before.
    async fn attempt(&self, state: &mut State, attempt: &Attempt<'_>) -> Result<Report, Fault> {
        let selection = &attempt.selection;
        if selection.is_empty() {
            state.settled(&attempt.pending, &BTreeSet::new());
            return Ok(state.unchanged());
        }
        let whole = self.prepare(state, attempt, selection).await;
        if whole.problems.is_empty() {
            let done = &whole.fresh | selection;
            let report = self.swap_in(state, whole, attempt.origin).await?;
            state.settled(&(&attempt.pending - selection), &done);
            return Ok(report);
        }
        let unit = state.unit(attempt);
        if !unit.is_empty() && unit != *selection {
            let alone = self.prepare(state, attempt, &unit).await;
            if alone.problems.is_empty() {
                let report = self.swap_in(state, alone, attempt.origin).await?;
                state.fail(attempt, whole.problems);
                state.settled(&(&attempt.pending - &unit), &unit);
                return Ok(report);
            }
        }
        let faults = whole.problems.values().flatten().cloned().collect();
        state.fail(attempt, whole.problems);
        state.units.retain(|older| older.is_disjoint(&unit));
        state.units.push(unit);
        state.units.retain(|unit| !unit.is_empty());
        Ok(Report {
            applied: false,
            faults,
            ..state.unchanged()
        })
    }

    /// Loads the selected files as they stand on disk, and all others as they serve.
    async fn prepare(
        &self,
        state: &State,
        attempt: &Attempt<'_>,
        paths: &BTreeSet<String>,
    ) -> Prepared {
        let scan = attempt.scan;
        let mut files = state.image.set.by_path.clone();
        let mut broken = Problems::new();
        for path in paths {
            match (scan.files.get(path), scan.broken.get(path)) {
                (Some(source), _) => drop(files.insert(path.clone(), Arc::clone(source))),
                (None, Some(fault)) => drop(broken.insert(path.clone(), vec![fault.clone()])),
                (None, None) => drop(files.remove(path)),
            }
        }
        let owners = state.owners();
        let mut prepared = self.loader.prepare(&state.image, files, &owners).await;
        prepared.problems.extend(broken);
        prepared
    }

    async fn swap_in(
        &self,
        state: &mut State,
        prepared: Prepared,
        origin: &Origin,
    ) -> Result<Report, Fault> {
        let change = Change {
            stamp: self.stamp(&origin.way, &origin.author),
            ..Change::default()
        };
        self.apply(state, prepared, change).await
    }

    /// Logs one block for each fault that is new.
    pub(in crate::deploy) fn log_problems(state: &State, before: &Problems) {
        let known: BTreeSet<String> = before.values().flat_map(|faults| texts(faults)).collect();
        let now = state.problems.values().flatten();
        let new: Vec<Fault> = now
            .filter(|fault| !known.contains(&fault.block()))
            .cloned()
            .collect();
        log_faults(&new);
    }
}

/// Logs one block for each fault.
pub(in crate::deploy) fn log_faults(faults: &[Fault]) {
    for fault in distinct(faults.iter().cloned()) {
        let (code, diagnostic) = (fault.code_text(), fault.block());
        let detail = fault.detail_text();
        tracing::error!(code, detail, diagnostic, "Script could not be loaded.");
    }
}

fn texts(faults: &[Fault]) -> Vec<String> {
    faults.iter().map(Fault::block).collect()
}

/// Takes new empty files for none yet, and emptied ones for broken: an interrupted save must not
/// remove services.
pub(in crate::deploy) fn without_empty_files(scan: &mut Scan, image: &Image) {
    let empty = |(path, source): (&String, &Arc<crate::contract::Source>)| {
        source.text.is_empty().then(|| path.clone())
    };
    let empty: Vec<String> = scan.files.iter().filter_map(empty).collect();
    for path in empty {
        scan.files.remove(&path);
        if image.set.by_path.contains_key(&path) {
            let fault = Fault::new(Code::BadSource, format!("source '{path}' is empty"))
                .at(Place::new(path.as_str(), 0, 0))
                .hint("Delete the file if its services shall go.");
            scan.broken.insert(path, fault);
        }
    }
}

/// Returns the digests of the files of a scan; a broken one counts by what is wrong with it.
pub(in crate::deploy) fn prints(scan: &Scan) -> BTreeMap<String, String> {
    let good = scan.files.iter();
    let good = good.map(|(path, source)| (path.clone(), print(source)));
    let broken = scan.broken.iter();
    good.chain(broken.map(|(path, fault)| (path.clone(), fault.block())))
        .collect()
}

fn prints_of(image: &Image) -> BTreeMap<String, String> {
    let files = image.set.by_path.iter();
    files
        .map(|(path, source)| (path.clone(), print(source)))
        .collect()
}

fn differing(one: &BTreeMap<String, String>, other: &BTreeMap<String, String>) -> BTreeSet<String> {
    let paths = one.keys().chain(other.keys());
    paths
        .filter(|path| one.get(*path) != other.get(*path))
        .cloned()
        .collect()
}

fn name_the_unknown(state: &State, which: &Which, report: &mut Report) {
    let Which::Names(names) = which else {
        return;
    };
    for name in names
        .iter()
        .filter(|name| !state.serving.contains_key(*name))
    {
        report.faults.push(unknown(state, name));
    }
}

/// Makes the fault of a name that no file defines.
pub(in crate::deploy) fn unknown(state: &State, name: &ServiceName) -> Fault {
    service::unknown(name.as_str(), state.serving.keys())
}
