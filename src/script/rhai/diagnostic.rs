//! Turns errors of Rhai into faults with a place, a hint and a trace.

use rhai::{EvalAltResult, ParseError, ParseErrorType, Position};

use crate::base::{Code, Fault, Place, closest, with_article};
use crate::contract::SourceSet;
use crate::script::context::unknown;
use crate::script::rhai::bind::{Index, Kind};
use crate::script::rhai::closure::Problem;
use crate::script::rhai::object::Raised;
use crate::script::rhai::own;

/// What explains an error beside the error itself.
pub(crate) struct Around<'a> {
    /// The script API.
    pub(crate) index: &'a Index,
    /// The sources.
    pub(crate) set: &'a SourceSet,
    /// The file that calls enter.
    pub(crate) path: &'a str,
}

/// Returns line and column, counted from 1; 0 when unknown.
pub(crate) fn line_and_column(position: Position) -> (u32, u32) {
    let number = |part: Option<usize>| part.and_then(|part| u32::try_from(part).ok());
    let line = number(position.line()).unwrap_or(0);
    (line, number(position.position()).unwrap_or(0))
}

/// Explains why a file cannot be compiled.
pub(crate) fn compile(error: &ParseError, text: &str) -> Problem {
    let fault = match &*error.0 {
        ParseErrorType::VariableUndefined(name) => {
            let fault = Fault::new(Code::ScriptCompile, format!("undefined name '{name}'"));
            fault.hint(declared_outside(name, text))
        }
        ParseErrorType::ModuleUndefined(name) => {
            let fault = Fault::new(Code::ScriptCompile, format!("undefined module '{name}'"));
            fault.hint(format!(
                "Write `import \"…\" as {name};` at the top of the file."
            ))
        }
        other => {
            let fault = Fault::new(Code::ScriptCompile, lowered(&other.to_string()));
            match other {
                ParseErrorType::Reserved(word) if word == "null" => {
                    fault.hint("Nothing is `()`, also where a list holds a null.")
                }
                _ => fault,
            }
        }
    };
    (fault, error.1)
}

/// Tells what to do about a name that a function does not see.
fn declared_outside(name: &str, text: &str) -> String {
    let declares = |word: &str| {
        text.lines().any(|line| {
            let rest = line.strip_prefix(word).unwrap_or_default();
            let rest = rest.strip_prefix(' ').map(str::trim_start);
            let rest = rest.and_then(|rest| rest.strip_prefix(name));
            rest.is_some_and(|rest| !rest.starts_with(|c: char| c.is_alphanumeric() || c == '_'))
        })
    };
    if declares("const") {
        return format!("Functions see constants of the file as `global::{name}`.");
    }
    if declares("let") {
        return format!(
            "Functions do not see variables of the file: write `const {name} = …` and `global::{name}`."
        );
    }
    let words = text.split(|c: char| !(c.is_alphanumeric() || c == '_'));
    let others = words.filter(|word| word.len() > 1 && *word != name);
    match closest(name, others) {
        Some(near) => format!("Did you mean `{near}`?"),
        None => "Declare it before its use with `let`.".to_owned(),
    }
}

/// Returns the fault behind an error, with the place and trace of the script where they are known.
pub(crate) fn fault_of(error: &EvalAltResult, around: &Around<'_>) -> Fault {
    let found = Found::new(error, around.path);
    if let EvalAltResult::ErrorRuntime(value, _) | EvalAltResult::ErrorTerminated(value, _) =
        found.error
        && let Some(raised) = value.read_lock::<Raised>()
        && raised.0.place().is_some()
    {
        return raised.0.clone().through(found.trace());
    }
    let fault = named(&found, around);
    let fault = match found.frames.last() {
        Some((place, _)) => fault.at(place.clone()),
        None => fault,
    };
    fault.trace(found.trace().collect())
}

/// Returns why a script had to end, at the best place known: that of the error by which it ended, or `entrance`.
pub(crate) fn ended(over: Fault, error: Option<Fault>, entrance: Place) -> Fault {
    if over.place().is_some() {
        return over;
    }
    match error {
        // The same, with a trace.
        Some(error) if error.code() == over.code() && error.place().is_some() => error,
        error => {
            let place = error.and_then(|error| error.place().cloned());
            over.at(place.unwrap_or(entrance))
        }
    }
}

fn shown(place: &Place, name: &str) -> String {
    // Without the column, as frames are read.
    let place = Place::new(std::sync::Arc::clone(&place.path), place.line, 0);
    if name.is_empty() {
        place.to_string()
    } else {
        format!("{place} {name}")
    }
}

/// The innermost error, and the way to it, outermost first.
struct Found<'a> {
    error: &'a EvalAltResult,
    frames: Vec<(Place, &'a str)>,
}

