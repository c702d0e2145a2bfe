//! Builds one object: resolves its body, keeps the live one if nothing it depends on changed, else starts it.

use std::sync::Arc;

use serde_json::Value as Json;

use crate::base::{Code, Fault, Faults};
use crate::contract::{AnyKind, Live, ObjectState, StoredObject};
use crate::gateway::Route;
use crate::runtime::live::{LiveObject, LiveSet};
use crate::runtime::reconcile::Builder;

impl Builder {
    /// Builds one object beside the old one. `done` holds what it may refer to.
    pub(super) fn build(
        &self,
        stored: StoredObject,
        old: Option<&LiveObject>,
        done: &LiveSet,
    ) -> LiveObject {
        match self.try_build(&stored, old, done) {
            Ok(object) => object,
            Err(faults) => {
                let fault = first(faults);
                let last = old.cloned();
                LiveObject {
                    print: Arc::from(""),
                    live: last.as_ref().and_then(|last| last.live.clone()),
                    route: last.and_then(|last| last.route),
                    state: ObjectState::Degraded(fault),
                    stored,
                }
            }
        }
    }

    fn try_build(
        &self,
        stored: &StoredObject,
        old: Option<&LiveObject>,
        done: &LiveSet,
    ) -> Result<LiveObject, Faults> {
        let kind = self.kind(&stored.id.kind)?;
        let resolved = (self.resolve)(kind, stored)?;
        let body = kind.normal(&resolved)?;
        let print: Arc<str> = print(kind, &body, stored.enabled, done).into();
        let state = if stored.enabled {
            ObjectState::Current
        } else {
            ObjectState::Disabled
        };
        if let Some(old) = old.filter(|old| old.print == print) {
            // What was wrong with it may have been another's fault, which is looked at anew.
            return Ok(LiveObject {
                stored: stored.clone(),
                state,
                ..old.clone()
            });
        }
        let env = crate::contract::Env {
            guards: &|name| done.guard(name),
            formats: self.formats,
            clock: Arc::clone(&self.clock),
            project: &self.project,
        };
        let live = kind.start(&stored.id.name, &body, &env)?;
        let route = self.route(&live, stored.enabled, old);
        Ok(LiveObject {
            stored: stored.clone(),
            print,
            live: Some(live),
            route,
            state,
        })
    }

    fn kind(&self, name: &str) -> Result<&'static dyn AnyKind, Fault> {
        let known = self.kinds.iter().find(|kind| kind.name() == name);
        known
            .copied()
            .ok_or_else(|| Fault::new(Code::ConfigReference, format!("kind '{name}' is not known")))
    }

    fn route(&self, live: &Live, enabled: bool, old: Option<&LiveObject>) -> Option<Arc<Route>> {
        let Live::Channel(plan) = live else {
            return None;
        };
        let route = Route::new(Arc::clone(plan), enabled, &self.registry);
        let stats = old
            .and_then(|old| old.route.as_ref())
            .map(|route| Arc::clone(&route.stats));
        Some(Arc::new(match stats {
            Some(stats) => route.counting_on(stats),
            None => route,
        }))
    }
}

/// Returns what tells whether an object must be built again: its own body and those it refers to.
fn print(kind: &dyn AnyKind, body: &Json, enabled: bool, done: &LiveSet) -> String {
    let mut print = format!("{enabled} {body}");
    for name in references(&kind.schema(), body) {
        let of = |object: &&LiveObject| object.stored.id.name.as_str() == name;
        for object in done.objects.values().filter(of) {
            print.push('\n');
            print.push_str(&object.print);
        }
    }
    print
}

/// Returns the names of the objects that the top level of a body refers to.
fn references<'a>(schema: &Json, body: &'a Json) -> Vec<&'a str> {
    let fields = schema
        .get("properties")
        .and_then(Json::as_object)
        .into_iter()
        .flatten();
    let refers = fields.filter(|(_, field)| field.get("x-ref").is_some());
    refers
        .filter_map(|(name, _)| body.get(name)?.as_str())
        .collect()
}

fn first(faults: Faults) -> Fault {
    let nothing = || Fault::new(Code::Internal, "the object could not be built");
    faults.0.into_iter().next().unwrap_or_else(nothing)
}
