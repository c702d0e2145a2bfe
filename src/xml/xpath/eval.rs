//! Evaluates a compiled expression. `step.rs` has the paths.

use uppsala::Document;

use crate::xml::xpath::ast::{Expr, Operator};
use crate::xml::xpath::budget::Budget;
use crate::xml::xpath::compare;
use crate::xml::xpath::index::{Index, Place};
use crate::xml::xpath::refusal::Spent;
use crate::xml::xpath::value::Value;

/// What an expression is evaluated on.
pub(super) struct Evaluator<'a> {
    pub(super) tree: &'a Document<'static>,
    pub(super) index: &'a Index,
    pub(super) budget: Budget,
}

/// Where an expression is evaluated.
#[derive(Clone, Copy)]
pub(super) struct Context {
    pub(super) node: Place,
    /// Among the nodes that a predicate chooses from, from 1.
    pub(super) position: usize,
    /// How many these are.
    pub(super) size: usize,
}

impl Context {
    /// A node by itself.
    pub(super) fn of(node: Place) -> Self {
        Self {
            node,
            position: 1,
            size: 1,
        }
    }
}

impl<'a> Evaluator<'a> {
    pub(super) fn eval(&self, expr: &'a Expr, context: Context) -> Result<Value<'a>, Spent> {
        self.budget.spend(1)?;
        match expr {
            Expr::Number(number) => Ok(Value::Number(*number)),
            Expr::Literal(text) => Ok(Value::Text((&**text).into())),
            Expr::Chain(first, rest) => self.chain(first, rest, context),
            Expr::Negate { odd, of } => {
                let number = self.number(of, context)?;
                Ok(Value::Number(if *odd { -number } else { number }))
            }
            Expr::Call(function, args) => self.call(*function, args, context),
            Expr::Union(_) | Expr::Path(_) => self.nodes(expr, context).map(Value::Nodes),
        }
    }

    pub(super) fn truth(&self, expr: &'a Expr, context: Context) -> Result<bool, Spent> {
        Ok(self.eval(expr, context)?.is_true())
    }

    pub(super) fn number(&self, expr: &'a Expr, context: Context) -> Result<f64, Spent> {
        let value = self.eval(expr, context)?;
        self.to_number(&value)
    }

    /// Evaluates what the compiler found to give nodes.
    pub(super) fn nodes(&self, expr: &'a Expr, context: Context) -> Result<Vec<Place>, Spent> {
        match expr {
            Expr::Path(path) => self.path(path, context),
            Expr::Union(all) => {
                let mut nodes = Vec::new();
                for expr in all {
                    nodes.append(&mut self.nodes(expr, context)?);
                }
                self.ordered(nodes)
            }
            Expr::Call(function, args) => match self.call(*function, args, context)? {
                Value::Nodes(nodes) => Ok(nodes),
                _ => Ok(Vec::new()),
            },
            _ => Ok(Vec::new()),
        }
    }

    fn chain(
        &self,
        first: &'a Expr,
        rest: &'a [(Operator, Expr)],
        context: Context,
    ) -> Result<Value<'a>, Spent> {
        let mut left = self.eval(first, context)?;
        for (operator, expr) in rest {
            let decided = match operator {
                Operator::Or => left.is_true(),
                Operator::And => !left.is_true(),
                _ => false,
            };
            if decided {
                return Ok(Value::Truth(*operator == Operator::Or));
            }
            let right = self.eval(expr, context)?;
            left = match operator {
                Operator::Or | Operator::And => Value::Truth(right.is_true()),
                _ if operator.level() < Operator::Add.level() => {
                    Value::Truth(self.compare(*operator, &left, &right)?)
                }
                _ => {
                    let (left, right) = (self.to_number(&left)?, self.to_number(&right)?);
                    Value::Number(compare::calculate(*operator, left, right))
                }
            };
        }
        Ok(left)
    }
}
