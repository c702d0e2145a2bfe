//! Finds the source files below a root. Links that leave the project and files that are none are
//! not followed.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use crate::base::{Code, Fault, Place};
use crate::deploy::editor_files::{ending, is_temporary};

/// Looks for files below roots, within bounds.
pub(crate) struct Walk<'a> {
    /// The real path of the project; links must stay below it or below the root they stand in.
    pub(crate) project: &'a Path,
    /// The endings of sources.
    pub(crate) endings: &'a [&'static str],
    /// Directories below a root.
    pub(crate) depth: usize,
    /// Files in all.
    pub(crate) files: usize,
    /// What was found: the label below the project, the path below the root, and where to read it.
    pub(crate) found: Vec<Found>,
    /// What could not be followed.
    pub(crate) faults: Vec<Fault>,
    /// A directory that cannot be read: what it holds is unknown, so nothing may be taken for
    /// removed.
    pub(crate) unreadable: Option<Fault>,
}

/// A file that was found.
#[derive(Debug)]
pub(crate) struct Found {
    /// Its path as diagnostics show it.
    pub(crate) label: String,
    /// Its path below the root.
    pub(crate) below: String,
    /// Its real path.
    pub(crate) real: PathBuf,
}

impl Walk<'_> {
    /// Adds all sources below `dir`, whose label is `label`. A missing directory holds none.
    pub(crate) fn root(&mut self, dir: &Path, label: &str) {
        if let Ok(real) = dir.canonicalize() {
            self.dir(&real, &real, label, "", 0);
        }
    }

    fn dir(&mut self, root: &Path, dir: &Path, label: &str, below: &str, depth: usize) {
        if depth > self.depth {
            self.refuse(label, "is nested too deep");
            return;
        }
        let entries = match fs::read_dir(dir) {
            Ok(entries) => entries,
            Err(error) if error.kind() == ErrorKind::NotFound => return, // gone meanwhile
            Err(error) => {
                let fault = Fault::new(Code::BadSource, format!("cannot read directory '{label}'"));
                self.unreadable = Some(fault.detail(error.to_string()));
                return;
            }
        };
        let mut entries: Vec<_> = entries.flatten().collect();
        entries.sort_by_key(fs::DirEntry::file_name);
        for entry in entries {
            let name = entry.file_name();
            let Some(name) = name.to_str() else {
                self.refuse(label, "holds a file whose name is not UTF-8");
                continue;
            };
            if is_temporary(name) {
                continue;
            }
            let joined = |base: &str| match base {
                "" => name.to_owned(),
                base => format!("{base}/{name}"),
            };
            self.entry(root, &entry.path(), &joined(label), &joined(below), depth);
        }
    }

    fn entry(&mut self, root: &Path, path: &Path, label: &str, below: &str, depth: usize) {
        let Ok(metadata) = fs::symlink_metadata(path) else {
            return; // gone meanwhile
        };
        if metadata.is_dir() {
            return self.dir(root, path, label, below, depth + 1);
        }
        if metadata.is_symlink() {
            return self.link(root, path, label, below, depth);
        }
        if metadata.is_file() {
            self.file(path.to_owned(), label, below);
        }
    }

    fn link(&mut self, root: &Path, path: &Path, label: &str, below: &str, depth: usize) {
        let Ok(real) = path.canonicalize() else {
            if self.is_source(label) {
                self.refuse(label, "is a link that leads nowhere");
            }
            return;
        };
        if !real.starts_with(self.project) && !real.starts_with(root) {
            return self.refuse(label, "is a link that leaves the project");
        }
        if real.is_file() {
            self.file(real, label, below);
        } else if real.is_dir() && !path.starts_with(&real) {
            self.dir(root, &real, label, below, depth + 1);
        }
    }

    fn file(&mut self, real: PathBuf, label: &str, below: &str) {
        if !self.is_source(label) {
            return;
        }
        if self.found.len() >= self.files {
            return self.refuse(label, "is one file too many");
        }
        self.found.push(Found {
            label: label.to_owned(),
            below: below.to_owned(),
            real,
        });
    }

    fn is_source(&self, name: &str) -> bool {
        ending(name).is_some_and(|ending| self.endings.contains(&ending))
    }

    fn refuse(&mut self, label: &str, why: &str) {
        let fault = Fault::new(Code::BadSource, format!("'{label}' {why}"));
        self.faults.push(fault.at(Place::new(label, 0, 0)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    #[test]
    fn links_are_followed_within_the_project_only_and_other_files_are_left_alone() {
        let dir = std::env::temp_dir().join(format!("kladka-walk-{}", uuid::Uuid::now_v7()));
        let (project, outside) = (dir.join("project"), dir.join("outside"));
        fs::create_dir_all(project.join("scripts/sub")).unwrap();
        fs::create_dir_all(&outside).unwrap();
        fs::write(project.join("shared.lua"), "x").unwrap();
        fs::write(outside.join("secret.lua"), "x").unwrap();
        let scripts = project.join("scripts");
        for name in ["a.lua", "sub/b.lua", "notes.md", ".hidden.lua", "c.lua~"] {
            fs::write(scripts.join(name), "x").unwrap();
        }
        symlink("../shared.lua", scripts.join("linked.lua")).unwrap();
        symlink(outside.join("secret.lua"), scripts.join("out.lua")).unwrap();
        symlink("nowhere", scripts.join("dangling.lua")).unwrap();
        symlink(&scripts, scripts.join("loop")).unwrap();
        let made = std::process::Command::new("mkfifo")
            .arg(scripts.join("pipe.lua"))
            .status();
        assert!(made.unwrap().success());

        let mut walk = Walk {
            project: &project.canonicalize().unwrap(),
            endings: &["lua"],
            depth: 16,
            files: 100,
            found: Vec::new(),
            faults: Vec::new(),
            unreadable: None,
        };
        walk.root(&scripts, "scripts");
        let found: Vec<&str> = walk
            .found
            .iter()
            .map(|found| found.label.as_str())
            .collect();
        assert_eq!(
            found,
            ["scripts/a.lua", "scripts/linked.lua", "scripts/sub/b.lua"]
        );
        let refused: Vec<String> = walk
            .faults
            .iter()
            .map(|fault| fault.message().to_owned())
            .collect();
        assert_eq!(
            refused,
            [
                "'scripts/dangling.lua' is a link that leads nowhere",
                "'scripts/out.lua' is a link that leaves the project",
            ]
        );
        fs::remove_dir_all(dir).unwrap();
    }
}
