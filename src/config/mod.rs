//! Bootstrap settings: `config/server.toml`, then the environment over it.
