//! The configuration of a server: from files to stored objects to live ones.

use std::sync::Arc;

use arc_swap::ArcSwap;
use serde::{Deserialize, Serialize};
use serde_json::{Value as Json, json};

use crate::admin::clashes;
use crate::base::{Cid, Code, Fault, Faults};
use crate::config::Project;
use crate::config::interpolate::Variables;
use crate::contract::{AnyKind, ObjectId};
use crate::enmasse::{self, Against, Files, Plan, Prune, SourceText};
use crate::runtime::{JobObject, Runtime};
use crate::schedule::{JobSpecNamed, Scheduler};
use crate::store::{Change, Store, WriteRequest};

/// Everything that makes the configuration live.
pub(crate) struct Configuration {
    /// The project whose `config/` is read.
    pub(crate) project: Project,
    /// The overlay that is applied too: `dev`.
    pub(crate) overlay: Option<&'static str>,
    /// All kinds.
    pub(crate) kinds: &'static [&'static dyn AnyKind],
    /// What `${…}` may name.
    pub(crate) variables: Arc<dyn Variables>,
    /// The stored objects.
    pub(crate) store: Store,
    /// The live objects.
    pub(crate) runtime: Arc<Runtime>,
    /// The jobs.
    pub(crate) scheduler: Scheduler,
    /// Why the files of the project were refused when they were last applied; empty when they were not.
    pub(crate) refused: ArcSwap<Vec<Fault>>,
}

/// Which texts are read, and what becomes of objects in none of them.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Selection {
    /// Texts instead of the files of the project.
    pub(crate) files: Vec<FileText>,
    /// Whether objects that came from files and are in none any more are removed.
    pub(crate) prune: bool,
    /// The revision of the configuration the client has seen; applying to another one is refused.
    pub(crate) expect_rev: Option<i64>,
}

/// A configuration file as a client sends it.
#[derive(Debug, Deserialize)]
pub(crate) struct FileText {
    /// The name to show in messages.
    pub(crate) path: String,
    /// The text.
    pub(crate) text: String,
}

/// A plan with what a person reads of it.
#[derive(Debug, Serialize)]
pub(crate) struct Planned {
    /// The plan.
    #[serde(flatten)]
    pub(crate) plan: Plan,
    /// How many entries it has of each step.
    pub(crate) counts: enmasse::Counts,
    /// The plan for people.
    pub(crate) text: String,
    /// What works, but hardly as meant.
    pub(crate) warnings: Vec<Fault>,
    #[serde(skip)]
    prune: Option<Prune>,
}

/// What applying did.
#[derive(Debug, Serialize)]
pub(crate) struct Applied {
    /// The plan that was applied.
    #[serde(flatten)]
    pub(crate) planned: Planned,
    /// The configuration revision now.
    pub(crate) now: i64,
    /// Objects that could not be built as stored.
    pub(crate) degraded: Vec<Degraded>,
}

/// An object that could not be built as stored.
#[derive(Debug, Serialize)]
pub(crate) struct Degraded {
    /// Which object.
    pub(crate) object: ObjectId,
    /// Why.
    #[serde(flatten)]
    pub(crate) fault: Fault,
}

impl Configuration {
    /// Compares files with the stored objects; returns every problem of the files at once.
    pub(crate) async fn plan(&self, selection: &Selection) -> Result<Planned, Faults> {
        let files = self.files(selection)?;
        let current = self.store.objects().await?;
        let rev = self.store.head().await?;
        let against = Against {
            kinds: self.kinds,
            variables: &*self.variables,
            stored: &current,
        };
        let (wanted, warnings) = enmasse::load(&files, &against)?;
        clashes(&wanted.objects).into_result()?;
        let plan = enmasse::plan(&current, &wanted.objects, self.kinds, &*self.variables, rev);
        let prune = if selection.prune {
            Prune::Remove
        } else {
            Prune::Keep
        };
        let (counts, text) = (plan.counts(prune), enmasse::render(&plan, prune));
        Ok(Planned {
            plan,
            counts,
            text,
            warnings,
            prune: Some(prune),
        })
    }

    /// Makes the files' objects the stored ones, in one transaction, then live.
    ///
    /// Remembers why the project's own files were refused: they say something else than what serves, until they
    /// are mended and applied. Texts that a client sends are answered to it and forgotten.
    pub(crate) async fn apply(
        &self,
        selection: &Selection,
        author: &str,
    ) -> Result<Applied, Faults> {
        let applied = self.try_apply(selection, author).await;
        if selection.files.is_empty() {
            match &applied {
                Ok(_) => self.refused.store(Arc::default()),
                // Somebody else was faster: that says nothing of the files.
                Err(faults)
                    if faults
                        .0
                        .iter()
                        .any(|fault| fault.code() == Code::ConfigStale) => {}
                Err(faults) => self.refused.store(Arc::new(faults.0.clone())),
            }
        }
        applied
    }

