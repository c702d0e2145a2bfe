//! Jobs as people see them.

use chrono::{DateTime, Utc};
use serde::Serialize;

use crate::schedule::{JobSpec, RunRecord};
use crate::store::maybe_iso;

/// A job as people see it.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct JobView {
    /// Its name.
    pub(crate) name: String,
    /// The service it calls.
    pub(crate) service: String,
    /// Its timetable, such as `every 1h`.
    pub(crate) schedule: String,
    /// Its time zone.
    pub(crate) timezone: String,
    /// How it stands.
    pub(crate) state: JobStatus,
    /// Why it is paused.
    pub(crate) note: String,
    /// When it fires next.
    #[serde(serialize_with = "maybe_iso")]
    pub(crate) next_fire: Option<DateTime<Utc>>,
    /// Its last run that started.
    pub(crate) last_run: Option<RunRecord>,
}

/// How a job stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum JobStatus {
    /// It waits for its next fire time.
    Scheduled,
    /// A run goes on.
    Running,
    /// An operator stopped it for a while.
    Paused,
    /// It is switched off.
    Disabled,
    /// It never fires again.
    Finished,
}

/// Returns the timetable of a job in a few words.
pub(in crate::schedule) fn schedule_text(spec: &JobSpec) -> String {
    let JobSpec {
        at,
        every,
        cron,
        anchor,
        repeats,
        ..
    } = spec;
    let mut parts: Vec<String> = Vec::new();
    parts.extend(at.iter().map(|at| format!("at {at}")));
    parts.extend(every.iter().map(|every| format!("every {every}")));
    parts.extend(cron.iter().map(|cron| format!("cron {cron}")));
    parts.extend(anchor.iter().map(|anchor| format!("from {anchor}")));
    parts.extend(repeats.iter().map(|repeats| format!("{repeats} times")));
    parts.join(", ")
}
