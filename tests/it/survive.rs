//! The server is killed in the middle of deployments, configuration changes and writes: what was
//! acknowledged is there afterwards, and nothing is torn.

use std::io::Write as _;
use std::os::unix::fs::MetadataExt as _;
use std::process::{Child, Command, Stdio};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use crate::support::{TestServer, Wire, eventually};

const OBJECTS: &str = "version: 1
channels:
  - { name: one, service: keep.one, http: { path: /one }, security: none }
  - { name: two, service: keep.two, http: { path: /two }, security: none }
  - { name: three, service: keep.three, http: { path: /three }, security: none }
  - { name: write, service: keep.write, http: { path: /write }, security: none }
  - { name: read, service: keep.read, http: { path: /read }, security: none }
";

const WRITE: &str = r#"return service {
  name = "keep.write",
  input = { "n:int" },
  output = { "n:int" },
  handle = function(ctx)
    local n = ctx.request.input.n
    ctx.kvdb:mset({ a = n, b = n })
    ctx.kvdb:rpush("log", n)
    ctx.response.payload.n = n
  end,
}
"#;

const READ: &str = r#"return service {
  name = "keep.read",
  output = { "a?", "b?", "log:text[]" },
  handle = function(ctx)
    local found = ctx.kvdb:mget("a", "b")
    ctx.response.payload.a = found[1]
    ctx.response.payload.b = found[2]
    ctx.response.payload.log = ctx.kvdb:lrange("log", 0, -1)
  end,
}
"#;

/// The files that are always deployed together.
const PACKAGE: [&str; 3] = ["one", "two", "three"];

/// A service `keep.NAME` that answers with its version.
fn versioned(name: &str, version: u64) -> String {
    format!(
        r#"return service {{
  name = "keep.{name}",
  output = {{ "version:int" }},
  handle = function(ctx) ctx.response.payload.version = {version} end,
}}
"#
    )
}

fn project() -> TestServer {
    let project = TestServer::project("blank").production();
    project.write("config/objects.yaml", OBJECTS);
    project.write("scripts/write.lua", WRITE);
    project.write("scripts/read.lua", READ);
    for name in PACKAGE {
        project.write(&format!("scripts/{name}.lua"), versioned(name, 0));
    }
    project
}

/// Something that only grows: the number tried last, and the one acknowledged last.
#[derive(Default)]
struct Count {
    tried: AtomicU64,
    acknowledged: AtomicU64,
}

impl Count {
    /// Tries the next number; returns whether it was acknowledged.
    fn next(&self, act: impl FnOnce(u64) -> bool) -> bool {
        let number = self.tried.load(Ordering::SeqCst) + 1;
        self.tried.store(number, Ordering::SeqCst);
        let done = act(number);
        if done {
            self.acknowledged.store(number, Ordering::SeqCst);
        }
        done
    }

    fn acknowledged(&self) -> u64 {
        self.acknowledged.load(Ordering::SeqCst)
    }

    /// Asserts that a number is neither lost nor invented.
    fn holds(&self, what: &str, number: u64) {
        let bounds = self.acknowledged()..=self.tried.load(Ordering::SeqCst);
        assert!(bounds.contains(&number), "{what}: {number} of {bounds:?}");
    }
}

/// Everything that is done to a server over its lives.
#[derive(Default)]
struct Deeds {
    deployed: Count,
    applied: Count,
    written: Count,
    /// All numbers whose write was acknowledged, with the moment.
    log: Mutex<Vec<(u64, Instant)>>,
}

impl Deeds {
    /// Deploys all files in one package until the server is gone.
    fn deploy(&self, server: &TestServer) {
        let dir = server.root().join("outbox");
        std::fs::create_dir_all(&dir).unwrap();
        let files = PACKAGE.map(|name| dir.join(format!("{name}.lua")));
        while self.deployed.next(|version| {
            let mut args = vec!["deploy"];
            for (name, file) in PACKAGE.iter().zip(&files) {
                std::fs::write(file, versioned(name, version)).unwrap();
                args.push(file.to_str().unwrap());
            }
            server.kladka(&args).code == 0
        }) {}
    }

    /// Applies an object that stands in no file of the project until the server is gone.
    fn apply(&self, server: &TestServer) {
        let file = server.root().join("outbox/more.yaml");
        std::fs::create_dir_all(file.parent().unwrap()).unwrap();
        while self.applied.next(|version| {
            let text = format!(
                "version: 1\noutgoing:\n  http:\n    - {{ name: peer, url: \"http://127.0.0.1:9/v{version}\" }}\n"
            );
            std::fs::write(&file, text).unwrap();
            let done = server.kladka(&["config", "apply", file.to_str().unwrap()]);
            done.code == 0
        }) {}
    }

