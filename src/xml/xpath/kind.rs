//! What is known of an expression before it is evaluated: its type, and whether positions matter.

use crate::xml::xpath::ast::{Expr, Function, Operator, Predicate, Start};

/// The four types of values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Nodes,
    Text,
    Number,
    Truth,
}

impl Predicate {
    pub(super) fn new(expr: Expr) -> Self {
        match nth(&expr) {
            Some(n) => Self::Nth(n),
            None if expr.kind() == Kind::Number || expr.asks_position() => Self::Positional(expr),
            None => Self::Plain(expr),
        }
    }
}

/// Returns the position that `3` or `position() = 3` asks for.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "the guard keeps to whole numbers a usize can hold"
)]
fn nth(expr: &Expr) -> Option<usize> {
    match expr {
        Expr::Number(n) if n.fract() == 0.0 && (1.0..1e9).contains(n) => Some(*n as usize),
        Expr::Chain(first, rest) => match (&**first, rest.as_slice()) {
            (Expr::Call(Function::Position, _), [(Operator::Equal, n @ Expr::Number(_))]) => nth(n),
            _ => None,
        },
        _ => None,
    }
}

impl Expr {
    /// Returns the type of its value: without variables it is known before anything is evaluated.
    pub(super) fn kind(&self) -> Kind {
        match self {
            Self::Number(_) | Self::Negate { .. } => Kind::Number,
            Self::Literal(_) => Kind::Text,
            Self::Chain(_, rest) => match rest.first() {
                Some((operator, _)) if operator.level() >= Operator::Add.level() => Kind::Number,
                _ => Kind::Truth,
            },
            Self::Union(_) | Self::Path(_) => Kind::Nodes,
            Self::Call(function, _) => function.signature().gives,
        }
    }

    /// Tells whether `position()` or `last()` of its own context plays a part.
    fn asks_position(&self) -> bool {
        match self {
            Self::Number(_) | Self::Literal(_) => false,
            Self::Chain(first, rest) => {
                first.asks_position() || rest.iter().any(|(_, expr)| expr.asks_position())
            }
            Self::Negate { of, .. } => of.asks_position(),
            Self::Union(all) => all.iter().any(Self::asks_position),
            Self::Call(function, args) => {
                matches!(function, Function::Position | Function::Last)
                    || args.iter().any(Self::asks_position)
            }
            // Predicates within have a context of their own.
            Self::Path(path) => match &path.start {
                Start::Filter(expr, _) => expr.asks_position(),
                Start::Context | Start::Root => false,
            },
        }
    }
}
