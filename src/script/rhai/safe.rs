//! Library functions that Rhai lets grow or run without bound, replaced by ones that count first; and the words that
//! are no part of the language here.

use rhai::{Dynamic, Engine, ImmutableString};

use crate::base::{Code, Fault};
use crate::script::host::{self, log::Level};
use crate::script::rhai::bind::{Outcome, raise};
use crate::script::rhai::convert::Reader;
use crate::script::rhai::object::{Held, Unsigned};
use crate::script::rhai::{fiber, task, weigh};

/// The longest text, in bytes. A body of 2 MiB fits.
pub(crate) const MAX_TEXT: usize = 4 << 20;
/// How many members a list or a map may have, those inside its members included.
pub(crate) const MAX_MEMBERS: usize = 100_000;
/// How deep values may be nested that are compared or shown.
const MAX_DEPTH: usize = 64;

/// Registers the replacements.
pub(crate) fn install(engine: &mut Engine) {
    texts(engine);
    splits(engine);
    structures(engine);
    unsigned(engine);
    words(engine);
}

fn refuse<T>(message: &str) -> Outcome<T> {
    Err(raise(Fault::new(Code::ScriptError, message)))
}

fn texts(engine: &mut Engine) {
    engine
        .register_fn(
            "replace",
            |text: &mut ImmutableString, from: &str, to: &str| replace(text, from, to),
        )
        .register_fn(
            "replace",
            |text: &mut ImmutableString, from: char, to: &str| {
                replace(text, from.encode_utf8(&mut [0; 4]), to)
            },
        )
        .register_fn(
            "replace",
            |text: &mut ImmutableString, from: &str, to: char| {
                replace(text, from, to.encode_utf8(&mut [0; 4]))
            },
        )
        .register_fn(
            "replace",
            |text: &mut ImmutableString, from: char, to: char| {
                let (from, to) = (from.to_string(), to.to_string());
                replace(text, &from, &to)
            },
        )
        .register_fn(
            "pad",
            |text: &mut ImmutableString, length: i64, with: &str| pad(text, length, with),
        )
        .register_fn(
            "pad",
            |text: &mut ImmutableString, length: i64, with: char| {
                pad(text, length, with.encode_utf8(&mut [0; 4]))
            },
        );
}

fn replace(text: &mut ImmutableString, from: &str, to: &str) -> Outcome<()> {
    let count = if from.is_empty() {
        text.chars().count() + 1
    } else {
        memchr::memmem::find_iter(text.as_bytes(), from).count()
    };
    let longer = to.len().saturating_sub(from.len()).saturating_mul(count);
    if text.len().saturating_add(longer) > MAX_TEXT {
        return refuse("replace: the result would be longer than 4 MiB");
    }
    if count > 0 {
        *text = text.as_str().replace(from, to).into();
    }
    Ok(())
}

fn pad(text: &mut ImmutableString, length: i64, with: &str) -> Outcome<()> {
    let own = text.chars().count();
    let missing = usize::try_from(length).unwrap_or(0).saturating_sub(own);
    if missing == 0 || with.is_empty() {
        return Ok(());
    }
    // No letter takes more than four bytes.
    if missing.saturating_mul(4).saturating_add(text.len()) > MAX_TEXT {
        return refuse("pad: the result would be longer than 1000000 letters");
    }
    let padding: String = with.chars().cycle().take(missing).collect();
    *text = format!("{text}{padding}").into();
    Ok(())
}

fn splits(engine: &mut Engine) {
    engine
        .register_fn("split", |text: &mut ImmutableString| {
            collect(text.split_whitespace())
        })
        .register_fn("split", |text: &mut ImmutableString, by: &str| {
            collect(text.split(by))
        })
        .register_fn("split", |text: &mut ImmutableString, by: char| {
            collect(text.split(by))
        })
        .register_fn("split_rev", |text: &mut ImmutableString, by: &str| {
            collect(text.rsplit(by))
        })
        .register_fn("split_rev", |text: &mut ImmutableString, by: char| {
            collect(text.rsplit(by))
        })
        .register_fn("to_chars", |text: &mut ImmutableString| {
            collect(text.chars())
        });
}

/// Collects parts of a text, but no more than a list may hold.
fn collect<T: Into<Dynamic>>(parts: impl Iterator<Item = T>) -> Outcome<rhai::Array> {
    let list: rhai::Array = parts.take(MAX_MEMBERS + 1).map(Into::into).collect();
    if list.len() > MAX_MEMBERS {
        return refuse("split: the result would have more than 100000 members");
    }
    Ok(list)
}

