//! `pickup-dir/`: a file or archive dropped there is deployed and removed.
//!
//! One that is refused is renamed to `NAME.failed`, with the diagnostics in `NAME.failed.txt`:
//! nothing is lost and nothing is tried again. Links, pipes, directories and files of strangers are
//! left alone with one warning each.

use std::collections::HashMap;
use std::fs::{self, Metadata};
use std::io::Read as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use crate::base::Fault;
use crate::deploy::archive::is_archive;
use crate::deploy::deployer::{Deployer, blocking};
use crate::deploy::editor_files::{ending, is_temporary};
use crate::deploy::report::{Origin, Report};
use crate::deploy::scan::open;
use crate::deploy::settled::{Believe, Cache, Settle, Stat, Trust};

/// Remembers what lies in the directory.
#[derive(Default)]
pub(in crate::deploy) struct Drops {
    rested: Cache<Stat>,
    /// Files that were looked at and left alone, as they stood then.
    left: HashMap<PathBuf, Stat>,
    /// Whether it was told that everybody may write into the directory.
    warned: bool,
}

/// A file that may be deployed.
struct Dropped {
    path: PathBuf,
    name: String,
    bytes: Vec<u8>,
    stat: Stat,
}

impl Deployer {
    /// Deploys what lies in the directory. Returns whether to look again soon.
    pub(in crate::deploy) async fn pick_up(
        self: &Arc<Self>,
        drops: &Arc<Mutex<Drops>>,
        settle: Settle,
    ) -> Result<bool, Fault> {
        let (drops, dir) = (Arc::clone(drops), self.options.pickup_dir());
        let (limits, endings) = (self.options.limits, self.loader.endings());
        let (ready, unsettled) = blocking(move || {
            let mut drops = drops.lock().unwrap_or_else(PoisonError::into_inner);
            let believe = Believe {
                trust: Trust::Settled,
                settle: &settle,
                stable: limits.stable,
            };
            drops.look(&dir, &believe, &endings, limits.packed)
        })
        .await?;
        for dropped in ready {
            let items = vec![(dropped.name.clone(), dropped.bytes.clone())];
            let report = self.deploy(items, Origin::way("pickup")).await?;
            blocking(move || dropped.settle(&report)).await?;
            self.tell();
        }
        Ok(unsettled)
    }
}

impl Drops {
    fn look(
        &mut self,
        dir: &Path,
        believe: &Believe<'_>,
        endings: &[&str],
        limit: usize,
    ) -> (Vec<Dropped>, bool) {
        let (mut ready, mut unsettled) = (Vec::new(), false);
        if self.is_open_to_all(dir) {
            return (ready, unsettled);
        }
        let mut paths: Vec<PathBuf> = fs::read_dir(dir)
            .into_iter()
            .flatten()
            .flatten()
            .map(|entry| entry.path())
            .collect();
        paths.sort();
        for path in &paths {
            let Ok(metadata) = fs::symlink_metadata(path) else {
                continue;
            };
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            let stat = Stat::of(&metadata);
            if is_temporary(&name) || is_ours(&name) || self.left.get(path) == Some(&stat) {
                continue;
            }
            if let Some(why) = objection(&name, &metadata, endings) {
                tracing::warn!(file = %name.escape_debug(), detail = why, "Ignoring a file in pickup-dir.");
                self.left.insert(path.clone(), stat);
                continue;
            }
            let read = self.rested.read(path, believe, || Some((stat, stat)));
            unsettled |= read.unsettled;
            if read.value == Some(stat) && !read.unsettled {
                ready.extend(take(path, &name, limit));
            }
        }
        self.left.retain(|path, _| paths.contains(path));
        self.rested.retain(|path| paths.contains(path));
        (ready, unsettled)
    }
}

impl Drops {
    /// Tells whether everybody may write into the directory: then nothing in it is trusted. Warns
    /// once.
    fn is_open_to_all(&mut self, dir: &Path) -> bool {
        let mode = fs::metadata(dir).map_or(0, |metadata| metadata.mode());
        let open = mode & 0o002 != 0;
        if open && !self.warned {
            let dir = dir.display();
            tracing::warn!(path = %dir, "Ignoring pickup-dir: everybody may write into it.");
        }
        self.warned = open;
        open
    }
}

/// Tells whether a name is one that we gave a refused file.
fn is_ours(name: &str) -> bool {
    name.ends_with(".failed") || name.ends_with(".failed.txt")
}

/// Returns why a file is left alone.
fn objection(name: &str, metadata: &Metadata, endings: &[&str]) -> Option<&'static str> {
    if metadata.is_symlink() {
        return Some("it is a link");
    }
    if metadata.is_dir() {
        return Some("it is a directory");
    }
    if !metadata.is_file() {
        return Some("it is no regular file");
    }
    let known = ending(name).is_some_and(|ending| endings.contains(&ending));
    if !known && !is_archive(name) {
        return Some("it is neither a source nor an archive");
    }
    if !trusted(metadata) {
        return Some("it belongs to another user");
    }
    None
}

/// Tells whether a file belongs to the user of this process, or to root.
fn trusted(metadata: &Metadata) -> bool {
    let ours = fs::metadata("/proc/self").map(|process| process.uid());
    metadata.uid() == 0 || ours.is_ok_and(|uid| uid == metadata.uid())
}

/// Reads a file that is still the regular one that was looked at.
fn take(path: &Path, name: &str, limit: usize) -> Option<Dropped> {
    let file = open(path).ok()?;
    let metadata = file.metadata().ok()?;
    if !metadata.is_file() || !trusted(&metadata) {
        return None;
    }
    let mut bytes = Vec::new();
    file.take(limit as u64 + 1).read_to_end(&mut bytes).ok()?;
    Some(Dropped {
        path: path.to_owned(),
        name: name.to_owned(),
        bytes,
        stat: Stat::of(&metadata),
    })
}

impl Dropped {
    /// Removes the file when it was deployed, else renames it and writes down why.
    fn settle(&self, report: &Report) {
        let now = fs::symlink_metadata(&self.path);
        if now.map(|metadata| Stat::of(&metadata)).ok() != Some(self.stat) {
            return; // somebody dropped a newer one meanwhile: its turn comes
        }
        let done = if report.applied {
            fs::remove_file(&self.path)
        } else {
            self.set_aside(report)
        };
        if let Err(error) = done {
            let path = self.path.display();
            tracing::warn!(%path, %error, "Cannot clear a file from pickup-dir.");
        }
    }

    fn set_aside(&self, report: &Report) -> std::io::Result<()> {
        let aside = |ending: &str| {
            let mut name = self.path.file_name().unwrap_or_default().to_owned();
            name.push(ending);
            self.path.with_file_name(name)
        };
        let blocks: Vec<String> = report.faults.iter().map(Fault::block).collect();
        fs::write(aside(".failed.txt"), blocks.join("\n\n") + "\n")?;
        fs::rename(&self.path, aside(".failed"))
    }
}
