//! Keeps the functions of one file apart from those of another.
//!
//! Rhai remembers which function a name and a number of arguments mean, for all files that a call passes through: of
//! two modules with a helper of the same name, both would call the one that was called first. So a file whose functions
//! call each other is compiled once more, with names in these calls that no other file has.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::sync::Arc;

use rhai::{
    AST, ASTNode, Expr, FnAccess, FnCallExpr, Module, Position, ScriptFuncDef, Stmt, Token,
};

/// What stands between the name of a function and its file. Rhai wants a name of letters, digits and underscores.
const MARK: &str = "__kladka_";

thread_local! {
    /// The calls that get another name in what is compiled now.
    static RENAMING: RefCell<Option<Renaming>> = const { RefCell::new(None) };
}

struct Renaming {
    calls: BTreeSet<Position>,
    path: String,
}

/// Returns the name of a function as its file has it.
pub(crate) fn natural(name: &str) -> &str {
    name.split(MARK).next().unwrap_or(name)
}

/// Returns what the interpreter is to read in place of a token of the text.
pub(crate) fn renamed(token: Token, position: Position) -> Token {
    let Token::Identifier(name) = token else {
        return token;
    };
    let other = RENAMING.with_borrow(|renaming| {
        let renaming = renaming.as_ref()?;
        let renames = renaming.calls.contains(&position);
        renames.then(|| unlike(&name, &renaming.path))
    });
    Token::Identifier(other.map_or(name, |other| Box::new(other.into())))
}

fn unlike(name: &str, path: &str) -> String {
    let mut hasher = DefaultHasher::new();
    path.hash(&mut hasher);
    format!("{name}{MARK}{:016x}", hasher.finish())
}

/// Makes the calls inside a file mean its own functions; `again` compiles its text once more.
pub(crate) fn apart<E>(
    ast: AST,
    path: &str,
    again: impl FnOnce() -> Result<AST, E>,
) -> Result<AST, E> {
    let calls = own_calls(&ast);
    if calls.is_empty() {
        return Ok(ast);
    }
    let names: BTreeSet<String> = calls.iter().map(|(name, _)| name.clone()).collect();
    let renaming = Renaming {
        calls: calls.into_iter().map(|(_, position)| position).collect(),
        path: path.to_owned(),
    };
    let before = RENAMING.replace(Some(renaming));
    let compiled = again();
    RENAMING.set(before);
    let compiled = compiled?;
    let mut functions = Module::new();
    for function in compiled.iter_fn_def() {
        functions.set_script_fn(Arc::clone(function));
        if names.contains(function.name.as_str()) {
            functions.set_script_fn(hidden(function, path));
        }
    }
    Ok(AST::new(compiled.statements().to_vec(), functions))
}

/// Returns a function under the name by which its file calls it.
fn hidden(function: &ScriptFuncDef, path: &str) -> ScriptFuncDef {
    ScriptFuncDef {
        name: unlike(&function.name, path).into(),
        access: FnAccess::Private,
        ..function.clone()
    }
}

/// Returns the calls of functions of the same file, and where each stands.
fn own_calls(ast: &AST) -> BTreeSet<(String, Position)> {
    let functions: BTreeSet<(&str, usize)> = ast
        .iter_fn_def()
        .filter(|function| function.this_type.is_none())
        .map(|function| (function.name.as_str(), function.params.len()))
        .collect();
    let mut calls = BTreeSet::new();
    ast.walk(&mut |path| {
        if let Some((call, position)) = path.last().and_then(call)
            && functions.contains(&(call.name.as_str(), call.args.len()))
        {
            calls.insert((call.name.to_string(), position));
        }
        true
    });
    calls
}

fn call<'a>(node: &ASTNode<'a>) -> Option<(&'a FnCallExpr, Position)> {
    let (call, position) = match node {
        ASTNode::Expr(Expr::FnCall(call, position))
        | ASTNode::Stmt(Stmt::FnCall(call, position)) => (call, *position),
        _ => return None,
    };
    (!call.is_qualified()).then_some((&**call, position))
}
