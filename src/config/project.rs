//! A project directory: where its parts stand.

use std::path::{Path, PathBuf};

use crate::base::{Code, Fault};

/// A project directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Project {
    root: PathBuf,
}

impl Project {
    /// Takes a directory that must hold `config/`.
    pub fn open(root: &Path) -> Result<Self, Fault> {
        let project = Self::at(root);
        if project.config().is_dir() {
            return Ok(project);
        }
        Err(Fault::new(
            Code::ConfigMissing,
            format!("{} is not a project: it has no config/", root.display()),
        )
        .hint("Run `kladka init DIR` to make one, or pass --project DIR."))
    }

    /// Takes a directory without a look at it.
    pub fn at(root: &Path) -> Self {
        Self {
            root: root
                .canonicalize()
                .unwrap_or_else(|_missing| root.to_path_buf()),
        }
    }

    /// Returns the directory itself.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Returns `config/`.
    pub fn config(&self) -> PathBuf {
        self.root.join("config")
    }

    /// Returns `scripts/`.
    pub fn scripts(&self) -> PathBuf {
        self.root.join("scripts")
    }

    /// Returns `pickup-dir/`.
    pub fn pickup(&self) -> PathBuf {
        self.root.join("pickup-dir")
    }

    /// Returns the names of the scripts' own settings: the files of `config/user/`.
    pub fn settings(&self) -> Vec<String> {
        let files = std::fs::read_dir(self.config().join("user"));
        let names = files.into_iter().flatten().flatten().filter_map(|entry| {
            let name = entry.file_name().into_string().ok()?;
            Some(name.strip_suffix(".toml")?.to_owned())
        });
        names.collect()
    }

    /// Returns the recordings of the demo partner.
    pub fn recordings(&self) -> PathBuf {
        self.root.join("tests/fixtures/treasury")
    }

    /// Returns the data directory that the settings name; a relative one stands in the project.
    pub fn data(&self, dir: &str) -> PathBuf {
        self.root.join(dir)
    }
}
