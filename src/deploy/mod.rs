//! Makes the sources of a project live: reads, loads, checks, swaps, records and backs them up.
//!
//! A reload is a transaction. [`Deployer`] owns the only way to change the registry: every file of
//! a change is loaded first; if all are good, the registry is swapped once; if one is not, nothing
//! changes and the last good revision serves. Saved files, `pickup-dir/`, the command line and the
//! admin API all end in the same function.

mod apply;
mod archive;
mod backup;
mod deployer;
mod digest;
mod editor_files;
mod examine;
mod load;
mod operations;
mod options;
mod payload;
mod pickup;
mod queries;
mod reconcile;
mod report;
mod scan;
mod settled;
mod source_list;
mod sources;
mod start;
mod state;
mod stdlib;
mod targets;
mod walk;
mod watch;
mod write;

#[cfg(test)]
mod tests;

pub(crate) use deployer::{Deployer, Parts};
pub(crate) use examine::{Examined, examine};
pub(crate) use operations::Siblings;
pub(crate) use options::Options;
pub(crate) use report::{Origin, Outcome, Report, ServiceInfo, Which};
pub(crate) use sources::with_file;
