//! The contract as tables: commands, and what each must answer.

use std::sync::Arc;

use crate::base::SystemClock;
use crate::contract::KeyValue;
use crate::kvdb::command::TABLE;
use crate::kvdb::redis::Redis;
use crate::kvdb::{Durability, KEY_LIMIT, VALUE_LIMIT};
use crate::tasks::Tasks;

use super::peer::Peer;
use super::{Dir, ask, command, embedded, keys, run, until};

type Case = (&'static str, &'static [(&'static str, &'static str)]);

const ARITY: &str = "KL-K100";
const SYNTAX: &str = "KL-K100";
const NUMBER: &str = "KL-K100";
const TYPE: &str = "KL-K101";

/// Each case begins with an empty store.
const CASES: &[Case] = &[
    (
        "get and set",
        &[
            ("get k", "nil"),
            ("set k v", "OK"),
            ("get k", "'v'"),
            ("set k ''", "OK"),
            ("get k", "''"),
            ("get", ARITY),
            ("get a b", ARITY),
            ("set k", ARITY),
            ("flushall", "KL-K100"),
        ],
    ),
    (
        "set with conditions",
        &[
            ("set k 1 xx", "nil"),
            ("get k", "nil"),
            ("set k 1 nx", "OK"),
            ("set k 2 NX", "nil"),
            ("get k", "'1'"),
            ("set k 3 xx get", "'1'"),
            ("set n 1 get", "nil"),
            ("set n 2 nx get", "'1'"),
            ("get n", "'1'"),
            ("set k 1 nx xx", SYNTAX),
            ("set k 1 wat", SYNTAX),
        ],
    ),
    (
        "set with expiry",
        &[
            ("set k v ex 100", "OK"),
            ("ttl k", "100"),
            ("set k w keepttl", "OK"),
            ("ttl k", "100"),
            ("set k v", "OK"),
            ("ttl k", "-1"),
            ("set k v ex 0", "KL-K100"),
            ("set k v ex -1", "KL-K100"),
            ("set k v ex x", NUMBER),
            ("set k v ex", SYNTAX),
            ("set k v ex 1 px 1", SYNTAX),
            ("set k v ex 1 keepttl", SYNTAX),
            ("set k v keepttl ex 1", SYNTAX),
            ("set k v px 9223372036854775807", "KL-K100"),
            ("set k v exat 1", "OK"),
            ("get k", "nil"),
            ("del k", "0"),
        ],
    ),
    (
        "set replaces any kind",
        &[
            ("rpush k a", "1"),
            ("set k v", "OK"),
            ("get k", "'v'"),
            ("rpush l a", "1"),
            ("set l v get", TYPE),
        ],
    ),
    (
        "del and exists",
        &[
            ("mset a 1 b 2", "OK"),
            ("exists a b a c", "3"),
            ("del a a c", "1"),
            ("exists a", "0"),
            ("del", ARITY),
            ("exists", ARITY),
        ],
    ),
    (
        "expire",
        &[
            ("expire k 10", "0"),
            ("set k v", "OK"),
            ("expire k 100", "1"),
            ("ttl k", "100"),
            ("expire k 50 gt", "0"),
            ("expire k 50 lt", "1"),
            ("expire k 60 nx", "0"),
            ("persist k", "1"),
            ("persist k", "0"),
            ("ttl k", "-1"),
            ("expire k 60 xx", "0"),
            ("expire k 60 gt", "0"),
            ("expire k 60 nx", "1"),
            ("expire k 1 nx xx", "KL-K100"),
            ("expire k 1 gt lt", "KL-K100"),
            ("expire k 1 wat", "KL-K100"),
            ("expire k x", NUMBER),
            ("expire k 9223372036854775807", "KL-K100"),
            ("expire k -1", "1"),
            ("exists k", "0"),
            ("ttl k", "-2"),
            ("pttl k", "-2"),
            ("expire k", ARITY),
        ],
    ),
    (
        "counters",
        &[
            ("incr n", "1"),
            ("incr n", "2"),
            ("decr n", "1"),
            ("incrby n 10", "11"),
            ("decrby n 1", "10"),
            ("get n", "'10'"),
            ("set n 9223372036854775807", "OK"),
            ("incr n", "KL-K100"),
            ("get n", "'9223372036854775807'"),
            ("decrby n -9223372036854775808", "KL-K100"),
            ("incrby n x", NUMBER),
            ("set n 1.5", "OK"),
            ("incr n", NUMBER),
            ("set n ''", "OK"),
            ("incr n", NUMBER),
            ("rpush l a", "1"),
            ("incr l", TYPE),
            ("incr", ARITY),
            ("set t 1 ex 100", "OK"),
            ("incr t", "2"),
            ("ttl t", "100"),
        ],
    ),
    (
        "mget and mset",
        &[
            ("mset a 1 b 2 a 3", "OK"),
            ("mget a b c a", "['3' '2' nil '3']"),
            ("rpush l x", "1"),
            ("mget l", "[nil]"),
            ("mset a", ARITY),
            ("mset a 1 b", ARITY),
            ("mget", ARITY),
            ("set t v ex 9", "OK"),
            ("mset t w", "OK"),
            ("ttl t", "-1"),
        ],
    ),
    (
        "hashes",
        &[
            ("hget h f", "nil"),
            ("hset h f 1 g 2", "2"),
            ("hset h f 3 i 4", "1"),
            ("hget h f", "'3'"),
            ("hget h x", "nil"),
            ("hgetall h", "['f' '3' 'g' '2' 'i' '4']"),
            ("hdel h f x f", "1"),
            ("hdel h g i", "2"),
            ("exists h", "0"),
            ("hgetall h", "[]"),
            ("hset h f", ARITY),
            ("hset h f 1 g", ARITY),
            ("hget h", ARITY),
            ("hdel h", ARITY),
            ("set s v", "OK"),
            ("hset s f v", TYPE),
            ("hget s f", TYPE),
            ("hgetall s", TYPE),
            ("hdel s f", TYPE),
            ("hincrby h n 5", "5"),
            ("hincrby h n -7", "-2"),
            ("hset h n x", "0"),
            ("hincrby h n 1", NUMBER),
            ("hincrby h n y", NUMBER),
        ],
    ),
    (
        "lists",
        &[
            ("rpush l a b", "2"),
            ("lpush l c d", "4"),
            ("lrange l 0 -1", "['d' 'c' 'a' 'b']"),
            ("llen l", "4"),
            ("lrange l 1 2", "['c' 'a']"),
            ("lrange l -2 99", "['a' 'b']"),
            ("lrange l 3 1", "[]"),
            ("lrange l -99 0", "['d']"),
            ("lrange l 9 10", "[]"),
            ("lpop l", "'d'"),
            ("rpop l", "'b'"),
            ("lpop l 0", "[]"),
            ("lpop l 9", "['c' 'a']"),
            ("exists l", "0"),
            ("lpop l", "nil"),
            ("rpop l 2", "nil"),
            ("llen l", "0"),
            ("lrange l 0 -1", "[]"),
            ("lpop l -1", "KL-K100"),
            ("lpop l x", NUMBER),
            ("lrange l a 1", NUMBER),
            ("lrange l 0", ARITY),
            ("rpush l", ARITY),
            ("lpop l 1 2", ARITY),
            ("set s v", "OK"),
            ("rpush s a", TYPE),
            ("lpop s", TYPE),
            ("lrange s 0 1", TYPE),
            ("llen s", TYPE),
        ],
    ),
    (
        "sets",
        &[
            ("sadd s b a b", "2"),
            ("sadd s a c", "1"),
            ("smembers s", "['a' 'b' 'c']"),
            ("sismember s a", "1"),
            ("sismember s x", "0"),
            ("scard s", "3"),
            ("srem s a x a", "1"),
            ("srem s b c", "2"),
            ("exists s", "0"),
            ("smembers s", "[]"),
            ("scard s", "0"),
            ("sadd s", ARITY),
            ("srem s", ARITY),
            ("smembers", ARITY),
            ("set t v", "OK"),
            ("sadd t a", TYPE),
            ("srem t a", TYPE),
            ("smembers t", TYPE),
        ],
    ),
    (
        "sorted sets",
        &[
            ("zadd z 1 a 2.5 b", "2"),
            ("zadd z 1 c 3 a", "1"),
            ("zrange z 0 -1", "['c' 'b' 'a']"),
            ("zrange z 0 -1 withscores", "['c' '1' 'b' '2.5' 'a' '3']"),
            ("zrange z 0 0 rev", "['a']"),
            ("zrange z 5 9", "[]"),
            ("zscore z b", "'2.5'"),
            ("zscore z x", "nil"),
            ("zrem z b x", "1"),
            ("zrem z a c", "2"),
            ("exists z", "0"),
            ("zrange z 0 -1", "[]"),
            ("zadd z 0.1 m", "1"),
            ("zscore z m", "'0.1'"),
            ("zadd z inf i -inf j 1e20 k", "3"),
            ("zscore z i", "'inf'"),
            ("zscore z k", "'1e20'"),
            ("zadd z x m", NUMBER),
            ("zadd z nan m", NUMBER),
            ("zadd z 1", ARITY),
            ("zadd z 1 a 2", SYNTAX),
            ("zrange z 0", ARITY),
            ("zrange z a b", NUMBER),
            ("set s v", "OK"),
            ("zadd s 1 a", TYPE),
            ("zrange s 0 1", TYPE),
            ("zrem s a", TYPE),
        ],
    ),
    (
        "zadd with options",
        &[
            ("zadd z xx 1 a", "0"),
            ("exists z", "0"),
            ("zadd z nx 1 a", "1"),
            ("zadd z nx 2 a", "0"),
            ("zadd z gt ch 0 a", "0"),
            ("zadd z gt ch 2 a", "1"),
            ("zadd z lt ch 3 a", "0"),
            ("zadd z ch 1 a 1 b", "2"),
            ("zadd z incr 2.5 a", "'3.5'"),
            ("zadd z nx incr 1 a", "nil"),
            ("zadd z xx incr 1 x", "nil"),
            ("zadd z nx xx 1 a", SYNTAX),
            ("zadd z gt lt 1 a", SYNTAX),
            ("zadd z nx gt 1 a", SYNTAX),
            ("zadd z incr 1 a 2 b", SYNTAX),
            ("zadd z inf i", "1"),
            ("zadd z incr -inf i", "KL-K100"),
            ("zscore z i", "'inf'"),
        ],
    ),
    (
        "zrange by score",
        &[
            ("zadd z 1 a 2 b 3 c 4 d", "4"),
            ("zrange z 2 3 byscore", "['b' 'c']"),
            ("zrange z (2 +inf byscore", "['c' 'd']"),
            ("zrange z +inf -inf byscore rev", "['d' 'c' 'b' 'a']"),
            ("zrange z -inf +inf byscore limit 1 2", "['b' 'c']"),
            (
                "zrange z -inf +inf byscore limit 1 -1 withscores",
                "['b' '2' 'c' '3' 'd' '4']",
            ),
            ("zrange z -inf +inf byscore limit -1 2", "[]"),
            ("zrange z 3 2 byscore", "[]"),
            ("zrange z x 2 byscore", "KL-K100"),
            ("zrange z 0 -1 limit 0 1", SYNTAX),
            ("zrange z 0 -1 limit 0", SYNTAX),
            ("zrange z 0 -1 wat", SYNTAX),
            ("zrange z 0 -1 rev rev", SYNTAX),
            ("zrange none -inf +inf byscore", "[]"),
        ],
    ),
    (
        "scan",
        &[
            ("scan 0 count 1000", "['0' []]"),
            ("scan x", "KL-K100"),
            ("scan 0 match", SYNTAX),
            ("scan 0 count 0", SYNTAX),
            ("scan 0 count x", NUMBER),
            ("scan 0 wat 1", SYNTAX),
            ("scan", ARITY),
        ],
    ),
];

