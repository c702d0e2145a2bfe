//! What a value must fulfil beyond its type: bounds, lengths, patterns.

use rust_decimal::Decimal;

use crate::base::Value;
use crate::contract::{Constraint, Ty};
use crate::sio::scalar;

/// How large a compiled pattern may become.
const PATTERN_BYTES: usize = 1 << 20;

/// Reads what stands between the parentheses, for a field of the type.
pub(super) fn parse(text: &str, ty: &Ty) -> Result<Constraint, String> {
    if let Some(pattern) = text.strip_prefix('/') {
        let pattern = pattern
            .strip_suffix('/')
            .ok_or_else(|| format!("the pattern `{text}` does not end with `/`"))?;
        return pattern_for(pattern, ty);
    }
    let (low, high) = text
        .split_once("..")
        .ok_or_else(|| format!("`({text})` is neither a range such as 1..40 nor a /pattern/"))?;
    bounds(low.trim(), high.trim(), ty)
}

/// Makes the constraint that a text matches the whole pattern.
pub(super) fn pattern_for(pattern: &str, ty: &Ty) -> Result<Constraint, String> {
    if !matches!(ty, Ty::Text) {
        return Err(format!(
            "only text can have a pattern, not {}",
            super::ty::name(ty)
        ));
    }
    regex::RegexBuilder::new(&format!(r"\A(?:{pattern})\z"))
        .size_limit(PATTERN_BYTES)
        .build()
        .map(Constraint::Pattern)
        .map_err(|error| {
            format!(
                "the pattern /{pattern}/ is not usable: {}",
                last_line(&error)
            )
        })
}

fn last_line(error: &regex::Error) -> String {
    let text = error.to_string();
    let line = text.lines().last().unwrap_or_default();
    line.strip_prefix("error: ").unwrap_or(line).to_owned()
}

/// Makes the constraint of a lower and an upper bound; an empty text is no bound.
pub(super) fn bounds(low: &str, high: &str, ty: &Ty) -> Result<Constraint, String> {
    match ty {
        Ty::Int | Ty::Float | Ty::Decimal => {
            let (low, high) = (bound(low, decimal)?, bound(high, decimal)?);
            ordered(low, high)?;
            Ok(Constraint::Range(low, high))
        }
        Ty::Text | Ty::Bytes | Ty::List(_) => {
            let (low, high) = (bound(low, length)?, bound(high, length)?);
            ordered(low, high)?;
            Ok(Constraint::Length(low, high))
        }
        other => Err(format!("{} cannot have bounds", super::ty::name(other))),
    }
}

fn bound<T>(text: &str, read: fn(&str) -> Result<T, String>) -> Result<Option<T>, String> {
    (!text.is_empty()).then(|| read(text)).transpose()
}

fn decimal(text: &str) -> Result<Decimal, String> {
    scalar::decimal_of(text).ok_or_else(|| format!("the bound `{text}` is not a number"))
}

fn length(text: &str) -> Result<usize, String> {
    text.parse()
        .map_err(|_ignored| format!("the length `{text}` is not a whole number"))
}

fn ordered<T: PartialOrd + std::fmt::Display>(
    low: Option<T>,
    high: Option<T>,
) -> Result<(), String> {
    match (low, high) {
        (None, None) => Err("the range `..` bounds nothing".to_owned()),
        (Some(low), Some(high)) if low > high => Err(format!("the range {low}..{high} is empty")),
        _ => Ok(()),
    }
}

/// Says what a value of the right type does not fulfil.
pub(super) fn problem(constraint: &Constraint, value: &Value) -> Option<String> {
    let fulfilled = match constraint {
        Constraint::Range(low, high) => within(value, *low, *high),
        Constraint::Length(low, high) => {
            let length = length_of(value);
            low.is_none_or(|low| length >= low) && high.is_none_or(|high| length <= high)
        }
        Constraint::Pattern(pattern) => value.as_str().is_some_and(|text| pattern.is_match(text)),
    };
    (!fulfilled).then(|| format!("must {}", rule(constraint, value)))
}

fn within(value: &Value, low: Option<Decimal>, high: Option<Decimal>) -> bool {
    match value {
        Value::Float(number) => {
            let float = |bound: Decimal| scalar::float_of_decimal(bound).unwrap_or(f64::NAN);
            low.is_none_or(|low| *number >= float(low))
                && high.is_none_or(|high| *number <= float(high))
        }
        Value::Int(number) => inside(Decimal::from(*number), low, high),
        Value::Uint(number) => inside(Decimal::from(*number), low, high),
        Value::Decimal(number) => inside(*number, low, high),
        _ => false,
    }
}

fn inside(number: Decimal, low: Option<Decimal>, high: Option<Decimal>) -> bool {
    low.is_none_or(|low| number >= low) && high.is_none_or(|high| number <= high)
}

fn length_of(value: &Value) -> usize {
    match value {
        Value::Text(text) => text.chars().count(),
        Value::Bytes(bytes) => bytes.len(),
        Value::List(list) => list.len(),
        _ => 0,
    }
}

fn rule(constraint: &Constraint, value: &Value) -> String {
    match constraint {
        Constraint::Range(low, high) => format!("be {}", span(*low, *high)),
        Constraint::Length(low, high) => {
            let unit = match value {
                Value::List(_) => "members",
                Value::Bytes(_) => "bytes",
                _ => "characters",
            };
            format!("have {} {unit}", span(*low, *high))
        }
        Constraint::Pattern(pattern) => format!("match /{}/", pattern_text(pattern)),
    }
}

/// Returns a pattern as the declaration wrote it.
pub(super) fn pattern_text(pattern: &regex::Regex) -> &str {
    let text = pattern.as_str();
    text.strip_prefix(r"\A(?:")
        .and_then(|text| text.strip_suffix(r")\z"))
        .unwrap_or(text)
}

fn span<T: std::fmt::Display>(low: Option<T>, high: Option<T>) -> String {
    match (low, high) {
        (Some(low), Some(high)) => format!("between {low} and {high}"),
        (Some(low), None) => format!("at least {low}"),
        (None, Some(high)) => format!("at most {high}"),
        (None, None) => "anything".to_owned(),
    }
}
