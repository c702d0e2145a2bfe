//! Random command sequences on both stores: equal replies, whatever the order.

use proptest::prelude::*;
use proptest::test_runner::TestRunner;

use crate::contract::KeyValue;
use crate::kvdb::Durability;
use crate::kvdb::command::TABLE;
use crate::kvdb::redis::Redis;
use crate::tasks::Tasks;

use super::peer::Peer;
use super::{Dir, ask, embedded};

/// Commands with gaps: K key, V value, N integer, F score, B bound of scores, M member, T time to
/// live, Z one that is over or wrong.
const SHAPES: &[&str] = &[
    "get K",
    "set K V",
    "set K V nx",
    "set K V xx get",
    "set K V keepttl",
    "set K V ex T",
    "set K V px T get",
    "set K V nx ex T",
    "set K V exat N",
    "del K",
    "del K K K",
    "exists K K",
    "expire K T",
    "expire K T nx",
    "expire K T xx",
    "expire K T gt",
    "expire K T lt",
    "pexpire K T",
    "pexpire K Z",
    "ttl K",
    "pttl K",
    "persist K",
    "incr K",
    "decr K",
    "incrby K N",
    "decrby K N",
    "mget K K K",
    "mset K V K V",
    "hset K M V",
    "hset K M V M N",
    "hget K M",
    "hgetall K",
    "hdel K M M",
    "hincrby K M N",
    "lpush K V V",
    "rpush K V",
    "lpop K",
    "rpop K",
    "lpop K N",
    "rpop K N",
    "lrange K N N",
    "llen K",
    "sadd K M M",
    "srem K M",
    "smembers K",
    "sismember K M",
    "scard K",
    "zadd K F M",
    "zadd K F M F M",
    "zadd K nx F M",
    "zadd K xx ch F M",
    "zadd K gt F M",
    "zadd K lt ch F M F M",
    "zadd K incr F M",
    "zadd K xx incr F M",
    "zrem K M",
    "zscore K M",
    "zrange K N N",
    "zrange K N N rev withscores",
    "zrange K B B byscore",
    "zrange K B B byscore rev withscores",
    "zrange K B B byscore limit N N",
    "zrange K N N limit N N",
    "scan 0 count 1000",
    "scan 0 match K count 1000",
    "scan 0 type hash count 1000",
];

const VALUES: &[&str] = &["v", "''", "1", "-5", "3.5", "hello", "9223372036854775806"];
const INTEGERS: &[&str] = &[
    "0",
    "1",
    "2",
    "-1",
    "-2",
    "5",
    "x",
    "1.5",
    "''",
    "9223372036854775807",
    "-9223372036854775808",
];
const SCORES: &[&str] = &[
    "0", "1", "1.5", "-2", "inf", "-inf", "nan", "x", "1e3", "0.1", "-0", "3",
];
const BOUNDS: &[&str] = &["-inf", "+inf", "0", "1", "(1", "(1.5", "3", "x", "(-2"];

fn fill(shape: &str, seeds: &[u16]) -> String {
    let mut seeds = seeds.iter().cycle();
    let mut word = |gap: &str| {
        let choices: &[&str] = match gap {
            "K" => &["a", "b", "c", "d"],
            "M" => &["x", "y", "z"],
            "V" => VALUES,
            "N" => INTEGERS,
            "F" => SCORES,
            "B" => BOUNDS,
            "Z" => &["0", "-1", "x", "9223372036854775807", "1.5"],
            // Far apart, so that a few milliseconds between the stores change nothing.
            "T" => return (100_000 + 100 * u64::from(*seeds.next().unwrap())).to_string(),
            plain => return plain.to_owned(),
        };
        let seed = usize::from(*seeds.next().unwrap());
        choices[seed % choices.len()].to_owned()
    };
    shape
        .split(' ')
        .map(&mut word)
        .collect::<Vec<_>>()
        .join(" ")
}

fn sequences() -> impl Strategy<Value = Vec<String>> {
    let line = (0..SHAPES.len(), prop::collection::vec(any::<u16>(), 9));
    let line = line.prop_map(|(shape, seeds)| fill(SHAPES[shape], &seeds));
    prop::collection::vec(line, 1..60)
}

/// Tells whether two replies are the same, give or take what passes between two calls.
fn same(line: &str, one: &str, other: &str) -> bool {
    let slack = match line.split(' ').next() {
        Some("ttl") => 2,
        Some("pttl") => 2000,
        _ => 0,
    };
    match (slack, one.parse::<i64>(), other.parse::<i64>()) {
        (1.., Ok(one), Ok(other)) if one > 0 && other > 0 => (one - other).abs() <= slack,
        _ => one == other,
    }
}

#[test]
fn random_sequences_get_the_same_replies_from_both_stores() {
    let (peer, dir) = (Peer::start(), Dir::new());
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let redis = Redis::open(&peer.url(), &Tasks::default()).unwrap();
    let own = embedded(&dir, Durability::Batched);
    let config = ProptestConfig {
        cases: 300,
        failure_persistence: None,
        ..ProptestConfig::default()
    };
    let both: [&dyn KeyValue; 2] = [&own, &redis];
    let outcome = TestRunner::new(config).run(&sequences(), |lines| {
        runtime.block_on(async {
            for store in both {
                ask(store, "del a b c d").await;
            }
            for line in &lines {
                let (one, other) = (ask(&own, line).await, ask(&redis, line).await);
                prop_assert!(
                    same(line, &one, &other),
                    "{line}: embedded {one}, redis {other}"
                );
            }
            Ok(())
        })
    });
    outcome.unwrap_or_else(|error| panic!("{error}"));
}

#[test]
fn every_command_takes_part() {
    for rule in TABLE {
        let used = SHAPES
            .iter()
            .any(|shape| shape.split(' ').next() == Some(rule.name));
        assert!(used, "{} is in no shape", rule.name);
    }
}
