//! Numbers as XPath writes, reads and rounds them.

use crate::xml::chars::SPACE;

/// Returns the number a text is; NaN for what is none. There are no exponents and no plus signs.
pub(super) fn parse(text: &str) -> f64 {
    let text = text.trim_matches(SPACE);
    let digits = text.strip_prefix('-').unwrap_or(text);
    let is_number = digits
        .bytes()
        .all(|byte| byte.is_ascii_digit() || byte == b'.');
    match text.parse() {
        Ok(number) if is_number => number,
        _ => f64::NAN,
    }
}

/// Returns a number as text: no exponents, and as many digits as tell it from all others.
pub(super) fn show(number: f64) -> String {
    if number == 0.0 {
        return "0".to_owned();
    }
    if number.is_infinite() {
        return if number > 0.0 {
            "Infinity"
        } else {
            "-Infinity"
        }
        .to_owned();
    }
    number.to_string()
}

/// Returns the closest whole number; of two, the greater.
pub(super) fn round(number: f64) -> f64 {
    let below = number.floor();
    // Adding a half first would round 0.49999999999999994 up.
    let rounded = if number - below >= 0.5 {
        below + 1.0
    } else {
        below
    };
    // What rounds to zero from below is negative zero.
    if rounded == 0.0 {
        rounded.copysign(number)
    } else {
        rounded
    }
}
