//! The scheduler against a real database, with a clock that the tests set.

mod model;

use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Value, json};
use tokio::sync::watch;

use crate::base::{
    BoxFuture, Cid, Clock, Code, Exit, Fault, Faults, Millis, ObjectName, ServiceName,
};
use crate::contract::{JobInfo, Kind as _};
use crate::schedule::{Job, JobSpec, JobSpecNamed, RunJob, RunRecord, Scheduler};
use crate::store::{Beyond, Cause, Claim, NewRun, Placing, RunState, Store};
use crate::tasks::Tasks;

/// A clock that shows what it is set to, and goes on as the runtime's time does.
struct SetClock {
    base: Mutex<(DateTime<Utc>, tokio::time::Instant)>,
    /// Whether time passes by itself.
    runs: bool,
}

impl SetClock {
    fn set(&self, at: DateTime<Utc>) {
        *self.base.lock().unwrap() = (at, tokio::time::Instant::now());
    }
}

impl Clock for SetClock {
    fn now(&self) -> DateTime<Utc> {
        let (at, since) = *self.base.lock().unwrap();
        let passed = if self.runs {
            since.elapsed()
        } else {
            Duration::ZERO
        };
        at + TimeDelta::from_std(passed).unwrap()
    }
}

/// Notes each start; what it does then stands in the payload.
#[derive(Default)]
struct Recorder {
    starts: Mutex<Vec<(JobInfo, Value, Cid)>>,
    /// Counts up to let go of those that hang; at its end, none hangs any more.
    release: watch::Sender<u64>,
    /// Counts the futures of runs that were dropped or ended.
    gone: Arc<Mutex<usize>>,
    /// The most runs that went on at once.
    at_once: Mutex<usize>,
}

struct Gone(Arc<Mutex<usize>>);

impl Drop for Gone {
    fn drop(&mut self) {
        *self.0.lock().unwrap() += 1;
    }
}

impl RunJob for Recorder {
    fn run(
        &self,
        job: JobInfo,
        service: ServiceName,
        payload: Value,
        _timeout: Millis,
        cid: Cid,
    ) -> BoxFuture<'static, Result<(), Fault>> {
        let act = payload["do"].as_str().unwrap_or("end").to_owned();
        let started = {
            let mut starts = self.starts.lock().unwrap();
            starts.push((job, payload, cid));
            starts.len()
        };
        let going_on = started - *self.gone.lock().unwrap();
        let mut at_once = self.at_once.lock().unwrap();
        *at_once = going_on.max(*at_once);
        let (gone, mut release) = (Gone(Arc::clone(&self.gone)), self.release.subscribe());
        let seen = *release.borrow_and_update();
        Box::pin(async move {
            let _gone = gone;
            match act.as_str() {
                "fail" => {
                    let fault = Fault::new(Code::ScriptError, format!("service '{service}' fell"));
                    return Err(fault.detail("its private reason"));
                }
                "panic" => panic!("as the test asks"),
                "hang" => drop(release.wait_for(|n| *n > seen || *n == u64::MAX).await),
                _ => {}
            }
            Ok(())
        })
    }
}

/// A server that can be stopped, killed and started again over the same database.
struct World {
    dir: PathBuf,
    clock: Arc<SetClock>,
    recorder: Arc<Recorder>,
    scheduler: Scheduler,
    store: Store,
    tasks: Tasks,
}

impl World {
    async fn new(now: &str) -> Self {
        let name = format!("kladka-schedule-{}", uuid::Uuid::now_v7());
        let dir = std::env::temp_dir().join(name);
        std::fs::create_dir_all(&dir).unwrap();
        Self::over(dir, now, Arc::default(), false).await
    }

    async fn over(dir: PathBuf, now: &str, recorder: Arc<Recorder>, runs: bool) -> Self {
        let base = Mutex::new((utc(now), tokio::time::Instant::now()));
        let clock = Arc::new(SetClock { base, runs });
        let store = Store::open(&dir.join("kladka.db")).await.unwrap();
        let tasks = Tasks::default();
        let scheduler = scheduler(&store, &clock, &recorder, &tasks);
        Self {
            dir,
            clock,
            recorder,
            scheduler,
            store,
            tasks,
        }
    }

    /// Takes the jobs over and starts.
    async fn start(&self, jobs: &[(&str, Value)]) {
        self.set(jobs).await;
        self.scheduler.start().await.unwrap();
        self.scheduler.quiet(0).await;
    }

    async fn set(&self, jobs: &[(&str, Value)]) {
        let jobs = jobs.iter().map(|(name, body)| named(name, body)).collect();
        self.scheduler.set_jobs(jobs).await.unwrap();
    }

