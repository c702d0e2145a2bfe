//! The outline of a Rhai source, out of the interpreter's own syntax tree.

use rhai::{
    AST, ASTFlags, ASTNode, BinaryExpr, Dynamic, Expr, FlowControl, FnCallExpr, Ident, Position,
    Stmt,
};

use crate::base::{Access, Function, Literal, Node, Outline, Span, Word};
use crate::contract::Source;
use crate::script::rhai::engine::Interpreter;

/// Reads a source; `None` when it does not compile.
pub(crate) fn read(interpreter: &Interpreter, source: &Source) -> Option<Outline> {
    let ast = interpreter.compile(&source.text, &source.path).ok()?;
    let mut body = statements(ast.statements());
    body.extend(functions(&ast));
    place_keys(&mut body, &source.text);
    Some(Outline {
        body,
        globals: None,
        callable: Some(interpreter.callable()),
    })
}

/// Returns the functions, closures among them. Rhai keeps them apart, and shows a body only to a walk.
fn functions(ast: &AST) -> impl Iterator<Item = Node> + '_ {
    ast.iter_fn_def().map(|it| {
        let mut own = ast.clone_functions_only();
        own.retain_functions(|_, _, name, params| it.name == name && it.params.len() == params);
        let mut body = Vec::new();
        own.walk(&mut |path| {
            if let [ASTNode::Stmt(it)] = path {
                body.push(statement(it));
            }
            true
        });
        let word = |text: &str| Word {
            text: text.to_owned(),
            span: Span::default(),
        };
        Node::Function(Function {
            name: Some(word(&it.name)),
            params: it.params.iter().map(|name| word(name)).collect(),
            body,
            access: if it.access.is_private() {
                Access::Private
            } else {
                Access::Public
            },
        })
    })
}

fn statements(list: &[Stmt]) -> Vec<Node> {
    list.iter().map(statement).collect()
}

fn statement(it: &Stmt) -> Node {
    match it {
        Stmt::Expr(it) => expression(it),
        Stmt::FnCall(call, at) => called(call, *at),
        Stmt::Var(it, flags, _) => {
            let made = Node::Let(vec![ident(&it.0)], vec![expression(&it.1)]);
            if !flags.contains(ASTFlags::EXPORTED) {
                return made;
            }
            // Others read it.
            Node::Statements(vec![made, Node::Name(ident(&it.0))])
        }
        Stmt::Export(it, _) => Node::Name(ident(&it.0)),
        Stmt::Import(it, _) => {
            let module = match expression(&it.0) {
                Node::Literal(Literal::Text(text), span) => Some(Word { text, span }),
                _ => None,
            };
            Node::Let(vec![ident(&it.1)], vec![Node::Module(module)])
        }
        Stmt::Assignment(it) => {
            let (target, value) = (expression(&it.1.lhs), expression(&it.1.rhs));
            let reads = it.0.is_op_assignment().then(|| target.clone());
            let values = reads.into_iter().chain([value]).collect();
            Node::Assign(vec![target], values)
        }
        Stmt::Block(it) => Node::Block(statements(it.statements())),
        Stmt::If(it, _) | Stmt::While(it, _) | Stmt::Do(it, ..) => flow(it),
        Stmt::TryCatch(it, _) => caught(it),
        Stmt::For(it, _) => {
            let names = [Some(&it.0), it.1.as_ref()];
            let names = names.into_iter().flatten().map(ident).collect();
            let mut body = vec![Node::Let(names, Vec::new())];
            body.extend(statements(it.2.body.statements()));
            Node::Other(vec![expression(&it.2.expr), Node::Block(body)])
        }
        Stmt::Switch(it, _) => {
            let cases = it.1.expressions.iter();
            let cases = cases.flat_map(|case| [expression(&case.lhs), expression(&case.rhs)]);
            Node::Other(std::iter::once(expression(&it.0)).chain(cases).collect())
        }
        Stmt::Return(Some(it), ..) | Stmt::BreakLoop(Some(it), ..) => {
            Node::Other(vec![expression(it)])
        }
        _ => Node::Other(Vec::new()),
    }
}

fn flow(it: &FlowControl) -> Node {
    Node::Other(vec![
        expression(&it.expr),
        Node::Block(statements(it.body.statements())),
        Node::Block(statements(it.branch.statements())),
    ])
}

