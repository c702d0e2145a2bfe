//! Numbers as Redis reads and writes them.

use crate::base::Text;

/// Reads an integer: no blanks, no plus sign, no leading zeros.
pub(super) fn int(bytes: &[u8]) -> Option<i64> {
    let digits = bytes.strip_prefix(b"-").unwrap_or(bytes);
    let plain = match digits {
        [b'0'] => digits.len() == bytes.len(),
        [b'1'..=b'9', ..] => digits.iter().all(u8::is_ascii_digit),
        _ => false,
    };
    if !plain {
        return None;
    }
    std::str::from_utf8(bytes).ok()?.parse().ok()
}

/// Reads a score: any float but NaN; what is too large or too small for one is refused.
pub(super) fn float(bytes: &[u8]) -> Option<f64> {
    let text = std::str::from_utf8(bytes).ok()?;
    let number: f64 = text.parse().ok()?;
    let named = text.bytes().any(|byte| matches!(byte, b'i' | b'I'));
    let mantissa = text.split(['e', 'E']).next().unwrap_or_default();
    let zero = mantissa.bytes().all(|byte| !matches!(byte, b'1'..=b'9'));
    let lost = (number.is_infinite() && !named) || (number == 0.0 && !zero);
    (!number.is_nan() && !lost).then_some(number)
}

/// Tells whether two scores are the same, bit for bit but for the sign of zero.
#[expect(clippy::float_cmp, reason = "a stored score is compared with itself")]
pub(super) fn same(one: f64, other: f64) -> bool {
    one == other
}

/// Writes a score: whole numbers without a fraction, the others as short as they read back exactly.
pub(super) fn score(number: f64) -> Text {
    use compact_str::format_compact;
    if number.is_infinite() {
        return Text::const_new(if number > 0.0 { "inf" } else { "-inf" });
    }
    let size = number.abs();
    if size == 0.0 {
        // Redis drops the sign of zero in small sets and keeps it in large ones.
        return Text::const_new("0");
    }
    if !(1e-5..1e17).contains(&size) {
        return format_compact!("{number:e}");
    }
    format_compact!("{number}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn integers_are_read_as_strictly_as_redis_does() {
        for (text, number) in [("0", 0), ("-1", -1), ("9223372036854775807", i64::MAX)] {
            assert_eq!(int(text.as_bytes()), Some(number), "{text}");
        }
        for bad in [
            "",
            "-",
            "+1",
            " 1",
            "1 ",
            "01",
            "-0",
            "1.0",
            "9223372036854775808",
            "é",
        ] {
            assert_eq!(int(bad.as_bytes()), None, "{bad}");
        }
    }

    #[test]
    fn scores_refuse_what_a_float_cannot_hold() {
        for (text, number) in [
            ("1.5", 1.5),
            ("-inf", f64::NEG_INFINITY),
            ("1e3", 1e3),
            ("0e9", 0.0),
        ] {
            assert_eq!(float(text.as_bytes()), Some(number), "{text}");
        }
        for bad in ["", "nan", "1e999", "1e-999", " 1", "1x"] {
            assert_eq!(float(bad.as_bytes()), None, "{bad}");
        }
    }

    #[test]
    fn scores_read_back_exactly() {
        for (number, text) in [
            (3.0, "3"),
            (1.1, "1.1"),
            (-0.5, "-0.5"),
            (1e20, "1e20"),
            (-0.0, "0"),
        ] {
            assert_eq!(score(number), text);
            assert_eq!(float(text.as_bytes()), Some(number));
        }
    }
}
