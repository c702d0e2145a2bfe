//! The core function library: what each function takes and gives.

use crate::base::closest;
use crate::xml::xpath::ast::{Expr, Function};
use crate::xml::xpath::kind::Kind;
use crate::xml::xpath::refusal::Refusal;

/// What a function takes and gives.
pub(super) struct Signature {
    pub(super) name: &'static str,
    function: Function,
    least: usize,
    /// A function that may go without its only argument takes the context node then.
    pub(super) most: usize,
    takes: Takes,
    pub(super) gives: Kind,
}

/// What the arguments must be. All but nodes can be made of anything.
#[derive(Clone, Copy, PartialEq)]
enum Takes {
    Any,
    Nodes,
}

const fn of(
    name: &'static str,
    function: Function,
    (least, most): (usize, usize),
    takes: Takes,
    gives: Kind,
) -> Signature {
    Signature {
        name,
        function,
        least,
        most,
        takes,
        gives,
    }
}

/// In the order of [`Function`].
const LIBRARY: &[Signature] = &{
    use Function as F;
    use Kind::{Nodes, Number, Text, Truth};
    use Takes::Any;
    [
        of("last", F::Last, (0, 0), Any, Number),
        of("position", F::Position, (0, 0), Any, Number),
        of("count", F::Count, (1, 1), Takes::Nodes, Number),
        of("id", F::Id, (1, 1), Any, Nodes),
        of("local-name", F::LocalName, (0, 1), Takes::Nodes, Text),
        of("namespace-uri", F::NamespaceUri, (0, 1), Takes::Nodes, Text),
        of("name", F::Name, (0, 1), Takes::Nodes, Text),
        of("string", F::String, (0, 1), Any, Text),
        of("concat", F::Concat, (2, usize::MAX), Any, Text),
        of("starts-with", F::StartsWith, (2, 2), Any, Truth),
        of("contains", F::Contains, (2, 2), Any, Truth),
        of("substring-before", F::SubstringBefore, (2, 2), Any, Text),
        of("substring-after", F::SubstringAfter, (2, 2), Any, Text),
        of("substring", F::Substring, (2, 3), Any, Text),
        of("string-length", F::StringLength, (0, 1), Any, Number),
        of("normalize-space", F::NormalizeSpace, (0, 1), Any, Text),
        of("translate", F::Translate, (3, 3), Any, Text),
        of("boolean", F::Boolean, (1, 1), Any, Truth),
        of("not", F::Not, (1, 1), Any, Truth),
        of("true", F::True, (0, 0), Any, Truth),
        of("false", F::False, (0, 0), Any, Truth),
        of("lang", F::Lang, (1, 1), Any, Truth),
        of("number", F::Number, (0, 1), Any, Number),
        of("sum", F::Sum, (1, 1), Takes::Nodes, Number),
        of("floor", F::Floor, (1, 1), Any, Number),
        of("ceiling", F::Ceiling, (1, 1), Any, Number),
        of("round", F::Round, (1, 1), Any, Number),
    ]
};

impl Function {
    /// Returns the function of a name.
    pub(super) fn named(name: &str) -> Result<Self, Refusal> {
        if let Some(found) = LIBRARY.iter().find(|own| own.name == name) {
            return Ok(found.function);
        }
        let meant = closest(name, LIBRARY.iter().map(|own| own.name));
        let meant = meant.map(|meant| format!(", but `{meant}`"));
        let meant = meant.unwrap_or_default();
        let why = format!("there is no function `{name}`{meant}");
        Err(Refusal::unclear(why))
    }

    pub(super) fn signature(self) -> &'static Signature {
        // A test holds the table against the order of the functions.
        &LIBRARY[self as usize]
    }

    /// Refuses arguments that are too many, too few or no nodes.
    pub(super) fn check(self, args: &[Expr]) -> Result<(), Refusal> {
        let own = self.signature();
        let name = own.name;
        let counts = match (own.least, own.most) {
            (least, usize::MAX) => format!("{least} or more"),
            (least, most) if least == most => least.to_string(),
            (least, most) => format!("{least} to {most}"),
        };
        if !(own.least..=own.most).contains(&args.len()) {
            let why = format!("`{name}` takes {counts} arguments, not {}", args.len());
            return Err(Refusal::unclear(why));
        }
        let fits = |expr: &Expr| own.takes == Takes::Any || expr.kind() == Kind::Nodes;
        if !args.iter().all(fits) {
            return Err(Refusal::unclear(format!("`{name}` takes nodes")));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_function_finds_its_own_signature() {
        for own in LIBRARY {
            assert_eq!(own.function.signature().name, own.name);
            assert_eq!(Function::named(own.name), Ok(own.function));
        }
        assert_eq!(LIBRARY.len(), 27);
    }
}