/// `try … catch (name) …`: the name belongs to the second block.
fn caught(it: &FlowControl) -> Node {
    let mut branch = match expression(&it.expr) {
        Node::Name(name) => vec![Node::Let(vec![name], Vec::new())],
        _ => Vec::new(),
    };
    branch.extend(statements(it.branch.statements()));
    Node::Other(vec![
        Node::Block(statements(it.body.statements())),
        Node::Block(branch),
    ])
}

fn expression(it: &Expr) -> Node {
    let at = span(it.position(), 1);
    match it {
        Expr::Unit(_) => Node::Literal(Literal::Nothing, at),
        Expr::BoolConstant(value, at) => {
            let width = value.to_string().len();
            Node::Literal(Literal::Bool(*value), span(*at, width))
        }
        #[expect(
            clippy::cast_precision_loss,
            reason = "checks ask for the kind and the rough size"
        )]
        Expr::IntegerConstant(value, _) => Node::Literal(Literal::Number(*value as f64), at),
        Expr::FloatConstant(value, _) => Node::Literal(Literal::Number(**value), at),
        Expr::StringConstant(value, at) => text(value, *at),
        Expr::DynamicConstant(value, at) => constant(value, *at),
        Expr::InterpolatedString(parts, _) => Node::Other(parts.iter().map(expression).collect()),
        Expr::Array(items, _) => Node::List(items.iter().map(expression).collect()),
        Expr::Map(it, _) => {
            let pairs = it.0.iter();
            let pairs = pairs.map(|(name, value)| (Some(ident(name)), expression(value)));
            Node::Map(pairs.collect(), at)
        }
        Expr::Variable(it, _, at) => named(it.2.path.iter(), word(&it.1, *at)),
        Expr::FnCall(call, at) | Expr::MethodCall(call, at) => called(call, *at),
        Expr::Dot(it, flags, _) => link(expression(&it.lhs), it, *flags, true),
        Expr::Index(it, flags, _) => link(expression(&it.lhs), it, *flags, false),
        Expr::And(parts, _) | Expr::Or(parts, _) | Expr::Coalesce(parts, _) => {
            Node::Other(parts.iter().map(expression).collect())
        }
        Expr::Stmt(it) => Node::Block(statements(it.statements())),
        _ => Node::Other(Vec::new()),
    }
}

/// Walks a chain: `a.b["c"].d()` is `a` and what follows it, which holds `b` and what follows that, and so on.
fn link(of: Node, it: &BinaryExpr, flags: ASTFlags, dotted: bool) -> Node {
    if flags.contains(ASTFlags::BREAK) {
        return part(of, &it.rhs, dotted);
    }
    match &it.rhs {
        Expr::Dot(next, flags, _) => link(part(of, &next.lhs, dotted), next, *flags, true),
        Expr::Index(next, flags, _) => link(part(of, &next.lhs, dotted), next, *flags, false),
        last => part(of, last, dotted),
    }
}

fn part(of: Node, it: &Expr, dotted: bool) -> Node {
    let of = Box::new(of);
    match it {
        Expr::Property(it, at) if dotted => Node::Member(of, word(&it.2, *at)),
        Expr::MethodCall(call, at) | Expr::FnCall(call, at) if dotted => {
            let callee = Node::Member(of, word(&call.name, *at));
            Node::Call(Box::new(callee), call.args.iter().map(expression).collect())
        }
        other => match expression(other) {
            Node::Literal(Literal::Text(text), span) => Node::Member(of, Word { text, span }),
            key => Node::Item(of, Box::new(key)),
        },
    }
}

fn called(call: &FnCallExpr, at: Position) -> Node {
    let args = call.args.iter().map(expression).collect();
    if call.is_operator_call() {
        return Node::Other(args);
    }
    let callee = named(call.namespace.path.iter(), word(&call.name, at));
    Node::Call(Box::new(callee), args)
}

/// A name, or what a module has by it.
fn named<'a>(modules: impl Iterator<Item = &'a Ident>, name: Word) -> Node {
    let mut path: Vec<Word> = modules.map(ident).collect();
    if path.is_empty() {
        return Node::Name(name);
    }
    path.push(name);
    Node::Path(path)
}

