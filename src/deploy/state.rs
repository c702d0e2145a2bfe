//! What stands and what is wrong with it, and what a try of a change does to both.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::base::{Fault, ServiceName};
use crate::contract::Entry;
use crate::deploy::load::{Image, Problems};
use crate::deploy::report::{Line, Origin, Outcome, Report, Which, distinct};
use crate::deploy::scan::Scan;

/// What stands, and what is wrong with what should stand.
#[derive(Default)]
pub(in crate::deploy) struct State {
    /// What serves, and the sources it was made of.
    pub(in crate::deploy) image: Image,
    /// The services that serve.
    pub(in crate::deploy) serving: BTreeMap<ServiceName, Serving>,
    /// The newest revision on record of every service that ever was.
    pub(in crate::deploy) known: BTreeMap<String, Known>,
    /// The digests of the files on disk when they were last tried.
    pub(in crate::deploy) tried: BTreeMap<String, String>,
    /// Files that failed together and are tried together again, each set a change of its own.
    pub(in crate::deploy) units: Vec<BTreeSet<String>>,
    /// What is wrong with files on disk.
    pub(in crate::deploy) problems: Problems,
    /// What was wrong with the last deployment, if it was refused.
    pub(in crate::deploy) refused: Problems,
    /// What is wrong with the list of places, or with reading the project at all.
    pub(in crate::deploy) list: Vec<Fault>,
    /// Why a good change could not be made live, such as a full disk.
    pub(in crate::deploy) trouble: Option<Fault>,
}

/// A service that serves.
#[derive(Clone)]
pub(in crate::deploy) struct Serving {
    pub(in crate::deploy) entry: Arc<Entry>,
    pub(in crate::deploy) uses: Vec<String>,
    pub(in crate::deploy) package: Option<i64>,
}

/// The newest revision on record of a service.
#[derive(Clone)]
pub(in crate::deploy) struct Known {
    pub(in crate::deploy) revision: u32,
    pub(in crate::deploy) digest: String,
    pub(in crate::deploy) package: Option<i64>,
    pub(in crate::deploy) removed: bool,
    pub(in crate::deploy) path: String,
}

/// One look at the disk, and what of it is tried.
pub(in crate::deploy) struct Attempt<'a> {
    pub(in crate::deploy) scan: &'a Scan,
    /// What differs from what serves.
    pub(in crate::deploy) pending: BTreeSet<String>,
    /// What of it is tried.
    pub(in crate::deploy) selection: BTreeSet<String>,
    /// What of that was edited since the last try.
    pub(in crate::deploy) edited: BTreeSet<String>,
    pub(in crate::deploy) origin: &'a Origin,
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
    pub(in crate::deploy) fn selection(
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
    pub(in crate::deploy) fn unit(&self, attempt: &Attempt<'_>) -> BTreeSet<String> {
        let mut unit = attempt.edited.clone();
        for older in &self.units {
            if !older.is_disjoint(&attempt.edited) {
                unit.extend(older.intersection(&attempt.selection).cloned());
            }
        }
        unit
    }

    /// Keeps what is wrong with an attempt; a new look at everything replaces what was known.
    pub(in crate::deploy) fn fail(&mut self, attempt: &Attempt<'_>, problems: Problems) {
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

    pub(in crate::deploy) fn tried(
        &mut self,
        attempt: &Attempt<'_>,
        now: BTreeMap<String, String>,
    ) {
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
    /// whole. Whoever asked for some services hears of those, and of what kept them from serving.
    pub(in crate::deploy) fn complete(&self, report: &mut Report, which: &Which) {
        self.blame(report, &self.problems);
        let faults: Vec<Fault> = match which {
            Which::All => {
                let problems = self.problems.values().flatten();
                self.list.iter().chain(problems).cloned().collect()
            }
            Which::Names(names) => {
                let lines = report.services.iter();
                let own = lines.filter(|line| names.contains(&line.name));
                let own = own.flat_map(|line| &line.faults);
                report.faults.iter().chain(own).cloned().collect()
            }
        };
        report.faults = distinct(faults);
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
            line.faults = distinct(std::mem::take(&mut line.faults));
            if !line.faults.is_empty() {
                line.outcome = Outcome::Failed;
            }
        }
    }

    /// Returns the other services of a file.
    pub(in crate::deploy) fn siblings(&self, name: &ServiceName, path: &str) -> Vec<ServiceName> {
        let serving = self.serving.iter();
        serving
            .filter(|(other, serving)| *other != name && serving.entry.path == path)
            .map(|(other, _)| other.clone())
            .collect()
    }
}
