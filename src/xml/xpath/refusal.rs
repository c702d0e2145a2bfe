//! Why an expression gives nothing, and the faults made of it.

use crate::base::{Code, Fault};

/// An expression that cannot be compiled.
#[derive(Debug, PartialEq)]
pub(super) enum Refusal {
    /// It is not XPath 1.0, or asks for what we do not have.
    Unclear {
        why: String,
        hint: Option<&'static str>,
    },
    /// It uses a prefix that stands for nothing.
    Prefix(String),
}

impl Refusal {
    pub(super) fn unclear(why: impl Into<String>) -> Self {
        Self::Unclear {
            why: why.into(),
            hint: None,
        }
    }

    /// Makes the fault for the author of the expression.
    pub(super) fn into_fault(self, expression: &str) -> Fault {
        match self {
            Self::Unclear { why, hint } => {
                let fault = wrong(format!("XPath `{expression}` not understood: {why}"));
                match hint {
                    Some(hint) => fault.hint(hint),
                    None => fault,
                }
            }
            Self::Prefix(prefix) => wrong(format!(
                "prefix `{prefix}` of XPath `{expression}` has no namespace"
            ))
            .hint(format!(
                "Add `{prefix}` to the map of namespaces after the expression."
            )),
        }
    }
}

/// The budget of an evaluation is spent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Spent;

/// Makes the fault for an expression that spent its budget.
pub(super) fn too_expensive(expression: &str) -> Fault {
    let message = format!("XPath `{expression}` takes too much work on this document");
    wrong(message)
        .hint("Name the elements on the way instead of searching with `//` within predicates.")
}

/// Makes the fault for an expression longer than is read at all.
pub(super) fn too_long(bytes: usize, longest: usize) -> Fault {
    wrong(format!("XPath of {bytes} bytes is longer than {longest}"))
}

fn wrong(message: String) -> Fault {
    Fault::new(Code::ScriptArgument, message)
}
