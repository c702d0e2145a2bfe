//! The types of fields, by the names that declarations use.

use crate::base::{Text, closest};
use crate::contract::Ty;
use crate::sio::models::Models;

/// The built-in types, in the order documentation shows them.
const BUILT_IN: &[(&str, Ty)] = &[
    ("text", Ty::Text),
    ("int", Ty::Int),
    ("float", Ty::Float),
    ("decimal", Ty::Decimal),
    ("bool", Ty::Bool),
    ("date", Ty::Date),
    ("datetime", Ty::DateTime),
    ("uuid", Ty::Uuid),
    ("bytes", Ty::Bytes),
    ("map", Ty::Map),
    ("any", Ty::Any),
];

/// How many `[]` a type may carry.
const MAX_LISTS: usize = 4;

/// Tells whether a name is a built-in type and so no model can have it.
pub(super) fn is_built_in(name: &str) -> bool {
    name == "enum" || BUILT_IN.iter().any(|(known, _)| *known == name)
}

/// Reads a type without its constraint: `int`, `enum(a|b)[]`, `Address[]`. Returns what follows it.
pub(super) fn parse<'a>(text: &'a str, models: &mut Models<'_>) -> Result<(Ty, &'a str), String> {
    let end = text
        .find(|c: char| !(c.is_alphanumeric() || c == '_'))
        .unwrap_or(text.len());
    let (name, rest) = text.split_at_checked(end).unwrap_or((text, ""));
    let (ty, rest) = match name {
        "" => return Err("a type must follow the colon".to_owned()),
        "enum" => enumeration(rest)?,
        _ => (named(name, models)?, rest),
    };
    lists(ty, rest)
}

fn named(name: &str, models: &mut Models<'_>) -> Result<Ty, String> {
    if let Some((_, ty)) = BUILT_IN.iter().find(|(known, _)| *known == name) {
        return Ok(ty.clone());
    }
    if let Some(model) = models.find(name) {
        return model.map(Ty::Model);
    }
    let known = BUILT_IN.iter().map(|(known, _)| *known);
    let near = closest(name, known.chain(["enum"]).chain(models.names()));
    Err(match near {
        Some(near) => format!("there is no type or model `{name}`, did you mean `{near}`?"),
        None => format!("there is no type or model `{name}`"),
    })
}

fn enumeration(rest: &str) -> Result<(Ty, &str), String> {
    let wanted = "enum needs its texts: enum(a|b)";
    let inside = rest.strip_prefix('(').ok_or(wanted)?;
    let (inside, after) = inside.split_once(')').ok_or("enum( is not closed by `)`")?;
    let texts: Vec<Text> = inside
        .split('|')
        .map(|text| Text::from(text.trim()))
        .collect();
    enum_of(texts).map(|ty| (ty, after))
}

/// Makes an enum of texts, each given once and none empty.
pub(super) fn enum_of(texts: Vec<Text>) -> Result<Ty, String> {
    if texts.is_empty() || texts.iter().any(Text::is_empty) {
        return Err("an enum needs texts that are not empty: enum(a|b)".to_owned());
    }
    let twice = texts
        .iter()
        .enumerate()
        .find(|(index, text)| texts.iter().take(*index).any(|t| t == *text));
    match twice {
        Some((_, text)) => Err(format!("enum has `{text}` twice")),
        None => Ok(Ty::Enum(texts)),
    }
}

fn lists(mut ty: Ty, mut rest: &str) -> Result<(Ty, &str), String> {
    for _ in 0..=MAX_LISTS {
        let Some(after) = rest.strip_prefix("[]") else {
            return Ok((ty, rest));
        };
        ty = Ty::List(Box::new(ty));
        rest = after;
    }
    Err(format!("lists can nest at most {MAX_LISTS} deep"))
}

/// Returns a type as declarations write it.
pub(super) fn name(ty: &Ty) -> String {
    match ty {
        Ty::Enum(texts) => format!("enum({})", texts.join("|")),
        Ty::Model(model) => model.name.to_string(),
        Ty::List(inner) => format!("{}[]", name(inner)),
        other => BUILT_IN
            .iter()
            .find(|(_, known)| known == other)
            .map_or_else(String::new, |(known, _)| (*known).to_owned()),
    }
}
