//! `ctx.time`: the present, by the server's clock, reading moments, and waiting. What computes with them is in `date`.

use std::rc::Rc;
use std::time::{Duration, Instant};

use crate::base::{Code, Fault, Millis, Value};
use crate::contract::{Arg, Args, Call, Effect, Example, HostCall, HostFn, Receiver, Type};
use crate::script::host::data::{self, arg, optional};
use crate::script::host::moment::{self, Moment};

/// The zone when none is given. Never that of the machine: two nodes must agree on the day.
const DEFAULT_ZONE: &str = "UTC";

const ZONE: Arg = optional("zone", Type::Text);

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
        args: &[arg("text", Type::Text)],
        returns: Type::Map,
        effect: Effect::Pure,
        doc: "Reads a date, a local time or RFC 3339. Without an offset in the text the result has none. `date.parse` \
              reads other forms.",
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
        path: "time.sleep",
        receiver: Receiver::Ctx,
        args: &[arg("time", Type::Duration)],
        returns: Type::Nothing,
        effect: Effect::Read,
        doc: "Waits for seconds or a duration such as `250ms`, at no cost. What would end after the call's \
              deadline fails at once with KL-S302, which can be caught.",
        examples: &[Example {
            lua: r#"ctx.time.sleep("1ms")"#,
            rhai: r#"ctx.time.sleep("1ms")"#,
            result: "null",
        }],
        call: HostCall::Wait(|call, args| Box::pin(sleep(call, args))),
    },
    HostFn {
        path: "time.left",
        receiver: Receiver::Ctx,
        args: &[],
        returns: Type::Number,
        effect: Effect::Read,
        doc: "Returns the seconds until the call's deadline.",
        examples: &[Example {
            lua: "ctx.time.left() > 0",
            rhai: "ctx.time.left() > 0",
            result: "true",
        }],
        call: HostCall::Now(left),
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

fn today(call: &Rc<Call>, mut args: Args) -> Result<Value, Fault> {
    let today = Moment::Date(present(call, &mut args)?.date());
    Ok(today.into_value())
}

fn parse(_call: &Rc<Call>, mut args: Args) -> Result<Value, Fault> {
    Moment::take(&mut args, 0, "text").map(Moment::into_value)
}

async fn sleep(call: Rc<Call>, mut args: Args) -> Result<Value, Fault> {
    let millis = data::millis(&args.take(0), "time")?;
    let time = Duration::from_millis(u64::try_from(millis).unwrap_or(0));
    let left = remaining(&call);
    if time >= left {
        let message = format!(
            "{} would end after the deadline, which is in {}",
            Millis(time.as_millis().try_into().unwrap_or(u64::MAX)),
            Millis(left.as_millis().try_into().unwrap_or(u64::MAX)),
        );
        return Err(Fault::new(Code::WallBudget, message));
    }
    tokio::time::sleep(time).await;
    Ok(Value::Null)
}

#[expect(clippy::unnecessary_wraps, reason = "the shape of a host function")]
fn left(call: &Rc<Call>, _args: Args) -> Result<Value, Fault> {
    Ok(Value::Float(remaining(call).as_secs_f64()))
}

fn remaining(call: &Call) -> Duration {
    call.ctx.deadline.saturating_duration_since(Instant::now())
}
