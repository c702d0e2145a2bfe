//! What a compiled expression looks like.
//!
//! Chains of operators, unions and paths are lists, not trees: the depth of an expression is that
//! of its brackets, which the parser bounds, so nothing that walks it needs a deep stack.

/// An expression.
#[derive(Debug)]
pub(super) enum Expr {
    Number(f64),
    Literal(Box<str>),
    /// Operators of one level, applied from the left.
    Chain(Box<Self>, Vec<(Operator, Self)>),
    /// The negative, or for an even number of signs just the number.
    Negate {
        odd: bool,
        of: Box<Self>,
    },
    Union(Vec<Self>),
    Call(Function, Vec<Self>),
    Path(Box<Path>),
}

/// A way to nodes.
#[derive(Debug)]
pub(super) struct Path {
    pub(super) start: Start,
    pub(super) steps: Vec<Step>,
}

/// Where a path starts.
#[derive(Debug)]
pub(super) enum Start {
    Context,
    Root,
    Filter(Expr, Vec<Predicate>),
}

/// One step of a path.
#[derive(Debug)]
pub(super) struct Step {
    pub(super) axis: Axis,
    pub(super) test: Test,
    pub(super) predicates: Vec<Predicate>,
}

/// A condition in square brackets.
#[derive(Debug)]
pub(super) enum Predicate {
    /// It asks for this position, from 1.
    Nth(usize),
    /// It may depend on the position.
    Positional(Expr),
    /// It depends on the node alone.
    Plain(Expr),
}

/// A direction. The namespace axis is not among them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Axis {
    Ancestor,
    AncestorOrSelf,
    Attribute,
    Child,
    Descendant,
    DescendantOrSelf,
    Following,
    FollowingSibling,
    Parent,
    Preceding,
    PrecedingSibling,
    Own,
}

/// What a step takes of an axis.
#[derive(Debug)]
pub(super) enum Test {
    /// `node()`
    Node,
    /// `text()`
    Text,
    /// `*`
    Any,
    /// `p:*`, by its namespace.
    In(Box<str>),
    /// A name; without a prefix it is in no namespace.
    Named {
        namespace: Option<Box<str>>,
        local: Box<str>,
    },
    /// `comment()` and `processing-instruction()`: the reader keeps neither.
    Nothing,
}

/// An operator between two operands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Operator {
    Or,
    And,
    Equal,
    Unequal,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
    Add,
    Subtract,
    Multiply,
    Divide,
    Remainder,
}

/// A function of the core library; `function.rs` has their signatures.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Function {
    Last,
    Position,
    Count,
    Id,
    LocalName,
    NamespaceUri,
    Name,
    String,
    Concat,
    StartsWith,
    Contains,
    SubstringBefore,
    SubstringAfter,
    Substring,
    StringLength,
    NormalizeSpace,
    Translate,
    Boolean,
    Not,
    True,
    False,
    Lang,
    Number,
    Sum,
    Floor,
    Ceiling,
    Round,
}

impl Operator {
    /// Returns how strongly it binds.
    pub(super) fn level(self) -> u8 {
        match self {
            Self::Or => 1,
            Self::And => 2,
            Self::Equal | Self::Unequal => 3,
            Self::Less | Self::LessOrEqual | Self::Greater | Self::GreaterOrEqual => 4,
            Self::Add | Self::Subtract => 5,
            Self::Multiply | Self::Divide | Self::Remainder => 6,
        }
    }
}

impl Path {
    /// Returns the path `.`.
    pub(super) fn own() -> Self {
        Self {
            start: Start::Context,
            steps: Vec::new(),
        }
    }
}

impl Step {
    /// Makes a step to any node of an axis.
    pub(super) fn any(axis: Axis) -> Self {
        Self {
            axis,
            test: Test::Node,
            predicates: Vec::new(),
        }
    }

    /// Tells whether its predicates look at each node alone, whatever its place among the others.
    pub(super) fn is_plain(&self) -> bool {
        let mut all = self.predicates.iter();
        all.all(|predicate| matches!(predicate, Predicate::Plain(_)))
    }
}
