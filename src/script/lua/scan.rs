//! Walks the text of a session without a parser, to see whether it ends inside a long text or comment.

/// Tells whether a text ends inside `[[ … ]]`, or in a comment of that form.
pub(crate) fn is_open(text: &str) -> bool {
    let mut rest = text;
    while let Some(at) = rest.find(['"', '\'', '`', '-', '[']) {
        let (_, from) = rest.split_at(at);
        let behind = from.get(1..).unwrap_or_default();
        rest = match from.chars().next() {
            Some('-') => match behind.strip_prefix('-') {
                None => behind,
                Some(comment) => match level(comment) {
                    Some(close) => match after(comment, &close) {
                        Some(behind) => behind,
                        None => return true,
                    },
                    None => comment.split_once('\n').map_or("", |(_, behind)| behind),
                },
            },
            Some('[') => match level(from) {
                None => behind,
                Some(close) => match after(from, &close) {
                    Some(behind) => behind,
                    None => return true,
                },
            },
            Some(quote) => quoted(behind, quote),
            None => "",
        };
    }
    false
}

/// Returns what closes the long bracket that a text begins with.
fn level(text: &str) -> Option<String> {
    let inside = text.strip_prefix('[')?;
    let equal = inside.chars().take_while(|c| *c == '=').count();
    inside
        .get(equal..)?
        .starts_with('[')
        .then(|| format!("]{}]", "=".repeat(equal)))
}

fn after<'a>(text: &'a str, close: &str) -> Option<&'a str> {
    text.split_once(close).map(|(_, behind)| behind)
}

/// Returns what stands behind a text in quotes, which ends with its line at the latest.
fn quoted(text: &str, quote: char) -> &str {
    let mut letters = text.char_indices();
    while let Some((at, c)) = letters.next() {
        match c {
            '\\' => {
                letters.next();
            }
            '\n' => return text.get(at..).unwrap_or_default(),
            c if c == quote => return text.get(at + 1..).unwrap_or_default(),
            _ => {}
        }
    }
    ""
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_text_or_comment_that_is_not_closed_is_open() {
        for (text, open) in [
            ("[[a", true),
            ("[[a]]", false),
            ("[==[a]]", true),
            ("[==[a]==]", false),
            ("--[[a", true),
            ("--[[a\n]]", false),
            ("-- [[a", false),
            ("-- a\n[[", true),
            ("'[['", false),
            ("'\\'[['", false),
            ("\"[[", false),
            ("t[1", false),
            ("t[t[1", false),
            ("a - [[", true),
        ] {
            assert_eq!(is_open(text), open, "{text}");
        }
    }
}
