//! Commands on lists.

use crate::base::Fault;
use crate::contract::KvReply;
use crate::kvdb::embedded::data::List;
use crate::kvdb::embedded::op::{Op, Reply, count, list, range};
use crate::kvdb::embedded::shard::Shard;
use crate::kvdb::fault;

#[derive(Clone, Copy)]
enum End {
    Left,
    Right,
}

pub(in crate::kvdb) fn lpush(shard: &mut Shard, op: &Op<'_>) -> Reply {
    push(shard, op, End::Left)
}

pub(in crate::kvdb) fn rpush(shard: &mut Shard, op: &Op<'_>) -> Reply {
    push(shard, op, End::Right)
}

fn push(shard: &mut Shard, op: &Op<'_>, end: End) -> Reply {
    shard.edit(op, |list: &mut List, change| {
        for value in op.rest(1) {
            change.add(value.len());
            match end {
                End::Left => list.push_front(value.clone()),
                End::Right => list.push_back(value.clone()),
            }
        }
        count(list.len())
    })
}

pub(in crate::kvdb) fn lpop(shard: &mut Shard, op: &Op<'_>) -> Reply {
    pop(shard, op, End::Left)
}

pub(in crate::kvdb) fn rpop(shard: &mut Shard, op: &Op<'_>) -> Reply {
    pop(shard, op, End::Right)
}

fn pop(shard: &mut Shard, op: &Op<'_>, end: End) -> Reply {
    let wanted = pop_count(op)?;
    shard.edit(op, |list: &mut List, change| {
        if list.is_empty() {
            return KvReply::Nil;
        }
        let mut one = || {
            let value = match end {
                End::Left => list.pop_front(),
                End::Right => list.pop_back(),
            }?;
            change.remove(value.len());
            Some(KvReply::Data(value))
        };
        match wanted {
            None => one().unwrap_or(KvReply::Nil),
            Some(wanted) => KvReply::List(std::iter::from_fn(one).take(wanted).collect()),
        }
    })
}

fn pop_count(op: &Op<'_>) -> Result<Option<usize>, Fault> {
    if op.args.len() < 2 {
        return Ok(None);
    }
    let negative = |_ignored| fault::command(op.name, "value is out of range, must be positive");
    usize::try_from(op.int(1)?).map(Some).map_err(negative)
}

pub(in crate::kvdb) fn lrange(shard: &Shard, op: &Op<'_>) -> Reply {
    let (start, stop) = (op.int(1)?, op.int(2)?);
    let Some(kept) = shard.read::<List>(op)? else {
        return Ok(KvReply::List(Vec::new()));
    };
    Ok(list(kept.range(range(start, stop, kept.len()))))
}

pub(in crate::kvdb) fn llen(shard: &Shard, op: &Op<'_>) -> Reply {
    Ok(count(shard.read::<List>(op)?.map_or(0, List::len)))
}
