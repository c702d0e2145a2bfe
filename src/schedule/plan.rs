//! What becomes of the fire times that are due: which run, which are skipped, and when the next one
//! comes.

use std::collections::VecDeque;

use chrono::{DateTime, TimeDelta, Utc};

use crate::base::{Cid, Millis};
use crate::schedule::{CatchUp, JobSpec, Overlap, Timetable};
use crate::store::{Advance, Beyond, Cause, JobState, NewRun, Placing};

/// How late the last fire time may be noticed and still count as on time.
const GRACE: TimeDelta = TimeDelta::seconds(5);

/// How many missed fire times are recorded one by one.
const RECORDED: usize = 100;

/// How many missed fire times are counted before the count gives up.
const COUNTED: usize = 10_000;

/// How many missed fire times `catch_up: all` makes up for.
const CAUGHT_UP: usize = 10;

/// How many runs of a job `overlap: allow` lets go on at once.
const AT_ONCE: u32 = 20;

/// What becomes of the fire times that are due.
#[derive(Debug)]
pub(in crate::schedule) struct Plan {
    /// The move of the schedule.
    pub(in crate::schedule) advance: Advance,
    /// The runs, oldest first.
    pub(in crate::schedule) runs: Vec<NewRun>,
}

/// Returns what becomes of the fire times that are due; `None` when none is.
pub(in crate::schedule) fn plan(
    spec: &JobSpec,
    timetable: &Timetable,
    state: &JobState,
    now: DateTime<Utc>,
) -> Option<Plan> {
    let from = state.next_fire.filter(|from| *from <= now)?;
    let due = due(timetable, from, now);
    let last = *due.times.back()?;
    let left = repeats_left(spec, state.fired_count);
    let punctual = !state.paused && now - last <= GRACE;
    let caught_up = caught_up(spec, &due.times, now, punctual, left);
    let mut runs: Vec<NewRun> = due
        .times
        .iter()
        .map(|time| {
            let caught_up = !state.paused && caught_up.contains(time);
            let (cause, placing) = match (caught_up, punctual && *time == last) {
                (true, _) => (Cause::CatchUp, caught_up_placing(spec)),
                (false, true) => (Cause::Schedule, placing(spec.overlap)),
                (false, false) => (
                    Cause::Schedule,
                    Placing::Skip(missed(spec, state, now - *time)),
                ),
            };
            new_run(*time, cause, placing)
        })
        .collect();
    mention(&mut runs, due.passed);
    let starts = |run: &&NewRun| matches!(run.placing, Placing::Start { .. });
    let fires = i64::try_from(runs.iter().filter(starts).count()).unwrap_or(i64::MAX);
    let over = repeats_left(spec, state.fired_count.saturating_add(fires)) == Some(0);
    let to = due.next.filter(|_next| !over);
    let advance = Advance { from, to, fires };
    Some(Plan { advance, runs })
}

/// Returns what an overlap policy makes of a new run.
pub(in crate::schedule) fn placing(overlap: Overlap) -> Placing {
    let (at_most, beyond) = match overlap {
        Overlap::Skip => (1, Beyond::Skip),
        Overlap::Queue => (1, Beyond::Queue),
        Overlap::Allow => (AT_ONCE, Beyond::Skip),
        // Those that run are cancelled once the new one is claimed.
        Overlap::Cancel => (u32::MAX, Beyond::Skip),
    };
    Placing::Start { at_most, beyond }
}

/// Makes a new run with a fresh correlation id.
pub(in crate::schedule) fn new_run(
    fire_time: DateTime<Utc>,
    cause: Cause,
    placing: Placing,
) -> NewRun {
    NewRun {
        fire_time,
        cause,
        cid: Cid::fresh(),
        placing,
    }
}

/// Returns how often a job may still fire; `None` when there is no end.
pub(in crate::schedule) fn repeats_left(spec: &JobSpec, fired: i64) -> Option<usize> {
    let left = i64::from(spec.repeats?).saturating_sub(fired).max(0);
    Some(usize::try_from(left).unwrap_or(usize::MAX))
}

struct Due {
    /// The last fire times, oldest first.
    times: VecDeque<DateTime<Utc>>,
    /// How many came before them, as far as they were counted.
    passed: usize,
    /// The first fire time still ahead.
    next: Option<DateTime<Utc>>,
}

fn due(timetable: &Timetable, from: DateTime<Utc>, now: DateTime<Utc>) -> Due {
    let mut times = VecDeque::new();
    let mut counted = 0;
    let mut next = Some(from);
    while let Some(time) = next.filter(|time| *time <= now) {
        times.push_back(time);
        counted += 1;
        // After a long absence only the last stretch is gone through.
        next = match counted {
            COUNTED => timetable.next_after(time.max(now - TimeDelta::hours(1))),
            many if many > 2 * COUNTED => timetable.next_after(now),
            _ => timetable.next_after(time),
        };
        if times.len() > RECORDED {
            times.pop_front();
        }
    }
    let passed = counted - times.len();
    Due {
        times,
        passed,
        next,
    }
}

/// Returns the missed fire times that run now.
fn caught_up(
    spec: &JobSpec,
    times: &VecDeque<DateTime<Utc>>,
    now: DateTime<Utc>,
    punctual: bool,
    left: Option<usize>,
) -> Vec<DateTime<Utc>> {
    let wanted = match spec.catch_up {
        CatchUp::Skip => 0,
        // A run on time makes up for those before it.
        CatchUp::Once => usize::from(!punctual),
        CatchUp::All => CAUGHT_UP,
    };
    let left = left.map_or(usize::MAX, |left| {
        left.saturating_sub(usize::from(punctual))
    });
    times
        .iter()
        .rev()
        .skip(usize::from(punctual))
        .take_while(|time| now - **time <= delta(spec.catch_up_within))
        .take(wanted.min(left))
        .copied()
        .collect()
}

/// Runs that are caught up come one after another, whatever the overlap policy says.
fn caught_up_placing(spec: &JobSpec) -> Placing {
    match spec.catch_up {
        CatchUp::All => Placing::Start {
            at_most: 1,
            beyond: Beyond::Queue,
        },
        CatchUp::Skip | CatchUp::Once => placing(spec.overlap),
    }
}

fn missed(spec: &JobSpec, state: &JobState, late: TimeDelta) -> String {
    let why = if state.paused {
        "the job was paused"
    } else if spec.catch_up != CatchUp::Skip && late > delta(spec.catch_up_within) {
        "missed, and too old to catch up"
    } else if spec.catch_up == CatchUp::Once {
        "missed, and made up for by a later run"
    } else {
        "missed"
    };
    why.to_owned()
}

/// Adds to the oldest run how many before it are not recorded.
fn mention(runs: &mut [NewRun], passed: usize) {
    if let Some(oldest) = runs.first_mut()
        && let Placing::Skip(reason) = &mut oldest.placing
        && passed > 0
    {
        reason.push_str("; fire times before it that were missed too: ");
        reason.push_str(&passed.to_string());
    }
}

pub(in crate::schedule) fn delta(millis: Millis) -> TimeDelta {
    i64::try_from(millis.0)
        .ok()
        .and_then(TimeDelta::try_milliseconds)
        .unwrap_or(TimeDelta::MAX)
}
