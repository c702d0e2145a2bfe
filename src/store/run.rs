//! The runs of jobs: claimed in one transaction, finished only by who holds the fence.
//!
//! The key (job, fire time, attempt) makes a second start of the same fire time impossible, whatever the
//! clocks say; the fence makes the late word of a run that was given up harmless.

use chrono::{DateTime, Utc};
use serde::Serialize;
use sqlx::{Sqlite, Transaction};

use crate::base::{Cid, Fault, ObjectName};
use crate::store::Store;
use crate::store::db::failed;
use crate::store::row::{iso, maybe_iso, maybe_moment, moment, object_name, strange};

/// How many runs of a job may wait for their turn; more are skipped.
const QUEUE: i64 = 10;

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

/// A request for runs of a job.
#[derive(Debug)]
pub(crate) struct Claim {
    /// The job.
    pub(crate) job: ObjectName,
    /// The server that claims.
    pub(crate) node: String,
    /// The present moment.
    pub(crate) now: DateTime<Utc>,
    /// Until when others leave the runs alone unless the claim is renewed.
    pub(crate) lease_until: DateTime<Utc>,
    /// Moves the schedule from one fire time to the next; the claim fails when it stands elsewhere.
    pub(crate) advance: Option<Advance>,
    /// The runs, oldest first.
    pub(crate) runs: Vec<NewRun>,
}

/// A move of a job's schedule.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Advance {
    /// The fire time it stands at.
    pub(crate) from: DateTime<Utc>,
    /// The fire time it moves to; `None` when there is none any more.
    pub(crate) to: Option<DateTime<Utc>>,
    /// How many of its fires count towards its repeats.
    pub(crate) fires: i64,
}

/// One run that a claim asks for.
#[derive(Debug)]
pub(crate) struct NewRun {
    /// The moment it is due.
    pub(crate) fire_time: DateTime<Utc>,
    /// What made it.
    pub(crate) cause: Cause,
    /// The correlation id of its call.
    pub(crate) cid: Cid,
    /// What is to become of it.
    pub(crate) placing: Placing,
}

/// What is to become of a new run.
#[derive(Debug)]
pub(crate) enum Placing {
    /// It is recorded as skipped, with the reason.
    Skip(String),
    /// It starts unless this many run already.
    Start {
        /// How many runs of the job there may be at once.
        at_most: u32,
        /// What becomes of it otherwise.
        beyond: Beyond,
    },
}

/// What becomes of a run when too many run already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Beyond {
    /// It is recorded as skipped.
    Skip,
    /// It waits for its turn.
    Queue,
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

#[rustfmt::skip]
type RunRow = (String, i64, u32, i64, String, String, String, Option<i64>, Option<i64>, Option<i64>,
               String, Option<String>, Option<String>);

impl Store {
    /// Claims runs in one transaction and returns those that are new, with what became of them.
    ///
    /// A fire time that was claimed before is passed over. Returns `None`, and claims nothing, when the
    /// schedule stands elsewhere than the claim assumes.
    pub(crate) async fn claim_runs(&self, claim: Claim) -> Result<Option<Vec<Run>>, Fault> {
        let fail = |error| failed("claim the runs of a job", &error);
        let mut transaction = self.begin().await?;
        if let Some(advance) = claim.advance
            && !move_on(&mut transaction, &claim.job, advance)
                .await
                .map_err(fail)?
        {
            return Ok(None);
        }
        let mut claimed = Vec::with_capacity(claim.runs.len());
        for new in &claim.runs {
            let run = place(&mut transaction, &claim, new).await.map_err(fail)?;
            claimed.extend(run);
        }
        transaction.commit().await.map_err(fail)?;
        Ok(Some(claimed))
    }

