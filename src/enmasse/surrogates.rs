//! JSON writes a character beyond 16 bits as two escapes, `\ud83d\ude00`; YAML has `\U0001f600` for
//! it.
//!
//! Without this step, YAML would not read all JSON.

use std::borrow::Cow;

/// Joins pairs of surrogate escapes. The text keeps its lines.
pub(crate) fn join(text: &str) -> Cow<'_, str> {
    if !text.contains("\\ud") && !text.contains("\\uD") {
        return Cow::Borrowed(text);
    }
    let mut joined = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('\\') {
        joined.push_str(before);
        if let Some((c, next)) = pair(after) {
            joined.extend(["\\U", &format!("{:08x}", u32::from(c))]);
            rest = next;
        } else {
            // The character behind a backslash goes with it: it may be a backslash itself.
            let mut chars = after.chars();
            joined.push('\\');
            joined.extend(chars.next());
            rest = chars.as_str();
        }
    }
    joined.push_str(rest);
    Cow::Owned(joined)
}

/// Reads `ud83d\ude00`, what follows the first backslash, and returns the rest.
fn pair(text: &str) -> Option<(char, &str)> {
    let (high, rest) = escape(text.strip_prefix('u')?)?;
    let (low, rest) = escape(rest.strip_prefix("\\u")?)?;
    let c = char::decode_utf16([high, low]).next()?.ok()?;
    (0xD800..0xDC00).contains(&high).then_some((c, rest))
}

fn escape(text: &str) -> Option<(u16, &str)> {
    let (digits, rest) = text.split_at_checked(4)?;
    Some((u16::from_str_radix(digits, 16).ok()?, rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_pairs_of_surrogates_are_joined() {
        let table = [
            (r"\ud83d\ude00", r"\U0001f600"),
            (r"a\n\uD83D\uDE00b", r"a\n\U0001f600b"),
            (r"\\ud83d\\ude00", r"\\ud83d\\ude00"),
            (r"\\\ud83d\ude00", r"\\\U0001f600"),
            (r"\ud83d", r"\ud83d"),
            (r"\ud83dé", r"\ud83dé"),
            (r"\ude00\ud83d", r"\ude00\ud83d"),
            (r"\ud83", r"\ud83"),
            ("\\ud83d\\", "\\ud83d\\"),
        ];
        for (text, wanted) in table {
            assert_eq!(join(text), wanted, "{text}");
        }
    }
}
