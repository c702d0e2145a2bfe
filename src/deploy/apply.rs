//! Makes a checked change live: records it, writes its files, swaps the registry once.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::base::{Fault, ServiceName};
use crate::contract::{Entry, Source, SourceSet};
use crate::deploy::deployer::{Deployer, blocking};
use crate::deploy::digest::sha256;
use crate::deploy::load::{Image, Prepared};
use crate::deploy::report::{Line, Outcome, Report};
use crate::deploy::state::{Known, Serving, State};
use crate::deploy::write;
use crate::store::{FileText, FileWrite, Keep, NewPackage, NewRevision, Recording, Stamp};

/// How a change came, and what it writes.
#[derive(Default)]
pub(in crate::deploy) struct Change {
    /// Files to write into `scripts/`, with their bytes or `None` to remove them; empty when all
    /// stands there already.
    pub(in crate::deploy) writes: Vec<(String, Option<Vec<u8>>)>,
    /// The package, for a deployment.
    pub(in crate::deploy) package: Option<NewPackage>,
    /// When, by whom and by which way.
    pub(in crate::deploy) stamp: Stamp,
}

impl Deployer {
    /// Makes a change live. It must be without problems. After an error nothing has changed but, when files could not
    /// be put in their places, the record.
    pub(in crate::deploy) async fn apply(
        &self,
        state: &mut State,
        prepared: Prepared,
        change: Change,
    ) -> Result<Report, Fault> {
        let project = self.options.project.clone();
        let writes = change.writes;
        let (staged, writes) = blocking(move || write::stage(&project, writes)).await??;
        let next = number(state, &prepared);
        let recording = recording(
            state,
            &prepared.image.set,
            &next,
            change.package,
            change.stamp,
            writes,
        );
        // With this commit it has happened: were the process killed after it, the next start would
        // write the files.
        let package = self.record(&recording).await?;
        remember(state, &next, &recording, package);
        let published = blocking(move || staged.publish()).await?;
        self.forget_writes(&recording).await;
        let written = published?;
        // They are whole: the next look must read them, not wait for them to rest with the old text
        // in mind.
        self.note_closed(written);

        let report = report(state, &prepared, &next, package);
        state.serving = next
            .into_iter()
            .map(|(name, next)| (name, next.serving(package)))
            .collect();
        state.image = prepared.image;
        state.refused.clear();
        self.swap(state, &report);
        Ok(report)
    }

    async fn record(&self, recording: &Recording) -> Result<Option<i64>, Fault> {
        let nothing = recording.package.is_none()
            && recording.revisions.is_empty()
            && recording.removed.is_empty()
            && recording.writes.is_empty();
        if nothing {
            return Ok(None);
        }
        let keep = Keep {
            revisions: self.options.limits.revisions,
            packages: self.options.limits.packages,
        };
        self.store.record(recording, keep).await
    }

    /// Forgets the files of a change: they stand, or are put back. What is not forgotten is written
    /// once more by the next start, unless another change comes before.
    async fn forget_writes(&self, recording: &Recording) {
        if recording.writes.is_empty() {
            return;
        }
        if let Err(error) = self.store.forget_file_writes().await {
            let detail = error.detail_text();
            tracing::error!(%error, detail, "Cannot close a deployment.");
        }
    }

    fn swap(&self, state: &State, report: &Report) {
        let entries = state.serving.values();
        let entries = entries.map(|serving| Arc::clone(&serving.entry)).collect();
        self.registry.swap(entries);
        for line in &report.services {
            let service = line.name.as_str();
            match (line.outcome, line.new) {
                (Outcome::Ok, Some(revision)) => {
                    tracing::info!(service, revision, "Service deployed.");
                }
                (Outcome::Removed, _) => tracing::info!(service, "Service removed."),
                _ => {}
            }
        }
        (self.on_swap)(report);
    }
}

