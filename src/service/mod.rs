//! The services of the moment, and the ways to call them.

mod direct;
mod invoke;
mod registry;

pub(crate) use direct::{Direct, Terms};
pub(crate) use invoke::{UnderWay, call, invoke, run, unknown};
pub(crate) use registry::{Registry, Slot, Snapshot};
