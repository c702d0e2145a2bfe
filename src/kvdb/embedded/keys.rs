//! Commands on keys of any kind, and those that touch several keys at once.
#![expect(clippy::unnecessary_wraps, reason = "all handlers have one type")]

use bytes::Bytes;

use crate::base::Fault;
use crate::contract::KvReply;
use crate::kvdb::embedded::data::Data;
use crate::kvdb::embedded::glob;
use crate::kvdb::embedded::op::{Op, Reply, count, list, truth};
use crate::kvdb::embedded::shard::Shard;
use crate::kvdb::embedded::space::Space;
use crate::kvdb::{KEY_LIMIT, fault, number};

pub(in crate::kvdb) fn mget(space: &Space, op: &Op<'_>) -> Reply {
    let shards = space.read_all(op.args.iter());
    let one = |key: &Bytes| match shards.of(key).and_then(|shard| shard.get(key, op)) {
        Some(entry) => match &entry.data {
            Data::Text(text) => KvReply::Data(text.clone()),
            _ => KvReply::Nil,
        },
        None => KvReply::Nil,
    };
    Ok(KvReply::List(op.args.iter().map(one).collect()))
}

pub(in crate::kvdb) fn mset(space: &Space, op: &Op<'_>) -> Reply {
    let pairs = op.pairs(0)?;
    let mut shards = space.write_all(op.args.iter().step_by(2));
    for (key, value) in pairs {
        shards.of(key, |shard| shard.put(key, Data::Text(value.clone()), 0));
    }
    Ok(KvReply::Ok)
}

pub(in crate::kvdb) fn del(space: &Space, op: &Op<'_>) -> Reply {
    let mut shards = space.write_all(op.args.iter());
    let mut gone = 0;
    for key in op.args {
        shards.of(key, |shard| {
            shard.drop_expired(key, op);
            gone += usize::from(shard.remove(key));
        });
    }
    Ok(count(gone))
}

pub(in crate::kvdb) fn exists(space: &Space, op: &Op<'_>) -> Reply {
    let shards = space.read_all(op.args.iter());
    let there = |key: &&Bytes| {
        shards
            .of(key)
            .is_some_and(|shard| shard.get(key, op).is_some())
    };
    Ok(count(op.args.iter().filter(there).count()))
}

pub(in crate::kvdb) fn expire(shard: &mut Shard, op: &Op<'_>) -> Reply {
    set_expiry(shard, op, 1000)
}

pub(in crate::kvdb) fn pexpire(shard: &mut Shard, op: &Op<'_>) -> Reply {
    set_expiry(shard, op, 1)
}

fn set_expiry(shard: &mut Shard, op: &Op<'_>, factor: i64) -> Reply {
    let key = op.key()?;
    let options = expire_options(op)?;
    let now = i64::try_from(op.now()).unwrap_or(i64::MAX);
    let moment = op
        .int(1)?
        .checked_mul(factor)
        .and_then(|ms| ms.checked_add(now));
    let moment = moment.ok_or_else(|| fault::command(op.name, "invalid expire time"))?;
    shard.drop_expired(key, op);
    let Some(entry) = shard.get(key, op) else {
        return Ok(truth(false));
    };
    let current = i64::try_from(entry.expires).ok().filter(|at| *at != 0);
    if !options.allow(current, moment) {
        return Ok(truth(false));
    }
    match u64::try_from(moment) {
        Ok(at) if moment > now => shard.set_expiry(key, at),
        // Its time is over already.
        _ => drop(shard.remove(key)),
    }
    Ok(truth(true))
}

/// The options of `expire`.
#[derive(Default)]
struct ExpireOptions {
    only_without: bool,
    only_with: bool,
    later: bool,
    sooner: bool,
}

impl ExpireOptions {
    fn allow(&self, current: Option<i64>, moment: i64) -> bool {
        !((self.only_without && current.is_some())
            || (self.only_with && current.is_none())
            || (self.later && current.is_none_or(|at| moment <= at))
            || (self.sooner && current.is_some_and(|at| moment >= at)))
    }
}

