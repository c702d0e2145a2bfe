//! Comparisons, XPath 1.0 section 3.4, and arithmetic.
//!
//! Two sets of nodes are compared in time of their sum, not of their product: what any pair decides
//! the sets' texts, least and greatest numbers decide.

use std::collections::HashSet;

use crate::xml::xpath::ast::Operator;
use crate::xml::xpath::eval::Evaluator;
use crate::xml::xpath::index::Place;
use crate::xml::xpath::refusal::Spent;
use crate::xml::xpath::value::Value;

/// Calculates.
pub(super) fn calculate(operator: Operator, left: f64, right: f64) -> f64 {
    match operator {
        Operator::Add => left + right,
        Operator::Subtract => left - right,
        Operator::Multiply => left * right,
        Operator::Divide => left / right,
        Operator::Remainder => left % right,
        _ => f64::NAN,
    }
}

/// Tells whether a number is a position.
#[expect(
    clippy::cast_precision_loss,
    clippy::float_cmp,
    reason = "positions are far below 2^53, and only the very number is meant"
)]
pub(super) fn is_position(number: f64, position: usize) -> bool {
    number == position as f64
}

impl<'a> Evaluator<'a> {
    /// Compares two values.
    pub(super) fn compare(
        &self,
        operator: Operator,
        left: &Value<'a>,
        right: &Value<'a>,
    ) -> Result<bool, Spent> {
        match (left, right) {
            (Value::Nodes(left), Value::Nodes(right)) => self.compare_sets(operator, left, right),
            (Value::Nodes(nodes), Value::Truth(_)) => {
                self.compare_single(operator, &Value::Truth(!nodes.is_empty()), right)
            }
            (Value::Truth(_), Value::Nodes(nodes)) => {
                self.compare_single(operator, left, &Value::Truth(!nodes.is_empty()))
            }
            (Value::Nodes(nodes), other) => any(nodes, |node| {
                self.compare_single(operator, &self.like(node, other)?, other)
            }),
            (other, Value::Nodes(nodes)) => any(nodes, |node| {
                self.compare_single(operator, other, &self.like(node, other)?)
            }),
            _ => self.compare_single(operator, left, right),
        }
    }

    /// Returns a node as the type of the value it is compared with.
    fn like(&self, node: Place, other: &Value<'a>) -> Result<Value<'a>, Spent> {
        match other {
            Value::Number(_) => self.number_of(node).map(Value::Number),
            _ => self.text_of(node).map(Value::Text),
        }
    }

    /// Compares what are no nodes.
    #[expect(clippy::float_cmp, reason = "XPath compares numbers exactly")]
    fn compare_single(
        &self,
        operator: Operator,
        left: &Value<'a>,
        right: &Value<'a>,
    ) -> Result<bool, Spent> {
        if !matches!(operator, Operator::Equal | Operator::Unequal) {
            let (left, right) = (self.to_number(left)?, self.to_number(right)?);
            return Ok(is_ordered(operator, left, right));
        }
        let equal = match (left, right) {
            (Value::Truth(_), _) | (_, Value::Truth(_)) => left.is_true() == right.is_true(),
            (Value::Text(left), Value::Text(right)) => {
                self.budget.text(left.len().min(right.len()))?;
                left == right
            }
            _ => self.to_number(left)? == self.to_number(right)?,
        };
        Ok(equal == (operator == Operator::Equal))
    }

    fn compare_sets(
        &self,
        operator: Operator,
        left: &[Place],
        right: &[Place],
    ) -> Result<bool, Spent> {
        match operator {
            Operator::Equal => self.share_text(left, right),
            Operator::Unequal => self.differ(left, right),
            _ => {
                let (left, right) = (self.range(left)?, self.range(right)?);
                let (Some(left), Some(right)) = (left, right) else {
                    return Ok(false);
                };
                Ok(match operator {
                    Operator::Less | Operator::LessOrEqual => is_ordered(operator, left.0, right.1),
                    _ => is_ordered(operator, left.1, right.0),
                })
            }
        }
    }

    /// Tells whether a text of the one set is a text of the other.
    fn share_text(&self, left: &[Place], right: &[Place]) -> Result<bool, Spent> {
        let (few, many) = if left.len() < right.len() {
            (left, right)
        } else {
            (right, left)
        };
        let mut texts = HashSet::new();
        for &node in few {
            let text = self.text_of(node)?;
            self.budget.text(text.len())?;
            texts.insert(text);
        }
        any(many, |node| {
            let text = self.text_of(node)?;
            self.budget.text(text.len())?;
            Ok(texts.contains(&text))
        })
    }

    /// Tells whether a text of the one set is not the same as some text of the other: so it is
    /// unless all texts of both are one.
    fn differ(&self, left: &[Place], right: &[Place]) -> Result<bool, Spent> {
        let (Some(&first), false) = (left.first(), right.is_empty()) else {
            return Ok(false);
        };
        let first = self.text_of(first)?;
        let differs = |node| {
            let text = self.text_of(node)?;
            self.budget.text(text.len().min(first.len()))?;
            Ok(text != first)
        };
        Ok(any(left, differs)? || any(right, differs)?)
    }

    /// Returns the least and the greatest number of a set, if it has any.
    fn range(&self, nodes: &[Place]) -> Result<Option<(f64, f64)>, Spent> {
        let mut range = None;
        for &node in nodes {
            let number = self.number_of(node)?;
            if !number.is_nan() {
                let (least, greatest) = range.unwrap_or((number, number));
                range = Some((number.min(least), number.max(greatest)));
            }
        }
        Ok(range)
    }
}

fn is_ordered(operator: Operator, left: f64, right: f64) -> bool {
    match operator {
        Operator::Less => left < right,
        Operator::LessOrEqual => left <= right,
        Operator::Greater => left > right,
        Operator::GreaterOrEqual => left >= right,
        _ => false,
    }
}

/// Tells whether something holds of any of the nodes.
fn any(nodes: &[Place], holds: impl Fn(Place) -> Result<bool, Spent>) -> Result<bool, Spent> {
    for &node in nodes {
        if holds(node)? {
            return Ok(true);
        }
    }
    Ok(false)
}