/// A value that was folded when it was compiled: where its parts stood is forgotten.
fn constant(value: &Dynamic, at: Position) -> Node {
    if let Some(map) = value.read_lock::<rhai::Map>() {
        let pairs = map.iter();
        let pairs = pairs.map(|(name, value)| (Some(word(name, at)), constant(value, at)));
        return Node::Map(pairs.collect(), span(at, 1));
    }
    if let Some(list) = value.read_lock::<rhai::Array>() {
        return Node::List(list.iter().map(|value| constant(value, at)).collect());
    }
    if let Ok(value) = value.as_immutable_string_ref() {
        return text(&value, at);
    }
    let literal = match (value.as_bool(), value.as_float(), value.as_int()) {
        (Ok(value), ..) => Literal::Bool(value),
        (_, Ok(value), _) => Literal::Number(value),
        #[expect(
            clippy::cast_precision_loss,
            reason = "checks ask for the kind and the rough size"
        )]
        (.., Ok(value)) => Literal::Number(value as f64),
        _ => return Node::Other(Vec::new()),
    };
    Node::Literal(literal, span(at, 1))
}

fn text(value: &str, at: Position) -> Node {
    // With its quotes.
    let width = value.chars().count() + 2;
    Node::Literal(Literal::Text(value.to_owned()), span(at, width))
}

fn ident(it: &Ident) -> Word {
    word(&it.name, it.pos)
}

fn word(text: &str, at: Position) -> Word {
    Word {
        text: text.to_owned(),
        span: span(at, text.chars().count()),
    }
}

fn span(at: Position, width: usize) -> Span {
    let small = |number: Option<usize>| number.and_then(|it| u32::try_from(it).ok()).unwrap_or(0);
    Span {
        line: small(at.line()),
        column: small(at.position()),
        width: small(Some(width)),
    }
}

/// Finds where the keys of folded maps stand: behind the beginning of the map, before a colon.
fn place_keys(nodes: &mut [Node], source: &str) {
    for node in nodes {
        match node {
            Node::Map(pairs, at) => {
                for (key, value) in pairs {
                    if let Some(key) = key.as_mut().filter(|key| key.span.column == at.column) {
                        key.span = find_key(&key.text, *at, source).unwrap_or(*at);
                    }
                    if let Node::Literal(Literal::Text(text), span) = value
                        && span.column == at.column
                    {
                        *span = find_text(text, *at, source).unwrap_or_default();
                    }
                    place_keys(std::slice::from_mut(value), source);
                }
            }
            Node::Member(of, _) => place_keys(std::slice::from_mut(of), source),
            Node::Item(of, key) => {
                place_keys(std::slice::from_mut(of), source);
                place_keys(std::slice::from_mut(key), source);
            }
            Node::Call(callee, args) => {
                place_keys(std::slice::from_mut(callee), source);
                place_keys(args, source);
            }
            Node::Assign(targets, values) => {
                place_keys(targets, source);
                place_keys(values, source);
            }
            Node::Function(function) => place_keys(&mut function.body, source),
            Node::List(parts)
            | Node::Let(_, parts)
            | Node::Statements(parts)
            | Node::Block(parts)
            | Node::Other(parts) => place_keys(parts, source),
            Node::Name(_) | Node::Path(_) | Node::Module(_) | Node::Literal(..) => {}
        }
    }
}

fn find_key(key: &str, from: Span, source: &str) -> Option<Span> {
    find(key, from, source, |before, after| {
        let part = |it: char| it.is_alphanumeric() || it == '_';
        !before.ends_with(part) && after.trim_start().starts_with(':')
    })
}

fn find_text(text: &str, from: Span, source: &str) -> Option<Span> {
    find(&format!("\"{text}\""), from, source, |_, _| true)
}

/// Finds a stretch behind a place whose surroundings in its line fit.
fn find(wanted: &str, from: Span, source: &str, fits: impl Fn(&str, &str) -> bool) -> Option<Span> {
    let lines = (1..)
        .zip(source.lines())
        .skip((from.line as usize).checked_sub(1)?);
    let found = lines.take(100).find_map(|(number, line)| {
        let skipped = if number == from.line {
            from.column as usize
        } else {
            0
        };
        let start = line
            .char_indices()
            .nth(skipped)
            .map_or(line.len(), |(at, _)| at);
        let rest = line.get(start..)?;
        let (at, _) = rest.match_indices(wanted).find(|(at, _)| {
            let (before, after) = (rest.get(..*at), rest.get(at + wanted.len()..));
            before
                .zip(after)
                .is_some_and(|(before, after)| fits(before, after))
        })?;
        Some((number, line.get(..start + at)?.chars().count() + 1))
    });
    let (line, column) = found?;
    Some(Span {
        line,
        column: u32::try_from(column).ok()?,
        width: u32::try_from(wanted.chars().count()).ok()?,
    })
}
