//! Shows values to people without what they must not see: what services declare as sensitive, and credentials.
//!
//! A secret is known by its name, wherever a map has it, and by its text, wherever that stands. What a script makes of a
//! secret, such as a digest, is another text and is shown.

use std::collections::BTreeSet;

use crate::base::{Map, Value, shortened};

/// What stands for something hidden.
const MASK: &str = "***";
/// How much of a text is shown, in characters.
const TEXT: usize = 120;
/// How much of a whole value is shown, in bytes.
const WHOLE: usize = 400;
/// Words in the names of what is a credential, whoever names it.
const CREDENTIALS: &[&str] = &[
    "authorization",
    "cookie",
    "password",
    "passwd",
    "secret",
    "token",
    "credential",
    "apikey",
];
/// Headers that carry no credential; of others only the name is shown.
const HEADERS: &[&str] = &[
    "accept",
    "accept-encoding",
    "accept-language",
    "content-encoding",
    "content-length",
    "content-type",
    "date",
    "etag",
    "if-match",
    "if-none-match",
    "idempotency-key",
    "location",
    "retry-after",
    "soapaction",
    "user-agent",
    "x-correlation-id",
];

/// What is hidden.
#[derive(Debug, Default)]
pub struct Veil {
    names: BTreeSet<String>,
    /// As they are, and as JSON writes them.
    texts: BTreeSet<String>,
}

impl Veil {
    /// Hides whatever has a name.
    pub fn add_name(&mut self, name: &str) {
        self.names.insert(name.to_owned());
    }

    /// Hides a text wherever it stands.
    pub fn add_text(&mut self, text: &str) {
        if !text.is_empty() {
            let quoted = quoted(text);
            let inner = quoted.strip_prefix('"').and_then(|it| it.strip_suffix('"'));
            self.texts.extend(inner.map(str::to_owned));
            self.texts.insert(text.to_owned());
        }
    }

    /// Returns a text without what is hidden. The end of one that was cut may be the beginning of a secret.
    pub fn over(&self, text: &str) -> String {
        // The longest first: one secret may be a part of another.
        let mut texts: Vec<&String> = self.texts.iter().collect();
        texts.sort_by_key(|text| std::cmp::Reverse(text.len()));
        let mut shown = text.to_owned();
        for hidden in texts {
            if shown.contains(hidden.as_str()) {
                shown = shown.replace(hidden.as_str(), MASK);
            }
            let cuts: Vec<usize> = shown.match_indices('…').map(|(at, _)| at).collect();
            for at in cuts.into_iter().rev() {
                let kept = shown.get(..at).unwrap_or_default();
                let ends = hidden.char_indices().skip(1).map(|(end, _)| end);
                let begun = ends
                    .filter_map(|end| hidden.get(..end))
                    .filter(|start| kept.ends_with(start))
                    .last();
                if let Some(begun) = begun {
                    shown.replace_range(at - begun.len()..at, MASK);
                }
            }
        }
        shown
    }

    /// Returns a value as a person reads it, shortened, without what is hidden.
    pub fn show(&self, value: &Value) -> String {
        let mut shown = String::new();
        self.write(value, &mut shown);
        shown
    }

    fn write(&self, value: &Value, shown: &mut String) {
        if shown.len() > WHOLE {
            if !shown.ends_with('…') {
                shown.push('…');
            }
            return;
        }
        match value {
            Value::Null => shown.push_str("nothing"),
            Value::Text(text) => shown.push_str(&self.text(text)),
            Value::Bytes(bytes) => {
                let size = format!("<{} bytes>", bytes.len());
                shown.push_str(&size);
            }
            Value::Handle(handle) => {
                let gist = handle.0.gist();
                shown.push_str(&gist.unwrap_or_else(|| format!("{handle:?}")));
            }
            Value::List(list) => {
                shown.push('[');
                for (index, member) in list.iter().enumerate() {
                    shown.push_str(if index > 0 { "," } else { "" });
                    self.write(member, shown);
                    if shown.len() > WHOLE {
                        break;
                    }
                }
                shown.push(']');
            }
            Value::Map(map) => self.map(map, shown, Holds::Values),
            scalar => shown.push_str(&self.over(&scalar.to_text().unwrap_or_default())),
        }
    }

