//! Makes an input that fits a declaration, for people who try a service.

use rust_decimal::Decimal;
use rust_decimal::prelude::ToPrimitive as _;
use serde_json::{Value as Json, json};

use crate::base::Value;
use crate::contract::{Constraint, Declaration, Field, Ty};
use crate::sio::bind;

/// Texts that patterns often ask for; each is tried.
const TEXTS: &[&str] = &[
    "text",
    "TEXT",
    "abc",
    "ABC",
    "ab",
    "AB",
    "a",
    "A",
    "1",
    "12",
    "123",
    "1234",
    "12345",
    "a1",
    "A1",
    "ABC-123",
    "abc-123",
    "12-345",
    "2013-09-03",
    "10:00",
    "me@example.org",
    "https://example.org",
    "+48123456789",
    "00-001",
    "1.0.0",
    "#aabbcc",
];

/// Returns an input that binds, or nothing where none was found: not every pattern can be guessed.
pub(crate) fn example(declaration: &Declaration) -> Option<Json> {
    let Some(fields) = &declaration.input else {
        return Some(json!({}));
    };
    let tries = [
        members(fields, |_| true),
        members(fields, |field| !field.optional),
    ];
    let fits = |input: &Json| bind(declaration, Value::from(input), &[]).is_ok();
    tries.into_iter().find(fits)
}

fn members(fields: &[Field], wanted: impl Fn(&Field) -> bool) -> Json {
    let wanted = fields.iter().filter(|field| wanted(field));
    let members = wanted.map(|field| (field.name.to_string(), value(field)));
    Json::Object(members.collect())
}

fn value(field: &Field) -> Json {
    match &field.default {
        Some(default) => Json::from(default),
        None => of_type(&field.ty, field.constraint.as_ref()),
    }
}

fn of_type(ty: &Ty, constraint: Option<&Constraint>) -> Json {
    match ty {
        Ty::Text => text(constraint).into(),
        Ty::Int => number(constraint, 1).ceil().to_i64().into(),
        Ty::Float => number(constraint, 1).to_f64().into(),
        Ty::Decimal => number(constraint, 1).to_string().into(),
        Ty::Bool => true.into(),
        Ty::Date => "2013-09-03".into(),
        Ty::DateTime => "2013-09-03T10:00:00Z".into(),
        Ty::Uuid => "01890a5d-ac96-774b-bcce-b302099a8057".into(),
        Ty::Bytes => bytes(constraint).into(),
        Ty::Map => json!({ "name": "value" }),
        Ty::Any => "anything".into(),
        Ty::Enum(texts) => texts.first().map(ToString::to_string).into(),
        Ty::Model(model) => members(&model.fields, |_| true),
        Ty::List(inner) => {
            let count = least(constraint).max(1).min(most(constraint));
            Json::Array(vec![of_type(inner, None); count])
        }
    }
}

/// Returns the number nearest to `wanted` within bounds.
fn number(constraint: Option<&Constraint>, wanted: i64) -> Decimal {
    let wanted = Decimal::from(wanted);
    let Some(Constraint::Range(low, high)) = constraint else {
        return wanted;
    };
    let raised = low.map_or(wanted, |low| wanted.max(low));
    high.map_or(raised, |high| raised.min(high))
}

fn text(constraint: Option<&Constraint>) -> String {
    if let Some(Constraint::Pattern(pattern)) = constraint {
        let fits = TEXTS.iter().find(|text| pattern.is_match(text));
        return fits.map_or_else(|| "text".to_owned(), |text| (*text).to_owned());
    }
    let letters = "text".chars().cycle();
    letters
        .take(4_usize.max(least(constraint)).min(most(constraint)))
        .collect()
}

fn bytes(constraint: Option<&Constraint>) -> String {
    use base64::Engine as _;
    let count = 4_usize.max(least(constraint)).min(most(constraint));
    base64::engine::general_purpose::STANDARD.encode(vec![b'b'; count])
}

fn least(constraint: Option<&Constraint>) -> usize {
    match constraint {
        Some(Constraint::Length(low, _)) => low.unwrap_or(0),
        _ => 0,
    }
}

fn most(constraint: Option<&Constraint>) -> usize {
    match constraint {
        Some(Constraint::Length(_, Some(high))) => *high,
        _ => usize::MAX,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(input: &str, wanted: Option<&str>) {
        let json = |text: &str| serde_json::from_str::<Json>(text).unwrap();
        let declared = format!(
            r#"{{"name": "t", "models": {{"Item": ["code", "n:int(2..)"]}}, "input": {input}}}"#
        );
        let place = crate::base::Place::new("t.lua", 1, 0);
        let declaration =
            crate::sio::declare(&Value::from(&json(&declared)), place, "lua").unwrap();
        assert_eq!(example(&declaration), wanted.map(json), "{input}");
    }

    #[test]
    fn an_example_fits_its_declaration() {
        for (input, wanted) in [
            (
                r#"["a", "b:int", "c:bool?"]"#,
                r#"{"a":"text","b":1,"c":true}"#,
            ),
            (
                r#"["a:int(1900..2100)", "b:float(..0.5)", "c:decimal(5..9)"]"#,
                r#"{"a":1900,"b":0.5,"c":"5"}"#,
            ),
            (
                r#"["a:text(6..)", "b:text(..2)", "c:text(/^[A-Z]{3}$/)"]"#,
                r#"{"a":"textte","b":"te","c":"ABC"}"#,
            ),
            (
                r#"["a:enum(x|y)", "b:int=7", "c:date"]"#,
                r#"{"a":"x","b":7,"c":"2013-09-03"}"#,
            ),
            (
                r#"["a:Item[]", "b:bytes", "c:map"]"#,
                r#"{"a":[{"code":"text","n":2}],"b":"YmJiYg==","c":{"name":"value"}}"#,
            ),
        ] {
            check(input, Some(wanted));
        }
    }

    #[test]
    fn what_cannot_be_guessed_is_left_out_or_makes_no_example() {
        check(r#"["a", "b:text(/^x{17}y$/)?"]"#, Some(r#"{"a":"text"}"#));
        check(r#"["b:text(/^x{17}y$/)"]"#, None);
    }
}
