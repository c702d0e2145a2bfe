//! From the arguments of a script to a command, and how its reply will be read.

use bytes::Bytes;

use crate::base::{Code, Fault, Map, Value, closest};
use crate::contract::{Args, Command, HostFn};
use crate::script::host::data;
use crate::script::host::kvdb::shape::{self, Shape};

/// A command and how to read its reply.
pub(super) type Built = Result<(Command, Shape), Fault>;

macro_rules! plain {
    ($($function:ident = $command:literal, $shape:path;)*) => {$(
        pub(super) fn $function(args: Args) -> Built {
            Ok((command($command, scalars(args)?), $shape))
        }
    )*};
}

// Those that take texts and nothing else, in the order of Redis; lists count as what they hold.
plain! {
    get = "get", shape::plain;
    delete = "del", shape::plain;
    exists = "exists", shape::plain;
    ttl = "ttl", shape::plain;
    mget = "mget", shape::plain;
    hget = "hget", shape::plain;
    hgetall = "hgetall", shape::map;
    hdel = "hdel", shape::plain;
    lpush = "lpush", shape::plain;
    rpush = "rpush", shape::plain;
    lpop = "lpop", shape::plain;
    rpop = "rpop", shape::plain;
    llen = "llen", shape::plain;
    sadd = "sadd", shape::plain;
    srem = "srem", shape::plain;
    smembers = "smembers", shape::plain;
    zrem = "zrem", shape::plain;
    mset = "mset", shape::plain;
    hset = "hset", shape::plain;
}

pub(super) fn set(mut args: Args) -> Built {
    let mut list = vec![scalar("key", args.take(0))?, scalar("value", args.take(1))?];
    let mut options = Options::of(&mut args, 2, &["ttl", "keepttl", "nx", "xx", "get"])?;
    if let Some(ttl) = options.take("ttl") {
        list.extend([word("px"), number(data::millis(&ttl, "ttl")?)]);
    }
    options.flags(&["keepttl", "nx", "xx"], &mut list)?;
    let get = options.flag("get", &mut list)?;
    let shape = if get { shape::plain } else { shape::done };
    Ok((command("set", list), shape))
}

pub(super) fn expire(mut args: Args) -> Built {
    let key = scalar("key", args.take(0))?;
    let mut list = vec![key, number(data::millis(&args.take(1), "ttl")?)];
    let known = ["nx", "xx", "gt", "lt"];
    Options::of(&mut args, 2, &known)?.flags(&known, &mut list)?;
    Ok((command("pexpire", list), shape::plain))
}

pub(super) fn incr(args: Args) -> Built {
    step(args, "incr", "incrby")
}

pub(super) fn decr(args: Args) -> Built {
    step(args, "decr", "decrby")
}

fn step(mut args: Args, one: &'static str, many: &'static str) -> Built {
    let key = scalar("key", args.take(0))?;
    if args.get(1).is_none() {
        return Ok((command(one, vec![key]), shape::plain));
    }
    let by = number(args.int(1, "by")?);
    Ok((command(many, vec![key, by]), shape::plain))
}

pub(super) fn lrange(mut args: Args) -> Built {
    Ok((command("lrange", range(&mut args)?), shape::plain))
}

/// Takes scores and members in turn, and options after them.
pub(super) fn zadd(mut args: Args) -> Built {
    let known = ["nx", "xx", "gt", "lt", "ch", "incr"];
    let last = args.len().saturating_sub(1);
    let mut list = vec![scalar("key", args.take(0))?];
    if matches!(args.get(last), Some(Value::Map(_))) {
        Options::of(&mut args, last, &known)?.flags(&known, &mut list)?;
    }
    list.extend(scalars(Args::new(args.rest(1)))?);
    Ok((command("zadd", list), shape::plain))
}

pub(super) fn zrange(mut args: Args) -> Built {
    let mut list = range(&mut args)?;
    let mut options = Options::of(&mut args, 3, &["rev", "byscore", "limit", "withscores"])?;
    if let Some(limit) = options.take("limit") {
        let Value::List(limit) = limit else {
            return Err(wrong("limit", "a list of offset and count", &limit));
        };
        list.push(word("limit"));
        list.extend(scalars(Args::new(limit))?);
    }
    options.flags(&["rev", "byscore"], &mut list)?;
    let scores = options.flag("withscores", &mut list)?;
    let shape = if scores { shape::ranked } else { shape::plain };
    Ok((command("zrange", list), shape))
}

pub(super) fn scan(mut args: Args) -> Built {
    let mut list = vec![bound("cursor", args.take(0), "0")?];
    let options = Options::of(&mut args, 1, &["match", "count", "type"])?;
    for (name, value) in options.0 {
        list.extend([Bytes::from(String::from(name)), scalar("options", value)?]);
    }
    Ok((command("scan", list), shape::page))
}

