//! Transports: one folder for each protocol, both directions.
pub(crate) mod http;
