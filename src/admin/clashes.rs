//! Finds channels that stand in each other's way before a server has to.

use serde_json::Value as Json;

use crate::base::{Code, Fault, Faults, Place};
use crate::enmasse::Wanted;

/// Reports every two channels that answer the same method at the same path; one that is off is in nobody's way.
pub(crate) fn clashes(objects: &[Wanted]) -> Faults {
    let mut faults = Faults::default();
    let mut earlier: Vec<(&Wanted, String)> = Vec::new();
    for object in objects.iter().filter(|object| object.enabled) {
        let path = object.body.pointer("/http/path").and_then(Json::as_str);
        let Some(path) = path.filter(|_| object.id.kind == "channel.http") else {
            continue;
        };
        let shape = shape(path);
        let clash = |(other, there): &&(&Wanted, String)| *there == shape && meet(other, object);
        if let Some((other, _)) = earlier.iter().find(clash) {
            faults.push(fault(other, object, path));
        }
        earlier.push((object, shape));
    }
    faults
}

fn fault(one: &Wanted, other: &Wanted, path: &str) -> Fault {
    let fault = Fault::new(
        Code::ConfigDuplicate,
        format!(
            "channels '{}' ({}) and '{}' answer the same method at path '{path}'",
            one.id.name, one.source, other.id.name
        ),
    )
    .hint("Give them different paths or methods, or switch one of them off.");
    match other.source.rsplit_once(':') {
        Some((path, line)) => fault.at(Place::new(path, line.parse().unwrap_or(0), 0)),
        None => fault,
    }
}

/// Returns a path without the names of its parameters: they do not tell two paths apart.
fn shape(path: &str) -> String {
    path.split('/')
        .map(|own| if own.starts_with('{') { "{}" } else { own })
        .collect::<Vec<_>>()
        .join("/")
}

fn meet(one: &Wanted, other: &Wanted) -> bool {
    let (one, other) = (methods(one), methods(other));
    // A list left out is all methods.
    one.is_empty() || other.is_empty() || one.iter().any(|method| other.contains(method))
}

fn methods(channel: &Wanted) -> Vec<&str> {
    let list = channel
        .body
        .pointer("/http/methods")
        .and_then(Json::as_array);
    list.into_iter()
        .flatten()
        .filter_map(Json::as_str)
        .collect()
}
