//! `ctx.kvdb`: the key/value store as scripts see it.
//!
//! Names, argument order and meaning are those of Redis. Keys, fields and values are texts or
//! bytes; numbers and truth values become text on the way in. Options stand in a table at the end,
//! words as in Redis.

mod build;
mod shape;
#[cfg(test)]
mod tests;

use std::rc::Rc;

use crate::contract::{
    Arg, Call, Effect, Example, HostCall, HostFn, Receiver, Running, Started, Type,
};

use crate::script::host::data::{arg, optional};

use build::Built;
pub(super) use build::{keys, scanned};

macro_rules! table {
    ($(
        $path:literal ($($arg:ident),*) -> $returns:ident, $effect:ident,
        $doc:literal,
        lua $lua:expr,
    rhai $rhai:expr => $result:expr,
        $build:path;
    )*) => {
        /// The functions of `ctx.kvdb`.
        pub(crate) const TABLE: &[HostFn] = &[$(HostFn {
            path: $path,
            receiver: Receiver::Ctx,
            args: &[$($arg),*],
            returns: Type::$returns,
            effect: Effect::$effect,
            doc: $doc,
            examples: &[Example { lua: $lua, rhai: $rhai, result: $result }],
            call: HostCall::Either(|call, args| run(call, $build(args))),
        }),*];
    };
}

const KEY: Arg = arg("key", Type::Text);
const KEYS: Arg = arg("keys", Type::Rest);
const VALUE: Arg = arg("value", Type::Any);
const VALUES: Arg = arg("values", Type::Rest);
const PAIRS: Arg = arg("pairs", Type::Rest);
const FIELD: Arg = arg("field", Type::Text);
const FIELDS: Arg = arg("fields", Type::Rest);
const MEMBERS: Arg = arg("members", Type::Rest);
const TTL: Arg = arg("ttl", Type::Duration);
const BY: Arg = optional("by", Type::Int);
const COUNT: Arg = optional("count", Type::Int);
const START: Arg = optional("start", Type::Any);
const STOP: Arg = optional("stop", Type::Any);
const CURSOR: Arg = optional("cursor", Type::Text);
const OPTIONS: Arg = optional("options", Type::Map);

