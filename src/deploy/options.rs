//! Where a project's parts stand, and the bounds of what is accepted.

use std::path::PathBuf;
use std::time::Duration;

/// What a deployer is made with.
#[derive(Clone, Debug)]
pub(crate) struct Options {
    /// The project directory.
    pub(crate) project: PathBuf,
    /// The data directory; backups stand in `backups/` below it.
    pub(crate) data: PathBuf,
    /// Whether saved files are loaded by themselves.
    pub(crate) watch: bool,
    /// Whether files dropped into `pickup-dir/` are deployed.
    pub(crate) pickup: bool,
    /// The modules shipped in the binary: path such as `stdlib/dates.lua`, and text.
    pub(crate) embedded: &'static [(&'static str, &'static str)],
    /// The bounds of what is accepted.
    pub(crate) limits: Limits,
}

/// The bounds of what is accepted and kept.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    /// Bytes of one source.
    pub(crate) source: usize,
    /// Bytes of a package as it comes.
    pub(crate) packed: usize,
    /// Bytes of a package when unpacked.
    pub(crate) unpacked: usize,
    /// Entries of an archive.
    pub(crate) entries: usize,
    /// How many times larger an archive may become.
    pub(crate) ratio: usize,
    /// Source files in the project.
    pub(crate) files: usize,
    /// Directories below a root.
    pub(crate) depth: usize,
    /// Backups kept.
    pub(crate) backups: usize,
    /// Revisions kept of each service.
    pub(crate) revisions: u32,
    /// Packages kept.
    pub(crate) packages: u32,
    /// How long a change must rest after the last event before it is loaded.
    pub(crate) settle: Duration,
    /// How long a file must stay unchanged when no event told that it was closed.
    pub(crate) stable: Duration,
    /// How often everything is compared again, in case an event was lost.
    pub(crate) rescan: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            source: 256 << 10,
            packed: 10 << 20,
            unpacked: 50 << 20,
            entries: 1_000,
            ratio: 100,
            files: 10_000,
            depth: 16,
            backups: 100,
            revisions: 100,
            packages: 100,
            settle: Duration::from_millis(10),
            stable: Duration::from_millis(200),
            rescan: Duration::from_secs(2),
        }
    }
}

impl Options {
    /// Returns the options of a project whose state lives in `data/`.
    pub(crate) fn new(project: impl Into<PathBuf>) -> Self {
        let project = project.into();
        Self {
            data: project.join("data"),
            project,
            watch: true,
            pickup: true,
            embedded: super::stdlib::EMBEDDED,
            limits: Limits::default(),
        }
    }

    /// Returns the directory of the services.
    pub(crate) fn scripts(&self) -> PathBuf {
        self.project.join("scripts")
    }

    /// Returns the directory of the modules that override the shipped ones.
    pub(crate) fn stdlib(&self) -> PathBuf {
        self.project.join("stdlib")
    }

    /// Returns the directory where files are dropped.
    pub(crate) fn pickup_dir(&self) -> PathBuf {
        self.project.join("pickup-dir")
    }

    /// Returns the list of further places.
    pub(crate) fn source_list(&self) -> PathBuf {
        self.project.join(super::source_list::PATH)
    }

    /// Returns the directory of the backups.
    pub(crate) fn backups(&self) -> PathBuf {
        self.data.join("backups")
    }
}
