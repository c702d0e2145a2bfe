//! `kladka.service.*`.

use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use serde::Deserialize;
use serde_json::{Value as Json, json};

use crate::admin::Parts;
use crate::admin::native::operation;
use crate::base::{Cid, Code, Fault, Millis, ServiceName, Value};
use crate::contract::{Declaration, Field, Native, Placement, Services as _};
use crate::deploy::{Origin, Outcome, Report, Siblings, Which};
use crate::service::Terms;
use crate::sio;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct All {}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Named {
    name: ServiceName,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Invoke {
    name: ServiceName,
    #[serde(default)]
    payload: Json,
    /// How long the caller waits.
    timeout: Option<Millis>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Reload {
    /// Empty for all.
    #[serde(default)]
    names: Vec<ServiceName>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Rollback {
    name: ServiceName,
    revision: Option<u32>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Delete {
    name: ServiceName,
    #[serde(default)]
    force: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Deploy {
    files: Vec<File>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    name: String,
    /// The bytes, in base64.
    content: String,
}

pub(super) fn operations(parts: &Arc<Parts>) -> Vec<Arc<dyn Native>> {
    let mut all = queries(parts);
    all.extend(changes(parts));
    all
}

fn queries(parts: &Arc<Parts>) -> Vec<Arc<dyn Native>> {
    let parts = || Arc::clone(parts);
    let (list, show, invoke, history) = (parts(), parts(), parts(), parts());
    vec![
        operation(
            "kladka.service.list",
            "Lists all services.",
            move |_: All| {
                let parts = Arc::clone(&list);
                async move { Ok(json!({ "services": rows(&parts), "faults": parts.deployer.status() })) }
            },
        ),
        operation(
            "kladka.service.show",
            "Returns one service.",
            move |input: Named| {
                let parts = Arc::clone(&show);
                async move { detail(&parts, &input.name).await }
            },
        ),
        operation(
            "kladka.service.invoke",
            "Calls a service directly.",
            move |input: Invoke| {
                let parts = Arc::clone(&invoke);
                async move { self::invoke(&parts, input).await }
            },
        ),
        operation(
            "kladka.service.history",
            "Returns the revisions of a service.",
            move |input: Named| {
                let parts = Arc::clone(&history);
                async move { Ok(json!({ "revisions": parts.deployer.history(&input.name).await? })) }
            },
        ),
    ]
}

fn changes(parts: &Arc<Parts>) -> Vec<Arc<dyn Native>> {
    let deployer = || Arc::clone(&parts.deployer);
    let (reload, rollback, delete, deploy) = (deployer(), deployer(), deployer(), deployer());
    let author = || "api".to_owned();
    vec![
        operation(
            "kladka.service.reload",
            "Loads scripts again.",
            move |input: Reload| {
                let deployer = Arc::clone(&reload);
                async move {
                    if input.names.is_empty() {
                        return deployer.reload(Which::All, Origin::way("api")).await;
                    }
                    let names = input.names.clone();
                    let report = deployer
                        .reload(Which::Names(input.names), Origin::way("api"))
                        .await?;
                    only(report, &names)
                }
            },
        ),
        operation(
            "kladka.service.rollback",
            "Puts an earlier revision back.",
            move |input: Rollback| {
                let deployer = Arc::clone(&rollback);
                async move {
                    deployer
                        .rollback(input.name, input.revision, author())
                        .await
                }
            },
        ),
        operation(
            "kladka.service.delete",
            "Deletes a service and its file.",
            move |input: Delete| {
                let deployer = Arc::clone(&delete);
                let siblings = if input.force {
                    Siblings::GoToo
                } else {
                    Siblings::Forbid
                };
                async move { deployer.delete(input.name, siblings, author()).await }
            },
        ),
        operation(
            "kladka.service.deploy",
            "Deploys files or archives.",
            move |input: Deploy| {
                let deployer = Arc::clone(&deploy);
                async move {
                    let members = input
                        .files
                        .into_iter()
                        .map(member)
                        .collect::<Result<Vec<_>, _>>()?;
                    deployer.deploy(members, Origin::way("api")).await
                }
            },
        ),
    ]
}

fn member(file: File) -> Result<(String, Vec<u8>), Fault> {
    let bytes = base64::engine::general_purpose::STANDARD.decode(&file.content);
    let bytes = bytes.map_err(|error| {
        Fault::new(
            Code::BadArguments,
            format!("{}: not base64: {error}", file.name),
        )
    })?;
    Ok((file.name, bytes))
}

/// Keeps of a report what was asked for and what changed with it; a name that no file defines is an error.
fn only(mut report: Report, names: &[ServiceName]) -> Result<Report, Fault> {
    let unknown = report
        .faults
        .iter()
        .find(|fault| fault.code() == Code::UnknownService);
    if let Some(fault) = unknown {
        return Err(fault.clone());
    }
    report
        .services
        .retain(|line| names.contains(&line.name) || line.outcome != Outcome::Same);
    Ok(report)
}

fn rows(parts: &Parts) -> Vec<Json> {
    let row = |info: crate::deploy::ServiceInfo| {
        let (exposed, calls) = exposure(parts, info.name.as_str());
        let mut row = json!(info);
        if let Some(row) = row.as_object_mut() {
            row.insert("exposed".to_owned(), json!(exposed));
            row.insert("calls".to_owned(), json!(calls));
        }
        row
    };
    parts.deployer.list().into_iter().map(row).collect()
}

/// Returns the formats a service is exposed in and the jobs that call it, and the messages its channels took.
fn exposure(parts: &Parts, name: &str) -> (Vec<String>, u64) {
    let live = parts.configuration.runtime.live();
    let routes = live
        .objects
        .values()
        .filter_map(|object| object.route.as_ref());
    let mut formats = Vec::new();
    let mut calls = 0;
    for route in routes.filter(|route| route.plan.service.as_str() == name) {
        formats.push(route.plan.format.name().to_owned());
        calls += route.stats.calls();
    }
    let jobs = live.objects.values().filter(|object| {
        object.stored.id.kind == "job"
            && object
                .stored
                .body
                .get("service")
                .is_some_and(|service| service == name)
    });
    formats.extend(jobs.map(|job| format!("job:{}", job.stored.id.name)));
    (formats, calls)
}

async fn detail(parts: &Parts, name: &ServiceName) -> Result<Json, Fault> {
    let detail = parts.deployer.show(name).await?;
    let entry = parts.registry.load().find(name.as_str());
    let placement = entry.as_ref().map(|entry| entry.service.placement());
    let declaration = entry.as_ref().map(|entry| entry.service.declaration());
    let mut shown = json!(detail.service);
    let (exposed, calls) = exposure(parts, name.as_str());
    if let Some(shown) = shown.as_object_mut() {
        shown.insert("doc".to_owned(), json!(detail.doc));
        shown.insert("line".to_owned(), json!(detail.line));
        shown.insert("sha256".to_owned(), json!(detail.sha256));
        shown.insert("text".to_owned(), json!(detail.text));
        shown.insert("exposed".to_owned(), json!(exposed));
        shown.insert("calls".to_owned(), json!(calls));
        shown.insert(
            "threads".to_owned(),
            json!(placement.map(Placement::as_str)),
        );
        shown.insert(
            "input".to_owned(),
            json!(declaration.and_then(|own| fields(own.input.as_deref()))),
        );
        shown.insert(
            "output".to_owned(),
            json!(declaration.and_then(|own| fields(own.output.as_deref()))),
        );
        shown.insert(
            "timeout".to_owned(),
            json!(declaration.and_then(|own: &Arc<Declaration>| own.timeout)),
        );
    }
    Ok(shown)
}

fn fields(fields: Option<&[Field]>) -> Option<Vec<String>> {
    fields.map(|fields| fields.iter().map(sio::field_text).collect())
}

async fn invoke(parts: &Parts, input: Invoke) -> Result<Json, Fault> {
    let cid = Cid::fresh();
    let started = std::time::Instant::now();
    let timeout = input
        .timeout
        .map_or(Duration::from_secs(60), Duration::from);
    let terms = Terms {
        cid: cid.clone(),
        caller: "api",
        timeout,
        job: None,
    };
    let called = parts
        .direct
        .invoke(input.name, Value::from(&input.payload), terms)
        .await?;
    let elapsed = started.elapsed().as_secs_f64() * 1_000.0;
    Ok(json!({
        "cid": cid.as_str(),
        "output": Json::from(&called.answer.value),
        "revision": called.revision,
        "elapsed_ms": (elapsed * 10.0).round() / 10.0,
    }))
}
