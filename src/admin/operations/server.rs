//! `kladka.server.*`.

use std::sync::Arc;

use serde_json::json;

use crate::admin::Parts;
use crate::admin::native::{NoArguments, operation};
use crate::base::{Fault, Millis};
use crate::contract::{Effect, Native};

pub(super) fn operations(parts: &Arc<Parts>) -> Vec<Arc<dyn Native>> {
    vec![
        operation(
            "kladka.server.status",
            "Returns how the server is doing.",
            Effect::Read,
            parts,
            |parts, _: NoArguments| async move { status(&parts).await },
        ),
        operation(
            "kladka.server.stop",
            "Makes the server finish what runs and end.",
            Effect::Write,
            parts,
            |parts, _: NoArguments| async move {
                parts.stop.cancel();
                Ok(json!({ "pid": std::process::id() }))
            },
        ),
    ]
}

async fn status(parts: &Parts) -> Result<serde_json::Value, Fault> {
    let rev = parts.configuration.store.head().await?;
    let live = parts.configuration.runtime.live();
    let count = |kind: &str| {
        live.objects
            .keys()
            .filter(|id| id.kind.split('.').next() == Some(kind))
            .count()
    };
    let degraded = parts.troubles();
    let faults = parts.deployer.status().len();
    let state = match (parts.stop.is_cancelled(), degraded.is_empty()) {
        (true, _) => "draining",
        (false, true) => "ok",
        (false, false) => "degraded",
    };
    let uptime = Millis::seconds(parts.started.elapsed().as_secs());
    Ok(json!({
        "rev": rev,
        "state": state,
        "mode": parts.mode,
        "version": env!("CARGO_PKG_VERSION"),
        "pid": std::process::id(),
        "uptime": uptime.to_string(),
        "services": parts.registry.load().entries().count(),
        "script_faults": faults,
        "channels": count("channel"),
        "jobs": count("job"),
        "kvdb": parts.config.kvdb.url.split([':', '?']).next(),
        "endpoints": parts.endpoints,
        "degraded": degraded,
    }))
}
