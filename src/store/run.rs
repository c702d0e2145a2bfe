//! The runs of jobs: finished only by who holds the fence, given up when their server went away,
//! read.
//!
//! The fence makes the late word of a run that was given up harmless.

use chrono::{DateTime, Utc};
use serde::Serialize;

use crate::base::{Fault, ObjectName};
use crate::store::Store;
use crate::store::db::failed;
use crate::store::row::{iso, maybe_iso, maybe_moment, moment, object_name, strange};

/// How a run stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum RunState {
    /// Waits until the run before it ends.
    Queued,
    /// Runs.
    Running,
    /// Ended well.
    Done,
    /// Ended with a fault.
    Failed,
    /// The server that ran it went away.
    Lost,
    /// Never started; the message says why.
    Skipped,
    /// Was stopped at its timeout.
    TimedOut,
    /// Was stopped for the next run.
    Cancelled,
}

/// What made a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Cause {
    /// The timetable.
    Schedule,
    /// The start of the server.
    Start,
    /// A person.
    Manual,
    /// The timetable, at a time when no server could run it.
    CatchUp,
}

/// One run of a job.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct Run {
    /// The job.
    pub(crate) job: ObjectName,
    /// The moment it was due.
    #[serde(serialize_with = "iso")]
    pub(crate) fire_time: DateTime<Utc>,
    /// The attempt, from 1.
    pub(crate) attempt: u32,
    /// The fencing token.
    pub(crate) fence: i64,
    /// The server that claimed it.
    pub(crate) node: String,
    /// How it stands.
    pub(crate) state: RunState,
    /// What made it.
    #[serde(rename = "trigger")]
    pub(crate) cause: Cause,
    /// When it started.
    #[serde(serialize_with = "maybe_iso")]
    pub(crate) started: Option<DateTime<Utc>>,
    /// When it ended.
    #[serde(serialize_with = "maybe_iso")]
    pub(crate) ended: Option<DateTime<Utc>>,
    /// How long it took.
    pub(crate) elapsed_ms: Option<i64>,
    /// The correlation id of its call.
    pub(crate) cid: String,
    /// The code of its fault.
    pub(crate) fault_code: Option<String>,
    /// What went wrong, or why it was skipped.
    pub(crate) fault_message: Option<String>,
}

/// How a run ended.
#[derive(Clone, Debug)]
pub(crate) struct Ending {
    /// The state it ended in.
    pub(crate) state: RunState,
    /// When.
    pub(crate) ended: DateTime<Utc>,
    /// How long it took.
    pub(crate) elapsed_ms: i64,
    /// Code and message of its fault.
    pub(crate) fault: Option<(String, String)>,
}

/// A row of `job_run`, without its lease.
#[rustfmt::skip]
pub(in crate::store) type RunRow = (
    String, i64, u32, i64, String, String, String, Option<i64>, Option<i64>, Option<i64>, String,
    Option<String>, Option<String>,
);

impl Store {
    /// Records how a run ended; `false` when someone else has given it up already.
    pub(crate) async fn finish_run(&self, run: &Run, ending: &Ending) -> Result<bool, Fault> {
        let (code, message) = ending.fault.clone().unzip();
        let done = sqlx::query(
            "UPDATE job_run SET state = ?, ended = ?, elapsed_ms = ?, fault_code = ?, \
             fault_message = ?, lease_until = NULL \
             WHERE job = ? AND fire_time = ? AND attempt = ? AND fence = ? AND state = 'running'",
        )
        .bind(ending.state.as_str())
        .bind(ending.ended.timestamp_millis())
        .bind(ending.elapsed_ms)
        .bind(code)
        .bind(message)
        .bind(run.job.as_str())
        .bind(run.fire_time.timestamp_millis())
        .bind(run.attempt)
        .bind(run.fence)
        .execute(&self.writer)
        .await
        .map_err(|error| failed("record the end of a run", &error))?;
        Ok(done.rows_affected() > 0)
    }

