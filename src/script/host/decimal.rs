//! `decimal`: exact decimal arithmetic. What would not be exact is an error; only `div` and `round` round.

use std::cmp::Ordering;
use std::rc::Rc;

use rust_decimal::{Decimal, RoundingStrategy};

use crate::base::{Fault, Value, closest};
use crate::contract::{Arg, Args, Call, Effect, Example, HostCall, HostFn, Receiver, Type};
use crate::script::host::{data, exact};
use crate::sio;

const A: Arg = number("a");
const B: Arg = number("b");
const PLACES: Arg = Arg {
    name: "places",
    ty: Type::Int,
    optional: true,
};

const fn number(name: &'static str) -> Arg {
    Arg {
        name,
        ty: Type::Any,
        optional: false,
    }
}

/// How `round` may treat what it cuts off.
const MODES: &[(&str, RoundingStrategy)] = &[
    ("half_up", RoundingStrategy::MidpointAwayFromZero),
    ("half_even", RoundingStrategy::MidpointNearestEven),
    ("down", RoundingStrategy::ToZero),
    ("up", RoundingStrategy::AwayFromZero),
    ("floor", RoundingStrategy::ToNegativeInfinity),
    ("ceil", RoundingStrategy::ToPositiveInfinity),
];

/// The functions of `decimal`.
pub(crate) const TABLE: &[HostFn] = &[
    HostFn {
        path: "decimal.of",
        receiver: Receiver::Library,
        args: &[number("value")],
        returns: Type::Any,
        effect: Effect::Pure,
        doc: "Returns the exact decimal of a text such as \"1.22\", or of a number as it prints.",
        examples: &[Example {
            lua: r#"tostring(decimal.of("1.20"))"#,
            rhai: r#"decimal.of("1.20").to_string()"#,
            result: r#""1.20""#,
        }],
        call: HostCall::Now(of),
    },
    HostFn {
        path: "decimal.add",
        receiver: Receiver::Library,
        args: &[A, B],
        returns: Type::Any,
        effect: Effect::Pure,
        doc: "Returns the exact sum.",
        examples: &[Example {
            lua: r#"tostring(decimal.add("0.1", "0.2"))"#,
            rhai: r#"decimal.add("0.1", "0.2").to_string()"#,
            result: r#""0.3""#,
        }],
        call: HostCall::Now(add),
    },
    HostFn {
        path: "decimal.sub",
        receiver: Receiver::Library,
        args: &[A, B],
        returns: Type::Any,
        effect: Effect::Pure,
        doc: "Returns the exact difference.",
        examples: &[Example {
            lua: r#"tostring(decimal.sub("1.00", "0.01"))"#,
            rhai: r#"decimal.sub("1.00", "0.01").to_string()"#,
            result: r#""0.99""#,
        }],
        call: HostCall::Now(sub),
    },
    HostFn {
        path: "decimal.mul",
        receiver: Receiver::Library,
        args: &[A, B],
        returns: Type::Any,
        effect: Effect::Pure,
        doc: "Returns the exact product.",
        examples: &[Example {
            lua: r#"tostring(decimal.mul("1.22", 3))"#,
            rhai: r#"decimal.mul("1.22", 3).to_string()"#,
            result: r#""3.66""#,
        }],
        call: HostCall::Now(mul),
    },
    HostFn {
        path: "decimal.div",
        receiver: Receiver::Library,
        args: &[A, B, PLACES],
        returns: Type::Any,
        effect: Effect::Pure,
        doc: "Returns the quotient, to 28 digits or rounded half up to so many places.",
        examples: &[Example {
            lua: r#"tostring(decimal.div("10", "3", 2))"#,
            rhai: r#"decimal.div("10", "3", 2).to_string()"#,
            result: r#""3.33""#,
        }],
        call: HostCall::Now(div),
    },
    HostFn {
        path: "decimal.cmp",
        receiver: Receiver::Library,
        args: &[A, B],
        returns: Type::Int,
        effect: Effect::Pure,
        doc: "Returns -1, 0 or 1: whether the first is smaller, equal or larger.",
        examples: &[Example {
            lua: r#"decimal.cmp("1.20", "1.2")"#,
            rhai: r#"decimal.cmp("1.20", "1.2")"#,
            result: "0",
        }],
        call: HostCall::Now(cmp),
    },
    HostFn {
        path: "decimal.round",
        receiver: Receiver::Library,
        args: &[
            number("value"),
            PLACES,
            Arg {
                name: "mode",
                ty: Type::Text,
                optional: true,
            },
        ],
        returns: Type::Any,
        effect: Effect::Pure,
        doc: "Rounds to so many places, 0 when left out. Modes: half_up (default), half_even, down, up, \
              floor, ceil.",
        examples: &[Example {
            lua: r#"tostring(decimal.round("1.225", 2))"#,
            rhai: r#"decimal.round("1.225", 2).to_string()"#,
            result: r#""1.23""#,
        }],
        call: HostCall::Now(round),
    },
];

