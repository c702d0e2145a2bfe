//! Finds what looks like a secret in a source.

use std::sync::OnceLock;

use regex::{Regex, RegexSet};

/// Words at the end of a name whose value nobody else should read.
const NAMES: &str =
    r"(?i)(?:^|[^a-z])(?:password|passwd|secret|token|api[_-]?key|private[_-]?key|authorization)$";

/// Texts that are secrets whatever they are called.
const TEXTS: &[&str] = &[
    r"-----BEGIN [A-Z ]*PRIVATE KEY-----",
    r"\bAKIA[0-9A-Z]{16}\b",
    r"\bgh[pousr]_[A-Za-z0-9]{36}\b",
    r"\bxox[abprs]-[A-Za-z0-9-]{10,}",
    r"\beyJ[A-Za-z0-9_-]{8,}\.eyJ[A-Za-z0-9_-]{8,}\.",
    r"^[a-z][a-z0-9+.-]*://[^/\s:@]+:[^/\s:@]+@",
    r"^(?i:basic) [A-Za-z0-9+/=]{12,}$",
    r"^(?i:bearer) [A-Za-z0-9._-]{16,}$",
];

/// The shortest text that is taken for a secret because of its name.
const SHORTEST: usize = 6;

/// Tells whether a text that stands under a name looks like a secret.
pub(crate) fn is_secret(name: Option<&str>, text: &str) -> bool {
    static NAMED: OnceLock<Option<Regex>> = OnceLock::new();
    static KNOWN: OnceLock<Option<RegexSet>> = OnceLock::new();
    let named = NAMED.get_or_init(|| Regex::new(NAMES).ok());
    let known = KNOWN.get_or_init(|| RegexSet::new(TEXTS).ok());
    let by_name = || {
        let plain = text.len() >= SHORTEST && !text.contains(char::is_whitespace);
        let named = named.as_ref().zip(name);
        plain && named.is_some_and(|(named, name)| named.is_match(name))
    };
    known.as_ref().is_some_and(|known| known.is_match(text)) || by_name()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_known_by_their_name_or_by_what_they_are() {
        for (name, text) in [
            (Some("password"), "hunter2!"),
            (Some("client_secret"), "q8f7c1"),
            (Some("X-API-Key"), "live-2af8"),
            (None, "AKIAABCDEFGHIJKLMNOP"),
            (None, "https://ana:pass@example.org/x"),
            (None, "Bearer abcdefghijklmnop"),
            (None, "-----BEGIN RSA PRIVATE KEY-----"),
        ] {
            assert!(is_secret(name, text), "{name:?} {text}");
        }
        for (name, text) in [
            (Some("password"), ""),
            (Some("password"), "short"),
            (Some("monkey"), "banana-split"),
            (Some("token_name"), "banana-split"),
            (Some("secret"), "a hint for people"),
            (None, "https://example.org/x"),
            (None, "Bearer"),
        ] {
            assert!(!is_secret(name, text), "{name:?} {text}");
        }
    }
}
