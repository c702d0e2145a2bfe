//! The script API, one file for each namespace.
pub(crate) mod kvdb;
