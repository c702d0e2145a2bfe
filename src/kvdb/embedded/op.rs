//! A command under way, as its handler sees it.

use bytes::Bytes;

use crate::base::{Clock, Fault};
use crate::contract::KvReply;
use crate::kvdb::{fault, number};

/// What a handler gives back.
pub(in crate::kvdb) type Reply = Result<KvReply, Fault>;

/// A command under way.
pub(in crate::kvdb) struct Op<'a> {
    pub(super) name: &'static str,
    pub(super) args: &'a [Bytes],
    pub(super) clock: &'a dyn Clock,
}

impl<'a> Op<'a> {
    /// Returns the time in milliseconds since 1970.
    pub(super) fn now(&self) -> u64 {
        millis(self.clock)
    }

    /// Returns the key.
    pub(super) fn key(&self) -> Result<&'a Bytes, Fault> {
        self.arg(0)
    }

    /// Returns an argument.
    pub(super) fn arg(&self, index: usize) -> Result<&'a Bytes, Fault> {
        self.args.get(index).ok_or_else(|| fault::arity(self.name))
    }

    /// Returns the arguments from `index` on.
    pub(super) fn rest(&self, index: usize) -> &'a [Bytes] {
        self.args.get(index..).unwrap_or_default()
    }

    /// Returns the arguments from `index` on in pairs.
    pub(super) fn pairs(
        &self,
        index: usize,
    ) -> Result<impl Iterator<Item = (&'a Bytes, &'a Bytes)>, Fault> {
        let (pairs, odd) = self.rest(index).as_chunks::<2>();
        if !odd.is_empty() {
            return Err(fault::arity(self.name));
        }
        Ok(pairs.iter().map(|[first, second]| (first, second)))
    }

    /// Reads an argument as an integer.
    pub(super) fn int(&self, index: usize) -> Result<i64, Fault> {
        self.read_int(self.arg(index)?)
    }

    /// Reads an integer.
    pub(super) fn read_int(&self, bytes: &[u8]) -> Result<i64, Fault> {
        number::int(bytes).ok_or_else(|| fault::not_an_integer(self.name))
    }

    /// Returns the options from `index` on, in lower case.
    pub(super) fn options(&self, index: usize) -> Vec<Vec<u8>> {
        let lower = |arg: &Bytes| arg.to_ascii_lowercase();
        self.rest(index).iter().map(lower).collect()
    }
}

/// Returns the time in milliseconds since 1970.
pub(super) fn millis(clock: &dyn Clock) -> u64 {
    u64::try_from(clock.now().timestamp_millis()).unwrap_or_default()
}

/// Returns a count as a reply.
pub(super) fn count(number: usize) -> KvReply {
    KvReply::Int(i64::try_from(number).unwrap_or(i64::MAX))
}

/// Returns a truth value as a reply.
pub(super) fn truth(truth: bool) -> KvReply {
    KvReply::Int(i64::from(truth))
}

/// Returns texts as a reply.
pub(super) fn list<'a>(parts: impl Iterator<Item = &'a Bytes>) -> KvReply {
    KvReply::List(parts.map(|part| KvReply::Data(part.clone())).collect())
}

/// Returns a text, or nothing, as a reply.
pub(super) fn data(bytes: Option<&Bytes>) -> KvReply {
    bytes.map_or(KvReply::Nil, |bytes| KvReply::Data(bytes.clone()))
}

/// Turns a range that may count from the end into positions `from..to` within `len`.
pub(super) fn range(start: i64, stop: i64, len: usize) -> std::ops::Range<usize> {
    let length = i64::try_from(len).unwrap_or(i64::MAX);
    let from_end = |n: i64| if n < 0 { n.saturating_add(length) } else { n };
    let start = from_end(start).max(0);
    let stop = from_end(stop).min(length - 1);
    if start > stop {
        return 0..0;
    }
    let place = |n: i64| usize::try_from(n).unwrap_or_default();
    place(start)..place(stop) + 1
}