    /// Writes to the key/value store until the server is gone.
    fn write(&self, url: &str) {
        let mut wire = Wire::connect(url).unwrap();
        while self.written.next(|number| {
            let answer = wire.get(&format!("/write?n={number}"));
            let done = matches!(answer, Ok((200, _)));
            assert!(done || answer.is_err(), "{answer:?}");
            if done {
                self.log.lock().unwrap().push((number, Instant::now()));
            }
            done
        }) {}
    }
}

fn call(server: &TestServer, path: &str) -> serde_json::Value {
    let reply = server.curl(path).send();
    assert_eq!(reply.status, 200, "{path}: {}", reply.body);
    reply.json()["response"].clone()
}

fn version(server: &TestServer, path: &str) -> u64 {
    call(server, path)["version"].as_u64().unwrap()
}

/// Returns the version of the object that was applied.
fn applied(server: &TestServer) -> u64 {
    let exported = server.kladka(&["config", "export"]);
    assert_eq!(exported.code, 0, "{}", exported.err);
    let (_, rest) = exported.out.split_once("127.0.0.1:9/v").unwrap();
    let digits: String = rest.chars().take_while(char::is_ascii_digit).collect();
    digits.parse().unwrap()
}

/// Returns the two values that are always written together, and the numbers in the list.
fn stored(server: &TestServer) -> (Option<u64>, Option<u64>, Vec<u64>) {
    let read = call(server, "/read");
    let number = |value: &serde_json::Value| value.as_str().map(|text| text.parse().unwrap());
    let log = read["log"].as_array().unwrap();
    (
        number(&read["a"]),
        number(&read["b"]),
        log.iter().filter_map(number).collect(),
    )
}

/// Waits until the first file of the next package is in its place. The others follow at once: a
/// kill now most often leaves them undone.
fn first_file_stands(server: &TestServer) {
    let first = server.root().join(format!("scripts/{}.lua", PACKAGE[0]));
    let inode = || std::fs::metadata(&first).unwrap().ino();
    let (before, began) = (inode(), Instant::now());
    while inode() == before && began.elapsed() < Duration::from_secs(5) {
        std::hint::spin_loop();
    }
}

/// Kills a process within microseconds: the one that sends the signal runs already.
struct Killer(Child);

impl Killer {
    fn of(pid: u32) -> Self {
        let mut shell = Command::new("sh");
        shell.args(["-c", &format!("read go; kill -KILL {pid}")]);
        Self(shell.stdin(Stdio::piped()).spawn().unwrap())
    }

    fn kill(mut self) {
        self.0.stdin.take().unwrap().write_all(b"go\n").unwrap();
        assert!(self.0.wait().unwrap().success());
    }
}

/// Kills a server while everything is done to it, as many times as it says.
fn kill_again_and_again(cycles: u64) {
    let mut server = project().with("KLADKA_KVDB_DURABILITY", "always").start();
    let deeds = Deeds::default();
    for cycle in 1..=cycles {
        let goal = |count: &Count, more: u64| count.acknowledged() + more;
        let goals = (
            goal(&deeds.deployed, 1 + cycle % 3),
            goal(&deeds.applied, 1),
            goal(&deeds.written, 5 * (cycle % 4)),
        );
        let url = server.endpoint("services");
        let killer = Killer::of(server.pid());
        std::thread::scope(|scope| {
            scope.spawn(|| deeds.deploy(&server));
            scope.spawn(|| deeds.apply(&server));
            scope.spawn(|| deeds.write(&url));
            let began = Instant::now();
            while deeds.deployed.acknowledged() < goals.0
                || deeds.applied.acknowledged() < goals.1
                || deeds.written.acknowledged() < goals.2
            {
                assert!(began.elapsed() < Duration::from_secs(30), "nothing is done");
                std::thread::park_timeout(Duration::from_millis(1));
            }
            match cycle % 2 {
                // Somewhere in the middle of what comes next.
                0 => std::thread::park_timeout(Duration::from_millis(cycle * 7 % 50)),
                _ => first_file_stands(&server),
            }
            killer.kill();
        });
        server.kill();
        server.start_again();
        check(&server, &deeds);
    }
    println!(
        "{cycles} kills: {} deployments, {} configurations, {} writes acknowledged, none lost",
        deeds.deployed.acknowledged(),
        deeds.applied.acknowledged(),
        deeds.log.lock().unwrap().len()
    );
}

