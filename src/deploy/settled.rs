//! Decides which state of a file to believe, so that a half-written one is never read.

use std::collections::{HashMap, HashSet};
use std::fs::Metadata;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// What is known of files that were or are being written.
#[derive(Debug, Default)]
pub(crate) struct Settle {
    /// Files that were closed or renamed since the last scan: read them.
    pub(crate) closed: HashSet<PathBuf>,
    /// Files written to and not closed yet: leave them.
    pub(crate) writing: HashMap<PathBuf, Instant>,
    /// Files and directories that were renamed to another lasting name: they are gone at once.
    pub(crate) renamed: HashSet<PathBuf>,
}

impl Settle {
    /// Tells whether a file, or a directory above it, came to its place since the last scan.
    pub(crate) fn is_closed(&self, path: &Path) -> bool {
        at_or_below(path, &self.closed)
    }

    /// Takes what a scan needs; forgets writers that fell silent for longer than `patience`.
    pub(crate) fn take(&mut self, patience: Duration) -> Self {
        self.writing.retain(|_, since| since.elapsed() < patience);
        Self {
            closed: std::mem::take(&mut self.closed),
            writing: self.writing.clone(),
            renamed: std::mem::take(&mut self.renamed),
        }
    }
}

fn at_or_below(path: &Path, known: &HashSet<PathBuf>) -> bool {
    !known.is_empty() && path.ancestors().any(|above| known.contains(above))
}

/// How far to believe what stands on disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Trust {
    /// All but what is known to be in the middle of a write: somebody asked for a reload.
    Asked,
    /// Only what was closed, renamed or rested: we look by ourselves.
    Settled,
}

/// By what a scan decides.
pub(crate) struct Believe<'a> {
    /// How far to believe what stands on disk.
    pub(crate) trust: Trust,
    /// What events told.
    pub(crate) settle: &'a Settle,
    /// How long a file must stay unchanged when no event told that it was closed.
    pub(crate) stable: Duration,
}

/// How a file stood at a moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Stat {
    inode: u64,
    length: u64,
    modified: (i64, i64),
    changed: (i64, i64),
}

impl Stat {
    /// Returns how the file of some metadata stands.
    pub(crate) fn of(metadata: &Metadata) -> Self {
        Self {
            inode: metadata.ino(),
            length: metadata.len(),
            modified: (metadata.mtime(), metadata.mtime_nsec()),
            changed: (metadata.ctime(), metadata.ctime_nsec()),
        }
    }
}

/// What was read of each file, and when.
pub(crate) struct Cache<T> {
    files: HashMap<PathBuf, Seen<T>>,
}

struct Seen<T> {
    /// What was read last, and how the file stood then.
    read: Option<(T, Stat)>,
    /// A change that has not rested yet.
    waiting: Option<(Stat, Instant)>,
    /// Since when the file is missing.
    missing: Option<Instant>,
}

/// What a cache gives: the value to believe, and whether to look again soon.
pub(crate) struct Read<T> {
    /// `None` while a new file is still being written, or when it is gone.
    pub(crate) value: Option<T>,
    /// Whether a change was left aside.
    pub(crate) unsettled: bool,
}

impl<T> Default for Cache<T> {
    fn default() -> Self {
        Self {
            files: HashMap::new(),
        }
    }
}

impl<T: Clone> Cache<T> {
    /// Returns the value of a file: from memory, or by `load`, which also tells how the file stood
    /// afterwards.
    pub(crate) fn read(
        &mut self,
        path: &Path,
        believe: &Believe<'_>,
        load: impl FnOnce() -> Option<(T, Stat)>,
    ) -> Read<T> {
        let Ok(metadata) = std::fs::metadata(path) else {
            let seen = self.files.get(path);
            return Read {
                value: seen.and_then(Seen::value),
                unsettled: true, // it went between two looks
            };
        };
        let stat = Stat::of(&metadata);
        let seen = self.files.entry(path.to_owned()).or_insert(Seen {
            read: None,
            waiting: None,
            missing: None,
        });
        let closed = believe.settle.is_closed(path);
        let same = seen.read.as_ref().is_some_and(|(_, then)| *then == stat);
        if same && !closed {
            seen.waiting = None;
        } else if seen.may_read(stat, closed, path, believe) {
            seen.reread(stat, load);
        } else {
            seen.waiting.get_or_insert((stat, Instant::now()));
        }
        Read {
            value: seen.value(),
            unsettled: seen.waiting.is_some(),
        }
    }

    /// Forgets the files that are not present any more, and returns the values of those that may
    /// come back in a moment: some editors rename the old file away before they write the new one.
    pub(crate) fn keep(&mut self, present: &HashSet<&PathBuf>, believe: &Believe<'_>) -> Vec<T> {
        let mut kept = Vec::new();
        self.files.retain(|path, seen| {
            if present.contains(path) {
                seen.missing = None;
                return true;
            }
            let since = seen.missing.get_or_insert_with(Instant::now);
            let gone = believe.trust == Trust::Asked
                || at_or_below(path, &believe.settle.renamed)
                || since.elapsed() >= believe.stable;
            if !gone {
                kept.extend(seen.value());
            }
            !gone
        });
        kept
    }

