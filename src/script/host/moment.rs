//! The moments behind `date` and `ctx.time`: a date, a local time, or a time with its offset.
//!
//! Scripts see a table: `year month day weekday`, with a time of day also `hour minute second millisecond`,
//! with an offset also `offset unix`, and always `text`. They may pass a text or such a table back; the
//! numbers count, not the text, so that a script can change one of them.

use std::fmt::Write as _;

use chrono::format::{Item, StrftimeItems};
use chrono::{
    DateTime, Datelike as _, FixedOffset, NaiveDate, NaiveDateTime, NaiveTime, Timelike as _, Utc,
};

use crate::base::{Fault, Map, Value};
use crate::contract::Args;
use crate::script::host::data::refused;
use crate::script::host::zone;
use crate::sio;

/// How long a pattern may be.
const MAX_PATTERN: usize = 256;

/// A date, a local time, or a time with its offset.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Moment {
    /// A calendar date.
    Date(NaiveDate),
    /// A time of day at a date, wherever that is.
    Local(NaiveDateTime),
    /// A moment of the world.
    Zoned(DateTime<FixedOffset>),
}

/// Returns the present in a zone.
pub(crate) fn now(clock: DateTime<Utc>, zone: &str) -> Result<Moment, Fault> {
    let moment = clock.with_timezone(&zone::named(zone)?).fixed_offset();
    // What a script sees ends with milliseconds; a hidden rest would make equal moments differ.
    let nanos = moment.nanosecond() / 1_000_000 * 1_000_000;
    Ok(Moment::Zoned(
        moment.with_nanosecond(nanos).unwrap_or(moment),
    ))
}

impl Moment {
    /// Takes a moment as a text, a table or a value.
    pub(crate) fn take(args: &mut Args, index: usize, name: &str) -> Result<Self, Fault> {
        let value = args.take(index);
        let read = match &value {
            Value::Date(date) => Some(Self::Date(*date)),
            Value::DateTime(moment) => Some(Self::Zoned(*moment)),
            Value::Text(text) => Self::parse(text),
            Value::Map(map) => Self::of_map(map),
            _ => None,
        };
        read.ok_or_else(|| {
            let kind = if value.is_null() {
                "nothing"
            } else {
                value.kind()
            };
            let shown: String = match &value {
                Value::Text(text) => text.chars().take(40).collect(),
                _ => kind.to_owned(),
            };
            let wanted = "a date such as 2013-09-03 or a time such as 2013-09-03T10:00:00Z";
            refused(format!(
                "argument `{name}` must be {wanted}, got `{}`",
                shown.escape_debug()
            ))
        })
    }

