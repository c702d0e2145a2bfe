//! `ctx.time`: the present, by the server's clock, and reading and writing moments.

use std::rc::Rc;

use crate::base::{Fault, Value};
use crate::contract::{Arg, Args, Call, Effect, Example, HostCall, HostFn, Receiver, Type};
use crate::script::host::data;
use crate::script::host::moment::{self, Moment};

/// The zone when none is given. Never that of the machine: two nodes must agree on the day.
const DEFAULT_ZONE: &str = "UTC";

const ZONE: Arg = Arg {
    name: "zone",
    ty: Type::Text,
    optional: true,
};

/// The functions of `ctx.time`.
pub(crate) const TABLE: &[HostFn] = &[
    HostFn {
        path: "time.now",
        receiver: Receiver::Ctx,
        args: &[ZONE],
        returns: Type::Map,
        effect: Effect::Read,
        doc: "Returns the present in an IANA zone, UTC when left out: year, month, day, weekday (1 is \
              Monday), hour, minute, second, millisecond, offset, unix and text.",
        examples: &[Example {
            lua: r#"ctx.time.now("Europe/Warsaw").unix >= ctx.time.today().year"#,
            rhai: r#"ctx.time.now("Europe/Warsaw").unix >= ctx.time.today().year"#,
            result: "true",
        }],
        call: HostCall::Now(now),
    },
    HostFn {
        path: "time.today",
        receiver: Receiver::Ctx,
        args: &[ZONE],
        returns: Type::Map,
        effect: Effect::Read,
        doc: "Returns the date in an IANA zone, UTC when left out: year, month, day, weekday and text.",
        examples: &[Example {
            lua: "#ctx.time.today().text",
            rhai: "ctx.time.today().text.len()",
            result: "10",
        }],
        call: HostCall::Now(today),
    },
    HostFn {
        path: "time.parse",
        receiver: Receiver::Ctx,
        args: &[Arg {
            name: "text",
            ty: Type::Text,
            optional: false,
        }],
        returns: Type::Map,
        effect: Effect::Pure,
        doc: "Reads a date, a local time or RFC 3339. Without an offset in the text the result has none.",
        examples: &[
            Example {
                lua: r#"ctx.time.parse("2013-09-03T00:00:00").day"#,
                rhai: r#"ctx.time.parse("2013-09-03T00:00:00").day"#,
                result: "3",
            },
            Example {
                lua: r#"ctx.time.parse("2013-09-03T10:00:00+02:00").offset"#,
                rhai: r#"ctx.time.parse("2013-09-03T10:00:00+02:00").offset"#,
                result: r#""+02:00""#,
            },
        ],
        call: HostCall::Now(parse),
    },
    HostFn {
        path: "time.format",
        receiver: Receiver::Ctx,
        args: &[
            Arg {
                name: "moment",
                ty: Type::Any,
                optional: false,
            },
            Arg {
                name: "pattern",
                ty: Type::Text,
                optional: false,
            },
            ZONE,
        ],
        returns: Type::Text,
        effect: Effect::Pure,
        doc: "Writes a moment by a pattern of strftime, first moved to a zone if one is given.",
        examples: &[Example {
            lua: r#"ctx.time.format("2013-09-03T22:30:00Z", "%d.%m.%Y %H:%M", "Europe/Warsaw")"#,
            rhai: r#"ctx.time.format("2013-09-03T22:30:00Z", "%d.%m.%Y %H:%M", "Europe/Warsaw")"#,
            result: r#""04.09.2013 00:30""#,
        }],
        call: HostCall::Now(format),
    },
];

fn present(call: &Rc<Call>, args: &mut Args) -> Result<Moment, Fault> {
    let zone = data::optional_text(args, 0, "zone")?;
    moment::now(
        call.ctx.ports.clock.now(),
        zone.as_deref().unwrap_or(DEFAULT_ZONE),
    )
}

fn now(call: &Rc<Call>, mut args: Args) -> Result<Value, Fault> {
    present(call, &mut args).map(Moment::into_value)
}

/// Returns today's date; `date.today` is the same function.
pub(crate) fn today(call: &Rc<Call>, mut args: Args) -> Result<Value, Fault> {
    let today = Moment::Date(present(call, &mut args)?.date());
    Ok(today.into_value())
}

fn parse(_call: &Rc<Call>, mut args: Args) -> Result<Value, Fault> {
    Moment::take(&mut args, 0, "text").map(Moment::into_value)
}

/// Writes a moment; `date.format` is the same function.
pub(crate) fn format(_call: &Rc<Call>, mut args: Args) -> Result<Value, Fault> {
    let moment = Moment::take(&mut args, 0, "moment")?;
    let pattern = args.text(1, "pattern")?;
    let zone = data::optional_text(&mut args, 2, "zone")?;
    let moment = zone.map_or(Ok(moment), |zone| moment.in_zone(&zone))?;
    moment.format(&pattern)
}
