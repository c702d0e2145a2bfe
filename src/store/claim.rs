//! The claims of runs: which of the fire times that are due start, wait or are skipped.
//!
//! All of it happens in one transaction. The key (job, fire time, attempt) makes a second start of
//! the same fire time impossible, whatever the clocks say.

use chrono::{DateTime, Utc};
use sqlx::{Sqlite, Transaction};

use crate::base::{Cid, Fault, ObjectName};
use crate::store::db::failed;
use crate::store::row::object_name;
use crate::store::run::{RunRow, run};
use crate::store::{Cause, Run, RunState, Store};

/// How many runs of a job may wait for their turn; more are skipped.
const QUEUE: i64 = 10;

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

impl Store {
    /// Claims runs in one transaction and returns those that are new, with what became of them.
    ///
    /// A fire time that was claimed before is passed over. Returns `None`, and claims nothing, when
    /// the schedule stands elsewhere than the claim assumes.
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
