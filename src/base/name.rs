//! Names that people give, and the search for the one they meant.

use std::fmt;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize};

use crate::base::Text;

macro_rules! name_type {
    ($(#[$doc:meta])* $name:ident, $hint:literal) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
        pub struct $name(Text);

        impl $name {
            /// Accepts 1 to 128 characters of `[A-Za-z0-9._-]`.
            pub fn new(text: &str) -> Option<Self> {
                let fits = |c: u8| c.is_ascii_alphanumeric() || matches!(c, b'.' | b'_' | b'-');
                let ok = (1..=128).contains(&text.len()) && text.bytes().all(fits);
                ok.then(|| Self(Text::from(text)))
            }

            /// Returns the name as text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{:?}", self.0)
            }
        }

        impl std::borrow::Borrow<str> for $name {
            fn borrow(&self) -> &str {
                &self.0
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = String::deserialize(deserializer)?;
                Self::new(&text).ok_or_else(|| {
                    serde::de::Error::custom(format!(
                        "{text:?} is not a name: use 1 to 128 of A-Z a-z 0-9 . _ -"
                    ))
                })
            }
        }

        impl JsonSchema for $name {
            fn inline_schema() -> bool {
                true
            }
            fn schema_name() -> std::borrow::Cow<'static, str> {
                stringify!($name).into()
            }
            fn json_schema(_: &mut SchemaGenerator) -> Schema {
                json_schema!({"type": "string", "pattern": "^[A-Za-z0-9._-]{1,128}$", $hint: true})
            }
        }
    };
}

name_type! {
    /// The name of an object, unique within its kind.
    ObjectName, "x-name"
}

name_type! {
    /// The name of a service, such as `linuxjournal.get-rate`.
    ServiceName, "x-service"
}

/// Returns the candidate closest to `name`, if one is close enough to be what was meant.
pub fn closest<'a>(name: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let limit = (name.len() / 3).max(1);
    let begun = |candidate: &str| name.len() >= 3 && candidate.starts_with(name);
    candidates
        .into_iter()
        .map(|candidate| (strsim::damerau_levenshtein(name, candidate), candidate))
        .filter(|(distance, candidate)| *distance <= limit || begun(candidate))
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

/// Returns a word behind its article: `a table`, `an integer`.
pub fn with_article(word: &str) -> String {
    let article = if word.starts_with(['a', 'e', 'i', 'o']) {
        "an"
    } else {
        "a"
    };
    format!("{article} {word}")
}

/// Returns a text as messages show it: of at most so many letters, and `…` where more follow.
pub fn shortened(text: &str, most: usize) -> String {
    match text.char_indices().nth(most) {
        Some((at, _)) => format!("{}…", text.get(..at).unwrap_or_default()),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_gets_the_article_it_is_spoken_with() {
        for (word, wanted) in [
            ("integer", "an integer"),
            ("array", "an array"),
            ("table", "a table"),
            ("userdata", "a userdata"),
        ] {
            assert_eq!(with_article(word), wanted);
        }
    }

    #[test]
    fn the_closest_name_is_found_and_a_distant_one_is_not() {
        assert_eq!(closest("kvbd", ["log", "kvdb"]), Some("kvdb"));
        assert_eq!(closest("rate", ["year", "kvdb"]), None);
        assert_eq!(
            closest("treasury", ["rates.example", "treasury.gov"]),
            Some("treasury.gov"),
            "the beginning of a name is enough"
        );
    }

    #[test]
    fn names_hold_no_slash_and_no_space() {
        assert!(ServiceName::new("linuxjournal.get-rate").is_some());
        assert!(ServiceName::new("a/b").is_none());
        assert!(ObjectName::new("a b").is_none());
    }
}
