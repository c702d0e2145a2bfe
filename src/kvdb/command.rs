//! Which commands there are, what they take, and how the embedded store runs them.

use bytes::Bytes;

use crate::base::Fault;
use crate::contract::Command;
use crate::kvdb::embedded::{Handler, hashes, keys, lists, sets, texts, zsets};
use crate::kvdb::{KEY_LIMIT, VALUE_LIMIT, fault};

/// One command.
pub(super) struct Rule {
    /// Its name, as Redis has it.
    pub(super) name: &'static str,
    /// The fewest arguments it takes.
    least: usize,
    /// The most arguments it takes.
    most: usize,
    /// Which arguments are keys.
    keys: Keys,
    /// What it does to the store.
    pub(super) access: Access,
    /// How the embedded store runs it.
    pub(super) handler: Handler,
}

/// What a command does to the store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Access {
    /// Reads; may be sent again when the connection broke.
    Read,
    /// Changes what is there but stores nothing more; works on a full store.
    Change,
    /// Stores something; refused by a full store.
    Store,
}

/// Which arguments are keys.
#[derive(Clone, Copy)]
enum Keys {
    None,
    First,
    All,
    /// Every second, from the first.
    Pairs,
}

const MANY: usize = usize::MAX;

macro_rules! rules {
    ($(
        $name:literal $least:literal..=$most:tt, $keys:ident, $access:ident,
        $how:ident $handler:path;
    )*) => {
        /// All commands; anything else is refused.
        pub(super) const TABLE: &[Rule] = &[$(Rule {
            name: $name,
            least: $least,
            most: $most,
            keys: Keys::$keys,
            access: Access::$access,
            handler: Handler::$how($handler),
        }),*];
    };
}

// The most used stand first: a look-up is a walk.
rules! {
    "get"       1..=1,    First, Read,   One   texts::get;
    "set"       2..=MANY, First, Store,  Write texts::set;
    "hget"      2..=2,    First, Read,   One   hashes::hget;
    "hgetall"   1..=1,    First, Read,   One   hashes::hgetall;
    "hset"      3..=MANY, First, Store,  Write hashes::hset;
    "hdel"      2..=MANY, First, Change, Write hashes::hdel;
    "hincrby"   3..=3,    First, Store,  Write hashes::hincrby;
    "incr"      1..=1,    First, Store,  Write texts::incr;
    "decr"      1..=1,    First, Store,  Write texts::decr;
    "incrby"    2..=2,    First, Store,  Write texts::incrby;
    "decrby"    2..=2,    First, Store,  Write texts::decrby;
    "mget"      1..=MANY, All,   Read,   All   keys::mget;
    "mset"      2..=MANY, Pairs, Store,  All   keys::mset;
    "del"       1..=MANY, All,   Change, All   keys::del;
    "exists"    1..=MANY, All,   Read,   All   keys::exists;
    "expire"    2..=MANY, First, Change, Write keys::expire;
    "pexpire"   2..=MANY, First, Change, Write keys::pexpire;
    "ttl"       1..=1,    First, Read,   One   keys::ttl;
    "pttl"      1..=1,    First, Read,   One   keys::pttl;
    "persist"   1..=1,    First, Change, Write keys::persist;
    "scan"      1..=MANY, None,  Read,   All   keys::scan;
    "lpush"     2..=MANY, First, Store,  Write lists::lpush;
    "rpush"     2..=MANY, First, Store,  Write lists::rpush;
    "lpop"      1..=2,    First, Change, Write lists::lpop;
    "rpop"      1..=2,    First, Change, Write lists::rpop;
    "lrange"    3..=3,    First, Read,   One   lists::lrange;
    "llen"      1..=1,    First, Read,   One   lists::llen;
    "sadd"      2..=MANY, First, Store,  Write sets::sadd;
    "srem"      2..=MANY, First, Change, Write sets::srem;
    "smembers"  1..=1,    First, Read,   One   sets::smembers;
    "sismember" 2..=2,    First, Read,   One   sets::sismember;
    "scard"     1..=1,    First, Read,   One   sets::scard;
    "zadd"      3..=MANY, First, Store,  Write zsets::zadd;
    "zrem"      2..=MANY, First, Change, Write zsets::zrem;
    "zscore"    2..=2,    First, Read,   One   zsets::zscore;
    "zrange"    3..=MANY, First, Read,   One   zsets::zrange;
}

/// Returns the rule of a command whose number of arguments and sizes are in order.
pub(super) fn check(command: &Command) -> Result<&'static Rule, Fault> {
    let rule = TABLE
        .iter()
        .find(|rule| rule.name == command.name)
        .ok_or_else(|| fault::unknown(command.name))?;
    let given = command.args.len();
    // A cluster would split the pairs up without noticing that one is not whole.
    let whole = !matches!(rule.keys, Keys::Pairs) || given.is_multiple_of(2);
    if given < rule.least || given > rule.most || !whole {
        return Err(fault::arity(rule.name));
    }
    rule.sizes(&command.args)?;
    Ok(rule)
}

impl Rule {
    fn sizes(&self, args: &[Bytes]) -> Result<(), Fault> {
        let long = args
            .iter()
            .enumerate()
            .find(|(index, arg)| arg.len() > KEY_LIMIT && self.too_long(*index, arg));
        match long {
            None => Ok(()),
            Some((index, arg)) if self.is_key(index) => Err(fault::long_key(self.name, arg)),
            Some((_, arg)) => Err(fault::long_value(self.name, arg.len())),
        }
    }

    fn too_long(&self, index: usize, arg: &Bytes) -> bool {
        self.is_key(index) || arg.len() > VALUE_LIMIT
    }

    fn is_key(&self, index: usize) -> bool {
        match self.keys {
            Keys::None => false,
            Keys::First => index == 0,
            Keys::All => true,
            Keys::Pairs => index.is_multiple_of(2),
        }
    }
}
