//! Writes files whole or not at all: beside their place first, then renamed.
//!
//! What is renamed is on record before, so that a start after a kill can [`finish`] it.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use crate::base::{Code, Fault};
use crate::deploy::digest::sha256;
use crate::store::FileWrite;

/// How the name of a file begins and ends that stands beside its place.
const BESIDE: (&str, &str) = (".kladka-", ".tmp");

/// Files that stand beside their places, ready to be renamed. Dropped unpublished, they are
/// removed.
#[derive(Default)]
pub(crate) struct Staged {
    steps: Vec<Step>,
}

struct Step {
    target: PathBuf,
    /// The new text beside its place; `None` to remove the file.
    fresh: Option<PathBuf>,
    /// What stood there before, to be put back when a later step fails.
    before: Option<Vec<u8>>,
}

/// Writes all files beside their places, makes sure that the disk holds them, and returns what to
/// record. The paths are relative to the project and below `scripts/`; without bytes, a file is
/// removed.
pub(crate) fn stage(
    project: &Path,
    files: Vec<(String, Option<Vec<u8>>)>,
) -> Result<(Staged, Vec<FileWrite>), Fault> {
    let (mut staged, mut writes) = (Staged::default(), Vec::new());
    for (path, bytes) in files {
        let step = stage_one(project, &path, bytes.as_deref());
        let step = step.map_err(|error| failed(&path, &error))?;
        writes.push(FileWrite {
            path,
            old_sha256: step.before.as_deref().map(sha256),
            bytes,
        });
        staged.steps.push(step);
    }
    Ok((staged, writes))
}

/// Writes what a killed process had still to write. A file that was edited since stays as it is.
pub(crate) fn finish(project: &Path, writes: Vec<FileWrite>) -> Result<(), Fault> {
    let mut due = Vec::new();
    for write in writes {
        if is_due(project, &write).map_err(|error| failed(&write.path, &error))? {
            due.push((write.path, write.bytes));
        }
    }
    let (staged, _on_record_already) = stage(project, due)?;
    staged.publish().map(drop)
}

fn is_due(project: &Path, write: &FileWrite) -> io::Result<bool> {
    let now = read(&project.join(&write.path))?.as_deref().map(sha256);
    let new = write.bytes.as_deref().map(sha256);
    if now.is_none() && new.is_none() {
        return Ok(false); // removed already
    }
    // One that was renamed is written again: nobody knows whether the disk holds the new name.
    let ours = now == new || now == write.old_sha256;
    if !ours {
        let path = &write.path;
        tracing::warn!(
            path,
            "Keeping a file as it was edited, not as it was deployed."
        );
    }
    Ok(ours)
}

