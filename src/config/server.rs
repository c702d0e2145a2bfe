//! `config/server.toml`: what a server needs before it can read anything else.

use serde::{Deserialize, Serialize};
use tracing_subscriber::filter::{LevelFilter, Targets};

use crate::base::{ByteSize, Code, Fault, Millis, closest, with_article};
use crate::config::broken_toml::broken_toml;
use crate::config::{Environment, Project};
use crate::contract::Limits;

/// The bootstrap settings. Every key can be set by the environment: `[listen] services` ← `KLADKA_LISTEN_SERVICES`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ServerConfig {
    /// `[listen]`: where the server listens.
    pub listen: ListenSettings,
    /// `[tls]`: certificates.
    pub tls: TlsSettings,
    /// `[data]`: where state lives.
    pub data: DataSettings,
    /// `[database]`: the SQL database.
    pub database: DatabaseSettings,
    /// `[kvdb]`: the key/value store.
    pub kvdb: KvdbSettings,
    /// `[log]`: the log.
    pub log: LogSettings,
    /// `[limits]`: bounds of the whole server.
    pub limits: LimitSettings,
    /// `[deploy]`: hot deployment.
    pub deploy: DeploySettings,
    /// `[dev]`: what only `kladka dev` uses.
    pub dev: DevSettings,
}

/// `[listen]`: where the server listens. Port 0 takes any free port.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ListenSettings {
    /// Address of the services port.
    pub services: String,
    /// Address of the admin port: API, health, metrics. Loopback unless `admin_insecure`.
    pub admin: String,
    /// Lets the admin port listen beyond loopback without TLS.
    pub admin_insecure: bool,
}

/// `[tls]`: the certificate of the services port; both empty for plain HTTP.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct TlsSettings {
    /// PEM file with the certificate chain, reloaded when it changes.
    pub certificate: String,
    /// PEM file with the private key.
    pub key: String,
}

/// `[data]`: where state lives.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct DataSettings {
    /// The directory; relative to the project.
    pub dir: String,
}

/// `[database]`: the SQL database.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct DatabaseSettings {
    /// `sqlite` for `kladka.db` in the data directory.
    pub url: String,
}

/// `[kvdb]`: the key/value store.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct KvdbSettings {
    /// `embedded`, or `redis://`, `rediss://`, `redis+sentinel://`, `redis+cluster://`.
    pub url: String,
    /// When the embedded store acknowledges: `batched` (at most 100 ms may be lost) or `always`.
    pub durability: String,
}

/// `[log]`: the log, on stderr.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LogSettings {
    /// The least level that is written, or a filter such as `info,kladka::deploy=debug`.
    pub level: String,
    /// How lines are written.
    pub format: LogFormat,
}

impl LogSettings {
    /// Returns what is written.
    pub fn filter(&self) -> Result<Targets, Fault> {
        // A bare word that is no level would be the name of a module: a misspelt level would write nothing.
        let misspelt = self.level.split(',').map(str::trim).find(|part| {
            let level = !part.is_empty() && part.parse::<LevelFilter>().is_ok();
            !level && !part.contains(['=', ':'])
        });
        if let Some(word) = misspelt {
            return Err(Fault::new(
                Code::ConfigConstraint,
                format!("[log] level = {:?}: {word:?} is not a level", self.level),
            )
            .hint("Levels are: error, warn, info, debug, trace, off."));
        }
        self.level.parse().map_err(|error| {
            Fault::new(
                Code::ConfigConstraint,
                format!("[log] level = {:?}: {error}", self.level),
            )
            .hint("Write a level, or a filter such as info,kladka::deploy=debug.")
        })
    }
}

/// How log lines are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LogFormat {
    /// `text` on a terminal, `json` elsewhere.
    #[default]
    Auto,
    /// For people.
    Text,
    /// One JSON object a line.
    Json,
}

/// `[limits]`: bounds of the whole server. Zero never means unlimited.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LimitSettings {
    /// Threads of the data plane; 0 takes one for each processor.
    pub cores: u64,
    /// Threads for long calls; with 0 they run beside the others.
    pub long_cores: u64,
    /// Open connections on the services port.
    pub connections: u64,
    /// Open connections from one address; in IPv6 from one network of 64 bits.
    pub connections_per_address: u64,
    /// How long the head of a request may take, also on a connection that sends nothing.
    pub header_timeout: Millis,
    /// How long the body of a request may take.
    pub body_timeout: Millis,
    /// How long an idle connection is kept.
    pub idle_timeout: Millis,
    /// How long running calls may take at shutdown.
    pub shutdown_grace: Millis,
    /// CPU time of one script call.
    pub script_cpu: Millis,
    /// Memory of one script's VM.
    pub script_memory: ByteSize,
}

