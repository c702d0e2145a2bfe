//! The operations of the admin API, and the port that serves them.

mod clashes;
mod configuration;
mod excerpt;
mod health;
mod http;
mod native;
mod operations;
mod parts;
mod story;
mod trouble;

pub(crate) use clashes::clashes;
pub(crate) use configuration::{Configuration, Selection, joined};
pub(crate) use health::Health;
pub(crate) use http::AdminPort;
pub(crate) use operations::all as operations;
pub(crate) use parts::{Endpoints, Parts};
pub(crate) use trouble::Area;