fn check(server: &TestServer, deeds: &Deeds) {
    let serving = PACKAGE.map(|name| version(server, &format!("/{name}")));
    let deployed = serving[0];
    deeds.deployed.holds("deployed", deployed);
    assert_eq!(serving, [deployed; 3], "half a package serves");
    for name in PACKAGE {
        let text = server.read(&format!("scripts/{name}.lua"));
        assert_eq!(text, versioned(name, deployed), "half a package on disk");
    }
    deeds.applied.holds("applied", applied(server));
    let (a, b, log) = stored(server);
    assert_eq!(a, b, "half an mset");
    deeds.written.holds("written", a.unwrap_or_default());
    let kept: std::collections::BTreeSet<u64> = log.into_iter().collect();
    for (number, _) in deeds.log.lock().unwrap().iter() {
        assert!(kept.contains(number), "the write of {number} is lost");
    }
    let listed = server.kladka(&["service", "list", "--json"]);
    let listed: serde_json::Value = serde_json::from_str(&listed.out).unwrap();
    assert_eq!(listed["faults"].as_array().map(Vec::len), Some(0));
}

#[test]
fn what_was_acknowledged_survives_kills() {
    kill_again_and_again(10);
}

#[test]
#[ignore = "slow tier"]
fn what_was_acknowledged_survives_a_hundred_kills() {
    kill_again_and_again(100);
}

#[test]
fn batched_writes_lose_at_most_the_last_moments_and_are_never_torn() {
    /// How long before the kill a write must have been acknowledged to be safe.
    const MOMENT: Duration = Duration::from_secs(1);
    let mut server = project().start();
    let (mut lost, mut floor, mut oldest) = (0, 0, Duration::ZERO);
    for cycle in 0..5 {
        let deeds = Deeds::default();
        deeds.written.tried.store(floor, Ordering::SeqCst);
        let (url, pid) = (server.endpoint("services"), server.pid());
        let killed = AtomicBool::new(false);
        let mut at = Instant::now();
        std::thread::scope(|scope| {
            scope.spawn(|| {
                deeds.write(&url);
                assert!(
                    killed.load(Ordering::SeqCst),
                    "a write failed before the kill"
                );
            });
            eventually("enough was written for long enough", || {
                let log = deeds.log.lock().unwrap();
                let first = log.first()?.1;
                let span = MOMENT + Duration::from_millis(100 + cycle * 31);
                (log.len() > 20 && first.elapsed() > span).then_some(())
            });
            killed.store(true, Ordering::SeqCst);
            at = Instant::now();
            let done = Command::new("kill")
                .args(["-KILL", &pid.to_string()])
                .status();
            assert!(done.unwrap().success());
        });
        server.kill();
        server.start_again();
        let (a, b, log) = stored(&server);
        assert_eq!(a, b, "half an mset");
        let a = a.unwrap_or_default();
        let written = deeds.log.lock().unwrap();
        let safe = written
            .iter()
            .filter(|(_, moment)| at.duration_since(*moment) > MOMENT);
        let safe = safe.map(|(number, _)| *number).max();
        let newest = written.iter().map(|(number, _)| *number).max();
        assert!(
            Some(a) >= safe && a <= deeds.written.tried.load(Ordering::SeqCst),
            "{a} is there, {safe:?} must be, {newest:?} was acknowledged"
        );
        // A later change is never there without an earlier one: the list is whole up to its end.
        let own: Vec<u64> = log.into_iter().filter(|number| *number > floor).collect();
        let whole: Vec<u64> = (floor + 1..=own.last().copied().unwrap_or(floor)).collect();
        assert_eq!(own, whole, "a gap");
        assert!(
            a == floor + own.len() as u64 || a == floor + 1 + own.len() as u64,
            "{a} was set, {} were listed after {floor}",
            own.len()
        );
        lost += newest.unwrap_or(a).saturating_sub(a);
        let gone = written.iter().find(|(number, _)| *number > a);
        oldest = oldest.max(gone.map_or(Duration::ZERO, |(_, moment)| at.duration_since(*moment)));
        // Numbers of this life that were lost are not used again: the list would tell them apart.
        floor = a.max(own.last().copied().unwrap_or(floor));
    }
    println!(
        "batched, 5 kills: {lost} writes lost, {floor} kept; the oldest lost was {oldest:.0?} old"
    );
}
