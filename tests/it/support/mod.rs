//! What the tests share: the real binary as a server, and the peers it talks to.

mod curl;
mod gate;
mod log;
mod peer;
mod raw;
mod redis;
mod server;
mod wire;

pub(crate) use curl::{Curl, Reply};
pub(crate) use gate::Gate;
pub(crate) use log::Log;
pub(crate) use peer::{Does, Peer};
pub(crate) use raw::Raw;
pub(crate) use redis::Redis;
pub(crate) use server::{Command, TestServer, binary, kladka, kladka_with, signal};
pub(crate) use wire::Wire;

use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

/// A directory of its own, removed when the test ends well.
pub(crate) struct TempDir(PathBuf);

impl TempDir {
    /// Makes an empty directory.
    pub(crate) fn new() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("kladka-it-{}-{number}", std::process::id()));
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    /// Returns its path.
    pub(crate) fn path(&self) -> &std::path::Path {
        &self.0
    }
}

impl Drop for TempDir {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            std::fs::remove_dir_all(&self.0).ok();
        }
    }
}

/// Waits until `condition` gives a value; fails after ten seconds with what it waited for.
pub(crate) fn eventually<T>(what: &str, mut condition: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + Duration::from_secs(10);
    loop {
        if let Some(value) = condition() {
            return value;
        }
        assert!(Instant::now() < deadline, "waited in vain for: {what}");
        std::thread::park_timeout(Duration::from_millis(2));
    }
}