/// Lists and maps nest deeper than the stack is; what walks into them is bounded.
fn structures(engine: &mut Engine) {
    engine
        .register_fn("==", |one: rhai::Array, other: rhai::Array| {
            equal(&one.into(), &other.into(), 0)
        })
        .register_fn("!=", |one: rhai::Array, other: rhai::Array| {
            equal(&one.into(), &other.into(), 0).map(|equal| !equal)
        })
        .register_fn("==", |one: rhai::Map, other: rhai::Map| {
            equal(&one.into(), &other.into(), 0)
        })
        .register_fn("!=", |one: rhai::Map, other: rhai::Map| {
            equal(&one.into(), &other.into(), 0).map(|equal| !equal)
        });
    for name in ["to_string", "to_debug", "to_json"] {
        engine
            .register_fn(name, |list: rhai::Array| show(list.into()))
            .register_fn(name, |map: rhai::Map| show(map.into()));
    }
}

fn equal(one: &Dynamic, other: &Dynamic, depth: usize) -> Outcome<bool> {
    if depth > MAX_DEPTH {
        return refuse("values that are nested deeper than 64 cannot be compared");
    }
    if let (Ok(one), Ok(other)) = (one.as_array_ref(), other.as_array_ref()) {
        let mut same = one.len() == other.len();
        for (one, other) in one.iter().zip(other.iter()) {
            same = same && equal(one, other, depth + 1)?;
        }
        return Ok(same);
    }
    if let (Ok(one), Ok(other)) = (one.as_map_ref(), other.as_map_ref()) {
        let mut same = one.len() == other.len();
        for ((name, one), (other_name, other)) in one.iter().zip(other.iter()) {
            same = same && name == other_name && equal(one, other, depth + 1)?;
        }
        return Ok(same);
    }
    if let (Some(one), Some(other)) = (one.read_lock::<Held>(), other.read_lock::<Held>()) {
        return Ok(one.0 == other.0);
    }
    if let (Some(one), Some(other)) = (number(one), number(other)) {
        return Ok(one == other);
    }
    let read = |value: &Dynamic| Reader::new("value").read(value.clone()).ok();
    Ok(read(one)
        .zip(read(other))
        .is_some_and(|(one, other)| one == other))
}

/// Numbers are equal whatever their type.
fn number(value: &Dynamic) -> Option<rust_decimal::Decimal> {
    let whole = value.as_int().ok().map(rust_decimal::Decimal::from);
    whole
        .or_else(|| value.as_decimal().ok())
        .or_else(|| crate::sio::decimal_of_float(value.as_float().ok()?))
}

/// Shows a list or a map as JSON.
fn show(value: Dynamic) -> Outcome<String> {
    let value = Reader::new("value").read(value).map_err(raise)?;
    let text = host::json::text(&value).map_err(raise)?;
    Ok(text.to_string())
}

fn unsigned(engine: &mut Engine) {
    engine
        .register_type_with_name::<Unsigned>("int")
        .register_fn("to_string", |number: Unsigned| number.0.to_string())
        .register_fn("to_debug", |number: Unsigned| number.0.to_string())
        .register_fn("to_decimal", |number: Unsigned| {
            rust_decimal::Decimal::from(number.0)
        })
        .register_fn("==", |one: Unsigned, other: Unsigned| one == other)
        .register_fn("!=", |one: Unsigned, other: Unsigned| one != other)
        .register_fn("<", |one: Unsigned, other: Unsigned| one < other)
        .register_fn("<=", |one: Unsigned, other: Unsigned| one <= other)
        .register_fn(">", |one: Unsigned, other: Unsigned| one > other)
        .register_fn(">=", |one: Unsigned, other: Unsigned| one >= other);
}

/// `print` and `debug` write to the log; nothing sleeps, and nothing is made of text but by the server.
fn words(engine: &mut Engine) {
    engine.disable_symbol("eval").disable_symbol("curry");
    engine.on_print(|line| log(Level::Info, line));
    engine.on_debug(|line, _, _| log(Level::Debug, line));
    let sleep = || refuse::<()>("a script cannot sleep");
    engine
        .register_fn("sleep", move |_: i64| sleep())
        .register_fn("sleep", move |_: f64| sleep())
        .register_fn("parse_json", |_: &str| {
            let fault = Fault::new(Code::ScriptError, "there is no function 'parse_json'");
            Err::<(), _>(raise(fault.hint("Use `json.parse(text)`.")))
        });
}

fn log(level: Level, line: &str) {
    if let Ok(task) = task::current("print") {
        host::log::emit(&task.running.call, level, line);
    }
}

/// Stops the script when its budgets are spent.
pub(crate) fn watch(engine: &mut Engine) {
    engine.on_progress(|_| (!fiber::step()).then(Dynamic::default));
    weigh::install(engine);
}
