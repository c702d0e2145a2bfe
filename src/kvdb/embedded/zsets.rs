//! Commands on sorted sets.

use std::ops::Bound;

use bytes::Bytes;

use crate::base::Fault;
use crate::contract::KvReply;
use crate::kvdb::embedded::data::Sorted;
use crate::kvdb::embedded::op::{Op, Reply, count, range};
use crate::kvdb::embedded::shard::{Change, Shard};
use crate::kvdb::{fault, number};

fn score_reply(score: f64) -> KvReply {
    KvReply::Data(Bytes::copy_from_slice(number::score(score).as_bytes()))
}

/// The options of `zadd`.
#[derive(Default)]
struct AddOptions {
    only_new: bool,
    only_old: bool,
    greater: bool,
    less: bool,
    changed: bool,
    incr: bool,
}

/// What adding one member did.
enum Added {
    /// Nothing: an option forbade it.
    Refused,
    /// The member is new.
    New(f64),
    /// The member has another score now.
    Updated(f64),
    /// The member has the same score as before.
    Same(f64),
}

pub(in crate::kvdb) fn zadd(shard: &mut Shard, op: &Op<'_>) -> Reply {
    let (options, first) = add_options(op);
    let pairs = add_pairs(op, &options, first)?;
    shard.edit(op, |sorted: &mut Sorted, change| {
        let (mut new, mut updated, mut last) = (0, 0, KvReply::Nil);
        for (score, member) in pairs {
            match add(sorted, change, &options, score, member, op)? {
                Added::Refused => {}
                Added::New(score) => (new, last) = (new + 1, score_reply(score)),
                Added::Updated(score) => (updated, last) = (updated + 1, score_reply(score)),
                Added::Same(score) => last = score_reply(score),
            }
        }
        if options.incr {
            return Ok(last);
        }
        Ok(count(if options.changed { new + updated } else { new }))
    })?
}

/// Returns the options and where the scores begin.
fn add_options(op: &Op<'_>) -> (AddOptions, usize) {
    let mut options = AddOptions::default();
    let mut index = 1;
    while let Some(word) = op.args.get(index) {
        match word.to_ascii_lowercase().as_slice() {
            b"nx" => options.only_new = true,
            b"xx" => options.only_old = true,
            b"gt" => options.greater = true,
            b"lt" => options.less = true,
            b"ch" => options.changed = true,
            b"incr" => options.incr = true,
            _ => break,
        }
        index += 1;
    }
    (options, index)
}

fn add_pairs<'a>(
    op: &Op<'a>,
    options: &AddOptions,
    first: usize,
) -> Result<Vec<(f64, &'a Bytes)>, Fault> {
    let (pairs, odd) = op.rest(first).as_chunks::<2>();
    if pairs.is_empty() || !odd.is_empty() {
        return Err(fault::syntax(op.name));
    }
    if options.only_new && options.only_old {
        return Err(fault::command(op.name, "nx and xx contradict each other"));
    }
    let both = options.greater && options.less;
    if both || (options.only_new && (options.greater || options.less)) {
        return Err(fault::command(
            op.name,
            "gt, lt and nx contradict each other",
        ));
    }
    if options.incr && pairs.len() > 1 {
        return Err(fault::command(op.name, "incr takes a single pair"));
    }
    let read = |[score, member]: &'a [Bytes; 2]| {
        let score = number::float(score).ok_or_else(|| fault::not_a_number(op.name))?;
        Ok((score, member))
    };
    pairs.iter().map(read).collect()
}

fn add(
    sorted: &mut Sorted,
    change: &mut Change,
    options: &AddOptions,
    score: f64,
    member: &Bytes,
    op: &Op<'_>,
) -> Result<Added, Fault> {
    let Some(old) = sorted.score(member) else {
        if options.only_old {
            return Ok(Added::Refused);
        }
        change.add(member.len());
        sorted.set(member.clone(), score);
        return Ok(Added::New(score));
    };
    if options.only_new {
        return Ok(Added::Refused);
    }
    let score = if options.incr { old + score } else { score };
    if score.is_nan() {
        return Err(fault::command(
            op.name,
            "resulting score is not a number (NaN)",
        ));
    }
    if (options.greater && score <= old) || (options.less && score >= old) {
        return Ok(Added::Refused);
    }
    if number::same(score, old) {
        return Ok(Added::Same(score));
    }
    change.made = true;
    sorted.set(member.clone(), score);
    Ok(Added::Updated(score))
}

