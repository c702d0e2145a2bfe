//! Sets up the log: lines for people on a terminal, one JSON object a line elsewhere.

use std::io::IsTerminal as _;

use serde::Deserialize;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::format::FmtSpan;
use tracing_subscriber::prelude::*;

/// `[log]` of `server.toml`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LogSettings {
    /// The least level that is written, or a filter such as `info,kladka::deploy=debug`.
    pub level: String,
    /// How lines are written.
    pub format: LogFormat,
}

/// How log lines are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
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

impl Default for LogSettings {
    fn default() -> Self {
        Self {
            level: "info".to_owned(),
            format: LogFormat::Auto,
        }
    }
}

/// Installs the log of this process, on stderr. A second call changes nothing.
pub(crate) fn init(settings: &LogSettings) {
    let filter =
        EnvFilter::try_new(&settings.level).unwrap_or_else(|_unreadable| EnvFilter::new("info"));
    let terminal = std::io::stderr().is_terminal();
    let json = match settings.format {
        LogFormat::Auto => !terminal,
        LogFormat::Text => false,
        LogFormat::Json => true,
    };
    let registry = tracing_subscriber::registry().with(filter);
    let installed = if json {
        let layer = tracing_subscriber::fmt::layer()
            .json()
            .flatten_event(true)
            .with_current_span(false);
        registry
            .with(layer.with_span_list(false).with_writer(std::io::stderr))
            .try_init()
    } else {
        let layer = tracing_subscriber::fmt::layer()
            .with_ansi(terminal)
            .with_span_events(FmtSpan::NONE);
        registry
            .with(layer.with_target(false).with_writer(std::io::stderr))
            .try_init()
    };
    // Tests start several servers in one process; the first log serves them all.
    drop(installed);
}
