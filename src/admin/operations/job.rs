//! `kladka.job.*`.

use std::sync::Arc;

use serde::Deserialize;
use serde_json::json;

use crate::admin::Parts;
use crate::admin::native::{NoArguments, operation};
use crate::base::{Code, Fault};
use crate::contract::{Effect, Native};
use crate::schedule::Scheduler;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Named {
    name: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Run {
    name: String,
    #[serde(default)]
    wait: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Next {
    name: String,
    #[serde(default = "five")]
    n: u32,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Pause {
    name: String,
    #[serde(default)]
    note: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct History {
    name: String,
    #[serde(default = "twenty")]
    limit: u32,
}

/// Refuses how many rows cannot be shown, instead of showing others.
fn rows(n: u32) -> Result<u32, Fault> {
    let message = || format!("{n} is not a number of rows: give 1 to 1000");
    let fits = (1..=1_000).contains(&n);
    fits.then_some(n)
        .ok_or_else(|| Fault::new(Code::BadArguments, message()))
}

fn five() -> u32 {
    5
}

fn twenty() -> u32 {
    20
}

pub(super) fn operations(parts: &Arc<Parts>) -> Vec<Arc<dyn Native>> {
    let scheduler = &parts.configuration.scheduler;
    let mut all = queries(scheduler);
    all.extend(changes(scheduler));
    all
}

fn queries(scheduler: &Scheduler) -> Vec<Arc<dyn Native>> {
    vec![
        operation(
            "kladka.job.list",
            "Lists all jobs.",
            Effect::Read,
            scheduler,
            |scheduler, _: NoArguments| async move { Ok(json!({ "jobs": scheduler.list().await? })) },
        ),
        operation(
            "kladka.job.next",
            "Returns the next fire times of a job.",
            Effect::Read,
            scheduler,
            |scheduler, input: Next| async move {
                let n = rows(input.n)?;
                let times = scheduler.next(&input.name, n as usize).await?;
                let times: Vec<String> = times.iter().map(chrono::DateTime::to_rfc3339).collect();
                let jobs = scheduler.list().await?;
                let job = jobs.iter().find(|job| job.name == input.name);
                Ok(json!({ "next": times, "timezone": job.map(|job| &job.timezone) }))
            },
        ),
        operation(
            "kladka.job.history",
            "Returns the last runs of a job.",
            Effect::Read,
            scheduler,
            |scheduler, input: History| async move {
                let runs = scheduler.history(&input.name, rows(input.limit)?);
                Ok(json!({ "runs": runs.await? }))
            },
        ),
    ]
}

fn changes(scheduler: &Scheduler) -> Vec<Arc<dyn Native>> {
    vec![
        operation(
            "kladka.job.run",
            "Runs a job now.",
            Effect::Write,
            scheduler,
            |scheduler, input: Run| async move { scheduler.run_now(&input.name, input.wait).await },
        ),
        operation(
            "kladka.job.pause",
            "Stops a job from firing.",
            Effect::Write,
            scheduler,
            |scheduler, input: Pause| async move {
                scheduler.pause(&input.name, &input.note).await?;
                Ok(json!({ "name": input.name, "state": "paused" }))
            },
        ),
        operation(
            "kladka.job.resume",
            "Lets a paused job fire again.",
            Effect::Write,
            scheduler,
            |scheduler, input: Named| async move {
                scheduler.resume(&input.name).await?;
                Ok(json!({ "name": input.name, "state": "scheduled" }))
            },
        ),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn how_many_rows_cannot_be_shown_is_refused() {
        assert_eq!([1, 1_000].map(|n| rows(n).unwrap()), [1, 1_000]);
        for n in [0, 1_001, u32::MAX] {
            assert_eq!(rows(n).unwrap_err().code(), Code::BadArguments, "{n}");
        }
    }
}
