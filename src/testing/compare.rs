//! Whether two values are the same, and how people see where they are not.

use serde_json::Value as Json;

use crate::base::{Code, Fault, Value, shortened};

/// So many differences are shown.
const SHOWN: usize = 5;
/// So much of a value is shown.
const WIDTH: usize = 200;

/// Returns a value as comparisons see it: what is absent is not there, and whole numbers are integers.
pub(super) fn plain(value: &Value) -> Json {
    settled(Json::from(value))
}

/// Returns JSON as comparisons see it.
pub(super) fn settled(json: Json) -> Json {
    match json {
        Json::Object(map) => map
            .into_iter()
            .filter(|(_, value)| !value.is_null())
            .map(|(name, value)| (name, settled(value)))
            .collect(),
        Json::Array(list) => list.into_iter().map(settled).collect(),
        Json::Number(number) => match number.as_f64() {
            Some(float) if number.is_f64() && float.fract() == 0.0 && float.abs() < 1e15 => {
                let whole: Result<i64, _> = format!("{float:.0}").parse();
                whole.map_or(Json::Number(number), Json::from)
            }
            _ => Json::Number(number),
        },
        other => other,
    }
}

/// One difference.
struct Difference {
    pointer: String,
    expected: Option<Json>,
    got: Option<Json>,
}

/// Returns the fault of two values that differ.
pub(super) fn check(expected: &Json, got: &Json) -> Result<(), Fault> {
    let mut found = Vec::new();
    walk(expected, got, "", &mut found);
    let Some(first) = found.first() else {
        return Ok(());
    };
    let wide = found.len() > 1 || (first.pointer.is_empty() && text_of(first).is_some());
    let lines = found.iter().take(SHOWN).map(shown);
    let mut lines: Vec<String> = lines.collect();
    if found.len() > SHOWN {
        lines.push(format!("and {} more", found.len() - SHOWN));
    }
    let (wanted, seen) = (side(first.expected.as_ref()), side(first.got.as_ref()));
    let message = if first.pointer.is_empty() {
        format!("expected {wanted}, got {seen}")
    } else {
        format!("{}: expected {wanted}, got {seen}", first.pointer)
    };
    let fault = Fault::new(Code::TestFailed, message);
    Err(if wide {
        fault.detail(lines.join("\n"))
    } else {
        fault
    })
}

fn walk(expected: &Json, got: &Json, pointer: &str, found: &mut Vec<Difference>) {
    match (expected, got) {
        (Json::Object(wanted), Json::Object(seen)) => {
            let more = seen.keys().filter(|name| !wanted.contains_key(*name));
            for name in wanted.keys().chain(more) {
                let pointer = format!("{pointer}/{name}");
                pair(wanted.get(name), seen.get(name), pointer, found);
            }
        }
        (Json::Array(wanted), Json::Array(seen)) => {
            for index in 0..wanted.len().max(seen.len()) {
                let pointer = format!("{pointer}/{index}");
                pair(wanted.get(index), seen.get(index), pointer, found);
            }
        }
        _ if expected == got => {}
        _ => found.push(Difference {
            pointer: pointer.to_owned(),
            expected: Some(expected.clone()),
            got: Some(got.clone()),
        }),
    }
}

fn pair(expected: Option<&Json>, got: Option<&Json>, pointer: String, found: &mut Vec<Difference>) {
    match (expected, got) {
        (Some(expected), Some(got)) => walk(expected, got, &pointer, found),
        (expected, got) => found.push(Difference {
            pointer,
            expected: expected.cloned(),
            got: got.cloned(),
        }),
    }
}

fn side(value: Option<&Json>) -> String {
    match value {
        None | Some(Json::Null) => "nothing".to_owned(),
        Some(value) => short(value),
    }
}

/// Returns a value in one line that is not too long.
pub(super) fn short(value: &Json) -> String {
    shortened(&value.to_string(), WIDTH)
}

fn text_of(difference: &Difference) -> Option<(&str, &str)> {
    let (expected, got) = (difference.expected.as_ref()?, difference.got.as_ref()?);
    let texts = (expected.as_str()?, got.as_str()?);
    (texts.0.len() > 8 && texts.1.len() > 8).then_some(texts)
}

/// Shows one difference: two texts one below the other, with a caret at the first character that differs.
fn shown(difference: &Difference) -> String {
    let pointer = &difference.pointer;
    let (wanted, seen) = (
        side(difference.expected.as_ref()),
        side(difference.got.as_ref()),
    );
    match text_of(difference) {
        Some(_) => {
            let same = wanted.chars().zip(seen.chars());
            let same = same.take_while(|(one, other)| one == other).count();
            let caret = " ".repeat(same + 9);
            format!("{pointer}\nexpected {wanted}\n     got {seen}\n{caret}^")
                .trim_start()
                .to_owned()
        }
        None => format!("{pointer}: expected {wanted}, got {seen}"),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn told(expected: &Json, got: &Json) -> String {
        match check(expected, got) {
            Ok(()) => "same".to_owned(),
            Err(fault) => format!(
                "{} | {}",
                fault.message(),
                fault.detail_text().unwrap_or_default()
            ),
        }
    }

    #[test]
    fn every_difference_has_its_place() {
        assert_eq!(
            told(&json!({"a": [1, {"b": 2}]}), &json!({"a": [1, {"b": 2}]})),
            "same"
        );
        assert_eq!(
            told(&json!("1.22"), &json!(null)),
            "expected \"1.22\", got nothing | "
        );
        assert_eq!(
            told(&json!({"a": [1, 2]}), &json!({"a": [1]})),
            "/a/1: expected 2, got nothing | "
        );
        let two = told(&json!({"a": 1, "b": 2}), &json!({"a": 2, "c": 3, "b": 2}));
        assert_eq!(
            two,
            "/a: expected 1, got 2 | /a: expected 1, got 2\n/c: expected nothing, got 3"
        );
        let texts = told(&json!("Key a set to 1"), &json!("Key a set to 2"));
        assert!(
            texts.ends_with(
                "expected \"Key a set to 1\"\n     got \"Key a set to 2\"\n                       ^"
            ),
            "{texts}"
        );
    }

    #[test]
    fn what_is_absent_and_how_a_whole_number_is_kept_makes_no_difference() {
        let one = settled(json!({"a": null, "b": 2.0}));
        assert_eq!(one, json!({"b": 2}));
    }
}
