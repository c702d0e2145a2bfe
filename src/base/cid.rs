//! The correlation id: one for each message, in every log line and answer about it.

use std::fmt;

use crate::base::Text;

/// A correlation id: at most 128 visible ASCII characters.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Cid(Text);

impl Cid {
    /// Returns a fresh id that sorts by the time it was made.
    pub fn fresh() -> Self {
        let mut buffer = uuid::Uuid::encode_buffer();
        Self(Text::from(
            &*uuid::Uuid::now_v7().simple().encode_lower(&mut buffer),
        ))
    }

    /// Accepts an id that a caller sent, if it is sane.
    pub fn accept(text: &str) -> Option<Self> {
        let sane =
            (1..=128).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic());
        sane.then(|| Self(Text::from(text)))
    }

    /// Returns the id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Cid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Cid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_caller_cannot_forge_a_log_line() {
        assert!(Cid::accept("abc-1").is_some());
        for bad in ["", "a b", "a\nb", "é", &"x".repeat(129)] {
            assert!(Cid::accept(bad).is_none(), "{bad:?}");
        }
    }
}
