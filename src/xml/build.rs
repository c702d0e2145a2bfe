//! Builds documents for scripts, from a value or from a description of elements.
//!
//! A description is a map: `name`, and where wanted `namespace`, `attributes` and `content`;
//! content is a text or other scalar, a description, a node, or a list of these. What was built is
//! read once more, so that nothing leaves that a strict reader would refuse.

use crate::base::{Code, Fault, Map, Value};
use crate::xml::{Limits, Node, Writer, chars, scan, write};

/// Builds a document of one root element with the content of a value.
pub(crate) fn from_value(root: &str, namespace: &str, value: &Value) -> Result<String, Fault> {
    let mut writer = Writer::with_declaration();
    start(&mut writer, root, namespace)?;
    write::write_content(&mut writer, value)?;
    checked(writer.finish())
}

/// Builds a document from the description of its root element.
pub(crate) fn from_description(root: &Map) -> Result<String, Fault> {
    let mut writer = Writer::with_declaration();
    element(&mut writer, root, 0)?;
    checked(writer.finish())
}

fn element(writer: &mut Writer, map: &Map, depth: usize) -> Result<(), Fault> {
    if depth >= Limits::default().depth {
        return Err(wrong("elements are nested too deep"));
    }
    let known = ["name", "namespace", "attributes", "content"];
    if let Some(name) = map.names().find(|name| !known.contains(name)) {
        return Err(wrong(&format!("an element has no `{name}`"))
            .hint("It has `name`, `namespace`, `attributes` and `content`."));
    }
    let name = map.get("name").and_then(Value::as_str);
    let name = name.ok_or_else(|| wrong("an element needs a `name`"))?;
    let namespace = map
        .get("namespace")
        .and_then(Value::as_str)
        .unwrap_or_default();
    start(writer, name, namespace)?;
    attributes(writer, name, map.get("attributes"))?;
    if let Some(value) = map.get("content") {
        content(writer, name, value, depth + 1)?;
    }
    writer.end();
    Ok(())
}

fn start(writer: &mut Writer, name: &str, namespace: &str) -> Result<(), Fault> {
    if !chars::is_qname(name) {
        return Err(wrong(&format!("`{name}` cannot be the name of an element")));
    }
    writer.start(name);
    if !namespace.is_empty() {
        let (prefix, _) = chars::split(name);
        let declaration = if prefix.is_empty() {
            "xmlns".to_owned()
        } else {
            format!("xmlns:{prefix}")
        };
        writer.attribute(&declaration, namespace);
    }
    Ok(())
}

fn attributes(writer: &mut Writer, element: &str, value: Option<&Value>) -> Result<(), Fault> {
    let Some(value) = value.filter(|value| !value.is_null()) else {
        return Ok(());
    };
    let map = value.as_map();
    let map =
        map.ok_or_else(|| wrong(&format!("attributes of `{element}` must be named values")))?;
    for (name, value) in map {
        let text = value.to_text().filter(|_| chars::is_qname(name));
        let text = text.ok_or_else(|| {
            wrong(&format!(
                "attribute `{name}` of `{element}` cannot be written"
            ))
        })?;
        if !value.is_null() {
            writer.attribute(name, &text);
        }
    }
    Ok(())
}

fn content(writer: &mut Writer, name: &str, value: &Value, depth: usize) -> Result<(), Fault> {
    match value {
        Value::Map(map) => element(writer, map, depth),
        Value::List(list) => list
            .iter()
            .try_for_each(|member| content(writer, name, member, depth)),
        Value::Handle(handle) => {
            let node: Option<&Node> = handle.downcast();
            let node =
                node.ok_or_else(|| wrong(&format!("content of `{name}` is an object, not XML")))?;
            node.write(writer);
            Ok(())
        }
        scalar => write::write_content(writer, scalar),
    }
}

fn checked(document: String) -> Result<String, Fault> {
    let limits = Limits {
        children: usize::MAX,
        nodes: usize::MAX,
        ..Limits::default()
    };
    match scan::scan(&document, &limits) {
        Ok(_) => Ok(document),
        Err(error) => Err(wrong(error.message())),
    }
}

fn wrong(why: &str) -> Fault {
    Fault::new(Code::ScriptArgument, format!("XML cannot be built: {why}"))
}
