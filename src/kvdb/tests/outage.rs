//! Redis goes away and comes back.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use crate::contract::KeyValue;
use crate::kvdb::redis::Redis;
use crate::tasks::Tasks;

use super::peer::Peer;
use super::{ask, until};

const DOWN: &str = "KL-K201";

/// Asks, but not for longer than a call may take on a busy machine.
async fn asked(store: &dyn KeyValue, line: &str) -> String {
    let asking = tokio::time::timeout(Duration::from_millis(1500), ask(store, line));
    asking.await.unwrap_or_else(|_elapsed| "hangs".to_owned())
}

fn store(peer: &Peer) -> Redis {
    Redis::open(&peer.url(), &Tasks::default()).unwrap()
}

#[tokio::test]
async fn a_killed_redis_is_a_fault_and_its_return_is_noticed() {
    let mut peer = Peer::start();
    let store = store(&peer);
    assert_eq!(ask(&store, "set k v").await, "OK");
    peer.kill();
    assert_eq!(asked(&store, "get k").await, DOWN);
    assert_eq!(asked(&store, "set k v").await, DOWN);
    peer.restart();
    until(&store, "set k v", "OK").await;
}

#[tokio::test]
async fn a_redis_that_hangs_is_a_fault_for_everyone_who_asks() {
    let peer = Peer::start();
    let store = store(&peer);
    assert_eq!(ask(&store, "set k v").await, "OK");
    peer.signal("-STOP");
    let all = (0..50).map(|_| asked(&store, "get k"));
    for reply in futures_util::future::join_all(all).await {
        assert_eq!(reply, DOWN);
    }
    assert_eq!(asked(&store, "set k v").await, DOWN);
    peer.signal("-CONT");
    until(&store, "get k", "'v'").await;
}

#[tokio::test]
async fn while_it_is_down_calls_fail_at_once() {
    let mut peer = Peer::start();
    let store = store(&peer);
    peer.kill();
    assert_eq!(asked(&store, "get k").await, DOWN);
    let since = Instant::now();
    for _ in 0..1000 {
        assert_eq!(asked(&store, "get k").await, DOWN);
    }
    assert!(
        since.elapsed() < Duration::from_secs(1),
        "{:?}",
        since.elapsed()
    );
}

#[tokio::test]
async fn a_redis_that_starts_later_is_found() {
    let mut peer = Peer::start();
    peer.kill();
    let store = store(&peer);
    assert_eq!(asked(&store, "get k").await, DOWN);
    peer.restart();
    until(&store, "get k", "nil").await;
}

#[tokio::test]
async fn reads_survive_a_connection_that_was_cut() {
    let peer = Peer::start();
    let store = store(&peer);
    assert_eq!(ask(&store, "set k v").await, "OK");
    for _ in 0..20 {
        peer.cli(&["client", "kill", "type", "normal", "skipme", "yes"]);
        assert_eq!(asked(&store, "get k").await, "'v'");
    }
}

#[tokio::test]
async fn a_full_redis_says_so() {
    let peer = Peer::with(&["--maxmemory", "1"]);
    assert_eq!(ask(&store(&peer), "set k v").await, "KL-K202");
}

#[test]
fn each_core_has_one_connection_and_the_control_plane_another() {
    let peer = Peer::start();
    let store = store(&peer);
    let fifty = async || {
        let all = (0..50).map(|_| ask(&store, "incr n"));
        assert_eq!(futures_util::future::join_all(all).await.len(), 50);
    };
    let core = || {
        let mut builder = tokio::runtime::Builder::new_current_thread();
        let options = tokio::runtime::LocalOptions::default();
        builder.enable_all().build_local(options).unwrap()
    };
    let cores = [core(), core()];
    let mut builder = tokio::runtime::Builder::new_multi_thread();
    let control = builder.worker_threads(2).enable_all().build().unwrap();
    for _ in 0..2 {
        for core in &cores {
            core.block_on(fifty());
        }
        control.block_on(fifty());
    }
    let clients = peer.cli(&["client", "list", "type", "normal"]);
    let ours = clients
        .lines()
        .filter(|line| !line.contains("cmd=client"))
        .count();
    assert_eq!(ours, 3, "{clients}");
    assert_eq!(peer.cli(&["get", "n"]).trim(), "300");
}

#[tokio::test]
async fn a_stopped_server_does_not_wait_for_redis() {
    let mut peer = Peer::start();
    peer.kill();
    let tasks = Tasks::default();
    let store = Redis::open(&peer.url(), &tasks).unwrap();
    assert_eq!(asked(&store, "get k").await, DOWN);
    let since = Instant::now();
    tasks.shutdown(Duration::from_secs(30)).await;
    assert!(since.elapsed() < Duration::from_secs(5));
}

/// Accepts connections, closes them at once and counts them.
fn refusing() -> (u16, Arc<AtomicUsize>) {
    let listener = std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let port = listener.local_addr().unwrap().port();
    let count = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&count);
    std::thread::spawn(move || {
        for _connection in listener.incoming() {
            counted.fetch_add(1, Ordering::Relaxed);
        }
    });
    (port, count)
}

#[tokio::test]
async fn many_calls_make_few_attempts_to_connect() {
    let (port, attempts) = refusing();
    let store = Redis::open(&format!("redis://127.0.0.1:{port}"), &Tasks::default()).unwrap();
    let since = Instant::now();
    let mut calls = 0;
    while since.elapsed() < Duration::from_millis(400) {
        assert_eq!(asked(&store, "get k").await, DOWN);
        tokio::task::yield_now().await;
        calls += 1;
    }
    // Pauses of at least 25, 50, 100, 200 ms.
    let attempts = attempts.load(Ordering::Relaxed);
    assert!(
        (2..=6).contains(&attempts) && calls > 100,
        "{attempts} attempts, {calls} calls"
    );
}

#[tokio::test]
async fn the_new_master_is_found_after_a_failover() {
    let mut master = Peer::start();
    let replica = Peer::with(&["--replicaof", "127.0.0.1", &master.port.to_string()]);
    let linked = async {
        while !replica
            .cli(&["info", "replication"])
            .contains("master_link_status:up")
        {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(10), linked)
        .await
        .unwrap();
    let sentinel = Peer::sentinel(master.port);
    let url = format!("redis+sentinel://127.0.0.1:{}/mymaster", sentinel.port);
    let store = Redis::open(&url, &Tasks::default()).unwrap();
    assert_eq!(ask(&store, "set k old").await, "OK");
    master.kill();
    assert_eq!(asked(&store, "set k new").await, DOWN);
    until(&store, "set k new", "OK").await;
    assert_eq!(replica.cli(&["get", "k"]).trim(), "new");
}

#[tokio::test]
async fn a_lost_cluster_node_is_a_fault_and_its_return_is_noticed() {
    let mut nodes = Peer::cluster();
    let url = format!("redis+cluster://127.0.0.1:{}", nodes[0].port);
    let store = Redis::open(&url, &Tasks::default()).unwrap();
    let keys: Vec<_> = (0..12).map(|number| format!("set k{number} v")).collect();
    for key in &keys {
        until(&store, key, "OK").await;
    }
    nodes[0].kill();
    let mut failed = 0;
    for key in &keys {
        let reply = asked(&store, key).await;
        assert!(reply == "OK" || reply == DOWN, "{key}: {reply}");
        failed += usize::from(reply == DOWN);
    }
    assert!(failed > 0);
    nodes[0].restart();
    for key in &keys {
        until(&store, key, "OK").await;
    }
}
