//! What a key holds, and how it is written to the file.

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};

use bytes::Bytes;

/// Memory that a key, a field or a member takes beside its bytes; a rough figure for the limit.
pub(super) const OVERHEAD: usize = 64;

/// What a key holds. Hashes and sets are sorted, so that replies have the same order each time.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Data {
    Text(Bytes),
    Hash(Hash),
    List(List),
    Set(Set),
    Sorted(Sorted),
}

pub(super) type Hash = BTreeMap<Bytes, Bytes>;
pub(super) type List = VecDeque<Bytes>;
pub(super) type Set = BTreeSet<Bytes>;

/// A set whose members have scores.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Sorted {
    scores: HashMap<Bytes, f64>,
    order: BTreeSet<(Score, Bytes)>,
}

/// A score; never NaN.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Score(pub(super) f64);

impl Eq for Score {}

impl PartialOrd for Score {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Score {
    // Not `total_cmp`: 0 and -0 are the same score.
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.0
            .partial_cmp(&other.0)
            .unwrap_or(std::cmp::Ordering::Equal)
    }
}

impl Sorted {
    pub(super) fn score(&self, member: &[u8]) -> Option<f64> {
        self.scores.get(member).copied()
    }

    pub(super) fn set(&mut self, member: Bytes, score: f64) {
        self.remove(&member);
        self.order.insert((Score(score), member.clone()));
        self.scores.insert(member, score);
    }

    pub(super) fn remove(&mut self, member: &Bytes) -> bool {
        let Some(score) = self.scores.remove(member) else {
            return false;
        };
        self.order.remove(&(Score(score), member.clone()));
        true
    }

    pub(super) fn len(&self) -> usize {
        self.scores.len()
    }

    /// Walks the members from the lowest score, equal ones by their bytes.
    pub(super) fn iter(&self) -> impl DoubleEndedIterator<Item = (&Bytes, f64)> {
        self.order.iter().map(|(score, member)| (member, score.0))
    }
}

/// A kind of collection. An empty one does not exist: its key goes away.
pub(super) trait Collection: Default {
    fn of(data: &Data) -> Option<&Self>;
    fn of_mut(data: &mut Data) -> Option<&mut Self>;
    fn wrap(self) -> Data;
    fn gone(&self) -> bool;
}

macro_rules! collection {
    ($type:ident, $variant:ident, $empty:expr) => {
        impl Collection for $type {
            fn of(data: &Data) -> Option<&Self> {
                match data {
                    Data::$variant(inner) => Some(inner),
                    _ => None,
                }
            }
            fn of_mut(data: &mut Data) -> Option<&mut Self> {
                match data {
                    Data::$variant(inner) => Some(inner),
                    _ => None,
                }
            }
            fn wrap(self) -> Data {
                Data::$variant(self)
            }
            fn gone(&self) -> bool {
                let empty: fn(&Self) -> bool = $empty;
                empty(self)
            }
        }
    };
}

collection!(Hash, Hash, |hash| hash.is_empty());
collection!(List, List, |list| list.is_empty());
collection!(Set, Set, |set| set.is_empty());
collection!(Sorted, Sorted, |sorted| sorted.len() == 0);

impl Data {
    /// Returns about how much memory it takes.
    pub(super) fn weight(&self) -> usize {
        let sum = |parts: &mut dyn Iterator<Item = usize>| parts.map(|n| n + OVERHEAD).sum();
        match self {
            Self::Text(text) => text.len(),
            Self::Hash(hash) => sum(&mut hash.iter().map(|(f, v)| f.len() + v.len())),
            Self::List(list) => sum(&mut list.iter().map(Bytes::len)),
            Self::Set(set) => sum(&mut set.iter().map(Bytes::len)),
            Self::Sorted(sorted) => sum(&mut sorted.iter().map(|(member, _)| member.len())),
        }
    }

