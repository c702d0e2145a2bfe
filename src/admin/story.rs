//! The story of a message as a document: what came, what went, each step, and the lines of the scripts it came by.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value as Json, json};

use crate::admin::excerpt::excerpt;
use crate::base::{Place, Step, Story};

/// Returns a story as a document.
pub(crate) fn document(story: &Story) -> Json {
    let opening = &story.opening;
    let (steps, more) = story.steps();
    let end = story.end();
    let failed = end.as_ref().and_then(|end| end.place.clone());
    json!({
        "at": opening.at.to_rfc3339(),
        "cid": opening.cid.as_str(),
        "service": opening.service.as_str(),
        "revision": opening.revision,
        "way": opening.way,
        "input": opening.input,
        "status": end.as_ref().map(|end| end.status),
        "code": end.as_ref().and_then(|end| end.code.clone()),
        "elapsed_ms": end.as_ref().map(|end| millis(end.took)),
        "diagnostic": end.as_ref().and_then(|end| end.diagnostic.clone()),
        "failed_at": failed.as_ref().map(ToString::to_string),
        "steps": steps.iter().map(shown).collect::<Vec<_>>(),
        "more_steps": more,
        "sources": sources(story, &steps, failed.as_ref()),
    })
}

fn shown(step: &Step) -> Json {
    let (outcome, text) = match &step.result {
        None => ("result", None),
        Some(Ok(text)) => ("result", Some(text)),
        Some(Err(text)) => ("fault", Some(text)),
    };
    json!({
        "service": step.service,
        "depth": step.depth,
        "call": step.call,
        "path": step.place.as_ref().map(|place| place.path.to_string()),
        "line": step.place.as_ref().map(|place| place.line),
        "given": step.given,
        outcome: text,
        "elapsed_ms": millis(step.took),
    })
}

/// Returns the functions that steps stand in, the service's own first, then in the order of the steps.
fn sources(story: &Story, steps: &[Step], failed: Option<&Place>) -> Vec<Json> {
    let own = &story.opening.place;
    let mut order = vec![own.path.to_string()];
    let mut marks: BTreeMap<String, BTreeSet<u32>> = BTreeMap::new();
    let places = steps.iter().filter_map(|step| step.place.as_ref());
    for place in places.chain(failed) {
        let path = place.path.to_string();
        if !order.contains(&path) {
            order.push(path.clone());
        }
        marks.entry(path).or_default().insert(place.line);
    }
    let shown = order.into_iter().filter_map(|path| {
        let text = story.source(&path)?;
        let marks = marks.remove(&path).unwrap_or_default();
        let lines = excerpt(&text, &marks, own.line);
        Some(json!({ "path": path, "lines": lines }))
    });
    shown.collect()
}

fn millis(took: std::time::Duration) -> f64 {
    (took.as_secs_f64() * 100_000.0).round() / 100.0
}
