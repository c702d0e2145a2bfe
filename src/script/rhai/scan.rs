//! Walks the text of a session without a parser: what is code in it, and what is text or comment.

use crate::script::rhai::engine::LAST;

/// Where a text is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Code,
    /// In a text; the quote that ends it.
    Text(char),
    /// In a comment up to the end of the line.
    Line,
    /// In a comment; how many are open, for they nest.
    Block(usize),
}

/// Calls `see` with each letter of code, by byte, and returns where the text ends.
fn walk(text: &str, mut see: impl FnMut(usize, char)) -> State {
    let mut state = State::Code;
    let mut letters = text.char_indices().peekable();
    while let Some((at, c)) = letters.next() {
        let next = letters.peek().map(|(_, next)| *next);
        let mut skip = false;
        state = match (state, c, next) {
            (State::Code, '/', Some('/')) => State::Line,
            (State::Code, '/', Some('*')) => {
                skip = true;
                State::Block(1)
            }
            (State::Code, '"' | '`' | '\'', _) => State::Text(c),
            (State::Code, ..) => {
                see(at, c);
                State::Code
            }
            (State::Text(quote), '\\', _) if quote != '`' => {
                skip = true;
                state
            }
            (State::Text(quote), c, _) if c == quote => State::Code,
            (State::Line, '\n', _) => State::Code,
            (State::Block(open), '/', Some('*')) => {
                skip = true;
                State::Block(open + 1)
            }
            (State::Block(open), '*', Some('/')) => {
                skip = true;
                match open {
                    0 | 1 => State::Code,
                    open => State::Block(open - 1),
                }
            }
            (state, ..) => state,
        };
        if skip {
            letters.next();
        }
    }
    state
}

/// Tells whether a text ends inside a text of several lines or a comment.
pub(crate) fn is_open(text: &str) -> bool {
    matches!(walk(text, |_, _| ()), State::Text('`') | State::Block(_))
}

/// Puts the sign for the last value where `_` stands for it: alone, and not as the pattern of a `switch`.
pub(crate) fn with_last(text: &str) -> String {
    let part = |c: char| c.is_alphanumeric() || c == '_';
    let mut found = Vec::new();
    walk(text, |at, c| {
        let (before, after) = (text.get(..at), text.get(at + 1..));
        let before = before.and_then(|it| it.chars().next_back());
        let after = after.unwrap_or_default();
        let alone = !before.is_some_and(part) && !after.starts_with(part);
        let pattern = after.trim_start().starts_with("=>") || after.trim_start().starts_with("if ");
        if c == '_' && alone && !pattern {
            found.push(at);
        }
    });
    let mut with = text.to_owned();
    for at in found {
        with.replace_range(at..=at, LAST);
    }
    with
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_value_is_meant_where_an_underscore_stands_alone_in_code() {
        let cases = [
            ("_", "$"),
            ("_ + _.len", "$ + $.len"),
            ("a_b + _c + d_", "a_b + _c + d_"),
            ("switch x { 1 => _, _ => 2 }", "switch x { 1 => $, _ => 2 }"),
            ("\"_\" + `_` + '_'", "\"_\" + `_` + '_'"),
            (r#""\"_" + _"#, r#""\"_" + $"#),
            (
                "1 // _\n+ _ /* _ /* _ */ _ */ + _",
                "1 // _\n+ $ /* _ /* _ */ _ */ + $",
            ),
        ];
        for (text, with) in cases {
            assert_eq!(with_last(text), with);
        }
    }

    #[test]
    fn an_open_text_or_comment_goes_on() {
        for (text, open) in [
            ("`a", true),
            ("`a`", false),
            ("\"a", false),
            ("/* a", true),
            ("/* /* */", true),
            ("/* a */", false),
            ("// `", false),
            ("'`'", false),
        ] {
            assert_eq!(is_open(text), open, "{text}");
        }
    }
}
