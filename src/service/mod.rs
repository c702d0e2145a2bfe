//! The services of the moment, and the one way to call them.

mod invoke;
mod registry;

pub(crate) use invoke::{call, invoke};
pub(crate) use registry::{Registry, Slot, Snapshot};
