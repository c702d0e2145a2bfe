//! The kind `job`: a service called at the times of a timetable.

use std::sync::Arc;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::base::{Code, Fault, Faults, Millis, ObjectName, ServiceName};
use crate::contract::{Env, Kind, Live};
use crate::schedule::Timetable;

/// A service called at the times of a timetable.
pub(crate) struct Job;

/// The body of a job.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct JobSpec {
    /// The service to call.
    pub(crate) service: ServiceName,
    /// The one moment to run at: RFC 3339, or a date and time in the job's time zone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) at: Option<String>,
    /// The time between runs, at least one second.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) every: Option<Millis>,
    /// How many times `every` runs; without it there is no end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) repeats: Option<u32>,
    /// The first moment of `every`; without it, intervals are counted from 1970-01-01 UTC.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) anchor: Option<String>,
    /// Five fields (minute, hour, day of month, month, day of week), or a name such as `@hourly`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) cron: Option<String>,
    /// The IANA time zone of `at`, `anchor` and `cron`.
    #[serde(default = "utc")]
    pub(crate) timezone: String,
    /// Whether it also runs once when the server starts, or when the job is added to a running one.
    #[serde(default)]
    pub(crate) run_at_start: bool,
    /// What happens at a fire time when the run before is still going on.
    #[serde(default)]
    pub(crate) overlap: Overlap,
    /// What happens to fire times that passed while no server ran.
    #[serde(default)]
    pub(crate) catch_up: CatchUp,
    /// How old a missed fire time may be to be caught up.
    #[serde(default = "two_hours")]
    pub(crate) catch_up_within: Millis,
    /// When a run is stopped.
    #[serde(default = "ten_minutes")]
    pub(crate) timeout: Millis,
    /// The input of the service.
    #[serde(default)]
    pub(crate) payload: serde_json::Value,
}

/// What happens at a fire time when the run before is still going on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Overlap {
    /// The new run is skipped.
    #[default]
    Skip,
    /// The new run waits; at most 10 do.
    Queue,
    /// Both run; at most 20 do.
    Allow,
    /// The old run is cancelled.
    Cancel,
}

/// What happens to fire times that passed while no server ran.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum CatchUp {
    /// They are skipped.
    Skip,
    /// The last of them runs.
    #[default]
    Once,
    /// The last 10 of them run, one after another.
    All,
}

fn utc() -> String {
    "UTC".to_owned()
}

fn two_hours() -> Millis {
    Millis::seconds(2 * 60 * 60)
}

fn ten_minutes() -> Millis {
    Millis::seconds(10 * 60)
}

impl Kind for Job {
    const NAME: &'static str = "job";
    const DOC: &'static str =
        "Calls a service at one moment, at regular intervals, or as cron would.";
    const EXAMPLE: &'static str = r#"{
        "service": "linuxjournal.update-cache",
        "every": "1h",
        "run_at_start": true,
        "timeout": "2m",
        "payload": {"year": 2013, "month": 9}
    }"#;

    type Spec = JobSpec;

    fn check(spec: &JobSpec, faults: &mut Faults) {
        if let Err(found) = Timetable::parse(spec) {
            faults.0.extend(found.0);
        }
        if spec.timeout.0 == 0 {
            faults.push(Fault::new(
                Code::BadSchedule,
                "timeout must be longer than 0s",
            ));
        }
    }

    fn start(_name: &ObjectName, spec: Arc<JobSpec>, _env: &Env<'_>) -> Result<Live, Fault> {
        serde_json::to_value(&*spec)
            .map(|body| Live::Job(Arc::new(body)))
            .map_err(|error| Fault::new(Code::Internal, format!("job: {error}")))
    }
}

/// A job as the scheduler takes it.
#[derive(Clone, Debug)]
pub(crate) struct JobSpecNamed {
    /// Its name.
    pub(crate) name: ObjectName,
    /// Whether it is switched on. Pass those that are off too, so that their state is kept.
    pub(crate) enabled: bool,
    /// Its body.
    pub(crate) spec: Arc<JobSpec>,
}

impl JobSpecNamed {
    /// Reads the body of a [`Live::Job`].
    pub(crate) fn from_body(
        name: ObjectName,
        enabled: bool,
        body: &serde_json::Value,
    ) -> Result<Self, Fault> {
        let spec = JobSpec::deserialize(body)
            .map_err(|error| Fault::new(Code::BadSchedule, format!("job '{name}': {error}")))?;
        let spec = Arc::new(spec);
        Ok(Self {
            name,
            enabled,
            spec,
        })
    }
}