async fn keeps_the_contract(store: &dyn KeyValue) {
    for (case, steps) in CASES {
        for key in keys(store, "*", 100).await {
            ask(store, &format!("del {}", key.trim_matches('\''))).await;
        }
        for (line, wanted) in *steps {
            assert_eq!(ask(store, line).await, *wanted, "{case}: {line}");
        }
    }
    covers_every_command();
    takes_any_bytes(store).await;
    refuses_what_is_too_large(store).await;
    lets_keys_expire(store).await;
    walks_all_keys(store).await;
}

fn covers_every_command() {
    let lines: Vec<_> = CASES
        .iter()
        .flat_map(|(_, steps)| *steps)
        .map(|(line, _)| *line)
        .collect();
    for rule in TABLE.iter().filter(|rule| rule.name != "pexpire") {
        let used = lines
            .iter()
            .any(|line| line.split(' ').next() == Some(rule.name));
        assert!(used, "{} is in no case", rule.name);
    }
}

async fn takes_any_bytes(store: &dyn KeyValue) {
    let odd = bytes::Bytes::from_static(b"a b\r\n\0\xff'*");
    let mut set = command("set k v");
    set.args = vec![odd.clone(), odd.clone()];
    let mut get = command("get k");
    get.args = vec![odd.clone()];
    run(store, set).await.unwrap();
    assert_eq!(
        run(store, get).await.unwrap(),
        crate::contract::KvReply::Data(odd)
    );
}