impl<'a> Found<'a> {
    fn new(mut error: &'a EvalAltResult, path: &'a str) -> Self {
        let (mut path, mut name) = (path, "");
        let mut frames = Vec::new();
        let mut note = |position: Position, path: &str, name: &'a str| {
            let (line, column) = line_and_column(position);
            if line > 0 {
                let closure = name.starts_with("anon$");
                let name = if closure { "" } else { name };
                frames.push((Place::new(path, line, column), name));
            }
        };
        loop {
            match error {
                EvalAltResult::ErrorInFunctionCall(called, source, inner, position) => {
                    note(*position, path, name);
                    path = if source.is_empty() { path } else { source };
                    name = own::natural(called);
                    error = inner;
                }
                EvalAltResult::ErrorInModule(_, inner, _) => error = inner,
                _ => break,
            }
        }
        note(error.position(), path, name);
        Self { error, frames }
    }

    /// Returns the way as traces show it, innermost first.
    fn trace(&self) -> impl Iterator<Item = String> + '_ {
        let frames = self.frames.iter().rev().take(20);
        frames.map(|(place, name)| shown(place, name))
    }
}

fn named(found: &Found<'_>, around: &Around<'_>) -> Fault {
    use EvalAltResult as E;
    let script = |message: String| Fault::new(Code::ScriptError, message);
    let memory = |what: &str, hint: &str| {
        let message = format!("the script made {what} larger than it may be");
        Fault::new(Code::MemoryBudget, message).hint(hint)
    };
    match found.error {
        E::ErrorRuntime(value, _) | E::ErrorTerminated(value, _) => raised(value),
        E::ErrorFunctionNotFound(signature, _) => missing(signature, found, around),
        E::ErrorVariableNotFound(name, _) => {
            let fault = script(format!("undefined name '{name}'"));
            match name.strip_prefix("global::") {
                Some(own) => fault.hint(format!("Write `const {own} = …` at the top of the file.")),
                None => fault.hint("Declare it before its use with `let`."),
            }
        }
        E::ErrorDotExpr(text, _) => {
            let (field, kind) = (quoted(text, "property '"), quoted(text, "for type '"));
            let what = what_is(kind, found, around);
            script(format!("{what} and has no field '{field}'"))
        }
        E::ErrorIndexingType(kinds, _) => {
            // The type of the key stands behind.
            let kind = kinds.split(" [").next().unwrap_or(kinds);
            let what = what_is(kind, found, around);
            script(format!("{what} and has no members"))
        }
        E::ErrorMismatchDataType(wanted, actual, _) if !wanted.is_empty() && !actual.is_empty() => {
            let (wanted, actual) = (article(wanted), article(actual));
            script(format!("{wanted} is needed here, not {actual}"))
        }
        E::ErrorStackOverflow(_) => script("the script calls itself too deep".to_owned())
            .hint("Use a loop, or a list of what is left to do."),
        E::ErrorDataTooLarge(what, _) if what.contains("string") => memory(
            "a text",
            "Texts hold up to 4 MiB. Handle large data in parts.",
        ),
        E::ErrorDataTooLarge(..) => memory(
            "a list or map",
            "Lists and maps hold up to 100000 members. Handle large data in parts.",
        ),
        E::ErrorTooManyOperations(_) => {
            Fault::new(Code::CpuBudget, "the script takes too many steps")
        }
        other => script(lowered(&without_place(other))),
    }
}

/// Returns what stands in quotes behind words in a message of the interpreter.
fn quoted<'a>(text: &'a str, behind: &str) -> &'a str {
    let rest = text.split_once(behind).map_or("", |(_, rest)| rest);
    rest.split('\'').next().unwrap_or_default()
}

/// Tells what the value before the dot or bracket is.
fn what_is(kind: &str, found: &Found<'_>, around: &Around<'_>) -> String {
    let what = before(found, around);
    let is = article(kind);
    // Behind a call or a bracket stands only part of it.
    if what.is_empty() || what.starts_with('.') {
        return format!("the value is {is}");
    }
    format!("'{what}' is {is}")
}

/// Returns what a script raised.
fn raised(value: &rhai::Dynamic) -> Fault {
    if let Some(raised) = value.read_lock::<Raised>() {
        return raised.0.clone();
    }
    if let Ok(text) = value.as_immutable_string_ref() {
        let text: String = text.chars().take(2_000).collect();
        return Fault::new(Code::ScriptError, text);
    }
    let message = value.as_map_ref().ok();
    let message = message.and_then(|map| map.get("message")?.clone().into_string().ok());
    if let Some(message) = message {
        let message: String = message.chars().take(2_000).collect();
        return Fault::new(Code::ScriptError, message);
    }
    let kind = article(value.type_name());
    let fault = Fault::new(Code::ScriptError, format!("the script raised {kind}"));
    fault.hint("Use ctx.fail(#{ status: …, code: …, message: … }), or throw a text.")
}

