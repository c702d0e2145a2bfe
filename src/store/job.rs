//! The state of jobs: when each fires next, how often it fired, and whether it is paused.

use chrono::{DateTime, Utc};

use crate::base::{Fault, ObjectName};
use crate::store::Store;
use crate::store::db::failed;
use crate::store::row::{maybe_moment, object_name};

/// What the schedule remembers of a job.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct JobState {
    /// The job.
    pub(crate) job: ObjectName,
    /// When it fires next; `None` when it never will again.
    pub(crate) next_fire: Option<DateTime<Utc>>,
    /// How often its timetable started a run.
    pub(crate) fired_count: i64,
    /// Whether it was switched on when last seen.
    pub(crate) enabled: bool,
    /// Whether an operator stopped it for a while.
    pub(crate) paused: bool,
    /// Why it is paused.
    pub(crate) note: String,
    /// Its timetable as text; another one makes the schedule start afresh.
    pub(crate) timetable: String,
}

type StateRow = (String, Option<i64>, i64, bool, bool, String, String);

impl Store {
    /// Returns what the schedule remembers, by name.
    pub(crate) async fn job_states(&self) -> Result<Vec<JobState>, Fault> {
        let rows: Vec<StateRow> = sqlx::query_as(
            "SELECT job, next_fire, fired_count, enabled, paused, note, timetable \
             FROM job_state ORDER BY job",
        )
        .fetch_all(&self.reader)
        .await
        .map_err(|error| failed("read the jobs", &error))?;
        rows.into_iter().map(state).collect()
    }

    /// Stores the states of jobs and forgets others, in one transaction.
    pub(crate) async fn save_job_states(
        &self,
        states: &[JobState],
        removed: &[ObjectName],
    ) -> Result<(), Fault> {
        let save = |error| failed("store the jobs", &error);
        let mut transaction = self.begin().await?;
        for state in states {
            sqlx::query(
                "INSERT INTO job_state \
                 (job, next_fire, fired_count, enabled, paused, note, timetable) \
                 VALUES (?, ?, ?, ?, ?, ?, ?) \
                 ON CONFLICT (job) DO UPDATE SET next_fire = excluded.next_fire, \
                 fired_count = excluded.fired_count, enabled = excluded.enabled, \
                 paused = excluded.paused, note = excluded.note, timetable = excluded.timetable",
            )
            .bind(state.job.as_str())
            .bind(state.next_fire.map(|at| at.timestamp_millis()))
            .bind(state.fired_count)
            .bind(state.enabled)
            .bind(state.paused)
            .bind(&state.note)
            .bind(&state.timetable)
            .execute(&mut *transaction)
            .await
            .map_err(save)?;
        }
        for job in removed {
            sqlx::query("DELETE FROM job_state WHERE job = ?")
                .bind(job.as_str())
                .execute(&mut *transaction)
                .await
                .map_err(save)?;
        }
        transaction.commit().await.map_err(save)
    }
}

fn state(row: StateRow) -> Result<JobState, Fault> {
    let (job, next_fire, fired_count, enabled, paused, note, timetable) = row;
    Ok(JobState {
        job: object_name(&job)?,
        next_fire: maybe_moment(next_fire)?,
        fired_count,
        enabled,
        paused,
        note,
        timetable,
    })
}
