//! Revisions alternate under load: no call fails, none is torn, none mixes two revisions, none is
//! older than what was acknowledged before it began.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crate::support::{TestServer, Wire, eventually};

const CONNECTIONS: usize = 50;
const SWAPS: u64 = 204;
/// Bytes of one letter in each answer, so that a torn one shows.
const FILL: usize = 20_000;
/// How long a caller thinks before its next call.
const PAUSE: Duration = Duration::from_millis(100);
/// What memory may grow over the second half of the swaps; leaked VMs would take several times that.
const GROWTH_KIB: u64 = 16 << 10;
/// What a debug build may take under this load in all.
const RSS_KIB: u64 = 400 << 10;

/// One call: what had to be visible, what could be, and what was.
struct Entry {
    /// The newest version acknowledged or seen by anybody before the call began.
    floor: u64,
    /// The newest version handed in when the answer was there.
    ceiling: u64,
    /// The version of the answer, or why it is none.
    seen: Result<u64, String>,
}

/// What callers and the one who deploys tell each other.
#[derive(Default)]
struct Board {
    handed_in: AtomicU64,
    visible: AtomicU64,
    ended: AtomicBool,
}

/// Callers on 50 connections.
struct Load {
    board: Arc<Board>,
    callers: Vec<JoinHandle<Vec<Entry>>>,
}

impl Load {
    fn start(url: &str, paths: &'static [&'static str]) -> Self {
        let board = Arc::new(Board::default());
        let callers = (0..CONNECTIONS).map(|number| {
            let (board, url) = (Arc::clone(&board), url.to_owned());
            let path = paths[number % paths.len()];
            std::thread::spawn(move || call_until_the_end(&board, &url, path))
        });
        Self {
            callers: callers.collect(),
            board,
        }
    }

    fn hand_in(&self, version: u64) {
        self.board.handed_in.store(version, Ordering::SeqCst);
    }

    fn acknowledge(&self, version: u64) {
        self.board.visible.fetch_max(version, Ordering::SeqCst);
    }

    fn end(self) -> Vec<Entry> {
        self.board.ended.store(true, Ordering::SeqCst);
        let ledgers = self.callers.into_iter();
        ledgers.flat_map(|caller| caller.join().unwrap()).collect()
    }
}

fn call_until_the_end(board: &Board, url: &str, path: &str) -> Vec<Entry> {
    let mut wire = Wire::connect(url).unwrap();
    let mut ledger = Vec::new();
    while !board.ended.load(Ordering::SeqCst) {
        let floor = board.visible.load(Ordering::SeqCst);
        let answer = wire.get(path);
        let ceiling = board.handed_in.load(Ordering::SeqCst);
        let seen = answer.and_then(|(status, body)| match status {
            200 => version(&body),
            _ => Err(format!("{status}: {}", String::from_utf8_lossy(&body))),
        });
        let seen_one = seen.as_ref().ok().copied();
        ledger.push(Entry {
            floor,
            ceiling,
            seen,
        });
        match seen_one {
            Some(version) => drop(board.visible.fetch_max(version, Ordering::SeqCst)),
            None => match Wire::connect(url) {
                Ok(fresh) => wire = fresh,
                Err(_gone) => break,
            },
        }
        // Fifty callers who never pause would only measure how long the queue is.
        std::thread::park_timeout(PAUSE);
    }
    ledger
}

fn letter(version: u64) -> char {
    if version.is_multiple_of(2) { 'a' } else { 'b' }
}

/// Reads an answer: parts of `VERSION;LETTERS` joined by `|`, all whole and of one version.
fn version(body: &[u8]) -> Result<u64, String> {
    let text = std::str::from_utf8(body).map_err(|error| error.to_string())?;
    let parts: Vec<u64> = text.split('|').map(part).collect::<Result<_, _>>()?;
    match parts.first() {
        Some(first) if parts.iter().all(|part| part == first) => Ok(*first),
        _ => Err(format!("mixed: versions {parts:?}")),
    }
}

fn part(text: &str) -> Result<u64, String> {
    let torn = || {
        let start: String = text.chars().take(40).collect();
        format!("torn: {} bytes of {start:?}", text.len())
    };
    let (version, fill) = text.split_once(';').ok_or_else(torn)?;
    let version: u64 = version.parse().map_err(|_no_number| torn())?;
    let whole = fill.len() == FILL && fill.trim_start_matches(letter(version)).is_empty();
    whole.then_some(version).ok_or_else(torn)
}

