//! From the jobs as stored to the jobs as scheduled: what is kept, what starts afresh, what goes.

use std::collections::BTreeMap;
use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};

use crate::base::{Fault, ObjectName};
use crate::schedule::plan::repeats_left;
use crate::schedule::{JobSpec, JobSpecNamed, Timetable};
use crate::store::JobState;

/// How far ahead of its timetable a next fire time may lie before it must come from a wrong clock.
const AHEAD: TimeDelta = TimeDelta::hours(50);

/// A job as scheduled.
#[derive(Clone, Debug)]
pub(in crate::schedule) struct Known {
    /// Its body.
    pub(in crate::schedule) spec: Arc<JobSpec>,
    /// When it fires.
    pub(in crate::schedule) timetable: Timetable,
    /// What the database holds of it.
    pub(in crate::schedule) state: JobState,
}

/// What a new set of jobs leads to.
#[derive(Debug, Default)]
pub(in crate::schedule) struct Reconciled {
    /// The jobs from now on.
    pub(in crate::schedule) known: BTreeMap<ObjectName, Known>,
    /// Those whose next fire time is new.
    pub(in crate::schedule) scheduled: Vec<ObjectName>,
    /// Those that were scheduled and are not any more.
    pub(in crate::schedule) unscheduled: Vec<ObjectName>,
    /// Those to forget.
    pub(in crate::schedule) removed: Vec<ObjectName>,
    /// Those whose timetable cannot be read, and why.
    pub(in crate::schedule) refused: Vec<(ObjectName, Fault)>,
}

/// Compares the wanted jobs with what the database holds.
pub(in crate::schedule) fn reconcile(
    wanted: Vec<JobSpecNamed>,
    stored: Vec<JobState>,
    now: DateTime<Utc>,
) -> Reconciled {
    let mut stored: BTreeMap<ObjectName, JobState> = stored
        .into_iter()
        .map(|state| (state.job.clone(), state))
        .collect();
    let mut result = Reconciled::default();
    for job in wanted {
        let before = stored.remove(&job.name);
        let timetable = match Timetable::parse(&job.spec) {
            Ok(timetable) => timetable,
            Err(faults) => {
                let refused = faults.0.into_iter().map(|fault| (job.name.clone(), fault));
                result.refused.extend(refused);
                continue;
            }
        };
        let state = next_state(&job, &timetable, before.as_ref(), now);
        note_change(&mut result, before.as_ref(), &state);
        let known = Known {
            spec: job.spec,
            timetable,
            state,
        };
        result.known.insert(job.name, known);
    }
    // A job that cannot be read keeps its past: it is an edit away from running again.
    let refused: Vec<&ObjectName> = result.refused.iter().map(|(name, _)| name).collect();
    let gone = stored
        .into_values()
        .filter(|state| !refused.contains(&&state.job));
    for state in gone {
        result
            .unscheduled
            .extend(state.enabled.then(|| state.job.clone()));
        result.removed.push(state.job);
    }
    result
}

fn note_change(result: &mut Reconciled, before: Option<&JobState>, after: &JobState) {
    let was = before.filter(|state| state.enabled);
    if after.enabled && was.and_then(|state| state.next_fire) != after.next_fire {
        result.scheduled.push(after.job.clone());
    }
    if was.is_some() && !after.enabled {
        result.unscheduled.push(after.job.clone());
    }
}

fn next_state(
    job: &JobSpecNamed,
    timetable: &Timetable,
    before: Option<&JobState>,
    now: DateTime<Utc>,
) -> JobState {
    let text = timetable_text(&job.spec);
    let Some(before) = before else {
        return fresh(job, timetable, text, now);
    };
    let same = before.timetable == text;
    let kept = JobState {
        enabled: job.enabled,
        ..before.clone()
    };
    if !same {
        return JobState {
            paused: kept.paused,
            note: kept.note,
            ..fresh(job, timetable, text, now)
        };
    }
    let next_fire = kept_fire(job, timetable, before, now);
    JobState { next_fire, ..kept }
}

/// Returns the next fire time of a job whose timetable is as it was.
fn kept_fire(
    job: &JobSpecNamed,
    timetable: &Timetable,
    before: &JobState,
    now: DateTime<Utc>,
) -> Option<DateTime<Utc>> {
    if timetable.is_single() || !job.enabled {
        return before.next_fire;
    }
    if repeats_left(&job.spec, before.fired_count) == Some(0) {
        return None;
    }
    let next = timetable.next_after(now);
    // Fire times that passed while it was off are not missed.
    let Some(kept) = before.next_fire.filter(|_kept| before.enabled) else {
        return next;
    };
    let astray = next.is_some_and(|next| kept - next > AHEAD);
    if astray { next } else { Some(kept) }
}

fn fresh(job: &JobSpecNamed, timetable: &Timetable, text: String, now: DateTime<Utc>) -> JobState {
    JobState {
        job: job.name.clone(),
        next_fire: timetable.first(now),
        fired_count: 0,
        enabled: job.enabled,
        paused: false,
        note: String::new(),
        timetable: text,
    }
}

/// Returns what makes the timetable what it is; `repeats` only says when it ends.
fn timetable_text(spec: &JobSpec) -> String {
    let JobSpec {
        at,
        every,
        anchor,
        cron,
        timezone,
        ..
    } = spec;
    let part = |key: &str, text: Option<String>| text.map(|text| format!("{key} {text}"));
    [
        part("at", at.clone()),
        part("every", every.map(|every| every.to_string())),
        part("from", anchor.clone()),
        part("cron", cron.clone()),
        Some(timezone.clone()),
    ]
    .into_iter()
    .flatten()
    .collect::<Vec<_>>()
    .join(" ")
}
