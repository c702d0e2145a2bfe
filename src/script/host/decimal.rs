//! `decimal`: exact decimal arithmetic. What would not be exact is an error; only `div` and `round` round.

use std::cmp::Ordering;
use std::rc::Rc;

use rust_decimal::{Decimal, RoundingStrategy};

use crate::base::{Fault, Map, Text, Value, closest};
use crate::contract::{Arg, Args, Call, Effect, Example, HostCall, HostFn, Receiver, Type};
use crate::script::host::data::{self, arg, optional};
use crate::script::host::exact;
use crate::sio;

const A: Arg = arg("a", Type::Any);
const B: Arg = arg("b", Type::Any);
const VALUE: Arg = arg("value", Type::Any);
const PLACES: Arg = optional("places", Type::Int);
const OPTIONS: Arg = optional("options", Type::Map);

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
        args: &[VALUE],
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
        args: &[VALUE, PLACES, optional("mode", Type::Text)],
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
    HostFn {
        path: "decimal.abs",
        receiver: Receiver::Library,
        args: &[VALUE],
        returns: Type::Any,
        effect: Effect::Pure,
        doc: "Returns the value without its sign.",
        examples: &[Example {
            lua: r#"tostring(decimal.abs("-1.20"))"#,
            rhai: r#"decimal.abs("-1.20").to_string()"#,
            result: r#""1.20""#,
        }],
        call: HostCall::Now(abs),
    },
    HostFn {
        path: "decimal.min",
        receiver: Receiver::Library,
        args: &[A, B],
        returns: Type::Any,
        effect: Effect::Pure,
        doc: "Returns the smaller of two, the first when they are equal.",
        examples: &[Example {
            lua: r#"tostring(decimal.min("1.20", "1.3"))"#,
            rhai: r#"decimal.min("1.20", "1.3").to_string()"#,
            result: r#""1.20""#,
        }],
        call: HostCall::Now(min),
    },
    HostFn {
        path: "decimal.max",
        receiver: Receiver::Library,
        args: &[A, B],
        returns: Type::Any,
        effect: Effect::Pure,
        doc: "Returns the larger of two, the first when they are equal.",
        examples: &[Example {
            lua: r#"tostring(decimal.max("1.20", "1.3"))"#,
            rhai: r#"decimal.max("1.20", "1.3").to_string()"#,
            result: r#""1.3""#,
        }],
        call: HostCall::Now(max),
    },
    HostFn {
        path: "decimal.sum",
        receiver: Receiver::Library,
        args: &[arg("values", Type::List)],
        returns: Type::Any,
        effect: Effect::Pure,
        doc: "Returns the exact sum of a list, 0 when it is empty.",
        examples: &[Example {
            lua: r#"tostring(decimal.sum({ "1.20", 3, "0.05" }))"#,
            rhai: r#"decimal.sum(["1.20", 3, "0.05"]).to_string()"#,
            result: r#""4.25""#,
        }],
        call: HostCall::Now(sum),
    },
    HostFn {
        path: "decimal.parse",
        receiver: Receiver::Library,
        args: &[arg("text", Type::Text), OPTIONS],
        returns: Type::Any,
        effect: Effect::Pure,
        doc: "Reads a number as people of a country write it. Options: `point` (\".\" when left out) and `group`, \
              what stands between thousands.",
        examples: &[Example {
            lua: r#"tostring(decimal.parse("1.234.567,89", { point = ",", group = "." }))"#,
            rhai: r#"decimal.parse("1.234.567,89", #{ point: ",", group: "." }).to_string()"#,
            result: r#""1234567.89""#,
        }],
        call: HostCall::Now(parse),
    },
    HostFn {
        path: "decimal.format",
        receiver: Receiver::Library,
        args: &[VALUE, OPTIONS],
        returns: Type::Text,
        effect: Effect::Pure,
        doc: "Writes a number as people of a country do. Options: `places`, to which it is rounded half up and \
              filled; `point` and `group` as in `parse`.",
        examples: &[Example {
            lua: r#"decimal.format("1234567.5", { places = 2, point = ",", group = " " })"#,
            rhai: r#"decimal.format("1234567.5", #{ places: 2, point: ",", group: " " })"#,
            result: r#""1 234 567,50""#,
        }],
        call: HostCall::Now(format),
    },
];

fn take(args: &mut Args, index: usize, name: &str) -> Result<Decimal, Fault> {
    let value = args.take(index);
    read(&value, &format!("argument `{name}`"))
}

