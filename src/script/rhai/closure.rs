//! Refuses closures that capture variables and are kept.
//!
//! Rhai shares a captured variable with the closure. One that is kept can hold another that captured before it, and so
//! on: a chain of any length, which Rust drops recursively until no stack is deep enough, and circles that are never
//! freed. A closure that is handed over on the spot to a library function that keeps none can do neither; nor can those of
//! a list that is written as the argument of `parallel`. Such a function must not be a method of a captured variable, for
//! that is locked while it runs.

use rhai::{AST, ASTNode, Expr, FnCallExpr, Position, Stmt};

use crate::base::{Code, Fault};

/// The library functions that call a closure and keep none.
const TAKERS: &[&str] = &[
    "all",
    "dedup",
    "drain",
    "filter",
    "find",
    "find_map",
    "for_each",
    "index_of",
    "map",
    "order",
    "order_by",
    "parallel",
    "reduce",
    "reduce_rev",
    "retain",
    "some",
    "sort",
    "sort_by",
    "sort_desc",
    "zip",
];

/// What is wrong, and where.
pub(crate) type Problem = (Fault, Position);

/// Checks a compiled file. `takers` are host functions that call a closure and keep none.
pub(crate) fn check(ast: &AST, takers: &[&str]) -> Result<(), Problem> {
    let takes = |name: &str| TAKERS.contains(&name) || takers.contains(&name);
    let taken = ast.iter_fn_def().find(|function| takes(&function.name));
    if let Some(function) = taken {
        let name = &function.name;
        let message = format!("'{name}' is the name of a library function");
        let fault =
            Fault::new(Code::ScriptCompile, message).hint("Give the function another name.");
        return Err((fault, function.body.start_position()));
    }
    let mut found = None;
    ast.walk(&mut |path| {
        found = found.take().or_else(|| kept(path, &takes));
        found.is_none()
    });
    found.map_or(Ok(()), Err)
}

/// Returns the problem when the last node of the path is a closure that captures and is kept.
fn kept(path: &[ASTNode<'_>], takes: &impl Fn(&str) -> bool) -> Option<Problem> {
    let ASTNode::Expr(Expr::Stmt(block)) = path.last()? else {
        return None;
    };
    let Some(Stmt::Share(captured)) = block.statements().first() else {
        return None;
    };
    let above = path.get(..path.len().saturating_sub(1)).unwrap_or_default();
    if above
        .split_last()
        .is_some_and(|(list, above)| is_list(list) && caller(above).is_some_and(is_parallel))
    {
        return None;
    }
    let caller = caller(above);
    if let Some(call) = caller
        && call.namespace.is_empty()
        && takes(&call.name)
    {
        let owner = owner(above).or_else(|| name_of(call.args.first()?))?;
        let (twice, _) = captured
            .iter()
            .find(|(variable, _)| variable.name == *owner)?;
        let message = format!(
            "a closure cannot use '{owner}', whose '{}' calls it",
            call.name
        );
        let hint = if TAKERS.contains(&call.name.as_str()) {
            format!("Take what it needs of `{owner}` into a variable before.")
        } else {
            format!("It is handed `{owner}`: write `|{owner}| …`.")
        };
        return Some((
            Fault::new(Code::ScriptCompile, message).hint(hint),
            twice.pos,
        ));
    }
    let (variable, _) = captured.first()?;
    let message = format!(
        "a closure that uses '{}' from outside cannot be kept",
        variable.name
    );
    let hint = "Write it where it is used, as in `list.map(|x| x + n)`, or hand the value over as an argument.";
    Some((
        Fault::new(Code::ScriptCompile, message).hint(hint),
        variable.pos,
    ))
}

/// Returns the call whose argument stands below a path.
fn caller<'a>(path: &[ASTNode<'a>]) -> Option<&'a FnCallExpr> {
    path.last().and_then(|node| match node {
        ASTNode::Expr(Expr::MethodCall(call, _) | Expr::FnCall(call, _))
        | ASTNode::Stmt(Stmt::FnCall(call, _)) => Some(&**call),
        _ => None,
    })
}

fn is_list(node: &ASTNode<'_>) -> bool {
    matches!(node, ASTNode::Expr(Expr::Array(..)))
}

/// Tells whether a call is `parallel([…])`, which takes the list apart, calls its members and lets go of them.
fn is_parallel(call: &FnCallExpr) -> bool {
    call.namespace.is_empty() && call.name == "parallel" && call.args.len() == 1
}

/// Returns the variable whose method the last node of the path calls. Rhai locks a captured one meanwhile.
fn owner<'a>(path: &[ASTNode<'a>]) -> Option<&'a str> {
    let chain = path.iter().rev().skip(1).map_while(|node| match node {
        ASTNode::Expr(Expr::Dot(chain, ..) | Expr::Index(chain, ..)) => Some(chain),
        _ => None,
    });
    name_of(&chain.last()?.lhs)
}

fn name_of(expression: &Expr) -> Option<&str> {
    match expression {
        Expr::Variable(variable, ..) => Some(variable.1.as_str()),
        _ => None,
    }
}
