//! Values and what can be made of them.

use std::borrow::Cow;

use uppsala::{NodeKind, QName};

use crate::xml::xpath::eval::Evaluator;
use crate::xml::xpath::index::{Place, Sort};
use crate::xml::xpath::number;
use crate::xml::xpath::refusal::Spent;

/// A value.
#[derive(Debug)]
pub(super) enum Value<'a> {
    /// In document order, each once.
    Nodes(Vec<Place>),
    Text(Cow<'a, str>),
    Number(f64),
    Truth(bool),
}

impl Value<'_> {
    pub(super) fn is_true(&self) -> bool {
        match self {
            Self::Nodes(nodes) => !nodes.is_empty(),
            Self::Text(text) => !text.is_empty(),
            Self::Number(number) => *number != 0.0 && !number.is_nan(),
            Self::Truth(truth) => *truth,
        }
    }
}

impl<'a> Evaluator<'a> {
    /// Returns the number of a value; NaN for what is none.
    pub(super) fn to_number(&self, value: &Value<'a>) -> Result<f64, Spent> {
        match value {
            Value::Number(number) => Ok(*number),
            Value::Truth(truth) => Ok(f64::from(u8::from(*truth))),
            Value::Text(text) => {
                self.budget.text(text.len())?;
                Ok(number::parse(text))
            }
            Value::Nodes(nodes) => match nodes.first() {
                Some(&node) => self.number_of(node),
                None => Ok(f64::NAN),
            },
        }
    }

    /// Returns the text of a value; of nodes, that of the first.
    pub(super) fn to_text(&self, value: Value<'a>) -> Result<Cow<'a, str>, Spent> {
        match value {
            Value::Text(text) => Ok(text),
            Value::Truth(truth) => Ok(if truth { "true" } else { "false" }.into()),
            Value::Number(number) => {
                let text = number::show(number);
                // Finding the digits costs more than copying them.
                self.budget.text(text.len() + 32)?;
                Ok(text.into())
            }
            Value::Nodes(nodes) => match nodes.first() {
                Some(&node) => self.text_of(node),
                None => Ok("".into()),
            },
        }
    }

    /// Returns the number of a node's text.
    pub(super) fn number_of(&self, node: Place) -> Result<f64, Spent> {
        let text = self.text_of(node)?;
        self.budget.text(text.len())?;
        Ok(number::parse(&text))
    }

    /// Returns the text of a node: its own, or all within in order.
    pub(super) fn text_of(&self, node: Place) -> Result<Cow<'a, str>, Spent> {
        let entry = self.index.at(node);
        if matches!(entry.sort, Sort::Attribute | Sort::Text) {
            self.budget.spend(1)?;
            return Ok(self.own_text(node).into());
        }
        let mut whole = Cow::Borrowed("");
        let mut place = entry.inner;
        while place < entry.end {
            self.budget.spend(1)?;
            let within = self.index.at(place);
            if within.sort == Sort::Text {
                let part = self.own_text(place);
                if whole.is_empty() {
                    whole = part.into();
                } else {
                    // The first part is copied when the second comes.
                    let first = if matches!(whole, Cow::Borrowed(_)) {
                        whole.len()
                    } else {
                        0
                    };
                    self.budget.text(first + part.len())?;
                    whole.to_mut().push_str(part);
                }
            }
            place = within.inner;
        }
        Ok(whole)
    }

    /// Returns the name of an element or attribute.
    pub(super) fn name(&self, node: Place) -> Option<&'a QName<'static>> {
        let (id, attribute) = self.index.node(node);
        let element = self.tree.element(id)?;
        match attribute {
            Some(at) => Some(&element.attributes.get(at as usize)?.name),
            None => Some(&element.name),
        }
    }

    fn own_text(&self, node: Place) -> &'a str {
        let (id, attribute) = self.index.node(node);
        match (self.tree.node_kind(id), attribute) {
            (Some(NodeKind::Text(text) | NodeKind::CData(text)), _) => text,
            (Some(NodeKind::Element(element)), Some(at)) => {
                let attribute = element.attributes.get(at as usize);
                attribute.map_or("", |attribute| &attribute.value)
            }
            _ => "",
        }
    }
}