    /// Lets time pass, looks at the clock, and waits until no more than `left` runs go on.
    async fn pass(&self, time: TimeDelta, left: usize) {
        self.clock.set(self.clock.now() + time);
        self.scheduler.tick().await.unwrap();
        self.scheduler.quiet(left).await;
    }

    /// Ends the process without a word, and starts another some time later.
    async fn kill(&mut self, down: TimeDelta) {
        self.stop(down).await;
        self.store.close().await;
        self.store = Store::open(&self.dir.join("kladka.db")).await.unwrap();
        self.replace();
    }

    /// Drops everything but the database.
    async fn stop(&mut self, down: TimeDelta) {
        self.tasks.hard.cancel();
        self.tasks.shutdown(Duration::from_secs(5)).await;
        self.clock.set(self.clock.now() + down);
    }

    fn replace(&mut self) {
        self.tasks = Tasks::default();
        self.scheduler = scheduler(&self.store, &self.clock, &self.recorder, &self.tasks);
    }

    /// Returns the runs of a job, oldest first: local hour and minute, trigger, state.
    async fn runs(&self, job: &str) -> Vec<String> {
        let runs = self.scheduler.history(job, 1000).await.unwrap();
        let words = |run: &RunRecord| {
            let (cause, state) = (run.cause.as_str(), run.state.as_str());
            format!("{} {cause} {state}", run.fire_time.format("%H:%M"))
        };
        runs.iter().rev().map(words).collect()
    }

    fn starts(&self) -> usize {
        self.recorder.starts.lock().unwrap().len()
    }

    /// Begins anew with the clock and the record of starts.
    fn forget(&self) {
        self.clock.set(utc("2026-11-20T00:00:00Z"));
        self.recorder.starts.lock().unwrap().clear();
        *self.recorder.gone.lock().unwrap() = 0;
        *self.recorder.at_once.lock().unwrap() = 0;
        self.recorder.release.send_replace(0);
    }

    async fn view(&self, job: &str) -> crate::schedule::JobView {
        let jobs = self.scheduler.list().await.unwrap();
        jobs.into_iter().find(|view| view.name == job).unwrap()
    }
}

impl Drop for World {
    fn drop(&mut self) {
        drop(std::fs::remove_dir_all(&self.dir));
    }
}

fn scheduler(
    store: &Store,
    clock: &Arc<SetClock>,
    recorder: &Arc<Recorder>,
    tasks: &Tasks,
) -> Scheduler {
    let clock: Arc<dyn Clock> = Arc::<SetClock>::clone(clock);
    let runner: Arc<dyn RunJob> = Arc::<Recorder>::clone(recorder);
    Scheduler::new(
        store.clone(),
        clock,
        runner,
        tasks.clone(),
        "node-1".to_owned(),
    )
}

fn named(name: &str, body: &Value) -> JobSpecNamed {
    let mut body = body.clone();
    let map = body.as_object_mut().unwrap();
    let enabled = map.remove("enabled").is_none_or(|enabled| enabled == true);
    map.entry("service").or_insert(json!("a.b"));
    let name = ObjectName::new(name).unwrap();
    JobSpecNamed::from_body(name, enabled, &body).unwrap()
}

fn utc(text: &str) -> DateTime<Utc> {
    text.parse().unwrap()
}

const HOUR: TimeDelta = TimeDelta::hours(1);
const MINUTE: TimeDelta = TimeDelta::minutes(1);
const SECOND: TimeDelta = TimeDelta::seconds(1);

#[test]
fn the_example_passes_the_checks_and_mistakes_have_their_code() {
    let spec: JobSpec = serde_json::from_str(Job::EXAMPLE).unwrap();
    let mut faults = Faults::default();
    Job::check(&spec, &mut faults);
    assert!(faults.0.is_empty(), "{faults:?}");
    let body = json!({"service": "a", "cron": "x", "timezone": "Mars", "timeout": "0s"});
    Job::check(&serde_json::from_value(body).unwrap(), &mut faults);
    assert_eq!(faults.0.len(), 3, "{faults:?}");
    assert!(
        faults
            .0
            .iter()
            .all(|fault| fault.code() == Code::BadSchedule)
    );
    let unknown = json!({"service": "a", "every": "1h", "intervall": 1});
    assert!(serde_json::from_value::<JobSpec>(unknown).is_err());
}

