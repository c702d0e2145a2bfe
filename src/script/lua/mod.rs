//! Luau: compiles scripts, runs calls as coroutines under budgets.
//!
//! `load` tries a file in a VM that is thrown away; `service` keeps one VM per service and core. A `vm` is made in a
//! fixed order: the prelude (`bridge`), host functions (`bind`), the `context`, `require` (`module`), then the
//! `sandbox` closes. `convert` moves values, `diagnostic` explains errors.

mod alarm;
mod bind;
mod bridge;
mod context;
mod convert;
mod diagnostic;
mod entry;
mod keep;
mod load;
mod memory;
mod module;
mod outline;
mod object;
mod parallel;
mod raw;
mod sandbox;
mod scan;
mod service;
mod session;
#[cfg(test)]
mod tests;
mod vm;
mod written;

use std::rc::Rc;

use crate::contract::Core;

pub(crate) use load::LuaEngine;
pub(crate) use session::LuaSession;
pub(crate) use written::KEYWORDS;

/// Frees the VMs of services that no longer exist.
pub(crate) fn sweep(core: &Rc<Core>) {
    core.local::<service::Instances>().sweep();
}
