//! The range: a real server in a child process under attack, its neighbours that are asked throughout, and everything
//! that must not be reached.

use std::net::TcpListener;
use std::path::Path;
use std::process::Command as Process;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use super::plan::{Attack, By, Marks};
use crate::support::{Does, Peer, TempDir, TestServer, Wire, binary};

/// How long an attack may keep us waiting.
const GUARD: Duration = Duration::from_secs(5);
/// The same for a deployment: two seconds of the processor are its budget, which take longer beside other work.
const DEPLOY_GUARD: Duration = Duration::from_secs(20);
/// The server's address space. It starts with 1.7 GiB of arenas and stacks. Fibers reserve 32 MiB each: 64 are kept for the
/// core, and one message may have 100 on the threads for long calls, which makes 5 GiB. Scripts that took what
/// they liked would soon meet this limit, and the process would abort: that is what shows here.
const ADDRESS_SPACE: u64 = 8 << 30;
/// What a call may take beyond its budget.
pub(super) const OVERSHOOT: Duration = Duration::from_millis(300);
/// What the server may hold, in MiB: its VMs together 256, and what comes and goes.
const MEMORY: u64 = 1_024;
/// What a refused file may make the server say, in bytes.
const SAID: usize = 16 << 10;
/// What is in the file that nobody may read.
const SECRET: &str = "CANARY-c2f1";

/// What became of an attack.
#[derive(Clone, Debug)]
pub(super) struct Seen {
    /// The attack.
    pub(super) attack: Attack,
    /// A code, or `payload.r` as JSON; `hang` or `abort`.
    pub(super) outcome: String,
    /// How long it took.
    pub(super) took: Duration,
    /// What it took beyond its budget.
    pub(super) over: Duration,
    /// How much memory the server held at its height, in MiB; what earlier attacks left in its allocator included.
    pub(super) peak: u64,
    /// The longest a neighbour waited meanwhile.
    pub(super) wait: Duration,
    /// What it reached.
    pub(super) escapes: Vec<String>,
}

impl Seen {
    /// Says what is wrong with it.
    pub(super) fn problems(&self) -> Vec<String> {
        let mut problems = self.escapes.clone();
        if !self.attack.expected.contains(&self.outcome) {
            problems.push(format!(
                "expected {}, seen {}",
                self.attack.expected.join(" or "),
                self.outcome
            ));
        }
        if self.peak > MEMORY {
            problems.push(format!("the server held {} MiB", self.peak));
        }
        if self.over > OVERSHOOT {
            problems.push(format!("{} ms over its budget", self.over.as_millis()));
        }
        let name = self.attack.service();
        let named = problems.iter().map(|problem| format!("{name}: {problem}"));
        named.collect()
    }
}

/// A server and what surrounds it.
pub(super) struct Range {
    server: TestServer,
    marks: Marks,
    /// Lies outside the project and holds the canary.
    outside: TempDir,
    /// How many came to the port where nobody should.
    reached: Arc<AtomicUsize>,
    /// What the configuration and the scripts looked like.
    files: Vec<String>,
    /// The server's process, for the partner that plants what we must notice.
    pid: Arc<AtomicU32>,
    /// Answers quickly, or never, or does what no script can.
    _partner: Peer,
}

const NEIGHBOURS: [(&str, &str); 2] = [
    (
        "scripts/neighbour.lua",
        r#"return service { name = "neighbour.lua", input = { "n:int" }, output = { "n:int", "s", "d", "secret?" }, handle = function(ctx)
  local out = ctx.response.payload
  out.n = ctx.request.input.n
  out.s = ("abc"):upper() .. table.concat({ 1, 2 }, "-") .. tostring(math.max(1, 2))
  out.d = json.encode({ a = 1 })
  out.secret = ctx.kvdb:get("victim:secret")
end }"#,
    ),
    (
        "scripts/neighbour.rhai",
        r#"service(#{ name: "neighbour.rhai", input: ["n:int"], output: ["n:int", "s", "d", "secret?"] });
fn handle(ctx) {
    let out = #{};
    out.n = ctx.request.input.n;
    out.s = "abc".to_upper() + [1, 2].map(|x| x.to_string()).reduce(|a, b| if a == () { b } else { a + "-" + b }) + max(1, 2).to_string();
    out.d = json.encode(#{ a: 1 });
    out.secret = ctx.kvdb.get("victim:secret");
    ctx.response.payload = out;
}"#,
    ),
];

