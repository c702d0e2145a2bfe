//! Which lines of scripts ran, for `kladka test --cov`.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

/// How often each line of each file ran that holds something to run. Lines without anything to run are not there.
#[derive(Default)]
pub(crate) struct Coverage {
    // Short sections.
    lines: Mutex<Lines>,
}

#[derive(Default)]
struct Lines {
    files: BTreeMap<Arc<str>, BTreeMap<u32, u64>>,
    /// Lines by number, for scripts whose text tells when they run.
    marks: Vec<(Arc<str>, u32)>,
}

impl Coverage {
    /// Notes that a line can run, and how often it did.
    pub(crate) fn note(&self, path: &str, line: u32, hits: u64) {
        self.with(|lines| lines.note(path, line, hits));
    }

    /// Returns the number by which a line is marked.
    pub(crate) fn mark(&self, path: &str, line: u32) -> usize {
        self.with(|lines| {
            let known = lines
                .marks
                .iter()
                .position(|(own, at)| **own == *path && *at == line);
            known.unwrap_or_else(|| {
                lines.marks.push((path.into(), line));
                lines.marks.len() - 1
            })
        })
    }

    /// Notes that a marked line ran.
    pub(crate) fn hit(&self, mark: usize) {
        self.with(|lines| {
            if let Some((path, line)) = lines.marks.get(mark).cloned() {
                lines.note(&path, line, 1);
            }
        });
    }

    /// Returns the lines of each file.
    pub(crate) fn files(&self) -> BTreeMap<Arc<str>, BTreeMap<u32, u64>> {
        self.with(|lines| lines.files.clone())
    }

    fn with<T>(&self, work: impl FnOnce(&mut Lines) -> T) -> T {
        work(&mut self.lines.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Lines {
    fn note(&mut self, path: &str, line: u32, hits: u64) {
        if !self.files.contains_key(path) {
            self.files.insert(path.into(), BTreeMap::new());
        }
        if let Some(lines) = self.files.get_mut(path) {
            *lines.entry(line).or_default() += hits;
        }
    }
}
