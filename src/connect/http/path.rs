//! The path and the query of a request: decoded once, checked, and never read another way again.
//!
//! Routing and security see the same text. What could be read in two ways is refused instead of repaired.

use std::borrow::Cow;

use crate::base::{Code, Fault, Text};

/// Stands for an encoded slash until the route is known; no path can hold it otherwise.
const ENCODED_SLASH: char = '\0';
/// Pairs a query may hold.
const MAX_PAIRS: usize = 256;

/// A path, decoded once. A slash separates segments; an encoded one is part of a segment.
pub(super) struct Path<'a>(Cow<'a, str>);

impl<'a> Path<'a> {
    /// Decodes a path as it came.
    pub(super) fn parse(raw: &'a str) -> Result<Self, Fault> {
        if !raw.starts_with('/') {
            return Err(bad("the path does not begin with a slash"));
        }
        if is_plain(raw) {
            return Ok(Self(Cow::Borrowed(raw)));
        }
        let text = decode(raw, true)?;
        // Somebody on the way may take an encoded slash for one.
        let mut segments = text.split(['/', ENCODED_SLASH]);
        if segments.any(|segment| matches!(segment, "." | "..")) {
            return Err(bad("the path holds '.' or '..' as a segment"));
        }
        Ok(Self(text))
    }

    /// Returns the text that routes are matched against.
    pub(super) fn matched(&self) -> &str {
        &self.0
    }

    /// Tells whether a slash came encoded.
    pub(super) fn hides_slash(&self) -> bool {
        matches!(&self.0, Cow::Owned(decoded) if decoded.contains(ENCODED_SLASH))
    }

    /// Returns the path for people and scripts: an encoded slash stays encoded.
    pub(super) fn shown(&self) -> Text {
        if self.hides_slash() {
            Text::from(self.0.replace(ENCODED_SLASH, "%2F"))
        } else {
            Text::new(&self.0)
        }
    }
}

/// Returns the value of a path parameter: here an encoded slash is one.
pub(super) fn parameter(segment: &str) -> Text {
    if segment.contains(ENCODED_SLASH) {
        Text::from(segment.replace(ENCODED_SLASH, "/"))
    } else {
        Text::new(segment)
    }
}

/// Decodes the pairs of a query.
pub(super) fn query(raw: &str) -> Result<Vec<(Text, Text)>, Fault> {
    if raw.is_empty() {
        return Ok(Vec::new());
    }
    let pairs = raw.split('&').filter(|pair| !pair.is_empty());
    if pairs.clone().nth(MAX_PAIRS).is_some() {
        return Err(bad(format!("the query holds more than {MAX_PAIRS} pairs")));
    }
    pairs
        .map(|pair| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            Ok((form_text(name)?, form_text(value)?))
        })
        .collect()
}

fn form_text(raw: &str) -> Result<Text, Fault> {
    let spaced = if raw.contains('+') {
        Cow::Owned(raw.replace('+', " "))
    } else {
        Cow::Borrowed(raw)
    };
    Ok(Text::new(decode(&spaced, false)?))
}

/// Tells whether a path stands for itself: nothing is encoded, no segment begins with a dot.
fn is_plain(raw: &str) -> bool {
    let mut before = 0;
    raw.bytes().all(|byte| {
        let plain = byte.is_ascii_graphic() && byte != b'%' && !(byte == b'.' && before == b'/');
        before = byte;
        plain
    })
}

/// Decodes percent signs once. In a path control characters are refused and encoded slashes marked.
fn decode(raw: &str, path: bool) -> Result<Cow<'_, str>, Fault> {
    let text = if raw.contains('%') {
        let bytes = decode_bytes(raw, path)?;
        let text = String::from_utf8(bytes).map_err(|_invalid| bad("the address is not UTF-8"))?;
        Cow::Owned(text)
    } else {
        Cow::Borrowed(raw)
    };
    if path && text.chars().any(|c| c.is_control() && c != ENCODED_SLASH) {
        return Err(bad("the path holds a control character"));
    }
    Ok(text)
}

