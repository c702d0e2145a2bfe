//! What a server keeps in its data directory beside its stores: the lock, the token, the endpoints.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::Write as _;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::Path;

use crate::base::{Code, Fault};

/// The lock of a data directory; held for the life of the server, released by the kernel however it ends.
#[derive(Debug)]
pub(super) struct Lock {
    _file: File,
}

/// Makes the data directory (0700) and refuses one that others may read.
pub(super) fn prepare(data: &Path) -> Result<(), Fault> {
    let made = fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(data);
    made.map_err(|error| unusable(data, &error))?;
    let mode = fs::metadata(data)
        .map_err(|error| unusable(data, &error))?
        .permissions()
        .mode();
    if mode & 0o077 != 0 {
        return Err(Fault::new(
            Code::Storage,
            format!(
                "{} is open to other users (mode {:o})",
                data.display(),
                mode & 0o777
            ),
        )
        .hint(format!("Run chmod 700 {}.", data.display())));
    }
    Ok(())
}

/// Takes the data directory for this process, or says which process has it.
pub(super) fn lock(data: &Path) -> Result<Lock, Fault> {
    let path = data.join("lock");
    let file = OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(&path);
    let mut file = file.map_err(|error| unusable(&path, &error))?;
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => {
            // The number is for people; the lock itself decides.
            let holder = fs::read_to_string(&path).unwrap_or_default();
            return Err(Fault::new(
                Code::DataLocked,
                format!("{} is used by process {}", data.display(), holder.trim()),
            )
            .hint("One server has one data directory: stop the other, or set KLADKA_DATA_DIR."));
        }
        Err(TryLockError::Error(error)) => return Err(unusable(&path, &error)),
    }
    let written = file
        .set_len(0)
        .and_then(|()| writeln!(file, "{}", std::process::id()));
    written.map_err(|error| unusable(&path, &error))?;
    Ok(Lock { _file: file })
}

/// Returns the admin token of the data directory; made on first use, readable by its owner only.
pub(super) fn token(data: &Path) -> Result<String, Fault> {
    let path = data.join("token");
    if let Ok(token) = fs::read_to_string(&path) {
        return Ok(token.trim().to_owned());
    }
    let mut bytes = [0; 32];
    aws_lc_rs::rand::fill(&mut bytes)
        .map_err(|_unspecified| Fault::new(Code::Internal, "no randomness"))?;
    let digits = bytes.iter().flat_map(|byte| [byte >> 4, byte & 15]);
    let token: String = digits
        .filter_map(|digit| char::from_digit(digit.into(), 16))
        .collect();
    replace(&path, &format!("{token}\n"))?;
    Ok(token)
}

/// Writes `endpoints.json`, by which commands and tests find the server.
pub(super) fn write_endpoints(data: &Path, services: &str, admin: &str) -> Result<(), Fault> {
    let json = serde_json::json!({ "services": services, "admin": admin });
    replace(&data.join("endpoints.json"), &format!("{json}\n"))
}

/// Removes `endpoints.json`: nothing listens any more.
pub(super) fn remove_endpoints(data: &Path) {
    // A missing file is what we want.
    drop(fs::remove_file(data.join("endpoints.json")));
}

/// Writes a file readable by its owner only, in one step.
fn replace(path: &Path, text: &str) -> Result<(), Fault> {
    let fresh = path.with_extension("new");
    let file = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(&fresh);
    let written = file.and_then(|mut file| {
        file.write_all(text.as_bytes())
            .and_then(|()| file.sync_all())
    });
    written
        .and_then(|()| fs::rename(&fresh, path))
        .map_err(|error| unusable(path, &error))
}

fn unusable(path: &Path, error: &std::io::Error) -> Fault {
    Fault::new(
        Code::Storage,
        format!("cannot use {}: {error}", path.display()),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_process_has_a_data_directory_and_the_token_stays() {
        let data = std::env::temp_dir().join(format!("kladka-data-{}", uuid::Uuid::now_v7()));
        prepare(&data).unwrap();
        let held = lock(&data).unwrap();
        let fault = lock(&data).unwrap_err();
        assert_eq!(fault.code(), Code::DataLocked);
        assert!(
            fault.message().contains(&std::process::id().to_string()),
            "{fault}"
        );
        drop(held);
        lock(&data).unwrap();
        let first = token(&data).unwrap();
        assert_eq!((first.len(), token(&data).unwrap()), (64, first));
        assert_eq!(
            fs::metadata(data.join("token"))
                .unwrap()
                .permissions()
                .mode()
                & 0o777,
            0o600
        );
        fs::set_permissions(&data, fs::Permissions::from_mode(0o755)).unwrap();
        assert_eq!(prepare(&data).unwrap_err().code(), Code::Storage);
        fs::remove_dir_all(&data).unwrap();
    }
}
