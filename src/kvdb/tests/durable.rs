//! What the embedded store keeps when the process ends, cleanly or not.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use crate::base::{ByteSize, Clock, Code, Fault, SystemClock};
use crate::contract::{KeyValue as _, Running};
use crate::kvdb::Durability;
use crate::kvdb::embedded::Embedded;
use crate::kvdb::embedded::file::File;

use super::{Dir, ask, command, embedded, keys, run, until};

const FILLING: &[(&str, &str, &str)] = &[
    ("set t v", "get t", "'v'"),
    ("set e v ex 1000", "get e", "'v'"),
    ("hset h f 1 g 2", "hgetall h", "['f' '1' 'g' '2']"),
    ("rpush l b a b", "lrange l 0 -1", "['b' 'a' 'b']"),
    ("sadd s x y", "smembers s", "['x' 'y']"),
    (
        "zadd z 1.5 m -inf n",
        "zrange z 0 -1 withscores",
        "['n' '-inf' 'm' '1.5']",
    ),
];

/// Opens what a server would find that was killed now: a copy of the file, taken without closing
/// it.
fn after_kill(dir: &Dir) -> Option<(Embedded, Dir)> {
    let copy = Dir::new();
    std::fs::copy(dir.file(), copy.file()).unwrap();
    let memory = ByteSize(64 << 20);
    let clock = Arc::new(SystemClock);
    let store = Embedded::open(&copy.file(), Durability::Batched, memory, clock);
    // A copy is not atomic: one taken during a commit may mix two states, which a kill cannot.
    Some((store.ok()?, copy))
}

#[tokio::test]
async fn everything_is_there_after_a_clean_restart() {
    let dir = Dir::new();
    let store = embedded(&dir, Durability::Batched);
    for (write, ..) in FILLING {
        ask(&store, write).await;
    }
    ask(&store, "set gone v").await;
    ask(&store, "del gone").await;
    drop(store);
    let store = embedded(&dir, Durability::Batched);
    for (_, read, wanted) in FILLING {
        assert_eq!(ask(&store, read).await, *wanted, "{read}");
    }
    let left: i64 = ask(&store, "ttl e").await.parse().unwrap();
    assert!((900..=1000).contains(&left), "{left}");
    assert_eq!(keys(&store, "*", 100).await.len(), FILLING.len());
}

#[tokio::test]
async fn sync_makes_everything_survive_a_kill() {
    let dir = Dir::new();
    let store = embedded(&dir, Durability::Batched);
    for (write, ..) in FILLING {
        ask(&store, write).await;
    }
    store.sync().await.unwrap();
    let (after, _copy) = after_kill(&dir).unwrap();
    for (_, read, wanted) in FILLING {
        assert_eq!(ask(&after, read).await, *wanted, "{read}");
    }
}

#[tokio::test]
async fn a_change_is_on_disk_soon_without_asking() {
    let dir = Dir::new();
    let store = embedded(&dir, Durability::Batched);
    store.sync().await.unwrap();
    ask(&store, "set k v").await;
    let since = Instant::now();
    loop {
        if let Some((after, _copy)) = after_kill(&dir)
            && ask(&after, "get k").await == "'v'"
        {
            break;
        }
        // The promise is 100 ms; a busy machine that runs tests gets more.
        assert!(since.elapsed() < Duration::from_secs(2));
    }
}

#[tokio::test]
async fn always_means_before_the_answer() {
    let dir = Dir::new();
    let store = embedded(&dir, Durability::Always);
    for number in 1..=20 {
        assert_eq!(ask(&store, "incr n").await, number.to_string());
        let (after, _copy) = after_kill(&dir).unwrap();
        assert_eq!(ask(&after, "get n").await, format!("'{number}'"));
    }
}

#[tokio::test]
async fn always_still_groups_what_comes_at_once() {
    let dir = Dir::new();
    let store = embedded(&dir, Durability::Always);
    store.sync().await.unwrap();
    let before = store.commits();
    let waiting: Vec<_> = (0..500)
        .map(|number| store.run(command(&format!("set k{number} v"))))
        .collect();
    for running in waiting {
        match running {
            Running::Later(reply) => drop(reply.await.unwrap()),
            Running::Done(reply) => panic!("answered before it was saved: {reply:?}"),
        }
    }
    let commits = store.commits() - before;
    assert!((1..250).contains(&commits), "{commits}");
}

#[tokio::test]
async fn reads_of_a_store_that_always_saves_do_not_wait() {
    let dir = Dir::new();
    let store = embedded(&dir, Durability::Always);
    for line in ["get k", "del k", "set k v xx", "expire k 5", "hdel k f"] {
        assert!(
            matches!(store.run(command(line)), Running::Done(Ok(_))),
            "{line}"
        );
    }
}

