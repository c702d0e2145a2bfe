//! What turns the scheduler: one task sleeps until the earliest fire time, claims what is due and
//! starts it.
//!
//! The database is the truth: a run that is not claimed there never starts, and what is claimed
//! there never starts twice. In memory stands only what the present set of jobs looks like.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use tokio::sync::{Notify, watch};
use tokio_util::sync::CancellationToken;
use tracing::{debug, error, warn};

use crate::base::{Clock, Code, Fault, ObjectName, closest};
use crate::schedule::plan::{new_run, placing, plan};
use crate::schedule::reconcile::Known;
use crate::schedule::run::launch;
use crate::schedule::scheduler::{busy, no_job, stopping};
use crate::schedule::{JobSpec, Overlap, RunJob, RunRecord};
use crate::store::{Advance, Cause, Claim, Ending, NewRun, RunState, Store};
use crate::tasks::Tasks;

/// How long a claim holds without being renewed.
const LEASE: TimeDelta = TimeDelta::seconds(30);

/// How often claims are renewed.
const RENEWAL: Duration = Duration::from_secs(10);

/// The longest sleep: the clock of the machine may be set meanwhile.
const LONGEST_SLEEP: Duration = Duration::from_secs(10);

/// The sleep after the database failed.
const AFTER_FAILURE: Duration = Duration::from_secs(2);

/// What the tasks of a scheduler share.
pub(in crate::schedule) struct Inner {
    pub(in crate::schedule) store: Store,
    pub(in crate::schedule) clock: Arc<dyn Clock>,
    pub(in crate::schedule) runner: Arc<dyn RunJob>,
    pub(in crate::schedule) tasks: Tasks,
    pub(in crate::schedule) node: String,
    /// Rings when the earliest fire time may have changed.
    pub(in crate::schedule) wake: Notify,
    /// Held through every change of a schedule, so that ticks and edits come one after another.
    pub(in crate::schedule) jobs: tokio::sync::Mutex<Jobs>,
    /// The runs that go on here, by fence. A plain lock: held for map operations only.
    pub(in crate::schedule) active: Mutex<HashMap<i64, Active>>,
    /// Counts the ends of runs, for those who wait for one.
    pub(in crate::schedule) ends: watch::Sender<u64>,
}

/// The present set of jobs.
#[derive(Default)]
pub(in crate::schedule) struct Jobs {
    pub(in crate::schedule) known: BTreeMap<ObjectName, Known>,
    /// Whether `start` was called.
    pub(in crate::schedule) started: bool,
    /// The jobs whose run at start is behind them.
    pub(in crate::schedule) ran_at_start: HashSet<ObjectName>,
}

/// A run that goes on here.
pub(in crate::schedule) struct Active {
    job: ObjectName,
    cancel: CancellationToken,
}

impl Jobs {
    pub(in crate::schedule) fn find(&self, name: &str) -> Result<&Known, Fault> {
        let names = || self.known.keys().map(ObjectName::as_str);
        self.known
            .get(name)
            .ok_or_else(|| no_job(name, closest(name, names())))
    }
}

impl Inner {
    pub(in crate::schedule) fn new(
        store: Store,
        clock: Arc<dyn Clock>,
        runner: Arc<dyn RunJob>,
        tasks: Tasks,
        node: String,
    ) -> Self {
        Self {
            store,
            clock,
            runner,
            tasks,
            node,
            wake: Notify::new(),
            jobs: tokio::sync::Mutex::default(),
            active: Mutex::default(),
            ends: watch::Sender::default(),
        }
    }

    /// Starts everything that is due and returns the earliest fire time ahead.
    pub(in crate::schedule) async fn tick(
        self: &Arc<Self>,
    ) -> Result<Option<DateTime<Utc>>, Fault> {
        self.fire_due(&mut *self.jobs.lock().await).await
    }

    /// Starts waiting runs, then what was missed, and last the runs at start, which give way to both.
    pub(in crate::schedule) async fn catch_up(
        self: &Arc<Self>,
        jobs: &mut Jobs,
    ) -> Result<(), Fault> {
        for job in self.store.queued_jobs().await? {
            self.start_waiting(jobs, &job).await?;
        }
        self.fire_due(jobs).await?;
        self.run_at_start(jobs).await
    }

    pub(in crate::schedule) async fn fire_due(
        self: &Arc<Self>,
        jobs: &mut Jobs,
    ) -> Result<Option<DateTime<Utc>>, Fault> {
        let now = self.clock.now();
        let due = |known: &&Known| known.state.next_fire.is_some_and(|next| next <= now);
        let due = jobs.known.values().filter(due);
        let names: Vec<ObjectName> = due.map(|known| known.state.job.clone()).collect();
        for name in names {
            self.fire(jobs, &name).await?;
        }
        let enabled = jobs.known.values().filter(|known| known.state.enabled);
        Ok(enabled.filter_map(|known| known.state.next_fire).min())
    }

