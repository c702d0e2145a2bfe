//! Reads what `service{…}` declares. The meaning of the fields is `sio`'s; this is the way there.

use crate::base::{Code, Fault, Place, Value};
use crate::contract::Declaration;

/// Reads a declaration.
pub(crate) fn declare(
    raw: &Value,
    place: Place,
    language: &'static str,
) -> Result<Declaration, Vec<Fault>> {
    simple::declare(raw, place, language)
}

/// Stands in until `sio::declare` is merged: names and types without constraints.
mod simple {
    use super::{Code, Declaration, Fault, Place, Value};
    use crate::base::{Millis, ServiceName, Text};
    use crate::contract::{Field, Ty};

    pub(super) fn declare(
        raw: &Value,
        place: Place,
        language: &'static str,
    ) -> Result<Declaration, Vec<Fault>> {
        let bad = |message: String| vec![Fault::new(Code::BadDeclaration, message)];
        let map = raw
            .as_map()
            .ok_or_else(|| bad("service needs a table".to_owned()))?;
        let name = map.get("name").and_then(Value::as_str).unwrap_or_default();
        let name =
            ServiceName::new(name).ok_or_else(|| bad(format!("bad service name '{name}'")))?;
        let millis = |key: &str| map.get(key).and_then(Value::as_str).and_then(Millis::parse);
        Ok(Declaration {
            name,
            doc: String::new(),
            input: map.get("input").map(fields),
            output: map.get("output").map(fields),
            timeout: millis("timeout"),
            cpu: millis("cpu"),
            place,
            language,
        })
    }

    fn fields(value: &Value) -> Vec<Field> {
        let Value::List(list) = value else {
            return Vec::new();
        };
        list.iter().filter_map(Value::as_str).map(field).collect()
    }

    fn field(text: &str) -> Field {
        let optional = text.ends_with('?');
        let text = text.trim_end_matches('?');
        let (name, ty) = text.split_once(':').unwrap_or((text, "text"));
        let ty = match ty {
            "int" => Ty::Int,
            "decimal" => Ty::Decimal,
            "bool" => Ty::Bool,
            "any" => Ty::Any,
            "map" => Ty::Map,
            _ => Ty::Text,
        };
        Field {
            name: Text::new(name),
            ty,
            optional,
            default: None,
            sensitive: false,
            constraint: None,
            doc: String::new(),
        }
    }
}
