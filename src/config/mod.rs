//! Bootstrap settings: `config/server.toml`, then the environment over it.

mod broken_toml;
mod environment;
pub(crate) mod interpolate;
mod project;
pub(crate) mod schema;
mod server;
mod user;

pub use environment::Environment;
pub use project::Project;
pub use server::{
    DataSettings, DatabaseSettings, DeploySettings, DevSettings, KvdbSettings, LimitSettings,
    ListenSettings, LogFormat, LogSettings, ServerConfig, TlsSettings,
};
pub use user::UserSettings;