/// What others may require; the attacks try to change it.
const MODULES: [(&str, &str); 3] = [
    (
        "scripts/shared/state.lua",
        "local m = { list = { 1, 2, 3 }, nested = { deep = { value = 'clean' } } }\nlocal count = 0\nfunction m.count() count += 1 return count end\nreturn m",
    ),
    (
        "scripts/shared/state.rhai",
        "export const LIST = [1, 2, 3];\nexport const NESTED = #{ deep: #{ value: \"clean\" } };\nfn count() { 1 }",
    ),
    (
        "scripts/peek.lua",
        "local state = require 'shared.state'\nreturn service { name = 'peek', handle = function(ctx) ctx.response.payload = { count = state.count(), input = ctx.request.input } end }",
    ),
];

impl Range {
    /// Builds a server with the services of attacks, and starts it.
    pub(super) fn new(attacks: &[Attack]) -> Self {
        let outside = TempDir::new();
        let canary = outside.path().join("canary.txt");
        std::fs::write(&canary, SECRET).unwrap();
        let (port, reached) = listen();
        let pid = Arc::new(AtomicU32::new(0));
        let partner = partner(&pid, &canary);
        let server = TestServer::project("blank")
            .with("KLADKA_LIMITS_CORES", "1")
            .with("KLADKA_LIMITS_SCRIPT_CPU", "250ms")
            .with("KLADKA_LOG_LEVEL", "info")
            .address_space(ADDRESS_SPACE)
            .production();
        let marks = Marks {
            canary: canary.to_string_lossy().into_owned(),
            port,
            project: server.root().to_string_lossy().into_owned(),
        };
        for (path, text) in NEIGHBOURS.iter().chain(&MODULES) {
            server.write(path, text);
        }
        let mut objects = format!(
            "version: 1\noutgoing:\n  http:\n    - {{ name: partner, url: \"{}\", timeout: {{ total: 20s }} }}\n    - {{ name: canary, url: \"http://127.0.0.1:{port}\", timeout: {{ total: 1s }} }}\nchannels:\n",
            partner.url()
        );
        let called = attacks.iter().filter(|attack| attack.by != By::Deploy);
        let called: Vec<&Attack> = called.collect();
        for attack in &called {
            let file = format!("scripts/attacks/{}.{}", attack.service(), attack.lang);
            server.write(&file, attack.source(&marks));
        }
        let names = called.iter().map(|attack| (attack.service(), attack.waits));
        let neighbours = ["neighbour.lua", "neighbour.rhai"].map(|name| (name.to_owned(), false));
        for (name, waits) in names.chain(neighbours) {
            // Who computes shall meet the budget of the processor, also on a busy machine.
            let timeout = if waits { 2 } else { 4 };
            objects.extend([format!(
                "  - {{ name: {name}, service: {name}, http: {{ path: /{name} }}, format: json, security: none, timeout: {timeout}s }}\n"
            )]);
        }
        server.write("config/objects.yaml", objects);
        server.write(
            "config/user/rates.toml",
            "limit = 7\n[deep]\nvalue = \"clean\"\n",
        );
        let server = server.start();
        let files = listing(&server.root());
        pid.store(server.pid(), Ordering::Release);
        Self {
            server,
            marks,
            outside,
            reached,
            files,
            pid,
            _partner: partner,
        }
    }