/// A service as it will serve.
struct Next {
    entry: Arc<Entry>,
    uses: Vec<String>,
    digest: String,
    /// The package of a revision that is on record already.
    package: Option<i64>,
    fresh: Freshness,
    elapsed_ms: u64,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Freshness {
    /// Not on record yet.
    NewRevision,
    /// On record already.
    OnRecord,
}

impl Next {
    fn serving(self, package: Option<i64>) -> Serving {
        Serving {
            entry: self.entry,
            uses: self.uses,
            package: match self.fresh {
                Freshness::NewRevision => package,
                Freshness::OnRecord => self.package,
            },
        }
    }
}

/// Gives every service its revision: a new one only where its text or that of a module it uses is
/// new.
fn number(state: &State, prepared: &Prepared) -> BTreeMap<ServiceName, Next> {
    let mut next = BTreeMap::new();
    for (path, file) in &prepared.image.loaded {
        let digest = closure_digest(&prepared.image, path, &file.uses);
        for service in &file.services {
            let name = &service.declaration().name;
            let known = state.known.get(name.as_str());
            let recorded = known.filter(|known| known.digest == digest && !known.removed);
            let revision = match (recorded, known) {
                (Some(same), _) => same.revision,
                (None, Some(older)) => older.revision + 1,
                (None, None) => 1,
            };
            let before = state.serving.get(name);
            let direct = before.map(|serving| Arc::clone(&serving.entry.direct));
            let kept = before.filter(|_| !prepared.fresh.contains(path));
            let entry = kept.map(|serving| Arc::clone(&serving.entry));
            let made = || {
                Arc::new(Entry {
                    service: Arc::clone(service),
                    revision,
                    path: path.clone(),
                    direct: direct.unwrap_or_default(),
                })
            };
            let service = Next {
                entry: entry.unwrap_or_else(made),
                uses: file.uses.clone(),
                digest: digest.clone(),
                package: recorded.and_then(|known| known.package),
                fresh: match recorded {
                    Some(_) => Freshness::OnRecord,
                    None => Freshness::NewRevision,
                },
                elapsed_ms: file.elapsed_ms,
            };
            next.insert(name.clone(), service);
        }
    }
    next
}

/// Returns the digest over a file and the modules it uses.
fn closure_digest(image: &Image, path: &str, uses: &[String]) -> String {
    let digest = |path: &str| {
        image
            .set
            .by_path
            .get(path)
            .map(|source| source.sha256.clone())
    };
    let mut lines = vec![digest(path).unwrap_or_default()];
    for used in uses {
        lines.push(format!("{used} {}", digest(used).unwrap_or_default()));
    }
    sha256(lines.join("\n").as_bytes())
}

fn recording(
    state: &State,
    set: &SourceSet,
    next: &BTreeMap<ServiceName, Next>,
    package: Option<NewPackage>,
    stamp: Stamp,
    writes: Vec<FileWrite>,
) -> Recording {
    let new = next
        .iter()
        .filter(|(_, next)| next.fresh == Freshness::NewRevision)
        .filter_map(|(name, next)| new_revision(set, name, next));
    let on_record = state.known.iter().filter(|(_, known)| !known.removed);
    let removed = on_record
        .filter(|(name, _)| !next.contains_key(name.as_str()))
        .map(|(name, _)| name.clone());
    Recording {
        package,
        revisions: new.collect(),
        removed: removed.collect(),
        writes,
        stamp,
    }
}

fn new_revision(set: &SourceSet, name: &ServiceName, next: &Next) -> Option<NewRevision> {
    let modules = next.uses.iter().filter_map(|path| set.by_path.get(path));
    Some(NewRevision {
        service: name.as_str().to_owned(),
        revision: next.entry.revision,
        digest: next.digest.clone(),
        language: next.entry.service.declaration().language,
        file: file_text(set.by_path.get(&next.entry.path)?),
        modules: modules.map(file_text).collect(),
    })
}

fn file_text(source: &Arc<Source>) -> FileText {
    FileText {
        path: source.path.clone(),
        sha256: source.sha256.clone(),
        text: source.text.clone(),
    }
}

fn remember(
    state: &mut State,
    next: &BTreeMap<ServiceName, Next>,
    recording: &Recording,
    package: Option<i64>,
) {
    for name in &recording.removed {
        if let Some(known) = state.known.get_mut(name) {
            known.removed = true;
        }
    }
    for (name, next) in next {
        let known = Known {
            revision: next.entry.revision,
            digest: next.digest.clone(),
            package: match next.fresh {
                Freshness::NewRevision => package,
                Freshness::OnRecord => next.package,
            },
            removed: false,
            path: next.entry.path.clone(),
        };
        state.known.insert(name.as_str().to_owned(), known);
    }
}

fn report(
    state: &State,
    prepared: &Prepared,
    next: &BTreeMap<ServiceName, Next>,
    package_id: Option<i64>,
) -> Report {
    let names: BTreeSet<&ServiceName> = state.serving.keys().chain(next.keys()).collect();
    let services = names.into_iter().map(|name| {
        let old = state
            .serving
            .get(name)
            .map(|serving| serving.entry.revision);
        let new = next.get(name);
        let touched = new.filter(|next| prepared.fresh.contains(&next.entry.path));
        let revision = new.map(|next| next.entry.revision);
        Line {
            name: name.clone(),
            old,
            new: revision,
            outcome: match revision {
                None => Outcome::Removed,
                Some(_) if old == revision => Outcome::Same,
                Some(_) => Outcome::Ok,
            },
            elapsed_ms: touched.map_or(0, |next| next.elapsed_ms),
            faults: Vec::new(),
        }
    });
    Report {
        services: services.collect(),
        faults: Vec::new(),
        package_id,
        applied: true,
    }
}
