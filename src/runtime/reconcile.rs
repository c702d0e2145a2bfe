//! The verb: stored objects in, live objects out, swapped in one step.

use std::sync::{Arc, Mutex, PoisonError};

use arc_swap::ArcSwap;

use crate::base::{Clock, Fault, Faults, Handle, ObjectName};
use crate::contract::{AnyKind, Connections, FormatMaker, ObjectId, ObjectState, StoredObject};
use crate::gateway::Route;
use crate::runtime::live::LiveSet;
use crate::service::Registry;

/// Resolves the `${…}` of a body.
pub(crate) type Resolve =
    Box<dyn Fn(&dyn AnyKind, &StoredObject) -> Result<serde_json::Value, Faults> + Send + Sync>;

/// Makes routes reachable; returns the channels that could not be, each with its fault.
pub(crate) type Publish = Box<dyn Fn(Vec<Arc<Route>>) -> Vec<(ObjectName, Fault)> + Send + Sync>;

/// What building an object needs.
pub(crate) struct Builder {
    /// All kinds.
    pub(crate) kinds: &'static [&'static dyn AnyKind],
    /// All formats.
    pub(crate) formats: &'static [&'static dyn FormatMaker],
    /// The services, for the slots of routes.
    pub(crate) registry: Arc<Registry>,
    /// The time of day.
    pub(crate) clock: Arc<dyn Clock>,
    /// The project directory; relative paths of specs stand in it.
    pub(crate) project: std::path::PathBuf,
    /// How `${…}` are resolved.
    pub(crate) resolve: Resolve,
    /// How routes become reachable.
    pub(crate) publish: Publish,
}

/// Owns the live objects. Scripts find their connections here.
pub(crate) struct Runtime {
    builder: Builder,
    live: ArcSwap<LiveSet>,
    // One reconcile at a time; held over building only, which never waits.
    turn: Mutex<()>,
}

/// What a reconcile did.
#[derive(Debug, Default)]
pub(crate) struct Reconciled {
    /// Objects that could not be built as stored, each with its fault.
    pub(crate) degraded: Vec<(ObjectId, Fault)>,
}

impl Runtime {
    /// Makes a runtime without objects.
    pub(crate) fn new(builder: Builder) -> Self {
        Self {
            builder,
            live: ArcSwap::default(),
            turn: Mutex::default(),
        }
    }

    /// Returns the live objects of the moment.
    pub(crate) fn live(&self) -> Arc<LiveSet> {
        self.live.load_full()
    }

    /// Makes `objects` the live ones. What did not change is not touched.
    pub(crate) fn reconcile(&self, mut objects: Vec<StoredObject>) -> Reconciled {
        let _turn = self.turn.lock().unwrap_or_else(PoisonError::into_inner);
        let old = self.live.load_full();
        // Guards first: the others refer to them.
        objects.sort_by_key(|object| !object.id.kind.starts_with("security."));
        let mut fresh = LiveSet::default();
        for stored in objects {
            let last = old.objects.get(&stored.id);
            let object = self.builder.build(stored, last, &fresh);
            fresh.objects.insert(object.stored.id.clone(), object);
        }
        for (name, fault) in (self.builder.publish)(fresh.routes()) {
            let channel = fresh
                .objects
                .values_mut()
                .find(|object| object.route.is_some() && object.stored.id.name == name);
            if let Some(channel) = channel {
                channel.state = ObjectState::Degraded(fault);
            }
        }
        let degraded = fresh
            .degraded()
            .map(|(id, fault)| (id.clone(), fault.clone()))
            .collect();
        self.live.store(Arc::new(fresh));
        Reconciled { degraded }
    }
}

impl Connections for Runtime {
    fn outgoing(&self, kind: &str, name: &str) -> Result<Handle, Fault> {
        self.live.load().outgoing(kind, name)
    }
}
