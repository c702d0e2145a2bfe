//! Keeps compiled expressions on their thread: a script asks every row the same.

use std::cell::RefCell;
use std::rc::Rc;

use crate::base::Text;
use crate::xml::xpath::ast::Expr;
use crate::xml::xpath::parse::compile;
use crate::xml::xpath::refusal::Refusal;

/// How many expressions a thread keeps, and how long they may be. So expressions that are ever
/// new cost little memory.
const KEPT: usize = 64;
const LONGEST: usize = 512;

struct Compiled {
    expression: Box<str>,
    namespaces: Vec<(Text, Text)>,
    expr: Rc<Expr>,
}

thread_local! {
    /// The latest compiled last.
    static COMPILED: RefCell<Vec<Compiled>> = const { RefCell::new(Vec::new()) };
}

/// Returns an expression compiled.
pub(super) fn compiled(expression: &str, namespaces: &[(Text, Text)]) -> Result<Rc<Expr>, Refusal> {
    COMPILED.with_borrow_mut(|kept| {
        let is_it =
            |own: &&Compiled| *own.expression == *expression && own.namespaces == namespaces;
        if let Some(found) = kept.iter().find(is_it) {
            return Ok(Rc::clone(&found.expr));
        }
        let expr = Rc::new(compile(expression, namespaces)?);
        if expression.len() <= LONGEST {
            if kept.len() >= KEPT {
                kept.remove(0);
            }
            kept.push(Compiled {
                expression: expression.into(),
                namespaces: namespaces.to_vec(),
                expr: Rc::clone(&expr),
            });
        }
        Ok(expr)
    })
}