fn take(args: &mut Args, index: usize, name: &str) -> Result<Decimal, Fault> {
    let value = args.take(index);
    let read = match &value {
        Value::Decimal(number) => Some(*number),
        Value::Int(number) => Some(Decimal::from(*number)),
        Value::Uint(number) => Some(Decimal::from(*number)),
        Value::Float(number) => sio::decimal_of_float(*number),
        Value::Text(text) => sio::decimal_of(text),
        _ => None,
    };
    read.ok_or_else(|| {
        let shown = value.to_text().unwrap_or_default();
        let shown: String = shown.chars().take(40).collect();
        let kind = if value.is_null() {
            "nothing"
        } else {
            value.kind()
        };
        data::refused(format!(
            "argument `{name}` must be a decimal such as \"1.22\", got {kind} `{}`",
            shown.escape_debug()
        ))
    })
}

fn pair(args: &mut Args) -> Result<(Decimal, Decimal), Fault> {
    Ok((take(args, 0, "a")?, take(args, 1, "b")?))
}

fn of(_call: &Rc<Call>, mut args: Args) -> Result<Value, Fault> {
    take(&mut args, 0, "value").map(Value::Decimal)
}

fn add(_call: &Rc<Call>, mut args: Args) -> Result<Value, Fault> {
    let (a, b) = pair(&mut args)?;
    exact::sum(a, b)
        .map(Value::Decimal)
        .ok_or_else(|| inexact("the sum"))
}

fn sub(_call: &Rc<Call>, mut args: Args) -> Result<Value, Fault> {
    let (a, b) = pair(&mut args)?;
    exact::difference(a, b)
        .map(Value::Decimal)
        .ok_or_else(|| inexact("the difference"))
}

fn mul(_call: &Rc<Call>, mut args: Args) -> Result<Value, Fault> {
    let (a, b) = pair(&mut args)?;
    exact::product(a, b)
        .map(Value::Decimal)
        .ok_or_else(|| inexact("the product"))
}

fn inexact(what: &str) -> Fault {
    data::refused(format!(
        "{what} has more digits than a decimal can hold exactly"
    ))
    .hint("Round with decimal.round first.")
}

fn div(_call: &Rc<Call>, mut args: Args) -> Result<Value, Fault> {
    let (a, b) = pair(&mut args)?;
    let places = places(&mut args, 2)?;
    if b.is_zero() {
        return Err(data::refused(format!("{a} cannot be divided by zero")));
    }
    let quotient = exact::quotient(a, b).ok_or_else(|| inexact("the quotient"))?;
    let round =
        |places| quotient.round_dp_with_strategy(places, RoundingStrategy::MidpointAwayFromZero);
    Ok(Value::Decimal(places.map_or(quotient, round)))
}

fn places(args: &mut Args, index: usize) -> Result<Option<u32>, Fault> {
    if args.get(index).is_none() {
        return Ok(None);
    }
    let places = args.int(index, "places")?;
    let fits = u32::try_from(places).ok().filter(|places| *places <= 28);
    fits.map(Some).ok_or_else(|| {
        data::refused(format!(
            "argument `places` must be between 0 and 28, got {places}"
        ))
    })
}

fn cmp(_call: &Rc<Call>, mut args: Args) -> Result<Value, Fault> {
    let (a, b) = pair(&mut args)?;
    Ok(Value::Int(match a.cmp(&b) {
        Ordering::Less => -1,
        Ordering::Equal => 0,
        Ordering::Greater => 1,
    }))
}

fn round(_call: &Rc<Call>, mut args: Args) -> Result<Value, Fault> {
    let value = take(&mut args, 0, "value")?;
    let places = places(&mut args, 1)?.unwrap_or(0);
    let mode = match data::optional_text(&mut args, 2, "mode")? {
        None => RoundingStrategy::MidpointAwayFromZero,
        Some(name) => mode(&name)?,
    };
    Ok(Value::Decimal(value.round_dp_with_strategy(places, mode)))
}

fn mode(name: &str) -> Result<RoundingStrategy, Fault> {
    let found = MODES.iter().find(|(known, _)| *known == name);
    found.map(|(_, mode)| *mode).ok_or_else(|| {
        let fault = data::refused(format!(
            "there is no way to round named `{}`",
            name.escape_debug()
        ));
        match closest(name, MODES.iter().map(|(known, _)| *known)) {
            Some(near) => fault.hint(format!("Did you mean `{near}`?")),
            None => fault,
        }
    })
}
