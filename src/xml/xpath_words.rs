//! Reads an XPath expression for its words before the evaluator gets it.
//!
//! Two things the evaluator gets wrong are put right here: a prefix that nobody declared would
//! quietly match nothing, and an element called `div`, `mod`, `and` or `or` would be taken for the
//! operator of that name.

use std::borrow::Cow;

use crate::xml::chars;

/// What was found in an expression.
pub(super) struct Words<'a> {
    /// The prefixes it uses.
    pub(super) prefixes: Vec<&'a str>,
    /// The expression, with elements named like operators written in another way.
    pub(super) rewritten: Cow<'a, str>,
}

/// Reads an expression. What is not understood is left for the evaluator to refuse.
pub(super) fn read(expression: &str) -> Words<'_> {
    let mut reader = Reader {
        rest: expression,
        copied: expression,
        out: String::new(),
        prefixes: Vec::new(),
    };
    // XPath 1.0, section 3.7: a word is an operator exactly when an operand stands before it.
    let mut operand = false;
    while let Some(c) = reader.rest.chars().next() {
        operand = reader.token(c, operand);
    }
    let Reader {
        copied,
        mut out,
        prefixes,
        ..
    } = reader;
    let rewritten = if out.is_empty() {
        Cow::Borrowed(expression)
    } else {
        out.push_str(copied);
        Cow::Owned(out)
    };
    Words {
        prefixes,
        rewritten,
    }
}

struct Reader<'a> {
    rest: &'a str,
    /// What was not copied to `out` yet; `rest` is its end.
    copied: &'a str,
    out: String,
    prefixes: Vec<&'a str>,
}

impl<'a> Reader<'a> {
    /// Passes one token and tells whether it ends an operand.
    fn token(&mut self, c: char, operand: bool) -> bool {
        match c {
            '"' | '\'' => {
                self.advance(1);
                let end = self.rest.find(c).map_or(self.rest.len(), |at| at + 1);
                self.advance(end);
                true
            }
            c if chars::starts_name(c) => self.word(operand),
            c if c.is_whitespace() => {
                self.advance(c.len_utf8());
                operand
            }
            '*' => {
                self.advance(1);
                !operand
            }
            ')' | ']' | '.' | '0'..='9' => {
                self.advance(1);
                true
            }
            c => {
                self.advance(c.len_utf8());
                false
            }
        }
    }

    fn word(&mut self, operand: bool) -> bool {
        let word = self.take_name();
        let is_operator_name = matches!(word, "div" | "mod" | "and" | "or");
        if is_operator_name && operand {
            return false;
        }
        let behind = self.rest.trim_start();
        if let Some(behind) = behind.strip_prefix("::") {
            self.rest = behind;
            return false;
        }
        if let Some(behind) = behind.strip_prefix(':') {
            self.prefixes.push(word);
            self.rest = behind.strip_prefix('*').unwrap_or(behind);
            self.take_name();
            return true;
        }
        if is_operator_name && !behind.starts_with('(') {
            self.rewrite(word);
        }
        true
    }

    /// Writes a name test in a way that names no operator.
    fn rewrite(&mut self, word: &str) {
        let length = self.copied.len() - self.rest.len() - word.len();
        self.out
            .push_str(self.copied.get(..length).unwrap_or_default());
        self.out.push_str("*[local-name()='");
        self.out.push_str(word);
        self.out.push_str("'][namespace-uri()='']");
        self.copied = self.rest;
    }

    fn take_name(&mut self) -> &'a str {
        let end = self
            .rest
            .find(|c| !chars::continues_name(c))
            .unwrap_or(self.rest.len());
        let (name, rest) = self.rest.split_at_checked(end).unwrap_or((self.rest, ""));
        self.rest = rest;
        name
    }

    fn advance(&mut self, bytes: usize) {
        self.rest = self.rest.get(bytes..).unwrap_or_default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prefixes_are_found_outside_of_literals() {
        let words = read("//p:a[. = 'q:b']/child::r:*[@s : t or contains(.,\"u:'v:\")]");
        assert_eq!(words.prefixes, ["p", "r", "s"]);
        assert!(matches!(words.rewritten, Cow::Borrowed(_)));
    }

    #[test]
    fn only_names_are_rewritten_never_operators() {
        let name = |word: &str| format!("*[local-name()='{word}'][namespace-uri()='']");
        let table = [
            ("//div", format!("//{}", name("div"))),
            ("div", name("div")),
            ("@mod", format!("@{}", name("mod"))),
            ("child::or[1]", format!("child::{}[1]", name("or"))),
            ("a div b", "a div b".to_owned()),
            (
                "div div div",
                format!("{} div {}", name("div"), name("div")),
            ),
            ("a and and", format!("a and {}", name("and"))),
            ("* div 2", "* div 2".to_owned()),
            ("2 * div", format!("2 * {}", name("div"))),
            ("//a[1] mod 2", "//a[1] mod 2".to_owned()),
            ("p:div/div:x", "p:div/div:x".to_owned()),
            ("'div' = .", "'div' = .".to_owned()),
            ("division/b-div", "division/b-div".to_owned()),
            (". or ..", ". or ..".to_owned()),
        ];
        for (expression, expected) in table {
            assert_eq!(read(expression).rewritten, expected, "{expression}");
        }
    }
}