    /// Runs attacks one after the other, while the neighbours are asked; returns what was seen, and what the neighbours
    /// had to bear.
    /// One whose problem is `meant` is not run again.
    pub(super) fn run(
        &mut self,
        attacks: &[Attack],
        meant: impl Fn(&Seen) -> bool,
    ) -> (Vec<Seen>, Watch) {
        let mut watch = Watch::default();
        let mut all = Vec::new();
        for attack in attacks {
            let (seen, watched) = self.watched(attack);
            watch.add(&watched);
            // Thrice: on a machine with much to do, a quarter of a second of the processor may take five.
            let again = |seen: Seen, _| {
                if meant(&seen) {
                    seen
                } else {
                    self.again_alone(seen)
                }
            };
            let seen = (0..3).fold(seen, again);
            all.push(seen);
        }
        (all, watch)
    }

    fn watched(&mut self, attack: &Attack) -> (Seen, Watch) {
        let url = self.server.endpoint("services");
        let done = AtomicBool::new(false);
        let (mut seen, watched) = std::thread::scope(|scope| {
            let watch = scope.spawn(|| Watch::keep(&url, &done));
            let seen = self.attacked(attack);
            done.store(true, Ordering::Release);
            if seen.outcome == "hang" {
                // Nobody else gets an answer either.
                self.server.kill();
            }
            (seen, watch.join().unwrap())
        });
        seen.wait = watched.longest;
        if seen.outcome != "abort" {
            // Where the server is gone it can serve nobody; that it is gone is the news.
            seen.escapes.extend(watched.wrong.clone());
        }
        if matches!(seen.outcome.as_str(), "abort" | "hang") {
            self.server.start_again();
            self.pid.store(self.server.pid(), Ordering::Release);
        }
        (seen, watched)
    }

    /// On a busy machine the clock is no witness. One that seems to be late, or met another limit for that reason, is run
    /// again without the neighbours, and by the time of the processor where that is what it may take.
    fn again_alone(&mut self, seen: Seen) -> Seen {
        if seen.problems().is_empty() || seen.outcome == "abort" {
            return seen;
        }
        let before = self.server.cpu_if_alive().unwrap_or_default();
        let mut fresh = self.attacked(&seen.attack);
        if matches!(fresh.outcome.as_str(), "abort" | "hang") {
            self.server.kill();
            self.server.start_again();
            self.pid.store(self.server.pid(), Ordering::Release);
        } else if !fresh.attack.waits {
            let cpu = self
                .server
                .cpu_if_alive()
                .unwrap_or_default()
                .saturating_sub(before);
            fresh.over = fresh.over.min(cpu.saturating_sub(fresh.attack.budget));
        }
        fresh.wait = seen.wait;
        fresh.escapes.extend(seen.escapes);
        fresh
    }

    fn attacked(&mut self, attack: &Attack) -> Seen {
        if attack.twice {
            self.once(attack);
        }
        // The highest figure begins anew.
        std::fs::write(format!("/proc/{}/clear_refs", self.server.pid()), "5").unwrap();
        let (outcome, took, secret) = self.once(attack);
        let peak = self.memory("VmHWM:");
        let mut escapes = self.escapes();
        if secret {
            escapes.push("the canary was read".to_owned());
        }
        Seen {
            attack: attack.clone(),
            outcome,
            took,
            over: took.saturating_sub(attack.budget),
            peak,
            wait: Duration::ZERO,
            escapes,
        }
    }

    fn once(&mut self, attack: &Attack) -> (String, Duration, bool) {
        let begun = Instant::now();
        let (outcome, said) = match attack.by {
            By::Deploy => self.deploy(attack),
            By::Call | By::File => self.ask(&attack.service()),
        };
        (outcome, begun.elapsed(), said.contains(SECRET))
    }