async fn refuses_what_is_too_large(store: &dyn KeyValue) {
    let (key, value) = ("k".repeat(KEY_LIMIT), "v".repeat(VALUE_LIMIT));
    assert_eq!(ask(store, &format!("set {key} {value}")).await, "OK");
    for line in [
        format!("set {key}k v"),
        format!("set k {value}v"),
        format!("hset h f {value}v"),
        format!("mset a 1 {key}k 2"),
        format!("mget a {key}k"),
        format!("rpush l {value}v"),
        format!("scan 0 match {key}k{value}"),
    ] {
        assert_eq!(
            ask(store, &line).await,
            "KL-K102",
            "{}…",
            line.split_at(20).0
        );
    }
}

async fn lets_keys_expire(store: &dyn KeyValue) {
    ask(store, "set short v px 30").await;
    ask(store, "rpush short2 v").await;
    assert_eq!(ask(store, "pexpire short2 30").await, "1");
    until(store, "exists short short2", "0").await;
    assert_eq!(ask(store, "ttl short").await, "-2");
    assert_eq!(ask(store, "rpush short2 w").await, "1");
    assert_eq!(ask(store, "ttl short2").await, "-1");
}

async fn walks_all_keys(store: &dyn KeyValue) {
    let mut names: Vec<_> = (0..500).map(|number| format!("'walk:{number}'")).collect();
    names.sort();
    for name in &names {
        ask(store, &format!("set {} v", name.trim_matches('\''))).await;
    }
    for count in [1, 7, 1000] {
        let mut found = keys(store, "walk:*", count).await;
        found.dedup();
        assert_eq!(found, names, "count {count}");
    }
    assert_eq!(keys(store, "walk:[1-2]?", 10).await.len(), 20);
}

