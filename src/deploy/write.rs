//! Writes files whole or not at all: beside their place first, then renamed.

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use crate::base::{Code, Fault};

/// A file to write or remove; the path is relative to the project and below `scripts/`.
#[derive(Clone, Debug)]
pub(crate) enum Write {
    /// Writes the bytes over the file.
    Put(String, Vec<u8>),
    /// Removes the file.
    Remove(String),
}

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

/// Writes all files beside their places and makes sure that the disk holds them.
pub(crate) fn stage(project: &Path, writes: Vec<Write>) -> Result<Staged, Fault> {
    let mut staged = Staged::default();
    for write in writes {
        let (path, bytes) = match write {
            Write::Put(path, bytes) => (path, Some(bytes)),
            Write::Remove(path) => (path, None),
        };
        let step = stage_one(project, &path, bytes.as_deref());
        staged
            .steps
            .push(step.map_err(|error| failed(&path, &error))?);
    }
    Ok(staged)
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
        fs::create_dir_all(&folder)?;
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
    let before = match fs::read(&target) {
        Ok(before) => Some(before),
        Err(error) if error.kind() == io::ErrorKind::NotFound => None,
        Err(error) => return Err(error),
    };
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

/// Writes bytes under a hidden name in the folder of `target` and syncs them.
fn write_beside(target: &Path, bytes: &[u8]) -> io::Result<PathBuf> {
    let name = format!(".kladka-{}.tmp", uuid::Uuid::now_v7().simple());
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
        let put = Write::Put("scripts/a.mini".into(), b"new".to_vec());
        drop(stage(&dir, vec![put]).unwrap());
        assert!(names(&dir.join("scripts")).is_empty());
        fs::remove_dir_all(dir).unwrap();
    }

    #[test]
    fn a_failing_step_puts_the_earlier_ones_back() {
        let dir = project();
        fs::write(dir.join("scripts/a.mini"), "old").unwrap();
        fs::write(dir.join("scripts/z.mini"), "old").unwrap();
        let writes = vec![
            Write::Put("scripts/a.mini".into(), b"new".to_vec()),
            Write::Put("scripts/sub/b.mini".into(), b"new".to_vec()),
            Write::Remove("scripts/z.mini".into()),
        ];
        let staged = stage(&dir, writes).unwrap();
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
            let put = Write::Put(path.into(), b"new".to_vec());
            assert!(stage(&dir, vec![put]).is_err(), "{path}");
        }
        assert_eq!(
            fs::read_to_string(outside.join("a.mini")).unwrap(),
            "theirs"
        );
        fs::remove_dir_all(dir).unwrap();
        fs::remove_dir_all(outside).unwrap();
    }
}
