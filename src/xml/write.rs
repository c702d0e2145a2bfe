//! Values to XML, the mirror of the plain mapping: maps nest, lists repeat their name, null is left
//! out; in a list, where it has a place, it is an element with `xsi:nil`.

use crate::base::{Code, Fault, Map, Value};
use crate::xml::value::XSI;
use crate::xml::{Writer, chars};

/// How deep values may nest: as deep as we read.
const DEPTH: usize = 100;

/// The name of the members of a list that has no name of its own.
const ITEM: &str = "item";

/// Writes a value as the content of the element that is open.
pub(crate) fn write_content(writer: &mut Writer, value: &Value) -> Result<(), Fault> {
    content(writer, "the root", value, 0)
}

fn named(writer: &mut Writer, name: &str, value: &Value, depth: usize) -> Result<(), Fault> {
    if !chars::is_ncname(name) {
        return Err(rejected(format!(
            "`{name}` cannot be the name of an element"
        )));
    }
    match value {
        Value::Null => Ok(()),
        Value::List(list) => list.iter().try_for_each(|member| match member {
            // A list within a list needs an element of its own, or both would run together.
            Value::List(_) => one(writer, name, member, depth),
            Value::Null => {
                nil(writer, name);
                Ok(())
            }
            _ => named(writer, name, member, depth),
        }),
        _ => one(writer, name, value, depth),
    }
}

fn nil(writer: &mut Writer, name: &str) {
    writer.start(name);
    writer.attribute("xmlns:xsi", XSI);
    writer.attribute("xsi:nil", "true");
    writer.end();
}

fn one(writer: &mut Writer, name: &str, value: &Value, depth: usize) -> Result<(), Fault> {
    if depth >= DEPTH {
        return Err(rejected(format!("`{name}` is nested deeper than {DEPTH}")));
    }
    writer.start(name);
    content(writer, name, value, depth + 1)?;
    writer.end();
    Ok(())
}

fn content(writer: &mut Writer, name: &str, value: &Value, depth: usize) -> Result<(), Fault> {
    match value {
        Value::Map(map) => fields(writer, map, depth),
        Value::List(_) => named(writer, ITEM, value, depth),
        scalar => {
            let text = scalar.to_text().ok_or_else(|| {
                rejected(format!("`{name}` is an object, which XML cannot carry"))
            })?;
            if let Some(c) = text.chars().find(|&c| !chars::is_char(c)) {
                let code = u32::from(c);
                return Err(rejected(format!(
                    "`{name}` has character U+{code:04X}, which XML cannot carry"
                )));
            }
            writer.text(&text);
            Ok(())
        }
    }
}

fn fields(writer: &mut Writer, map: &Map, depth: usize) -> Result<(), Fault> {
    map.iter()
        .try_for_each(|(name, value)| named(writer, name, value, depth))
}

fn rejected(message: String) -> Fault {
    Fault::new(Code::OutputRejected, message)
}
