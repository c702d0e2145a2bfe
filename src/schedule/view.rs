//! Jobs as people see them.

use chrono::{DateTime, Utc};
use serde::Serialize;

use crate::schedule::reconcile::Known;
use crate::schedule::{JobSpec, RunRecord};
use crate::store::{RunState, maybe_iso};

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

/// Returns a job as people see it.
pub(in crate::schedule) fn view(known: &Known, last_run: Option<RunRecord>) -> JobView {
    let state = &known.state;
    let running = last_run
        .as_ref()
        .is_some_and(|run| run.state == RunState::Running);
    let status = match (state.enabled, running, state.paused, state.next_fire) {
        (false, ..) => JobStatus::Disabled,
        (_, _, true, _) => JobStatus::Paused,
        (_, true, ..) => JobStatus::Running,
        (.., None) => JobStatus::Finished,
        (.., Some(_)) => JobStatus::Scheduled,
    };
    JobView {
        name: state.job.to_string(),
        service: known.spec.service.to_string(),
        schedule: schedule_text(&known.spec),
        timezone: known.spec.timezone.clone(),
        state: status,
        note: state.note.clone(),
        next_fire: state.next_fire.filter(|_next| state.enabled),
        last_run,
    }
}

/// Returns the timetable of a job in a few words.
fn schedule_text(spec: &JobSpec) -> String {
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