fn decode_bytes(raw: &str, path: bool) -> Result<Vec<u8>, Fault> {
    let mut bytes = raw.bytes();
    let mut decoded = Vec::with_capacity(raw.len());
    while let Some(byte) = bytes.next() {
        decoded.push(match byte {
            b'%' => {
                let digits = (bytes.next().and_then(hex), bytes.next().and_then(hex));
                let (Some(high), Some(low)) = digits else {
                    return Err(bad(
                        "a percent sign is not followed by two hexadecimal digits",
                    ));
                };
                match high << 4 | low {
                    0 => return Err(bad("the address holds a NUL")),
                    b'/' if path => ENCODED_SLASH as u8,
                    other => other,
                }
            }
            other => other,
        });
    }
    Ok(decoded)
}

fn hex(digit: u8) -> Option<u8> {
    char::from(digit)
        .to_digit(16)
        .and_then(|value| u8::try_from(value).ok())
}

fn bad(message: impl Into<String>) -> Fault {
    Fault::new(Code::BadRequest, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_decoded_once_and_doubtful_ones_refused() {
        let good = [
            ("/a/b", "/a/b"),
            ("/a%20b", "/a b"),
            ("/%7Euser", "/~user"),
            ("/a%252e%252e/b", "/a%2e%2e/b"),
            ("/x%2Fy", "/x%2Fy"),
            ("/x%2fy", "/x%2Fy"),
            ("/a+b", "/a+b"),
            ("/za%C5%BC", "/zaż"),
            ("//a", "//a"),
            ("/a/", "/a/"),
            ("/a;x=1", "/a;x=1"),
            ("/a\\b", "/a\\b"),
            ("/...", "/..."),
        ];
        for (raw, shown) in good {
            let path = Path::parse(raw).unwrap_or_else(|fault| panic!("{raw}: {fault}"));
            assert_eq!(path.shown(), shown, "{raw}");
        }
        let refused = [
            "",
            "*",
            "a",
            "/../a",
            "/a/..",
            "/a/./b",
            "/%2e%2e/a",
            "/.%2E/a",
            "/a/..%2Fb",
            "/a/b%2f%2e%2e",
            "/a/b%2F.%2Fc",
            "/a%00b",
            "/a%0ab",
            "/a%7f",
            "/%C2%85",
            "/%",
            "/%4",
            "/%zz",
            "/%+1",
            "/%ff",
            "/%c0%af",
            "/%ed%a0%80",
        ];
        for raw in refused {
            let fault = Path::parse(raw)
                .err()
                .unwrap_or_else(|| panic!("{raw} was accepted"));
            assert_eq!(fault.code(), Code::BadRequest, "{raw}");
        }
    }

    #[test]
    fn an_encoded_slash_is_a_slash_only_in_a_parameter() {
        let path = Path::parse("/files/x%2Fy").unwrap();
        assert!(path.hides_slash());
        assert_eq!(path.matched().split('/').count(), 3);
        assert_eq!(parameter(path.matched().rsplit('/').next().unwrap()), "x/y");
    }

    #[test]
    fn a_query_is_decoded_in_order() {
        let pairs = query("b=1&a=x+y%26&&c&b=%C5%BC").unwrap();
        let expected = [("b", "1"), ("a", "x y&"), ("c", ""), ("b", "ż")];
        let expected: Vec<_> = expected
            .iter()
            .map(|(n, v)| (Text::new(n), Text::new(v)))
            .collect();
        assert_eq!(pairs, expected);
        assert!(query("").unwrap().is_empty());
    }

    #[test]
    fn a_query_with_bad_bytes_or_too_many_pairs_is_refused() {
        let many = "a=1&".repeat(MAX_PAIRS);
        assert_eq!(query(&many).unwrap().len(), MAX_PAIRS);
        for raw in [
            format!("{many}a=1"),
            "a=%ff".to_owned(),
            "a=%".to_owned(),
            "%00=1".to_owned(),
        ] {
            assert_eq!(query(&raw).unwrap_err().code(), Code::BadRequest);
        }
    }
}
