//! One run of a job: from its claim to its recorded end.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt as _;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tracing::{debug, error, info, warn};

use crate::base::{BoxFuture, Cid, Code, Fault, Millis, ServiceName};
use crate::contract::JobInfo;
use crate::schedule::inner::Inner;
use crate::schedule::{JobSpec, RunRecord};
use crate::store::{Ending, RunState};

/// How many runs of a job are remembered, and as many that were skipped.
const REMEMBERED: u32 = 100;

/// Runs services for jobs.
pub(crate) trait RunJob: Send + Sync {
    /// Calls the service of a job. Dropping the future cancels the call.
    fn run(
        &self,
        job: JobInfo,
        service: ServiceName,
        payload: serde_json::Value,
        timeout: Millis,
        cid: Cid,
    ) -> BoxFuture<'static, Result<(), Fault>>;
}

/// Starts a run that was claimed.
pub(in crate::schedule) fn launch(inner: &Arc<Inner>, spec: &Arc<JobSpec>, run: RunRecord) {
    let cancel = inner.register(&run);
    let (inner, spec) = (Arc::clone(inner), Arc::clone(spec));
    inner.tasks.clone().spawn("job run", async move {
        carry_out(&inner, &spec, &run, &cancel).await;
        inner.unregister(&run);
        inner.follow_up(&run.job).await;
    });
}

async fn carry_out(inner: &Inner, spec: &JobSpec, run: &RunRecord, cancel: &CancellationToken) {
    let started = Instant::now();
    let (state, fault) = call(inner, spec, run, cancel).await;
    let elapsed_ms = i64::try_from(started.elapsed().as_millis()).unwrap_or(i64::MAX);
    log(spec, run, elapsed_ms, fault.as_ref());
    let fault = fault.map(|fault| (fault.code_text().to_owned(), fault.message().to_owned()));
    let ending = Ending {
        state,
        ended: inner.clock.now(),
        elapsed_ms,
        fault,
    };
    record(inner, run, &ending).await;
}

async fn call(
    inner: &Inner,
    spec: &JobSpec,
    run: &RunRecord,
    cancel: &CancellationToken,
) -> (RunState, Option<Fault>) {
    let info = JobInfo {
        name: run.job.clone(),
        fire_time: run.fire_time,
        attempt: run.attempt,
        fence: run.fence,
    };
    let cid = Cid::accept(&run.cid).unwrap_or_else(Cid::fresh);
    let service = spec.service.clone();
    let call = inner
        .runner
        .run(info, service, spec.payload.clone(), spec.timeout, cid);
    // A panic must not leave the run open, or no other would ever start.
    let call = AssertUnwindSafe(call).catch_unwind();
    tokio::select! {
        () = cancel.cancelled() => {
            let message = format!("job '{}' was cancelled for its next run", run.job);
            (RunState::Cancelled, Some(Fault::new(Code::ServiceGone, message)))
        }
        result = tokio::time::timeout(spec.timeout.into(), call) => match result {
            Ok(Ok(Ok(()))) => (RunState::Done, None),
            Ok(Ok(Err(fault))) => (RunState::Failed, Some(fault)),
            Ok(Err(_panic)) => {
                let message = format!("job '{}' ended unexpectedly", run.job);
                (RunState::Failed, Some(Fault::new(Code::Internal, message)))
            }
            Err(_elapsed) => {
                let message = format!("job '{}' passed its timeout of {}", run.job, spec.timeout);
                (RunState::TimedOut, Some(Fault::new(Code::WallBudget, message)))
            }
        }
    }
}

fn log(spec: &JobSpec, run: &RunRecord, elapsed_ms: i64, fault: Option<&Fault>) {
    let (job, service, cid) = (&run.job, &spec.service, &run.cid);
    match fault {
        None => info!(%job, %service, %cid, elapsed_ms, "Job executed."),
        Some(fault) => warn!(
            %job,
            %service,
            %cid,
            elapsed_ms,
            code = fault.code_text(),
            error = fault.message(),
            detail = fault.detail_text(),
            "Job failed."
        ),
    }
}

/// Records the end of a run, patiently: while it is open, no other may start.
async fn record(inner: &Inner, run: &RunRecord, ending: &Ending) {
    let mut pause = Duration::from_secs(1);
    while !tell(inner, run, ending).await && !inner.tasks.soft.is_cancelled() {
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(Duration::from_secs(30));
    }
    if let Err(fault) = inner.store.prune_runs(&run.job, REMEMBERED).await {
        debug!(job = %run.job, error = ?fault, "Old runs not forgotten.");
    }
}

/// Tells the database how a run ended, and returns whether it listened.
async fn tell(inner: &Inner, run: &RunRecord, ending: &Ending) -> bool {
    let (job, cid) = (&run.job, &run.cid);
    match inner.store.finish_run(run, ending).await {
        Ok(true) => true,
        Ok(false) => {
            warn!(%job, %cid, "Job run was given up before it ended.");
            true
        }
        Err(fault) => {
            error!(%job, %cid, error = ?fault, "Job end not recorded.");
            false
        }
    }
}
