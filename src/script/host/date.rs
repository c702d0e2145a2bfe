//! `date`: calendar arithmetic. Results are tables like those of `ctx.time`; arguments texts or such tables.

use std::rc::Rc;

use chrono::{Datelike as _, Months, NaiveDateTime, TimeDelta};

use crate::base::{Fault, Value, closest};
use crate::contract::{Arg, Args, Call, Effect, Example, HostCall, HostFn, Receiver, Type};
use crate::script::host::data::{self, refused};
use crate::script::host::moment::Moment;
use crate::script::host::time;

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

const UNIT: Arg = text("unit");

const fn text(name: &'static str) -> Arg {
    Arg {
        name,
        ty: Type::Text,
        optional: false,
    }
}

const fn moment(name: &'static str) -> Arg {
    Arg {
        name,
        ty: Type::Any,
        optional: false,
    }
}

/// The functions of `date`.
pub(crate) const TABLE: &[HostFn] = &[
    HostFn {
        path: "date.today",
        receiver: Receiver::Library,
        args: &[Arg {
            name: "zone",
            ty: Type::Text,
            optional: true,
        }],
        returns: Type::Map,
        effect: Effect::Read,
        doc: "Returns the date in an IANA zone, UTC when left out.",
        examples: &[Example {
            lua: r#"#date.today("Europe/Warsaw").text"#,
            rhai: r#"date.today("Europe/Warsaw").text.len()"#,
            result: "10",
        }],
        call: HostCall::Now(time::today),
    },
    HostFn {
        path: "date.parse",
        receiver: Receiver::Library,
        args: &[
            text("text"),
            Arg {
                name: "pattern",
                ty: Type::Text,
                optional: true,
            },
        ],
        returns: Type::Map,
        effect: Effect::Pure,
        doc: "Reads a date or time: ISO 8601, or by a pattern of strftime.",
        examples: &[Example {
            lua: r#"date.parse("03/09/2013", "%d/%m/%Y").text"#,
            rhai: r#"date.parse("03/09/2013", "%d/%m/%Y").text"#,
            result: r#""2013-09-03""#,
        }],
        call: HostCall::Now(parse),
    },
    HostFn {
        path: "date.format",
        receiver: Receiver::Library,
        args: &[
            moment("moment"),
            text("pattern"),
            Arg {
                name: "zone",
                ty: Type::Text,
                optional: true,
            },
        ],
        returns: Type::Text,
        effect: Effect::Pure,
        doc: "Writes a date or time by a pattern of strftime.",
        examples: &[Example {
            lua: r#"date.format("2013-09-03", "%d.%m.%Y")"#,
            rhai: r#"date.format("2013-09-03", "%d.%m.%Y")"#,
            result: r#""03.09.2013""#,
        }],
        call: HostCall::Now(time::format),
    },
    HostFn {
        path: "date.add",
        receiver: Receiver::Library,
        args: &[
            moment("moment"),
            Arg {
                name: "amount",
                ty: Type::Int,
                optional: false,
            },
            UNIT,
        ],
        returns: Type::Map,
        effect: Effect::Pure,
        doc: "Adds seconds, minutes, hours, days, weeks, months or years, fewer than none to go back. A day \
              that the month lacks becomes its last.",
        examples: &[Example {
            lua: r#"date.add("2013-01-31", 1, "months").text"#,
            rhai: r#"date.add("2013-01-31", 1, "months").text"#,
            result: r#""2013-02-28""#,
        }],
        call: HostCall::Now(add),
    },
    HostFn {
        path: "date.diff",
        receiver: Receiver::Library,
        args: &[moment("from"), moment("to"), UNIT],
        returns: Type::Int,
        effect: Effect::Pure,
        doc: "Returns how many whole units lie between two dates or times, negative when the second is \
              earlier.",
        examples: &[Example {
            lua: r#"date.diff("2013-09-01", "2013-09-03", "days")"#,
            rhai: r#"date.diff("2013-09-01", "2013-09-03", "days")"#,
            result: "2",
        }],
        call: HostCall::Now(diff),
    },
];

fn parse(_call: &Rc<Call>, mut args: Args) -> Result<Value, Fault> {
    let moment = match data::optional_text(&mut args, 1, "pattern")? {
        None => Moment::take(&mut args, 0, "text")?,
        Some(pattern) => Moment::parse_with(&args.text(0, "text")?, &pattern)?,
    };
    Ok(moment.into_value())
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

fn add(_call: &Rc<Call>, mut args: Args) -> Result<Value, Fault> {
    let moment = Moment::take(&mut args, 0, "moment")?;
    let amount = args.int(1, "amount")?;
    let unit = unit(&mut args, 2)?;
    if let (Moment::Date(date), Unit::Seconds(seconds)) = (moment, unit)
        && seconds < DAY
    {
        return Err(refused(format!("`{date}` has no time of day to add to")));
    }
    let added =
        added(moment, amount, unit).filter(|moment| (0..=9999).contains(&moment.date().year()));
    let out_of_range = || {
        refused(format!(
            "{amount} beyond `{}` leaves the years 0 to 9999",
            moment.text()
        ))
    };
    added.map(Moment::into_value).ok_or_else(out_of_range)
}

fn added(moment: Moment, amount: i64, unit: Unit) -> Option<Moment> {
    match moment {
        Moment::Date(_) => {
            shifted(moment.local(), amount, unit).map(|local| Moment::Date(local.date()))
        }
        Moment::Local(local) => shifted(local, amount, unit).map(Moment::Local),
        Moment::Zoned(zoned) => {
            let local = shifted(zoned.naive_local(), amount, unit)?;
            local
                .and_local_timezone(*zoned.offset())
                .single()
                .map(Moment::Zoned)
        }
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

fn diff(_call: &Rc<Call>, mut args: Args) -> Result<Value, Fault> {
    let from = Moment::take(&mut args, 0, "from")?;
    let to = Moment::take(&mut args, 1, "to")?;
    let unit = unit(&mut args, 2)?;
    let (from, to) = comparable(from, to)?;
    Ok(Value::Int(match unit {
        Unit::Seconds(seconds) => (to - from).num_seconds() / seconds,
        Unit::Months(months) => whole_months(from, to) / months,
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