    /// Calls a service and returns what was seen and said.
    fn ask(&mut self, name: &str) -> (String, String) {
        let seconds = GUARD.as_secs().to_string();
        let curl = self.server.curl(&format!("/{name}"));
        let asked = curl.args(&["--max-time", &seconds]).data("{}").try_send();
        match asked {
            Ok(reply) => (outcome(reply.status, &reply.body), reply.body),
            Err(error) if error.contains("timed out") => ("hang".to_owned(), error),
            Err(error) => {
                // It takes a moment to die, and on a busy machine a longer one.
                let begun = Instant::now();
                while self.server.is_alive() && begun.elapsed() < Duration::from_secs(20) {
                    std::thread::park_timeout(Duration::from_millis(5));
                }
                let what = if self.server.is_alive() {
                    "no answer"
                } else {
                    "abort"
                };
                (what.to_owned(), error)
            }
        }
    }

    /// Deploys a file and returns what was seen and said.
    fn deploy(&mut self, attack: &Attack) -> (String, String) {
        let file = format!("{}.{}", attack.service(), attack.lang);
        let file = self.server.root().join("outbox").join(file);
        std::fs::create_dir_all(file.parent().unwrap()).unwrap();
        std::fs::write(&file, attack.source(&self.marks)).unwrap();
        // `timeout` rather than a loop of ours: what the command says may be long, and must be read meanwhile.
        let output = Process::new("timeout")
            .arg(DEPLOY_GUARD.as_secs().to_string())
            .arg(binary().get_program())
            .arg("--project")
            .arg(self.server.root())
            .arg("deploy")
            .arg(&file)
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        std::fs::remove_file(&file).ok();
        if !self.server.is_alive() {
            return ("abort".to_owned(), said);
        }
        if said.len() > SAID {
            return (format!("{} bytes", said.len()), said);
        }
        if output.status.code() == Some(124) {
            return ("hang".to_owned(), said);
        }
        if output.status.success() {
            self.files = listing(&self.server.root());
        }
        let code = said.find("KL-").and_then(|at| said.get(at..at + 7));
        (code.unwrap_or("deployed").to_owned(), said)
    }

    /// Returns what was reached that must not be.
    fn escapes(&self) -> Vec<String> {
        let mut found = Vec::new();
        let came = self.reached.swap(0, Ordering::AcqRel);
        if came > 0 {
            found.push(format!("{came} connection(s) to the canary's port"));
        }
        if std::fs::read_to_string(&self.marks.canary).ok().as_deref() != Some(SECRET) {
            found.push("the canary was changed".to_owned());
        }
        let beside = std::fs::read_dir(self.outside.path()).unwrap().count();
        if beside != 1 {
            found.push(format!("{beside} files beside the canary"));
        }
        let files = listing(&self.server.root());
        let strange = files.iter().filter(|file| !self.files.contains(file));
        found.extend(strange.map(|file| format!("the project has {file}")));
        let tasks = format!("/proc/{}/task", self.server.pid());
        for task in std::fs::read_dir(tasks).into_iter().flatten().flatten() {
            let children = std::fs::read_to_string(task.path().join("children"));
            if children.is_ok_and(|list| !list.trim().is_empty()) {
                found.push("a process was started".to_owned());
            }
        }
        found
    }

    /// Returns a figure of the server's memory, in MiB.
    fn memory(&self, name: &str) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.server.pid()));
        let status = status.unwrap_or_default();
        let line = status.lines().find(|line| line.starts_with(name));
        let kib = line.and_then(|line| line.split_whitespace().nth(1)?.parse::<u64>().ok());
        kib.unwrap_or(0) / 1024
    }

    /// Returns the server's log and project.
    pub(super) fn server(&self) -> &TestServer {
        &self.server
    }
}

/// Returns a code, or `payload.r` as JSON.
fn outcome(status: u16, body: &str) -> String {
    let json: Option<serde_json::Value> = serde_json::from_str(body).ok();
    let at = |name: &str| json.as_ref().and_then(|json| json.pointer(name)).cloned();
    match (status, at("/code"), &json) {
        (200, _, Some(_)) => at("/response/r").unwrap_or_default().to_string(),
        (_, Some(code), _) => code.as_str().unwrap_or_default().to_owned(),
        _ => format!("{status} {}", body.chars().take(40).collect::<String>()),
    }
}

