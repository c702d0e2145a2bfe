//! What the script languages share, and the languages.
//!
//! `host/` is everything a script can do, one table for all languages; `meter` bounds what one call may use of its
//! core; `conduct` finds the programs that hold it for long; `lua/` runs Luau.

mod conduct;
pub(crate) mod host;
pub(crate) mod lua;
mod meter;

use std::rc::Rc;

use crate::contract::Core;

/// Frees what a core keeps for services that no longer exist. Cheap; the core calls it after a deployment.
pub(crate) fn sweep(core: &Rc<Core>) {
    lua::sweep(core);
}