fn read(value: &Value, what: &str) -> Result<Decimal, Fault> {
    let read = match value {
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
            "{what} must be a decimal such as \"1.22\", got {kind} `{}`",
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

fn abs(_call: &Rc<Call>, mut args: Args) -> Result<Value, Fault> {
    take(&mut args, 0, "value").map(|value| Value::Decimal(value.abs()))
}

fn min(_call: &Rc<Call>, mut args: Args) -> Result<Value, Fault> {
    let (a, b) = pair(&mut args)?;
    Ok(Value::Decimal(if b < a { b } else { a }))
}

fn max(_call: &Rc<Call>, mut args: Args) -> Result<Value, Fault> {
    let (a, b) = pair(&mut args)?;
    Ok(Value::Decimal(if b > a { b } else { a }))
}

fn sum(_call: &Rc<Call>, mut args: Args) -> Result<Value, Fault> {
    let values = match args.take(0) {
        Value::List(values) => values,
        Value::Map(map) if map.is_empty() => Vec::new(),
        other => {
            let kind = other.kind();
            let message = format!("argument `values` must be a list of decimals, got {kind}");
            return Err(data::refused(message));
        }
    };
    let add = |sum, (index, value)| {
        let value = read(value, &format!("member {} of `values`", index + 1))?;
        exact::sum(sum, value).ok_or_else(|| inexact("the sum"))
    };
    let sum = values.iter().enumerate().try_fold(Decimal::ZERO, add);
    sum.map(Value::Decimal)
}

/// The signs in a number that people write.
struct Signs {
    point: Text,
    group: Text,
}

impl Signs {
    fn of(options: &Map) -> Result<Self, Fault> {
        let point = data::text_option(options, "point")?.unwrap_or_else(|| Text::const_new("."));
        let group = data::text_option(options, "group")?.unwrap_or_default();
        let means_something = |text: &str| text.contains(|c: char| c.is_ascii_digit() || c == '-');
        if point.is_empty() || point == group || means_something(&point) || means_something(&group)
        {
            return Err(data::refused(
                "`point` and `group` must differ and be no digits",
            ));
        }
        Ok(Self { point, group })
    }
}

fn parse(_call: &Rc<Call>, mut args: Args) -> Result<Value, Fault> {
    let text = args.text(0, "text")?;
    let options = args.map(1, "options")?;
    data::known(&options, &["point", "group"])?;
    plain(text.trim(), &Signs::of(&options)?)
        .and_then(|text| sio::decimal_of(&text))
        .map(Value::Decimal)
        .ok_or_else(|| {
            let start: String = text.chars().take(40).collect();
            data::refused(format!("`{}` is no such number", start.escape_debug()))
        })
}

/// Returns a number with its point as `.`, if its thousands are separated as they should be.
fn plain(text: &str, signs: &Signs) -> Option<String> {
    let (whole, fraction) = match text.split_once(signs.point.as_str()) {
        Some((whole, fraction)) => (whole, Some(fraction)),
        None => (text, None),
    };
    let mut number = whole.to_owned();
    if !signs.group.is_empty() && whole.contains(signs.group.as_str()) {
        let mut groups = whole.split(signs.group.as_str());
        let first = groups.next()?.trim_start_matches(['-', '+']);
        let fits = (1..=3).contains(&first.len()) && groups.all(|group| group.len() == 3);
        number = whole.replace(signs.group.as_str(), "");
        fits.then_some(())?;
    }
    if let Some(fraction) = fraction {
        number.push('.');
        number.push_str(fraction);
    }
    let allowed = |c: char| c.is_ascii_digit() || matches!(c, '-' | '+' | '.');
    number.chars().all(allowed).then_some(number)
}

fn format(_call: &Rc<Call>, mut args: Args) -> Result<Value, Fault> {
    let mut value = take(&mut args, 0, "value")?;
    let options = args.map(1, "options")?;
    data::known(&options, &["places", "point", "group"])?;
    let signs = Signs::of(&options)?;
    let given = options.get("places").cloned().unwrap_or_default();
    if let Some(places) = places(&mut Args::new(vec![given]), 0)? {
        value = value.round_dp_with_strategy(places, RoundingStrategy::MidpointAwayFromZero);
        value.rescale(places);
    }
    let digits = value.abs().to_string();
    let (whole, fraction) = digits.split_once('.').unwrap_or((&digits, ""));
    let mut text = String::from(if value.is_sign_negative() && !value.is_zero() {
        "-"
    } else {
        ""
    });
    for (index, digit) in whole.chars().enumerate() {
        if index > 0 && (whole.len() - index).is_multiple_of(3) {
            text.push_str(&signs.group);
        }
        text.push(digit);
    }
    if !fraction.is_empty() {
        text.push_str(&signs.point);
        text.push_str(fraction);
    }
    Ok(Value::from(text))
}
