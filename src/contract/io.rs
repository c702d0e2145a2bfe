//! What a service declares: its name, its ordered inputs and outputs (SimpleIO).

use std::sync::Arc;

use rust_decimal::Decimal;

use crate::base::{Capabilities, Millis, Place, ServiceName, Text, Value};

/// What a service says of itself.
#[derive(Clone, Debug)]
pub struct Declaration {
    /// The service's name.
    pub name: ServiceName,
    /// What it does: the comment above its declaration.
    pub doc: String,
    /// The inputs in order; `None` when it takes the payload as it comes.
    pub input: Option<Vec<Field>>,
    /// The outputs in order; `None` when it answers as it likes.
    pub output: Option<Vec<Field>>,
    /// The wall-clock deadline it asks for.
    pub timeout: Option<Millis>,
    /// The CPU budget it asks for.
    pub cpu: Option<Millis>,
    /// All that it may use; `None` when it may use everything.
    pub uses: Option<Capabilities>,
    /// Where it stands.
    pub place: Place,
    /// The language it is written in, such as `lua`; `native` for our own.
    pub language: &'static str,
}

impl Declaration {
    /// The CPU budget that `cpu = "long"` stands for.
    pub const LONG_CPU: Millis = Millis::seconds(10);

    /// Tells whether its CPU budget is such that its calls must not run beside others.
    pub fn is_long(&self) -> bool {
        self.cpu.is_some_and(|cpu| cpu >= Self::LONG_CPU)
    }
}

/// One declared input or output.
#[derive(Clone, Debug, PartialEq)]
pub struct Field {
    /// The name on the wire.
    pub name: Text,
    /// The type.
    pub ty: Ty,
    /// Whether it may be absent.
    pub optional: bool,
    /// The value when absent.
    pub default: Option<Value>,
    /// Whether logs and samples must mask it.
    pub sensitive: bool,
    /// What a value must fulfil.
    pub constraint: Option<Constraint>,
    /// What it means, for people.
    pub doc: String,
}

/// The type of a field.
#[derive(Clone, Debug, PartialEq)]
pub enum Ty {
    /// A text.
    Text,
    /// A 64-bit integer.
    Int,
    /// A floating-point number.
    Float,
    /// An exact decimal number.
    Decimal,
    /// A truth value.
    Bool,
    /// A calendar date.
    Date,
    /// A moment with an offset.
    DateTime,
    /// A UUID.
    Uuid,
    /// Bytes, base64 on the wire.
    Bytes,
    /// Named values without a declaration.
    Map,
    /// Anything.
    Any,
    /// One of the texts.
    Enum(Vec<Text>),
    /// Fields of their own.
    Model(Arc<Model>),
    /// Any number of the type.
    List(Box<Self>),
}

/// A named group of fields.
#[derive(Clone, Debug, PartialEq)]
pub struct Model {
    /// The model's name.
    pub name: Text,
    /// Its fields in order.
    pub fields: Vec<Field>,
}

/// What a value must fulfil.
#[derive(Clone, Debug)]
pub enum Constraint {
    /// A number within bounds, both included: `int(1900..2100)`, `decimal(0..)`.
    Range(Option<Decimal>, Option<Decimal>),
    /// A text or list of so many characters or members: `text(1..40)`, `text(..40)`.
    Length(Option<usize>, Option<usize>),
    /// A text that matches the whole pattern: `text(/^[A-Z]{3}$/)`.
    Pattern(regex::Regex),
}

impl PartialEq for Constraint {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Range(a, b), Self::Range(c, d)) => (a, b) == (c, d),
            (Self::Length(a, b), Self::Length(c, d)) => (a, b) == (c, d),
            (Self::Pattern(a), Self::Pattern(b)) => a.as_str() == b.as_str(),
            _ => false,
        }
    }
}
