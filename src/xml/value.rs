//! XML to values, the plain mapping of both XML formats and of `node:value()`.
//!
//! - An element with child elements becomes a map in their order; text between them is layout.
//! - A name that is repeated becomes a list, at the place of its first.
//! - An element without child elements becomes its text; an empty one the empty text.
//! - `xsi:nil="true"` becomes null.
//! - Attributes and namespaces play no part; who needs them asks the node.

use std::collections::HashMap;

use crate::base::{Map, Text, Value};
use crate::xml::Node;

/// The namespace of `xsi:nil`.
pub(super) const XSI: &str = "http://www.w3.org/2001/XMLSchema-instance";

/// Returns the content of an element; of a document, that of its root element.
pub(super) fn of(node: &Node) -> Value {
    if !node.is_element() {
        let root = node.root();
        // A text or an attribute is its own text.
        return if node.parent().is_none() && root.is_element() {
            of(&root)
        } else {
            node.text().into()
        };
    }
    if matches!(node.attribute("nil", Some(XSI)), Some("true" | "1")) {
        return Value::Null;
    }
    let mut children = node.children().peekable();
    if children.peek().is_none() {
        return node.text().into();
    }
    Value::Map(collect(children))
}

/// Collects named values. The index keeps many different names from costing their square.
fn collect(children: impl Iterator<Item = Node>) -> Map {
    let mut places: HashMap<Text, usize> = HashMap::new();
    let mut pairs: Vec<(Text, Vec<Value>)> = Vec::new();
    for child in children {
        let name = Text::new(child.name());
        let value = of(&child);
        let place = *places.entry(name.clone()).or_insert(pairs.len());
        match pairs.get_mut(place) {
            Some((_, values)) => values.push(value),
            None => pairs.push((name, vec![value])),
        }
    }
    let one_or_list = |(name, mut values): (Text, Vec<Value>)| match values.len() {
        1 => (name, values.pop().unwrap_or_default()),
        _ => (name, Value::List(values)),
    };
    pairs.into_iter().map(one_or_list).collect()
}