#[tokio::test]
async fn a_job_runs_when_its_time_comes_and_only_then() {
    let world = World::new("2026-11-24T10:14:00Z").await;
    world
        .start(&[("j", json!({"every": "1h", "payload": {"year": 2013}}))])
        .await;
    assert_eq!(
        world.view("j").await.next_fire,
        Some(utc("2026-11-24T11:00:00Z"))
    );
    world.pass(MINUTE, 0).await;
    assert_eq!(world.starts(), 0);
    world.pass(MINUTE * 45, 0).await;
    assert_eq!(world.runs("j").await, ["11:00 schedule done"]);
    world.pass(SECOND, 0).await;
    assert_eq!(world.starts(), 1);
    let (info, payload, cid) = world.recorder.starts.lock().unwrap()[0].clone();
    assert_eq!(
        (info.fire_time, info.attempt),
        (utc("2026-11-24T11:00:00Z"), 1)
    );
    assert_eq!(payload, json!({"year": 2013}));
    let run = world.view("j").await.last_run.unwrap();
    assert_eq!((run.fence, run.cid.as_str()), (info.fence, cid.as_str()));
    let shown = serde_json::to_value(world.view("j").await).unwrap();
    assert_eq!(shown["schedule"], "every 1h");
    assert_eq!(shown["state"], "scheduled");
    assert_eq!(shown["next_fire"], "2026-11-24T12:00:00.000Z");
    assert_eq!(shown["last_run"]["trigger"], "schedule");
}

#[tokio::test]
async fn a_failing_service_and_a_panic_leave_failed_runs_and_the_job_goes_on() {
    let world = World::new("2026-11-24T10:14:00Z").await;
    let fail = json!({"every": "1h", "payload": {"do": "fail"}});
    let panic = json!({"every": "1h", "payload": {"do": "panic"}});
    world.start(&[("fail", fail), ("panic", panic)]).await;
    world.pass(HOUR - MINUTE * 14, 0).await;
    world.pass(HOUR, 0).await;
    assert_eq!(
        world.runs("fail").await,
        ["11:00 schedule failed", "12:00 schedule failed"]
    );
    assert_eq!(
        world.runs("panic").await,
        ["11:00 schedule failed", "12:00 schedule failed"]
    );
    let run = world.view("fail").await.last_run.unwrap();
    assert_eq!(run.fault_code.as_deref(), Some("KL-S101"));
    assert_eq!(run.fault_message.as_deref(), Some("service 'a.b' fell"));
}

#[tokio::test]
async fn a_run_is_stopped_at_its_timeout() {
    let world = World::new("2026-11-24T10:59:59Z").await;
    let body = json!({"every": "1h", "timeout": "30ms", "payload": {"do": "hang"}});
    world.start(&[("j", body)]).await;
    world.pass(SECOND, 0).await;
    assert_eq!(world.runs("j").await, ["11:00 schedule timed_out"]);
    assert_eq!(*world.recorder.gone.lock().unwrap(), 1);
    let run = world.view("j").await.last_run.unwrap();
    assert_eq!(
        run.fault_message.as_deref(),
        Some("job 'j' passed its timeout of 30ms")
    );
    assert_eq!(run.fault_code.as_deref(), Some("KL-S302"));
}

#[tokio::test]
async fn overlapping_runs_do_as_the_policy_says() {
    for (overlap, while_first_hangs, at_last) in [
        ("skip", "running skipped skipped", "done skipped skipped"),
        ("queue", "running queued queued", "done done done"),
        ("allow", "running running running", "done done done"),
        (
            "cancel",
            "cancelled cancelled running",
            "cancelled cancelled done",
        ),
    ] {
        let world = World::new("2026-11-24T10:59:00Z").await;
        let body = json!({"every": "1m", "overlap": overlap, "payload": {"do": "hang"}});
        world.start(&[("j", body)]).await;
        world.pass(MINUTE, 1).await;
        world.pass(MINUTE, 2).await;
        world
            .pass(MINUTE, if overlap == "allow" { 3 } else { 1 })
            .await;
        let states = |runs: Vec<String>| {
            let state = |run: &String| run.rsplit(' ').next().unwrap().to_owned();
            runs.iter().map(state).collect::<Vec<_>>().join(" ")
        };
        assert_eq!(
            states(world.runs("j").await),
            while_first_hangs,
            "{overlap}"
        );
        // Nothing hangs any more, and the queue moves up by itself.
        world.recorder.release.send_replace(u64::MAX);
        settle(&world, "j").await;
        assert_eq!(states(world.runs("j").await), at_last, "{overlap}");
        let fire_times: Vec<_> = world
            .recorder
            .starts
            .lock()
            .unwrap()
            .iter()
            .map(|s| s.0.fire_time)
            .collect();
        assert!(fire_times.is_sorted(), "{overlap}: {fire_times:?}");
    }
}

