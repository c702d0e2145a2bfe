//! Real Redis servers of our own, each on a free port in its own directory.

use std::io::{BufRead as _, BufReader};
use std::net::TcpListener;
use std::process::{Child, Command, Stdio};

use super::Dir;

/// A running `redis-server`; killed when dropped.
pub(super) struct Peer {
    pub(super) port: u16,
    more: Vec<String>,
    dir: Dir,
    child: Child,
}

impl Peer {
    pub(super) fn start() -> Self {
        Self::with(&[])
    }

    pub(super) fn with(more: &[&str]) -> Self {
        let more: Vec<_> = more.iter().map(|word| (*word).to_owned()).collect();
        let dir = Dir::new();
        // Another process may take the port before the server does: then the next one.
        for _ in 0..10 {
            let port = free_port();
            if let Some(child) = spawn(port, &more, &dir) {
                return Self {
                    port,
                    more,
                    dir,
                    child,
                };
            }
        }
        panic!("redis-server does not start; is the package `redis-server` installed?");
    }

    /// Starts a sentinel that watches `master` under the name `mymaster`.
    pub(super) fn sentinel(master: u16) -> Self {
        let dir = Dir::new();
        let config = dir.0.join("sentinel.conf");
        let text = format!(
            "sentinel monitor mymaster 127.0.0.1 {master} 1\n\
             sentinel down-after-milliseconds mymaster 300\n\
             sentinel failover-timeout mymaster 2000\n"
        );
        std::fs::write(&config, text).unwrap();
        let config = config.to_str().unwrap().to_owned();
        let more = vec![config, "--sentinel".to_owned()];
        for _ in 0..10 {
            let port = free_port();
            if let Some(child) = spawn(port, &more, &dir) {
                return Self {
                    port,
                    more,
                    dir,
                    child,
                };
            }
        }
        panic!("the sentinel does not start");
    }

    /// Starts three masters that share the slots.
    pub(super) fn cluster() -> Vec<Self> {
        let node = || {
            let bus = free_port().to_string();
            let ip = "127.0.0.1";
            Self::with(&[
                "--cluster-enabled",
                "yes",
                "--cluster-port",
                &bus,
                "--cluster-announce-ip",
                ip,
            ])
        };
        let nodes: Vec<_> = (0..3).map(|_| node()).collect();
        let addresses: Vec<_> = nodes
            .iter()
            .map(|node| format!("127.0.0.1:{}", node.port))
            .collect();
        let mut create = Command::new("redis-cli");
        create
            .args(["--cluster", "create"])
            .args(addresses)
            .arg("--cluster-yes");
        let made = create.output().unwrap();
        assert!(
            made.status.success(),
            "{}",
            String::from_utf8_lossy(&made.stdout)
        );
        nodes
    }

    pub(super) fn url(&self) -> String {
        format!("redis://127.0.0.1:{}/", self.port)
    }

    /// Runs `redis-cli` and returns what it says.
    pub(super) fn cli(&self, args: &[&str]) -> String {
        let port = self.port.to_string();
        let said = Command::new("redis-cli")
            .args(["-p", &port])
            .args(args)
            .output()
            .unwrap();
        String::from_utf8(said.stdout).unwrap()
    }

    pub(super) fn signal(&self, signal: &str) {
        let id = self.child.id().to_string();
        let sent = Command::new("kill").args([signal, &id]).status().unwrap();
        assert!(sent.success());
    }

    pub(super) fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Starts it again, empty, on the same port.
    pub(super) fn restart(&mut self) {
        self.child = spawn(self.port, &self.more, &self.dir).unwrap();
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

fn free_port() -> u16 {
    TcpListener::bind(("127.0.0.1", 0))
        .unwrap()
        .local_addr()
        .unwrap()
        .port()
}

fn spawn(port: u16, more: &[String], dir: &Dir) -> Option<Child> {
    let (config, options) = match more.first() {
        Some(first) if first.ends_with("sentinel.conf") => more.split_at(1),
        _ => more.split_at(0),
    };
    let mut command = Command::new("redis-server");
    command
        .args(config)
        .args(["--port", &port.to_string(), "--bind", "127.0.0.1"]);
    command.args([
        "--dir",
        dir.0.to_str().unwrap(),
        "--save",
        "",
        "--appendonly",
        "no",
    ]);
    let mut child = command
        .args(options)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap()).lines();
    for line in lines.map_while(Result::ok) {
        if line.contains("Ready to accept connections") || line.contains("+monitor master") {
            return Some(child);
        }
    }
    child.wait().unwrap();
    None
}