/// Explains a function that there is not. The signature reads `name (type, type)`.
fn missing(signature: &str, found: &Found<'_>, around: &Around<'_>) -> Fault {
    let (name, types) = signature.split_once(" (").unwrap_or((signature, ""));
    let types = types.strip_suffix(')').unwrap_or(types);
    let types: Vec<String> = types
        .split(", ")
        .filter(|kind| !kind.is_empty())
        .map(plain)
        .collect();
    let script = |message: String| Fault::new(Code::ScriptError, message);
    // Some functions of lists say more of their own.
    if name.contains(' ') {
        return script(signature.to_owned());
    }
    if name.starts_with("anon$") {
        let given = match types.join(", ") {
            given if given.is_empty() => "without arguments".to_owned(),
            given => format!("with {given}"),
        };
        return script(format!("the closure cannot be called {given}"));
    }
    if !name.starts_with(|c: char| c.is_alphabetic() || c == '_') {
        let types = types.join(" and ");
        return script(format!("'{name}' does not work with {types}"));
    }
    let what = before(found, around);
    // Whatever the script calls it.
    let what = match (types.first().map(String::as_str), what.rsplit_once('.')) {
        (Some("ctx"), _) if !what.is_empty() => "ctx".to_owned(),
        (Some("library"), Some((_, space))) => format!("ctx.{space}"),
        _ => what,
    };
    let place = match what.strip_prefix("ctx.") {
        _ if what == "ctx" => Some((Kind::Ctx, "")),
        Some(space) => Some((Kind::Ctx, space)),
        None => Some((Kind::Library, what.as_str())),
    };
    let names = place.and_then(|(kind, place)| around.index.names(kind, place));
    if let Some(names) = names {
        return unknown(&what, name, names.keys().copied());
    }
    if types.first().is_some_and(|kind| kind == "nothing") && !what.is_empty() {
        return script(format!("'{what}' is nothing and has no function '{name}'"));
    }
    let given = types.join(", ");
    let fault = if given.is_empty() {
        script(format!("there is no function '{name}'"))
    } else {
        script(format!("there is no function '{name}' for {given}"))
    };
    match closest(name, own_functions(found, around)) {
        Some(near) if near != name => fault.hint(format!("Did you mean `{near}`?")),
        _ => fault,
    }
}

/// Returns the names of the functions of the file in which an error was made.
fn own_functions<'a>(
    found: &Found<'_>,
    around: &Around<'a>,
) -> impl Iterator<Item = &'a str> + use<'a> {
    let path = found.frames.last();
    let path = path.map_or(around.path, |(place, _)| &*place.path);
    let source = around.set.by_path.get(path);
    let text = source.map_or("", |source| source.text.as_str());
    text.lines().filter_map(|line| {
        let rest = line.trim_start().strip_prefix("fn ")?;
        rest.split('(').next().map(str::trim)
    })
}

/// Returns what stands before the dot of the call that failed, such as `ctx.kvdb`.
fn before(found: &Found<'_>, around: &Around<'_>) -> String {
    let line = found.frames.last().and_then(|(place, _)| {
        let source = around.set.by_path.get(&*place.path)?;
        let line = source
            .text
            .lines()
            .nth((place.line as usize).checked_sub(1)?)?;
        let upto = (place.column as usize).saturating_sub(1);
        Some(line.chars().take(upto).collect::<String>())
    });
    let line = line.unwrap_or_default();
    let line = line.trim_end().trim_end_matches('.');
    let part = |c: char| c.is_alphanumeric() || c == '_' || c == '.';
    let start = line.rfind(|c: char| !part(c)).map_or(0, |at| at + 1);
    line.get(start..).unwrap_or_default().to_owned()
}

/// Returns the word of messages for a type of Rhai.
fn plain(kind: &str) -> String {
    let kind = kind
        .trim()
        .trim_start_matches("&mut ")
        .trim_start_matches('&');
    let word = match kind {
        "i64" => "int",
        "f64" => "float",
        "()" => "nothing",
        "array" | "Array" => "list",
        "Fn" | "FnPtr" => "function",
        _ if kind.contains("str") || kind.contains("String") => "text",
        other => other,
    };
    word.to_owned()
}

/// Returns the word of messages for a type of Rhai, with its article.
pub(crate) fn article(kind: &str) -> String {
    match &*plain(kind) {
        "nothing" => "nothing".to_owned(),
        kind => with_article(kind),
    }
}

/// Shows an error without the place at its end, which the fault carries.
fn without_place(error: &EvalAltResult) -> String {
    let text = error.to_string();
    match text.rsplit_once(" (line ") {
        Some((message, _)) => message.to_owned(),
        None => text,
    }
}

/// Makes a message of an error's text: lower case, no full stop.
fn lowered(text: &str) -> String {
    let text = text.trim_end_matches('.');
    let mut letters = text.chars();
    let first = letters.next().map(|first| first.to_lowercase().to_string());
    first.unwrap_or_default() + letters.as_str()
}
