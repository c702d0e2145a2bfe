//! Commands on sets.

use crate::kvdb::embedded::data::Set;
use crate::kvdb::embedded::op::{Op, Reply, count, list, truth};
use crate::kvdb::embedded::shard::Shard;

pub(in crate::kvdb) fn sadd(shard: &mut Shard, op: &Op<'_>) -> Reply {
    shard.edit(op, |set: &mut Set, change| {
        let fresh = op
            .rest(1)
            .iter()
            .filter(|member| set.insert((*member).clone()));
        count(fresh.map(|member| change.add(member.len())).count())
    })
}

pub(in crate::kvdb) fn srem(shard: &mut Shard, op: &Op<'_>) -> Reply {
    shard.edit(op, |set: &mut Set, change| {
        let gone = op.rest(1).iter().filter(|member| set.remove(*member));
        count(gone.map(|member| change.remove(member.len())).count())
    })
}

pub(in crate::kvdb) fn smembers(shard: &Shard, op: &Op<'_>) -> Reply {
    Ok(list(shard.read::<Set>(op)?.into_iter().flatten()))
}

pub(in crate::kvdb) fn sismember(shard: &Shard, op: &Op<'_>) -> Reply {
    let member = op.arg(1)?;
    Ok(truth(
        shard
            .read::<Set>(op)?
            .is_some_and(|set| set.contains(member)),
    ))
}

pub(in crate::kvdb) fn scard(shard: &Shard, op: &Op<'_>) -> Reply {
    Ok(count(shard.read::<Set>(op)?.map_or(0, Set::len)))
}