    /// Returns why the files of the project were refused when they were last applied.
    pub(crate) fn refused(&self) -> Vec<Fault> {
        self.refused.load().to_vec()
    }

    async fn try_apply(&self, selection: &Selection, author: &str) -> Result<Applied, Faults> {
        let planned = self.plan(selection).await?;
        expect(selection.expect_rev, planned.plan.rev)?;
        let prune = planned.prune.unwrap_or(Prune::Keep);
        Faults(planned.plan.dangling(prune)).into_result()?;
        let changes = planned.plan.changes(prune);
        let mut now = planned.plan.rev;
        if !changes.is_empty() {
            let request = WriteRequest {
                expect_rev: Some(planned.plan.rev),
                author: author.to_owned(),
                source_note: "config apply".to_owned(),
                cid: Cid::fresh(),
                changes: changes.into_iter().map(stored).collect(),
            };
            now = self.store.write(request).await?;
        }
        let degraded = self.reconcile().await?;
        tracing::info!(rev = now, "Configuration applied.");
        Ok(Applied {
            planned,
            now,
            degraded,
        })
    }

    /// Makes the stored objects live, and tells the scheduler its jobs.
    pub(crate) async fn reconcile(&self) -> Result<Vec<Degraded>, Fault> {
        let reconciled = self.runtime.reconcile(self.store.objects().await?);
        for (object, fault) in &reconciled.degraded {
            let (code, diagnostic) = (fault.code_text(), fault.block());
            tracing::error!(%object, code, error = fault.message(), diagnostic, "Object could not be built.");
        }
        let jobs = self.runtime.live().jobs();
        self.scheduler
            .set_jobs(jobs.into_iter().filter_map(named).collect())
            .await?;
        let degraded = reconciled.degraded.into_iter();
        Ok(degraded
            .map(|(object, fault)| Degraded { object, fault })
            .collect())
    }

    /// Returns all stored objects as text.
    pub(crate) async fn export(&self, format: ExportFormat) -> Result<Json, Fault> {
        let objects = self.store.objects().await?;
        let exported = enmasse::export(&objects, self.kinds, enmasse::Secrets::AsReferences);
        let text = match format {
            ExportFormat::Yaml => exported.to_yaml(),
            ExportFormat::Json => exported.to_json(),
        };
        Ok(json!({ "text": text, "secrets": exported.secrets }))
    }

    fn files(&self, selection: &Selection) -> Result<Files, Faults> {
        if selection.files.is_empty() {
            return Files::read(self.project.root(), self.overlay);
        }
        let text = |file: &FileText| SourceText {
            path: file.path.as_str().into(),
            text: file.text.clone(),
        };
        Ok(Files {
            base: selection.files.iter().map(text).collect(),
            overlays: Vec::new(),
        })
    }
}

/// How objects are written out.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum ExportFormat {
    /// YAML.
    #[default]
    Yaml,
    /// JSON.
    Json,
}

fn expect(seen: Option<i64>, rev: i64) -> Result<(), Fault> {
    match seen {
        Some(seen) if seen != rev => Err(Fault::new(
            Code::ConfigStale,
            format!("the configuration has revision {rev} by now, not {seen}"),
        )
        .hint("See `kladka config plan`, then apply again.")),
        _ => Ok(()),
    }
}

fn stored(change: enmasse::Change) -> Change {
    match change {
        enmasse::Change::Put {
            id,
            enabled,
            body,
            source,
        } => Change::Put {
            id,
            enabled,
            body,
            source,
        },
        enmasse::Change::Delete { id } => Change::Delete { id },
    }
}

fn named(job: JobObject) -> Option<JobSpecNamed> {
    let named = JobSpecNamed::from_body(job.name, job.enabled, &job.spec);
    named
        .inspect_err(|fault| {
            tracing::error!(
                code = fault.code_text(),
                error = fault.message(),
                "Job could not be read."
            );
        })
        .ok()
}

/// Joins faults into one for an answer that holds only one: the first, with all blocks as its diagnostic.
pub(crate) fn joined(faults: Faults) -> Fault {
    let count = faults.0.len();
    let blocks: Vec<String> = faults.0.iter().map(Fault::block).collect();
    let mut all = faults.0.into_iter();
    match (all.next(), count) {
        (Some(only), 1) => only,
        (Some(first), _) => {
            Fault::new(first.code(), format!("{count} problems")).blocks(blocks.join("\n"))
        }
        (None, _) => Fault::new(Code::Internal, "failed without a reason"),
    }
}
