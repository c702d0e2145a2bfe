//! What a service may use: the list `uses` of its declaration, and the question whether something is in it.
//!
//! An entry is `FAMILY:PATTERN`, where the family is `outgoing.KIND`, `kvdb`, `service` or `config`, and a `*` of the
//! pattern stands for any text. Both the server and `check` ask the same question.

use std::fmt;

use crate::base::Text;

/// The families beside those of connections, `outgoing.KIND`.
pub const FAMILIES: &[&str] = &["kvdb", "service", "config"];

/// All that a service declares to use; what is not in it is refused.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Capabilities {
    /// The entries in order.
    pub grants: Vec<Grant>,
}

/// One entry: the things of a family whose names fit a pattern.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Grant {
    /// The family, such as `outgoing.http`.
    pub family: Text,
    /// The pattern of names; it has no special sign but `*`.
    pub pattern: Text,
}

/// Something that a script is about to use. Shown, it is the entry that would allow it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Use {
    family: Text,
    name: Text,
    /// Whether the name stands for all keys that fit it, as in `scan`.
    many: bool,
}

impl Use {
    /// A connection of a kind, such as `http`.
    pub fn outgoing(kind: &str, name: &str) -> Self {
        Self::one(&format!("outgoing.{kind}"), name)
    }

    /// A key of the key/value store.
    pub fn key(key: &str) -> Self {
        Self::one("kvdb", key)
    }

    /// All keys that fit a pattern of the store: `*`, `?`, `[a-z]`, `\` before a plain character.
    pub fn keys(pattern: &str) -> Self {
        Self {
            many: true,
            ..Self::key(pattern)
        }
    }

    /// Another service.
    pub fn service(name: &str) -> Self {
        Self::one("service", name)
    }

    /// A file of settings, without its ending.
    pub fn config(file: &str) -> Self {
        Self::one("config", file)
    }

    fn one(family: &str, name: &str) -> Self {
        Self {
            family: Text::new(family),
            name: Text::new(name),
            many: false,
        }
    }
}

impl fmt::Display for Use {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.family, self.name)
    }
}

impl Capabilities {
    /// Tells whether the list allows to use something.
    pub fn allows(&self, used: &Use) -> bool {
        self.grants.iter().any(|grant| grant.allows(used))
    }
}

impl Grant {
    fn allows(&self, used: &Use) -> bool {
        if self.family != used.family {
            return false;
        }
        // Of the store's patterns a grant covers `*` and `?` by its own `*`. What a class or a backslash stands for is
        // not looked into, so from there on all must be allowed.
        let special = used.name.find(['[', '\\']).filter(|_| used.many);
        match special.and_then(|at| used.name.get(..at)) {
            None => fits(&self.pattern, &used.name),
            Some(plain) => self.pattern.ends_with('*') && fits(&self.pattern, plain),
        }
    }
}

/// Tells whether the whole name fits a pattern. Takes at most pattern × name steps.
fn fits(pattern: &str, name: &str) -> bool {
    let mut parts = pattern.split('*');
    let first = parts.next().unwrap_or_default();
    let Some(mut rest) = name.strip_prefix(first) else {
        return false;
    };
    let Some(last) = parts.next_back() else {
        return rest.is_empty();
    };
    for part in parts {
        let Some(at) = rest.find(part) else {
            return false;
        };
        rest = rest.get(at + part.len()..).unwrap_or_default();
    }
    rest.ends_with(last)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn grant(family: &str, pattern: &str) -> Grant {
        Grant {
            family: Text::new(family),
            pattern: Text::new(pattern),
        }
    }

    #[test]
    fn a_star_stands_for_any_text() {
        let cases = [
            ("a", "a", true),
            ("a", "ab", false),
            ("a", "", false),
            ("*", "", true),
            ("a*", "a", true),
            ("a*", "ba", false),
            ("*a", "ba", true),
            ("*a", "ab", false),
            ("a*a", "a", false),
            ("a*a", "aa", true),
            ("a*b*c", "a-b-c", true),
            ("a*b*c", "a-c-b", false),
            ("a*bb*b", "abb", false),
            ("a**b", "ab", true),
            ("ł*ł", "łół", true),
        ];
        for (pattern, name, wanted) in cases {
            assert_eq!(fits(pattern, name), wanted, "{pattern} {name}");
        }
    }

    #[test]
    fn a_family_allows_nothing_of_another() {
        let list = Capabilities {
            grants: vec![grant("outgoing.http", "*"), grant("service", "a")],
        };
        assert!(list.allows(&Use::outgoing("http", "x")));
        assert!(!list.allows(&Use::outgoing("amqp", "x")));
        assert!(list.allows(&Use::service("a")));
        assert!(!list.allows(&Use::config("a")));
        assert!(!list.allows(&Use::key("a")));
        assert!(!Capabilities::default().allows(&Use::key("")));
    }

    #[test]
    fn a_scan_needs_all_that_its_pattern_may_find() {
        let cases = [
            ("rates:*", "rates:*", true),
            ("rates:*", "rates:2013:?", true),
            ("rates:*", "rates:[ab]*", true),
            ("rates:*", "*", false),
            ("rates:*", "rate?:*", false),
            ("rates:*", "[r]ates:*", false),
            ("*:x", "*:x", true),
            // Without its bracket the class swallows the rest: this finds the key `a`.
            ("*:x", "[a:x", false),
            ("*:x", r"\:x", false),
            ("a*b*", "a*b[c", true),
            ("rates", "rates", true),
            ("*", r"[^\x", true),
        ];
        for (pattern, scanned, wanted) in cases {
            let grant = grant("kvdb", pattern);
            assert_eq!(
                grant.allows(&Use::keys(scanned)),
                wanted,
                "{pattern} {scanned}"
            );
        }
    }
}