#[tokio::test]
async fn what_survives_a_kill_is_the_state_of_one_moment() {
    let dir = Dir::new();
    let store = Arc::new(embedded(&dir, Durability::Batched));
    let stop = Arc::new(AtomicBool::new(false));
    let writing = {
        let (store, stop) = (Arc::clone(&store), Arc::clone(&stop));
        std::thread::spawn(move || {
            let run =
                |line: String| assert!(matches!(store.run(command(&line)), Running::Done(Ok(_))));
            for number in 0_u64.. {
                run(format!("mset one {number} two {number}"));
                run(format!("set first {number}"));
                run(format!("set second {number}"));
                if stop.load(Ordering::Relaxed) {
                    return;
                }
            }
        })
    };
    until(&*store, "exists one second", "2").await;
    store.sync().await.unwrap();
    for _ in 0..15 {
        store.sync().await.unwrap();
        let Some((after, _copy)) = after_kill(&dir) else {
            continue;
        };
        let mut read = Vec::new();
        for key in ["one", "two", "first", "second"] {
            let text = ask(&after, &format!("get {key}")).await;
            read.push(text.trim_matches('\'').parse::<u64>().unwrap());
        }
        assert_eq!(read[0], read[1], "{read:?}");
        assert!(read[2] == read[3] || read[2] == read[3] + 1, "{read:?}");
    }
    stop.store(true, Ordering::Relaxed);
    writing.join().unwrap();
}

#[tokio::test]
async fn a_file_that_is_mostly_free_is_compacted_at_start() {
    let dir = Dir::new();
    let size = || std::fs::metadata(dir.file()).unwrap().len();
    let store = embedded(&dir, Durability::Batched);
    let value = "v".repeat(1_000_000);
    for number in 0..40 {
        ask(&store, &format!("set k{number} {value}")).await;
    }
    store.sync().await.unwrap();
    for number in (0..40).filter(|number| number % 13 > 0) {
        ask(&store, &format!("del k{number}")).await;
    }
    drop(store);
    let before = size();
    assert!(before > 16 << 20, "{before}");
    drop(embedded(&dir, Durability::Batched));
    let after = size();
    assert!(after < 10 << 20, "{before} {after}");
    let store = embedded(&dir, Durability::Batched);
    for number in [0, 13, 26, 39] {
        let kept = ask(&store, &format!("get k{number}")).await;
        assert_eq!(kept.len(), value.len() + 2, "k{number}");
    }
    assert_eq!(keys(&store, "*", 100).await.len(), 4);
}

/// A clock that stands.
struct Stopped(i64);

impl Clock for Stopped {
    fn now(&self) -> chrono::DateTime<chrono::Utc> {
        chrono::DateTime::from_timestamp_millis(self.0).unwrap()
    }
}

#[tokio::test]
async fn keys_expire_also_while_the_server_is_down() {
    let dir = Dir::new();
    let open = |now: i64| {
        let clock = Arc::new(Stopped(now));
        Embedded::open(&dir.file(), Durability::Batched, ByteSize(1 << 20), clock).unwrap()
    };
    let store = open(1_000_000);
    ask(&store, "set short v px 500").await;
    ask(&store, "set long v px 5000").await;
    assert_eq!(ask(&store, "pttl short").await, "500");
    drop(store);
    let store = open(1_000_500);
    assert_eq!(ask(&store, "get short").await, "nil");
    assert_eq!(ask(&store, "pttl long").await, "4500");
    assert_eq!(ask(&store, "scan 0 count 9").await, "['0' ['long']]");
}

