//! `kladka.job.*`.

use std::sync::Arc;

use serde::Deserialize;
use serde_json::json;

use crate::admin::Parts;
use crate::admin::native::operation;
use crate::contract::Native;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct All {}

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
    n: usize,
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

fn five() -> usize {
    5
}

fn twenty() -> u32 {
    20
}

pub(super) fn operations(parts: &Arc<Parts>) -> Vec<Arc<dyn Native>> {
    let scheduler = || parts.configuration.scheduler.clone();
    let (list, run, next) = (scheduler(), scheduler(), scheduler());
    let (pause, resume, history) = (scheduler(), scheduler(), scheduler());
    vec![
        operation("kladka.job.list", "Lists all jobs.", move |_: All| {
            let scheduler = list.clone();
            async move { Ok(json!({ "jobs": scheduler.list().await? })) }
        }),
        operation("kladka.job.run", "Runs a job now.", move |input: Run| {
            let scheduler = run.clone();
            async move { scheduler.run_now(&input.name, input.wait).await }
        }),
        operation(
            "kladka.job.next",
            "Returns the next fire times of a job.",
            move |input: Next| {
                let scheduler = next.clone();
                async move {
                    let times = scheduler.next(&input.name, input.n.min(1_000)).await?;
                    let times: Vec<String> =
                        times.iter().map(chrono::DateTime::to_rfc3339).collect();
                    let jobs = scheduler.list().await?;
                    let job = jobs.iter().find(|job| job.name == input.name);
                    Ok(json!({ "next": times, "timezone": job.map(|job| &job.timezone) }))
                }
            },
        ),
        operation(
            "kladka.job.pause",
            "Stops a job from firing.",
            move |input: Pause| {
                let scheduler = pause.clone();
                async move {
                    scheduler.pause(&input.name, &input.note).await?;
                    Ok(json!({ "name": input.name, "state": "paused" }))
                }
            },
        ),
        operation(
            "kladka.job.resume",
            "Lets a paused job fire again.",
            move |input: Named| {
                let scheduler = resume.clone();
                async move {
                    scheduler.resume(&input.name).await?;
                    Ok(json!({ "name": input.name, "state": "scheduled" }))
                }
            },
        ),
        operation(
            "kladka.job.history",
            "Returns the last runs of a job.",
            move |input: History| {
                let scheduler = history.clone();
                async move {
                    Ok(
                        json!({ "runs": scheduler.history(&input.name, input.limit.min(1_000)).await? }),
                    )
                }
            },
        ),
    ]
}
