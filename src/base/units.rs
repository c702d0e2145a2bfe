//! Quantities that carry their unit: `30s`, `2MiB`.

use std::fmt;
use std::time::Duration;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A duration with millisecond precision, written `250ms`, `30s`, `5m`, `1h`, `2d`, `1w`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Millis(pub u64);

/// An amount of bytes, written `512B`, `64KiB`, `2MiB`, `1GiB`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ByteSize(pub u64);

const TIME_UNITS: &[(&str, u64)] = &[
    ("w", 604_800_000),
    ("d", 86_400_000),
    ("h", 3_600_000),
    ("m", 60_000),
    ("s", 1_000),
    ("ms", 1),
];
const SIZE_UNITS: &[(&str, u64)] = &[
    ("GiB", 1 << 30),
    ("MiB", 1 << 20),
    ("KiB", 1 << 10),
    ("B", 1),
];

impl Millis {
    /// Returns `seconds` as milliseconds.
    pub const fn seconds(seconds: u64) -> Self {
        Self(seconds * 1_000)
    }

    /// Reads `30s`, or several parts such as `1h30m`.
    pub fn parse(text: &str) -> Option<Self> {
        let mut rest = text.trim();
        let mut total: u64 = 0;
        if rest.is_empty() {
            return None;
        }
        while !rest.is_empty() {
            let (amount, after) = leading_number(rest)?;
            let end = after
                .find(|c: char| c.is_ascii_digit())
                .unwrap_or(after.len());
            let (unit, next) = after.split_at_checked(end)?;
            let factor = TIME_UNITS.iter().find(|(name, _)| *name == unit.trim())?.1;
            total = total.checked_add(amount.checked_mul(factor)?)?;
            rest = next;
        }
        Some(Self(total))
    }
}

impl ByteSize {
    /// Reads `2MiB`.
    pub fn parse(text: &str) -> Option<Self> {
        let (amount, unit) = leading_number(text.trim())?;
        let factor = SIZE_UNITS.iter().find(|(name, _)| *name == unit.trim())?.1;
        Some(Self(amount.checked_mul(factor)?))
    }

    /// Returns the amount as an index of memory.
    pub fn as_usize(self) -> usize {
        usize::try_from(self.0).unwrap_or(usize::MAX)
    }
}

fn leading_number(text: &str) -> Option<(u64, &str)> {
    let end = text
        .find(|c: char| !c.is_ascii_digit())
        .unwrap_or(text.len());
    let (digits, rest) = text.split_at_checked(end)?;
    Some((digits.parse().ok()?, rest))
}

fn largest_unit(amount: u64, units: &[(&'static str, u64)]) -> (u64, &'static str) {
    let fits = |(_, factor): &&(&str, u64)| amount >= *factor && amount.is_multiple_of(*factor);
    match units.iter().find(fits) {
        Some((name, factor)) => (amount / factor, name),
        None => (amount, units.last().map_or("", |(name, _)| name)),
    }
}

impl From<Millis> for Duration {
    fn from(millis: Millis) -> Self {
        Self::from_millis(millis.0)
    }
}

macro_rules! as_text {
    ($type:ident, $units:ident, $unit:literal, $example:literal) => {
        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                let (amount, unit) = largest_unit(self.0, $units);
                write!(f, "{amount}{unit}")
            }
        }

        impl Serialize for $type {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> Deserialize<'de> for $type {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = String::deserialize(deserializer)?;
                Self::parse(&text).ok_or_else(|| {
                    serde::de::Error::custom(format!(concat!("{:?} is not a ", $unit, ": write ", $example), text))
                })
            }
        }

        impl JsonSchema for $type {
            fn inline_schema() -> bool {
                true
            }
            fn schema_name() -> std::borrow::Cow<'static, str> {
                stringify!($type).into()
            }
            fn json_schema(_: &mut SchemaGenerator) -> Schema {
                json_schema!({"type": "string", "x-unit": $unit})
            }
        }
    };
}

as_text!(Millis, TIME_UNITS, "duration", "250ms, 30s, 5m, 1h or 2d");
as_text!(ByteSize, SIZE_UNITS, "size", "512B, 64KiB, 2MiB or 1GiB");

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_read_and_print_the_same() {
        for text in ["250ms", "30s", "5m", "1h", "2d", "1w"] {
            assert_eq!(Millis::parse(text).unwrap().to_string(), text);
        }
        assert_eq!(Millis::parse("1h30m"), Some(Millis(5_400_000)));
        for bad in ["", "s", "30", "30x", "-1s", "99999999999999999w"] {
            assert_eq!(Millis::parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn sizes_read_and_print_the_same() {
        assert_eq!(ByteSize::parse("2MiB").unwrap().to_string(), "2MiB");
        assert_eq!(ByteSize::parse("2mb"), None);
    }
}
