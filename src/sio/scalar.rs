//! Scalars out of text, each by one strict rule: what is not exactly a value of the type is refused.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD_PAD_INDIFFERENT, URL_SAFE_PAD_INDIFFERENT};
use bytes::Bytes;
use chrono::{DateTime, FixedOffset, NaiveDate};
use rust_decimal::Decimal;
use uuid::Uuid;

use crate::base::Value;

/// The largest whole number up to which every integer is exact in a float.
const FLOAT_EXACT: f64 = 9_007_199_254_740_992.0;

/// Reads an integer of 64 bits.
pub(super) fn int_of(text: &str) -> Option<Value> {
    let text = text.trim();
    let digits = text.strip_prefix(['+', '-']).unwrap_or(text);
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let signed = text.parse::<i64>().map(Value::Int);
    signed
        .or_else(|_too_large| text.parse::<u64>().map(Value::Uint))
        .ok()
}

/// Reads a finite floating-point number.
pub(super) fn float_of(text: &str) -> Option<f64> {
    let text = text.trim();
    let plain =
        |byte: u8| byte.is_ascii_digit() || matches!(byte, b'+' | b'-' | b'.' | b'e' | b'E');
    if !text.bytes().all(plain) {
        return None;
    }
    text.parse().ok().filter(|number: &f64| number.is_finite())
}

/// Reads a decimal number that can be held exactly: `[+-]digits[.digits]`.
pub(crate) fn decimal_of(text: &str) -> Option<Decimal> {
    let text = text.trim();
    let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
    let (whole, fraction) = unsigned.split_once('.').unwrap_or((unsigned, "0"));
    let digits = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    if text.len() > 64 || !digits(whole) || !digits(fraction) {
        return None;
    }
    Decimal::from_str_exact(text).ok()
}

/// Reads a truth value: `true`, `false`, `1` or `0`.
pub(super) fn bool_of(text: &str) -> Option<bool> {
    match text.trim() {
        "1" => Some(true),
        "0" => Some(false),
        word if word.eq_ignore_ascii_case("true") => Some(true),
        word if word.eq_ignore_ascii_case("false") => Some(false),
        _ => None,
    }
}

/// Reads a calendar date, `2013-09-03`.
pub(crate) fn date_of(text: &str) -> Option<NaiveDate> {
    let text = text.trim();
    // chrono reads `2013-9-3` and `2013-09- 3` too; the wire has one spelling.
    let shaped = |(index, byte): (usize, u8)| match index {
        4 | 7 => byte == b'-',
        _ => byte.is_ascii_digit(),
    };
    let one_spelling = text.len() == 10 && text.bytes().enumerate().all(shaped);
    let date = || NaiveDate::parse_from_str(text, "%Y-%m-%d").ok();
    one_spelling.then(date).flatten()
}

/// Reads a moment, `2013-09-03T10:00:00Z` (RFC 3339).
pub(crate) fn datetime_of(text: &str) -> Option<DateTime<FixedOffset>> {
    DateTime::parse_from_rfc3339(text.trim()).ok()
}

/// Reads a UUID.
pub(crate) fn uuid_of(text: &str) -> Option<Uuid> {
    Uuid::try_parse(text.trim()).ok()
}

/// Reads base64, of the standard or the URL-safe alphabet, with or without padding.
pub(crate) fn bytes_of(text: &str) -> Option<Bytes> {
    let text = text.trim();
    let standard = STANDARD_PAD_INDIFFERENT.decode(text);
    standard
        .or_else(|_other_alphabet| URL_SAFE_PAD_INDIFFERENT.decode(text))
        .map(Bytes::from)
        .ok()
}

/// Returns the whole number a float stands for, while floats hold every integer.
#[expect(
    clippy::cast_possible_truncation,
    reason = "the guard keeps to whole numbers within ±2^53"
)]
pub(super) fn int_of_float(number: f64) -> Option<i64> {
    (number.fract() == 0.0 && number.abs() <= FLOAT_EXACT).then_some(number as i64)
}

/// Returns the float with the same value as an integer, if there is one.
#[expect(
    clippy::cast_precision_loss,
    reason = "the guard keeps to integers that floats hold exactly"
)]
pub(super) fn float_of_int(number: i64) -> Option<f64> {
    (number.unsigned_abs() <= 1 << 53).then_some(number as f64)
}

/// Returns the float nearest to a decimal; reading its text is the conversion that always rounds right.
pub(super) fn float_of_decimal(number: Decimal) -> Option<f64> {
    float_of(&number.to_string())
}

/// Returns the integer a decimal without a fraction stands for.
pub(super) fn int_of_decimal(number: Decimal) -> Option<Value> {
    if !number.is_integer() {
        return None;
    }
    let signed = i64::try_from(number).map(Value::Int);
    signed
        .or_else(|_too_large| u64::try_from(number).map(Value::Uint))
        .ok()
}

/// Returns the decimal a float shows as: `1.22` for the float nearest to 1.22.
pub(crate) fn decimal_of_float(number: f64) -> Option<Decimal> {
    let text = format!("{number}");
    decimal_of(&text)
}