    /// Claims and starts what is due of one job.
    pub(in crate::schedule) async fn fire(
        self: &Arc<Self>,
        jobs: &mut Jobs,
        name: &ObjectName,
    ) -> Result<(), Fault> {
        let now = self.clock.now();
        let Some(known) = jobs.known.get_mut(name).filter(|known| known.state.enabled) else {
            return Ok(());
        };
        let Some(plan) = plan(&known.spec, &known.timetable, &known.state, now) else {
            return Ok(());
        };
        let claim = self.claim(name, Some(plan.advance), plan.runs);
        let Some(runs) = self.store.claim_runs(claim).await? else {
            // Another server was faster: look where the schedule stands now.
            let states = self.store.job_states().await?;
            let state = states.into_iter().find(|state| state.job == *name);
            known.state = state.unwrap_or_else(|| known.state.clone());
            return Ok(());
        };
        known.state.next_fire = plan.advance.to;
        known.state.fired_count = known.state.fired_count.saturating_add(plan.advance.fires);
        let spec = Arc::clone(&known.spec);
        self.begin(&spec, runs);
        Ok(())
    }

    fn claim(&self, job: &ObjectName, advance: Option<Advance>, runs: Vec<NewRun>) -> Claim {
        let now = self.clock.now();
        Claim {
            job: job.clone(),
            node: self.node.clone(),
            now,
            lease_until: now + LEASE,
            advance,
            runs,
        }
    }

    /// Starts those of the claimed runs whose turn it is.
    fn begin(self: &Arc<Self>, spec: &Arc<JobSpec>, runs: Vec<RunRecord>) {
        for run in runs {
            let (job, cid) = (&run.job, &run.cid);
            match run.state {
                RunState::Running => {
                    if spec.overlap == Overlap::Cancel {
                        self.cancel_before(&run);
                    }
                    launch(self, spec, run);
                }
                RunState::Skipped if run.fault_message.is_some() => {
                    let detail = run.fault_message.as_deref();
                    debug!(%job, %cid, detail, "Job run skipped.");
                }
                _ => {}
            }
        }
    }

    pub(in crate::schedule) async fn run_at_start(
        self: &Arc<Self>,
        jobs: &mut Jobs,
    ) -> Result<(), Fault> {
        let wanted: Vec<Known> = jobs
            .known
            .values()
            .filter(|known| known.spec.run_at_start && known.state.enabled && !known.state.paused)
            .cloned()
            .collect();
        for known in wanted {
            if jobs.ran_at_start.insert(known.state.job.clone()) {
                self.run_apart(&known, Cause::Start).await?;
            }
        }
        Ok(())
    }

    /// Claims and starts a run beside the timetable.
    pub(in crate::schedule) async fn run_apart(
        self: &Arc<Self>,
        known: &Known,
        cause: Cause,
    ) -> Result<RunRecord, Fault> {
        let mut fire_time = self.clock.now();
        // The key of a run is its fire time: a moment that is taken makes way for the next.
        for _attempt in 0..1000 {
            let new = new_run(fire_time, cause, placing(known.spec.overlap));
            let claim = self.claim(&known.state.job, None, vec![new]);
            let runs = self.store.claim_runs(claim).await?.unwrap_or_default();
            if let Some(run) = runs.first().cloned() {
                self.begin(&known.spec, runs);
                return Ok(run);
            }
            fire_time += TimeDelta::milliseconds(1);
        }
        Err(busy(known.state.job.as_str(), None))
    }

    /// Starts the next waiting run of a job, if its turn has come.
    async fn start_waiting(self: &Arc<Self>, jobs: &Jobs, job: &ObjectName) -> Result<(), Fault> {
        let Some(known) = jobs.known.get(job).filter(|known| known.state.enabled) else {
            return self
                .store
                .skip_queued(job, "the job was switched off")
                .await;
        };
        let now = self.clock.now();
        let run = self
            .store
            .start_queued(job, &self.node, now, now + LEASE)
            .await?;
        self.begin(&known.spec, run.into_iter().collect());
        Ok(())
    }

    /// Does what waits for the end of a run: wakes those who wait, starts the next.
    pub(in crate::schedule) async fn follow_up(self: &Arc<Self>, job: &ObjectName) {
        if !self.tasks.soft.is_cancelled() {
            let jobs = self.jobs.lock().await;
            if let Err(fault) = self.start_waiting(&jobs, job).await {
                error!(%job, error = ?fault, "Waiting run not started.");
            }
        }
        self.ends.send_modify(|ends| *ends = ends.wrapping_add(1));
    }

