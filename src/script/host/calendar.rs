//! The calendar behind `date`: units, adding them, and where they begin and end.

use std::cmp::Ordering;
use std::rc::Rc;

use chrono::{Datelike as _, Months, NaiveDateTime, NaiveTime, TimeDelta, Timelike as _};

use crate::base::{Fault, Value, Zone, closest};
use crate::contract::{Args, Call};
use crate::script::host::data::{self, refused};
use crate::script::host::moment::Moment;
use crate::script::host::zone;

/// The units: months by the calendar, or seconds.
const UNITS: &[(&str, Unit)] = &[
    ("seconds", Unit::Seconds(1)),
    ("minutes", Unit::Seconds(60)),
    ("hours", Unit::Seconds(3_600)),
    ("days", Unit::Seconds(86_400)),
    ("weeks", Unit::Seconds(604_800)),
    ("months", Unit::Months(1)),
    ("years", Unit::Months(12)),
];

/// A day in seconds: smaller units need a time of day.
const DAY: i64 = 86_400;

#[derive(Clone, Copy, PartialEq)]
enum Unit {
    Seconds(i64),
    Months(i64),
}

impl Unit {
    /// Tells whether it is shorter than a day.
    fn is_of_a_day(self) -> bool {
        matches!(self, Self::Seconds(seconds) if seconds < DAY)
    }
}

fn unit(args: &mut Args, index: usize) -> Result<Unit, Fault> {
    let name = args.text(index, "unit")?;
    let found = UNITS.iter().find(|(known, _)| *known == name);
    found.map(|(_, unit)| *unit).ok_or_else(|| {
        let fault = refused(format!("there is no unit `{}`", name.escape_debug()));
        match closest(&name, UNITS.iter().map(|(known, _)| *known)) {
            Some(near) => fault.hint(format!("Did you mean `{near}`?")),
            None => fault.hint("Use seconds, minutes, hours, days, weeks, months or years."),
        }
    })
}

/// Takes a moment, on the clocks of the zone that is given with it.
fn moment_in_zone(args: &mut Args, index: usize) -> Result<(Moment, Option<Zone>), Fault> {
    let moment = Moment::take(args, 0, "moment")?;
    let Some(name) = data::optional_text(args, index, "zone")? else {
        return Ok((moment, None));
    };
    Ok((moment.in_zone(&name)?, Some(zone::named(&name)?)))
}

/// `date.add`.
pub(crate) fn add(_call: &Rc<Call>, mut args: Args) -> Result<Value, Fault> {
    let (moment, zone) = moment_in_zone(&mut args, 3)?;
    let amount = args.int(1, "amount")?;
    let unit = unit(&mut args, 2)?;
    if let (Moment::Date(date), true) = (moment, unit.is_of_a_day()) {
        return Err(refused(format!("`{date}` has no time of day to add to")));
    }
    let added = added(moment, amount, unit, zone.as_ref()).and_then(Moment::in_range);
    let out_of_range = || {
        refused(format!(
            "{amount} beyond `{}` leaves the years 0 to 9999",
            moment.text()
        ))
    };
    added.map(Moment::into_value).ok_or_else(out_of_range)
}

fn added(moment: Moment, amount: i64, unit: Unit, zone: Option<&Zone>) -> Option<Moment> {
    match (moment, zone) {
        // Hours go by, whatever the clocks do.
        (Moment::Zoned(zoned), Some(zone)) if unit.is_of_a_day() => {
            let utc = shifted(zoned.naive_utc(), amount, unit)?.and_utc();
            Some(Moment::Zoned(utc.with_timezone(zone).fixed_offset()))
        }
        _ => place(moment, shifted(moment.local(), amount, unit)?, zone),
    }
}

/// Returns another local time as a moment of the same sort.
fn place(like: Moment, local: NaiveDateTime, zone: Option<&Zone>) -> Option<Moment> {
    match (like, zone) {
        (Moment::Date(_), _) => Some(Moment::Date(local.date())),
        (Moment::Local(_), _) => Some(Moment::Local(local)),
        (Moment::Zoned(_), Some(zone)) => Some(Moment::Zoned(zone::at(local, zone))),
        (Moment::Zoned(zoned), None) => local
            .and_local_timezone(*zoned.offset())
            .single()
            .map(Moment::Zoned),
    }
}

fn shifted(local: NaiveDateTime, amount: i64, unit: Unit) -> Option<NaiveDateTime> {
    match unit {
        Unit::Seconds(seconds) => {
            let delta = TimeDelta::try_seconds(amount.checked_mul(seconds)?)?;
            local.checked_add_signed(delta)
        }
        Unit::Months(months) => {
            let total = amount.checked_mul(months)?;
            let months = Months::new(u32::try_from(total.unsigned_abs()).ok()?);
            if total < 0 {
                local.checked_sub_months(months)
            } else {
                local.checked_add_months(months)
            }
        }
    }
}

/// `date.start_of`.
pub(crate) fn start_of(_call: &Rc<Call>, mut args: Args) -> Result<Value, Fault> {
    let (moment, unit, zone) = within(&mut args)?;
    let start = start(moment, unit, zone.as_ref());
    start.map(Moment::into_value).ok_or_else(|| outside(moment))
}

