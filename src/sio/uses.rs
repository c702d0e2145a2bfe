//! Reads `uses`, the list of what a service may use.

use crate::base::{Capabilities, Code, FAMILIES, Fault, Grant, Text, Value, closest};

const FORMS: &str = "The entries are `outgoing.KIND:NAME`, `kvdb:KEY`, `service:NAME` and `config:FILE`; a `*` stands for any text.";

/// Reads the list and adds its problems.
pub(super) fn read(raw: &Value, problems: &mut Vec<Fault>) -> Option<Capabilities> {
    let list = match raw {
        Value::List(list) => list.as_slice(),
        // An empty table of a script is both.
        Value::Map(map) if map.is_empty() => &[],
        other => {
            let message = format!("`uses` must be a list of texts, got {}", other.kind());
            problems.push(wrong(message));
            return None;
        }
    };
    let mut grants = Vec::with_capacity(list.len());
    for entry in list {
        match grant(entry) {
            Ok(grant) => grants.push(grant),
            Err(problem) => problems.push(problem),
        }
    }
    Some(Capabilities { grants })
}

fn wrong(message: String) -> Fault {
    Fault::new(Code::BadDeclaration, message).hint(FORMS)
}

fn grant(entry: &Value) -> Result<Grant, Fault> {
    let Value::Text(text) = entry else {
        return Err(wrong(format!("`uses` holds {}, not a text", entry.kind())));
    };
    let Some((family, pattern)) = text.split_once(':') else {
        return Err(wrong(format!("'{text}' in `uses` names no family")));
    };
    let is_outgoing = family
        .strip_prefix("outgoing.")
        .is_some_and(|kind| !kind.is_empty());
    if !is_outgoing && !FAMILIES.contains(&family) {
        let known = FAMILIES.iter().copied().chain(["outgoing.http"]);
        let fault = wrong(format!("'{text}' in `uses` has an unknown family"));
        return Err(match closest(family, known) {
            Some(near) => fault.hint(format!("Did you mean `{near}:{pattern}`?")),
            None => fault,
        });
    }
    if pattern.is_empty() {
        return Err(wrong(format!("'{text}' in `uses` names nothing")));
    }
    let odd = |c: char| c.is_control() || c.is_whitespace() || "?[]\\\u{fffd}".contains(c);
    if let Some(sign) = pattern.chars().find(|c| odd(*c)) {
        let sign = sign.escape_default();
        let message = format!("'{text}' in `uses` holds the sign `{sign}`");
        return Err(wrong(message).hint("The only special sign is `*`, which stands for any text."));
    }
    Ok(Grant {
        family: Text::new(family),
        pattern: Text::new(pattern),
    })
}
