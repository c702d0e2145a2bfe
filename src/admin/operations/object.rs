//! `kladka.object.list`, `kladka.channel.*`, `kladka.outgoing.*`: what the live objects are and how they do.

use std::sync::Arc;

use serde::Deserialize;
use serde_json::{Value as Json, json};

use crate::admin::Parts;
use crate::admin::native::{NoArguments, operation};
use crate::base::{Code, Fault, closest};
use crate::config::interpolate::{Variables, resolve_text};
use crate::contract::{Effect, Live, Native, ObjectState};
use crate::runtime::{LiveObject, LiveSet};
use crate::service::Snapshot;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Listing {
    /// The kind, or its first part, such as `channel`; empty for all.
    #[serde(default)]
    kind: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Named {
    name: String,
}

pub(super) fn operations(parts: &Arc<Parts>) -> Vec<Arc<dyn Native>> {
    vec![
        operation(
            "kladka.object.list",
            "Lists objects as stored, with their state.",
            Effect::Read,
            parts,
            |parts, input: Listing| async move {
                Ok(json!({ "objects": list(&parts, &input.kind, object) }))
            },
        ),
        operation(
            "kladka.channel.list",
            "Lists all channels.",
            Effect::Read,
            parts,
            |parts, _: NoArguments| async move {
                Ok(json!({ "channels": list(&parts, "channel", channel_row) }))
            },
        ),
        operation(
            "kladka.channel.show",
            "Returns one channel.",
            Effect::Read,
            parts,
            |parts, input: Named| async move {
                let live = parts.configuration.runtime.live();
                let object = find(&live, "channel", &input.name)?;
                let services = parts.registry.load();
                let row = channel_row(object, &services);
                Ok(merge(self::object(object, &services), row))
            },
        ),
        operation(
            "kladka.outgoing.list",
            "Lists all outgoing connections.",
            Effect::Read,
            parts,
            |parts, _: NoArguments| async move { Ok(json!({ "outgoing": connections(&parts) })) },
        ),
        operation(
            "kladka.outgoing.ping",
            "Calls the peer of a connection.",
            Effect::Network,
            parts,
            |parts, input: Named| async move { ping(&parts, &input.name).await },
        ),
    ]
}

async fn ping(parts: &Parts, name: &str) -> Result<Json, Fault> {
    let live = parts.configuration.runtime.live();
    let object = find(&live, "outgoing", name)?;
    let mut kinds = parts.configuration.kinds.iter();
    let kind = kinds.find(|kind| kind.name() == object.stored.id.kind);
    match (kind, &object.live) {
        (Some(kind), Some(Live::Outgoing(handle))) => {
            let ponged = kind.ping(handle.clone()).await;
            ponged.map_err(|fault| beyond_ping(fault, object, &*parts.configuration.variables))
        }
        _ => Err(Fault::new(
            Code::OutgoingFailed,
            format!("connection '{name}' could not be built"),
        )),
    }
}

/// Gives a failed ping another hint where its own is to ping.
fn beyond_ping(fault: Fault, object: &LiveObject, variables: &dyn Variables) -> Fault {
    let circular = fault
        .hint_text()
        .is_some_and(|hint| hint.contains("outgoing ping"));
    let url = object.stored.body.get("url").and_then(Json::as_str);
    match url.filter(|_| circular) {
        Some(url) => fault.hint(format!(
            "See whether the peer listens at {}, and what stands between.",
            address(url, variables)
        )),
        None => fault,
    }
}

fn connections(parts: &Parts) -> Vec<Json> {
    let row = |object: &LiveObject, services: &Snapshot| {
        outgoing_row(object, services, &*parts.configuration.variables)
    };
    list(parts, "outgoing", row)
}

fn list(parts: &Parts, kind: &str, row: impl Fn(&LiveObject, &Snapshot) -> Json) -> Vec<Json> {
    let live = parts.configuration.runtime.live();
    let services = parts.registry.load();
    let row = |object: &LiveObject| row(object, &services);
    let wanted = |object: &&LiveObject| kind.is_empty() || of_kind(object, kind);
    live.objects.values().filter(wanted).map(row).collect()
}

fn of_kind(object: &LiveObject, kind: &str) -> bool {
    let own = &object.stored.id.kind;
    own == kind || own.split('.').next() == Some(kind)
}

fn find<'a>(live: &'a LiveSet, kind: &str, name: &str) -> Result<&'a LiveObject, Fault> {
    let mut fitting = live.objects.values().filter(|object| of_kind(object, kind));
    let found = fitting
        .clone()
        .find(|object| object.stored.id.name.as_str() == name);
    found.ok_or_else(|| {
        let fault = Fault::new(
            Code::UnknownObject,
            format!("there is no {} named '{name}'", noun(kind)),
        );
        match closest(
            name,
            fitting
                .by_ref()
                .map(|object| object.stored.id.name.as_str()),
        ) {
            Some(near) => fault.hint(format!("Did you mean `{near}`?")),
            None => fault,
        }
    })
}

fn noun(kind: &str) -> &str {
    match kind {
        "outgoing" => "outgoing connection",
        other => other,
    }
}

fn object(object: &LiveObject, services: &Snapshot) -> Json {
    // The stored body names secrets only by `${…}`; literal ones are masked by the export, so show none here.
    let stored = &object.stored;
    merge(
        json!({
            "kind": stored.id.kind, "name": stored.id.name, "version": stored.version, "rev": stored.rev,
            "enabled": stored.enabled, "source": stored.source,
        }),
        state(object, services),
    )
}

fn channel_row(object: &LiveObject, services: &Snapshot) -> Json {
    let body = &object.stored.body;
    let calls = object.route.as_ref().map(|route| route.stats.calls());
    let row = json!({
        "name": object.stored.id.name, "kind": object.stored.id.kind, "path": body.pointer("/http/path"),
        "format": body.get("format"), "security": body.get("security"), "service": body.get("service"), "calls": calls,
    });
    merge(row, state(object, services))
}

fn outgoing_row(object: &LiveObject, services: &Snapshot, variables: &dyn Variables) -> Json {
    let url = object.stored.body.get("url").and_then(Json::as_str);
    let row = json!({
        "name": object.stored.id.name, "kind": object.stored.id.kind,
        "address": url.map(|url| address(url, variables)), "url": url,
    });
    merge(row, state(object, services))
}

/// Returns where an address leads; a secret in it stays a reference, one that cannot be filled in stays as written.
fn address(url: &str, variables: &dyn Variables) -> String {
    if url.contains("${secret.") {
        return url.to_owned();
    }
    resolve_text(url, variables).unwrap_or_else(|_unset| url.to_owned())
}

fn state(object: &LiveObject, services: &Snapshot) -> Json {
    match object.state(services) {
        ObjectState::Current => json!({ "state": "ok" }),
        ObjectState::Disabled => json!({ "state": "disabled" }),
        ObjectState::Degraded(fault) => json!({ "state": "degraded", "fault": fault }),
    }
}

fn merge(mut one: Json, other: Json) -> Json {
    if let (Some(one), Json::Object(other)) = (one.as_object_mut(), other) {
        one.extend(other);
    }
    one
}
