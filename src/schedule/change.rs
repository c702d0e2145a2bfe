//! The changes an operator makes: another set of jobs, a pause, a run by hand.
//!
//! Each holds the lock of the jobs from its first look to its last word, and brings the schedule up
//! to the present moment first, so that a fire time just past is treated as what it was.

use std::sync::Arc;

use tracing::{info, warn};

use crate::base::{Code, Fault};
use crate::schedule::inner::{Inner, Jobs};
use crate::schedule::reconcile::{Known, Reconciled, reconcile};
use crate::schedule::scheduler::stopping;
use crate::schedule::{JobSpecNamed, RunRecord};
use crate::store::{Cause, JobState};

impl Inner {
    pub(in crate::schedule) async fn set_jobs(
        self: &Arc<Self>,
        wanted: Vec<JobSpecNamed>,
    ) -> Result<(), Fault> {
        let mut jobs = self.jobs.lock().await;
        if jobs.started {
            self.fire_due(&mut jobs).await?;
        }
        let stored = self.store.job_states().await?;
        let mut result = reconcile(wanted, stored, self.clock.now());
        let states = result.known.values().map(|known| known.state.clone());
        let states: Vec<JobState> = states.collect();
        self.store.save_job_states(&states, &result.removed).await?;
        jobs.known = std::mem::take(&mut result.known);
        log_changes(&jobs, &result);
        for job in &result.unscheduled {
            self.store
                .skip_queued(job, "the job was switched off")
                .await?;
        }
        if jobs.started {
            self.catch_up(&mut jobs).await?;
        }
        self.wake.notify_one();
        Ok(())
    }

    pub(in crate::schedule) async fn start(self: &Arc<Self>) -> Result<(), Fault> {
        let mut jobs = self.jobs.lock().await;
        let lost = self
            .store
            .lose_runs_of(&self.node, self.clock.now())
            .await?;
        for run in lost {
            warn!(job = %run.job, cid = %run.cid, "Job run was lost when the server stopped.");
        }
        jobs.started = true;
        self.catch_up(&mut jobs).await?;
        drop(jobs);
        self.spawn_ticks();
        self.spawn_renewals();
        Ok(())
    }

    pub(in crate::schedule) async fn run_manually(
        self: &Arc<Self>,
        name: &str,
    ) -> Result<(Known, RunRecord), Fault> {
        if self.tasks.soft.is_cancelled() {
            return Err(stopping());
        }
        let jobs = self.jobs.lock().await;
        let known = jobs.find(name)?;
        if !known.state.enabled {
            let fault = Fault::new(Code::UnknownJob, format!("job '{name}' is disabled"));
            return Err(fault.hint("Set `enabled: true` in its definition."));
        }
        let run = self.run_apart(known, Cause::Manual).await?;
        Ok((known.clone(), run))
    }

    pub(in crate::schedule) async fn pause(
        self: &Arc<Self>,
        name: &str,
        note: &str,
    ) -> Result<(), Fault> {
        let mut jobs = self.jobs.lock().await;
        let job = jobs.find(name)?.state.job.clone();
        self.fire(&mut jobs, &job).await?;
        let state = JobState {
            paused: true,
            note: note.to_owned(),
            ..jobs.find(name)?.state.clone()
        };
        self.change(&mut jobs, state).await?;
        self.store.skip_queued(&job, "the job was paused").await?;
        info!(%job, note, "Job paused.");
        Ok(())
    }

    pub(in crate::schedule) async fn resume(self: &Arc<Self>, name: &str) -> Result<(), Fault> {
        let mut jobs = self.jobs.lock().await;
        let job = jobs.find(name)?.state.job.clone();
        self.fire(&mut jobs, &job).await?;
        let state = JobState {
            paused: false,
            note: String::new(),
            ..jobs.find(name)?.state.clone()
        };
        let next = state.next_fire.map(|next| next.to_rfc3339());
        self.change(&mut jobs, state).await?;
        self.wake.notify_one();
        info!(%job, next, "Job resumed.");
        Ok(())
    }

    async fn change(&self, jobs: &mut Jobs, state: JobState) -> Result<(), Fault> {
        let states = std::slice::from_ref(&state);
        self.store.save_job_states(states, &[]).await?;
        if let Some(known) = jobs.known.get_mut(&state.job) {
            known.state = state;
        }
        Ok(())
    }
}

fn log_changes(jobs: &Jobs, result: &Reconciled) {
    for job in &result.unscheduled {
        info!(%job, "Job unscheduled.");
    }
    for job in &result.scheduled {
        let next = jobs.known.get(job).and_then(|known| known.state.next_fire);
        let next = next.map(|next| next.to_rfc3339());
        info!(%job, next, "Job scheduled.");
    }
    for (job, fault) in &result.refused {
        warn!(%job, code = fault.code_text(), error = fault.message(), "Job not scheduled.");
    }
}