    /// Returns the word that `scan … type` knows it by.
    pub(super) fn type_name(&self) -> &'static str {
        match self {
            Self::Text(_) => "string",
            Self::Hash(_) => "hash",
            Self::List(_) => "list",
            Self::Set(_) => "set",
            Self::Sorted(_) => "zset",
        }
    }

    /// Writes it for the file: format, type, expiry in milliseconds since 1970 (0 = none), content.
    pub(super) fn encode(&self, expires: u64) -> Vec<u8> {
        let mut out = Vec::with_capacity(10 + self.weight());
        out.extend([FORMAT, self.tag()]);
        out.extend(expires.to_le_bytes());
        match self {
            Self::Text(text) => out.extend_from_slice(text),
            Self::Hash(hash) => hash.iter().for_each(|(field, value)| {
                put(&mut out, field);
                put(&mut out, value);
            }),
            Self::List(list) => list.iter().for_each(|member| put(&mut out, member)),
            Self::Set(set) => set.iter().for_each(|member| put(&mut out, member)),
            Self::Sorted(sorted) => sorted.iter().for_each(|(member, score)| {
                out.extend(score.to_bits().to_le_bytes());
                put(&mut out, member);
            }),
        }
        out
    }

    /// Reads what `encode` wrote; `None` when it is something else.
    pub(super) fn decode(bytes: &[u8]) -> Option<(Self, u64)> {
        let (&[format, tag], rest) = bytes.split_first_chunk::<2>()?;
        let (expires, mut rest) = rest.split_first_chunk::<8>()?;
        if format != FORMAT {
            return None;
        }
        let data = match tag {
            b't' => Self::Text(Bytes::copy_from_slice(rest)),
            b'h' => Self::Hash(all(&mut rest, |rest| Some((take(rest)?, take(rest)?)))?),
            b'l' => Self::List(all(&mut rest, take)?),
            b's' => Self::Set(all(&mut rest, take)?),
            b'z' => Self::Sorted(all(&mut rest, |rest| {
                Some((take_score(rest)?, take(rest)?))
            })?),
            _ => return None,
        };
        Some((data, u64::from_le_bytes(*expires)))
    }

    fn tag(&self) -> u8 {
        match self {
            Self::Text(_) => b't',
            Self::Hash(_) => b'h',
            Self::List(_) => b'l',
            Self::Set(_) => b's',
            Self::Sorted(_) => b'z',
        }
    }
}

const FORMAT: u8 = 1;

impl FromIterator<(f64, Bytes)> for Sorted {
    fn from_iter<I: IntoIterator<Item = (f64, Bytes)>>(pairs: I) -> Self {
        let mut sorted = Self::default();
        for (score, member) in pairs {
            sorted.set(member, score);
        }
        sorted
    }
}

fn put(out: &mut Vec<u8>, bytes: &[u8]) {
    // Members are at most VALUE_LIMIT long, so the length fits.
    let length = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
    out.extend(length.to_le_bytes());
    out.extend_from_slice(bytes);
}

fn take(rest: &mut &[u8]) -> Option<Bytes> {
    let (length, after) = rest.split_first_chunk::<4>()?;
    let length = usize::try_from(u32::from_le_bytes(*length)).ok()?;
    let (bytes, after) = after.split_at_checked(length)?;
    *rest = after;
    Some(Bytes::copy_from_slice(bytes))
}

fn take_score(rest: &mut &[u8]) -> Option<f64> {
    let (bits, after) = rest.split_first_chunk::<8>()?;
    *rest = after;
    let score = f64::from_bits(u64::from_le_bytes(*bits));
    (!score.is_nan()).then_some(score)
}

fn all<T, C: FromIterator<T>>(
    rest: &mut &[u8],
    mut one: impl FnMut(&mut &[u8]) -> Option<T>,
) -> Option<C> {
    let mut parts = Vec::new();
    while !rest.is_empty() {
        parts.push(one(rest)?);
    }
    Some(parts.into_iter().collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes(text: &'static str) -> Bytes {
        Bytes::from_static(text.as_bytes())
    }

    #[test]
    fn everything_reads_back_as_it_was_written() {
        let cases = [
            Data::Text(bytes("a\0b")),
            Data::Hash([(bytes("f"), bytes("v")), (bytes(""), bytes(""))].into()),
            Data::List([bytes("b"), bytes("a"), bytes("b")].into()),
            Data::Set([bytes("x"), bytes("y")].into()),
            Data::Sorted(
                [(1.5, bytes("m")), (f64::INFINITY, bytes("n"))]
                    .into_iter()
                    .collect(),
            ),
        ];
        for data in cases {
            assert_eq!(
                Data::decode(&data.encode(7)),
                Some((data.clone(), 7)),
                "{data:?}"
            );
        }
    }

    #[test]
    fn damaged_bytes_are_refused() {
        let good = Data::List([bytes("abc")].into()).encode(0);
        for end in 0..good.len() {
            let cut = &good[..end];
            let whole = end == 10; // an empty list is well-formed
            assert_eq!(Data::decode(cut).is_some(), whole, "{end}");
        }
        assert_eq!(Data::decode(&[2, b't', 0, 0, 0, 0, 0, 0, 0, 0]), None);
    }
}