/// `date.end_of`.
pub(crate) fn end_of(_call: &Rc<Call>, mut args: Args) -> Result<Value, Fault> {
    let (moment, unit, zone) = within(&mut args)?;
    let end = start(moment, unit, zone.as_ref()).and_then(|start| {
        let last = if let Moment::Date(_) = moment {
            TimeDelta::days(1)
        } else {
            TimeDelta::milliseconds(1)
        };
        match added(start, 1, unit, zone.as_ref())? {
            Moment::Zoned(next) => {
                let last = next.checked_sub_signed(last)?;
                // The clocks may have changed with the end of the unit.
                Some(Moment::Zoned(match zone {
                    Some(zone) => last.with_timezone(&zone).fixed_offset(),
                    None => last,
                }))
            }
            next => place(
                moment,
                next.local().checked_sub_signed(last)?,
                zone.as_ref(),
            ),
        }
    });
    end.map(Moment::into_value).ok_or_else(|| outside(moment))
}

fn within(args: &mut Args) -> Result<(Moment, Unit, Option<Zone>), Fault> {
    let (moment, zone) = moment_in_zone(args, 2)?;
    let unit = unit(args, 1)?;
    match moment {
        Moment::Date(date) if unit.is_of_a_day() => {
            Err(refused(format!("`{date}` has no time of day")))
        }
        _ => Ok((moment, unit, zone)),
    }
}

fn outside(moment: Moment) -> Fault {
    refused(format!("`{}` is at the end of the years", moment.text()))
}

fn start(moment: Moment, unit: Unit, zone: Option<&Zone>) -> Option<Moment> {
    let local = moment.local();
    let start = floor(local, unit)?;
    match (moment, zone) {
        // Clocks may show this hour twice, so it is not looked up by what they show.
        (Moment::Zoned(zoned), Some(zone)) if unit.is_of_a_day() => {
            let start = zoned.checked_sub_signed(local - start)?;
            Some(Moment::Zoned(start.with_timezone(zone).fixed_offset()))
        }
        _ => place(moment, start, zone),
    }
}

fn floor(local: NaiveDateTime, unit: Unit) -> Option<NaiveDateTime> {
    let (date, time) = (local.date(), local.time());
    let date = match unit {
        Unit::Seconds(seconds) if seconds < DAY => {
            let into_day = i64::from(time.num_seconds_from_midnight());
            let start = u32::try_from(into_day / seconds * seconds).ok()?;
            let time = NaiveTime::from_num_seconds_from_midnight_opt(start, 0)?;
            return Some(date.and_time(time));
        }
        Unit::Seconds(DAY) => date,
        Unit::Seconds(_) => date.week(chrono::Weekday::Mon).checked_first_day()?,
        Unit::Months(1) => date.with_day(1)?,
        Unit::Months(_) => date.with_ordinal(1)?,
    };
    Some(date.and_time(NaiveTime::MIN))
}

/// `date.diff`.
pub(crate) fn diff(_call: &Rc<Call>, mut args: Args) -> Result<Value, Fault> {
    let from = Moment::take(&mut args, 0, "from")?;
    let to = Moment::take(&mut args, 1, "to")?;
    let unit = unit(&mut args, 2)?;
    let (from, to) = comparable(from, to)?;
    Ok(Value::Int(match unit {
        Unit::Seconds(seconds) => (to - from).num_seconds() / seconds,
        Unit::Months(months) => whole_months(from, to) / months,
    }))
}

/// `date.cmp`.
pub(crate) fn cmp(_call: &Rc<Call>, mut args: Args) -> Result<Value, Fault> {
    let a = Moment::take(&mut args, 0, "a")?;
    let b = Moment::take(&mut args, 1, "b")?;
    let (a, b) = comparable(a, b)?;
    Ok(Value::Int(match a.cmp(&b) {
        Ordering::Less => -1,
        Ordering::Equal => 0,
        Ordering::Greater => 1,
    }))
}

/// Returns both as times of one kind: two offsets meet at UTC, an offset and none do not meet.
fn comparable(from: Moment, to: Moment) -> Result<(NaiveDateTime, NaiveDateTime), Fault> {
    match (from, to) {
        (Moment::Zoned(from), Moment::Zoned(to)) => Ok((from.naive_utc(), to.naive_utc())),
        (Moment::Zoned(_), _) | (_, Moment::Zoned(_)) => Err(refused(format!(
            "of `{}` and `{}` one has an offset and the other has none",
            from.text(),
            to.text()
        ))),
        _ => Ok((from.local(), to.local())),
    }
}

fn whole_months(from: NaiveDateTime, to: NaiveDateTime) -> i64 {
    if to < from {
        return -whole_months(to, from);
    }
    let index = |moment: NaiveDateTime| i64::from(moment.year()) * 12 + i64::from(moment.month0());
    let months = index(to) - index(from);
    let reached = shifted(from, months, Unit::Months(1)).is_none_or(|reached| reached <= to);
    if reached { months } else { months - 1 }
}