    /// Returns a run once it has ended.
    pub(in crate::schedule) async fn ended(
        &self,
        run: &RunRecord,
        ends: &mut watch::Receiver<u64>,
    ) -> Result<RunRecord, Fault> {
        loop {
            let present = self.store.run(&run.job, run.fire_time, run.attempt).await?;
            let present = present.ok_or_else(|| {
                let message = format!("the run of job '{}' is not remembered any more", run.job);
                Fault::new(Code::UnknownJob, message)
            })?;
            if !matches!(present.state, RunState::Queued | RunState::Running) {
                return Ok(present);
            }
            if ends.changed().await.is_err() {
                return Err(stopping());
            }
        }
    }

    /// Notes that a run goes on here, and returns what cancels it.
    pub(in crate::schedule) fn register(&self, run: &RunRecord) -> CancellationToken {
        let cancel = CancellationToken::new();
        let active = Active {
            job: run.job.clone(),
            cancel: cancel.clone(),
        };
        let mut map = self.active.lock().unwrap_or_else(PoisonError::into_inner);
        map.insert(run.fence, active);
        cancel
    }

    /// Notes that a run does not go on any more.
    pub(in crate::schedule) fn unregister(&self, run: &RunRecord) {
        let mut map = self.active.lock().unwrap_or_else(PoisonError::into_inner);
        map.remove(&run.fence);
    }

    fn cancel_before(&self, run: &RunRecord) {
        let map = self.active.lock().unwrap_or_else(PoisonError::into_inner);
        let older =
            |(fence, active): &(&i64, &Active)| **fence < run.fence && active.job == run.job;
        map.iter()
            .filter(older)
            .for_each(|(_, active)| active.cancel.cancel());
    }

    pub(in crate::schedule) fn spawn_ticks(self: &Arc<Self>) {
        let inner = Arc::clone(self);
        self.tasks.spawn("scheduler", async move {
            while !inner.tasks.soft.is_cancelled() {
                let sleep = match inner.tick().await {
                    Ok(next) => inner.until(next),
                    Err(fault) => {
                        error!(error = ?fault, "Scheduler cannot reach the database.");
                        AFTER_FAILURE
                    }
                };
                tokio::select! {
                    () = inner.tasks.soft.cancelled() => {}
                    () = inner.wake.notified() => {}
                    () = tokio::time::sleep(sleep) => {}
                }
            }
        });
    }

    fn until(&self, next: Option<DateTime<Utc>>) -> Duration {
        let ahead = next.map(|next| (next - self.clock.now()).to_std().unwrap_or_default());
        let sleep = ahead.unwrap_or(LONGEST_SLEEP).min(LONGEST_SLEEP);
        // Never less than the timer can do, or the last stretch becomes a busy loop.
        sleep.max(Duration::from_millis(1))
    }

    /// Renews what runs here and gives up what other servers left behind.
    pub(in crate::schedule) fn spawn_renewals(self: &Arc<Self>) {
        let inner = Arc::clone(self);
        self.tasks.spawn("job leases", async move {
            while !inner.tasks.soft.is_cancelled() {
                if let Err(fault) = inner.renew().await {
                    error!(error = ?fault, "Job leases not renewed.");
                }
                tokio::select! {
                    () = inner.tasks.soft.cancelled() => {}
                    () = tokio::time::sleep(RENEWAL) => {}
                }
            }
        });
    }

    pub(in crate::schedule) async fn renew(self: &Arc<Self>) -> Result<(), Fault> {
        // Under this lock every claim is followed by its start, so what does not go on here never
        // began.
        let jobs = self.jobs.lock().await;
        let now = self.clock.now();
        let claimed = self.store.running_on(&self.node).await?;
        for run in claimed.iter().filter(|run| !self.goes_on(run)) {
            self.give_up(&jobs, run, now).await?;
        }
        if !claimed.is_empty() {
            self.store.renew_runs(&self.node, now + LEASE).await?;
        }
        for run in self.store.lose_expired_runs(&self.node, now).await? {
            warn!(job = %run.job, cid = %run.cid, node = run.node, "Job run was lost.");
            self.start_waiting(&jobs, &run.job).await?;
        }
        Ok(())
    }

    fn goes_on(&self, run: &RunRecord) -> bool {
        let map = self.active.lock().unwrap_or_else(PoisonError::into_inner);
        map.contains_key(&run.fence)
    }

    /// Records a run as lost whose claim succeeded and whose start was cut off, as when a caller
    /// hung up.
    async fn give_up(
        self: &Arc<Self>,
        jobs: &Jobs,
        run: &RunRecord,
        now: DateTime<Utc>,
    ) -> Result<(), Fault> {
        let message = "its start was interrupted".to_owned();
        let ending = Ending {
            state: RunState::Lost,
            ended: now,
            elapsed_ms: 0,
            fault: Some((Code::ServiceGone.as_str().to_owned(), message)),
        };
        // It may have ended since it was read: then there is nothing to give up.
        if self.store.finish_run(run, &ending).await? {
            warn!(job = %run.job, cid = %run.cid, "Job run was lost.");
            self.start_waiting(jobs, &run.job).await?;
        }
        Ok(())
    }
}
