//! Random lives of a job, and what must hold after each: every fire time once, none forgotten.

use std::collections::HashMap;

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Value, json};

use super::World;
use crate::base::{Clock as _, ObjectName};
use crate::schedule::RunRecord;
use crate::store::RunState;

/// A small generator of numbers, so that a failing sequence can be run again.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) % sides
    }

    fn pick<'a>(&mut self, from: &[&'a str]) -> &'a str {
        let index = self.roll(u64::try_from(from.len()).unwrap());
        from[usize::try_from(index).unwrap()]
    }
}

/// What the model knows of its one job.
struct Model {
    world: World,
    name: String,
    /// Minutes between fire times, and how the timetable says so.
    timetable: (i64, Value),
    overlap: &'static str,
    catch_up: &'static str,
    act: &'static str,
    enabled: bool,
    /// Until when fire times were noted.
    noted: DateTime<Utc>,
    /// Every fire time that must be accounted for.
    expected: Vec<DateTime<Utc>>,
    log: Vec<String>,
}

impl Model {
    fn jobs(&self) -> [(&str, Value); 1] {
        let mut body = self.timetable.1.clone();
        let policies = json!({"overlap": self.overlap, "catch_up": self.catch_up,
            "enabled": self.enabled,
            "payload": {"do": self.act}});
        body.as_object_mut()
            .unwrap()
            .extend(policies.as_object().unwrap().clone());
        [(&self.name, body)]
    }

    /// Notes the fire times until now, as a person would count them.
    fn note(&mut self) {
        let (now, step) = (self.world.clock.now(), self.timetable.0 * 60);
        if self.enabled {
            let first = self.noted.timestamp().div_euclid(step) + 1;
            let last = now.timestamp().div_euclid(step);
            let fires = (first..=last).map(|n| DateTime::from_timestamp(n * step, 0).unwrap());
            self.expected.extend(fires);
        }
        self.noted = now;
    }

    async fn step(&mut self, dice: &mut Dice) {
        let minutes = TimeDelta::minutes(i64::try_from(dice.roll(150)).unwrap());
        match dice.roll(10) {
            0..=3 => {
                self.log.push(format!("pass {minutes}"));
                self.world.clock.set(self.world.clock.now() + minutes);
                self.world.scheduler.tick().await.unwrap();
                self.note();
            }
            4 | 5 => {
                self.log.push(format!("kill, down for {minutes}"));
                self.world.stop(minutes).await;
                self.world.replace();
                self.world.set(&self.jobs()).await;
                self.world.scheduler.start().await.unwrap();
                self.note();
            }
            6 => {
                self.log.push("pause".into());
                self.world.scheduler.pause(&self.name, "").await.unwrap();
            }
            7 => {
                self.log.push("resume".into());
                self.world.scheduler.resume(&self.name).await.unwrap();
            }
            8 => self.edit(dice).await,
            _ => {
                self.log.push("release".into());
                self.world.recorder.release.send_modify(|n| *n += 1);
            }
        }
    }

    async fn edit(&mut self, dice: &mut Dice) {
        self.timetable = match dice.roll(3) {
            0 => (30, json!({"every": "30m"})),
            1 => (45, json!({"every": "45m"})),
            _ => (60, json!({"cron": "0 * * * *", "timezone": "Europe/Paris"})),
        };
        self.enabled = dice.roll(4) > 0;
        self.act = dice.pick(&["end", "fail", "hang", "panic"]);
        self.log.push(format!("edit {:?}", self.jobs()));
        self.world.set(&self.jobs()).await;
    }

    /// Lets everything end, and returns all runs.
    async fn end(&mut self) -> Vec<RunRecord> {
        self.act = "end";
        self.enabled = true;
        self.world.set(&self.jobs()).await;
        self.world.recorder.release.send_replace(u64::MAX);
        loop {
            self.world.scheduler.quiet(0).await;
            let job = ObjectName::new(&self.name).unwrap();
            let runs = self.world.store.runs(&job, 1000).await.unwrap();
            let open = |run: &RunRecord| matches!(run.state, RunState::Running | RunState::Queued);
            if !runs.iter().any(open) {
                return runs;
            }
        }
    }

    fn check(&self, runs: &[RunRecord]) {
        let told = || {
            format!(
                "{} {} {}: {:#?}",
                self.name, self.overlap, self.catch_up, self.log
            )
        };
        let mut fire_times: Vec<_> = runs.iter().map(|run| run.fire_time).collect();
        fire_times.sort_unstable();
        assert_eq!(
            fire_times,
            self.expected,
            "every fire time once: {}",
            told()
        );
        let starts = self.world.recorder.starts.lock().unwrap();
        let mut started: HashMap<DateTime<Utc>, i64> = HashMap::new();
        for (info, ..) in starts.iter() {
            let before = started.insert(info.fire_time, info.fence);
            assert_eq!(before, None, "started twice: {} {}", info.fire_time, told());
        }
        for run in runs {
            let fence = started.get(&run.fire_time);
            match run.state {
                RunState::Skipped => assert_eq!(fence, None, "{run:?} {}", told()),
                // It may have been lost between its claim and its first step.
                RunState::Lost => assert!(fence.is_none_or(|fence| *fence == run.fence), "{run:?}"),
                _ => assert_eq!(fence, Some(&run.fence), "{run:?} {}", told()),
            }
        }
        if matches!(self.overlap, "skip" | "queue") {
            let at_once = *self.world.recorder.at_once.lock().unwrap();
            assert!(at_once <= 1, "{at_once} at once: {}", told());
        }
    }
}

async fn random_lives(seeds: std::ops::Range<u64>) {
    // One database for many: to make a new file takes longer than a life.
    let mut world = World::new("2026-11-20T00:00:00Z").await;
    for seed in seeds {
        if seed % 20 == 0 {
            world = World::new("2026-11-20T00:00:00Z").await;
        }
        world.forget();
        let mut dice = Dice(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1);
        let mut model = Model {
            name: format!("seed-{seed}"),
            timetable: (30, json!({"every": "30m"})),
            overlap: dice.pick(&["skip", "queue", "allow", "cancel"]),
            catch_up: dice.pick(&["skip", "once", "all"]),
            act: dice.pick(&["end", "hang"]),
            enabled: true,
            noted: world.clock.now(),
            expected: Vec::new(),
            log: Vec::new(),
            world,
        };
        model.world.set(&model.jobs()).await;
        model.world.scheduler.start().await.unwrap();
        for _step in 0..(2 + dice.roll(8)) {
            model.step(&mut dice).await;
        }
        let runs = model.end().await;
        model.check(&runs);
        world = model.world;
        world.set(&[]).await;
    }
}

#[tokio::test]
async fn in_random_lives_no_fire_time_starts_twice_and_none_is_forgotten() {
    random_lives(0..500).await;
}

#[tokio::test]
async fn in_other_random_lives_no_fire_time_starts_twice_and_none_is_forgotten() {
    random_lives(500..1000).await;
}

#[tokio::test]
#[ignore = "slow tier"]
async fn in_ten_thousand_random_lives_no_fire_time_starts_twice_and_none_is_forgotten() {
    random_lives(1000..11_000).await;
}
