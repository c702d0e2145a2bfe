//! The texts configuration was read from, and the block that shows a place in them.

use std::sync::Arc;

use crate::base::{Fault, Place, Snippet};

/// A stretch of a source text.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Spot {
    /// Where it begins.
    pub(crate) place: Place,
    /// How many characters of its first line it takes.
    pub(crate) width: u32,
    /// The line it ends in.
    pub(crate) last_line: u32,
}

impl Spot {
    /// Returns a spot of one character; an object that no file describes has only a path.
    pub(crate) fn new(place: Place) -> Self {
        let last_line = place.line;
        Self {
            place,
            width: 1,
            last_line,
        }
    }
}

/// One file as it was read.
#[derive(Clone, Debug)]
pub(crate) struct SourceText {
    /// The path relative to the project.
    pub(crate) path: Arc<str>,
    /// The content.
    pub(crate) text: String,
}

/// The texts by path, and what of them must not be shown.
#[derive(Clone, Debug, Default)]
pub(crate) struct Sources {
    texts: Vec<SourceText>,
    secrets: Vec<Spot>,
}

impl Sources {
    /// Adds a text.
    pub(crate) fn add(&mut self, text: SourceText) {
        self.texts.push(text);
    }

    /// Keeps a stretch out of everything that is shown.
    pub(crate) fn hide(&mut self, spot: Spot) {
        self.secrets.push(spot);
    }

    /// Adds the place and its line to a fault.
    pub(crate) fn locate(&self, fault: Fault, spot: &Spot) -> Fault {
        let fault = fault.at(spot.place.clone());
        match self.line(&spot.place) {
            Some(line) => fault.showing(Snippet {
                line,
                width: spot.width,
            }),
            None => fault,
        }
    }

    fn line(&self, place: &Place) -> Option<String> {
        let index = (place.line as usize).checked_sub(1)?;
        let source = self.texts.iter().find(|text| text.path == place.path)?;
        let line = source.text.lines().nth(index)?;
        let mut shown: Vec<char> = line.chars().collect();
        self.secrets
            .iter()
            .filter(|secret| secret.place.path == place.path)
            .for_each(|secret| hide(&mut shown, secret, place.line));
        Some(hide_obvious(&shown.into_iter().collect::<String>()))
    }
}

fn hide(line: &mut [char], secret: &Spot, number: u32) {
    if !(secret.place.line..=secret.last_line).contains(&number) {
        return;
    }
    let from = (secret.place.column as usize).saturating_sub(1);
    // Of a secret over several lines, every line is hidden whole.
    let (from, width) = if secret.place.line == secret.last_line {
        (from, secret.width as usize)
    } else {
        (0, line.len())
    };
    line.iter_mut().skip(from).take(width).for_each(cover);
}

fn cover(c: &mut char) {
    *c = '•';
}

/// Hides what stands after a key that sounds secret: a text that cannot be parsed has no schema to
/// ask.
fn hide_obvious(line: &str) -> String {
    const SECRET_WORDS: &[&str] = &["password", "secret", "token", "key"];
    let mut shown: Vec<char> = Vec::with_capacity(line.len());
    for part in line.split_inclusive([',', '{', '}']) {
        let split = part.split_once(':').filter(|(name, value)| {
            let name = name
                .trim_matches(|c: char| " \t-\"'".contains(c))
                .to_lowercase();
            let secret = SECRET_WORDS.iter().any(|word| name.ends_with(word));
            secret && !value.trim_start_matches([' ', '"', '\'']).starts_with('$')
        });
        let Some((name, value)) = split else {
            shown.extend(part.chars());
            continue;
        };
        shown.extend(name.chars());
        shown.push(':');
        shown.extend(value.chars().map(|c| match c {
            ' ' | ',' | '{' | '}' => c,
            _ => '•',
        }));
    }
    shown.into_iter().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_shows_no_secret() {
        let table = [
            ("  password: hunter2", "  password: •••••••"),
            (
                "- { name: a, password: \"x y\", b: 1 }",
                "- { name: a, password: •• ••, b: 1 }",
            ),
            ("  key: \"${env.X}\"", "  key: \"${env.X}\""),
            ("  api_token: abc", "  api_token: •••"),
            ("  url: http://h/", "  url: http://h/"),
        ];
        for (line, shown) in table {
            assert_eq!(hide_obvious(line), shown);
        }
    }
}
