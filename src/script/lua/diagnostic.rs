//! Turns errors of Luau into faults with a place, a hint and a trace of the script alone.

use crate::base::{Code, Fault, Place};
use crate::script::lua::bridge::PRELUDE_NAME;

/// Returns the fault behind an error, with the place and trace of the script where they are known.
pub(crate) fn fault_of(error: &mlua::Error) -> Fault {
    let (text, traceback) = parts(error);
    let frames = frames(&traceback);
    let (place, message) = leading_place(&text);
    let fault = match error.downcast_ref::<Fault>() {
        Some(fault) if fault.place().is_some() => {
            return fault.clone().through(frames.into_iter().map(|it| it.shown));
        }
        Some(fault) => fault.clone(),
        None => named(error, message),
    };
    let place = place.or_else(|| frames.first().map(|frame| frame.place.clone()));
    let fault = match place {
        Some(place) => fault.at(place),
        None => fault,
    };
    fault.trace(frames.into_iter().map(|frame| frame.shown).collect())
}

/// Returns the line of a frame.
pub(crate) fn line_of(frame: &mlua::debug::Debug<'_>) -> Option<u32> {
    u32::try_from(frame.current_line()?).ok()
}

/// Returns the place of a frame, if it is one of a script.
pub(crate) fn place_of(frame: &mlua::debug::Debug<'_>) -> Option<Place> {
    let line = line_of(frame)?;
    let source = frame.source();
    let path = source.source.as_deref()?.strip_prefix('@')?;
    Some(Place::new(path, line, 0))
}

/// Removes a place in the prelude from the front of a message.
pub(crate) fn without_prelude(text: &str) -> Option<&str> {
    let rest = text.strip_prefix(PRELUDE_NAME)?.strip_prefix(':')?;
    let (line, message) = rest.split_once(": ")?;
    line.parse::<u32>().is_ok().then_some(message)
}

/// Returns the text of an error and its traceback.
fn parts(error: &mlua::Error) -> (String, String) {
    match error {
        mlua::Error::CallbackError { traceback, cause } => {
            let (text, inner) = parts(cause);
            // The innermost traceback stands closest to the failure.
            let traceback = if inner.is_empty() {
                traceback.clone()
            } else {
                inner
            };
            (text, traceback)
        }
        mlua::Error::RuntimeError(text) | mlua::Error::MemoryError(text) => {
            match text.split_once("\nstack traceback:\n") {
                Some((text, traceback)) => (text.to_owned(), traceback.to_owned()),
                None => (text.clone(), String::new()),
            }
        }
        mlua::Error::SyntaxError { message, .. } => (message.clone(), String::new()),
        other => (other.to_string(), String::new()),
    }
}

fn named(error: &mlua::Error, message: &str) -> Fault {
    let memory = matches!(error, mlua::Error::MemoryError(_)) || message == "not enough memory";
    if memory {
        return Fault::new(
            Code::MemoryBudget,
            "the script needs more memory than it may use",
        )
        .hint("Handle large data in parts.");
    }
    if matches!(error, mlua::Error::SyntaxError { .. }) {
        return Fault::new(Code::ScriptCompile, message);
    }
    if message.contains("attempt to yield across") {
        let fault = Fault::new(
            Code::ScriptError,
            "a function that waits cannot be called here",
        );
        return fault
            .hint("Comparators, pattern callbacks and metamethods cannot wait; call it before.");
    }
    if message.starts_with("table: 0x") {
        let fault = Fault::new(Code::ScriptError, "the script raised a table");
        return fault
            .hint("Use ctx.fail{ status = …, code = …, message = … }, or error with a text.");
    }
    let full = message.chars().take(2000).collect::<String>();
    let safe = without_places(&full);
    let fault = Fault::new(Code::ScriptError, &*safe);
    if safe == full {
        fault
    } else {
        fault.detail(full)
    }
}

/// Removes the places of scripts, which `pcall` and `error(e)` leave in a message: clients must not see them.
fn without_places(message: &str) -> String {
    let is_place = |word: &&str| {
        let place = word
            .strip_suffix(':')
            .and_then(|word| word.rsplit_once(':'));
        place.is_some_and(|(path, line)| {
            path.strip_suffix(".lua").is_some() && line.parse::<u32>().is_ok()
        })
    };
    let words = message.split(' ').filter(|word| !is_place(word));
    words.collect::<Vec<_>>().join(" ")
}

/// Splits `path:line: message`.
fn leading_place(text: &str) -> (Option<Place>, &str) {
    if let Some(message) = without_prelude(text) {
        return (None, message);
    }
    let parsed = text.split_once(": ").and_then(|(place, message)| {
        let (path, line) = place.rsplit_once(':')?;
        let known = !path.is_empty() && !path.contains(['\n', ' ']);
        let line = line.parse().ok()?;
        known.then(|| (Place::new(path, line, 0), message))
    });
    match parsed {
        Some((place, message)) => (Some(place), message),
        None => (None, text),
    }
}

struct Frame {
    place: Place,
    shown: String,
}

/// Reads the script's frames of a traceback, innermost first; those of the machinery have no place of a file.
fn frames(traceback: &str) -> Vec<Frame> {
    traceback.lines().filter_map(frame).take(20).collect()
}

fn frame(line: &str) -> Option<Frame> {
    let line = line.trim();
    let (head, function) = match line.split_once(": in function ") {
        Some((head, function)) => (head, quoted(function)),
        None => (line, None),
    };
    let (path, number) = head.rsplit_once(':')?;
    let machinery = path.starts_with("__mlua") || path == PRELUDE_NAME;
    let place = Place::new(path, number.parse().ok().filter(|_| !machinery)?, 0);
    let shown = match function {
        Some(name) => format!("{place} {name}"),
        None => place.to_string(),
    };
    Some(Frame { place, shown })
}

/// Returns the name in quotes; a function without a name stands in angle brackets.
fn quoted(text: &str) -> Option<&str> {
    text.strip_prefix('\'')?.strip_suffix('\'')
}