    /// Starts the oldest waiting run of a job, if none runs.
    pub(crate) async fn start_queued(
        &self,
        job: &ObjectName,
        node: &str,
        now: DateTime<Utc>,
        lease_until: DateTime<Utc>,
    ) -> Result<Option<Run>, Fault> {
        let fail = |error| failed("start a waiting run", &error);
        let mut transaction = self.begin().await?;
        let fence = next_fence(&mut transaction).await.map_err(fail)?;
        let row: Option<RunRow> = sqlx::query_as(
            "UPDATE job_run SET state = 'running', fence = ?, node = ?, started = ?, \
             lease_until = ? WHERE job = ?5 AND state = 'queued' AND fire_time = \
             (SELECT MIN(fire_time) FROM job_run WHERE job = ?5 AND state = 'queued') \
             AND NOT EXISTS (SELECT 1 FROM job_run WHERE job = ?5 AND state = 'running') \
             RETURNING job, fire_time, attempt, fence, node, state, cause, started, ended, \
             elapsed_ms, cid, fault_code, fault_message",
        )
        .bind(fence)
        .bind(node)
        .bind(now.timestamp_millis())
        .bind(lease_until.timestamp_millis())
        .bind(job.as_str())
        .fetch_optional(&mut *transaction)
        .await
        .map_err(fail)?;
        if row.is_some() {
            transaction.commit().await.map_err(fail)?;
        }
        row.map(run).transpose()
    }

    /// Returns the jobs that have runs waiting.
    pub(crate) async fn queued_jobs(&self) -> Result<Vec<ObjectName>, Fault> {
        let rows: Vec<String> =
            sqlx::query_scalar("SELECT DISTINCT job FROM job_run WHERE state = 'queued'")
                .fetch_all(&self.reader)
                .await
                .map_err(|error| failed("read the waiting runs", &error))?;
        rows.iter().map(|name| object_name(name)).collect()
    }

