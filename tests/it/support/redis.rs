//! A real redis-server on a port of its own.

use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};

use super::{TempDir, eventually};

/// A running redis-server; it ends with the test.
pub(crate) struct Redis {
    child: Child,
    port: u16,
    dir: TempDir,
}

impl Redis {
    /// Starts a server without persistence.
    pub(crate) fn start() -> Self {
        let port = TcpListener::bind("127.0.0.1:0")
            .unwrap()
            .local_addr()
            .unwrap()
            .port();
        let dir = TempDir::new();
        let child = spawn(port, &dir);
        let redis = Self { child, port, dir };
        redis.wait();
        redis
    }

    /// Stops it without a word, as a frozen machine would.
    pub(crate) fn freeze(&self) {
        super::server::signal(self.child.id(), "STOP");
    }

    /// Lets it go on.
    pub(crate) fn thaw(&self) {
        super::server::signal(self.child.id(), "CONT");
    }

    /// Kills it at once, as a power cut would.
    pub(crate) fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Starts it again at the same port.
    pub(crate) fn start_again(&mut self) {
        self.child = spawn(self.port, &self.dir);
        self.wait();
    }

    fn wait(&self) {
        eventually("redis-server accepts", || {
            TcpStream::connect(("127.0.0.1", self.port)).ok()
        });
    }

    /// Returns its URL.
    pub(crate) fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

fn spawn(port: u16, dir: &TempDir) -> Child {
    let port = port.to_string();
    Command::new("redis-server")
        .args(["--port", &port, "--bind", "127.0.0.1"])
        .args(["--save", "", "--appendonly", "no", "--dir"])
        .arg(dir.path())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("redis-server is installed")
}
