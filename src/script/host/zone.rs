//! IANA time zones: finding one by its name, and what a local time means where clocks are changed.

use chrono::{
    DateTime, FixedOffset, MappedLocalTime, NaiveDateTime, Offset as _, TimeDelta, TimeZone as _,
};

use crate::base::{Fault, Zone};
use crate::script::host::data::refused;

/// Finds a zone.
pub(crate) fn named(name: &str) -> Result<Zone, Fault> {
    Zone::named(name).ok_or_else(|| {
        let message = format!("there is no time zone `{}`", name.escape_debug());
        match Zone::nearest(name) {
            Some(near) => refused(message).hint(format!("Did you mean `{near}`?")),
            None => refused(message).hint("Use an IANA name such as `Europe/Warsaw`."),
        }
    })
}

/// Returns the moment at which the clocks of a zone show a local time. Of two it is the earlier; a time that clocks
/// skip counts from before the change, so it comes out later by what was skipped. Most libraries do the same.
pub(crate) fn at(local: NaiveDateTime, zone: &Zone) -> DateTime<FixedOffset> {
    match zone.from_local_datetime(&local) {
        MappedLocalTime::Single(moment) | MappedLocalTime::Ambiguous(moment, _) => {
            moment.fixed_offset()
        }
        MappedLocalTime::None => {
            // No zone changes its clocks twice within a day.
            let day_before = local - TimeDelta::days(1);
            let offset = zone.offset_from_utc_datetime(&day_before).fix();
            let utc = local - TimeDelta::seconds(offset.local_minus_utc().into());
            zone.from_utc_datetime(&utc).fixed_offset()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clocks_that_change_have_one_meaning() {
        for (local, zone, wanted) in [
            (
                "2013-07-01T12:00:00",
                "Europe/Warsaw",
                "2013-07-01T12:00:00+02:00",
            ),
            // In the gap of March and in the overlap of October.
            (
                "2013-03-31T02:30:00",
                "Europe/Warsaw",
                "2013-03-31T03:30:00+02:00",
            ),
            (
                "2013-10-27T02:30:00",
                "Europe/Warsaw",
                "2013-10-27T02:30:00+02:00",
            ),
            // A day that never was, and half an hour.
            (
                "2011-12-30T12:00:00",
                "Pacific/Apia",
                "2011-12-31T12:00:00+14:00",
            ),
            (
                "2013-10-06T02:15:00",
                "Australia/Lord_Howe",
                "2013-10-06T02:45:00+11:00",
            ),
            // Midnight is skipped where the clocks change at midnight.
            (
                "2018-11-04T00:00:00",
                "America/Sao_Paulo",
                "2018-11-04T01:00:00-02:00",
            ),
        ] {
            let local: NaiveDateTime = local.parse().unwrap();
            let moment = at(local, &named(zone).unwrap());
            assert_eq!(moment.to_rfc3339(), wanted, "{local} {zone}");
        }
    }
}