/// Returns what is wrong in a ledger.
fn wrong(ledger: &[Entry]) -> Vec<String> {
    let judged = ledger.iter().filter_map(|entry| match &entry.seen {
        Err(why) => Some(why.clone()),
        Ok(seen) if *seen < entry.floor => {
            Some(format!("stale: {seen} after {} was visible", entry.floor))
        }
        Ok(seen) if *seen > entry.ceiling => Some(format!(
            "unheard of: {seen} when {} was the newest",
            entry.ceiling
        )),
        Ok(_) => None,
    });
    judged.collect()
}

/// The three ways to deploy a file.
struct Ways<'a> {
    server: &'a TestServer,
    file: &'static str,
    path: &'static str,
    probe: Wire,
}

impl Ways<'_> {
    /// Deploys a text by the way whose turn it is; returns when it is acknowledged.
    fn deploy(&mut self, version: u64, text: &str) {
        match version % 3 {
            0 => self.save(version, text),
            1 => self.send(text),
            _ => self.drop_in(text),
        }
        // An acknowledged version is there for everybody, at once.
        assert_eq!(self.now(), version);
    }

    fn now(&mut self) -> u64 {
        let (status, body) = self.probe.get(self.path).unwrap();
        assert_eq!(status, 200, "{}", String::from_utf8_lossy(&body));
        version(&body).unwrap()
    }

    fn save(&mut self, version: u64, text: &str) {
        self.server.write(&format!("scripts/{}", self.file), text);
        eventually("what was saved is live", || {
            (self.now() == version).then_some(())
        });
    }

    fn send(&self, text: &str) {
        let outbox = self.server.root().join("outbox");
        std::fs::create_dir_all(&outbox).unwrap();
        let file = outbox.join(self.file);
        std::fs::write(&file, text).unwrap();
        let done = self.server.kladka(&["deploy", file.to_str().unwrap()]);
        assert_eq!(done.code, 0, "{}{}", done.out, done.err);
    }

    fn drop_in(&self, text: &str) {
        let source = self.server.root().join("dropped.lua");
        std::fs::write(&source, text).unwrap();
        let dropped = self.server.root().join("pickup-dir").join(self.file);
        std::fs::copy(source, &dropped).unwrap();
        eventually("what was dropped is deployed", || {
            let refused = dropped.with_file_name(format!("{}.failed.txt", self.file));
            assert!(!refused.exists(), "{:?}", std::fs::read_to_string(refused));
            (!dropped.exists()).then_some(())
        });
    }
}

/// Returns the resident memory of a process in KiB.
fn resident(pid: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS:"));
    let number = line.unwrap().split_whitespace().nth(1).unwrap();
    number.parse().unwrap()
}

/// Alternates the file under load, then judges the ledger and the memory.
fn alternate(
    server: &TestServer,
    file: &'static str,
    paths: &'static [&'static str],
    text: fn(u64) -> String,
) {
    let url = server.endpoint("services");
    let load = Load::start(&url, paths);
    let mut ways = Ways {
        server,
        file,
        path: paths[0],
        probe: Wire::connect(&url).unwrap(),
    };
    let (began, mut half) = (Instant::now(), 0);
    let mut longest = Duration::ZERO;
    for version in 1..=SWAPS {
        let swap = Instant::now();
        load.hand_in(version);
        ways.deploy(version, &text(version));
        load.acknowledge(version);
        longest = longest.max(swap.elapsed());
        if version == SWAPS / 2 {
            half = resident(server.pid());
        }
    }
    let took = began.elapsed();
    let end = resident(server.pid());
    let ledger = load.end();
    println!(
        "{file}: {SWAPS} swaps in {took:.1?} (longest {longest:.0?}) under {} calls on {CONNECTIONS} \
         connections; {half} KiB resident after {} swaps, {end} KiB after {SWAPS}",
        ledger.len(),
        SWAPS / 2
    );
    let wrong = wrong(&ledger);
    assert!(
        wrong.is_empty(),
        "{} of {} calls: {:#?}",
        wrong.len(),
        ledger.len(),
        &wrong[..wrong.len().min(10)]
    );
    assert!(
        ledger.len() > CONNECTIONS * 10,
        "hardly a load: {} calls",
        ledger.len()
    );
    let versions: std::collections::BTreeSet<u64> = ledger
        .iter()
        .filter_map(|entry| entry.seen.clone().ok())
        .collect();
    assert!(
        versions.len() as u64 > SWAPS / 2,
        "the load saw only {} of {SWAPS} versions",
        versions.len()
    );
    let backups = std::fs::read_dir(server.root().join("data/backups")).unwrap();
    assert_eq!(backups.count(), 100, "the ring keeps the last hundred");
    assert!(end < RSS_KIB, "{end} KiB resident");
    assert!(
        end < half + GROWTH_KIB,
        "memory grows: {half} KiB after {} swaps, {end} KiB after {SWAPS}",
        SWAPS / 2
    );
}