const CATCH_UPS: &[(&str, &str, &[&str])] = &[
    (
        "skip",
        "2h",
        &[
            "11:00 schedule skipped",
            "11:30 schedule skipped",
            "12:00 schedule skipped",
        ],
    ),
    (
        "once",
        "2h",
        &[
            "11:00 schedule skipped",
            "11:30 schedule skipped",
            "12:00 catch_up done",
        ],
    ),
    (
        "once",
        "5m",
        &[
            "11:00 schedule skipped",
            "11:30 schedule skipped",
            "12:00 schedule skipped",
        ],
    ),
    (
        "all",
        "2h",
        &[
            "11:00 catch_up done",
            "11:30 catch_up done",
            "12:00 catch_up done",
        ],
    ),
    (
        "all",
        "50m",
        &[
            "11:00 schedule skipped",
            "11:30 catch_up done",
            "12:00 catch_up done",
        ],
    ),
];

#[tokio::test]
async fn missed_fire_times_are_caught_up_as_the_policy_says() {
    for (catch_up, within, expected) in CATCH_UPS {
        let mut world = World::new("2026-11-24T10:45:00Z").await;
        let body = json!({"every": "30m", "catch_up": catch_up, "catch_up_within": within});
        world.start(&[("j", body.clone())]).await;
        world.kill(MINUTE * 85).await;
        world.start(&[("j", body)]).await;
        settle(&world, "j").await;
        assert_eq!(
            world.runs("j").await,
            *expected,
            "{catch_up} within {within}"
        );
        let next = world.view("j").await.next_fire;
        assert_eq!(
            next,
            Some(utc("2026-11-24T12:30:00Z")),
            "{catch_up} within {within}"
        );
    }
}

/// Waits until nothing of a job runs or waits.
async fn settle(world: &World, job: &str) {
    loop {
        let runs = world.runs(job).await;
        if !runs
            .iter()
            .any(|run| run.ends_with("running") || run.ends_with("queued"))
        {
            return;
        }
        world.scheduler.quiet(0).await;
    }
}

#[tokio::test]
async fn at_most_ten_are_caught_up_and_a_long_absence_is_summed_up() {
    let mut world = World::new("2026-11-24T10:00:30Z").await;
    let body = json!({"every": "1m", "catch_up": "all", "catch_up_within": "52w"});
    world.start(&[("j", body.clone())]).await;
    world.kill(TimeDelta::days(200) + SECOND * 15).await;
    world.start(&[("j", body)]).await;
    settle(&world, "j").await;
    let runs = world.runs("j").await;
    let done = runs
        .iter()
        .filter(|run| run.ends_with("catch_up done"))
        .count();
    assert_eq!((runs.len(), done, world.starts()), (100, 10, 10));
    let history = world.scheduler.history("j", 1000).await.unwrap();
    let oldest = history.last().unwrap().fault_message.clone().unwrap();
    assert!(oldest.contains("missed too: "), "{oldest}");
    let order: Vec<_> = world
        .recorder
        .starts
        .lock()
        .unwrap()
        .iter()
        .map(|s| s.0.fire_time)
        .collect();
    assert!(order.is_sorted());
}

#[tokio::test]
async fn a_restart_keeps_schedule_pause_and_history() {
    let mut world = World::new("2026-11-24T10:14:00Z").await;
    let jobs = [
        ("kept", json!({"cron": "0 * * * *"})),
        ("paused", json!({"every": "1h"})),
    ];
    world.start(&jobs).await;
    world.pass(MINUTE * 46, 0).await;
    world
        .scheduler
        .pause("paused", "the bank is closed")
        .await
        .unwrap();
    world.kill(MINUTE).await;
    world.start(&jobs).await;
    assert_eq!(world.runs("kept").await, ["11:00 schedule done"]);
    assert_eq!(
        world.view("kept").await.next_fire,
        Some(utc("2026-11-24T12:00:00Z"))
    );
    let paused = world.view("paused").await;
    assert_eq!(
        (paused.state, paused.note.as_str()),
        (
            crate::schedule::view::JobStatus::Paused,
            "the bank is closed"
        )
    );
    world.pass(HOUR, 0).await;
    assert_eq!(
        world.runs("paused").await,
        ["11:00 schedule done", "12:00 schedule skipped"]
    );
    world.clock.set(utc("2026-11-24T14:30:00Z"));
    world.scheduler.resume("paused").await.unwrap();
    world.scheduler.quiet(0).await;
    assert_eq!(
        world.runs("paused").await[2..],
        ["13:00 schedule skipped", "14:00 schedule skipped"]
    );
    world.pass(MINUTE * 30, 0).await;
    assert_eq!(
        world.runs("paused").await.last().unwrap(),
        "15:00 schedule done"
    );
    let skipped = &world.scheduler.history("paused", 2).await.unwrap()[1];
    assert_eq!(skipped.fault_message.as_deref(), Some("the job was paused"));
}

