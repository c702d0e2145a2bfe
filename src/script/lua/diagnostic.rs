//! Turns errors of Luau into faults with a place, the source line, a caret, a hint and a trace of the script alone.

use crate::base::{Code, Fault, Place, Snippet};
use crate::contract::SourceSet;
use crate::script::lua::bridge::PRELUDE_NAME;

/// Returns the fault behind an error, with the place and trace of the script where they are known.
pub(crate) fn fault_of(error: &mlua::Error) -> Fault {
    let (text, traceback) = parts(error);
    let frames = frames(&traceback);
    let (place, message) = leading_place(&text);
    let fault = match error.downcast_ref::<Fault>() {
        Some(fault) if fault.place().is_some() => return fault.clone(),
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

/// Adds what only the sources tell: the line, the caret.
pub(crate) fn show(fault: Fault, sources: &SourceSet) -> Fault {
    let Some(place) = fault.place().cloned() else {
        return fault;
    };
    let Some(source) = sources.by_path.get(&*place.path) else {
        return fault;
    };
    let is_end = fault.message().ends_with("got <eof>");
    let found = if is_end {
        // The end is a line without text, or the words in the message stand elsewhere: show what it comes after.
        last_line(&source.text).map(|(number, line)| (number, line, end_of(line)))
    } else {
        let index = (place.line as usize).checked_sub(1);
        let line = index.and_then(|index| source.text.lines().nth(index));
        line.map(|line| (place.line, line, caret(fault.message(), line)))
    };
    let Some((number, line, (column, width))) = found else {
        return fault;
    };
    let line = line.chars().take(240).collect();
    fault
        .at(Place::new(place.path, number, column))
        .showing(Snippet { line, width })
}

/// Returns the last line with text, and its number.
fn last_line(text: &str) -> Option<(u32, &str)> {
    let numbered = (1..).zip(text.lines().map(str::trim_end));
    numbered.filter(|(_, line)| !line.is_empty()).last()
}

/// Returns the place right behind a line, for the caret.
fn end_of(line: &str) -> (u32, u32) {
    (u32::try_from(line.chars().count() + 1).unwrap_or(0), 1)
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

/// Finds the column of the name that a message quotes, as Luau tells only the line.
fn caret(message: &str, line: &str) -> (u32, u32) {
    let quoted = message.split(['\'', '`']).skip(1).step_by(2);
    let found = quoted
        .flat_map(|name| [name, name.rsplit('.').next().unwrap_or(name)])
        .find_map(|name| word(line, name).map(|at| (at, name.chars().count())));
    let indent = || line.find(|c: char| !c.is_whitespace());
    let (at, width) = match found {
        Some(found) => found,
        None => (indent().unwrap_or(0), line.trim().chars().count()),
    };
    let column = line.get(..at).map_or(0, |before| before.chars().count()) + 1;
    (
        u32::try_from(column).unwrap_or(0),
        u32::try_from(width).unwrap_or(1),
    )
}

/// Finds a name that stands alone, by byte.
fn word(line: &str, name: &str) -> Option<usize> {
    if name.is_empty() {
        return None;
    }
    let part = |c: Option<char>| c.is_some_and(|c| c.is_alphanumeric() || c == '_');
    line.match_indices(name)
        .find(|(at, _)| {
            let before = line.get(..*at).and_then(|text| text.chars().next_back());
            let after = line
                .get(at + name.len()..)
                .and_then(|text| text.chars().next());
            !part(before) && !part(after)
        })
        .map(|(at, _)| at)
}
