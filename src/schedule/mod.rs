//! Jobs: when they fire, and their runs.
//!
//! [`Timetable`] is the pure part: from one moment to the next fire time. [`Scheduler`] ticks,
//! claims runs in the store and hands them to whoever runs services.

mod change;
mod inner;
mod job;
mod plan;
mod reconcile;
mod run;
mod scheduler;
mod timetable;
mod view;

#[cfg(test)]
mod tests;

pub(crate) use crate::store::Run as RunRecord;
pub(crate) use job::{CatchUp, Job, JobSpec, JobSpecNamed, Overlap};
pub(crate) use run::RunJob;
pub(crate) use scheduler::Scheduler;
pub(crate) use timetable::Timetable;
pub(crate) use view::JobView;
