//! Commands on hashes.

use bytes::Bytes;

use crate::contract::KvReply;
use crate::kvdb::embedded::data::Hash;
use crate::kvdb::embedded::op::{Op, Reply, count, data, list};
use crate::kvdb::embedded::shard::{Change, Shard};
use crate::kvdb::embedded::texts::overflow;
use crate::kvdb::{fault, number};

pub(in crate::kvdb) fn hget(shard: &Shard, op: &Op<'_>) -> Reply {
    let field = op.arg(1)?;
    let hash = shard.read::<Hash>(op)?;
    Ok(data(hash.and_then(|hash| hash.get(field))))
}

pub(in crate::kvdb) fn hgetall(shard: &Shard, op: &Op<'_>) -> Reply {
    let hash = shard.read::<Hash>(op)?;
    Ok(list(
        hash.into_iter()
            .flatten()
            .flat_map(|(field, value)| [field, value]),
    ))
}

pub(in crate::kvdb) fn hset(shard: &mut Shard, op: &Op<'_>) -> Reply {
    let pairs = op.pairs(1)?;
    shard.edit(op, |hash: &mut Hash, change| {
        count(
            pairs
                .filter(|(field, value)| put(hash, change, field, value))
                .count(),
        )
    })
}

fn put(hash: &mut Hash, change: &mut Change, field: &Bytes, value: &Bytes) -> bool {
    change.add(field.len() + value.len());
    match hash.insert(field.clone(), value.clone()) {
        Some(old) => {
            change.remove(field.len() + old.len());
            false
        }
        None => true,
    }
}

pub(in crate::kvdb) fn hdel(shard: &mut Shard, op: &Op<'_>) -> Reply {
    shard.edit(op, |hash: &mut Hash, change| {
        let gone = op
            .rest(1)
            .iter()
            .filter_map(|field| hash.remove_entry(field));
        count(
            gone.map(|(field, value)| change.remove(field.len() + value.len()))
                .count(),
        )
    })
}

pub(in crate::kvdb) fn hincrby(shard: &mut Shard, op: &Op<'_>) -> Reply {
    let (field, by) = (op.arg(1)?, op.int(2)?);
    shard.edit(op, |hash: &mut Hash, change| {
        let now = match hash.get(field) {
            Some(text) => number::int(text)
                .ok_or_else(|| fault::command(op.name, "hash value is not an integer"))?,
            None => 0,
        };
        let next = now.checked_add(by).ok_or_else(|| overflow(op))?;
        put(hash, change, field, &Bytes::from(next.to_string()));
        Ok(KvReply::Int(next))
    })?
}