fn service(version: u64) -> String {
    format!(
        r#"return service {{
  name = "load.one",
  handle = function(ctx)
    ctx.response.content_type = "text/plain"
    ctx.response.payload = "{version};" .. string.rep("{}", {FILL})
  end,
}}
"#,
        letter(version)
    )
}

fn module(version: u64) -> String {
    format!(
        r#"local M = {{}}
function M.body() return "{version};" .. string.rep("{}", {FILL}) end
return M
"#,
        letter(version)
    )
}

const SERVICE_A: &str = r#"local shared = require "shared"
return service {
  name = "load.a",
  handle = function(ctx)
    local before = shared.body()
    local one, other = parallel {
      function() return ctx:invoke("load.b") end,
      function() return ctx:invoke("load.b") end,
    }
    ctx.response.content_type = "text/plain"
    ctx.response.payload = table.concat({ before, one, other }, "|")
  end,
}
"#;

const SERVICE_B: &str = r#"local shared = require "shared"
return service {
  name = "load.b",
  handle = function(ctx)
    ctx.response.content_type = "text/plain"
    ctx.response.payload = shared.body()
  end,
}
"#;

/// The objects of a project whose services `load.NAME` answer at `/NAME`.
fn objects(names: &[&str]) -> String {
    let channel = |name: &&str| {
        format!(
            "  - {{ name: load.{name}, service: load.{name}, http: {{ path: /{name} }}, \
             format: raw, security: none }}\n"
        )
    };
    let channels: String = names.iter().map(channel).collect();
    format!("version: 1\nchannels:\n{channels}")
}

#[test]
fn a_service_alternates_under_load_and_no_call_notices() {
    let project = TestServer::project("blank").production();
    project.write("config/objects.yaml", objects(&["one"]));
    project.write("scripts/one.lua", service(0));
    alternate(&project.start(), "one.lua", &["/one"], service);
}

#[test]
fn a_module_of_two_services_alternates_under_load_and_they_never_differ() {
    let project = TestServer::project("blank").production();
    project.write("config/objects.yaml", objects(&["a", "b"]));
    project.write("scripts/shared.lua", module(0));
    project.write("scripts/a.lua", SERVICE_A);
    project.write("scripts/b.lua", SERVICE_B);
    alternate(&project.start(), "shared.lua", &["/a", "/b"], module);
}

#[test]
fn the_ledger_knows_failed_torn_mixed_and_stale_answers() {
    let whole = |version: u64| format!("{version};{}", letter(version).to_string().repeat(FILL));
    assert_eq!(version(whole(7).as_bytes()), Ok(7));
    let torn = whole(7).replacen("bbb", "bab", 1);
    let mixed = format!("{}|{}", whole(7), whole(8));
    for (body, why) in [(torn, "torn"), (mixed, "mixed"), (String::new(), "torn")] {
        let error = version(body.as_bytes()).unwrap_err();
        assert!(error.starts_with(why), "{error}");
    }
    let entry = |floor, ceiling, seen| Entry {
        floor,
        ceiling,
        seen,
    };
    let ledger = [
        entry(3, 4, Ok(3)),
        entry(3, 4, Ok(4)),
        entry(3, 4, Ok(2)),
        entry(3, 4, Ok(5)),
        entry(3, 4, Err("500".to_owned())),
    ];
    assert_eq!(wrong(&ledger).len(), 3);
}
