//! Makes the text of a file tell which of its lines run: Rhai itself does not.
//!
//! Each function, and each statement in it that begins a line, gets a call in front of it, on the same line. Where a
//! statement might be part of another (`else` at the end of the line before) nothing is added, and the line not counted.

use std::sync::Arc;

use rhai::{AST, ASTNode, Engine, Expr, FnCallExpr, INT, Position, Stmt};

use crate::script::Coverage;

/// The function that is called.
const MARK: &str = "__ran";

/// Adds the function by which lines tell that they run.
pub(crate) fn install(engine: &mut Engine, coverage: &Arc<Coverage>) {
    let coverage = Arc::clone(coverage);
    engine.register_fn(MARK, move |mark: INT| {
        if let Ok(mark) = usize::try_from(mark) {
            coverage.hit(mark);
        }
    });
}

/// A text that tells which of its lines run.
pub(crate) struct Marked {
    /// The text.
    pub(crate) text: String,
    /// The lines that tell.
    pub(crate) lines: Vec<u32>,
}

/// Adds the marks to the text of a file; `mark` returns the number of a line's.
pub(crate) fn marked(ast: &AST, text: &str, mark: impl Fn(u32) -> usize) -> Marked {
    let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
    let mut places = functions(ast);
    places.extend(statements(ast, &lines));
    places.sort_unstable();
    places.dedup();
    let mut marked = Vec::with_capacity(places.len());
    for (line, column) in places.into_iter().rev() {
        let number = u32::try_from(line + 1).unwrap_or(u32::MAX);
        let Some(own) = lines.get_mut(line) else {
            continue;
        };
        let at = own.char_indices().nth(column);
        let at = at.map_or(own.len(), |(at, _)| at);
        own.insert_str(at, &format!("{MARK}({});", mark(number)));
        marked.push(number);
    }
    marked.reverse();
    Marked {
        text: lines.join("\n"),
        lines: marked,
    }
}

/// Line and column, counted from 0.
type At = (usize, usize);

fn at(position: Position) -> Option<At> {
    let line = position.line()?.checked_sub(1)?;
    Some((line, position.position()?.checked_sub(1)?))
}

/// Returns the places behind the braces that functions with a name begin with.
fn functions(ast: &AST) -> Vec<At> {
    let named = ast.iter_fn_def();
    let named = named.filter(|function| !function.name.starts_with("anon$"));
    let braces = named.filter_map(|function| at(function.body.start_position()));
    braces.map(|(line, column)| (line, column + 1)).collect()
}

/// Returns the places of the statements in functions that begin a line.
fn statements(ast: &AST, lines: &[String]) -> Vec<At> {
    let mut places = Vec::new();
    ast.clone_functions_only().walk(&mut |path| {
        if let Some(ASTNode::Stmt(statement)) = path.last() {
            let place = at(start(statement));
            places.extend(place.filter(|place| begins(lines, *place)));
        }
        true
    });
    places
}

/// Returns where a statement begins; the interpreter tells where its operator stands.
fn start(statement: &Stmt) -> Position {
    match statement {
        Stmt::Expr(expression) => start_of(expression),
        Stmt::Assignment(parts) => start_of(&parts.1.lhs),
        Stmt::FnCall(call, position) => start_of_call(call, *position),
        other => other.position(),
    }
}

fn start_of(expression: &Expr) -> Position {
    match expression {
        Expr::FnCall(call, position) => start_of_call(call, *position),
        Expr::Dot(parts, ..) | Expr::Index(parts, ..) => start_of(&parts.lhs),
        other => other.start_position(),
    }
}

/// Operators are calls, too, and stand behind their first operand, or in front of the only one.
fn start_of_call(call: &FnCallExpr, position: Position) -> Position {
    if !call.namespace.is_empty() {
        return call.namespace.position();
    }
    match &*call.args {
        [first, _] if call.is_operator_call() => start_of(first),
        _ => position,
    }
}

/// Tells whether a statement begins its line, and the line before ends a statement or begins a block.
fn begins(lines: &[String], (line, column): At) -> bool {
    let own = lines.get(line).map(String::as_str).unwrap_or_default();
    let above = lines.get(..line).unwrap_or_default().iter().rev();
    let mut above = above
        .map(|text| text.split("//").next().unwrap_or_default().trim_end())
        .filter(|text| !text.is_empty());
    let last = above.next().unwrap_or_default();
    let ended = last.ends_with([';', '{', '}']);
    ended && own.chars().take(column).all(char::is_whitespace)
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use super::*;

    const TEXT: &str = r#"import "x" as x;
// A helper.
fn first(a, b) {
    let sum = a + b; // why
    sum += 1;
    a + b;
    x::f(a);
    f(a);
    a.b.c(1);
    a["k"] = 2;
    if a {
        return 1;
    } else if b {
        b
    }
    else {
        throw "x";
    }
    let m = #{
        k: a,
    }
    .keys();
    for i in [1, 2] {
        // only a comment
        g(i);
    }
    [1].map(|v| {
        v + 1
    })
}
fn second() { 7 }
"#;

    #[test]
    fn each_statement_that_begins_a_line_tells_that_it_runs() {
        let mut engine = Engine::new();
        engine.set_strict_variables(false);
        let ast = engine.compile(TEXT).unwrap();
        let marked = marked(&ast, TEXT, |line| line as usize);
        expect![[r#"
            import "x" as x;
            // A helper.
            fn first(a, b) {__ran(3);
                __ran(4);let sum = a + b; // why
                __ran(5);sum += 1;
                __ran(6);a + b;
                __ran(7);x::f(a);
                __ran(8);f(a);
                __ran(9);a.b.c(1);
                __ran(10);a["k"] = 2;
                __ran(11);if a {
                    __ran(12);return 1;
                } else if b {
                    b
                }
                else {
                    __ran(17);throw "x";
                }
                __ran(19);let m = #{
                    k: a,
                }
                .keys();
                __ran(23);for i in [1, 2] {
                    // only a comment
                    __ran(25);g(i);
                }
                __ran(27);[1].map(|v| {
                    __ran(28);v + 1
                })
            }
            fn second() {__ran(31); 7 }"#]]
        .assert_eq(&marked.text);
        engine.compile(&marked.text).unwrap();
    }
}
