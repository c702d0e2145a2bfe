//! Asks a node: the expression compiled, evaluated within the budget, and made a result.

use crate::base::{Fault, Text};
use crate::xml::Node;
use crate::xml::xpath::budget::{Budget, STEPS};
use crate::xml::xpath::cache;
use crate::xml::xpath::eval::{Context, Evaluator};
use crate::xml::xpath::refusal::{self, Spent};
use crate::xml::xpath::value::Value;

/// What an expression gave.
#[derive(Debug)]
pub(crate) enum XPathResult {
    /// Elements, texts and attributes in document order.
    Nodes(Vec<Node>),
    /// A text.
    Text(Text),
    /// A number; NaN for what is none.
    Number(f64),
    /// A truth value.
    Bool(bool),
}

/// How long an expression may be.
const LONGEST: usize = 4 << 10;

/// Evaluates an expression with a node as its context.
pub(in crate::xml) fn evaluate(
    node: &Node,
    expression: &str,
    namespaces: &[(Text, Text)],
) -> Result<XPathResult, Fault> {
    evaluate_within(STEPS, node, expression, namespaces)
}

/// Evaluates an expression within so many steps.
pub(super) fn evaluate_within(
    steps: usize,
    node: &Node,
    expression: &str,
    namespaces: &[(Text, Text)],
) -> Result<XPathResult, Fault> {
    if expression.len() > LONGEST {
        return Err(refusal::too_long(expression.len(), LONGEST));
    }
    let compiled = cache::compiled(expression, namespaces)
        .map_err(|refusal| refusal.into_fault(expression))?;
    let evaluator = Evaluator {
        tree: node.tree(),
        index: node.index(),
        budget: Budget::new(steps),
    };
    let value = evaluator.eval(&compiled, Context::of(node.place()));
    let value = value.map_err(|Spent| refusal::too_expensive(expression))?;
    Ok(match value {
        Value::Nodes(places) => {
            let nodes = places.into_iter().map(|place| node.at_place(place));
            XPathResult::Nodes(nodes.collect())
        }
        Value::Text(text) => XPathResult::Text(text.into()),
        Value::Number(number) => XPathResult::Number(number),
        Value::Truth(truth) => XPathResult::Bool(truth),
    })
}
