//! `date`: reading, writing and moving dates and times. Results are tables like those of `ctx.time`; arguments texts or
//! such tables.

use std::rc::Rc;

use chrono::{DateTime, Datelike as _, FixedOffset};

use crate::base::{Fault, Map, Value};
use crate::contract::{Arg, Args, Call, Effect, Example, HostCall, HostFn, Receiver, Type};
use crate::script::host::data::{self, arg, optional, refused};
use crate::script::host::moment::Moment;
use crate::script::host::{calendar, zone};

const MOMENT: Arg = arg("moment", Type::Any);
const FROM: Arg = arg("from", Type::Any);
const TO: Arg = arg("to", Type::Any);
const UNIT: Arg = arg("unit", Type::Text);
const ZONE: Arg = arg("zone", Type::Text);
const MAYBE_ZONE: Arg = optional("zone", Type::Text);

/// The functions of `date`.
pub(crate) const TABLE: &[HostFn] = &[
    function(
        "date.parse",
        &[arg("text", Type::Any), optional("pattern", Type::Text)],
        Type::Map,
        "Reads a date, a local time, RFC 3339, the date of HTTP and mail, or by a pattern of strftime. A table \
         with year, month and day (and hour, minute, second, offset) will do, too.",
        &[
            Example {
                lua: r#"date.parse("03/09/2013", "%d/%m/%Y").text"#,
                rhai: r#"date.parse("03/09/2013", "%d/%m/%Y").text"#,
                result: r#""2013-09-03""#,
            },
            Example {
                lua: r#"date.parse("2013-09-03T10:00:00+02:00").offset"#,
                rhai: r#"date.parse("2013-09-03T10:00:00+02:00").offset"#,
                result: r#""+02:00""#,
            },
            Example {
                lua: r#"date.parse("Tue, 03 Sep 2013 22:30:00 GMT").unix"#,
                rhai: r#"date.parse("Tue, 03 Sep 2013 22:30:00 GMT").unix"#,
                result: "1378247400",
            },
        ],
        parse,
    ),
    function(
        "date.format",
        &[MOMENT, arg("pattern", Type::Text), MAYBE_ZONE],
        Type::Text,
        "Writes a date or time by a pattern of strftime, first moved to a zone if one is given. `text` of a \
         moment is ISO 8601.",
        &[
            Example {
                lua: r#"date.format("2013-09-03", "%d.%m.%Y")"#,
                rhai: r#"date.format("2013-09-03", "%d.%m.%Y")"#,
                result: r#""03.09.2013""#,
            },
            Example {
                lua: r#"date.format("2013-09-03T22:30:00Z", "%d.%m.%Y %H:%M", "Europe/Warsaw")"#,
                rhai: r#"date.format("2013-09-03T22:30:00Z", "%d.%m.%Y %H:%M", "Europe/Warsaw")"#,
                result: r#""04.09.2013 00:30""#,
            },
        ],
        format,
    ),
    function(
        "date.http",
        &[MOMENT],
        Type::Text,
        "Writes a moment as headers of HTTP have it.",
        &[Example {
            lua: r#"date.http("2013-09-04T00:30:00+02:00")"#,
            rhai: r#"date.http("2013-09-04T00:30:00+02:00")"#,
            result: r#""Tue, 03 Sep 2013 22:30:00 GMT""#,
        }],
        http,
    ),
    function(
        "date.from_unix",
        &[arg("seconds", Type::Number), MAYBE_ZONE],
        Type::Map,
        "Returns the moment so many seconds after the start of 1970, in a zone, UTC when left out. The way back \
         is `unix` of a moment.",
        &[Example {
            lua: r#"date.from_unix(1378247400.25, "Europe/Warsaw").text"#,
            rhai: r#"date.from_unix(1378247400.25, "Europe/Warsaw").text"#,
            result: r#""2013-09-04T00:30:00.250+02:00""#,
        }],
        from_unix,
    ),
    function(
        "date.to_zone",
        &[MOMENT, ZONE],
        Type::Map,
        "Returns the same moment as the clocks of an IANA zone show it.",
        &[Example {
            lua: r#"date.to_zone("2013-09-03T22:30:00Z", "Europe/Warsaw").text"#,
            rhai: r#"date.to_zone("2013-09-03T22:30:00Z", "Europe/Warsaw").text"#,
            result: r#""2013-09-04T00:30:00+02:00""#,
        }],
        to_zone,
    ),
    function(
        "date.from_zone",
        &[MOMENT, ZONE],
        Type::Map,
        "Returns the moment at which the clocks of an IANA zone show a local time; a date counts as its \
         midnight. Of a time that clocks show twice it is the first; a time that they skip is later by what is \
         skipped.",
        &[
            Example {
                lua: r#"date.from_zone("2013-09-04T00:30:00", "Europe/Warsaw").text"#,
                rhai: r#"date.from_zone("2013-09-04T00:30:00", "Europe/Warsaw").text"#,
                result: r#""2013-09-04T00:30:00+02:00""#,
            },
            Example {
                lua: r#"date.from_zone("2013-03-31T02:30:00", "Europe/Warsaw").text"#,
                rhai: r#"date.from_zone("2013-03-31T02:30:00", "Europe/Warsaw").text"#,
                result: r#""2013-03-31T03:30:00+02:00""#,
            },
        ],
        from_zone,
    ),
    function(
        "date.add",
        &[MOMENT, arg("amount", Type::Int), UNIT, MAYBE_ZONE],
        Type::Map,
        "Adds seconds, minutes, hours, days, weeks, months or years, fewer than none to go back. A day that the \
         month lacks becomes its last. With a zone, days and longer keep the time that its clocks show.",
        &[
            Example {
                lua: r#"date.add("2013-01-31", 1, "months").text"#,
                rhai: r#"date.add("2013-01-31", 1, "months").text"#,
                result: r#""2013-02-28""#,
            },
            Example {
                lua: r#"date.add("2013-03-30T12:00:00+01:00", 1, "days", "Europe/Warsaw").text"#,
                rhai: r#"date.add("2013-03-30T12:00:00+01:00", 1, "days", "Europe/Warsaw").text"#,
                result: r#""2013-03-31T12:00:00+02:00""#,
            },
        ],
        calendar::add,
    ),
    function(
        "date.diff",
        &[FROM, TO, UNIT],
        Type::Int,
        "Returns how many whole units lie between two dates or times, negative when the second is earlier.",
        &[Example {
            lua: r#"date.diff("2013-09-01", "2013-09-03", "days")"#,
            rhai: r#"date.diff("2013-09-01", "2013-09-03", "days")"#,
            result: "2",
        }],
        calendar::diff,
    ),
    function(
        "date.cmp",
        &[arg("a", Type::Any), arg("b", Type::Any)],
        Type::Int,
        "Returns -1, 0 or 1: whether the first is earlier, the same moment or later.",
        &[Example {
            lua: r#"date.cmp("2013-09-03T10:00:00+02:00", "2013-09-03T08:00:00Z")"#,
            rhai: r#"date.cmp("2013-09-03T10:00:00+02:00", "2013-09-03T08:00:00Z")"#,
            result: "0",
        }],
        calendar::cmp,
    ),
    function(
        "date.start_of",
        &[MOMENT, UNIT, MAYBE_ZONE],
        Type::Map,
        "Returns the start of the unit that a date or time is in: of the minute, hour, day, week (Monday), month \
         or year, in a zone if one is given.",
        &[
            Example {
                lua: r#"date.start_of("2013-09-03", "months").text"#,
                rhai: r#"date.start_of("2013-09-03", "months").text"#,
                result: r#""2013-09-01""#,
            },
            Example {
                lua: r#"date.start_of("2013-09-03T22:30:00Z", "days", "Europe/Warsaw").text"#,
                rhai: r#"date.start_of("2013-09-03T22:30:00Z", "days", "Europe/Warsaw").text"#,
                result: r#""2013-09-04T00:00:00+02:00""#,
            },
        ],
        calendar::start_of,
    ),
    function(
        "date.end_of",
        &[MOMENT, UNIT, MAYBE_ZONE],
        Type::Map,
        "Returns the end of the unit that a date or time is in: of a date the last day, of a time the last \
         millisecond.",
        &[
            Example {
                lua: r#"date.end_of("2012-02-03", "months").text"#,
                rhai: r#"date.end_of("2012-02-03", "months").text"#,
                result: r#""2012-02-29""#,
            },
            Example {
                lua: r#"date.end_of("2013-09-03T10:00:00Z", "days").text"#,
                rhai: r#"date.end_of("2013-09-03T10:00:00Z", "days").text"#,
                result: r#""2013-09-03T23:59:59.999Z""#,
            },
        ],
        calendar::end_of,
    ),
    function(
        "date.week",
        &[MOMENT],
        Type::Map,
        "Returns the ISO week of a date: `year`, which may be the one before or after, and `week`.",
        &[Example {
            lua: r#"date.week("2013-12-31")"#,
            rhai: r#"date.week("2013-12-31")"#,
            result: r#"{"year": 2014, "week": 1}"#,
        }],
        week,
    ),
];

