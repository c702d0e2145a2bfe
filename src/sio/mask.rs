//! Masks what a service declared as sensitive in what it logs.
//!
//! Such a value is known by its name: wherever a table has a name that the service declared with `!`, in an input, an
//! output or a model, its value is hidden, at every depth. A value that a script took out of its table has lost its
//! name and is not recognised.

use std::collections::BTreeSet;

use serde_json::Value as Json;

use crate::base::{Value, Veil};
use crate::contract::{Declaration, Field, Ty};

/// What stands for a hidden value.
const MASK: &str = "***";

/// Returns a value as JSON, with the values of all names hidden that a declaration calls sensitive.
pub(crate) fn masked(value: &Value, declaration: &Declaration) -> Json {
    let mut names = BTreeSet::new();
    for fields in [&declaration.input, &declaration.output] {
        collect(fields.as_deref().unwrap_or_default(), &mut names);
    }
    let mut shown = Json::from(value);
    if !names.is_empty() {
        hide(&mut shown, &names);
    }
    shown
}

/// Hides from a story what a value has under the names that a declaration calls sensitive: now and wherever it comes again.
pub(crate) fn veil(value: &Value, declaration: &Declaration, veil: &mut Veil) {
    let mut names = BTreeSet::new();
    for fields in [&declaration.input, &declaration.output] {
        collect(fields.as_deref().unwrap_or_default(), &mut names);
    }
    if names.is_empty() {
        return;
    }
    for name in &names {
        veil.add_name(name);
    }
    gather(value, Under::Plain, &names, veil);
}

/// Whether a value stands under a sensitive name.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Under {
    Plain,
    Sensitive,
}

fn gather(value: &Value, under: Under, names: &BTreeSet<&str>, veil: &mut Veil) {
    match value {
        Value::Map(map) => {
            for (name, member) in map {
                let sensitive = under == Under::Sensitive || names.contains(name.as_str());
                let under = if sensitive {
                    Under::Sensitive
                } else {
                    Under::Plain
                };
                gather(member, under, names, veil);
            }
        }
        Value::List(list) => list
            .iter()
            .for_each(|member| gather(member, under, names, veil)),
        // The text of a truth value says nothing of where it came from.
        Value::Bool(_) => {}
        scalar if under == Under::Sensitive => {
            veil.add_text(&scalar.to_text().unwrap_or_default());
        }
        _ => {}
    }
}

fn collect<'a>(fields: &'a [Field], names: &mut BTreeSet<&'a str>) {
    for field in fields {
        if field.sensitive {
            names.insert(&field.name);
        }
        if let Ty::Model(model) = innermost(&field.ty) {
            collect(&model.fields, names);
        }
    }
}

fn innermost(ty: &Ty) -> &Ty {
    match ty {
        Ty::List(inner) => innermost(inner),
        other => other,
    }
}

fn hide(value: &mut Json, names: &BTreeSet<&str>) {
    match value {
        Json::Object(map) => {
            for (name, member) in map {
                if names.contains(name.as_str()) {
                    *member = MASK.into();
                } else {
                    hide(member, names);
                }
            }
        }
        Json::Array(list) => list.iter_mut().for_each(|member| hide(member, names)),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(declaration: &str, value: &str, wanted: &str) {
        let json = |text: &str| serde_json::from_str::<Json>(text).unwrap();
        let place = crate::base::Place::new("t.lua", 1, 0);
        let declaration = crate::sio::declare(&Value::from(&json(declaration)), place, "lua");
        let declaration = declaration.unwrap();
        let shown = masked(&Value::from(&json(value)), &declaration);
        assert_eq!(shown, json(wanted), "{value}");
    }

    #[test]
    fn sensitive_names_are_hidden_at_every_depth() {
        let declaration = r#"{"name": "t",
            "models": {"Card": ["pin:int!", "holder"], "Person": ["cards:Card[][]"]},
            "input": ["person:Person", "token!", "keys:Card!"], "output": ["receipt:bytes!"]}"#;
        for (value, wanted) in [
            (
                r#"{"person":{"cards":[[{"pin":1234,"holder":"A"}]]},"token":"t","keys":{"holder":"B"}}"#,
                r#"{"person":{"cards":[[{"pin":"***","holder":"A"}]]},"token":"***","keys":"***"}"#,
            ),
            (
                r#"[{"holder":"A","pin":1}]"#,
                r#"[{"holder":"A","pin":"***"}]"#,
            ),
            (
                r#"{"more":[{"receipt":"x"}]}"#,
                r#"{"more":[{"receipt":"***"}]}"#,
            ),
        ] {
            check(declaration, value, wanted);
        }
    }

    #[test]
    fn a_sensitive_value_is_known_by_its_text_from_then_on() {
        let json = |text: &str| Value::from(&serde_json::from_str::<Json>(text).unwrap());
        let declared = r#"{"name": "t", "models": {"Card": ["pin:int!", "holder"]},
            "input": ["cards:Card[]", "keys:map!", "yes:bool!"]}"#;
        let place = crate::base::Place::new("t.lua", 1, 0);
        let declaration = crate::sio::declare(&json(declared), place, "lua").unwrap();
        let input = r#"{"cards":[{"pin":1234,"holder":"A"}],"keys":{"a":["key-1"]},"yes":true}"#;
        let mut hidden = Veil::default();
        veil(&json(input), &declaration, &mut hidden);
        let later = json(r#"["pin 1234", "A", "key-1", true, {"pin": 5}]"#);
        assert_eq!(
            hidden.show(&later),
            r#"["pin ***","A","***",true,{"pin":***}]"#
        );
    }

    #[test]
    fn without_sensitive_names_all_is_shown() {
        check(r#"{"name": "t"}"#, r#"{"pin":1}"#, r#"{"pin":1}"#);
    }
}
