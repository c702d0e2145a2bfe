//! What must survive: objects, packages, revisions, jobs, runs. SQL stands here and nowhere else.
//!
//! One file for each table, each an `impl Store`; statements that differ between databases stand in
//! `dialect/`.

mod claim;
mod db;
mod dialect;
mod file_write;
mod job;
mod object;
mod package;
mod revision;
mod row;
mod run;

#[cfg(test)]
mod seen;
#[cfg(test)]
mod tests;

pub(crate) use claim::{Advance, Beyond, Claim, NewRun, Placing};
pub(crate) use db::Store;
pub(crate) use file_write::FileWrite;
pub(crate) use job::JobState;
pub(crate) use object::{Change, WriteRequest};
pub(crate) use package::NewPackage;
pub(crate) use revision::{FileText, Keep, NewRevision, Recording, RevisionRow, Stamp};
pub(crate) use row::maybe_iso;
pub(crate) use run::{Cause, Ending, Run, RunState};
