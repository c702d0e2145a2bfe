//! XPath 1.0 with a budget.
//!
//! The evaluator counts every node it visits and stops at a budget in proportion to the document,
//! so that a query costs at most some passes over it. The text of a node counts as one visit
//! however long it is: an expression that takes the text of the whole document at each of its nodes
//! is still costly. There are no variables: whoever puts foreign text into an expression must quote
//! it.

use std::cell::RefCell;

use uppsala::{XPathEvaluator, XPathValue, XmlError};

use crate::base::{Code, Fault, Text};
use crate::xml::{Node, xpath_words};

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

/// How often a query may pass over a document, and what small documents get on top.
const PASSES: usize = 8;
const SMALL: usize = 100_000;

/// How long an expression may be.
const LONGEST: usize = 4 << 10;

/// How many sets of namespaces keep their compiled expressions on a thread.
const KEPT: usize = 8;

type Namespaces = [(Text, Text)];

/// The evaluators of a thread, each with its namespaces.
type Kept = Vec<(Vec<(Text, Text)>, XPathEvaluator)>;

thread_local! {
    /// Evaluators with their compiled expressions, the latest used last.
    static EVALUATORS: RefCell<Kept> =
        const { RefCell::new(Vec::new()) };
}

/// Evaluates an expression with a node as its context.
pub(super) fn evaluate(
    node: &Node,
    expression: &str,
    namespaces: &Namespaces,
) -> Result<XPathResult, Fault> {
    if expression.len() > LONGEST {
        let message = format!(
            "XPath of {} bytes is longer than {LONGEST}",
            expression.len()
        );
        return Err(Fault::new(Code::ScriptArgument, message));
    }
    let words = xpath_words::read(expression);
    check_prefixes(expression, &words.prefixes, namespaces)?;
    let budget = node
        .doc
        .facts
        .nodes
        .saturating_mul(PASSES)
        .saturating_add(SMALL);
    let evaluator = take(namespaces).with_max_node_visits(budget);
    let result = evaluator.evaluate(&node.doc.tree, node.id, &words.rewritten);
    keep(namespaces, evaluator);
    match result.map_err(|error| wrong(expression, &error))? {
        XPathValue::NodeSet(ids) => Ok(XPathResult::Nodes(
            ids.into_iter().map(|id| node.sibling(id)).collect(),
        )),
        XPathValue::String(text) => Ok(XPathResult::Text(text.into())),
        XPathValue::Number(number) => Ok(XPathResult::Number(number)),
        XPathValue::Boolean(truth) => Ok(XPathResult::Bool(truth)),
    }
}

/// Refuses a prefix without a namespace: the evaluator would quietly match nothing.
fn check_prefixes(
    expression: &str,
    prefixes: &[&str],
    namespaces: &Namespaces,
) -> Result<(), Fault> {
    let known = |prefix: &str| prefix == "xml" || namespaces.iter().any(|(own, _)| own == prefix);
    let Some(prefix) = prefixes.iter().find(|prefix| !known(prefix)) else {
        return Ok(());
    };
    let message = format!("prefix `{prefix}` of XPath `{expression}` has no namespace");
    Err(Fault::new(Code::ScriptArgument, message).hint(format!(
        "Add `{prefix}` to the map of namespaces after the expression."
    )))
}

fn take(namespaces: &Namespaces) -> XPathEvaluator {
    let kept = EVALUATORS.with_borrow_mut(|all| {
        let place = all.iter().position(|(own, _)| own == namespaces)?;
        Some(all.remove(place).1)
    });
    kept.unwrap_or_else(|| {
        let mut evaluator = XPathEvaluator::new();
        for (prefix, uri) in namespaces {
            evaluator.add_namespace(prefix.as_str(), uri.as_str());
        }
        evaluator
    })
}

fn keep(namespaces: &Namespaces, evaluator: XPathEvaluator) {
    EVALUATORS.with_borrow_mut(|all| {
        if all.len() >= KEPT {
            all.remove(0);
        }
        all.push((namespaces.to_vec(), evaluator));
    });
}

fn wrong(expression: &str, error: &XmlError) -> Fault {
    let why = match error {
        XmlError::XPath(error) => error.message.clone(),
        other => other.to_string(),
    };
    if why.contains("node visit budget") {
        let message = format!("XPath `{expression}` visits too many nodes of this document");
        return Fault::new(Code::ScriptArgument, message).hint(
            "Name the elements on the way instead of searching with `//` within predicates.",
        );
    }
    let message = format!("XPath `{expression}` not understood: {why}");
    Fault::new(Code::ScriptArgument, message)
}
