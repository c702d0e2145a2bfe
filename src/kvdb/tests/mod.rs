//! One suite for both stores, and what each store promises on top of it.

mod durable;
mod outage;
mod peer;
mod random;
mod suite;

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use bytes::Bytes;

use crate::base::{ByteSize, Code, Fault, SystemClock};
use crate::contract::{Command, KeyValue, KvReply, Running};
use crate::kvdb::Durability;
use crate::kvdb::command::TABLE;
use crate::kvdb::embedded::Embedded;
use crate::tasks::Tasks;

/// A directory that goes away with the test.
struct Dir(PathBuf);

impl Dir {
    fn new() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("kladka-kvdb-{}-{number}", std::process::id());
        let path = std::env::temp_dir().join(name);
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    fn file(&self) -> PathBuf {
        self.0.join("kvdb.redb")
    }
}

impl Drop for Dir {
    fn drop(&mut self) {
        drop(std::fs::remove_dir_all(&self.0));
    }
}

fn embedded(dir: &Dir, durability: Durability) -> Embedded {
    let memory = ByteSize(64 << 20);
    Embedded::open(&dir.file(), durability, memory, Arc::new(SystemClock)).unwrap()
}

/// Makes a command of a line: words apart by blanks, `''` for an empty one.
fn command(line: &str) -> Command {
    let mut words = line.split_whitespace();
    let name = words.next().unwrap();
    let known = TABLE.iter().find(|rule| rule.name == name);
    let plain = |word: &str| {
        Bytes::from(if word == "''" {
            String::new()
        } else {
            word.to_owned()
        })
    };
    Command {
        name: known.map_or("flushall", |rule| rule.name),
        args: words.map(plain).collect(),
    }
}

async fn run(store: &dyn KeyValue, command: Command) -> Result<KvReply, Fault> {
    match store.run(command) {
        Running::Done(reply) => reply,
        Running::Later(reply) => reply.await,
    }
}

/// Runs a line and writes its reply: `nil`, `OK`, `3`, `'text'`, `['a', nil]` or the code of a
/// fault.
async fn ask(store: &dyn KeyValue, line: &str) -> String {
    let command = command(line);
    let name = command.name;
    match run(store, command).await {
        Ok(reply) => shown(&ordered(name, reply)),
        Err(fault) => fault.code().to_string(),
    }
}

fn shown(reply: &KvReply) -> String {
    match reply {
        KvReply::Nil => "nil".into(),
        KvReply::Ok => "OK".into(),
        KvReply::Int(number) => number.to_string(),
        KvReply::Data(bytes) => format!("'{}'", String::from_utf8_lossy(bytes)),
        KvReply::List(parts) => {
            let parts: Vec<_> = parts.iter().map(shown).collect();
            format!("[{}]", parts.join(" "))
        }
    }
}

/// Sorts what has no order: members, fields with their values, keys found.
fn ordered(name: &str, reply: KvReply) -> KvReply {
    let KvReply::List(mut parts) = reply else {
        return reply;
    };
    match name {
        "smembers" => parts.sort_by_key(shown),
        "hgetall" => {
            let mut pairs: Vec<_> = parts.chunks(2).map(<[KvReply]>::to_vec).collect();
            pairs.sort_by_key(|pair| shown(&pair[0]));
            parts = pairs.concat();
        }
        "scan" => {
            let keys = parts.pop().unwrap();
            parts.push(ordered("smembers", keys));
        }
        _ => {}
    }
    KvReply::List(parts)
}

/// Asks until the reply is as wanted.
async fn until(store: &dyn KeyValue, line: &str, wanted: &str) {
    let asking = async {
        while ask(store, line).await != wanted {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    let limit = Duration::from_secs(30);
    let done = tokio::time::timeout(limit, asking).await;
    assert!(done.is_ok(), "{line} never gave {wanted}");
}

/// Walks all keys that fit a pattern.
async fn keys(store: &dyn KeyValue, pattern: &str, count: usize) -> Vec<String> {
    let mut found = Vec::new();
    let mut cursor = "0".to_owned();
    loop {
        let line = format!("scan {cursor} match {pattern} count {count}");
        let Ok(KvReply::List(page)) = run(store, command(&line)).await else {
            panic!("{line}");
        };
        let [KvReply::Data(next), KvReply::List(keys)] = page.as_slice() else {
            panic!("{page:?}");
        };
        found.extend(keys.iter().map(shown));
        cursor = String::from_utf8(next.to_vec()).unwrap();
        if cursor == "0" {
            found.sort();
            return found;
        }
    }
}

#[tokio::test]
async fn the_address_chooses_the_store() {
    let dir = Dir::new();
    let peer = peer::Peer::start();
    let open = |url: &str| super::open(url, &dir.0, Durability::Batched, &Tasks::default());
    for url in [
        "embedded",
        "embedded:?memory=2MiB",
        "embedded://?memory=1GiB",
        &peer.url(),
    ] {
        let store = open(url).unwrap_or_else(|fault| panic!("{url}: {fault:?}"));
        assert_eq!(ask(&*store, "set k v").await, "OK", "{url}");
    }
    for url in [
        "embedde",
        "embedded:?memory=many",
        "embedded/else",
        "memcached://host",
        "",
    ] {
        let fault = open(url).err().unwrap_or_else(|| panic!("{url}"));
        assert_eq!(fault.code(), Code::ConfigConstraint, "{url}");
    }
}
