//! Functions of nodes, truth values and numbers. `text.rs` has those of texts.

use std::collections::HashSet;

use crate::xml::chars::SPACE;
use crate::xml::scan::XML;
use crate::xml::xpath::ast::{Expr, Function};
use crate::xml::xpath::eval::{Context, Evaluator};
use crate::xml::xpath::index::{Place, Sort};
use crate::xml::xpath::number;
use crate::xml::xpath::refusal::Spent;
use crate::xml::xpath::value::Value;

impl<'a> Evaluator<'a> {
    /// Calls a function. The compiler saw to the number of arguments.
    #[expect(clippy::cast_precision_loss, reason = "counts are far below 2^53")]
    pub(super) fn call(
        &self,
        function: Function,
        args: &'a [Expr],
        context: Context,
    ) -> Result<Value<'a>, Spent> {
        let Some(first) = args.first() else {
            return Ok(match function {
                Function::Last => Value::Number(context.size as f64),
                Function::Position => Value::Number(context.position as f64),
                function => Value::Truth(function == Function::True),
            });
        };
        let number = || self.number(first, context);
        Ok(match function {
            Function::Count => Value::Number(self.nodes(first, context)?.len() as f64),
            Function::Sum => Value::Number(self.sum(first, context)?),
            Function::Id => Value::Nodes(self.by_id(first, context)?),
            Function::LocalName | Function::NamespaceUri | Function::Name => {
                let node = self.nodes(first, context)?.first().copied();
                node.map_or(Ok(Value::Text("".into())), |node| {
                    self.name_of(function, node)
                })?
            }
            Function::Boolean => Value::Truth(self.truth(first, context)?),
            Function::Not => Value::Truth(!self.truth(first, context)?),
            Function::Lang => Value::Truth(self.speaks(first, context)?),
            Function::Number => Value::Number(number()?),
            Function::Floor => Value::Number(number()?.floor()),
            Function::Ceiling => Value::Number(number()?.ceil()),
            Function::Round => Value::Number(number::round(number()?)),
            _ => self.call_text(function, args, context)?,
        })
    }

    fn sum(&self, nodes: &'a Expr, context: Context) -> Result<f64, Spent> {
        let mut sum = 0.0;
        for node in self.nodes(nodes, context)? {
            sum += self.number_of(node)?;
        }
        Ok(sum)
    }

    fn name_of(&self, function: Function, node: Place) -> Result<Value<'a>, Spent> {
        let Some(name) = self.name(node) else {
            return Ok(Value::Text("".into()));
        };
        let text = match function {
            Function::LocalName => (&*name.local_name).into(),
            Function::NamespaceUri => name.namespace_uri.as_deref().unwrap_or_default().into(),
            _ => name.prefixed_name(),
        };
        self.budget.text(text.len())?;
        Ok(Value::Text(text))
    }

    /// Finds elements by their `xml:id`: without a DTD there is no other identity.
    fn by_id(&self, wanted: &'a Expr, context: Context) -> Result<Vec<Place>, Spent> {
        let texts = match self.eval(wanted, context)? {
            Value::Nodes(nodes) => nodes.into_iter().map(|node| self.text_of(node)).collect(),
            other => self.to_text(other).map(|text| vec![text]),
        }?;
        let mut ids = HashSet::new();
        for text in &texts {
            // Each word is put into a table.
            self.budget.spend(text.len())?;
            let words = text.split(SPACE);
            ids.extend(words.filter(|word| !word.is_empty()));
        }
        let mut found = Vec::new();
        for place in 0..self.index.len() {
            self.budget.spend(1)?;
            let Some(id) = self.xml_attribute(place, "id")? else {
                continue;
            };
            // An identity belongs to the first that claims it.
            if ids.remove(id) {
                found.push(place);
            }
        }
        Ok(found)
    }

    /// Tells whether the closest `xml:lang` is the language or a dialect of it.
    fn speaks(&self, wanted: &'a Expr, context: Context) -> Result<bool, Spent> {
        let wanted = self.eval(wanted, context)?;
        let wanted = self.to_text(wanted)?;
        let mut place = Some(context.node);
        while let Some(current) = place {
            self.budget.spend(1)?;
            if let Some(own) = self.xml_attribute(current, "lang")? {
                self.budget.text(own.len())?;
                let rest = own.get(wanted.len()..).unwrap_or_default();
                let start = own.get(..wanted.len()).unwrap_or_default();
                let is_whole = rest.is_empty() || rest.starts_with('-');
                return Ok(start.eq_ignore_ascii_case(&wanted) && is_whole);
            }
            place = self.index.parent(current);
        }
        Ok(false)
    }

    /// Returns an attribute of an element in the namespace of the prefix `xml`.
    fn xml_attribute(&self, place: Place, local: &str) -> Result<Option<&'a str>, Spent> {
        let (id, _) = self.index.node(place);
        let element = self.tree.element(id);
        let element = element.filter(|_| self.index.at(place).sort == Sort::Element);
        let attributes = element.map_or(&[][..], |element| &element.attributes);
        self.budget.spend(attributes.len())?;
        let found = attributes
            .iter()
            .find(|own| own.name.matches(Some(XML), local));
        Ok(found.map(|own| &*own.value))
    }
}
