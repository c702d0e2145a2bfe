//! Backups of `scripts/`: a ring of the last so many, the oldest removed one by one.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use chrono::{DateTime, Utc};
use flate2::{Compression, write::GzEncoder};

use crate::base::{Code, Fault};
use crate::deploy::write::is_beside;

const ENDING: &str = ".tar.gz";

/// Packs `scripts` into the next file of the ring, then removes the oldest until `keep` remain.
pub(crate) fn create(
    scripts: &Path,
    ring: &Path,
    keep: usize,
    now: DateTime<Utc>,
) -> Result<PathBuf, Fault> {
    let packed = pack(scripts, ring, now).map_err(|error| {
        Fault::new(Code::Storage, "cannot back up 'scripts/'")
            .hint("Check the permissions and the free space of the data directory.")
            .detail(error.to_string())
    })?;
    trim(ring, keep);
    Ok(packed)
}

fn pack(scripts: &Path, ring: &Path, now: DateTime<Utc>) -> io::Result<PathBuf> {
    fs::create_dir_all(ring)?;
    let number = numbered(ring)?.last().map_or(1, |(number, _)| number + 1);
    let path = ring.join(format!(
        "{number:03}-{}{ENDING}",
        now.format("%Y%m%dT%H%M%SZ")
    ));
    let beside = path.with_extension("tmp");
    let done = write(scripts, &beside).and_then(|()| fs::rename(&beside, &path));
    if let Err(error) = done {
        drop(fs::remove_file(&beside));
        return Err(error);
    }
    File::open(ring)?.sync_all()?;
    Ok(path)
}

fn write(scripts: &Path, path: &Path) -> io::Result<()> {
    let mut builder = tar::Builder::new(GzEncoder::new(File::create(path)?, Compression::fast()));
    builder.follow_symlinks(false);
    append(&mut builder, scripts, Path::new("scripts"))?;
    let file = builder.into_inner()?.finish()?;
    file.sync_all()
}

/// Adds the regular files below a directory. Others, such as pipes, could block.
fn append(builder: &mut tar::Builder<impl io::Write>, dir: &Path, name: &Path) -> io::Result<()> {
    let entries = match fs::read_dir(dir) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error),
    };
    for entry in entries {
        let entry = entry?;
        let (kind, name) = (entry.file_type()?, name.join(entry.file_name()));
        if kind.is_dir() {
            append(builder, &entry.path(), &name)?;
        } else if kind.is_file() && !is_beside(&entry.file_name()) {
            match builder.append_path_with_name(entry.path(), &name) {
                // An editor's file that is gone meanwhile.
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                done => done?,
            }
        }
    }
    Ok(())
}

/// Returns the backups by their numbers, oldest first.
fn numbered(ring: &Path) -> io::Result<Vec<(u64, PathBuf)>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(ring)? {
        let path = entry?.path();
        let name = path.file_name().and_then(|name| name.to_str());
        let number = name
            .filter(|name| name.ends_with(ENDING))
            .and_then(|name| name.split_once('-')?.0.parse().ok());
        if let Some(number) = number {
            found.push((number, path));
        }
    }
    found.sort();
    Ok(found)
}

fn trim(ring: &Path, keep: usize) {
    let backups = numbered(ring).unwrap_or_default();
    let surplus = backups.len().saturating_sub(keep);
    for (_, path) in backups.into_iter().take(surplus) {
        if let Err(error) = fs::remove_file(&path) {
            let path = path.display();
            tracing::warn!(%path, %error, "Cannot remove an old backup.");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::{Clock as _, SystemClock};

    fn dirs() -> (PathBuf, PathBuf, PathBuf) {
        let dir = std::env::temp_dir().join(format!("kladka-backup-{}", uuid::Uuid::now_v7()));
        let (scripts, ring) = (dir.join("scripts"), dir.join("data/backups"));
        fs::create_dir_all(scripts.join("sub")).unwrap();
        (dir, scripts, ring)
    }

    #[test]
    fn the_ring_keeps_the_last_ones_and_loses_one_at_a_time() {
        let (dir, scripts, ring) = dirs();
        for (keep, made) in [(100, 105_usize), (5, 110)] {
            let before = numbered(&ring).map_or(0, |backups| backups.last().map_or(0, |b| b.0));
            for number in before + 1..=made as u64 {
                create(&scripts, &ring, keep, SystemClock.now()).unwrap();
                let numbers: Vec<u64> = numbered(&ring).unwrap().iter().map(|b| b.0).collect();
                let oldest = (number + 1).saturating_sub(keep as u64).max(1);
                let expected: Vec<u64> = (oldest..=number).collect();
                assert_eq!(numbers, expected);
            }
        }
        fs::remove_dir_all(dir).unwrap();
    }

    #[test]
    fn the_numbers_sort_beyond_three_digits() {
        let (dir, scripts, ring) = dirs();
        fs::create_dir_all(&ring).unwrap();
        for name in [
            "999-20260101T000000Z.tar.gz",
            "1000-20260101T000001Z.tar.gz",
        ] {
            fs::write(ring.join(name), "x").unwrap();
        }
        let made = create(&scripts, &ring, 2, SystemClock.now()).unwrap();
        assert!(
            made.file_name()
                .unwrap()
                .to_str()
                .unwrap()
                .starts_with("1001-")
        );
        assert!(!ring.join("999-20260101T000000Z.tar.gz").exists());
        fs::remove_dir_all(dir).unwrap();
    }

    #[test]
    fn a_backup_holds_the_scripts() {
        let (dir, scripts, ring) = dirs();
        fs::write(scripts.join("a.mini"), "one").unwrap();
        fs::write(scripts.join("sub/b.mini"), "two").unwrap();
        std::os::unix::fs::symlink("/etc/passwd", scripts.join("link.mini")).unwrap();
        let path = create(&scripts, &ring, 5, SystemClock.now()).unwrap();
        let bytes = fs::read(path).unwrap();
        let limits = crate::deploy::options::Limits::default();
        let mut files = crate::deploy::archive::unpack("b.tar.gz", &bytes, &limits).unwrap();
        files.sort();
        let expected = [("scripts/a.mini", "one"), ("scripts/sub/b.mini", "two")];
        assert_eq!(
            files,
            expected.map(|(name, text)| (name.to_owned(), text.into()))
        );
        fs::remove_dir_all(dir).unwrap();
    }
}
