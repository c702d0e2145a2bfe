//! What is wrong with a server now, by area. Everything that shows it reads it here: `/readyz?verbose`, `status`,
//! `doctor`, the metrics, the greeting.
//!
//! Nothing of it makes a server unready: the last good scripts, objects and settings serve.

use std::sync::Arc;

use serde::Serialize;

use crate::admin::Parts;
use crate::base::Fault;
use crate::contract::ObjectState;
use crate::net::ServerTls;

/// A part of a server that can be in trouble, and its troubles.
pub(crate) struct Area {
    /// Its name, such as `scripts`.
    pub(crate) name: &'static str,
    /// What is wrong; empty when all is well.
    pub(crate) troubles: Vec<Trouble>,
}

/// One thing that is wrong.
#[derive(Clone, Serialize)]
pub(crate) struct Trouble {
    /// What it is about: an object, or the place in a file.
    pub(crate) object: String,
    /// What is wrong with it.
    #[serde(flatten)]
    pub(crate) fault: Fault,
}

impl Area {
    /// Makes an area of faults that name their file.
    fn of_files(name: &'static str, faults: Vec<Fault>) -> Self {
        let trouble = |fault: Fault| Trouble {
            object: fault
                .place()
                .map_or_else(|| name.to_owned(), ToString::to_string),
            fault,
        };
        Self {
            name,
            troubles: faults.into_iter().map(trouble).collect(),
        }
    }
}

impl Parts {
    /// Returns every area with what is wrong in it.
    pub(crate) fn areas(&self) -> Vec<Area> {
        let certificate =
            |tls: &Arc<ServerTls>| Area::of_files("certificate", tls.fault().into_iter().collect());
        let areas = [
            Area::of_files("scripts", self.deployer.status()),
            self.objects(),
            self.channels(),
            Area::of_files("settings", self.settings.faults()),
        ];
        let areas = areas.into_iter().chain(self.tls.as_ref().map(certificate));
        areas.collect()
    }

    /// Returns everything that is wrong.
    pub(crate) fn troubles(&self) -> Vec<Trouble> {
        let areas = self.areas().into_iter();
        areas.flat_map(|area| area.troubles).collect()
    }

    /// Returns the channels that were built well, but answer 503 to everybody.
    fn channels(&self) -> Area {
        let services = self.registry.load();
        let live = self.configuration.runtime.live();
        let closed = live.objects.values().filter_map(|object| {
            let current = matches!(object.state, ObjectState::Current);
            match object.state(&services) {
                ObjectState::Degraded(fault) if current => Some(Trouble {
                    object: object.stored.id.to_string(),
                    fault,
                }),
                _ => None,
            }
        });
        Area {
            name: "channels",
            troubles: closed.collect(),
        }
    }

    /// Returns the files' mistakes, for which they were refused, and the objects that could not be built.
    fn objects(&self) -> Area {
        let mut area = Area::of_files("objects", self.configuration.refused());
        let live = self.configuration.runtime.live();
        area.troubles
            .extend(live.degraded().map(|(id, fault)| Trouble {
                object: id.to_string(),
                fault: fault.clone(),
            }));
        area
    }
}