    /// Records the waiting runs of a job as skipped.
    pub(crate) async fn skip_queued(&self, job: &ObjectName, reason: &str) -> Result<(), Fault> {
        sqlx::query(
            "UPDATE job_run SET state = 'skipped', fault_message = ? \
             WHERE job = ? AND state = 'queued'",
        )
        .bind(reason)
        .bind(job.as_str())
        .execute(&self.writer)
        .await
        .map_err(|error| failed("skip the waiting runs", &error))?;
        Ok(())
    }

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
    /// Skipped ones are counted apart, so that a long pause does not push the real history out.
    pub(crate) async fn prune_runs(&self, job: &ObjectName, keep: u32) -> Result<(), Fault> {
        for skipped in [true, false] {
            sqlx::query(
                "DELETE FROM job_run WHERE job = ?1 AND (state = 'skipped') = ?2 \
                 AND state NOT IN ('running', 'queued') AND fire_time < \
                 (SELECT fire_time FROM job_run WHERE job = ?1 AND (state = 'skipped') = ?2 \
                  ORDER BY fire_time DESC LIMIT 1 OFFSET ?3)",
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

/// Moves the schedule of a job; `false` when it stands elsewhere.
async fn move_on(
    transaction: &mut Transaction<'static, Sqlite>,
    job: &ObjectName,
    advance: Advance,
) -> Result<bool, sqlx::Error> {
    let moved = sqlx::query(
        "UPDATE job_state SET next_fire = ?, fired_count = fired_count + ? \
         WHERE job = ? AND next_fire = ?",
    )
    .bind(advance.to.map(|at| at.timestamp_millis()))
    .bind(advance.fires)
    .bind(job.as_str())
    .bind(advance.from.timestamp_millis())
    .execute(&mut **transaction)
    .await?;
    Ok(moved.rows_affected() > 0)
}

/// Inserts a new run with what becomes of it; `None` when its fire time was claimed before.
async fn place(
    transaction: &mut Transaction<'static, Sqlite>,
    claim: &Claim,
    new: &NewRun,
) -> Result<Option<Run>, sqlx::Error> {
    let (state, message) = fate(transaction, &claim.job, &new.placing).await?;
    let started = (state == RunState::Running).then_some(claim.now);
    let fresh = Run {
        job: claim.job.clone(),
        // As the database keeps it, so that the run is found again under its key.
        fire_time: floor(new.fire_time),
        attempt: 1,
        fence: next_fence(transaction).await?,
        node: claim.node.clone(),
        state,
        cause: new.cause,
        started,
        ended: None,
        elapsed_ms: None,
        cid: new.cid.as_str().to_owned(),
        fault_code: None,
        fault_message: message,
    };
    let inserted = sqlx::query(
        "INSERT INTO job_run (job, fire_time, attempt, fence, node, state, cause, lease_until, \
         started, cid, fault_message) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) \
         ON CONFLICT (job, fire_time, attempt) DO NOTHING",
    )
    .bind(fresh.job.as_str())
    .bind(fresh.fire_time.timestamp_millis())
    .bind(fresh.attempt)
    .bind(fresh.fence)
    .bind(&fresh.node)
    .bind(fresh.state.as_str())
    .bind(fresh.cause.as_str())
    .bind(started.map(|_started| claim.lease_until.timestamp_millis()))
    .bind(started.map(|at| at.timestamp_millis()))
    .bind(&fresh.cid)
    .bind(&fresh.fault_message)
    .execute(&mut **transaction)
    .await?;
    Ok((inserted.rows_affected() > 0).then_some(fresh))
}

async fn fate(
    transaction: &mut Transaction<'static, Sqlite>,
    job: &ObjectName,
    placing: &Placing,
) -> Result<(RunState, Option<String>), sqlx::Error> {
    let (at_most, beyond) = match placing {
        Placing::Skip(reason) => return Ok((RunState::Skipped, Some(reason.clone()))),
        Placing::Start { at_most, beyond } => (*at_most, *beyond),
    };
    let (running, waiting) = open_runs(transaction, job).await?;
    let turn = beyond == Beyond::Skip || waiting == 0;
    if running < i64::from(at_most) && turn {
        return Ok((RunState::Running, None));
    }
    let skipped = |why: &str| (RunState::Skipped, Some(why.to_owned()));
    Ok(match beyond {
        Beyond::Skip if at_most == 1 => skipped("the run before it was still going on"),
        Beyond::Skip => skipped("too many runs before it were still going on"),
        Beyond::Queue if waiting < QUEUE => (RunState::Queued, None),
        Beyond::Queue => skipped("too many runs were waiting already"),
    })
}

/// Returns how many runs of a job go on, and how many wait.
async fn open_runs(
    transaction: &mut Transaction<'static, Sqlite>,
    job: &ObjectName,
) -> Result<(i64, i64), sqlx::Error> {
    sqlx::query_as(
        "SELECT COUNT(CASE state WHEN 'running' THEN 1 END), COUNT(*) FROM job_run \
         WHERE job = ? AND state IN ('running', 'queued')",
    )
    .bind(job.as_str())
    .fetch_one(&mut **transaction)
    .await
    .map(|(running, all): (i64, i64)| (running, all - running))
}

async fn next_fence(transaction: &mut Transaction<'static, Sqlite>) -> Result<i64, sqlx::Error> {
    sqlx::query_scalar("UPDATE job_head SET fence = fence + 1 WHERE id = 1 RETURNING fence")
        .fetch_one(&mut **transaction)
        .await
}

fn floor(at: DateTime<Utc>) -> DateTime<Utc> {
    DateTime::from_timestamp_millis(at.timestamp_millis()).unwrap_or(at)
}

fn run(row: RunRow) -> Result<Run, Fault> {
    let (job, fire_time, attempt, fence, node, state, cause, started, ended, elapsed_ms, ..) = &row;
    let (.., cid, fault_code, fault_message) = &row;
    Ok(Run {
        job: object_name(job)?,
        fire_time: moment(*fire_time)?,
        attempt: *attempt,
        fence: *fence,
        node: node.clone(),
        state: RunState::parse(state).ok_or_else(|| strange("state of a run", state))?,
        cause: Cause::parse(cause).ok_or_else(|| strange("cause of a run", cause))?,
        started: maybe_moment(*started)?,
        ended: maybe_moment(*ended)?,
        elapsed_ms: *elapsed_ms,
        cid: cid.clone(),
        fault_code: fault_code.clone(),
        fault_message: fault_message.clone(),
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
