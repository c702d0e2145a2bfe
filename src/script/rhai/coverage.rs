//! Makes the text of a file tell which of its lines run: Rhai itself does not.
//!
//! Each function gets a call behind its brace, and each statement in it that begins a line one at the end of the line
//! before, so that nothing moves but what stands behind the brace of a function in one line. Where a statement might be
//! part of another (`else` at the end of the line before) nothing is added, and the line not counted.

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
    for Tell { at, line } in places.into_iter().rev() {
        let number = u32::try_from(line + 1).unwrap_or(u32::MAX);
        let Some(own) = lines.get_mut(at.0) else {
            continue;
        };
        let end = own.len();
        let at = own.char_indices().nth(at.1).map_or(end, |(at, _)| at);
        own.insert_str(at, &format!("{MARK}({});", mark(number)));
        marked.push(number);
    }
    marked.sort_unstable();
    marked.dedup();
    Marked {
        text: lines.join("\n"),
        lines: marked,
    }
}

/// Line and column, counted from 0.
type At = (usize, usize);

/// A mark: where it stands, and the line that it tells of.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Tell {
    at: At,
    line: usize,
}

fn at(position: Position) -> Option<At> {
    let line = position.line()?.checked_sub(1)?;
    Some((line, position.position()?.checked_sub(1)?))
}

/// Returns the marks behind the braces that functions with a name begin with.
fn functions(ast: &AST) -> Vec<Tell> {
    let named = ast.iter_fn_def();
    let named = named.filter(|function| !function.name.starts_with("anon$"));
    let braces = named.filter_map(|function| at(function.body.start_position()));
    let tell = |(line, column)| Tell {
        at: (line, column + 1),
        line,
    };
    braces.map(tell).collect()
}

/// Returns the marks of the statements in functions that begin a line.
fn statements(ast: &AST, lines: &[String]) -> Vec<Tell> {
    let mut places = Vec::new();
    ast.clone_functions_only().walk(&mut |path| {
        if let Some(ASTNode::Stmt(statement)) = path.last() {
            places.extend(at(start(statement)).and_then(|place| begins(lines, place)));
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

/// Returns the mark of a statement that begins its line, if the line before ends a statement or begins a block.
fn begins(lines: &[String], (line, column): At) -> Option<Tell> {
    let own: String = lines.get(line)?.chars().take(column).collect();
    // Of a `return` that ends a function, the interpreter keeps the value alone.
    if !matches!(own.trim(), "" | "return") {
        return None;
    }
    let above = lines.get(..line)?.iter().enumerate().rev();
    let mut above = above.map(|(index, text)| (index, code(text)));
    let (above, code) = above.find(|(_, code)| *code != Some(""))?;
    let code = code?;
    let at = (above, code.chars().count());
    code.ends_with([';', '{', '}']).then_some(Tell { at, line })
}

/// Returns a line without its comment and the space before that; `None` where a text or a comment goes on, within which
/// what looks like an end may be.
fn code(line: &str) -> Option<&str> {
    let mut quote = None;
    let mut letters = line.char_indices();
    while let Some((at, letter)) = letters.next() {
        let rest = line.get(at..)?;
        match (quote, letter) {
            (Some(_), '\\') => drop(letters.next()),
            (Some(open), _) if open == letter => quote = None,
            (None, '"' | '\'' | '`') => quote = Some(letter),
            (None, '/') if rest.starts_with("//") => return Some(line.get(..at)?.trim_end()),
            (None, '/' | '*') if rest.starts_with("/*") || rest.starts_with("*/") => return None,
            _ => {}
        }
    }
    quote.is_none().then_some(line.trim_end())
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
    f("//");
    g(`/* ${a}`); // then;
    [1].map(|v| {
        v + 1
    });
    h(`two
lines`);
    g(a);
    /* a
    comment; */
    g(a);
    return a.b;
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
            fn first(a, b) {__ran(3);__ran(4);
                let sum = a + b;__ran(5); // why
                sum += 1;__ran(6);
                a + b;__ran(7);
                x::f(a);__ran(8);
                f(a);__ran(9);
                a.b.c(1);__ran(10);
                a["k"] = 2;__ran(11);
                if a {__ran(12);
                    return 1;
                } else if b {
                    b
                }
                else {__ran(17);
                    throw "x";
                }__ran(19);
                let m = #{
                    k: a,
                }
                .keys();__ran(23);
                for i in [1, 2] {__ran(25);
                    // only a comment
                    g(i);
                }__ran(27);
                f("//");__ran(28);
                g(`/* ${a}`);__ran(29); // then;
                [1].map(|v| {__ran(30);
                    v + 1
                });__ran(32);
                h(`two
            lines`);
                g(a);
                /* a
                comment; */
                g(a);__ran(38);
                return a.b;
            }
            fn second() {__ran(40); 7 }"#]]
        .assert_eq(&marked.text);
        engine.compile(&marked.text).unwrap();
    }
}
