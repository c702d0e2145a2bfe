//! `kladka test`: the tests of a project, with no server, no network and no ports.
//!
//! `find` looks for the files below `tests/`: cases in YAML (`cases` reads them, `case` runs one through one exposure,
//! as a `client` of it would) and tests in a script language (`scripts` loads and runs them with the functions of
//! `table`). `project` is what all tests share: the services and objects as the server would have them. Each test gets
//! a `scene` of its own: an empty key/value store, a clock that stands, a log, and `mocks` in the place of peers.

mod case;
mod cases;
mod client;
mod compare;
mod covered;
mod example;
mod find;
mod golden;
mod junit;
mod keys;
mod mocks;
mod paste;
mod project;
mod report;
mod run;
mod scene;
mod scripts;
mod table;
mod wanted;

use crate::contract::HostFn;

pub(crate) use example::{first_input, request};
pub(crate) use golden::Golden;
pub(crate) use project::{objects, wanted};
pub(crate) use run::{Selection, problems, run};

/// Returns what tests can do beside everything that services can.
pub(crate) fn functions() -> &'static [HostFn] {
    table::TABLE
}
