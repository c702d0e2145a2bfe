//! The live objects of one moment.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::base::{Code, Fault, Handle, ObjectName};
use crate::contract::{Guard, Live, ObjectId, ObjectState, StoredObject};
use crate::gateway::Route;
use crate::service::Snapshot;

/// A stored object and what became of it.
#[derive(Clone)]
pub(crate) struct LiveObject {
    /// As stored.
    pub(crate) stored: StoredObject,
    /// What it was built from: its body with every `${…}` resolved, and those of the objects it refers to.
    pub(super) print: Arc<str>,
    /// The live object; the last good one while degraded.
    pub(crate) live: Option<Live>,
    /// The route of a channel.
    pub(crate) route: Option<Arc<Route>>,
    /// What became of building it.
    pub(crate) state: ObjectState,
}

impl LiveObject {
    /// Returns how it is doing among the services of the moment: a channel that was built well can still be closed.
    pub(crate) fn state(&self, services: &Snapshot) -> ObjectState {
        let route = self.route.as_ref();
        let closed = || route.and_then(|route| route.closed(services));
        match &self.state {
            ObjectState::Current => closed().map_or(ObjectState::Current, ObjectState::Degraded),
            other => other.clone(),
        }
    }
}

/// All live objects of one moment.
#[derive(Default)]
pub(crate) struct LiveSet {
    /// By kind, then name.
    pub(crate) objects: BTreeMap<ObjectId, LiveObject>,
}

/// A job as the scheduler takes it.
pub(crate) struct JobObject {
    /// Its name.
    pub(crate) name: ObjectName,
    /// Whether it is switched on.
    pub(crate) enabled: bool,
    /// Its spec, resolved.
    pub(crate) spec: Arc<serde_json::Value>,
}

impl LiveSet {
    /// Returns the guard of a security definition, whatever its kind.
    pub(super) fn guard(&self, name: &str) -> Option<Arc<dyn Guard>> {
        let object = self
            .objects
            .values()
            .find(|object| is_security(object, name))?;
        match &object.live {
            Some(Live::Guard(guard)) => Some(Arc::clone(guard)),
            _ => None,
        }
    }

    /// Returns the routes of all channels that are switched on or off, in order of their names.
    pub(super) fn routes(&self) -> Vec<Arc<Route>> {
        self.objects
            .values()
            .filter_map(|object| object.route.clone())
            .collect()
    }

    /// Returns the jobs.
    pub(crate) fn jobs(&self) -> Vec<JobObject> {
        let job = |object: &LiveObject| match &object.live {
            Some(Live::Job(spec)) => Some(JobObject {
                name: object.stored.id.name.clone(),
                enabled: object.stored.enabled,
                spec: Arc::clone(spec),
            }),
            _ => None,
        };
        self.objects.values().filter_map(job).collect()
    }

    /// Returns the objects that could not be built as stored.
    pub(crate) fn degraded(&self) -> impl Iterator<Item = (&ObjectId, &Fault)> {
        self.objects
            .iter()
            .filter_map(|(id, object)| match &object.state {
                ObjectState::Degraded(fault) => Some((id, fault)),
                _ => None,
            })
    }

    /// Returns a connection by the last part of its kind and its name.
    pub(super) fn outgoing(&self, kind: &str, name: &str) -> Result<Handle, Fault> {
        let wanted =
            |object: &&LiveObject| object.stored.id.kind.strip_prefix("outgoing.") == Some(kind);
        let object = self
            .objects
            .values()
            .filter(wanted)
            .find(|object| object.stored.id.name.as_str() == name);
        let Some(object) = object else {
            let names = self
                .objects
                .values()
                .filter(wanted)
                .map(|object| object.stored.id.name.as_str());
            return Err(no_connection(kind, name, names));
        };
        match (&object.live, object.stored.enabled) {
            (_, false) => Err(Fault::new(
                Code::OutgoingDisabled,
                format!("outgoing {kind} connection '{name}' is disabled"),
            )),
            (Some(Live::Outgoing(handle)), true) => Ok(handle.clone()),
            _ => Err(degraded(object, kind, name)),
        }
    }
}

fn degraded(object: &LiveObject, kind: &str, name: &str) -> Fault {
    let fault = Fault::new(
        Code::OutgoingFailed,
        format!("outgoing {kind} connection '{name}' could not be built"),
    );
    match &object.state {
        ObjectState::Degraded(cause) => fault.detail(cause.to_string()),
        _ => fault,
    }
}

fn is_security(object: &LiveObject, name: &str) -> bool {
    object.stored.id.kind.starts_with("security.") && object.stored.id.name.as_str() == name
}

/// Explains that no outgoing connection of the kind has the name.
pub(crate) fn no_connection<'a>(
    kind: &str,
    name: &str,
    names: impl IntoIterator<Item = &'a str>,
) -> Fault {
    let message = format!("there is no outgoing {kind} connection named '{name}'");
    Fault::new(Code::UnknownConnection, message).near(name, names)
}
