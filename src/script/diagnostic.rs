//! Completes a fault of a script for the person who reads it: the source line and the caret.

use crate::base::{Code, Fault, Place, Snippet};
use crate::contract::SourceSet;

/// How much of a source line is shown and marked: a script may stand in one line.
const MAX_LINE: usize = 240;

/// Adds what only the sources tell: the line, the caret.
pub(crate) fn show(fault: Fault, sources: &SourceSet) -> Fault {
    let Some(place) = fault.place().cloned() else {
        return fault;
    };
    let Some(source) = sources.by_path.get(&*place.path) else {
        return fault;
    };
    let is_end = fault.code() == Code::ScriptCompile && is_at_end(&fault, &source.text);
    let found = if is_end {
        // The end is a line without text, or the words in the message stand elsewhere: show what it comes after.
        last_line(&source.text).map(|(number, line)| (number, line, end_of(line)))
    } else {
        let index = (place.line as usize).checked_sub(1);
        let line = index.and_then(|index| source.text.lines().nth(index));
        line.map(|line| (place.line, line, caret(&fault, line, place.column)))
    };
    let Some((number, line, (column, width))) = found else {
        return fault;
    };
    let line = line.chars().take(MAX_LINE).collect();
    let width = width.min(u32::try_from(MAX_LINE).unwrap_or(1));
    fault
        .at(Place::new(place.path, number, column))
        .showing(Snippet { line, width })
}

/// Calls the context `t`, as tests do; a name in quotes is what the script wrote.
pub(crate) fn of_test(text: &str) -> String {
    let part = |c: Option<char>| c.is_some_and(|c| c.is_alphanumeric() || "_'\".".contains(c));
    let mut words = String::with_capacity(text.len());
    let mut end = 0;
    for (at, name) in text.match_indices("ctx") {
        let (before, after) = (text.get(..at), text.get(at + name.len()..));
        let before = before.and_then(|it| it.chars().next_back());
        let after = after.and_then(|it| it.chars().next()).filter(|c| *c != '.');
        if !part(before) && !part(after) {
            words += text.get(end..at).unwrap_or_default();
            words += "t";
            end = at + name.len();
        }
    }
    words + text.get(end..).unwrap_or_default()
}

/// Tells whether a syntax error is that the text ends: its message says so, or nothing stands at its place.
fn is_at_end(fault: &Fault, text: &str) -> bool {
    let Some(place) = fault.place().filter(|place| place.column > 0) else {
        return fault.message().ends_with("got <eof>");
    };
    let (line, column) = (place.line as usize, place.column as usize);
    let mut rest = text.lines().skip(line.saturating_sub(1));
    let first = rest.next().unwrap_or_default();
    let blank = first
        .chars()
        .skip(column.saturating_sub(1))
        .all(char::is_whitespace);
    blank && rest.all(|line| line.trim().is_empty())
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

/// Finds the column of the name that a message quotes: from the known column on, or anywhere, as Luau tells only the
/// line.
fn caret(fault: &Fault, line: &str, known: u32) -> (u32, u32) {
    let skipped = (known as usize).saturating_sub(1);
    let from = line.char_indices().nth(skipped).map_or(0, |(at, _)| at);
    let rest = line.get(from..).unwrap_or_default();
    let quoted = fault.message().split(['\'', '`']).skip(1).step_by(2);
    let mut names: Vec<&str> = quoted
        .flat_map(|name| [name, name.rsplit('.').next().unwrap_or(name)])
        .collect();
    if fault.code() == Code::BadDeclaration {
        // It names the part of the declaration, then what is wrong in it.
        names.sort_by_key(|name| std::cmp::Reverse(name.len()));
    }
    let find =
        |name: &&str| word(rest, name, known > 0).map(|at| (from + at, name.chars().count()));
    let found = names.iter().find_map(find);
    let (at, width) = match found {
        Some(found) => found,
        None if known > 0 => (from, first_word(rest)),
        None => {
            let indent = line.find(|c: char| !c.is_whitespace()).unwrap_or(0);
            (indent, line.trim().chars().count())
        }
    };
    let column = line.get(..at).map_or(0, |before| before.chars().count()) + 1;
    (
        u32::try_from(column).unwrap_or(0),
        u32::try_from(width).unwrap_or(1),
    )
}

/// Returns how many letters the word at the beginning of a text has, or one.
fn first_word(text: &str) -> usize {
    let letters = text.chars();
    letters
        .take_while(|c| c.is_alphanumeric() || *c == '_')
        .count()
        .max(1)
}

/// Finds a name that stands alone, by byte: the first where the search begins at a known place, else in the code before
/// the beginnings of texts, and those before what is within one.
fn word(line: &str, name: &str, near: bool) -> Option<usize> {
    if name.is_empty() {
        return None;
    }
    let part = |c: Option<char>| c.is_some_and(|c| c.is_alphanumeric() || c == '_');
    let alone = line.match_indices(name).filter_map(|(at, _)| {
        let (before, after) = (line.get(..at)?, line.get(at + name.len()..)?);
        let last = before.chars().next_back();
        let rank = match last {
            _ if near => 0,
            _ if before.matches('"').count() % 2 == 0 => 0,
            Some('"') => 1,
            // Part of a longer name.
            Some('.' | '-' | '/') => return None,
            _ => 2,
        };
        (!part(last) && !part(after.chars().next())).then_some((rank, at))
    });
    alone.min().map(|(_, at)| at)
}