/// Returns what a file holds; `None` when there is none.
fn read(path: &Path) -> io::Result<Option<Vec<u8>>> {
    match fs::read(path) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

fn failed(path: &str, error: &io::Error) -> Fault {
    Fault::new(Code::Storage, format!("cannot write '{path}'"))
        .hint("Check the permissions and the free space of the project directory.")
        .detail(error.to_string())
}

fn stage_one(project: &Path, path: &str, bytes: Option<&[u8]>) -> io::Result<Step> {
    let mut target = project.join(path);
    let folder = target.parent().unwrap_or(project).to_owned();
    if bytes.is_some() {
        make_folder(project, &folder)?;
    }
    let real = folder.canonicalize()?;
    if !real.starts_with(project) {
        return Err(io::Error::other("a link leads out of the project"));
    }
    // A link within the project stays one: the file behind it is written.
    if bytes.is_some() && target.is_symlink() {
        target = target.canonicalize()?;
        if !target.starts_with(project) {
            return Err(io::Error::other("a link leads out of the project"));
        }
    }
    let before = read(&target)?;
    let fresh = match bytes {
        Some(bytes) => Some(write_beside(&target, bytes)?),
        None => None,
    };
    Ok(Step {
        target,
        fresh,
        before,
    })
}

/// Makes a folder that is still there after a power cut.
fn make_folder(project: &Path, folder: &Path) -> io::Result<()> {
    if folder.is_dir() {
        return Ok(());
    }
    fs::create_dir_all(folder)?;
    let above = folder.ancestors().skip(1);
    let mut above = above.take_while(|above| above.starts_with(project));
    above.try_for_each(|above| File::open(above)?.sync_all())
}

/// Tells whether a file of this name stands beside its place; after a kill nobody needs it.
pub(crate) fn is_beside(name: &OsStr) -> bool {
    let name = name.to_string_lossy();
    name.starts_with(BESIDE.0) && name.ends_with(BESIDE.1)
}

/// Removes what a killed process left beside its places, below a folder.
pub(crate) fn sweep(folder: &Path) -> io::Result<()> {
    let entries = match fs::read_dir(folder) {
        // A project need not have scripts yet.
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        entries => entries?,
    };
    for entry in entries {
        let entry = entry?;
        let kind = entry.file_type()?;
        if kind.is_dir() {
            sweep(&entry.path())?;
        } else if kind.is_file() && is_beside(&entry.file_name()) {
            fs::remove_file(entry.path())?;
        }
    }
    Ok(())
}

/// Writes bytes under a hidden name in the folder of `target` and syncs them.
fn write_beside(target: &Path, bytes: &[u8]) -> io::Result<PathBuf> {
    let name = format!("{}{}{}", BESIDE.0, uuid::Uuid::now_v7().simple(), BESIDE.1);
    let beside = target.with_file_name(name);
    let written = File::create_new(&beside).and_then(|mut file| {
        file.write_all(bytes)?;
        if let Ok(metadata) = fs::metadata(target) {
            file.set_permissions(metadata.permissions())?;
        }
        file.sync_all()
    });
    if let Err(error) = written {
        drop(fs::remove_file(&beside));
        return Err(error);
    }
    Ok(beside)
}

impl Staged {
    /// Puts all files in their places and returns these; when one cannot be, those done are put
    /// back.
    pub(crate) fn publish(mut self) -> Result<Vec<PathBuf>, Fault> {
        for index in 0..self.steps.len() {
            let done = self.steps.get_mut(index).map_or(Ok(()), Step::take);
            if let Err(error) = done {
                let path = self.steps.get(index).map(|step| step.target.display());
                let shown = path.map(|path| path.to_string()).unwrap_or_default();
                self.steps.iter().take(index).for_each(Step::put_back);
                return Err(failed(&shown, &error));
            }
        }
        Ok(self.steps.iter().map(|step| step.target.clone()).collect())
    }
}

impl Step {
    fn take(&mut self) -> io::Result<()> {
        match self.fresh.take() {
            Some(fresh) => fs::rename(&fresh, &self.target).inspect_err(|_shown_by_caller| {
                drop(fs::remove_file(&fresh));
            })?,
            None => fs::remove_file(&self.target)?,
        }
        let folder = self.target.parent().unwrap_or(Path::new("."));
        File::open(folder)?.sync_all()
    }

    fn put_back(&self) {
        let done = match &self.before {
            Some(bytes) => write_beside(&self.target, bytes)
                .and_then(|beside| fs::rename(beside, &self.target)),
            None => fs::remove_file(&self.target),
        };
        if let Err(error) = done {
            let path = self.target.display();
            tracing::error!(%path, %error, "Cannot put a file back.");
        }
    }
}

impl Drop for Staged {
    fn drop(&mut self) {
        for fresh in self.steps.iter_mut().filter_map(|step| step.fresh.take()) {
            drop(fs::remove_file(fresh));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    fn project() -> PathBuf {
        let dir = std::env::temp_dir().join(format!("kladka-write-{}", uuid::Uuid::now_v7()));
        fs::create_dir_all(dir.join("scripts")).unwrap();
        dir.canonicalize().unwrap()
    }

    fn put(path: &str) -> (String, Option<Vec<u8>>) {
        (path.to_owned(), Some(b"new".to_vec()))
    }

    fn names(dir: &Path) -> Vec<String> {
        let mut names: Vec<_> = fs::read_dir(dir)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    #[test]
    fn what_is_staged_and_not_published_leaves_nothing() {
        let dir = project();
        drop(stage(&dir, vec![put("scripts/a.mini")]).unwrap());
        assert!(names(&dir.join("scripts")).is_empty());
        fs::remove_dir_all(dir).unwrap();
    }

    #[test]
    fn what_a_kill_left_beside_its_place_goes_and_nothing_else() {
        let dir = project();
        let deep = dir.join("scripts/deep");
        fs::create_dir_all(&deep).unwrap();
        let left = write_beside(&deep.join("a.mini"), b"half").unwrap();
        fs::write(deep.join(".kladka-notes"), "mine").unwrap();
        fs::write(deep.join("a.tmp"), "mine").unwrap();
        assert!(is_beside(left.file_name().unwrap()));
        sweep(&dir.join("scripts")).unwrap();
        assert_eq!(names(&deep), [".kladka-notes", "a.tmp"]);
        sweep(&dir.join("nothing")).unwrap();
        fs::remove_dir_all(dir).unwrap();
    }

    #[test]
    fn a_failing_step_puts_the_earlier_ones_back() {
        let dir = project();
        fs::write(dir.join("scripts/a.mini"), "old").unwrap();
        fs::write(dir.join("scripts/z.mini"), "old").unwrap();
        let writes = vec![
            put("scripts/a.mini"),
            put("scripts/sub/b.mini"),
            ("scripts/z.mini".into(), None),
        ];
        let (staged, _) = stage(&dir, writes).unwrap();
        fs::remove_file(dir.join("scripts/z.mini")).unwrap();
        assert_eq!(staged.publish().unwrap_err().code(), Code::Storage);
        assert_eq!(
            fs::read_to_string(dir.join("scripts/a.mini")).unwrap(),
            "old"
        );
        assert_eq!(names(&dir.join("scripts")), ["a.mini", "sub"]);
        assert!(names(&dir.join("scripts/sub")).is_empty());
        fs::remove_dir_all(dir).unwrap();
    }

    #[test]
    fn a_link_that_leaves_the_project_is_never_written_through() {
        let (dir, outside) = (project(), project());
        symlink(&outside, dir.join("scripts/out")).unwrap();
        fs::write(outside.join("a.mini"), "theirs").unwrap();
        symlink(outside.join("a.mini"), dir.join("scripts/a.mini")).unwrap();
        for path in ["scripts/out/a.mini", "scripts/a.mini"] {
            assert!(stage(&dir, vec![put(path)]).is_err(), "{path}");
        }
        assert_eq!(
            fs::read_to_string(outside.join("a.mini")).unwrap(),
            "theirs"
        );
        fs::remove_dir_all(dir).unwrap();
        fs::remove_dir_all(outside).unwrap();
    }
}