    /// Reads a date, a local time, RFC 3339, or the date of HTTP and mail.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        if let Some(date) = sio::date_of(text) {
            return Some(Self::Date(date));
        }
        if let Some(moment) = sio::datetime_of(text) {
            return Some(Self::Zoned(moment));
        }
        // chrono reads years of any length; the wire has four digits.
        if text.as_bytes().get(4) != Some(&b'-') {
            return DateTime::parse_from_rfc2822(text).ok().map(Self::Zoned);
        }
        let patterns = [
            "%Y-%m-%dT%H:%M:%S%.f",
            "%Y-%m-%d %H:%M:%S%.f",
            "%Y-%m-%dT%H:%M",
        ];
        patterns
            .iter()
            .find_map(|pattern| NaiveDateTime::parse_from_str(text, pattern).ok())
            .map(Self::Local)
    }

    /// Reads a text by a pattern: with a time of day or without, with an offset or without.
    pub(crate) fn parse_with(text: &str, pattern: &str) -> Result<Self, Fault> {
        checked(pattern)?;
        let zoned = DateTime::parse_from_str(text, pattern)
            .ok()
            .map(Self::Zoned);
        let local = || {
            NaiveDateTime::parse_from_str(text, pattern)
                .ok()
                .map(Self::Local)
        };
        let date = || {
            NaiveDate::parse_from_str(text, pattern)
                .ok()
                .map(Self::Date)
        };
        zoned.or_else(local).or_else(date).ok_or_else(|| {
            let start: String = text.chars().take(40).collect();
            let start = start.escape_debug();
            refused(format!("`{start}` is not a date in the form `{pattern}`"))
        })
    }

    fn of_map(map: &Map) -> Option<Self> {
        let part = |name: &str, or: Option<u32>| match map.get(name) {
            None | Some(Value::Null) => or,
            Some(Value::Int(number)) => u32::try_from(*number).ok(),
            Some(Value::Float(number)) => format!("{number}").parse().ok(),
            Some(_) => None,
        };
        let year = i32::try_from(part("year", None)?).ok()?;
        let date = NaiveDate::from_ymd_opt(year, part("month", None)?, part("day", None)?)?;
        if !map.contains("hour") {
            return Some(Self::Date(date));
        }
        let (hour, minute) = (part("hour", None)?, part("minute", Some(0))?);
        let (second, milli) = (part("second", Some(0))?, part("millisecond", Some(0))?);
        let local = date.and_time(NaiveTime::from_hms_milli_opt(hour, minute, second, milli)?);
        match map.get("offset") {
            None | Some(Value::Null) => Some(Self::Local(local)),
            Some(Value::Text(offset)) => {
                let offset: FixedOffset = offset.parse().ok()?;
                local.and_local_timezone(offset).single().map(Self::Zoned)
            }
            Some(_) => None,
        }
    }

    /// Returns the same moment as the clocks of a zone show it; only a moment of the world has one.
    pub(crate) fn in_zone(self, zone: &str) -> Result<Self, Fault> {
        let zone = zone::named(zone)?;
        let moment = self.zoned()?;
        Ok(Self::Zoned(moment.with_timezone(&zone).fixed_offset()))
    }

    /// Returns the moment of the world, which a time without an offset is not.
    pub(crate) fn zoned(self) -> Result<DateTime<FixedOffset>, Fault> {
        match self {
            Self::Zoned(moment) => Ok(moment),
            other => {
                let fault = refused(format!("`{}` has no offset", other.text()));
                Err(fault.hint("Say where it is: `date.from_zone(moment, zone)`."))
            }
        }
    }

    /// Returns the date.
    pub(crate) fn date(self) -> NaiveDate {
        match self {
            Self::Date(date) => date,
            Self::Local(local) => local.date(),
            Self::Zoned(moment) => moment.date_naive(),
        }
    }

    /// Returns the local time; a date begins at midnight.
    pub(crate) fn local(self) -> NaiveDateTime {
        match self {
            Self::Date(date) => date.and_time(NaiveTime::MIN),
            Self::Local(local) => local,
            Self::Zoned(moment) => moment.naive_local(),
        }
    }

    /// Returns the moment if its year has four digits.
    pub(crate) fn in_range(self) -> Option<Self> {
        (0..=9999).contains(&self.date().year()).then_some(self)
    }

    /// Returns the moment as ISO 8601 text.
    pub(crate) fn text(self) -> String {
        match self {
            Self::Date(date) => date.to_string(),
            Self::Local(local) => format!("{local:?}"),
            Self::Zoned(moment) => moment.to_rfc3339_opts(chrono::SecondsFormat::AutoSi, true),
        }
    }

    /// Returns the table that scripts see.
    pub(crate) fn into_value(self) -> Value {
        let date = self.date();
        let mut map = Map::with_capacity(11);
        let mut set = |name: &'static str, number: i64| map.push(name.into(), Value::Int(number));
        set("year", date.year().into());
        set("month", date.month().into());
        set("day", date.day().into());
        set("weekday", date.weekday().number_from_monday().into());
        if !matches!(self, Self::Date(_)) {
            let local = self.local();
            set("hour", local.hour().into());
            set("minute", local.minute().into());
            set("second", local.second().into());
            set(
                "millisecond",
                (local.nanosecond() / 1_000_000 % 1_000).into(),
            );
        }
        if let Self::Zoned(moment) = self {
            set("unix", moment.timestamp());
            map.push("offset".into(), moment.offset().to_string().into());
        }
        map.push("text".into(), self.text().into());
        Value::Map(map)
    }

    /// Writes the moment by a pattern.
    pub(crate) fn format(self, pattern: &str) -> Result<Value, Fault> {
        let items = checked(pattern)?;
        let mut text = String::new();
        let written = match self {
            Self::Date(date) => write!(text, "{}", date.format_with_items(items.iter())),
            Self::Local(local) => write!(text, "{}", local.format_with_items(items.iter())),
            Self::Zoned(moment) => write!(text, "{}", moment.format_with_items(items.iter())),
        };
        written.map_err(|_ignored| {
            refused(format!(
                "`{}` lacks what the pattern `{pattern}` asks for",
                self.text()
            ))
        })?;
        Ok(Value::from(text))
    }
}

fn checked(pattern: &str) -> Result<Vec<Item<'_>>, Fault> {
    let items: Vec<Item<'_>> = StrftimeItems::new(pattern).take(MAX_PATTERN).collect();
    if pattern.len() > MAX_PATTERN || items.contains(&Item::Error) {
        let start: String = pattern.chars().take(40).collect();
        let message = format!("the pattern `{}` is not understood", start.escape_debug());
        return Err(refused(message).hint("Write it like `%Y-%m-%d %H:%M:%S`."));
    }
    Ok(items)
}
