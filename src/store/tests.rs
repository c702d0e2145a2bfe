//! The store against real files: what is written, what is refused, and what a killed process
//! leaves.

use std::collections::BTreeSet;
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};
use serde_json::json;

use crate::base::{Cid, Code, ObjectName};
use crate::contract::ObjectId;
use crate::store::{
    Beyond, Cause, Change, Claim, Ending, NewRun, Placing, Run, RunState, Store, WriteRequest,
};

struct Dir(PathBuf);

impl Dir {
    fn new() -> Self {
        let name = format!("kladka-store-{}", uuid::Uuid::now_v7());
        let path = std::env::temp_dir().join(name);
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    fn db(&self) -> PathBuf {
        self.0.join("kladka.db")
    }

    async fn open(&self) -> Store {
        Store::open(&self.db()).await.unwrap()
    }
}

impl Drop for Dir {
    fn drop(&mut self) {
        drop(std::fs::remove_dir_all(&self.0));
    }
}

fn id(name: &str) -> ObjectId {
    let kind = "outgoing.http".to_owned();
    let name = ObjectName::new(name).unwrap();
    ObjectId { kind, name }
}

fn put(name: &str, body: serde_json::Value) -> Change {
    Change::Put {
        id: id(name),
        enabled: true,
        body,
        source: "config/objects.yaml:3".to_owned(),
    }
}

fn request(expect_rev: Option<i64>, changes: Vec<Change>) -> WriteRequest {
    WriteRequest {
        expect_rev,
        author: "admin".to_owned(),
        source_note: "config apply".to_owned(),
        cid: Cid::accept("cid-1").unwrap(),
        changes,
    }
}

#[tokio::test]
async fn a_write_makes_versions_and_a_revision() {
    let dir = Dir::new();
    let store = dir.open().await;
    assert_eq!(store.head().await.unwrap(), 0);
    let both = vec![put("a", json!({"url": "x"})), put("b", json!({"n": 1.5}))];
    assert_eq!(store.write(request(Some(0), both)).await.unwrap(), 1);
    let edit = vec![put("a", json!({"url": "y"}))];
    assert_eq!(store.write(request(None, edit)).await.unwrap(), 2);
    store.close().await;

    let store = dir.open().await;
    let objects = store.objects().await.unwrap();
    let seen: Vec<_> = objects
        .iter()
        .map(|o| (o.id.name.as_str(), o.version, o.rev))
        .collect();
    assert_eq!(seen, [("a", 2, 2), ("b", 1, 1)]);
    assert_eq!(objects[0].body, json!({"url": "y"}));
    assert_eq!(objects[0].source, "config/objects.yaml:3");
    assert_eq!(
        store.object(&id("b")).await.unwrap().unwrap().body,
        json!({"n": 1.5})
    );
    assert_eq!(store.object(&id("c")).await.unwrap(), None);
}

#[tokio::test]
async fn an_unchanged_object_makes_no_version_and_no_revision() {
    let dir = Dir::new();
    let store = dir.open().await;
    store
        .write(request(None, vec![put("a", json!({"n": 1}))]))
        .await
        .unwrap();
    assert_eq!(
        store
            .write(request(None, vec![put("a", json!({"n": 1}))]))
            .await
            .unwrap(),
        1
    );
    let mixed = vec![
        put("a", json!({"n": 1})),
        put("b", json!({})),
        Change::Delete { id: id("z") },
    ];
    assert_eq!(store.write(request(None, mixed)).await.unwrap(), 2);
    let changes = store.changes_since(1).await;
    let names: Vec<_> = changes
        .iter()
        .map(|change| change.id.name.as_str())
        .collect();
    assert_eq!(names, ["b"]);
    let mut off = put("a", json!({"n": 1}));
    if let Change::Put { enabled, .. } = &mut off {
        *enabled = false;
    }
    assert_eq!(store.write(request(None, vec![off])).await.unwrap(), 3);
    assert!(!store.object(&id("a")).await.unwrap().unwrap().enabled);
}

#[tokio::test]
async fn a_stale_writer_is_told_and_changes_nothing() {
    let dir = Dir::new();
    let store = dir.open().await;
    store
        .write(request(None, vec![put("a", json!(1))]))
        .await
        .unwrap();
    let fault = store
        .write(request(Some(0), vec![put("a", json!(2))]))
        .await
        .unwrap_err();
    assert_eq!(fault.code(), Code::ConfigStale);
    assert_eq!(fault.message(), "the configuration is at revision 1, not 0");
    assert_eq!(store.head().await.unwrap(), 1);
    assert_eq!(
        store.object(&id("a")).await.unwrap().unwrap().body,
        json!(1)
    );
}

#[tokio::test]
async fn the_past_outlives_deletion() {
    let dir = Dir::new();
    let store = dir.open().await;
    store
        .write(request(None, vec![put("a", json!(1))]))
        .await
        .unwrap();
    store
        .write(request(None, vec![Change::Delete { id: id("a") }]))
        .await
        .unwrap();
    assert_eq!(store.objects().await.unwrap(), []);
    store
        .write(request(None, vec![put("a", json!(3))]))
        .await
        .unwrap();
    let history = store.object_history(&id("a")).await;
    let seen: Vec<_> = history
        .iter()
        .map(|v| (v.version, v.rev, v.body.clone()))
        .collect();
    assert_eq!(
        seen,
        [(3, 3, Some(json!(3))), (2, 2, None), (1, 1, Some(json!(1)))]
    );
    assert_eq!(
        (history[0].author.as_str(), history[0].cid.as_str()),
        ("admin", "cid-1")
    );
    let age = Utc::now() - history[0].at;
    assert!(age.num_seconds().abs() < 60, "the database's clock: {age}");
}

#[tokio::test]
async fn writers_queue_and_revisions_are_in_the_order_of_commits() {
    let dir = Dir::new();
    let store = dir.open().await;
    let writes = (0..20).map(|n| {
        let store = store.clone();
        async move {
            store
                .write(request(None, vec![put("a", json!(n))]))
                .await
                .unwrap()
        }
    });
    let mut revs = futures_util::future::join_all(writes).await;
    revs.sort_unstable();
    assert_eq!(revs, (1..=20).collect::<Vec<i64>>());
    let changes = store.changes_since(0).await;
    let pairs: Vec<_> = changes
        .iter()
        .map(|change| (change.rev, change.version))
        .collect();
    assert_eq!(pairs, (1..=20).map(|n| (n, n)).collect::<Vec<_>>());
}

#[tokio::test]
async fn a_damaged_database_is_refused_with_a_hint() {
    let dir = Dir::new();
    let store = dir.open().await;
    let many = (0..200)
        .map(|n| put(&format!("o{n}"), json!("x".repeat(200))))
        .collect();
    store.write(request(None, many)).await.unwrap();
    store.close().await;
    let mut bytes = std::fs::read(dir.db()).unwrap();
    let size = bytes.len();
    assert!(size > 40_000, "{size}");
    bytes[size / 2..size - 4096].fill(0xAB);
    std::fs::write(dir.db(), &bytes).unwrap();
    let fault = Store::open(&dir.db()).await.err().unwrap();
    assert_eq!(fault.code(), Code::Storage);
    assert!(
        fault.message().contains("kladka.db cannot be used"),
        "{fault}"
    );
    assert!(fault.hint_text().unwrap().contains("restore a backup"));

    std::fs::write(dir.db(), "this is a letter, not a database").unwrap();
    assert_eq!(
        Store::open(&dir.db()).await.err().unwrap().code(),
        Code::Storage
    );
}

/// Names the database to the writing process; the tests of this file are its only readers.
const VICTIM: &str = "KLADKA_TEST_VICTIM";

#[tokio::test]
#[ignore = "slow tier: the process that the tests below kill"]
async fn victim() {
    let Some(path) = std::env::var_os(VICTIM) else {
        return;
    };
    let store = Store::open(Path::new(&path)).await.unwrap();
    let first = store.head().await.unwrap() + 1;
    for n in first.. {
        // Two objects that must never differ, one that comes and goes.
        let third = if n % 2 == 0 {
            put("third", json!(n))
        } else {
            Change::Delete { id: id("third") }
        };
        let pair = ["left", "right"].map(|name| put(name, json!({"n": n})));
        let changes = pair.into_iter().chain([third]).collect();
        let rev = store.write(request(Some(n - 1), changes)).await.unwrap();
        assert_eq!(rev, n);
        let run = claim(&store, n).await;
        let ending = Ending {
            state: RunState::Done,
            ended: moment(n),
            elapsed_ms: 1,
            fault: None,
        };
        assert!(store.finish_run(&run, &ending).await.unwrap());
        let mut out = std::io::stdout().lock();
        writeln!(out, "ack {n}").unwrap();
        out.flush().unwrap();
    }
}

/// Claims the run of a job at a moment.
async fn claim(store: &Store, n: i64) -> Run {
    let new = NewRun {
        fire_time: moment(n),
        cause: Cause::Schedule,
        cid: Cid::fresh(),
        placing: Placing::Start {
            at_most: u32::MAX,
            beyond: Beyond::Skip,
        },
    };
    let claim = Claim {
        job: ObjectName::new("job").unwrap(),
        node: "victim".to_owned(),
        now: moment(n),
        lease_until: moment(n),
        advance: None,
        runs: vec![new],
    };
    store.claim_runs(claim).await.unwrap().unwrap().remove(0)
}

fn moment(n: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(n, 0).unwrap()
}

/// From when on the time of a process counts.
#[derive(Clone, Copy, Debug)]
enum From {
    /// It may not come to write at all: how long a process takes to start is the machine's affair.
    Start,
    FirstWrite,
}

/// Lets a process write for a while, kills it, and returns the last write it was told is safe.
fn write_and_kill(db: &Path, from: From, after: Duration) -> Option<i64> {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args([
            "--exact",
            "store::tests::victim",
            "--ignored",
            "--nocapture",
        ])
        .env(VICTIM, db)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let (tx, rx) = mpsc::channel();
    let reader = std::thread::spawn(move || {
        for line in lines.map_while(Result::ok) {
            // The harness writes its own words in front of the first.
            let number = line
                .rsplit_once("ack ")
                .and_then(|(_, n)| n.parse::<i64>().ok());
            if let Some(number) = number {
                tx.send(number).unwrap();
            }
        }
    });
    let mut last = match from {
        From::Start => None,
        From::FirstWrite => Some(rx.recv_timeout(Duration::from_mins(1)).unwrap()),
    };
    let until = Instant::now() + after;
    while let Ok(number) = rx.recv_timeout(until.saturating_duration_since(Instant::now())) {
        last = Some(number);
    }
    child.kill().unwrap();
    child.wait().unwrap();
    reader.join().unwrap();
    // What was still in the pipe was acknowledged too.
    rx.try_iter().last().or(last)
}

async fn survive(cycles: u32) {
    let dir = Dir::new();
    let mut acknowledged = 0;
    for cycle in 0..cycles {
        let random = uuid::Uuid::new_v4().as_u128() % 500;
        let after = Duration::from_millis(u64::try_from(random).unwrap());
        let from = match cycle % 4 {
            0 => From::Start,
            _ => From::FirstWrite,
        };
        let last = write_and_kill(&dir.db(), from, after);
        let told_done = acknowledged + 1..=last.unwrap_or(acknowledged);
        acknowledged = last.unwrap_or(acknowledged);
        let store = dir.open().await;
        let told = format!(
            "cycle {cycle}, killed after {from:?} and {after:?}, acknowledged {acknowledged}"
        );
        let head = store.head().await.unwrap();
        // The write under way may have reached the disk without its word reaching us.
        assert!(
            (acknowledged..=acknowledged + 1).contains(&head),
            "head {head}: {told}"
        );
        acknowledged = head;
        for name in ["left", "right"] {
            let object = store.object(&id(name)).await.unwrap();
            let n = object.map_or(json!(0), |object| object.body["n"].clone());
            assert_eq!(n, json!(head), "{name}: {told}");
        }
        let third = store.object(&id("third")).await.unwrap();
        assert_eq!(third.is_some(), head > 0 && head % 2 == 0, "{told}");
        let history = store.object_history(&id("left")).await;
        let revs: Vec<i64> = history.iter().rev().map(|version| version.rev).collect();
        assert_eq!(revs, (1..=head).collect::<Vec<_>>(), "{told}");
        let runs = store
            .runs(&ObjectName::new("job").unwrap(), u32::MAX)
            .await
            .unwrap();
        let done = runs.iter().filter(|run| run.state == RunState::Done);
        let done: BTreeSet<i64> = done.map(|run| run.fire_time.timestamp()).collect();
        let missing: Vec<i64> = told_done.filter(|n| !done.contains(n)).collect();
        assert!(missing.is_empty(), "runs {missing:?} are not done: {told}");
        let check: String = sqlx::query_scalar("PRAGMA integrity_check")
            .fetch_one(&store.writer)
            .await
            .unwrap();
        assert_eq!(check, "ok", "{told}");
        store.close().await;
    }
}

#[tokio::test]
async fn nothing_acknowledged_is_lost_and_nothing_is_half_done_when_the_process_is_killed() {
    survive(20).await;
}

#[tokio::test]
#[ignore = "slow tier"]
async fn nothing_acknowledged_is_lost_in_200_kills() {
    survive(200).await;
}
