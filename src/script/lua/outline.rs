//! The outline of a Lua source, out of a parser that knows Luau's grammar.

use full_moon::ast::{
    Block, Call, Expression, Field, FunctionArgs, FunctionBody, If, Index, LastStmt, Parameter,
    Prefix, Stmt, Suffix, Var,
};
use full_moon::tokenizer::{StringLiteralQuoteType, TokenReference, TokenType};

use crate::base::{Access, Function, Literal, Node, Outline, Span, Word};
use crate::contract::Source;

fn small(number: usize) -> u32 {
    u32::try_from(number).unwrap_or(0)
}

/// Reads a source; `None` when it does not parse. `globals` are the names that it may use without declaring them.
pub(crate) fn read(source: &Source, globals: &[String]) -> Option<Outline> {
    let ast = full_moon::parse(&source.text).ok()?;
    let body = block(ast.nodes());
    Some(Outline {
        body,
        globals: Some(globals.to_vec()),
        callable: None,
    })
}

fn block(block: &Block) -> Vec<Node> {
    let mut nodes: Vec<Node> = block.stmts().map(statement).collect();
    if let Some(LastStmt::Return(last)) = block.last_stmt() {
        nodes.push(Node::Other(last.returns().iter().map(expression).collect()));
    }
    nodes
}

fn statement(statement: &Stmt) -> Node {
    match statement {
        Stmt::Assignment(it) => Node::Assign(
            it.variables().iter().map(variable).collect(),
            it.expressions().iter().map(expression).collect(),
        ),
        Stmt::CompoundAssignment(it) => {
            let target = variable(it.lhs());
            Node::Assign(vec![target.clone()], vec![target, expression(it.rhs())])
        }
        Stmt::LocalAssignment(it) => Node::Let(
            it.names().iter().map(word).collect(),
            it.expressions().iter().map(expression).collect(),
        ),
        Stmt::ConstAssignment(it) => Node::Let(
            it.names().iter().map(word).collect(),
            it.expressions().iter().map(expression).collect(),
        ),
        Stmt::LocalFunction(it) => named(word(it.name()), it.body()),
        Stmt::ConstFunction(it) => named(word(it.name()), it.body()),
        Stmt::FunctionDeclaration(it) => declared(it.name(), it.body()),
        Stmt::FunctionCall(it) => chain(it.prefix(), it.suffixes()),
        Stmt::Do(it) => Node::Block(block(it.block())),
        Stmt::If(it) => branches(it),
        Stmt::While(it) => Node::Other(vec![
            expression(it.condition()),
            Node::Block(block(it.block())),
        ]),
        Stmt::Repeat(it) => {
            let mut nodes = block(it.block());
            nodes.push(Node::Other(vec![expression(it.until())]));
            Node::Block(nodes)
        }
        Stmt::NumericFor(it) => {
            let bounds = [Some(it.start()), Some(it.end()), it.step()];
            let bounds = bounds.into_iter().flatten().map(expression).collect();
            looped(vec![word(it.index_variable())], bounds, it.block())
        }
        Stmt::GenericFor(it) => looped(
            it.names().iter().map(word).collect(),
            it.expressions().iter().map(expression).collect(),
            it.block(),
        ),
        _ => Node::Other(Vec::new()),
    }
}

/// Makes a function that its own body may call.
fn named(name: Word, body: &FunctionBody) -> Node {
    let mut made = function(body);
    made.name = Some(name);
    Node::Function(made)
}

/// Makes a function that is assigned to a place: `function m.f() … end`.
fn declared(name: &full_moon::ast::FunctionName, body: &FunctionBody) -> Node {
    let mut made = function(body);
    let mut parts = name.names().iter().chain(name.method_name()).map(word);
    if name.method_name().is_some() {
        let own = Word {
            text: "self".to_owned(),
            span: Span::default(),
        };
        made.params.insert(0, own);
    }
    let first = parts.next().map_or(Node::Other(Vec::new()), Node::Name);
    let target = parts.fold(first, |of, name| Node::Member(Box::new(of), name));
    Node::Assign(vec![target], vec![Node::Function(made)])
}

fn looped(names: Vec<Word>, over: Vec<Node>, body: &Block) -> Node {
    let mut inner = vec![Node::Let(names, Vec::new())];
    inner.extend(block(body));
    Node::Other(vec![Node::Other(over), Node::Block(inner)])
}

fn branches(it: &If) -> Node {
    let mut parts = vec![expression(it.condition()), Node::Block(block(it.block()))];
    for other in it.else_if().into_iter().flatten() {
        parts.push(expression(other.condition()));
        parts.push(Node::Block(block(other.block())));
    }
    parts.extend(it.else_block().map(|it| Node::Block(block(it))));
    match it.binding() {
        None => Node::Other(parts),
        Some(binding) => {
            let value = parts.remove(0);
            parts.insert(0, Node::Let(vec![word(binding.name())], vec![value]));
            Node::Block(parts)
        }
    }
}

fn function(body: &FunctionBody) -> Function {
    let params = body.parameters().iter().filter_map(|it| match it {
        Parameter::Name(name) => Some(word(name)),
        _ => None,
    });
    Function {
        name: None,
        params: params.collect(),
        body: block(body.block()),
        access: Access::Public,
    }
}

