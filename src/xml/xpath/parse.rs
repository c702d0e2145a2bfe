//! Tokens to an expression: operators, brackets and calls. `parse_path.rs` has the paths.

use crate::base::Text;
use crate::xml::xpath::ast::{Expr, Function, Operator, Path};
use crate::xml::xpath::kind::Kind;
use crate::xml::xpath::lex::{self, Token};
use crate::xml::xpath::refusal::Refusal;

/// How deep brackets may be nested.
const DEEPEST: usize = 64;

/// Compiles an expression; its prefixes stand for the namespaces given.
pub(super) fn compile(expression: &str, namespaces: &[(Text, Text)]) -> Result<Expr, Refusal> {
    let tokens = lex::tokens(expression)?;
    let mut parser = Parser {
        rest: &tokens,
        namespaces,
        depth: 0,
    };
    let expr = parser.binary(0)?;
    match parser.rest {
        [] => Ok(expr),
        _ => Err(parser.unexpected("its end")),
    }
}

pub(super) struct Parser<'a> {
    rest: &'a [(Token<'a>, &'a str)],
    pub(super) namespaces: &'a [(Text, Text)],
    /// In how many brackets we are.
    depth: usize,
}

impl<'a> Parser<'a> {
    /// Reads operands with all operators between them that bind at least so strongly.
    fn binary(&mut self, lowest: u8) -> Result<Expr, Refusal> {
        let mut left = self.unary()?;
        while let Some(Token::Operator(operator)) = self.peek() {
            if operator.level() < lowest {
                break;
            }
            self.next();
            let right = self.binary(operator.level() + 1)?;
            left = chain(left, operator, right);
        }
        Ok(left)
    }

    fn unary(&mut self) -> Result<Expr, Refusal> {
        let mut signs = 0;
        while self.take(Token::Operator(Operator::Subtract)) {
            signs += 1;
        }
        let operand = self.union()?;
        Ok(match signs {
            0 => operand,
            signs => Expr::Negate {
                odd: signs % 2 == 1,
                of: Box::new(operand),
            },
        })
    }

    fn union(&mut self) -> Result<Expr, Refusal> {
        let first = self.path()?;
        if self.peek() != Some(Token::Bar) {
            return Ok(first);
        }
        let mut all = vec![first];
        while self.take(Token::Bar) {
            all.push(self.path()?);
        }
        if all.iter().any(|expr| expr.kind() != Kind::Nodes) {
            return Err(Refusal::unclear("`|` stands between nodes only"));
        }
        Ok(Expr::Union(all))
    }

    /// Reads what may stand alone or start a path, if that is what follows.
    pub(super) fn primary(&mut self) -> Result<Option<Expr>, Refusal> {
        let expr = match self.peek() {
            Some(Token::Number(number)) => Expr::Number(number),
            Some(Token::Literal(text)) => Expr::Literal(text.into()),
            Some(Token::Open) => {
                self.next();
                let expr = self.nested()?;
                self.expect(Token::Close, "`)`")?;
                return Ok(Some(expr));
            }
            Some(Token::Call(name)) if !is_node_type(name) => {
                self.next();
                return self.call(name).map(Some);
            }
            Some(Token::Variable(name)) => {
                return Err(Refusal::Unclear {
                    why: format!("there is no variable `${name}`"),
                    hint: Some("Put the value into the expression, in quotes."),
                });
            }
            _ => return Ok(None),
        };
        self.next();
        Ok(Some(expr))
    }

    /// Reads the expression within a bracket.
    pub(super) fn nested(&mut self) -> Result<Expr, Refusal> {
        if self.depth >= DEEPEST {
            let why = format!("brackets are nested more than {DEEPEST} deep");
            return Err(Refusal::unclear(why));
        }
        self.depth += 1;
        let expr = self.binary(0)?;
        self.depth -= 1;
        Ok(expr)
    }

    fn call(&mut self, name: &str) -> Result<Expr, Refusal> {
        let function = Function::named(name)?;
        let mut args = Vec::new();
        self.expect(Token::Open, "`(`")?;
        if self.peek() != Some(Token::Close) {
            args.push(self.nested()?);
            while self.take(Token::Comma) {
                args.push(self.nested()?);
            }
        }
        self.expect(Token::Close, "`,` or `)`")?;
        function.check(&args)?;
        if args.is_empty() && function.signature().most > 0 {
            args.push(Expr::Path(Box::new(Path::own())));
        }
        Ok(Expr::Call(function, args))
    }

    pub(super) fn peek(&self) -> Option<Token<'a>> {
        self.rest.first().map(|(token, _)| *token)
    }

    pub(super) fn next(&mut self) {
        self.rest = self.rest.get(1..).unwrap_or_default();
    }

    /// Passes the token if it is the next.
    pub(super) fn take(&mut self, token: Token<'_>) -> bool {
        let found = self.peek() == Some(token);
        if found {
            self.next();
        }
        found
    }

    pub(super) fn expect(&mut self, token: Token<'_>, shown: &str) -> Result<(), Refusal> {
        if !self.take(token) {
            return Err(self.unexpected(shown));
        }
        Ok(())
    }

    pub(super) fn unexpected(&self, wanted: &str) -> Refusal {
        Refusal::unclear(match self.rest.first() {
            None => format!("it ends where {wanted} is expected"),
            Some((_, text)) => format!("`{text}` stands where {wanted} is expected"),
        })
    }
}

/// Tells whether a name before a parenthesis is a type of nodes, not a function.
pub(super) fn is_node_type(name: &str) -> bool {
    matches!(name, "node" | "text" | "comment" | "processing-instruction")
}

/// Joins operands; those of one level become one list.
fn chain(left: Expr, operator: Operator, right: Expr) -> Expr {
    match left {
        Expr::Chain(first, mut rest)
            if rest
                .first()
                .is_some_and(|(own, _)| own.level() == operator.level()) =>
        {
            rest.push((operator, right));
            Expr::Chain(first, rest)
        }
        left => Expr::Chain(Box::new(left), vec![(operator, right)]),
    }
}
