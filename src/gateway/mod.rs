//! The pipeline: a message in, an outcome out. The only module that knows security, limit, format,
//! SimpleIO and service at once.

mod handle;
mod route;

pub(crate) use handle::handle;
pub(crate) use route::{Gateway, Route};
