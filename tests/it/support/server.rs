//! A server of the real binary in a fresh project, as a user would start it.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command as Process, Output, Stdio};

use super::log::Log;
use super::{Curl, TempDir, eventually};

/// The binary under test.
const KLADKA: &str = env!("CARGO_BIN_EXE_kladka");

/// A running server.
pub(crate) struct TestServer {
    dir: TempDir,
    mode: &'static str,
    variables: Vec<(String, String)>,
    /// The most address space the server may have, in bytes.
    address_space: Option<u64>,
    child: Option<Child>,
    log: Log,
}

/// What a command of the binary did.
pub(crate) struct Command {
    /// Its exit code.
    pub(crate) code: i32,
    /// What it wrote to stdout.
    pub(crate) out: String,
    /// What it wrote to stderr.
    pub(crate) err: String,
}

impl TestServer {
    /// Makes a project from a template with `kladka init`; nothing runs yet.
    pub(crate) fn project(template: &str) -> Self {
        Self::project_in(template, "lua")
    }

    /// Makes a project whose services are in a language.
    pub(crate) fn project_in(template: &str, lang: &str) -> Self {
        let dir = TempDir::new();
        let project = dir.path().join("project");
        let made = Process::new(KLADKA)
            .arg("init")
            .arg(&project)
            .args(["--template", template, "--lang", lang])
            .output()
            .unwrap();
        assert!(
            made.status.success(),
            "{}",
            String::from_utf8_lossy(&made.stderr)
        );
        Self {
            dir,
            mode: "dev",
            variables: Vec::new(),
            address_space: None,
            child: None,
            log: Log::default(),
        }
    }

    /// Makes a project of the reference scenario and runs `kladka dev` in it.
    pub(crate) fn dev() -> Self {
        Self::project("rates").start()
    }

    /// Sets an environment variable of the server.
    pub(crate) fn with(mut self, name: &str, value: &str) -> Self {
        self.variables.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Uses `kladka start` instead of `kladka dev`.
    pub(crate) fn production(mut self) -> Self {
        self.mode = "start";
        self
    }

    /// Bounds the address space of the server.
    pub(crate) fn address_space(mut self, bytes: u64) -> Self {
        self.address_space = Some(bytes);
        self
    }

    /// Returns the project directory.
    pub(crate) fn root(&self) -> PathBuf {
        self.dir.path().join("project")
    }

    /// Writes a file of the project in one step, as most editors do.
    pub(crate) fn write(&self, path: &str, text: impl AsRef<[u8]>) {
        let path = self.root().join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        let fresh = path.with_file_name(format!(
            ".{}.tmp",
            path.file_name().unwrap().to_string_lossy()
        ));
        std::fs::write(&fresh, text).unwrap();
        std::fs::rename(fresh, path).unwrap();
    }

    /// Reads a file of the project.
    pub(crate) fn read(&self, path: &str) -> String {
        std::fs::read_to_string(self.root().join(path)).unwrap()
    }

    /// Starts the server and waits until it says that it is ready.
    pub(crate) fn start(mut self) -> Self {
        self.start_again();
        self
    }

    /// Starts it again in the same project.
    pub(crate) fn start_again(&mut self) {
        let mut child = self.spawn();
        self.log = Log::of(child.stderr.take().unwrap());
        self.child = Some(child);
        self.log.wait("ready in");
    }

    /// Starts it again and returns at once what collects its log: readiness is the test's affair.
    pub(crate) fn start_unready(&mut self) {
        let mut child = self.spawn();
        self.log = Log::of(child.stderr.take().unwrap());
        self.child = Some(child);
    }

    /// Waits for its end and returns the exit code.
    pub(crate) fn wait_for_end(&mut self) -> i32 {
        let mut child = self.child.take().unwrap();
        child.wait().unwrap().code().unwrap_or(-1)
    }

    /// Starts it where it is expected to refuse, and returns what it said.
    pub(crate) fn refuses_to_start(&self) -> Command {
        let mut child = self.spawn();
        let log = Log::of(child.stderr.take().unwrap());
        let status = eventually("the server refuses to start", || {
            let ended = child.try_wait().unwrap();
            if log.count("ready in") > 0 {
                child.kill().ok();
                child.wait().ok();
                panic!("the server started:\n{}", log.lines().join("\n"));
            }
            ended
        });
        log.wait_for_end();
        Command {
            code: status.code().unwrap_or(-1),
            out: String::new(),
            err: log.lines().join("\n"),
        }
    }

    fn spawn(&self) -> Child {
        let mut process = match self.address_space {
            Some(bytes) => {
                let mut bounded = Process::new("prlimit");
                bounded.arg(format!("--as={bytes}")).arg(KLADKA);
                bounded
            }
            None => Process::new(KLADKA),
        };
        process
            .args([self.mode, "--project"])
            .arg(self.root())
            .env("KLADKA_LISTEN_SERVICES", "127.0.0.1:0")
            .env("KLADKA_LISTEN_ADMIN", "127.0.0.1:0")
            .env("KLADKA_DEV_PARTNER", "127.0.0.1:0")
            .env("KLADKA_LOG_FORMAT", "text")
            // The budget is time on the clock while a call computes; other tests compute at the same time.
            .env("KLADKA_LIMITS_SCRIPT_CPU", "2s")
            .envs(self.variables.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap()
    }

    /// Returns the server's log.
    pub(crate) fn log(&self) -> &Log {
        &self.log
    }

    /// Returns the server's process id.
    pub(crate) fn pid(&self) -> u32 {
        self.child.as_ref().unwrap().id()
    }

    /// Tells whether it still runs.
    pub(crate) fn is_alive(&mut self) -> bool {
        let child = self.child.as_mut().unwrap();
        child.try_wait().unwrap().is_none()
    }

    /// Returns the processor time it has used, which other work on the machine does not change.
    pub(crate) fn cpu(&self) -> std::time::Duration {
        self.cpu_if_alive().unwrap()
    }

    /// Returns the same, or nothing of a server that has ended by itself.
    pub(crate) fn cpu_if_alive(&self) -> Option<std::time::Duration> {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.pid())).ok()?;
        let (_, fields) = stat.rsplit_once(')').unwrap();
        let ticks = fields.split_whitespace().skip(11).take(2);
        let ticks: u64 = ticks.map(|text| text.parse::<u64>().unwrap()).sum();
        Some(std::time::Duration::from_millis(ticks * 10))
    }