/// A peer that answers, or never does, or does to the server and around it what must be noticed.
fn partner(pid: &Arc<AtomicU32>, canary: &Path) -> Peer {
    let (pid, beside) = (Arc::clone(pid), canary.with_file_name("planted.txt"));
    Peer::start(move |seen| {
        let signal = match &*seen.target {
            "/silent" => return Does::Waits,
            "/stop" => Some("-STOP"),
            "/kill" => Some("-KILL"),
            "/write" => {
                std::fs::write(&beside, "planted").unwrap();
                None
            }
            _ => None,
        };
        if let Some(signal) = signal {
            let pid = pid.load(Ordering::Acquire).to_string();
            Process::new("kill").args([signal, &pid]).status().unwrap();
        }
        Does::Answer(200, "text/plain", b"pong".to_vec())
    })
}

/// Listens where nobody should come.
fn listen() -> (u16, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let reached = Arc::new(AtomicUsize::new(0));
    let own = Arc::clone(&reached);
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            own.fetch_add(1, Ordering::AcqRel);
            drop(stream);
        }
    });
    (port, reached)
}

/// Returns the files of a project that only its owner changes.
fn listing(root: &Path) -> Vec<String> {
    let mut found = Vec::new();
    let mut open = vec![root.to_owned()];
    while let Some(dir) = open.pop() {
        for entry in std::fs::read_dir(dir).into_iter().flatten().flatten() {
            let path = entry.path();
            let own = path
                .strip_prefix(root)
                .unwrap()
                .to_string_lossy()
                .into_owned();
            if own.starts_with("data") || own.starts_with("outbox") {
                continue;
            }
            if path.is_dir() {
                open.push(path);
            } else {
                let length = std::fs::metadata(&path).map_or(0, |it| it.len());
                found.push(format!("{own} ({length} bytes)"));
            }
        }
    }
    found
}

/// What the neighbours saw.
#[derive(Clone, Debug, Default)]
pub(super) struct Watch {
    /// How many right answers there were.
    pub(super) answers: usize,
    /// The longest wait.
    pub(super) longest: Duration,
    /// What was wrong.
    pub(super) wrong: Vec<String>,
}

impl Watch {
    fn add(&mut self, other: &Self) {
        self.answers += other.answers;
        self.longest = self.longest.max(other.longest);
        self.wrong.extend(other.wrong.clone());
    }

    /// Asks both neighbours until it is done.
    fn keep(url: &str, done: &AtomicBool) -> Self {
        let mut watch = Self::default();
        let wire = Wire::connect(url);
        let mut wire = match wire {
            Ok(wire) => wire,
            Err(error) => {
                watch
                    .wrong
                    .push(format!("a neighbour is not there: {error}"));
                return watch;
            }
        };
        for n in 0.. {
            for lang in ["lua", "rhai"] {
                let begun = Instant::now();
                let answer = wire.get(&format!("/neighbour.{lang}?n={n}"));
                watch.longest = watch.longest.max(begun.elapsed());
                let wanted =
                    format!(r#"{{"response":{{"n":{n},"s":"ABC1-22","d":"{{\"a\":1}}"}}}}"#);
                match answer {
                    Ok((200, body)) if body == wanted.as_bytes() => watch.answers += 1,
                    Ok((status, body)) => {
                        let body = String::from_utf8_lossy(&body).into_owned();
                        watch
                            .wrong
                            .push(format!("neighbour.{lang}: {status} {body}"));
                        return watch;
                    }
                    Err(error) => {
                        watch.wrong.push(format!("neighbour.{lang}: {error}"));
                        return watch;
                    }
                }
            }
            if done.load(Ordering::Acquire) {
                break;
            }
            std::thread::park_timeout(Duration::from_millis(5));
        }
        watch
    }
}
