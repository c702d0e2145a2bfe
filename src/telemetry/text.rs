//! Writes log lines for people: time, level, service, message, fields, and diagnostics as they are.

use std::fmt::{self, Write as _};

use chrono::SecondsFormat;
use tracing::field::{Field, Visit};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields};
use tracing_subscriber::registry::LookupSpan;

use crate::base::{Clock as _, SystemClock};

/// The form of lines for people.
pub(super) struct TextLines(pub(super) Times);

/// How a line says when it was written.
#[derive(Clone, Copy)]
pub(super) enum Times {
    /// As the clocks of this machine show it: `10:14:02.118`.
    Clock,
    /// Day and time, in UTC.
    Full,
    /// Not at all, and not of which call either: the reader has just started it.
    Never,
}

impl Times {
    fn show(self) -> String {
        let now = SystemClock.now();
        match self {
            Self::Clock => now
                .with_timezone(&chrono::Local)
                .format("%H:%M:%S%.3f")
                .to_string(),
            Self::Full => now.to_rfc3339_opts(SecondsFormat::Millis, true),
            Self::Never => String::new(),
        }
    }
}

impl<S, N> FormatEvent<S, N> for TextLines
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(
        &self,
        _context: &FmtContext<'_, S, N>,
        mut to: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        let mut parts = Parts {
            brief: matches!(self.0, Times::Never),
            ..Parts::default()
        };
        event.record(&mut parts);
        let time = self.0.show();
        let level = level(*event.metadata().level(), to.has_ansi_escapes());
        let line = format!("{time} {level} {}", parts.line());
        writeln!(to, "{}", line.trim_start())
    }
}

fn level(level: Level, coloured: bool) -> String {
    let colour = match level {
        Level::ERROR => 31,
        Level::WARN => 33,
        Level::INFO => 32,
        _ => 34,
    };
    let text = level.as_str();
    if coloured {
        format!("\u{1b}[{colour}m{text:<5}\u{1b}[0m")
    } else {
        format!("{text:<5}")
    }
}

/// What an event says.
#[derive(Default)]
struct Parts {
    service: String,
    message: String,
    /// ` name=value` for each other field.
    fields: String,
    diagnostic: String,
    /// Whether the call is not told.
    brief: bool,
}

impl Parts {
    /// Returns all but time and level.
    fn line(&self) -> String {
        let mut line = self.service.clone();
        if !line.is_empty() {
            line.push_str("  ");
        }
        line.push_str(&self.message);
        if !self.fields.is_empty() {
            line.extend(["     ", &self.fields]);
        }
        if !self.diagnostic.is_empty() {
            line.extend(["\n", &self.diagnostic]);
        }
        line
    }
}

impl Visit for Parts {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.record_str(field, &format!("{value:?}"));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        match field.name() {
            "message" => self.message = escaped(value, false),
            "service" => self.service = escaped(value, false),
            "diagnostic" => self.diagnostic = escaped(value, true),
            // What is empty says nothing.
            _ if value.is_empty() => {}
            "cid" if self.brief => {}
            name => {
                let value = escaped(value, false);
                let shown = if value.contains([' ', '"']) {
                    format!("{value:?}")
                } else {
                    value
                };
                write!(self.fields, " {name}={shown}").expect("a String takes all");
            }
        }
    }
}

/// Escapes what would steer a terminal or forge a line; diagnostics have several lines of their own.
pub(crate) fn escaped(text: &str, lines: bool) -> String {
    let mut clean = String::with_capacity(text.len());
    for c in text.chars() {
        if c.is_control() && c != '\t' && !(lines && c == '\n') {
            clean.extend(c.escape_default());
        } else {
            clean.push(c);
        }
    }
    clean
}

#[cfg(test)]
mod tests {
    use std::io;
    use std::sync::{Arc, Mutex};

    use tracing_subscriber::prelude::*;

    use super::*;

    #[derive(Clone, Default)]
    struct Sink(Arc<Mutex<Vec<u8>>>);

    impl io::Write for Sink {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    /// Returns what is logged meanwhile, without the times.
    fn logged(log: impl FnOnce()) -> String {
        let sink = Sink::default();
        let writer = sink.clone();
        let layer = tracing_subscriber::fmt::layer()
            .with_ansi(false)
            .event_format(TextLines(Times::Clock))
            .with_writer(move || writer.clone());
        let subscriber = tracing_subscriber::registry().with(layer);
        // With a single subscriber around, a thread without one could switch our lines off for all.
        let second = tracing::Dispatch::new(tracing_subscriber::registry());
        tracing::subscriber::with_default(subscriber, log);
        drop(second);
        let text = String::from_utf8(sink.0.lock().unwrap().clone()).unwrap();
        let (time, rest) = text.split_once(' ').unwrap();
        assert_eq!(time.len(), "10:14:02.118".len(), "{text}");
        rest.to_owned()
    }

    #[test]
    fn the_service_leads_and_the_fields_follow() {
        let line = logged(|| {
            tracing::info!(
                cid = "01JD",
                service = "a.b",
                job = "refresh",
                "Key k set to 1.22"
            );
        });
        assert_eq!(
            line,
            "INFO  a.b  Key k set to 1.22      cid=01JD job=refresh\n"
        );
        let none: Option<&str> = None;
        let line = logged(|| tracing::warn!(count = 3, error = "it broke", job = none, "Oh."));
        assert_eq!(line, "WARN  Oh.      count=3 error=\"it broke\"\n");
    }

    #[test]
    fn a_diagnostic_keeps_its_lines_and_nothing_else_makes_one() {
        let line = logged(|| {
            tracing::error!(
                diagnostic = "error KL-1\n  | x\u{1b}[0m",
                file = "a\nb",
                "Bad."
            );
        });
        assert_eq!(
            line,
            "ERROR Bad.      file=a\\nb\nerror KL-1\n  | x\\u{1b}[0m\n"
        );
    }
}