    /// Kills it at once, as a power cut would.
    pub(crate) fn kill(&mut self) {
        let mut child = self.child.take().unwrap();
        child.kill().unwrap();
        child.wait().unwrap();
    }

    /// Sends SIGTERM, waits for the end and returns the exit code.
    pub(crate) fn terminate(&mut self) -> i32 {
        let mut child = self.child.take().unwrap();
        signal(child.id(), "TERM");
        child.wait().unwrap().code().unwrap_or(-1)
    }

    /// Sends a signal by name.
    pub(crate) fn signal(&self, name: &str) {
        signal(self.pid(), name);
    }

    /// Returns an address of `data/endpoints.json`: `services` or `admin`.
    pub(crate) fn endpoint(&self, name: &str) -> String {
        let text = self.read("data/endpoints.json");
        let json: serde_json::Value = serde_json::from_str(&text).unwrap();
        json[name].as_str().unwrap().to_owned()
    }

    /// Returns a curl of a path on the services port.
    pub(crate) fn curl(&self, path: &str) -> Curl {
        Curl::new(&format!("{}{path}", self.endpoint("services")))
    }

    /// Returns a curl of a path on the admin port.
    pub(crate) fn admin(&self, path: &str) -> Curl {
        Curl::new(&format!("{}{path}", self.endpoint("admin")))
    }

    /// Runs a command of the binary in the project.
    pub(crate) fn kladka(&self, arguments: &[&str]) -> Command {
        kladka(&self.root(), arguments)
    }
}

impl Drop for TestServer {
    fn drop(&mut self) {
        if let Some(mut child) = self.child.take() {
            child.kill().ok();
            child.wait().ok();
        }
        if std::thread::panicking() {
            eprintln!(
                "--- log of the server in {}\n{}",
                self.root().display(),
                self.log.lines().join("\n")
            );
        }
    }
}

/// Returns a command of the binary, to be given arguments.
pub(crate) fn binary() -> Process {
    Process::new(KLADKA)
}

/// Runs a command of the binary on a project, with an environment and something to read.
pub(crate) fn kladka_with(
    project: &Path,
    arguments: &[&str],
    variables: &[(&str, &str)],
    input: &str,
) -> Command {
    let mut child = Process::new(KLADKA)
        .current_dir(project)
        .args(arguments)
        .envs(variables.iter().copied())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // A command that does not read its input may close it first.
    child.stdin.take().unwrap().write_all(input.as_bytes()).ok();
    done(&child.wait_with_output().unwrap())
}

/// Runs a command of the binary on a project.
pub(crate) fn kladka(project: &Path, arguments: &[&str]) -> Command {
    let output = Process::new(KLADKA)
        .arg("--project")
        .arg(project)
        .args(arguments)
        .stdin(Stdio::null())
        .output();
    done(&output.unwrap())
}

fn done(output: &Output) -> Command {
    Command {
        code: output.status.code().unwrap_or(-1),
        out: String::from_utf8_lossy(&output.stdout).into_owned(),
        err: String::from_utf8_lossy(&output.stderr).into_owned(),
    }
}

/// Sends a signal by name.
pub(crate) fn signal(pid: u32, name: &str) {
    let sent = Process::new("kill")
        .arg(format!("-{name}"))
        .arg(pid.to_string())
        .status()
        .unwrap();
    assert!(sent.success());
}
