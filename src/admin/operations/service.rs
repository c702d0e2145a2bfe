//! `kladka.service.*`.

use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use serde::Deserialize;
use serde_json::{Value as Json, json};

use crate::admin::Parts;
use crate::admin::native::{NoArguments, operation};
use crate::base::{Cid, Code, Fault, Millis, ServiceName, Value};
use crate::contract::{Declaration, Effect, Field, Native, Placement, Services as _};
use crate::deploy::{Deployer, Origin, Outcome, Report, Siblings, Which};
use crate::service::Terms;
use crate::sio;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Named {
    name: ServiceName,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Last {
    name: Option<ServiceName>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Invoke {
    name: ServiceName,
    #[serde(default)]
    payload: Json,
    /// How long the caller waits.
    timeout: Option<Millis>,
    /// Whether nothing may be changed.
    #[serde(default)]
    read_only: bool,
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
    all.extend(changes(&parts.deployer));
    all
}

fn queries(parts: &Arc<Parts>) -> Vec<Arc<dyn Native>> {
    vec![
        operation(
            "kladka.service.list",
            "Lists all services.",
            Effect::Read,
            parts,
            |parts, _: NoArguments| async move {
                Ok(json!({ "services": rows(&parts), "faults": parts.deployer.status() }))
            },
        ),
        operation(
            "kladka.service.show",
            "Returns one service.",
            Effect::Read,
            parts,
            |parts, input: Named| async move { detail(&parts, &input.name).await },
        ),
        operation(
            "kladka.service.invoke",
            "Calls a service directly.",
            Effect::Write,
            parts,
            |parts, input: Invoke| async move { invoke(&parts, input).await },
        ),
        operation(
            "kladka.service.last",
            "Returns what happened to the last message, step by step; in `dev` only.",
            Effect::Read,
            parts,
            |parts, input: Last| async move {
                let name = input.name.as_ref().map(ServiceName::as_str);
                parts.last(name)
            },
        ),
        operation(
            "kladka.service.history",
            "Returns the revisions of a service.",
            Effect::Read,
            parts,
            |parts, input: Named| async move {
                Ok(json!({ "revisions": parts.deployer.history(&input.name).await? }))
            },
        ),
    ]
}

/// Who changes things through this API.
const AUTHOR: &str = "api";

fn changes(deployer: &Arc<Deployer>) -> Vec<Arc<dyn Native>> {
    vec![
        operation(
            "kladka.service.reload",
            "Loads scripts again.",
            Effect::Write,
            deployer,
            |deployer, input: Reload| async move { reload(&deployer, input.names).await },
        ),
        operation(
            "kladka.service.rollback",
            "Puts an earlier revision back.",
            Effect::Write,
            deployer,
            |deployer, input: Rollback| async move {
                let back = deployer.rollback(input.name, input.revision, AUTHOR.to_owned());
                back.await
            },
        ),
        operation(
            "kladka.service.delete",
            "Deletes a service and its file.",
            Effect::Write,
            deployer,
            |deployer, input: Delete| async move {
                let siblings = if input.force {
                    Siblings::GoToo
                } else {
                    Siblings::Forbid
                };
                let gone = deployer.delete(input.name, siblings, AUTHOR.to_owned());
                gone.await
            },
        ),
        operation(
            "kladka.service.deploy",
            "Deploys files or archives.",
            Effect::Write,
            deployer,
            |deployer, input: Deploy| async move {
                let members: Result<Vec<_>, _> = input.files.into_iter().map(member).collect();
                deployer.deploy(members?, Origin::way(AUTHOR)).await
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

async fn reload(deployer: &Arc<Deployer>, names: Vec<ServiceName>) -> Result<Report, Fault> {
    let origin = Origin::way("api");
    if names.is_empty() {
        return deployer.reload(Which::All, origin).await;
    }
    let report = deployer.reload(Which::Names(names.clone()), origin).await?;
    only(report, &names)
}

/// Keeps of a report what was asked for and what changed with it, not what else is broken; a name that no file
/// defines is an error.
fn only(mut report: Report, names: &[ServiceName]) -> Result<Report, Fault> {
    let unknown = report
        .faults
        .iter()
        .find(|fault| fault.code() == Code::UnknownService);
    if let Some(fault) = unknown {
        return Err(fault.clone());
    }
    report.services.retain(|line| {
        let changed = matches!(line.outcome, Outcome::Ok | Outcome::Removed);
        changed || names.contains(&line.name)
    });
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

/// Returns the formats a service is exposed in and the jobs that call it, and its calls, whatever the way in.
fn exposure(parts: &Parts, name: &str) -> (Vec<String>, u64) {
    let live = parts.configuration.runtime.live();
    let routes = live
        .objects
        .values()
        .filter_map(|object| object.route.as_ref());
    let entry = parts.registry.load().find(name);
    let mut formats = Vec::new();
    let mut calls = entry.map_or(0, |entry| entry.direct.calls());
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

fn threads(placement: Placement) -> &'static str {
    match placement {
        Placement::Shared => "shared",
        Placement::Long => "long",
    }
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
        shown.insert("threads".to_owned(), json!(placement.map(threads)));
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
    let timeout = input.timeout.map_or(Duration::from_mins(1), Duration::from);
    let terms = Terms {
        cid: cid.clone(),
        caller: "api",
        timeout,
        job: None,
        read_only: input.read_only,
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