    fn map(&self, map: &Map, shown: &mut String, holds: Holds) {
        shown.push('{');
        for (index, (name, member)) in map.iter().enumerate() {
            shown.push_str(if index > 0 { "," } else { "" });
            shown.push_str(&self.text(name));
            shown.push(':');
            match member {
                _ if self.hides(name, holds) => shown.push_str(MASK),
                Value::Map(headers) if name.eq_ignore_ascii_case("headers") => {
                    self.map(headers, shown, Holds::Headers);
                }
                member => self.write(member, shown),
            }
            if shown.len() > WHOLE {
                break;
            }
        }
        shown.push('}');
    }

    fn hides(&self, name: &str, holds: Holds) -> bool {
        let plain: String = name.to_ascii_lowercase();
        if holds == Holds::Headers {
            return !HEADERS.contains(&plain.as_str());
        }
        let bare: String = plain.chars().filter(char::is_ascii_alphanumeric).collect();
        self.names.contains(name) || CREDENTIALS.iter().any(|word| bare.contains(word))
    }

    fn text(&self, text: &str) -> String {
        // In quotes what is cut is told from what ends so.
        quoted(&shortened(&self.over(text), TEXT))
    }
}

/// What the members of a map are.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Holds {
    Values,
    Headers,
}

fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn value(json: &str) -> Value {
        Value::from(&serde_json::from_str::<serde_json::Value>(json).unwrap())
    }

    fn check(json: &str, wanted: &str) {
        let mut veil = Veil::default();
        veil.add_name("pin");
        veil.add_text("s3cr\"et");
        veil.add_text("4711");
        assert_eq!(veil.show(&value(json)), wanted, "{json}");
    }

    #[test]
    fn a_secret_is_hidden_by_its_name_and_by_its_text() {
        for (json, wanted) in [
            (r#"{"pin":1,"pins":2}"#, r#"{"pin":***,"pins":2}"#),
            (
                r#"["a s3cr\"et b",4711,147119]"#,
                r#"["a *** b",***,1***9]"#,
            ),
            (r#"{"s3cr\"et":1}"#, r#"{"***":1}"#),
            (r#"{"a":{"pin":{"b":1}}}"#, r#"{"a":{"pin":***}}"#),
        ] {
            check(json, wanted);
        }
    }

    #[test]
    fn credentials_and_headers_are_hidden_whoever_names_them() {
        for (json, wanted) in [
            (
                r#"{"api_key":1,"accessToken":2,"user":3}"#,
                r#"{"api_key":***,"accessToken":***,"user":3}"#,
            ),
            (
                r#"{"headers":{"X-Vendor":"a","Content-Type":"b","authorization":"c"}}"#,
                r#"{"headers":{"X-Vendor":***,"Content-Type":"b","authorization":***}}"#,
            ),
        ] {
            check(json, wanted);
        }
    }

    #[test]
    fn a_long_value_is_cut_and_shows_no_part_of_a_secret() {
        let mut veil = Veil::default();
        let long = "x".repeat(TEXT - 2) + "hidden";
        let shown = veil.show(&Value::text(&long));
        assert!(shown.ends_with("xhi…\""), "{shown}");
        veil.add_text("hidden");
        // Learnt before it was cut, and after.
        assert!(veil.show(&Value::text(&long)).ends_with("x**…\""));
        assert!(
            veil.over(&shown).ends_with("x***…\""),
            "{}",
            veil.over(&shown)
        );
        let many = Value::List(vec![Value::text("abcdefghij"); 1_000]);
        assert!(veil.show(&many).len() < WHOLE + 50);
    }

    #[test]
    fn bytes_are_counted_not_shown() {
        let veil = Veil::default();
        let bytes = Value::Bytes(bytes::Bytes::from_static(b"abc"));
        assert_eq!(veil.show(&bytes), "<3 bytes>");
    }
}
