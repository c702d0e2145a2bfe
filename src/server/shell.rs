//! Words of a shell's command line, which mean what they say when they are pasted.

/// A word, of texts and variables.
#[derive(Clone, Debug, Default)]
pub(super) struct Word(Vec<Part>);

#[derive(Clone, Debug)]
enum Part {
    Text(String),
    Variable(String),
    Raw(String),
}

impl Word {
    /// Makes a word of a text.
    pub(super) fn text(text: impl Into<String>) -> Self {
        Self(vec![Part::Text(text.into())])
    }

    /// Makes a word of a variable's value.
    pub(super) fn variable(name: &str) -> Self {
        Self(vec![Part::Variable(name.to_owned())])
    }

    /// Makes a word of what a shell reads: a text in quotes, or a command in its place. It stands alone.
    pub(super) fn raw(word: impl Into<String>) -> Self {
        Self(vec![Part::Raw(word.into())])
    }

    /// Tells whether it begins with a letter.
    pub(super) fn starts_with(&self, letter: char) -> bool {
        matches!(self.0.first(), Some(Part::Text(text)) if text.starts_with(letter))
    }

    /// Adds another.
    #[must_use]
    pub(super) fn then(mut self, other: Self) -> Self {
        self.0.extend(other.0);
        self
    }

    /// Returns it as it is pasted.
    pub(super) fn quoted(&self) -> String {
        let texts = self.0.iter().filter_map(Part::text);
        if self.0.iter().all(|part| part.text().is_some()) {
            return plain_or_single(&texts.collect::<String>());
        }
        if let [Part::Raw(word)] = self.0.as_slice() {
            return word.clone();
        }
        let is_special = |c: char| "\"$`\\!".contains(c);
        if texts.into_iter().any(|text| text.contains(is_special)) {
            return self.0.iter().map(Part::quoted).collect();
        }
        let next = self.0.iter().skip(1).map(Part::text).chain([None]);
        let parts = self.0.iter().zip(next);
        let inner: String = parts.map(|(part, next)| part.within(next)).collect();
        format!("\"{inner}\"")
    }
}

impl Part {
    fn text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            Self::Variable(_) | Self::Raw(_) => None,
        }
    }

    fn quoted(&self) -> String {
        match self {
            Self::Text(text) => single(text),
            Self::Variable(name) => format!("\"${name}\""),
            Self::Raw(word) => word.clone(),
        }
    }

    /// Returns it as it stands within double quotes, before another text.
    fn within(&self, next: Option<&str>) -> String {
        let goes_on = |c: char| c.is_ascii_alphanumeric() || c == '_';
        match self {
            Self::Text(own) | Self::Raw(own) => own.clone(),
            Self::Variable(name) if next.is_some_and(|next| next.starts_with(goes_on)) => {
                format!("${{{name}}}")
            }
            Self::Variable(name) => format!("${name}"),
        }
    }
}

fn plain_or_single(text: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "_@%+=:,./-".contains(c);
    if !text.is_empty() && text.chars().all(is_plain) {
        return text.to_owned();
    }
    single(text)
}

fn single(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_is_what_it_says_to_a_shell() {
        let hello = || Word::variable("HELLO");
        let text = |text: &str| Word::text(text);
        for (word, quoted, wanted) in [
            (text("client2:demo-2"), "client2:demo-2", "client2:demo-2"),
            (text(""), "''", ""),
            (text("it's $HELLO"), r"'it'\''s $HELLO'", "it's $HELLO"),
            (text("key: ").then(hello()), "\"key: $HELLO\"", "key: a  b"),
            (hello().then(text("x")), "\"${HELLO}x\"", "a  bx"),
            (
                text("$x\"").then(hello()).then(text("'")),
                r#"'$x"'"$HELLO"''\'''"#,
                "$x\"a  b'",
            ),
        ] {
            assert_eq!(word.quoted(), quoted);
            let said = std::process::Command::new("sh")
                .args(["-c", &format!("printf %s {quoted}")])
                .env("HELLO", "a  b")
                .output()
                .unwrap();
            assert_eq!(String::from_utf8(said.stdout).unwrap(), wanted, "{quoted}");
        }
    }
}
