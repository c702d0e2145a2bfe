//! Makes the stored objects live: builds the new beside the old, swaps, and says what could not be built.
//!
//! Start-up is the same path: reconcile from nothing. An object whose spec does not build keeps its last good
//! form and is *degraded*, visible everywhere; nothing here touches the network.

mod build;
mod live;
mod reconcile;

pub(crate) use live::{JobObject, LiveObject, LiveSet, no_connection};
pub(crate) use reconcile::{Builder, Publish, Resolve, Runtime};
