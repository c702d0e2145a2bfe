//! Which type a plain YAML scalar has: the core schema of YAML 1.2.
//!
//! `yes`, `on` and `2026-12-01` are texts. What the core schema reads with a loss (a leading zero,
//! more than 64 bits) is refused, so that nothing changes on the way in.

use serde_json::{Number, Value};

use crate::base::{Code, Fault};

/// Reads a plain scalar.
pub(crate) fn plain(text: &str) -> Result<Value, Fault> {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => return Ok(Value::Null),
        "true" | "True" | "TRUE" => return Ok(Value::Bool(true)),
        "false" | "False" | "FALSE" => return Ok(Value::Bool(false)),
        _ => {}
    }
    if is_integer(text) {
        return integer(text);
    }
    if let Some(digits) = text
        .strip_prefix("0x")
        .filter(|d| all(d, |c| c.is_ascii_hexdigit()))
    {
        return radix(text, digits, 16);
    }
    if let Some(digits) = text
        .strip_prefix("0o")
        .filter(|d| all(d, |c| matches!(c, '0'..='7')))
    {
        return radix(text, digits, 8);
    }
    if is_float(text) {
        return float(text);
    }
    if is_special_float(text) {
        return Err(lossy(text, "is not a finite number"));
    }
    Ok(Value::String(text.to_owned()))
}

/// Tells whether a plain scalar of this text would be the text itself.
pub(crate) fn is_text(text: &str) -> bool {
    matches!(plain(text), Ok(Value::String(_)))
}

fn all(text: &str, fits: impl Fn(char) -> bool) -> bool {
    !text.is_empty() && text.chars().all(fits)
}

fn digits(text: &str) -> bool {
    all(text, |c| c.is_ascii_digit())
}

fn unsigned(text: &str) -> &str {
    text.strip_prefix(['+', '-']).unwrap_or(text)
}

fn is_integer(text: &str) -> bool {
    digits(unsigned(text))
}

fn integer(text: &str) -> Result<Value, Fault> {
    let number = unsigned(text);
    if number.len() > 1 && number.starts_with('0') {
        return Err(lossy(text, "begins with a zero that a number would lose"));
    }
    let text = text.strip_prefix('+').unwrap_or(text);
    let signed = text.parse::<i64>().map(Value::from);
    signed
        .or_else(|_too_big| text.parse::<u64>().map(Value::from))
        .map_err(|_too_big| lossy(text, "does not fit into 64 bits"))
}

fn radix(text: &str, digits: &str, radix: u32) -> Result<Value, Fault> {
    u64::from_str_radix(digits, radix)
        .map(Value::from)
        .map_err(|_too_big| lossy(text, "does not fit into 64 bits"))
}

fn is_float(text: &str) -> bool {
    let (mantissa, exponent) = match unsigned(text).split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, Some(exponent)),
        None => (unsigned(text), None),
    };
    let mantissa = match mantissa.split_once('.') {
        Some(("", fraction)) => digits(fraction),
        Some((whole, fraction)) => digits(whole) && (fraction.is_empty() || digits(fraction)),
        None => digits(mantissa),
    };
    mantissa && exponent.is_none_or(is_integer)
}

fn float(text: &str) -> Result<Value, Fault> {
    let number = text.parse::<f64>().ok().and_then(Number::from_f64);
    number
        .map(Value::Number)
        .ok_or_else(|| lossy(text, "is not a finite number"))
}

fn is_special_float(text: &str) -> bool {
    let infinite = matches!(unsigned(text), ".inf" | ".Inf" | ".INF");
    infinite || matches!(text, ".nan" | ".NaN" | ".NAN")
}

fn lossy(text: &str, why: &str) -> Fault {
    Fault::new(Code::ConfigType, format!("'{text}' {why}"))
        .hint("Quote it if a text is meant, write it as a plain number otherwise.")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn scalars_have_the_types_of_the_core_schema() {
        let table = [
            ("", Value::Null),
            ("~", Value::Null),
            ("TRUE", json!(true)),
            ("yes", json!("yes")),
            ("0", json!(0)),
            ("-0", json!(0)),
            ("+12", json!(12)),
            ("9223372036854775807", json!(i64::MAX)),
            ("18446744073709551615", json!(u64::MAX)),
            ("0x1F", json!(31)),
            ("0o17", json!(15)),
            ("1.1", json!(1.1)),
            ("1.", json!(1.0)),
            (".5", json!(0.5)),
            ("1e3", json!(1000.0)),
            ("1e", json!("1e")),
            (".", json!(".")),
            ("1.2.3", json!("1.2.3")),
            ("0x", json!("0x")),
            ("1h", json!("1h")),
            ("500ms..10s", json!("500ms..10s")),
            ("2026-12-01", json!("2026-12-01")),
        ];
        for (text, value) in table {
            assert_eq!(plain(text).unwrap(), value, "{text:?}");
        }
    }

    #[test]
    fn what_would_be_read_with_a_loss_is_refused() {
        for text in [
            "007",
            "-01",
            "18446744073709551616",
            ".inf",
            "-.INF",
            ".nan",
            "1e999",
        ] {
            assert_eq!(plain(text).unwrap_err().code(), Code::ConfigType, "{text}");
        }
    }
}