/// `[deploy]`: hot deployment.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct DeploySettings {
    /// Whether a file saved in `scripts/` is loaded at once.
    pub watch: bool,
}

/// `[dev]`: what only `kladka dev` uses.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct DevSettings {
    /// Address of the demo partner.
    pub partner: String,
}

impl Default for ListenSettings {
    fn default() -> Self {
        Self {
            services: "0.0.0.0:17010".into(),
            admin: "127.0.0.1:8183".into(),
            admin_insecure: false,
        }
    }
}

impl Default for DataSettings {
    fn default() -> Self {
        Self { dir: "data".into() }
    }
}

impl Default for DatabaseSettings {
    fn default() -> Self {
        Self {
            url: "sqlite".into(),
        }
    }
}

impl Default for KvdbSettings {
    fn default() -> Self {
        Self {
            url: "embedded".into(),
            durability: "batched".into(),
        }
    }
}

impl Default for LogSettings {
    fn default() -> Self {
        Self {
            level: "info".into(),
            format: LogFormat::Auto,
        }
    }
}

impl Default for LimitSettings {
    fn default() -> Self {
        Self {
            cores: 0,
            long_cores: 1,
            connections: 10_000,
            connections_per_address: 256,
            header_timeout: Millis::seconds(10),
            body_timeout: Millis::seconds(30),
            idle_timeout: Millis::seconds(75),
            shutdown_grace: Millis::seconds(30),
            script_cpu: Millis(250),
            script_memory: ByteSize(64 << 20),
        }
    }
}

impl Default for DeploySettings {
    fn default() -> Self {
        Self { watch: true }
    }
}

impl Default for DevSettings {
    fn default() -> Self {
        Self {
            partner: "127.0.0.1:17020".into(),
        }
    }
}

impl ServerConfig {
    /// Reads `config/server.toml`, if it is there, and lays the environment over it.
    pub fn load(project: &Project, environment: &Environment) -> Result<Self, Fault> {
        let path = project.config().join("server.toml");
        let text = match std::fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => String::new(),
            Err(error) => {
                return Err(Fault::new(
                    Code::ConfigSyntax,
                    format!("cannot read config/server.toml: {error}"),
                ));
            }
        };
        Self::read(&text, environment)
    }

    /// Returns the bounds of every call.
    pub fn call_limits(&self) -> Limits {
        Limits {
            cpu_ms: self.limits.script_cpu.0,
            memory: self.limits.script_memory.as_usize(),
            ..Limits::default()
        }
    }

    fn read(text: &str, environment: &Environment) -> Result<Self, Fault> {
        let mut table: toml::Table = text
            .parse()
            .map_err(|error| broken_toml("config/server.toml", text, &error))?;
        let known = toml::Table::try_from(Self::default())
            .map_err(|error| Fault::new(Code::Internal, format!("default settings: {error}")))?;
        refuse_unknown(&table, &known)?;
        let own = table.clone();
        overlay(&mut table, &known, environment)?;
        let config: Self = table
            .try_into()
            .map_err(|error| refused(&error, own.try_into::<Self>().is_ok()))?;
        config.check()?;
        Ok(config)
    }

    fn check(&self) -> Result<(), Fault> {
        if self.database.url != "sqlite" {
            return Err(Fault::new(
                Code::ConfigConstraint,
                format!("[database] url = {:?} is not known", self.database.url),
            )
            .hint("This version keeps its data in SQLite: write url = \"sqlite\"."));
        }
        if self.tls.certificate.is_empty() != self.tls.key.is_empty() {
            return Err(Fault::new(
                Code::ConfigMissing,
                "[tls] needs both certificate and key",
            ));
        }
        self.log.filter()?;
        if self
            .limits
            .connections
            .min(self.limits.connections_per_address)
            == 0
        {
            return Err(Fault::new(
                Code::ConfigConstraint,
                "[limits] connections and connections_per_address must be 1 or more",
            ));
        }
        Ok(())
    }
}

/// Makes the fault of a value that does not fit; when the file alone is good, the environment is to blame.
fn refused(error: &toml::de::Error, file_is_good: bool) -> Fault {
    let text = error.to_string();
    let message = error.message().trim().to_owned();
    let key = text
        .rsplit_once("in `")
        .and_then(|(_, key)| key.trim_end().strip_suffix('`'));
    let place = match (key, file_is_good) {
        (Some(key), true) => format!("KLADKA_{}", key.replace('.', "_").to_uppercase()),
        (Some(key), false) => match key.split_once('.') {
            Some((section, key)) => format!("config/server.toml: [{section}] {key}"),
            None => format!("config/server.toml: {key}"),
        },
        (None, true) => "the environment".to_owned(),
        (None, false) => "config/server.toml".to_owned(),
    };
    Fault::new(Code::ConfigSyntax, format!("{place}: {message}"))
}

