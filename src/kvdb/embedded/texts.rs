//! Commands on texts: get, set and the counters.

use bytes::Bytes;

use crate::base::Fault;
use crate::contract::KvReply;
use crate::kvdb::embedded::data::Data;
use crate::kvdb::embedded::op::{Op, Reply, data};
use crate::kvdb::embedded::shard::Shard;
use crate::kvdb::{fault, number};

pub(in crate::kvdb) fn get(shard: &Shard, op: &Op<'_>) -> Reply {
    let text = text_of(shard, op, op.key()?)?;
    Ok(data(text))
}

fn text_of<'s>(shard: &'s Shard, op: &Op<'_>, key: &[u8]) -> Result<Option<&'s Bytes>, Fault> {
    match shard.get(key, op).map(|entry| &entry.data) {
        None => Ok(None),
        Some(Data::Text(text)) => Ok(Some(text)),
        Some(_) => Err(fault::wrong_type(op.name, key)),
    }
}

/// The options of `set`.
#[derive(Default)]
struct SetOptions {
    only_new: bool,
    only_old: bool,
    get: bool,
    keep_ttl: bool,
    expires: Option<u64>,
}

impl SetOptions {
    /// Tells whether what the key held does not matter.
    fn blind(&self) -> bool {
        !(self.only_new || self.only_old || self.get || self.keep_ttl)
    }
}

pub(in crate::kvdb) fn set(shard: &mut Shard, op: &Op<'_>) -> Reply {
    let (key, value) = (op.key()?, op.arg(1)?);
    let options = set_options(op)?;
    if options.blind() {
        shard.put(key, Data::Text(value.clone()), options.expires.unwrap_or(0));
        return Ok(KvReply::Ok);
    }
    shard.drop_expired(key, op);
    let old = if options.get {
        data(text_of(shard, op, key)?)
    } else {
        KvReply::Nil
    };
    let there = shard.get(key, op).is_some();
    if (options.only_new && there) || (options.only_old && !there) {
        return Ok(old);
    }
    if options.keep_ttl {
        shard.replace(key, Data::Text(value.clone()));
    } else {
        shard.put(key, Data::Text(value.clone()), options.expires.unwrap_or(0));
    }
    Ok(if options.get { old } else { KvReply::Ok })
}

fn set_options(op: &Op<'_>) -> Result<SetOptions, Fault> {
    let mut options = SetOptions::default();
    let mut words = op.options(2).into_iter();
    let syntax = || fault::syntax(op.name);
    let mut amount = None;
    while let Some(word) = words.next() {
        match word.as_slice() {
            b"nx" if !options.only_old => options.only_new = true,
            b"xx" if !options.only_new => options.only_old = true,
            b"get" => options.get = true,
            b"keepttl" if amount.is_none() => options.keep_ttl = true,
            b"ex" | b"px" | b"exat" | b"pxat" if !options.keep_ttl && amount.is_none() => {
                amount = Some((word, words.next().ok_or_else(syntax)?));
            }
            _ => return Err(syntax()),
        }
    }
    if let Some((unit, digits)) = amount {
        options.expires = Some(moment(&unit, op.read_int(&digits)?, op)?);
    }
    Ok(options)
}

/// Returns the moment that `ex 5`, `px 5000`, `exat …` or `pxat …` names.
fn moment(unit: &[u8], amount: i64, op: &Op<'_>) -> Result<u64, Fault> {
    let factor = if unit.starts_with(b"e") { 1000 } else { 1 };
    let base = if unit.ends_with(b"at") { 0 } else { op.now() };
    u64::try_from(amount)
        .ok()
        .filter(|amount| *amount > 0)
        .and_then(|amount| amount.checked_mul(factor)?.checked_add(base))
        .filter(|moment| i64::try_from(*moment).is_ok())
        .ok_or_else(|| fault::command(op.name, "invalid expire time"))
}

pub(in crate::kvdb) fn incr(shard: &mut Shard, op: &Op<'_>) -> Reply {
    step(shard, op, 1)
}

pub(in crate::kvdb) fn decr(shard: &mut Shard, op: &Op<'_>) -> Reply {
    step(shard, op, -1)
}

pub(in crate::kvdb) fn incrby(shard: &mut Shard, op: &Op<'_>) -> Reply {
    step(shard, op, op.int(1)?)
}

pub(in crate::kvdb) fn decrby(shard: &mut Shard, op: &Op<'_>) -> Reply {
    let by = op.int(1)?.checked_neg();
    step(
        shard,
        op,
        by.ok_or_else(|| fault::command(op.name, "decrement would overflow"))?,
    )
}

fn step(shard: &mut Shard, op: &Op<'_>, by: i64) -> Reply {
    let key = op.key()?;
    shard.drop_expired(key, op);
    let now = match text_of(shard, op, key)? {
        Some(text) => number::int(text).ok_or_else(|| fault::not_an_integer(op.name))?,
        None => 0,
    };
    let next = now.checked_add(by).ok_or_else(|| overflow(op))?;
    shard.replace(key, Data::Text(Bytes::from(next.to_string())));
    Ok(KvReply::Int(next))
}

pub(super) fn overflow(op: &Op<'_>) -> Fault {
    fault::command(op.name, "increment or decrement would overflow")
}
