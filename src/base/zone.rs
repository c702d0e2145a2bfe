//! IANA time zones, from a database inside the binary: what a host has installed changes nothing.

use std::fmt;

use chrono::{
    DateTime, Datelike as _, FixedOffset, MappedLocalTime, NaiveDate, NaiveDateTime, NaiveTime,
    Offset, TimeZone, Timelike as _, Utc,
};
use jiff::Timestamp;
use jiff::civil;
use jiff::tz::{AmbiguousOffset, TimeZoneDatabase};

use crate::base::closest;

/// A time zone, such as `Europe/Warsaw`. Cheap to clone.
// The database holds plain bytes: tables of texts would be written to, page by page, whenever a process starts.
#[derive(Clone, PartialEq)]
pub struct Zone(jiff::tz::TimeZone);

impl Zone {
    /// Coordinated universal time.
    pub const UTC: Self = Self(jiff::tz::TimeZone::UTC);

    /// Returns the zone of an IANA name, spelt exactly.
    pub fn named(name: &str) -> Option<Self> {
        let zone = TimeZoneDatabase::bundled().get(name).ok()?;
        (zone.iana_name() == Some(name)).then_some(Self(zone))
    }

    /// Returns the name of a zone that one may have meant.
    pub fn nearest(name: &str) -> Option<String> {
        let database = TimeZoneDatabase::bundled();
        let names: Vec<_> = database.available().collect();
        closest(name, names.iter().map(jiff::tz::TimeZoneName::as_str)).map(str::to_owned)
    }

    fn offset(&self, seconds: i32) -> Option<ZoneOffset> {
        let fixed = FixedOffset::east_opt(seconds)?;
        Some(ZoneOffset {
            zone: self.clone(),
            fixed,
        })
    }

    fn mapped(&self, found: AmbiguousOffset) -> MappedLocalTime<ZoneOffset> {
        let offset = |offset: jiff::tz::Offset| self.offset(offset.seconds());
        match found {
            AmbiguousOffset::Unambiguous { offset: only } => {
                offset(only).map_or(MappedLocalTime::None, MappedLocalTime::Single)
            }
            AmbiguousOffset::Gap { .. } => MappedLocalTime::None,
            AmbiguousOffset::Fold { before, after } => match (offset(before), offset(after)) {
                (Some(first), Some(second)) => MappedLocalTime::Ambiguous(first, second),
                _ => MappedLocalTime::None,
            },
        }
    }
}

impl fmt::Debug for Zone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.iana_name().unwrap_or("?"))
    }
}

/// How far the clocks of a zone are from UTC at some moment.
#[derive(Clone, Debug)]
pub struct ZoneOffset {
    zone: Zone,
    fixed: FixedOffset,
}

impl fmt::Display for ZoneOffset {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.fixed.fmt(f)
    }
}

impl Offset for ZoneOffset {
    fn fix(&self) -> FixedOffset {
        self.fixed
    }
}

impl TimeZone for Zone {
    type Offset = ZoneOffset;

    fn from_offset(offset: &ZoneOffset) -> Self {
        offset.zone.clone()
    }

    fn offset_from_local_date(&self, local: &NaiveDate) -> MappedLocalTime<ZoneOffset> {
        self.offset_from_local_datetime(&local.and_time(NaiveTime::MIN))
    }

    fn offset_from_local_datetime(&self, local: &NaiveDateTime) -> MappedLocalTime<ZoneOffset> {
        self.mapped(self.0.to_ambiguous_timestamp(clocks(local)).offset())
    }

    fn offset_from_utc_date(&self, utc: &NaiveDate) -> ZoneOffset {
        self.offset_from_utc_datetime(&utc.and_time(NaiveTime::MIN))
    }

    fn offset_from_utc_datetime(&self, utc: &NaiveDateTime) -> ZoneOffset {
        let offset = self.0.to_offset(moment(utc.and_utc())).seconds();
        let fixed = FixedOffset::east_opt(offset).unwrap_or_else(|| Utc.fix());
        ZoneOffset {
            zone: self.clone(),
            fixed,
        }
    }
}

/// Returns a moment of the years −9999 to 9999; before and after them no zone changes its clocks.
fn moment(at: DateTime<Utc>) -> Timestamp {
    let least = if at.timestamp() < 0 {
        Timestamp::MIN
    } else {
        Timestamp::MAX
    };
    Timestamp::from_second(at.timestamp()).unwrap_or(least)
}

fn clocks(local: &NaiveDateTime) -> civil::DateTime {
    let small = |number: u32| i8::try_from(number).unwrap_or(i8::MAX);
    let read = || {
        let year = i16::try_from(local.year()).ok()?;
        let (date, time) = (local.date(), local.time());
        let (hour, minute, second) = (
            small(time.hour()),
            small(time.minute()),
            small(time.second()),
        );
        civil::DateTime::new(
            year,
            small(date.month()),
            small(date.day()),
            hour,
            minute,
            second,
            0,
        )
        .ok()
    };
    let least = if local.year() < 0 {
        civil::DateTime::MIN
    } else {
        civil::DateTime::MAX
    };
    read().unwrap_or(least)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn local(zone: &str, text: &str) -> MappedLocalTime<i32> {
        let zone = Zone::named(zone).unwrap();
        let local: NaiveDateTime = text.parse().unwrap();
        zone.offset_from_local_datetime(&local)
            .map(|offset| offset.fix().local_minus_utc() / 60)
    }

    #[test]
    fn clocks_that_change_show_a_time_once_twice_or_never() {
        assert_eq!(
            local("Europe/Warsaw", "2013-07-01T12:00:00"),
            MappedLocalTime::Single(120)
        );
        assert_eq!(
            local("Europe/Warsaw", "2013-03-31T02:30:00"),
            MappedLocalTime::None
        );
        assert_eq!(
            local("Europe/Warsaw", "2013-10-27T02:30:00"),
            MappedLocalTime::Ambiguous(120, 60)
        );
        // Before there were zones, after the table ends, and where no date has a name in it.
        assert_eq!(
            local("Europe/Warsaw", "1600-01-01T00:00:00"),
            MappedLocalTime::Single(84)
        );
        assert_eq!(
            local("Europe/Warsaw", "2500-07-01T00:00:00"),
            MappedLocalTime::Single(120)
        );
        assert_eq!(
            local("Europe/Warsaw", "+20000-01-01T00:00:00"),
            MappedLocalTime::Single(60)
        );
    }

    #[test]
    fn a_moment_shows_on_the_clocks_of_a_zone_and_comes_back() {
        let zone = Zone::named("Australia/Lord_Howe").unwrap();
        for second in [
            -9_999_999_999_i64,
            0,
            1_380_990_600,
            1_700_000_000,
            99_999_999_999,
        ] {
            let at = DateTime::from_timestamp(second, 0).unwrap();
            let there = at.with_timezone(&zone);
            assert_eq!(there.to_utc(), at);
            let back = zone.from_local_datetime(&there.naive_local());
            let there = Some(there);
            assert!(back.clone().earliest() == there || back.latest() == there);
        }
    }

    #[test]
    fn a_name_is_spelt_exactly_and_what_was_meant_is_told() {
        assert_eq!(Zone::named("UTC"), Some(Zone::UTC));
        assert_eq!(
            (Zone::named("europe/paris"), Zone::named("../etc/passwd")),
            (None, None)
        );
        assert_eq!(
            Zone::nearest("Europe/Pariss").as_deref(),
            Some("Europe/Paris")
        );
        assert!(format!("{:?}", Zone::named("Asia/Tokyo")).contains("Asia/Tokyo"));
    }
}