const fn function(
    path: &'static str,
    args: &'static [Arg],
    returns: Type,
    doc: &'static str,
    examples: &'static [Example],
    call: fn(&Rc<Call>, Args) -> Result<Value, Fault>,
) -> HostFn {
    HostFn {
        path,
        receiver: Receiver::Library,
        args,
        returns,
        effect: Effect::Pure,
        doc,
        examples,
        call: HostCall::Now(call),
    }
}

fn parse(_call: &Rc<Call>, mut args: Args) -> Result<Value, Fault> {
    let moment = match data::optional_text(&mut args, 1, "pattern")? {
        None => Moment::take(&mut args, 0, "text")?,
        Some(pattern) => Moment::parse_with(&args.text(0, "text")?, &pattern)?,
    };
    Ok(moment.into_value())
}

fn format(_call: &Rc<Call>, mut args: Args) -> Result<Value, Fault> {
    let moment = Moment::take(&mut args, 0, "moment")?;
    let pattern = args.text(1, "pattern")?;
    let zone = data::optional_text(&mut args, 2, "zone")?;
    let moment = zone.map_or(Ok(moment), |zone| moment.in_zone(&zone))?;
    moment.format(&pattern)
}

fn http(_call: &Rc<Call>, mut args: Args) -> Result<Value, Fault> {
    let moment = Moment::take(&mut args, 0, "moment")?.zoned()?.to_utc();
    Moment::Zoned(moment.fixed_offset()).format("%a, %d %b %Y %H:%M:%S GMT")
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "the cast saturates, and such moments are refused"
)]
fn from_unix(_call: &Rc<Call>, mut args: Args) -> Result<Value, Fault> {
    let millis = match args.take(0) {
        Value::Int(seconds) => seconds.checked_mul(1000),
        Value::Float(seconds) if seconds.is_finite() => Some((seconds * 1000.0).round() as i64),
        other => {
            let kind = other.kind();
            let message = format!("argument `seconds` must be a number, got {kind}");
            return Err(refused(message));
        }
    };
    let zone = data::optional_text(&mut args, 1, "zone")?;
    let zone = zone::named(zone.as_deref().unwrap_or("UTC"))?;
    let moment = millis.and_then(DateTime::from_timestamp_millis);
    let moment: Option<DateTime<FixedOffset>> =
        moment.map(|moment| moment.with_timezone(&zone).fixed_offset());
    moment
        .map(Moment::Zoned)
        .and_then(Moment::in_range)
        .map(Moment::into_value)
        .ok_or_else(|| refused("the moment is not in the years 0 to 9999"))
}

fn to_zone(_call: &Rc<Call>, mut args: Args) -> Result<Value, Fault> {
    let moment = Moment::take(&mut args, 0, "moment")?;
    let zone = args.text(1, "zone")?;
    moment.in_zone(&zone).map(Moment::into_value)
}

fn from_zone(_call: &Rc<Call>, mut args: Args) -> Result<Value, Fault> {
    let moment = Moment::take(&mut args, 0, "moment")?;
    let zone = args.text(1, "zone")?;
    if let Moment::Zoned(_) = moment {
        let fault = refused(format!("`{}` has an offset already", moment.text()));
        return Err(fault.hint("Use `date.to_zone` to see it on other clocks."));
    }
    let moment = zone::at(moment.local(), &zone::named(&zone)?);
    Ok(Moment::Zoned(moment).into_value())
}

fn week(_call: &Rc<Call>, mut args: Args) -> Result<Value, Fault> {
    let week = Moment::take(&mut args, 0, "moment")?.date().iso_week();
    let mut map = Map::new();
    map.push("year".into(), Value::Int(week.year().into()));
    map.push("week".into(), Value::Int(week.week().into()));
    Ok(Value::Map(map))
}
