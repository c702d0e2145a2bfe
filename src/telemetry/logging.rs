//! Sets up the log: lines for people on a terminal, one JSON object a line elsewhere.

use std::io::IsTerminal as _;

use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::prelude::*;

use crate::config::{LogFormat, LogSettings};
use crate::telemetry::text::{TextLines, Times};

/// Installs the log of a conversation, on stderr: what scripts say, for the person who has just run them.
pub(crate) fn init_brief() {
    let filter = Targets::new().with_default(LevelFilter::ERROR);
    let filter = filter.with_target("kladka::script", LevelFilter::DEBUG);
    let layer = tracing_subscriber::fmt::layer()
        .with_ansi(std::io::stderr().is_terminal())
        .event_format(TextLines(Times::Never))
        .with_writer(std::io::stderr);
    // A process that logs otherwise already goes on so.
    drop(
        tracing_subscriber::registry()
            .with(filter)
            .with(layer)
            .try_init(),
    );
}

/// Installs the log of this process, on stderr. A second call changes nothing.
pub(crate) fn init(settings: &LogSettings) {
    // Settings that were read have a filter that can be read.
    let filter = settings.filter();
    let filter = filter.unwrap_or_else(|_| Targets::new().with_default(LevelFilter::INFO));
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
        // Who watches a terminal knows the day.
        let times = if terminal { Times::Clock } else { Times::Full };
        let layer = tracing_subscriber::fmt::layer()
            .with_ansi(terminal)
            .event_format(TextLines(times));
        registry.with(layer.with_writer(std::io::stderr)).try_init()
    };
    // Tests start several servers in one process; the first log serves them all.
    drop(installed);
}
