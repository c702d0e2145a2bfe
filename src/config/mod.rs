//! Bootstrap settings: `config/server.toml`, then the environment over it.

pub(crate) mod interpolate;
pub(crate) mod schema;