    /// Renews the claims of a server on what it runs.
    pub(crate) async fn renew_runs(&self, node: &str, until: DateTime<Utc>) -> Result<(), Fault> {
        sqlx::query("UPDATE job_run SET lease_until = ? WHERE node = ? AND state = 'running'")
            .bind(until.timestamp_millis())
            .bind(node)
            .execute(&self.writer)
            .await
            .map_err(|error| failed("renew the runs", &error))?;
        Ok(())
    }

    /// Returns what a server runs. Asks the writer, behind whose unfinished commits the answer
    /// waits.
    pub(crate) async fn running_on(&self, node: &str) -> Result<Vec<Run>, Fault> {
        let rows: Vec<RunRow> = sqlx::query_as(
            "SELECT job, fire_time, attempt, fence, node, state, cause, started, ended, \
             elapsed_ms, cid, fault_code, fault_message FROM job_run \
             WHERE state = 'running' AND node = ?",
        )
        .bind(node)
        .fetch_all(&self.writer)
        .await
        .map_err(|error| failed("read the runs of a server", &error))?;
        rows.into_iter().map(run).collect()
    }

    /// Gives up what a server ran before it went away, and returns it.
    pub(crate) async fn lose_runs_of(
        &self,
        node: &str,
        now: DateTime<Utc>,
    ) -> Result<Vec<Run>, Fault> {
        let rows: Vec<RunRow> = sqlx::query_as(
            "UPDATE job_run SET state = 'lost', ended = ?, lease_until = NULL, \
             fault_message = 'the server stopped during the run' \
             WHERE state = 'running' AND node = ? \
             RETURNING job, fire_time, attempt, fence, node, state, cause, started, ended, \
             elapsed_ms, cid, fault_code, fault_message",
        )
        .bind(now.timestamp_millis())
        .bind(node)
        .fetch_all(&self.writer)
        .await
        .map_err(|error| failed("give up the runs of a server", &error))?;
        rows.into_iter().map(run).collect()
    }

    /// Gives up what other servers ran and did not renew, and returns it.
    pub(crate) async fn lose_expired_runs(
        &self,
        node: &str,
        now: DateTime<Utc>,
    ) -> Result<Vec<Run>, Fault> {
        let rows: Vec<RunRow> = sqlx::query_as(
            "UPDATE job_run SET state = 'lost', ended = ?1, lease_until = NULL, \
             fault_message = 'the server was not heard of during the run' \
             WHERE state = 'running' AND node <> ?2 AND lease_until < ?1 \
             RETURNING job, fire_time, attempt, fence, node, state, cause, started, ended, \
             elapsed_ms, cid, fault_code, fault_message",
        )
        .bind(now.timestamp_millis())
        .bind(node)
        .fetch_all(&self.writer)
        .await
        .map_err(|error| failed("give up expired runs", &error))?;
        rows.into_iter().map(run).collect()
    }

    /// Returns the runs of a job, newest first.
    pub(crate) async fn runs(&self, job: &ObjectName, limit: u32) -> Result<Vec<Run>, Fault> {
        let rows: Vec<RunRow> = sqlx::query_as(
            "SELECT job, fire_time, attempt, fence, node, state, cause, started, ended, \
             elapsed_ms, cid, fault_code, fault_message FROM job_run WHERE job = ? \
             ORDER BY fire_time DESC, attempt DESC LIMIT ?",
        )
        .bind(job.as_str())
        .bind(limit)
        .fetch_all(&self.reader)
        .await
        .map_err(|error| failed("read the runs of a job", &error))?;
        rows.into_iter().map(run).collect()
    }

    /// Returns the run of a job that started last.
    pub(crate) async fn last_run(&self, job: &ObjectName) -> Result<Option<Run>, Fault> {
        let row: Option<RunRow> = sqlx::query_as(
            "SELECT job, fire_time, attempt, fence, node, state, cause, started, ended, \
             elapsed_ms, cid, fault_code, fault_message FROM job_run \
             WHERE job = ? AND started IS NOT NULL ORDER BY started DESC, fence DESC LIMIT 1",
        )
        .bind(job.as_str())
        .fetch_optional(&self.reader)
        .await
        .map_err(|error| failed("read the last run of a job", &error))?;
        row.map(run).transpose()
    }