fn expire_options(op: &Op<'_>) -> Result<ExpireOptions, Fault> {
    let mut options = ExpireOptions::default();
    for word in op.options(2) {
        match word.as_slice() {
            b"nx" => options.only_without = true,
            b"xx" => options.only_with = true,
            b"gt" => options.later = true,
            b"lt" => options.sooner = true,
            _ => return Err(fault::command(op.name, "unsupported option")),
        }
    }
    let more = options.only_with || options.later || options.sooner;
    if (options.only_without && more) || (options.later && options.sooner) {
        return Err(fault::command(op.name, "options contradict each other"));
    }
    Ok(options)
}

pub(in crate::kvdb) fn ttl(shard: &Shard, op: &Op<'_>) -> Reply {
    let left = time_left(shard, op)?;
    Ok(KvReply::Int(if left < 0 {
        left
    } else {
        (left + 500) / 1000
    }))
}

pub(in crate::kvdb) fn pttl(shard: &Shard, op: &Op<'_>) -> Reply {
    Ok(KvReply::Int(time_left(shard, op)?))
}

/// Returns the milliseconds left; -1 for a key that stays, -2 for no key.
fn time_left(shard: &Shard, op: &Op<'_>) -> Result<i64, Fault> {
    Ok(match shard.get(op.key()?, op) {
        None => -2,
        Some(entry) if entry.expires == 0 => -1,
        Some(entry) => i64::try_from(entry.expires.saturating_sub(op.now())).unwrap_or(i64::MAX),
    })
}

pub(in crate::kvdb) fn persist(shard: &mut Shard, op: &Op<'_>) -> Reply {
    let key = op.key()?;
    shard.drop_expired(key, op);
    let expires = shard.get(key, op).is_some_and(|entry| entry.expires != 0);
    if expires {
        shard.set_expiry(key, 0);
    }
    Ok(truth(expires))
}

/// What a `scan` looks for.
struct Scan {
    pattern: Option<Bytes>,
    kind: Option<Vec<u8>>,
    count: usize,
}

impl Scan {
    fn wants(&self, key: &[u8], data: &Data) -> bool {
        let kind = self.kind.as_ref();
        kind.is_none_or(|kind| kind == data.type_name().as_bytes())
            && self
                .pattern
                .as_ref()
                .is_none_or(|pattern| glob::matches(pattern, key))
    }
}

/// Walks the keys in the order of their hashes. The cursor is the hash to go on from, so that a key
/// that is there during the whole walk is met exactly once, whatever is added or removed meanwhile.
pub(in crate::kvdb) fn scan(space: &Space, op: &Op<'_>) -> Reply {
    let cursor = std::str::from_utf8(op.arg(0)?)
        .ok()
        .and_then(|text| text.parse::<u64>().ok());
    let cursor = cursor.ok_or_else(|| fault::command(op.name, "invalid cursor"))?;
    let scan = scan_options(op)?;
    let mut found = Vec::new();
    let mut visited = 0;
    let mut next = Some(cursor);
    while let Some(from) = next.filter(|_| visited < scan.count) {
        let page = space.page(from, scan.count - visited, op, |key, data| {
            scan.wants(key, data)
        });
        found.extend(page.keys);
        visited += page.visited;
        next = page.next;
    }
    let cursor = Bytes::from(next.unwrap_or(0).to_string());
    Ok(KvReply::List(vec![
        KvReply::Data(cursor),
        list(found.iter()),
    ]))
}

fn scan_options(op: &Op<'_>) -> Result<Scan, Fault> {
    let mut scan = Scan {
        pattern: None,
        kind: None,
        count: 10,
    };
    let mut words = op.rest(1).iter();
    while let Some(word) = words.next() {
        let value = words.next().ok_or_else(|| fault::syntax(op.name))?;
        match word.to_ascii_lowercase().as_slice() {
            b"match" if value.len() > KEY_LIMIT => return Err(fault::long_key(op.name, value)),
            b"match" => scan.pattern = Some(value.clone()),
            b"type" => scan.kind = Some(value.to_ascii_lowercase()),
            b"count" => {
                let count = number::int(value).ok_or_else(|| fault::not_an_integer(op.name))?;
                let count = usize::try_from(count).ok().filter(|count| *count > 0);
                scan.count = count.ok_or_else(|| fault::syntax(op.name))?;
            }
            _ => return Err(fault::syntax(op.name)),
        }
    }
    Ok(scan)
}
