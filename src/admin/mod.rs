//! The operations of the admin API, and the port that serves them.

mod health;
mod http;
mod native;

pub(crate) use health::Health;
pub(crate) use http::AdminPort;
