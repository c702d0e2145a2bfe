//! The scheduler as others see it: the present set of jobs, and what an operator does with one.

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, FixedOffset};
use tokio::sync::oneshot;

use crate::base::{Clock, Code, Fault, ObjectName};
use crate::schedule::inner::Inner;
use crate::schedule::plan::repeats_left;
use crate::schedule::reconcile::Known;
use crate::schedule::view::view;
use crate::schedule::{JobSpecNamed, JobView, RunJob, RunRecord};
use crate::store::{RunState, Store};
use crate::tasks::Tasks;

/// Runs the jobs of a server. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Scheduler(Arc<Inner>);

impl Scheduler {
    /// Makes a scheduler that does nothing before `start`.
    pub(crate) fn new(
        store: Store,
        clock: Arc<dyn Clock>,
        runner: Arc<dyn RunJob>,
        tasks: Tasks,
        node: String,
    ) -> Self {
        Self(Arc::new(Inner::new(store, clock, runner, tasks, node)))
    }

    /// Takes over the present set of jobs: those that did not change go on undisturbed.
    pub(crate) async fn set_jobs(&self, wanted: Vec<JobSpecNamed>) -> Result<(), Fault> {
        let inner = Arc::clone(&self.0);
        let change = async move { inner.set_jobs(wanted).await };
        self.whole(change).await
    }

    /// Gives up what an earlier process left behind and starts to tick.
    pub(crate) async fn start(&self) -> Result<(), Fault> {
        let inner = Arc::clone(&self.0);
        let change = async move { inner.start().await };
        self.whole(change).await
    }

    /// Runs a job now, also a paused one; with `wait`, returns when the run has ended.
    pub(crate) async fn run_now(&self, name: &str, wait: bool) -> Result<RunRecord, Fault> {
        // Listening begins before the run does, so that its end cannot be missed.
        let mut ends = self.0.ends.subscribe();
        let (inner, job) = (Arc::clone(&self.0), name.to_owned());
        let change = async move { inner.run_manually(&job).await };
        let (known, run) = self.whole(change).await?;
        if run.state == RunState::Skipped {
            return Err(busy(name, run.fault_message.as_deref()));
        }
        if !wait {
            return Ok(run);
        }
        // It may wait for others first, each of which ends at its timeout at the latest.
        let patience = Duration::from(known.spec.timeout) * 12 + Duration::from_mins(1);
        let ended = tokio::time::timeout(patience, self.0.ended(&run, &mut ends));
        ended.await.unwrap_or_else(|_elapsed| {
            let message = format!("the run of job '{name}' has not ended yet");
            Err(Fault::new(Code::WaitTimeout, message))
        })
    }

    /// Stops a job for a while; what runs goes on. Its fire times are recorded as skipped.
    pub(crate) async fn pause(&self, name: &str, note: &str) -> Result<(), Fault> {
        let (inner, name, note) = (Arc::clone(&self.0), name.to_owned(), note.to_owned());
        let change = async move { inner.pause(&name, &note).await };
        self.whole(change).await
    }

    /// Lets a paused job go on; what it missed stays skipped.
    pub(crate) async fn resume(&self, name: &str) -> Result<(), Fault> {
        let (inner, name) = (Arc::clone(&self.0), name.to_owned());
        let change = async move { inner.resume(&name).await };
        self.whole(change).await
    }

    /// Returns all jobs, by name.
    pub(crate) async fn list(&self) -> Result<Vec<JobView>, Fault> {
        let inner = &self.0;
        let jobs: Vec<Known> = inner.jobs.lock().await.known.values().cloned().collect();
        let mut views = Vec::with_capacity(jobs.len());
        for known in jobs {
            let last_run = inner.store.last_run(&known.state.job).await?;
            views.push(view(&known, last_run));
        }
        Ok(views)
    }

    /// Returns the next fire times of a job, as the clocks of its time zone show them.
    pub(crate) async fn next(
        &self,
        name: &str,
        n: usize,
    ) -> Result<Vec<DateTime<FixedOffset>>, Fault> {
        let known = self.0.jobs.lock().await.find(name)?.clone();
        let left = repeats_left(&known.spec, known.state.fired_count);
        let Some(first) = known.state.next_fire else {
            return Ok(Vec::new());
        };
        let further = known.timetable.upcoming(first, n.saturating_sub(1));
        Ok(std::iter::once(first)
            .chain(further)
            .take(n.min(left.unwrap_or(n)))
            .map(|at| known.timetable.local_moment(at))
            .collect())
    }

    /// Returns the runs of a job, newest first; also of one that was removed.
    pub(crate) async fn history(&self, name: &str, limit: u32) -> Result<Vec<RunRecord>, Fault> {
        let unknown = self.0.jobs.lock().await.find(name).err();
        let job = ObjectName::new(name).ok_or_else(|| no_job(name, None))?;
        let runs = self.0.store.runs(&job, limit).await?;
        match unknown {
            Some(fault) if runs.is_empty() => Err(fault),
            _ => Ok(runs),
        }
    }

    /// Makes a change in a task of its own: a caller who hangs up must not leave it half done.
    async fn whole<T: Send + 'static>(
        &self,
        change: impl Future<Output = Result<T, Fault>> + Send + 'static,
    ) -> Result<T, Fault> {
        let (tx, rx) = oneshot::channel();
        self.0.tasks.spawn("job change", async move {
            // Nobody may be waiting any more: that is the point.
            drop(tx.send(change.await));
        });
        rx.await.map_err(|_gone| stopping())?
    }
}

#[cfg(test)]
impl Scheduler {
    /// Looks at once what is due. The ticking task does so by itself.
    pub(in crate::schedule) async fn tick(&self) -> Result<(), Fault> {
        self.0.tick().await.map(drop)
    }

    /// Makes the ticking task look at the clock, as after someone set it.
    pub(in crate::schedule) fn wake(&self) {
        self.0.wake.notify_one();
    }

    /// Renews leases at once.
    pub(in crate::schedule) async fn renew(&self) {
        self.0.renew().await.unwrap();
    }

    /// Waits until `n` runs have ended.
    pub(in crate::schedule) async fn ends(&self, n: u64) {
        let mut ends = self.0.ends.subscribe();
        ends.wait_for(|ends| *ends >= n).await.unwrap();
    }

    /// Waits until no more than `n` runs go on.
    pub(in crate::schedule) async fn quiet(&self, n: usize) {
        let mut ends = self.0.ends.subscribe();
        while self.0.active.lock().unwrap().len() > n {
            ends.changed().await.unwrap();
        }
    }
}

pub(in crate::schedule) fn no_job(name: &str, close: Option<&str>) -> Fault {
    let fault = Fault::new(Code::UnknownJob, format!("there is no job named '{name}'"));
    match close {
        Some(close) => fault.hint(format!("Did you mean `{close}`?")),
        None => fault,
    }
}

pub(in crate::schedule) fn busy(name: &str, reason: Option<&str>) -> Fault {
    let reason = reason.unwrap_or("too many runs at once");
    Fault::new(
        Code::JobBusy,
        format!("job '{name}' cannot run now: {reason}"),
    )
    .hint("Wait for the run to end, or give the job another `overlap`.")
}

pub(in crate::schedule) fn stopping() -> Fault {
    Fault::new(Code::ServiceGone, "the server is stopping")
}
