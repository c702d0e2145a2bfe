//! From the reply of a command to what a script gets.

use bytes::Bytes;

use crate::base::{Map, Text, Value};
use crate::contract::KvReply;

/// A way to read a reply.
pub(super) type Shape = fn(KvReply) -> Value;

/// Texts as text, or as bytes when they are none; nothing as nothing; lists as lists.
pub(super) fn plain(reply: KvReply) -> Value {
    match reply {
        KvReply::Nil => Value::Null,
        KvReply::Ok => Value::Bool(true),
        KvReply::Int(number) => Value::Int(number),
        KvReply::Data(bytes) => data(bytes),
        KvReply::List(parts) => Value::List(parts.into_iter().map(plain).collect()),
    }
}

/// Whether it was done.
#[expect(clippy::needless_pass_by_value, reason = "all shapes have one type")]
pub(super) fn done(reply: KvReply) -> Value {
    Value::Bool(reply == KvReply::Ok)
}

/// Field, value, field, value as a map.
pub(super) fn map(reply: KvReply) -> Value {
    let pairs = pairs(reply).into_iter();
    Value::Map(
        pairs
            .map(|(field, value)| (text(&field), plain(value)))
            .collect(),
    )
}

/// Member, score, member, score as a list of maps.
pub(super) fn ranked(reply: KvReply) -> Value {
    let one = |(member, score)| {
        let mut map = Map::with_capacity(2);
        map.push(Text::const_new("member"), plain(member));
        map.push(Text::const_new("score"), self::score(&score));
        Value::Map(map)
    };
    Value::List(pairs(reply).into_iter().map(one).collect())
}

/// A cursor and the keys met.
pub(super) fn page(reply: KvReply) -> Value {
    let (cursor, keys) = pairs(reply)
        .into_iter()
        .next()
        .unwrap_or((KvReply::Nil, KvReply::Nil));
    let mut map = Map::with_capacity(2);
    map.push(Text::const_new("cursor"), plain(cursor));
    map.push(Text::const_new("keys"), plain(keys));
    Value::Map(map)
}

fn pairs(reply: KvReply) -> Vec<(KvReply, KvReply)> {
    let KvReply::List(parts) = reply else {
        return Vec::new();
    };
    let mut parts = parts.into_iter();
    std::iter::from_fn(|| Some((parts.next()?, parts.next()?))).collect()
}

fn data(bytes: Bytes) -> Value {
    match std::str::from_utf8(&bytes) {
        Ok(text) => Value::text(text),
        Err(_not_text) => Value::Bytes(bytes),
    }
}

fn text(reply: &KvReply) -> Text {
    match reply {
        KvReply::Data(bytes) => Text::from(String::from_utf8_lossy(bytes)),
        _ => Text::default(),
    }
}

/// A score as a number; an infinite one stays text, since values have no such number.
fn score(reply: &KvReply) -> Value {
    let text = text(reply);
    if let Ok(whole) = text.parse() {
        return Value::Int(whole);
    }
    let number = text.parse().ok().filter(|number: &f64| number.is_finite());
    number.map_or(Value::Text(text), Value::Float)
}
