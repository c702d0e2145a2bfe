//! Rhai: compiles scripts once for all cores, runs calls on fibers under budgets.
//!
//! `load` tries a file and keeps what its top level made: the module whose functions calls enter. `engine` is the
//! one interpreter of the process, with its limits (`safe`) and the script API (`bind`, `context`). `service` runs a
//! call as a `task` on a `fiber`, `module` resolves imports, `closure` refuses what could outgrow every stack,
//! `convert` moves values, `diagnostic` explains errors.

mod bind;
mod closure;
mod context;
mod convert;
mod coverage;
mod diagnostic;
mod engine;
mod fiber;
mod found;
mod load;
mod module;
mod outline;
mod object;
mod own;
mod parallel;
mod safe;
mod scan;
mod service;
mod session;
mod task;
mod weigh;
#[cfg(test)]
mod tests;
mod written;

pub(crate) use load::RhaiEngine;
pub(crate) use session::RhaiSession;
pub(crate) use written::KEYWORDS;