    /// Returns one run.
    pub(crate) async fn run(
        &self,
        job: &ObjectName,
        fire_time: DateTime<Utc>,
        attempt: u32,
    ) -> Result<Option<Run>, Fault> {
        let row: Option<RunRow> = sqlx::query_as(
            "SELECT job, fire_time, attempt, fence, node, state, cause, started, ended, \
             elapsed_ms, cid, fault_code, fault_message FROM job_run \
             WHERE job = ? AND fire_time = ? AND attempt = ?",
        )
        .bind(job.as_str())
        .bind(fire_time.timestamp_millis())
        .bind(attempt)
        .fetch_optional(&self.reader)
        .await
        .map_err(|error| failed("read a run", &error))?;
        row.map(run).transpose()
    }

    /// Forgets all but the newest runs of a job: as many that started as that were skipped.
    ///
    /// Skipped ones are counted apart, so that a long pause does not push the real history out. The
    /// fence says what is new: clocks may go back, and then a run would be forgotten as it ends.
    pub(crate) async fn prune_runs(&self, job: &ObjectName, keep: u32) -> Result<(), Fault> {
        for skipped in [true, false] {
            sqlx::query(
                "DELETE FROM job_run WHERE job = ?1 AND (state = 'skipped') = ?2 \
                 AND state NOT IN ('running', 'queued') AND fence < \
                 (SELECT fence FROM job_run WHERE job = ?1 AND (state = 'skipped') = ?2 \
                  ORDER BY fence DESC LIMIT 1 OFFSET ?3)",
            )
            .bind(job.as_str())
            .bind(skipped)
            .bind(keep.saturating_sub(1))
            .execute(&self.writer)
            .await
            .map_err(|error| failed("forget old runs", &error))?;
        }
        Ok(())
    }
}

/// Returns the run of a row.
pub(in crate::store) fn run(row: RunRow) -> Result<Run, Fault> {
    let (
        job,
        fire_time,
        attempt,
        fence,
        node,
        state,
        cause,
        started,
        ended,
        elapsed_ms,
        cid,
        fault_code,
        fault_message,
    ) = row;
    Ok(Run {
        job: object_name(&job)?,
        fire_time: moment(fire_time)?,
        attempt,
        fence,
        node,
        state: RunState::parse(&state).ok_or_else(|| strange("state of a run", &state))?,
        cause: Cause::parse(&cause).ok_or_else(|| strange("cause of a run", &cause))?,
        started: maybe_moment(started)?,
        ended: maybe_moment(ended)?,
        elapsed_ms,
        cid,
        fault_code,
        fault_message,
    })
}

impl RunState {
    const NAMES: &'static [(Self, &'static str)] = &[
        (Self::Queued, "queued"),
        (Self::Running, "running"),
        (Self::Done, "done"),
        (Self::Failed, "failed"),
        (Self::Lost, "lost"),
        (Self::Skipped, "skipped"),
        (Self::TimedOut, "timed_out"),
        (Self::Cancelled, "cancelled"),
    ];

    /// Returns the word for it, as stored and shown.
    pub(crate) fn as_str(self) -> &'static str {
        let entry = Self::NAMES.iter().find(|(state, _)| *state == self);
        entry.map_or("", |(_, name)| name)
    }

    fn parse(text: &str) -> Option<Self> {
        let entry = Self::NAMES.iter().find(|(_, name)| *name == text);
        entry.map(|(state, _)| *state)
    }
}

impl Cause {
    const NAMES: &'static [(Self, &'static str)] = &[
        (Self::Schedule, "schedule"),
        (Self::Start, "start"),
        (Self::Manual, "manual"),
        (Self::CatchUp, "catch_up"),
    ];

    /// Returns the word for it, as stored and shown.
    pub(crate) fn as_str(self) -> &'static str {
        let entry = Self::NAMES.iter().find(|(cause, _)| *cause == self);
        entry.map_or("", |(_, name)| name)
    }

    fn parse(text: &str) -> Option<Self> {
        let entry = Self::NAMES.iter().find(|(_, name)| *name == text);
        entry.map(|(cause, _)| *cause)
    }
}
