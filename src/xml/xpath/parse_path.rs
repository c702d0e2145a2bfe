//! Tokens to an expression: paths, steps and predicates.

use crate::xml::scan::XML;
use crate::xml::xpath::ast::{Axis, Expr, Path, Predicate, Start, Step, Test};
use crate::xml::xpath::kind::Kind;
use crate::xml::xpath::lex::Token;
use crate::xml::xpath::parse::{Parser, is_node_type};
use crate::xml::xpath::refusal::Refusal;

const AXES: &[(&str, Axis)] = &[
    ("ancestor", Axis::Ancestor),
    ("ancestor-or-self", Axis::AncestorOrSelf),
    ("attribute", Axis::Attribute),
    ("child", Axis::Child),
    ("descendant", Axis::Descendant),
    ("descendant-or-self", Axis::DescendantOrSelf),
    ("following", Axis::Following),
    ("following-sibling", Axis::FollowingSibling),
    ("parent", Axis::Parent),
    ("preceding", Axis::Preceding),
    ("preceding-sibling", Axis::PrecedingSibling),
    ("self", Axis::Own),
];

impl Parser<'_> {
    /// Reads a path, or what stands alone.
    pub(super) fn path(&mut self) -> Result<Expr, Refusal> {
        let mut steps = Vec::new();
        let start = match self.peek() {
            Some(Token::Slash) => {
                self.next();
                if self.step_follows() {
                    self.push_step(&mut steps, None)?;
                }
                Start::Root
            }
            Some(Token::SlashSlash) => {
                self.separated(&mut steps)?;
                Start::Root
            }
            _ => {
                let Some(expr) = self.primary()? else {
                    self.push_step(&mut steps, None)?;
                    return self.rest_of(Start::Context, steps);
                };
                let predicates = self.predicates()?;
                if predicates.is_empty() && !self.slash_follows() {
                    return Ok(expr);
                }
                if expr.kind() != Kind::Nodes {
                    let why = "`[` and `/` stand behind nodes only";
                    return Err(Refusal::unclear(why));
                }
                Start::Filter(expr, predicates)
            }
        };
        self.rest_of(start, steps)
    }

    /// Reads the steps behind the first.
    fn rest_of(&mut self, start: Start, mut steps: Vec<Step>) -> Result<Expr, Refusal> {
        while self.slash_follows() {
            self.separated(&mut steps)?;
        }
        Ok(Expr::Path(Box::new(Path { start, steps })))
    }

    fn slash_follows(&self) -> bool {
        matches!(self.peek(), Some(Token::Slash | Token::SlashSlash))
    }

    fn step_follows(&self) -> bool {
        match self.peek() {
            Some(Token::Call(name)) => is_node_type(name),
            Some(
                Token::Dot
                | Token::DotDot
                | Token::At
                | Token::Axis(_)
                | Token::Any
                | Token::AnyIn(_)
                | Token::Name(..),
            ) => true,
            _ => false,
        }
    }

    /// Reads a slash or two and the step behind.
    fn separated(&mut self, steps: &mut Vec<Step>) -> Result<(), Refusal> {
        let search = self.take(Token::SlashSlash);
        if !search {
            self.next();
        }
        let between = search.then(|| Step::any(Axis::DescendantOrSelf));
        self.push_step(steps, between)
    }

    /// Reads a step. What stands between it and the one before melts into it where that changes
    /// nothing: `//a` is then one walk, not one for every node there is.
    fn push_step(&mut self, steps: &mut Vec<Step>, between: Option<Step>) -> Result<(), Refusal> {
        let mut step = self.step()?;
        if let Some(between) = between {
            match step.axis {
                Axis::Child | Axis::Descendant if step.is_plain() => step.axis = Axis::Descendant,
                Axis::Own | Axis::DescendantOrSelf if step.is_plain() => {
                    step.axis = Axis::DescendantOrSelf;
                }
                _ => steps.push(between),
            }
        }
        // `.` alone leads nowhere.
        let stays = step.axis == Axis::Own && matches!(step.test, Test::Node);
        if !stays || !step.predicates.is_empty() {
            steps.push(step);
        }
        Ok(())
    }

    fn step(&mut self) -> Result<Step, Refusal> {
        if self.take(Token::Dot) {
            return Ok(Step::any(Axis::Own));
        }
        if self.take(Token::DotDot) {
            return Ok(Step::any(Axis::Parent));
        }
        let axis = self.axis()?;
        let test = self.test()?;
        let predicates = self.predicates()?;
        Ok(Step {
            axis,
            test,
            predicates,
        })
    }

    fn axis(&mut self) -> Result<Axis, Refusal> {
        if self.take(Token::At) {
            return Ok(Axis::Attribute);
        }
        let Some(Token::Axis(name)) = self.peek() else {
            return Ok(Axis::Child);
        };
        self.next();
        if name == "namespace" {
            return Err(Refusal::Unclear {
                why: "the namespace axis is not supported".to_owned(),
                hint: Some("`namespace-uri()` gives the namespace of an element or attribute."),
            });
        }
        let found = AXES.iter().find(|(own, _)| *own == name);
        let found = found.ok_or_else(|| Refusal::unclear(format!("there is no axis `{name}`")))?;
        Ok(found.1)
    }

    fn test(&mut self) -> Result<Test, Refusal> {
        let test = match self.peek() {
            Some(Token::Any) => Test::Any,
            Some(Token::AnyIn(prefix)) => Test::In(self.namespace(prefix)?.into()),
            Some(Token::Name(prefix, local)) => Test::Named {
                namespace: match prefix {
                    "" => None,
                    prefix => Some(self.namespace(prefix)?.into()),
                },
                local: local.into(),
            },
            Some(Token::Call(name)) if is_node_type(name) => return self.node_type(name),
            _ => return Err(self.unexpected("a step")),
        };
        self.next();
        Ok(test)
    }

    fn node_type(&mut self, name: &str) -> Result<Test, Refusal> {
        self.next();
        self.expect(Token::Open, "`(`")?;
        let test = match name {
            "node" => Test::Node,
            "text" => Test::Text,
            _ => Test::Nothing,
        };
        let takes_target = name == "processing-instruction";
        if takes_target && matches!(self.peek(), Some(Token::Literal(_))) {
            self.next();
        }
        self.expect(Token::Close, "`)`")?;
        Ok(test)
    }

    fn predicates(&mut self) -> Result<Vec<Predicate>, Refusal> {
        let mut all = Vec::new();
        while self.take(Token::OpenPredicate) {
            all.push(Predicate::new(self.nested()?));
            self.expect(Token::ClosePredicate, "`]`")?;
        }
        Ok(all)
    }

    /// Returns what a prefix stands for.
    fn namespace(&self, prefix: &str) -> Result<&str, Refusal> {
        match prefix {
            "xml" => Ok(XML),
            prefix => {
                let known = self.namespaces.iter().find(|(own, _)| own == prefix);
                let (_, uri) = known.ok_or_else(|| Refusal::Prefix(prefix.to_owned()))?;
                Ok(uri)
            }
        }
    }
}
