//! Evaluates paths, step by step, and their predicates.

use uppsala::QName;

use crate::xml::xpath::ast::{Axis, Path, Predicate, Start, Step, Test};
use crate::xml::xpath::axis::{Walk, walks};
use crate::xml::xpath::compare;
use crate::xml::xpath::eval::{Context, Evaluator};
use crate::xml::xpath::index::{Place, Sort};
use crate::xml::xpath::refusal::Spent;
use crate::xml::xpath::value::Value;

impl<'a> Evaluator<'a> {
    pub(super) fn path(&self, path: &'a Path, context: Context) -> Result<Vec<Place>, Spent> {
        let mut nodes = match &path.start {
            Start::Context => vec![context.node],
            Start::Root => vec![0],
            Start::Filter(expr, predicates) => {
                let nodes = self.nodes(expr, context)?;
                self.filter_all(nodes, predicates)?
            }
        };
        for step in &path.steps {
            nodes = self.step(&nodes, step)?;
        }
        Ok(nodes)
    }

    /// Takes a step from all nodes. Where positions play no part the nodes are walked from as one
    /// set, else from each for itself.
    fn step(&self, from: &[Place], step: &'a Step) -> Result<Vec<Place>, Spent> {
        // Siblings are told apart by their parents, which are kept in a table.
        let siblings = matches!(step.axis, Axis::FollowingSibling | Axis::PrecedingSibling);
        let each = if siblings { 3 } else { 1 };
        self.budget.spend(from.len().saturating_mul(each))?;
        let mut found = Vec::new();
        if step.is_plain() {
            match from {
                [place] => {
                    self.collect(Walk::new(self.index, step.axis, *place), step, &mut found)?;
                }
                from => walks(self.index, step.axis, from)
                    .try_for_each(|walk| self.collect(walk, step, &mut found))?,
            }
            return self.filter_all(self.ordered(found)?, &step.predicates);
        }
        for place in from {
            let mut own = Vec::new();
            self.collect(Walk::new(self.index, step.axis, *place), step, &mut own)?;
            found.append(&mut self.filter_all(own, &step.predicates)?);
        }
        self.ordered(found)
    }

    /// Collects what a step takes on a walk; no more than its first predicate asks for.
    fn collect(&self, mut walk: Walk<'_>, step: &Step, into: &mut Vec<Place>) -> Result<(), Spent> {
        let enough = match step.predicates.first() {
            Some(Predicate::Nth(n)) => *n,
            _ => usize::MAX,
        };
        let names = matches!(step.test, Test::In(_) | Test::Named { .. });
        while let Some(place) = walk.next() {
            // To read a name takes as long as to come to the node.
            self.budget.spend(if names { 2 } else { 1 })?;
            if self.takes(step, place) && walk.is_on_axis(place) {
                into.push(place);
                if into.len() == enough {
                    break;
                }
            }
        }
        Ok(())
    }

    /// Tells whether a step takes a node of its axis.
    fn takes(&self, step: &Step, place: Place) -> bool {
        let sort = self.index.at(place).sort;
        let principal = match step.axis {
            Axis::Attribute => Sort::Attribute,
            _ => Sort::Element,
        };
        match &step.test {
            Test::Node => true,
            Test::Text => sort == Sort::Text,
            Test::Nothing => false,
            Test::Any => sort == principal,
            Test::In(namespace) => {
                let is_in = |own: &QName<'_>| own.namespace_uri.as_deref() == Some(namespace);
                sort == principal && self.name(place).is_some_and(is_in)
            }
            Test::Named { namespace, local } => {
                let is_it = |own: &QName<'_>| own.matches(namespace.as_deref(), local);
                let may_be = sort == principal && self.index.may_be(place, local);
                may_be && self.name(place).is_some_and(is_it)
            }
        }
    }

    fn filter_all(
        &self,
        mut nodes: Vec<Place>,
        predicates: &'a [Predicate],
    ) -> Result<Vec<Place>, Spent> {
        for predicate in predicates {
            nodes = self.filter(nodes, predicate)?;
        }
        Ok(nodes)
    }

    fn filter(&self, nodes: Vec<Place>, predicate: &'a Predicate) -> Result<Vec<Place>, Spent> {
        let size = nodes.len();
        let (Predicate::Plain(expr) | Predicate::Positional(expr)) = predicate else {
            let Predicate::Nth(n) = predicate else {
                return Ok(nodes);
            };
            return Ok(nodes.get(n - 1).copied().into_iter().collect());
        };
        let mut kept = Vec::new();
        for (at, node) in nodes.into_iter().enumerate() {
            let position = at + 1;
            let context = Context {
                node,
                position,
                size,
            };
            let holds = match self.eval(expr, context)? {
                Value::Number(number) => compare::is_position(number, position),
                value => value.is_true(),
            };
            if holds {
                kept.push(node);
            }
        }
        Ok(kept)
    }

    /// Puts nodes into document order, each once.
    pub(super) fn ordered(&self, mut nodes: Vec<Place>) -> Result<Vec<Place>, Spent> {
        if !nodes.is_sorted_by(|one, next| one < next) {
            self.budget.spend(nodes.len().saturating_mul(2))?;
            nodes.sort_unstable();
            nodes.dedup();
        }
        Ok(nodes)
    }
}