pub(in crate::kvdb) fn zrem(shard: &mut Shard, op: &Op<'_>) -> Reply {
    shard.edit(op, |sorted: &mut Sorted, change| {
        let gone = op.rest(1).iter().filter(|member| sorted.remove(member));
        count(gone.map(|member| change.remove(member.len())).count())
    })
}

pub(in crate::kvdb) fn zscore(shard: &Shard, op: &Op<'_>) -> Reply {
    let member = op.arg(1)?;
    let score = shard
        .read::<Sorted>(op)?
        .and_then(|sorted| sorted.score(member));
    Ok(score.map_or(KvReply::Nil, score_reply))
}

/// The options of `zrange`.
struct RangeOptions {
    by_score: bool,
    reverse: bool,
    scores: bool,
    offset: i64,
    /// -1 for all.
    limit: i64,
}

pub(in crate::kvdb) fn zrange(shard: &Shard, op: &Op<'_>) -> Reply {
    let options = range_options(op)?;
    if options.by_score {
        return by_score(shard, op, &options);
    }
    let (start, stop) = (op.int(1)?, op.int(2)?);
    let Some(sorted) = shard.read::<Sorted>(op)? else {
        return Ok(KvReply::List(Vec::new()));
    };
    let places = range(start, stop, sorted.len());
    let walk = directed(sorted, options.reverse);
    Ok(members(
        walk.skip(places.start).take(places.len()),
        &options,
    ))
}

fn range_options(op: &Op<'_>) -> Result<RangeOptions, Fault> {
    let mut options = RangeOptions {
        by_score: false,
        reverse: false,
        scores: false,
        offset: 0,
        limit: -1,
    };
    let mut words = op.options(3).into_iter();
    while let Some(word) = words.next() {
        match word.as_slice() {
            b"withscores" => options.scores = true,
            b"rev" if !options.reverse => options.reverse = true,
            b"byscore" if !options.by_score => options.by_score = true,
            b"limit" if words.len() >= 2 => {
                let mut number = || op.read_int(&words.next().unwrap_or_default());
                (options.offset, options.limit) = (number()?, number()?);
            }
            _ => return Err(fault::syntax(op.name)),
        }
    }
    if options.limit != -1 && !options.by_score {
        return Err(fault::command(op.name, "limit needs byscore"));
    }
    Ok(options)
}

fn by_score(shard: &Shard, op: &Op<'_>, options: &RangeOptions) -> Reply {
    let (first, second) = (bound(op, 1)?, bound(op, 2)?);
    let (low, high) = if options.reverse {
        (second, first)
    } else {
        (first, second)
    };
    let Some(sorted) = shard.read::<Sorted>(op)? else {
        return Ok(KvReply::List(Vec::new()));
    };
    // A negative offset leaves nothing, a negative limit everything: so does Redis.
    let offset = usize::try_from(options.offset).unwrap_or(usize::MAX);
    let limit = usize::try_from(options.limit).unwrap_or(usize::MAX);
    let within = directed(sorted, options.reverse)
        .filter(|(_, score)| std::ops::RangeBounds::contains(&(low, high), score));
    Ok(members(within.skip(offset).take(limit), options))
}

/// Reads `1.5`, `(1.5` (without 1.5 itself), `-inf` or `+inf`.
fn bound(op: &Op<'_>, index: usize) -> Result<Bound<f64>, Fault> {
    let text = op.arg(index)?;
    let open = text.strip_prefix(b"(");
    let number = number::float(open.unwrap_or(text))
        .ok_or_else(|| fault::command(op.name, "min or max is not a float"))?;
    Ok(match open {
        Some(_) => Bound::Excluded(number),
        None => Bound::Included(number),
    })
}

fn directed(sorted: &Sorted, reverse: bool) -> Box<dyn Iterator<Item = (&Bytes, f64)> + '_> {
    if reverse {
        return Box::new(sorted.iter().rev());
    }
    Box::new(sorted.iter())
}

fn members<'a>(walk: impl Iterator<Item = (&'a Bytes, f64)>, options: &RangeOptions) -> KvReply {
    let mut out = Vec::new();
    for (member, score) in walk {
        out.push(KvReply::Data(member.clone()));
        if options.scores {
            out.push(score_reply(score));
        }
    }
    KvReply::List(out)
}