#[tokio::test]
async fn the_store_of_a_test_keeps_the_contract() {
    keeps_the_contract(&*crate::kvdb::in_memory(Arc::new(SystemClock))).await;
}

#[tokio::test]
async fn the_embedded_store_keeps_the_contract() {
    let dir = Dir::new();
    keeps_the_contract(&embedded(&dir, Durability::Batched)).await;
}

#[tokio::test]
async fn the_embedded_store_that_always_saves_keeps_the_contract() {
    let dir = Dir::new();
    keeps_the_contract(&embedded(&dir, Durability::Always)).await;
}

#[tokio::test]
async fn redis_keeps_the_contract() {
    let peer = Peer::start();
    keeps_the_contract(&Redis::open(&peer.url(), &Tasks::default()).unwrap()).await;
}

#[tokio::test]
async fn redis_behind_a_sentinel_keeps_the_contract() {
    let master = Peer::start();
    let sentinel = Peer::sentinel(master.port);
    let url = format!("redis+sentinel://127.0.0.1:{}/mymaster/3", sentinel.port);
    keeps_the_contract(&Redis::open(&url, &Tasks::default()).unwrap()).await;
    assert!(master.cli(&["info", "keyspace"]).contains("db3:"));
}

#[tokio::test]
async fn a_redis_cluster_keeps_the_contract() {
    let nodes = Peer::cluster();
    let url = format!(
        "redis+cluster://127.0.0.1:{},127.0.0.1:{}",
        nodes[0].port, nodes[1].port
    );
    let store = Redis::open(&url, &Tasks::default()).unwrap();
    until(&store, "set ready 1", "OK").await;
    keeps_the_contract(&store).await;
    for node in &nodes {
        assert_ne!(node.cli(&["dbsize"]).trim(), "0");
    }
}