#[tokio::test]
async fn a_run_under_way_when_the_server_dies_is_lost_and_its_late_word_is_refused() {
    let mut world = World::new("2026-11-24T10:59:00Z").await;
    let body = json!({"every": "1h", "payload": {"do": "hang"}});
    world.start(&[("j", body.clone())]).await;
    world.pass(MINUTE, 1).await;
    let run = world.view("j").await.last_run.unwrap();
    assert_eq!(
        world.view("j").await.state,
        crate::schedule::view::JobStatus::Running
    );
    world.kill(MINUTE).await;
    world.start(&[("j", body)]).await;
    assert_eq!(world.runs("j").await, ["11:00 schedule lost"]);
    let ending = crate::store::Ending {
        state: RunState::Done,
        ended: world.clock.now(),
        elapsed_ms: 1,
        fault: None,
    };
    assert!(!world.store.finish_run(&run, &ending).await.unwrap());
    assert_eq!(world.runs("j").await, ["11:00 schedule lost"]);
}

#[tokio::test]
async fn two_servers_over_one_database_start_each_fire_time_once() {
    let world = World::new("2026-11-24T10:59:00Z").await;
    let other = Scheduler::new(
        world.store.clone(),
        Arc::<SetClock>::clone(&world.clock),
        Arc::<Recorder>::clone(&world.recorder),
        world.tasks.clone(),
        "node-2".to_owned(),
    );
    let body = json!({"every": "1m", "overlap": "allow"});
    world.start(&[("j", body.clone())]).await;
    other.set_jobs(vec![named("j", &body)]).await.unwrap();
    other.start().await.unwrap();
    for _minute in 0..60 {
        world.clock.set(world.clock.now() + MINUTE);
        let (one, two) = tokio::join!(world.scheduler.tick(), other.tick());
        one.and(two).unwrap();
    }
    world.scheduler.quiet(0).await;
    other.quiet(0).await;
    let runs = world.scheduler.history("j", 1000).await.unwrap();
    assert_eq!((runs.len(), world.starts()), (60, 60));
    assert!(runs.iter().all(|run| run.state == RunState::Done));
    let fences: std::collections::BTreeSet<_> = runs.iter().map(|run| run.fence).collect();
    assert_eq!(fences.len(), 60);
}

#[tokio::test]
async fn a_caller_who_hangs_up_leaves_no_change_half_done() {
    let world = World::new("2026-11-24T10:14:00Z").await;
    world.start(&[("j", json!({"every": "1h"}))]).await;
    for patience in 0..40 {
        world.clock.set(world.clock.now() + SECOND);
        hang_up(world.scheduler.run_now("j", true), patience).await;
        hang_up(world.scheduler.pause("j", "for a moment"), patience).await;
        // The lock is fair, so this one waits for those two.
        world.scheduler.resume("j").await.unwrap();
        world.scheduler.quiet(0).await;
        let runs = world.runs("j").await;
        assert!(
            runs.iter().all(|run| run.ends_with("done")),
            "{patience}: {runs:?}"
        );
        let stored = world.store.job_states().await.unwrap();
        assert!(!stored[0].paused && world.view("j").await.note.is_empty());
    }
    assert!(world.starts() >= 39, "{}", world.starts());
}

