//! Collects what a process writes, line by line, and lets tests wait for a line.

use std::io::{BufRead as _, BufReader, Read};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// The lines so far.
#[derive(Clone, Default)]
pub(crate) struct Log(Arc<(Mutex<Vec<String>>, Condvar)>);

impl Log {
    /// Collects everything of a stream, on a thread of its own.
    pub(crate) fn of(stream: impl Read + Send + 'static) -> Self {
        let log = Self::default();
        let own = log.clone();
        std::thread::spawn(move || {
            for line in BufReader::new(stream).lines().map_while(Result::ok) {
                own.held().push(line);
                own.0.1.notify_all();
            }
            own.held().push("<end of log>".to_owned());
            own.0.1.notify_all();
        });
        log
    }

    /// Takes the lines; a test that failed while it held them still shows them.
    fn held(&self) -> MutexGuard<'_, Vec<String>> {
        self.0.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns all lines so far.
    pub(crate) fn lines(&self) -> Vec<String> {
        self.held().clone()
    }

    /// Returns the first line with `text`, waiting for it; fails after thirty seconds or at the end of the log.
    pub(crate) fn wait(&self, text: &str) -> String {
        let mut lines = self.held();
        loop {
            if let Some(line) = lines.iter().find(|line| line.contains(text)) {
                return line.clone();
            }
            let ended = lines.last().is_some_and(|line| line == "<end of log>");
            assert!(
                !ended,
                "the log ended without {text:?}:\n{}",
                lines.join("\n")
            );
            let (guard, timeout) = self
                .0
                .1
                .wait_timeout(lines, Duration::from_secs(30))
                .unwrap();
            lines = guard;
            assert!(
                !timeout.timed_out(),
                "no {text:?} in the log:\n{}",
                lines.join("\n")
            );
        }
    }

    /// Waits until the process has closed its end.
    pub(crate) fn wait_for_end(&self) {
        let mut lines = self.held();
        while lines.last().is_none_or(|line| line != "<end of log>") {
            lines = self.0.1.wait(lines).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Returns how many lines hold `text`.
    pub(crate) fn count(&self, text: &str) -> usize {
        self.lines()
            .iter()
            .filter(|line| line.contains(text))
            .count()
    }
}
