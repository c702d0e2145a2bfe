//! What must survive: objects, packages, revisions, jobs, runs. SQL stands here and nowhere else.
//!
//! One file for each table, each an `impl Store`; statements that differ between databases stand in `dialect/`.

mod db;
mod dialect;
mod package;
mod revision;

pub(crate) use db::Store;
pub(crate) use package::{NewPackage, PackageRow};
pub(crate) use revision::{FileText, Keep, NewRevision, Recording, RevisionRow, Stamp};
