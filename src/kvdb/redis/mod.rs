//! A real Redis behind the key/value store: one server, one found by sentinels, or a cluster.

mod address;
mod lane;
mod reply;
mod scan;

use std::sync::{Arc, Mutex, PoisonError};

use arc_swap::ArcSwap;
use tokio::runtime::{Handle, Id};

use crate::base::{BoxFuture, Code, Fault};
use crate::contract::{Command, KeyValue, Running};
use crate::kvdb::command::check;
use crate::tasks::Tasks;

use address::Address;
use lane::Lane;

/// A real Redis.
///
/// Each runtime has its own connection, so each core thread has one and the control plane shares
/// one: a connection is driven by the thread that uses it, and commands of one moment leave in one
/// write.
pub(super) struct Redis {
    address: Arc<Address>,
    tasks: Tasks,
    /// The connections by runtime. Read at each command, changed when a runtime uses the store
    /// first.
    lanes: ArcSwap<Vec<(Id, Arc<Lane>)>>,
    /// Held while a lane is added, so that a runtime gets one only.
    adding: Mutex<()>,
}

impl Redis {
    /// Reads the address. Nothing is dialled before the first command.
    pub(super) fn open(url: &str, tasks: &Tasks) -> Result<Self, Fault> {
        Ok(Self {
            address: Arc::new(Address::parse(url)?),
            tasks: tasks.clone(),
            lanes: ArcSwap::default(),
            adding: Mutex::new(()),
        })
    }

    /// Returns the connection of the current runtime.
    fn lane(&self) -> Result<Arc<Lane>, Fault> {
        let handle = Handle::try_current().map_err(|error| {
            Fault::new(
                Code::Internal,
                "the key/value store was used outside a runtime",
            )
            .detail(error.to_string())
        })?;
        let id = handle.id();
        if let Some(lane) = find(&self.lanes.load(), id) {
            return Ok(lane);
        }
        let _adding = self.adding.lock().unwrap_or_else(PoisonError::into_inner);
        let known = self.lanes.load_full();
        if let Some(lane) = find(&known, id) {
            return Ok(lane);
        }
        let lane = Lane::new(Arc::clone(&self.address), self.tasks.clone());
        let mut lanes = Vec::clone(&known);
        lanes.push((id, Arc::clone(&lane)));
        self.lanes.store(Arc::new(lanes));
        Ok(lane)
    }
}

fn find(lanes: &[(Id, Arc<Lane>)], id: Id) -> Option<Arc<Lane>> {
    let (_, lane) = lanes.iter().find(|(own, _)| *own == id)?;
    Some(Arc::clone(lane))
}

impl KeyValue for Redis {
    fn run(&self, command: Command) -> Running {
        let rule = match check(&command) {
            Ok(rule) => rule,
            Err(fault) => return Running::Done(Err(fault)),
        };
        match self.lane() {
            Ok(lane) => Running::Later(Box::pin(async move { lane.run(rule, &command).await })),
            Err(fault) => Running::Done(Err(fault)),
        }
    }

    fn waits(&self) -> bool {
        true
    }

    /// Returns at once: what Redis answered it has taken, and when it writes is its own setting.
    fn sync(&self) -> BoxFuture<'_, Result<(), Fault>> {
        Box::pin(std::future::ready(Ok(())))
    }
}
