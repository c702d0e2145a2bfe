//! Writes the files where they changed.

use std::fs;
use std::io;
use std::path::Path;

use crate::base::{Code, Fault};
use crate::config::Project;
use crate::stubs::File;

/// What writing did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Written {
    /// Files that were written.
    pub(crate) changed: usize,
    /// Files that were right already.
    pub(crate) same: usize,
}

/// Writes files into a project. An editor sees each whole.
pub(crate) fn write(project: &Project, files: &[File]) -> Result<Written, Fault> {
    let mut written = Written::default();
    for file in files {
        let path = project.root().join(&file.path);
        if is_right(&path, file) {
            written.same += 1;
            continue;
        }
        put(&path, &file.text).map_err(|error| {
            Fault::new(
                Code::Storage,
                format!("cannot write {}: {error}", file.path),
            )
        })?;
        written.changed += 1;
    }
    Ok(written)
}

fn is_right(path: &Path, file: &File) -> bool {
    if file.keep {
        return path.exists();
    }
    fs::read_to_string(path).is_ok_and(|text| text == file.text)
}

fn put(path: &Path, text: &str) -> io::Result<()> {
    path.parent().map_or(Ok(()), fs::create_dir_all)?;
    let beside = path.with_extension("kladka-new");
    fs::write(&beside, text)?;
    fs::rename(&beside, path)
}
