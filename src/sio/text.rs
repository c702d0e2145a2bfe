//! Writes a field as it is declared: the inverse of reading a SimpleIO string.

use crate::contract::{Constraint, Field, Ty};
use crate::sio::constraint::pattern_text;
use crate::sio::ty;

/// Returns a field as a SimpleIO string, such as `year:int(1900..2100)?`.
pub(crate) fn field_text(field: &Field) -> String {
    let mut text = field.name.to_string();
    if field.ty != Ty::Text || field.constraint.is_some() {
        text.push(':');
        text.push_str(&ty::name(&field.ty));
    }
    text.extend(field.constraint.as_ref().map(constraint_text));
    // A default says it already.
    if field.optional && field.default.is_none() {
        text.push('?');
    }
    if let Some(default) = field.default.as_ref().and_then(crate::base::Value::to_text) {
        text.push('=');
        text.push_str(&default);
    }
    if field.sensitive {
        text.push('!');
    }
    text
}

fn constraint_text(constraint: &Constraint) -> String {
    let bound = |bound: Option<String>| bound.unwrap_or_default();
    match constraint {
        Constraint::Range(least, most) => {
            let text = |number: &Option<rust_decimal::Decimal>| {
                bound(number.map(|number| number.to_string()))
            };
            format!("({}..{})", text(least), text(most))
        }
        Constraint::Length(least, most) => {
            let text = |number: &Option<usize>| bound(number.map(|number| number.to_string()));
            format!("({}..{})", text(least), text(most))
        }
        Constraint::Pattern(pattern) => format!("(/{}/)", pattern_text(pattern)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::{Place, Value};

    #[test]
    fn a_field_is_written_as_it_was_declared() {
        for text in [
            "name",
            "year:int(1900..2100)?",
            "code:text(1..40)",
            "kind:enum(a|b)=a",
            "ids:int[]?",
            "pin:text(/[0-9]+/)!",
        ] {
            let raw = Value::Map(
                [
                    ("name".into(), "a.b".into()),
                    ("input".into(), Value::List(vec![Value::text(text)])),
                ]
                .into_iter()
                .collect(),
            );
            let declared = crate::sio::declare(&raw, Place::new("a.lua", 1, 1), "lua").unwrap();
            let written = field_text(&declared.input.as_ref().unwrap()[0]);
            assert_eq!(written, text);
        }
    }
}
