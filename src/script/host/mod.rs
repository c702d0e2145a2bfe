//! The script API, one file for each namespace.
