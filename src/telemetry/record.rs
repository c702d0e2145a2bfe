//! Keeps what scripts log, for their tests.

use std::fmt;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use tracing::field::{Field, Visit};
use tracing_subscriber::Layer;
use tracing_subscriber::layer::{Context, SubscriberExt as _};
use tracing_subscriber::util::SubscriberInitExt as _;

/// Lines of scripts.
#[derive(Clone, Default)]
pub(crate) struct Recorder(Arc<Mutex<Vec<Logged>>>);

/// A line that a script logged.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Logged {
    /// The level: `debug`, `info`, `warn` or `error`.
    pub(crate) level: String,
    /// The text.
    pub(crate) text: String,
    cid: String,
}

impl Recorder {
    /// Makes the log of this process one that is kept and shown nowhere.
    pub(crate) fn install() -> Self {
        static INSTALLED: OnceLock<Recorder> = OnceLock::new();
        let made = INSTALLED.get_or_init(|| {
            let recorder = Self::default();
            // A process that logs otherwise already records nothing.
            drop(
                tracing_subscriber::registry()
                    .with(recorder.clone())
                    .try_init(),
            );
            recorder
        });
        made.clone()
    }

    /// Returns what calls of a correlation id logged so far.
    pub(crate) fn lines(&self, cid: &str) -> Vec<Logged> {
        let all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.iter().filter(|line| line.cid == cid).cloned().collect()
    }

    /// Forgets all lines.
    pub(crate) fn clear(&self) {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.clear();
    }
}

impl<S: tracing::Subscriber> Layer<S> for Recorder {
    fn on_event(&self, event: &tracing::Event<'_>, _: Context<'_, S>) {
        let metadata = event.metadata();
        if metadata.target() != "kladka::script" {
            return;
        }
        let mut line = Logged {
            level: metadata.level().as_str().to_lowercase(),
            ..Logged::default()
        };
        event.record(&mut line);
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.push(line);
    }
}

impl Visit for Logged {
    fn record_str(&mut self, field: &Field, value: &str) {
        if field.name() == "cid" {
            value.clone_into(&mut self.cid);
        }
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        if field.name() == "message" {
            self.text = format!("{value:?}");
        }
    }
}
