//! What the script languages share, and the languages.
//!
//! `host/` is everything a script can do, one table for all languages; `declare` loads a file, `program` runs its
//! services; `meter` bounds what one call may use of its core, `poll` keeps to it; `conduct` finds the programs that
//! hold their core for long; `lua/` runs Luau, `rhai/` runs Rhai.

mod api;
mod conduct;
pub(crate) mod context;
mod coverage;
mod declare;
mod diagnostic;
pub(crate) mod host;
pub(crate) mod lua;
mod meter;
pub(crate) mod offline;
mod parallel;
mod poll;
mod program;
mod response;
pub(crate) mod rhai;
mod session;
mod telling;
#[cfg(test)]
mod tests;
mod written;

use std::rc::Rc;

use crate::contract::Core;

pub(crate) use api::{Api, Declares};
pub(crate) use coverage::Coverage;
pub(crate) use program::{bare, call};
pub(crate) use session::{Entry, Ground, Outcome, PATH, Session, Variable, show};

/// Frees what a core keeps for services that no longer exist. Cheap; the core calls it after a deployment.
pub(crate) fn sweep(core: &Rc<Core>) {
    lua::sweep(core);
}