    /// Forgets the files that `keep` does not want.
    pub(crate) fn retain(&mut self, keep: impl Fn(&PathBuf) -> bool) {
        self.files.retain(|path, _| keep(path));
    }
}

impl<T: Clone> Seen<T> {
    fn value(&self) -> Option<T> {
        self.read.as_ref().map(|(value, _)| value.clone())
    }
    fn may_read(&mut self, stat: Stat, closed: bool, path: &Path, believe: &Believe<'_>) -> bool {
        if self.waiting.is_some_and(|(then, _)| then != stat) {
            self.waiting = None; // it changed again: the rest starts anew
        }
        let since = self.waiting.map(|(_, since)| since.elapsed());
        let rested = since.is_some_and(|rest| rest >= believe.stable);
        let writing = believe.settle.writing.contains_key(path);
        !writing && (closed || rested || believe.trust == Trust::Asked)
    }

    fn reread(&mut self, stat: Stat, load: impl FnOnce() -> Option<(T, Stat)>) {
        match load() {
            Some((value, after)) if after == stat => {
                self.read = Some((value, stat));
                self.waiting = None;
            }
            // It changed under our hands.
            Some((_, after)) => self.waiting = Some((after, Instant::now())),
            None => self.read = None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(
        cache: &mut Cache<String>,
        path: &Path,
        trust: Trust,
        settle: &Settle,
    ) -> Option<String> {
        let believe = Believe {
            trust,
            settle,
            stable: Duration::from_hours(1),
        };
        let load = || {
            let text = std::fs::read_to_string(path).ok()?;
            Some((text, Stat::of(&std::fs::metadata(path).ok()?)))
        };
        cache.read(path, &believe, load).value
    }

    #[test]
    fn a_change_is_believed_when_closed_or_asked_for_and_never_while_it_is_written() {
        let path = std::env::temp_dir().join(format!("kladka-settled-{}", uuid::Uuid::now_v7()));
        std::fs::write(&path, "one").unwrap();
        let mut cache = Cache::default();
        let mut settle = Settle::default();
        assert_eq!(
            read(&mut cache, &path, Trust::Settled, &settle),
            None,
            "new, not rested"
        );
        assert_eq!(
            read(&mut cache, &path, Trust::Asked, &settle).unwrap(),
            "one"
        );

        std::fs::write(&path, "half").unwrap();
        assert_eq!(
            read(&mut cache, &path, Trust::Settled, &settle).unwrap(),
            "one"
        );
        settle.writing.insert(path.clone(), Instant::now());
        assert_eq!(
            read(&mut cache, &path, Trust::Asked, &settle).unwrap(),
            "one"
        );
        settle.writing.clear();
        settle.closed.insert(path.clone());
        assert_eq!(
            read(&mut cache, &path, Trust::Settled, &settle).unwrap(),
            "half"
        );
        std::fs::remove_file(&path).unwrap();
    }

    #[test]
    fn a_missing_file_may_come_back_unless_it_was_renamed_or_a_reload_was_asked_for() {
        let path = std::env::temp_dir().join(format!("kladka-settled-{}", uuid::Uuid::now_v7()));
        let cases = [
            (Trust::Settled, false, true),
            (Trust::Settled, true, false),
            (Trust::Asked, false, false),
        ];
        for (trust, renamed, kept) in cases {
            std::fs::write(&path, "one").unwrap();
            let mut cache = Cache::default();
            let mut settle = Settle::default();
            read(&mut cache, &path, Trust::Asked, &settle).unwrap();
            std::fs::remove_file(&path).unwrap();
            settle.renamed.extend(renamed.then(|| path.clone()));
            let believe = Believe {
                trust,
                settle: &settle,
                stable: Duration::from_hours(1),
            };
            let left = cache.keep(&HashSet::new(), &believe);
            assert_eq!(!left.is_empty(), kept, "{trust:?} {renamed}");
        }
    }

    #[test]
    fn a_change_without_an_event_is_believed_after_it_rested() {
        let path = std::env::temp_dir().join(format!("kladka-settled-{}", uuid::Uuid::now_v7()));
        std::fs::write(&path, "text").unwrap();
        let mut cache: Cache<()> = Cache::default();
        let settle = Settle::default();
        let mut look = |stable| {
            let believe = Believe {
                trust: Trust::Settled,
                settle: &settle,
                stable,
            };
            let stat = Stat::of(&std::fs::metadata(&path).unwrap());
            let read = cache.read(&path, &believe, || Some(((), stat)));
            (read.value.is_some(), read.unsettled)
        };
        assert_eq!(look(Duration::from_hours(1)), (false, true));
        assert_eq!(look(Duration::ZERO), (true, false));
        std::fs::remove_file(&path).unwrap();
    }
}