/// Returns the keys among the arguments, as the commands built above get them.
pub(in crate::script::host) fn keys(function: &HostFn, args: &Args) -> Result<Vec<Bytes>, Fault> {
    let every = |step| Ok(scalars(args.clone())?.into_iter().step_by(step).collect());
    match function.args.first().map(|arg| arg.name) {
        Some("keys") => every(1),
        Some("pairs") => every(2),
        // A list would be taken apart, and its second member might become the key.
        _ => Ok(vec![scalar("key", args.clone().take(0))?]),
    }
}

/// Returns the pattern that `scan` goes by.
pub(in crate::script::host) fn scanned(args: &Args) -> Result<String, Fault> {
    let mut options = Options(args.clone().map(1, "options")?);
    match options.take("match") {
        None => Ok("*".to_owned()),
        Some(value) => {
            let pattern = scalar("match", value)?;
            Ok(String::from_utf8_lossy(&pattern).into_owned())
        }
    }
}

fn command(name: &'static str, args: Vec<Bytes>) -> Command {
    Command { name, args }
}

/// Takes a key and a range that is everything when left out.
fn range(args: &mut Args) -> Result<Vec<Bytes>, Fault> {
    Ok(vec![
        scalar("key", args.take(0))?,
        bound("start", args.take(1), "0")?,
        bound("stop", args.take(2), "-1")?,
    ])
}

fn bound(name: &str, value: Value, missing: &'static str) -> Result<Bytes, Fault> {
    match value {
        Value::Null => Ok(word(missing)),
        value => scalar(name, value),
    }
}

/// Takes all arguments; lists count as what they hold, maps as names and values in turn.
fn scalars(mut args: Args) -> Result<Vec<Bytes>, Fault> {
    let mut given = args.rest(0);
    while given.last().is_some_and(Value::is_null) {
        given.pop();
    }
    let mut list = Vec::with_capacity(given.len().max(1));
    if given.is_empty() {
        return Err(wrong("key", "a text", &Value::Null));
    }
    for value in given {
        match value {
            Value::List(parts) => {
                let parts = parts.into_iter().map(|part| scalar("values", part));
                list.extend(parts.collect::<Result<Vec<_>, _>>()?);
            }
            Value::Map(map) => {
                for (name, value) in map {
                    list.extend([Bytes::from(Vec::from(name)), scalar("value", value)?]);
                }
            }
            value => list.push(scalar(
                if list.is_empty() { "key" } else { "value" },
                value,
            )?),
        }
    }
    Ok(list)
}

/// Returns the bytes of a text, a number, a truth value or bytes.
fn scalar(name: &str, value: Value) -> Result<Bytes, Fault> {
    match value {
        Value::Text(text) => Ok(Bytes::from(Vec::from(text))),
        // Copied: it may be a slice of a message that would stay in memory as long as the key.
        Value::Bytes(bytes) => Ok(Bytes::copy_from_slice(&bytes)),
        // As scripts write it: 3, not 3.0.
        Value::Float(number) => Ok(Bytes::from(number.to_string())),
        Value::Null => Err(wrong(name, "a text", &Value::Null)),
        value => match value.to_text() {
            Some(text) => Ok(Bytes::from(Vec::from(text))),
            None => Err(wrong(name, "a text, a number or a truth value", &value)
                .hint("Store structures as text, for instance by `json`.")),
        },
    }
}

fn word(word: &'static str) -> Bytes {
    Bytes::from_static(word.as_bytes())
}

fn number(number: i64) -> Bytes {
    Bytes::from(number.to_string())
}

fn wrong(name: &str, wanted: &str, got: &Value) -> Fault {
    let got = match got {
        Value::Null => "nothing".to_owned(),
        Value::Text(text) => format!("'{text}'"),
        other => other.kind().to_owned(),
    };
    let message = format!("argument `{name}` must be {wanted}, got {got}");
    Fault::new(Code::ScriptArgument, message)
}

/// The options of a call, all of known names.
struct Options(Map);

impl Options {
    fn of(args: &mut Args, index: usize, known: &[&'static str]) -> Result<Self, Fault> {
        let map = args.map(index, "options")?;
        let Some(name) = map.names().find(|name| !known.contains(name)) else {
            return Ok(Self(map));
        };
        let hint = match closest(name, known.iter().copied()) {
            Some(near) => format!("Did you mean `{near}`?"),
            None => format!("Known are {}.", known.join(", ")),
        };
        let message = format!("there is no option `{name}`");
        Err(Fault::new(Code::ScriptArgument, message).hint(hint))
    }

    fn take(&mut self, name: &str) -> Option<Value> {
        self.0.remove(name).filter(|value| !value.is_null())
    }

    /// Adds an option if it is switched on; tells whether it is.
    fn flag(&mut self, name: &'static str, list: &mut Vec<Bytes>) -> Result<bool, Fault> {
        match self.take(name) {
            None | Some(Value::Bool(false)) => Ok(false),
            Some(Value::Bool(true)) => {
                list.push(word(name));
                Ok(true)
            }
            Some(other) => Err(wrong(name, "true or false", &other)),
        }
    }

    fn flags(&mut self, names: &[&'static str], list: &mut Vec<Bytes>) -> Result<(), Fault> {
        names
            .iter()
            .try_for_each(|name| self.flag(name, list).map(drop))
    }
}