table! {
    "kvdb.get" (KEY) -> Any, Read,
    "Returns the text of a key; nothing when there is none.",
    lua r#"ctx.kvdb:get("doc:absent")"#,
    rhai r#"ctx.kvdb.get("doc:absent")"# => "null",
    build::get;

    "kvdb.set" (KEY, VALUE, OPTIONS) -> Any, Write,
    "Sets a key, whatever it held; tells whether it did. Options: `ttl` (seconds or `30s`), \
     `keepttl`, `nx` (only when the key is new), `xx` (only when it is there), `get` (return the \
     old text instead).",
    lua r#"ctx.kvdb:set("doc:set", "1.22", { ttl = "30s" })"#,
    rhai r#"ctx.kvdb.set("doc:set", "1.22", #{ ttl: "30s" })"# => "true",
    build::set;

    "kvdb.delete" (KEYS) -> Int, Write,
    "Deletes keys; returns how many were there.",
    lua r#"ctx.kvdb:delete("doc:absent")"#,
    rhai r#"ctx.kvdb.delete("doc:absent")"# => "0",
    build::delete;

    "kvdb.exists" (KEYS) -> Int, Read,
    "Returns how many of the keys are there.",
    lua r#"ctx.kvdb:exists("doc:absent")"#,
    rhai r#"ctx.kvdb.exists("doc:absent")"# => "0",
    build::exists;

    "kvdb.expire" (KEY, TTL, OPTIONS) -> Int, Write,
    "Lets a key go away after seconds or a duration such as `30s`; returns 1, or 0 when it did \
     not. Options: `nx`, `xx`, `gt`, `lt`.",
    lua r#"ctx.kvdb:expire("doc:absent", "1h")"#,
    rhai r#"ctx.kvdb.expire("doc:absent", "1h")"# => "0",
    build::expire;

    "kvdb.ttl" (KEY) -> Int, Read,
    "Returns the seconds a key has left; -1 when it stays, -2 when there is none.",
    lua r#"ctx.kvdb:ttl("doc:absent")"#,
    rhai r#"ctx.kvdb.ttl("doc:absent")"# => "-2",
    build::ttl;

    "kvdb.incr" (KEY, BY) -> Int, Write,
    "Adds 1, or `by`, to the integer of a key; returns the sum.",
    lua concat!(
            r#"(function() ctx.kvdb:delete("doc:incr"); "#,
            r#"return ctx.kvdb:incr("doc:incr", 5) end)()"#,
        ),
    rhai r#"{ ctx.kvdb.delete("doc:incr"); ctx.kvdb.incr("doc:incr", 5) }"# => "5",
    build::incr;

    "kvdb.decr" (KEY, BY) -> Int, Write,
    "Takes 1, or `by`, from the integer of a key; returns the difference.",
    lua concat!(
            r#"(function() ctx.kvdb:delete("doc:decr"); "#,
            r#"return ctx.kvdb:decr("doc:decr") end)()"#,
        ),
    rhai r#"{ ctx.kvdb.delete("doc:decr"); ctx.kvdb.decr("doc:decr") }"# => "-1",
    build::decr;

    "kvdb.mget" (KEYS) -> List, Read,
    "Returns the texts of several keys in order. Where there is none the list has a gap: read it \
     by index.",
    lua concat!(
            r#"(function() ctx.kvdb:set("doc:mget", "1"); "#,
            r#"return ctx.kvdb:mget("doc:mget", "doc:mget") end)()"#,
        ),
    rhai r#"{ ctx.kvdb.set("doc:mget", "1"); ctx.kvdb.mget("doc:mget", "doc:mget") }"#
        => r#"["1","1"]"#,
    build::mget;

    "kvdb.mset" (PAIRS) -> Bool, Write,
    "Sets several keys at once, given as a table or as key, value, key, value.",
    lua r#"ctx.kvdb:mset({ ["doc:m1"] = "1", ["doc:m2"] = "2" })"#,
    rhai r#"ctx.kvdb.mset(#{ "doc:m1": "1", "doc:m2": "2" })"# => "true",
    build::mset;

    "kvdb.hget" (KEY, FIELD) -> Any, Read,
    "Returns the text of a field of a hash; nothing when there is none.",
    lua r#"ctx.kvdb:hget("doc:absent", "rate")"#,
    rhai r#"ctx.kvdb.hget("doc:absent", "rate")"# => "null",
    build::hget;

    "kvdb.hset" (KEY, PAIRS) -> Int, Write,
    "Sets fields of a hash, given as a table or as field, value, field, value; returns how many \
     are new.",
    lua concat!(
            r#"(function() ctx.kvdb:delete("doc:hset"); "#,
            r#"return ctx.kvdb:hset("doc:hset", { a = 1, b = 2 }) end)()"#,
        ),
    rhai r#"{ ctx.kvdb.delete("doc:hset"); ctx.kvdb.hset("doc:hset", #{ a: 1, b: 2 }) }"# => "2",
    build::hset;

    "kvdb.hgetall" (KEY) -> Map, Read,
    "Returns a hash as a table; an empty one when there is none.",
    lua concat!(
            r#"(function() ctx.kvdb:hset("doc:hgetall", "a", 1); "#,
            r#"return ctx.kvdb:hgetall("doc:hgetall") end)()"#,
        ),
    rhai r#"{ ctx.kvdb.hset("doc:hgetall", "a", 1); ctx.kvdb.hgetall("doc:hgetall") }"#
        => r#"{"a":"1"}"#,
    build::hgetall;

    "kvdb.hdel" (KEY, FIELDS) -> Int, Write,
    "Deletes fields of a hash; returns how many were there.",
    lua r#"ctx.kvdb:hdel("doc:absent", "a", "b")"#,
    rhai r#"ctx.kvdb.hdel("doc:absent", "a", "b")"# => "0",
    build::hdel;

    "kvdb.lpush" (KEY, VALUES) -> Int, Write,
    "Puts values at the front of a list, one after the other; returns its length.",
    lua concat!(
            r#"(function() ctx.kvdb:delete("doc:lpush"); "#,
            r#"return ctx.kvdb:lpush("doc:lpush", "a", "b") end)()"#,
        ),
    rhai r#"{ ctx.kvdb.delete("doc:lpush"); ctx.kvdb.lpush("doc:lpush", "a", "b") }"# => "2",
    build::lpush;

    "kvdb.rpush" (KEY, VALUES) -> Int, Write,
    "Puts values at the end of a list; returns its length.",
    lua concat!(
            r#"(function() ctx.kvdb:delete("doc:rpush"); "#,
            r#"return ctx.kvdb:rpush("doc:rpush", "a", "b") end)()"#,
        ),
    rhai r#"{ ctx.kvdb.delete("doc:rpush"); ctx.kvdb.rpush("doc:rpush", "a", "b") }"# => "2",
    build::rpush;

    "kvdb.lpop" (KEY, COUNT) -> Any, Write,
    "Takes the first value of a list, or a list of the first `count`; nothing when there is no \
     list.",
    lua r#"ctx.kvdb:lpop("doc:absent")"#,
    rhai r#"ctx.kvdb.lpop("doc:absent")"# => "null",
    build::lpop;

    "kvdb.rpop" (KEY, COUNT) -> Any, Write,
    "Takes the last value of a list, or a list of the last `count`; nothing when there is no \
     list.",
    lua r#"ctx.kvdb:rpop("doc:absent")"#,
    rhai r#"ctx.kvdb.rpop("doc:absent")"# => "null",
    build::rpop;

    "kvdb.lrange" (KEY, START, STOP) -> List, Read,
    "Returns the values of a list from `start` to `stop`, both included, counted from 0, from \
     the end if negative; all of them when left out.",
    lua concat!(
            r#"(function() ctx.kvdb:delete("doc:lrange"); "#,
            r#"ctx.kvdb:rpush("doc:lrange", "a", "b", "c"); "#,
            r#"return ctx.kvdb:lrange("doc:lrange", 0, 1) end)()"#,
        ),
    rhai concat!(
            r#"{ ctx.kvdb.delete("doc:lrange"); "#,
            r#"ctx.kvdb.rpush("doc:lrange", "a", "b", "c"); "#,
            r#"ctx.kvdb.lrange("doc:lrange", 0, 1) }"#,
        ) => r#"["a","b"]"#,
    build::lrange;

    "kvdb.llen" (KEY) -> Int, Read,
    "Returns the length of a list.",
    lua r#"ctx.kvdb:llen("doc:absent")"#,
    rhai r#"ctx.kvdb.llen("doc:absent")"# => "0",
    build::llen;

    "kvdb.sadd" (KEY, MEMBERS) -> Int, Write,
    "Adds members to a set; returns how many are new.",
    lua concat!(
            r#"(function() ctx.kvdb:delete("doc:sadd"); "#,
            r#"return ctx.kvdb:sadd("doc:sadd", "a", "b", "a") end)()"#,
        ),
    rhai r#"{ ctx.kvdb.delete("doc:sadd"); ctx.kvdb.sadd("doc:sadd", "a", "b", "a") }"# => "2",
    build::sadd;

    "kvdb.srem" (KEY, MEMBERS) -> Int, Write,
    "Removes members from a set; returns how many were there.",
    lua r#"ctx.kvdb:srem("doc:absent", "a")"#,
    rhai r#"ctx.kvdb.srem("doc:absent", "a")"# => "0",
    build::srem;

    "kvdb.smembers" (KEY) -> List, Read,
    "Returns the members of a set, in no particular order.",
    lua concat!(
            r#"(function() ctx.kvdb:sadd("doc:smembers", "a"); "#,
            r#"return ctx.kvdb:smembers("doc:smembers") end)()"#,
        ),
    rhai r#"{ ctx.kvdb.sadd("doc:smembers", "a"); ctx.kvdb.smembers("doc:smembers") }"#
        => r#"["a"]"#,
    build::smembers;

    "kvdb.zadd" (KEY, PAIRS) -> Any, Write,
    "Adds members to a sorted set as score, member, score, member; returns how many are new. \
     Options in a table at the end: `nx`, `xx`, `gt`, `lt`, `ch` (count the changed ones too), \
     `incr` (add to the score of the one member and return it).",
    lua concat!(
            r#"(function() ctx.kvdb:delete("doc:zadd"); "#,
            r#"return ctx.kvdb:zadd("doc:zadd", 1.5, "a", 2, "b") end)()"#,
        ),
    rhai r#"{ ctx.kvdb.delete("doc:zadd"); ctx.kvdb.zadd("doc:zadd", 1.5, "a", 2, "b") }"# => "2",
    build::zadd;

    "kvdb.zrem" (KEY, MEMBERS) -> Int, Write,
    "Removes members from a sorted set; returns how many were there.",
    lua r#"ctx.kvdb:zrem("doc:absent", "a")"#,
    rhai r#"ctx.kvdb.zrem("doc:absent", "a")"# => "0",
    build::zrem;

    "kvdb.zrange" (KEY, START, STOP, OPTIONS) -> List, Read,
    "Returns members of a sorted set by rank, or by score with `byscore` (`(1.5`, `-inf`, `+inf` \
     as in Redis). Options: `rev`, `byscore`, `limit` (a list of offset and count), `withscores` \
     (members become tables of `member` and `score`).",
    lua concat!(
            r#"(function() ctx.kvdb:zadd("doc:zrange", 2, "b", 1, "a"); "#,
            r#"return ctx.kvdb:zrange("doc:zrange", 0, -1, { withscores = true }) end)()"#,
        ),
    rhai concat!(
            r#"{ ctx.kvdb.zadd("doc:zrange", 2, "b", 1, "a"); "#,
            r#"ctx.kvdb.zrange("doc:zrange", 0, -1, #{ withscores: true }) }"#,
        )
        => r#"[{"member":"a","score":1},{"member":"b","score":2}]"#,
    build::zrange;

    "kvdb.scan" (CURSOR, OPTIONS) -> Map, Read,
    "Looks at the next keys and returns `keys` and `cursor`; begin with `\"0\"` and go on until \
     it is `\"0\"` again. Options: `match` (`*`, `?`, `[a-z]`), `count` (about how many to look \
     at), `type`.",
    lua r#"ctx.kvdb:scan("0", { match = "nothing:*", count = 10000 })"#,
    rhai r#"ctx.kvdb.scan("0", #{ "match": "nothing:*", count: 10000 })"#
        => r#"{"cursor":"0","keys":[]}"#,
    build::scan;
}

/// Runs a command. A reply that is there at once costs no wait.
fn run(call: &Rc<Call>, built: Built) -> Started {
    let (command, shape) = match built {
        Ok(built) => built,
        Err(fault) => return Started::Done(Err(fault)),
    };
    match call.ctx.ports.kvdb.run(command) {
        Running::Done(reply) => Started::Done(reply.map(shape)),
        Running::Later(reply) => Started::Later(Box::pin(async move { reply.await.map(shape) })),
    }
}