fn expression(it: &Expression) -> Node {
    match it {
        Expression::BinaryOperator { lhs, rhs, .. } => {
            Node::Other(vec![expression(lhs), expression(rhs)])
        }
        Expression::UnaryOperator { expression: of, .. } => Node::Other(vec![expression(of)]),
        Expression::Parentheses { expression: of, .. }
        | Expression::TypeAssertion { expression: of, .. } => expression(of),
        Expression::Function(it) => Node::Function(function(it.body())),
        Expression::FunctionCall(it) => chain(it.prefix(), it.suffixes()),
        Expression::IfExpression(it) => {
            let mut parts = vec![expression(it.condition()), expression(it.if_expression())];
            for other in it.else_if_expressions().into_iter().flatten() {
                parts.push(expression(other.condition()));
                parts.push(expression(other.expression()));
            }
            parts.push(expression(it.else_expression()));
            Node::Other(parts)
        }
        Expression::InterpolatedString(it) => {
            Node::Other(it.expressions().map(expression).collect())
        }
        Expression::TableConstructor(it) => table(it),
        Expression::Number(it) => number(it),
        Expression::String(it) => text(it),
        Expression::Symbol(it) => symbol(it),
        Expression::Var(it) => variable(it),
        _ => Node::Other(Vec::new()),
    }
}

fn table(it: &full_moon::ast::TableConstructor) -> Node {
    let fields: Vec<&Field> = it.fields().iter().collect();
    let is_list = fields.iter().all(|field| matches!(field, Field::NoKey(_)));
    if is_list && !fields.is_empty() {
        let items = fields.into_iter().filter_map(|field| match field {
            Field::NoKey(value) => Some(expression(value)),
            _ => None,
        });
        return Node::List(items.collect());
    }
    let pairs = fields.into_iter().filter_map(|field| match field {
        Field::NameKey { key, value, .. } => Some((Some(word(key)), expression(value))),
        Field::ExpressionKey { key, value, .. } => Some((plain(key), expression(value))),
        Field::NoKey(value) => Some((None, expression(value))),
        _ => None,
    });
    Node::Map(pairs.collect(), span(it.braces().tokens().0))
}

/// Returns the text that an expression is, if it is one.
fn plain(it: &Expression) -> Option<Word> {
    match expression(it) {
        Node::Literal(Literal::Text(text), span) => Some(Word { text, span }),
        _ => None,
    }
}

fn variable(it: &Var) -> Node {
    match it {
        Var::Name(name) => Node::Name(word(name)),
        Var::Expression(it) => chain(it.prefix(), it.suffixes()),
        _ => Node::Other(Vec::new()),
    }
}

fn chain<'a>(prefix: &Prefix, suffixes: impl Iterator<Item = &'a Suffix>) -> Node {
    let first = match prefix {
        Prefix::Name(name) => Node::Name(word(name)),
        Prefix::Expression(it) => expression(it),
        _ => Node::Other(Vec::new()),
    };
    suffixes.fold(first, |of, suffix| match suffix {
        Suffix::Index(Index::Dot { name, .. }) => Node::Member(Box::new(of), word(name)),
        Suffix::Index(Index::Brackets {
            expression: key, ..
        }) => match plain(key) {
            Some(name) => Node::Member(Box::new(of), name),
            None => Node::Item(Box::new(of), Box::new(expression(key))),
        },
        Suffix::Call(Call::AnonymousCall(given)) => Node::Call(Box::new(of), args(given)),
        Suffix::Call(Call::MethodCall(it)) => {
            let callee = Node::Member(Box::new(of), word(it.name()));
            Node::Call(Box::new(callee), args(it.args()))
        }
        _ => of,
    })
}

fn args(given: &FunctionArgs) -> Vec<Node> {
    match given {
        FunctionArgs::Parentheses { arguments, .. } => arguments.iter().map(expression).collect(),
        FunctionArgs::String(it) => vec![text(it)],
        FunctionArgs::TableConstructor(it) => vec![table(it)],
        _ => Vec::new(),
    }
}

fn number(it: &TokenReference) -> Node {
    let digits = it.token().to_string().replace('_', "");
    match digits.parse() {
        Ok(number) => Node::Literal(Literal::Number(number), span(it)),
        Err(_another_notation) => Node::Other(Vec::new()),
    }
}

fn symbol(it: &TokenReference) -> Node {
    let value = match it.token().to_string().as_str() {
        "nil" => Literal::Nothing,
        "true" => Literal::Bool(true),
        "false" => Literal::Bool(false),
        _ => return Node::Other(Vec::new()),
    };
    Node::Literal(value, span(it))
}

fn text(it: &TokenReference) -> Node {
    match it.token().token_type() {
        TokenType::StringLiteral {
            literal,
            quote_type,
            ..
        } if !literal.contains('\\') || *quote_type == StringLiteralQuoteType::Brackets => {
            Node::Literal(Literal::Text(literal.to_string()), span(it))
        }
        _ => Node::Other(Vec::new()),
    }
}

fn word(it: &TokenReference) -> Word {
    Word {
        text: it.token().to_string(),
        span: span(it),
    }
}

fn span(it: &TokenReference) -> Span {
    let (start, end) = (it.token().start_position(), it.token().end_position());
    let width = if start.line() == end.line() {
        end.character().saturating_sub(start.character())
    } else {
        1
    };
    Span {
        line: small(start.line()),
        column: small(start.character()),
        width: small(width),
    }
}