#[tokio::test]
async fn expired_keys_give_their_memory_back_unasked() {
    let dir = Dir::new();
    let store = embedded(&dir, Durability::Batched);
    for number in 0..300 {
        ask(&store, &format!("set k{number} v px 50")).await;
    }
    assert!(store.used() > 0);
    let freed = async {
        while store.used() > 0 {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(10), freed)
        .await
        .unwrap();
}

#[tokio::test]
async fn memory_comes_back_to_nothing() {
    let dir = Dir::new();
    let store = embedded(&dir, Durability::Batched);
    for line in [
        "set t v",
        "set t longer",
        "hset h f 1 g 2",
        "hset h f longer",
        "hdel h g",
        "rpush l a b c",
        "lpop l",
        "sadd s a b",
        "srem s a",
        "zadd z 1 a 2 b",
        "zadd z 3 a",
        "zrem z b",
        "incr n",
        "hincrby h i 5",
        "mset a 1 b 2",
        "expire a 100",
    ] {
        ask(&store, line).await;
    }
    assert!(store.used() > 0);
    assert_eq!(ask(&store, "del t h l s z n a b").await, "8");
    assert_eq!(store.used(), 0);
}

#[tokio::test]
async fn a_full_store_refuses_more_and_lets_go() {
    let dir = Dir::new();
    let clock = Arc::new(SystemClock);
    let store = Embedded::open(&dir.file(), Durability::Batched, ByteSize(4096), clock).unwrap();
    ask(&store, &format!("set big {}", "v".repeat(5000))).await;
    for line in [
        "set k v",
        "incr n",
        "hset h f v",
        "rpush l a",
        "sadd s a",
        "zadd z 1 a",
        "mset a 1",
    ] {
        assert_eq!(ask(&store, line).await, "KL-K202", "{line}");
    }
    assert_eq!(ask(&store, "exists big").await, "1");
    assert_eq!(ask(&store, "del big").await, "1");
    assert_eq!(ask(&store, "set k v").await, "OK");
}

#[tokio::test]
async fn a_second_process_is_kept_out() {
    let dir = Dir::new();
    let _store = embedded(&dir, Durability::Batched);
    assert_eq!(open_fault(&dir.file()), Code::DataLocked);
}

#[tokio::test]
async fn a_file_of_something_else_is_refused() {
    let dir = Dir::new();
    std::fs::write(dir.file(), "not a database".repeat(1000)).unwrap();
    assert_eq!(open_fault(&dir.file()), Code::Storage);
    assert_eq!(open_fault(Path::new("/nowhere/kvdb.redb")), Code::Storage);
}

fn open_fault(path: &Path) -> Code {
    let clock = Arc::new(SystemClock);
    let opened = Embedded::open(path, Durability::Batched, ByteSize(1 << 20), clock);
    opened.err().unwrap().code()
}

#[tokio::test]
async fn cores_that_work_at_once_lose_nothing() {
    let dir = Dir::new();
    let store = Arc::new(embedded(&dir, Durability::Batched));
    let cores: Vec<_> = (0..4)
        .map(|_| {
            let store = Arc::clone(&store);
            std::thread::spawn(move || {
                for _ in 0..500 {
                    for line in [
                        "incr n",
                        "hincrby h f 1",
                        "rpush l x",
                        "mset a 1 b 2 c 3",
                        "mget c b a",
                    ] {
                        assert!(matches!(store.run(command(line)), Running::Done(Ok(_))));
                    }
                }
            })
        })
        .collect();
    for core in cores {
        core.join().unwrap();
    }
    assert_eq!(ask(&*store, "get n").await, "'2000'");
    assert_eq!(ask(&*store, "hget h f").await, "'2000'");
    assert_eq!(ask(&*store, "llen l").await, "2000");
    run(&*store, command("del n h l a b c")).await.unwrap();
    assert_eq!(store.used(), 0);
}

/// A disk that can be full.
#[derive(Debug)]
struct Disk {
    file: redb::backends::FileBackend,
    full: Arc<AtomicBool>,
}

impl Disk {
    fn check(&self) -> Result<(), std::io::Error> {
        let full = self.full.load(Ordering::Relaxed);
        let error = std::io::Error::from(std::io::ErrorKind::StorageFull);
        if full { Err(error) } else { Ok(()) }
    }
}

impl redb::StorageBackend for Disk {
    fn len(&self) -> Result<u64, std::io::Error> {
        self.file.len()
    }
    fn read(&self, offset: u64, out: &mut [u8]) -> Result<(), std::io::Error> {
        self.file.read(offset, out)
    }
    fn set_len(&self, len: u64) -> Result<(), std::io::Error> {
        self.check()?;
        self.file.set_len(len)
    }
    fn sync_data(&self) -> Result<(), std::io::Error> {
        self.check()?;
        self.file.sync_data()
    }
    fn write(&self, offset: u64, data: &[u8]) -> Result<(), std::io::Error> {
        self.check()?;
        self.file.write(offset, data)
    }
}

#[tokio::test]
async fn a_disk_that_was_full_is_written_to_again() {
    let dir = Dir::new();
    let full = Arc::new(AtomicBool::new(false));
    let opener = {
        let (path, full) = (dir.file(), Arc::clone(&full));
        move || {
            let mut options = std::fs::OpenOptions::new();
            let file = options
                .read(true)
                .write(true)
                .create(true)
                .truncate(false)
                .open(&path);
            let file = redb::backends::FileBackend::new(file.unwrap()).unwrap();
            let full = Arc::clone(&full);
            let opened = redb::Builder::new().create_with_backend(Disk { file, full });
            opened.map_err(|error| Fault::new(Code::Storage, error.to_string()))
        }
    };
    let file = File::by(Box::new(opener)).unwrap();
    let clock = Arc::new(SystemClock);
    let store = Embedded::on(file, Durability::Always, ByteSize(1 << 20), clock).unwrap();
    assert_eq!(ask(&store, "set before 1").await, "OK");
    full.store(true, Ordering::Relaxed);
    assert_eq!(ask(&store, "set during 2").await, "KL-X100");
    assert_eq!(ask(&store, "get during").await, "'2'");
    assert_eq!(ask(&store, "del before").await, "KL-X100");
    full.store(false, Ordering::Relaxed);
    assert_eq!(ask(&store, "set after 3").await, "OK");
    drop(store);
    let store = embedded(&dir, Durability::Batched);
    assert_eq!(
        ask(&store, "mget before during after").await,
        "[nil '2' '3']"
    );
}
