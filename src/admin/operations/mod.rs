//! All operations, in the order of the reference.

use std::sync::Arc;

use crate::admin::Parts;
use crate::contract::Native;

mod config;
mod job;
mod object;
mod reach;
mod server;
mod service;

/// Returns every operation of a server.
pub(crate) fn all(parts: &Arc<Parts>) -> Vec<Arc<dyn Native>> {
    let groups = [
        server::operations(parts),
        service::operations(parts),
        object::operations(parts),
        reach::operations(parts),
        job::operations(parts),
        config::operations(parts),
    ];
    groups.into_iter().flatten().collect()
}
