//! Brings what serves in line with what stands on disk: the whole change or nothing of it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::base::{Code, Fault, Place, ServiceName, closest};
use crate::deploy::apply::Change;
use crate::deploy::deployer::{Deployer, State};
use crate::deploy::load::{Image, Prepared, Problems};
use crate::deploy::report::{Line, Origin, Outcome, Report, Which};
use crate::deploy::scan::Scan;
use crate::deploy::settled::Trust;
use crate::deploy::sources::print;

/// One look at the disk, and what of it is tried.
struct Attempt<'a> {
    scan: &'a Scan,
    /// What differs from what serves.
    pending: BTreeSet<String>,
    /// What of it is tried.
    selection: BTreeSet<String>,
    /// What of that was edited since the last try.
    edited: BTreeSet<String>,
    origin: &'a Origin,
}

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
        state.complete(&mut report);
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
        state.fail(attempt, whole.problems);
        state.units.retain(|older| older.is_disjoint(&unit));
        state.units.push(unit);
        state.units.retain(|unit| !unit.is_empty());
        Ok(Report {
            applied: false,
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
    for fault in faults {
        let code = fault.code_text();
        let detail = fault.detail_text().unwrap_or_default();
        tracing::error!(code, detail, "{}", fault.block());
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

impl State {
    /// Returns which file may define a name that two define: the one that does now, or did last.
    pub(in crate::deploy) fn owners(&self) -> BTreeMap<String, String> {
        let recorded = self.known.iter().filter(|(_, known)| !known.removed);
        let recorded = recorded.map(|(name, known)| (name.clone(), known.path.clone()));
        let serving = self.serving.iter();
        let serving =
            serving.map(|(name, serving)| (name.as_str().to_owned(), serving.entry.path.clone()));
        recorded.chain(serving).collect()
    }

    /// Narrows what differs to what was asked for.
    fn selection(
        &self,
        which: &Which,
        pending: &BTreeSet<String>,
        scan: &Scan,
    ) -> BTreeSet<String> {
        let Which::Names(names) = which else {
            return pending.clone();
        };
        let mut paths = BTreeSet::new();
        for name in names {
            let serving = self.serving.get(name);
            match serving.filter(|serving| scan.files.contains_key(&serving.entry.path)) {
                Some(serving) => {
                    paths.insert(serving.entry.path.clone());
                    paths.extend(serving.uses.iter().cloned());
                }
                // It may stand in any file that is new.
                None => return pending.clone(),
            }
        }
        pending.intersection(&paths).cloned().collect()
    }

    /// Returns what was edited, together with the files it failed with before.
    fn unit(&self, attempt: &Attempt<'_>) -> BTreeSet<String> {
        let mut unit = attempt.edited.clone();
        for older in &self.units {
            if !older.is_disjoint(&attempt.edited) {
                unit.extend(older.intersection(&attempt.selection).cloned());
            }
        }
        unit
    }

    /// Keeps what is wrong with an attempt; a new look at everything replaces what was known.
    fn fail(&mut self, attempt: &Attempt<'_>, problems: Problems) {
        if attempt.selection == attempt.pending {
            self.problems.clear();
        }
        self.problems.extend(problems);
    }

    /// Forgets what was wrong with files that are done or no longer pending. A file that does not
    /// load because of a pending one keeps its problem as long as anything is pending.
    pub(in crate::deploy) fn settled(
        &mut self,
        pending: &BTreeSet<String>,
        done: &BTreeSet<String>,
    ) {
        for unit in &mut self.units {
            unit.retain(|path| pending.contains(path));
        }
        self.units.retain(|unit| !unit.is_empty());
        let loaded = &self.image.loaded;
        self.problems.retain(|path, _| {
            let open = pending.contains(path) || loaded.contains_key(path);
            !pending.is_empty() && !done.contains(path) && open
        });
    }

    fn tried(&mut self, attempt: &Attempt<'_>, now: BTreeMap<String, String>) {
        if attempt.selection == attempt.pending {
            self.tried = now;
            return;
        }
        for path in &attempt.selection {
            match now.get(path) {
                Some(print) => drop(self.tried.insert(path.clone(), print.clone())),
                None => drop(self.tried.remove(path)),
            }
        }
    }

    /// Returns the report of a change that changed nothing.
    pub(in crate::deploy) fn unchanged(&self) -> Report {
        let lines = self.serving.iter().map(|(name, serving)| Line {
            name: name.clone(),
            old: Some(serving.entry.revision),
            new: Some(serving.entry.revision),
            outcome: Outcome::Same,
            elapsed_ms: 0,
            faults: Vec::new(),
        });
        Report {
            services: lines.collect(),
            applied: true,
            ..Report::default()
        }
    }

    /// Adds what is wrong to a report: to the services whose newest text does not serve, and as a
    /// whole.
    pub(in crate::deploy) fn complete(&self, report: &mut Report) {
        self.blame(report, &self.problems);
        report.faults.clone_from(&self.list);
        report
            .faults
            .extend(self.problems.values().flatten().cloned());
    }

    /// Marks the services that one of the files belongs to as failed.
    pub(in crate::deploy) fn blame(&self, report: &mut Report, problems: &Problems) {
        for line in &mut report.services {
            let Some(serving) = self.serving.get(&line.name) else {
                continue;
            };
            let own = std::iter::once(&serving.entry.path).chain(&serving.uses);
            let faults = own.filter_map(|path| problems.get(path)).flatten();
            line.faults.extend(faults.cloned());
            if !line.faults.is_empty() {
                line.outcome = Outcome::Failed;
            }
        }
    }
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
    let fault = Fault::new(
        Code::UnknownService,
        format!("there is no service named '{name}'"),
    );
    match closest(name.as_str(), state.serving.keys().map(ServiceName::as_str)) {
        Some(near) => fault.hint(format!("Did you mean `{near}`?")),
        None => fault,
    }
}
