//! The script API, one file for each namespace.

mod data;
mod moment;

pub(crate) mod base64;
pub(crate) mod crypto;
pub(crate) mod csv;
pub(crate) mod date;
pub(crate) mod decimal;
pub(crate) mod json;
pub(crate) mod time;
pub(crate) mod uuid;

use crate::contract::HostFn;

/// The functions of all namespaces.
pub(crate) const TABLES: &[&[HostFn]] = &[
    base64::TABLE,
    crypto::TABLE,
    csv::TABLE,
    date::TABLE,
    decimal::TABLE,
    json::TABLE,
    time::TABLE,
    uuid::TABLE,
];

#[cfg(test)]
mod library_tests;