fn refuse_unknown(table: &toml::Table, known: &toml::Table) -> Result<(), Fault> {
    for (section, keys) in table {
        let Some(toml::Value::Table(fields)) = known.get(section) else {
            return Err(unknown(section, known, section));
        };
        for key in keys.as_table().into_iter().flat_map(toml::Table::keys) {
            if !fields.contains_key(key) {
                return Err(unknown(key, fields, &format!("{section}.{key}")));
            }
        }
    }
    Ok(())
}

fn unknown(key: &str, known: &toml::Table, path: &str) -> Fault {
    let fault = Fault::new(
        Code::ConfigUnknownKey,
        format!("config/server.toml: unknown key `{path}`"),
    );
    if let Some(near) = closest(key, known.keys().map(String::as_str)) {
        return fault.hint(format!("Did you mean `{near}`?"));
    }
    let names: Vec<_> = known.keys().map(String::as_str).collect();
    fault.hint(format!("Known here: {}.", names.join(", ")))
}

/// Sets every known key that the environment names, in the type of its default.
fn overlay(
    table: &mut toml::Table,
    known: &toml::Table,
    environment: &Environment,
) -> Result<(), Fault> {
    for (section, fields) in known {
        for (key, default) in fields.as_table().into_iter().flatten() {
            let name = format!("KLADKA_{section}_{key}").to_uppercase();
            let Some(text) = environment.get(&name) else {
                continue;
            };
            let value = typed(text, default).ok_or_else(|| {
                Fault::new(
                    Code::ConfigType,
                    format!(
                        "{name}={text:?} is not {}",
                        with_article(default.type_str())
                    ),
                )
            })?;
            let section = table
                .entry(section)
                .or_insert_with(|| toml::Value::Table(toml::Table::new()));
            if let toml::Value::Table(section) = section {
                section.insert(key.clone(), value);
            }
        }
    }
    Ok(())
}

fn typed(text: &str, like: &toml::Value) -> Option<toml::Value> {
    match like {
        toml::Value::Boolean(_) => text.parse().ok().map(toml::Value::Boolean),
        toml::Value::Integer(_) => text.parse().ok().map(toml::Value::Integer),
        _ => Some(toml::Value::String(text.to_owned())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_environment_wins_over_the_file_and_the_file_over_the_default() {
        let environment = Environment::of([
            ("KLADKA_LISTEN_SERVICES", "127.0.0.1:0"),
            ("KLADKA_DEPLOY_WATCH", "false"),
        ]);
        let config = ServerConfig::read(
            "[listen]\nservices = \"1.2.3.4:5\"\nadmin = \"127.0.0.1:1\"",
            &environment,
        );
        let config = config.unwrap();
        assert_eq!(
            (
                config.listen.services.as_str(),
                config.listen.admin.as_str()
            ),
            ("127.0.0.1:0", "127.0.0.1:1")
        );
        assert!(!config.deploy.watch);
        assert_eq!(config.data.dir, "data");
    }

    #[test]
    fn no_connections_at_all_are_refused() {
        for key in ["connections", "connections_per_address"] {
            let text = format!("[limits]\n{key} = 0");
            let fault = ServerConfig::read(&text, &Environment::default()).unwrap_err();
            assert_eq!(fault.code(), Code::ConfigConstraint);
        }
    }

    #[test]
    fn a_level_of_the_log_is_known_or_refused() {
        let read =
            |level: &str| ServerConfig::read("", &Environment::of([("KLADKA_LOG_LEVEL", level)]));
        for good in [
            "warn",
            "off",
            "info,kladka::deploy=debug",
            "kladka::script=trace",
        ] {
            assert!(read(good).is_ok(), "{good}");
        }
        for bad in ["inof", "info,verbose", "info,kladka::deploy=loud"] {
            let fault = read(bad)
                .err()
                .unwrap_or_else(|| panic!("{bad:?} is taken"));
            assert_eq!(fault.code(), Code::ConfigConstraint, "{bad}");
        }
    }

    #[test]
    fn a_misspelt_key_is_an_error_that_names_the_right_one() {
        let fault =
            ServerConfig::read("[listen]\nservises = \"x\"", &Environment::default()).unwrap_err();
        assert_eq!(fault.code(), Code::ConfigUnknownKey);
        assert_eq!(fault.hint_text(), Some("Did you mean `services`?"));
        let fault = ServerConfig::read("", &Environment::of([("KLADKA_DEPLOY_WATCH", "maybe")]))
            .unwrap_err();
        assert_eq!(fault.code(), Code::ConfigType);
    }
}