/// Polls a few times and drops.
async fn hang_up<T>(call: impl Future<Output = T>, patience: usize) {
    let mut call = std::pin::pin!(call);
    for _poll in 0..patience {
        if futures_util::poll!(&mut call).is_ready() {
            return;
        }
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn a_claim_that_was_never_started_is_given_up() {
    let world = World::new("2026-11-24T10:59:59Z").await;
    let hang = json!({"every": "1h", "payload": {"do": "hang"}});
    world
        .start(&[("j", json!({"every": "1h"})), ("hang", hang)])
        .await;
    world.pass(SECOND, 1).await;
    let now = world.clock.now() + SECOND;
    let claim = Claim {
        job: ObjectName::new("j").unwrap(),
        node: "node-1".to_owned(),
        now,
        lease_until: now,
        advance: None,
        runs: vec![NewRun {
            fire_time: now,
            cause: Cause::Schedule,
            cid: Cid::fresh(),
            placing: Placing::Start {
                at_most: 1,
                beyond: Beyond::Skip,
            },
        }],
    };
    world.store.claim_runs(claim).await.unwrap();
    assert_eq!(
        world.scheduler.run_now("j", true).await.unwrap_err().code(),
        Code::JobBusy
    );
    world.scheduler.renew().await;
    let run = world.scheduler.run_now("j", true).await.unwrap();
    assert_eq!(run.state, RunState::Done);
    // What does go on is left alone.
    assert_eq!(world.runs("hang").await, ["11:00 schedule running"]);
}

#[tokio::test]
async fn what_a_silent_server_ran_is_given_up_when_its_lease_is_over() {
    let world = World::new("2026-11-24T10:59:00Z").await;
    let body = json!({"every": "1h", "payload": {"do": "hang"}});
    world.start(&[("j", body)]).await;
    world.pass(MINUTE, 1).await;
    let claimed = world.clock.now();
    let at = |seconds| claimed + SECOND * seconds;
    assert_eq!(
        world
            .store
            .lose_expired_runs("node-2", at(29))
            .await
            .unwrap(),
        []
    );
    // The server's own renewals go on beside this one, by the same clock.
    world.clock.set(at(30));
    world.scheduler.renew().await;
    assert_eq!(
        world
            .store
            .lose_expired_runs("node-2", at(31))
            .await
            .unwrap(),
        []
    );
    assert_eq!(
        world
            .store
            .lose_expired_runs("node-1", at(61))
            .await
            .unwrap(),
        []
    );
    let lost = world
        .store
        .lose_expired_runs("node-2", at(61))
        .await
        .unwrap();
    assert_eq!(lost.len(), 1);
    // The late word of the first server changes nothing.
    world.recorder.release.send_replace(u64::MAX);
    world.scheduler.quiet(0).await;
    assert_eq!(world.runs("j").await, ["11:00 schedule lost"]);
}

#[tokio::test]
async fn waiting_runs_survive_a_restart() {
    let mut world = World::new("2026-11-24T10:59:00Z").await;
    let body = |act: &str| json!({"every": "1m", "overlap": "queue", "payload": {"do": act}});
    world.start(&[("j", body("hang"))]).await;
    world.pass(MINUTE, 1).await;
    world.pass(MINUTE, 1).await;
    assert_eq!(
        world.runs("j").await,
        ["11:00 schedule running", "11:01 schedule queued"]
    );
    world.kill(SECOND).await;
    world.start(&[("j", body("end"))]).await;
    settle(&world, "j").await;
    assert_eq!(
        world.runs("j").await,
        ["11:00 schedule lost", "11:01 schedule done"]
    );
}

#[tokio::test]
async fn one_moment_fires_once_ever() {
    let mut world = World::new("2026-11-24T10:00:00Z").await;
    let body = json!({"at": "2026-11-24T12:00", "timezone": "Europe/Paris"});
    let jobs = [("j", body)];
    world.start(&jobs).await;
    world.pass(HOUR, 0).await;
    assert_eq!(world.runs("j").await, ["11:00 schedule done"]);
    assert_eq!(
        world.view("j").await.state,
        crate::schedule::view::JobStatus::Finished
    );
    world.kill(MINUTE).await;
    world.start(&jobs).await;
    world.set(&[]).await;
    world.set(&jobs).await;
    world.pass(HOUR, 0).await;
    assert_eq!(world.runs("j").await, ["11:00 schedule done"]);
    assert_eq!(world.starts(), 1);
}

#[tokio::test]
async fn a_moment_that_is_past_when_first_seen_runs_if_it_is_not_too_old() {
    let world = World::new("2026-11-24T10:00:00Z").await;
    let recent = json!({"at": "2026-11-24T09:00"});
    let old = json!({"at": "2026-11-24T07:00"});
    world.start(&[("recent", recent), ("old", old)]).await;
    assert_eq!(world.runs("recent").await, ["09:00 catch_up done"]);
    assert_eq!(world.runs("old").await, ["07:00 schedule skipped"]);
    let why = world.scheduler.history("old", 1).await.unwrap()[0]
        .fault_message
        .clone();
    assert_eq!(why.as_deref(), Some("missed, and too old to catch up"));
}

#[tokio::test]
async fn repeats_end_a_job_and_more_of_them_wake_it() {
    let world = World::new("2026-11-24T10:00:00Z").await;
    let body =
        |repeats: u32| json!({"every": "1h", "anchor": "2026-11-24T11:00", "repeats": repeats});
    world.start(&[("j", body(2))]).await;
    assert_eq!(world.scheduler.next("j", 10).await.unwrap().len(), 2);
    for _hour in 0..4 {
        world.pass(HOUR, 0).await;
    }
    assert_eq!(
        world.runs("j").await,
        ["11:00 schedule done", "12:00 schedule done"]
    );
    assert_eq!(
        world.view("j").await.state,
        crate::schedule::view::JobStatus::Finished
    );
    assert!(world.scheduler.next("j", 10).await.unwrap().is_empty());
    world.set(&[("j", body(3))]).await;
    world.pass(HOUR, 0).await;
    world.pass(HOUR, 0).await;
    assert_eq!(world.starts(), 3);
}

#[tokio::test]
async fn run_at_start_runs_once_for_each_start_of_the_server() {
    let mut world = World::new("2026-11-24T10:14:00Z").await;
    let body = |note: u32| json!({"every": "1h", "run_at_start": true, "payload": {"note": note}});
    world.start(&[("j", body(1))]).await;
    assert_eq!(world.runs("j").await, ["10:14 start done"]);
    world.set(&[("j", body(2))]).await;
    world.set(&[("j", body(2)), ("late", body(3))]).await;
    world.scheduler.quiet(0).await;
    assert_eq!(
        (world.runs("j").await.len(), world.runs("late").await.len()),
        (1, 1)
    );
    world.kill(MINUTE).await;
    world.start(&[("j", body(2))]).await;
    assert_eq!(
        world.runs("j").await,
        ["10:14 start done", "10:15 start done"]
    );
}

#[tokio::test]
async fn an_edit_of_the_schedule_takes_effect_at_once_and_other_edits_disturb_nothing() {
    let world = World::new("2026-11-24T10:14:00Z").await;
    world.start(&[("j", json!({"every": "1h"}))]).await;
    world
        .set(&[("j", json!({"every": "1h", "payload": {"n": 2}}))])
        .await;
    assert_eq!(
        world.view("j").await.next_fire,
        Some(utc("2026-11-24T11:00:00Z"))
    );
    world
        .set(&[("j", json!({"cron": "20 * * * *", "payload": {"n": 3}}))])
        .await;
    assert_eq!(
        world.view("j").await.next_fire,
        Some(utc("2026-11-24T10:20:00Z"))
    );
    world.pass(MINUTE * 6, 0).await;
    world
        .set(&[("j", json!({"cron": "20 * * * *", "enabled": false}))])
        .await;
    assert_eq!(
        world.view("j").await.state,
        crate::schedule::view::JobStatus::Disabled
    );
    world.pass(HOUR * 3, 0).await;
    world.set(&[("j", json!({"cron": "20 * * * *"}))]).await;
    world.pass(MINUTE, 0).await;
    assert_eq!(world.runs("j").await, ["10:20 schedule done"]);
    assert_eq!(
        world.view("j").await.next_fire,
        Some(utc("2026-11-24T14:20:00Z"))
    );
    assert_eq!(world.recorder.starts.lock().unwrap()[0].1, json!({"n": 3}));
    world.set(&[]).await;
    world.pass(HOUR * 3, 0).await;
    assert_eq!(world.starts(), 1);
    assert!(world.scheduler.list().await.unwrap().is_empty());
    assert_eq!(world.runs("j").await.len(), 1);
}

#[tokio::test]
async fn a_clock_that_goes_back_fires_nothing_again() {
    let world = World::new("2026-11-24T10:59:00Z").await;
    let jobs = [("j", json!({"every": "10m"}))];
    world.start(&jobs).await;
    world.pass(MINUTE, 0).await;
    world.clock.set(utc("2026-11-24T10:00:00Z"));
    for _step in 0..12 {
        world.set(&jobs).await;
        world.pass(MINUTE * 10, 0).await;
    }
    let fire_times: Vec<_> = world
        .recorder
        .starts
        .lock()
        .unwrap()
        .iter()
        .map(|s| s.0.fire_time)
        .collect();
    let unique: std::collections::BTreeSet<_> = fire_times.iter().collect();
    assert_eq!(unique.len(), fire_times.len(), "{fire_times:?}");
    assert_eq!(fire_times.last(), Some(&utc("2026-11-24T12:00:00Z")));
}

#[tokio::test]
async fn a_schedule_from_a_clock_far_ahead_is_put_right() {
    let mut world = World::new("2035-01-01T00:00:00Z").await;
    let jobs = [("j", json!({"every": "1h"}))];
    world.start(&jobs).await;
    world.kill(TimeDelta::days(-3000)).await;
    world.start(&jobs).await;
    let ahead = world.view("j").await.next_fire.unwrap() - world.clock.now();
    assert!(ahead <= HOUR, "{ahead}");
}

#[tokio::test]
async fn a_job_runs_when_told_to() {
    let world = World::new("2026-11-24T10:14:00Z").await;
    let off = json!({"every": "1h", "enabled": false});
    let jobs = [
        ("j", json!({"every": "1h"})),
        ("bad", json!({"every": "1h", "payload": {"do": "fail"}})),
        ("slow", json!({"every": "1h", "payload": {"do": "hang"}})),
        ("off", off),
    ];
    world.start(&jobs).await;
    let run = world.scheduler.run_now("j", true).await.unwrap();
    assert_eq!((run.state, run.cause), (RunState::Done, Cause::Manual));
    let again = world.scheduler.run_now("j", true).await.unwrap();
    assert_eq!(
        again.fire_time - run.fire_time,
        TimeDelta::milliseconds(1),
        "the key stays unique"
    );
    let bad = world.scheduler.run_now("bad", true).await.unwrap();
    assert_eq!(
        (bad.state, bad.fault_code.as_deref()),
        (RunState::Failed, Some("KL-S101"))
    );
    world.scheduler.pause("j", "").await.unwrap();
    let paused = world.scheduler.run_now("j", true).await.unwrap();
    assert_eq!(paused.state, RunState::Done);

    let slow = world.scheduler.run_now("slow", false).await.unwrap();
    assert_eq!(slow.state, RunState::Running);
    let busy = world.scheduler.run_now("slow", true).await.unwrap_err();
    assert_eq!(
        (busy.code(), busy.code().exit()),
        (Code::JobBusy, Exit::Conflict)
    );
    let unknown = world.scheduler.run_now("slwo", true).await.unwrap_err();
    assert_eq!(unknown.code(), Code::UnknownJob);
    assert_eq!(unknown.hint_text(), Some("Did you mean `slow`?"));
    let off = world.scheduler.run_now("off", true).await.unwrap_err();
    assert_eq!(off.message(), "job 'off' is disabled");
    for fault in [
        world.scheduler.pause("no", "").await.unwrap_err(),
        world.scheduler.resume("no").await.unwrap_err(),
        world.scheduler.next("no", 1).await.unwrap_err(),
        world.scheduler.history("no", 1).await.unwrap_err(),
    ] {
        assert_eq!(fault.code(), Code::UnknownJob);
    }
}

#[tokio::test]
async fn the_next_fire_times_are_shown_in_the_jobs_zone() {
    let world = World::new("2026-10-24T12:00:00Z").await;
    let body = json!({"cron": "30 2 * * *", "timezone": "Europe/Paris"});
    world.start(&[("j", body)]).await;
    let next = world.scheduler.next("j", 2).await.unwrap();
    let next: Vec<_> = next.iter().map(DateTime::to_rfc3339).collect();
    assert_eq!(
        next,
        ["2026-10-25T02:30:00+02:00", "2026-10-26T02:30:00+01:00"]
    );
}

#[tokio::test]
async fn the_history_is_bounded_and_skipped_runs_do_not_push_real_ones_out() {
    let world = World::new("2026-11-24T00:00:00Z").await;
    world.start(&[("j", json!({"every": "1m"}))]).await;
    for _minute in 0..120 {
        world.pass(MINUTE, 0).await;
    }
    assert_eq!(world.runs("j").await.len(), 100);
    world.scheduler.pause("j", "").await.unwrap();
    for _minute in 0..120 {
        world.pass(MINUTE, 0).await;
    }
    world.scheduler.resume("j").await.unwrap();
    world.pass(MINUTE, 0).await;
    let runs = world.runs("j").await;
    let done = runs.iter().filter(|run| run.ends_with("done")).count();
    assert_eq!((done, runs.len()), (100, 200));
}

#[tokio::test]
async fn the_ticking_task_wakes_by_itself_when_time_passes_and_when_the_jobs_change() {
    let dir = std::env::temp_dir().join(format!("kladka-schedule-{}", uuid::Uuid::now_v7()));
    std::fs::create_dir_all(&dir).unwrap();
    let world = World::over(dir, "2026-11-24T10:59:59.950Z", Arc::default(), true).await;
    world.start(&[("j", json!({"every": "1h"}))]).await;
    world.scheduler.ends(1).await;
    assert_eq!(world.runs("j").await, ["11:00 schedule done"]);
    // Its next sleep is long; a new job with an earlier fire time wakes it.
    for attempt in 0.. {
        let at = world.clock.now() + TimeDelta::milliseconds(300 << attempt);
        let at_text = at.to_rfc3339_opts(chrono::SecondsFormat::Millis, true);
        world.set(&[("k", json!({"at": at_text}))]).await;
        // On a busy machine the moment may have passed before the job was there: what is past does not fire.
        if world.clock.now() < at {
            break;
        }
    }
    world.scheduler.ends(2).await;
    assert_eq!(world.runs("k").await.len(), 1);
    // So does whoever has set the clock.
    world.set(&[("l", json!({"cron": "0 12 * * *"}))]).await;
    world.clock.set(utc("2026-11-24T12:00:00Z"));
    world.scheduler.wake();
    world.scheduler.ends(3).await;
    assert_eq!(world.runs("l").await, ["12:00 schedule done"]);
}
