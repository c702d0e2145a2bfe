//! Cuts an expression into tokens by the rules of XPath 1.0, section 3.7.

use crate::xml::chars::{self, SPACE};
use crate::xml::xpath::ast::Operator;
use crate::xml::xpath::refusal::Refusal;

/// A token. Names know by what stands around them what they are.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Token<'a> {
    Open,
    Close,
    OpenPredicate,
    ClosePredicate,
    Comma,
    At,
    Dot,
    DotDot,
    Slash,
    SlashSlash,
    Bar,
    Operator(Operator),
    /// `child::`
    Axis(&'a str),
    /// `*`
    Any,
    /// `p:*`
    AnyIn(&'a str),
    /// `a` or `p:a`; the prefix may be empty.
    Name(&'a str, &'a str),
    /// A name before a parenthesis: a function or a type of nodes.
    Call(&'a str),
    Variable(&'a str),
    Literal(&'a str),
    Number(f64),
}

/// Longer ones first.
const SIGNS: &[(&str, Token<'static>)] = &[
    ("//", Token::SlashSlash),
    ("..", Token::DotDot),
    ("!=", Token::Operator(Operator::Unequal)),
    ("<=", Token::Operator(Operator::LessOrEqual)),
    (">=", Token::Operator(Operator::GreaterOrEqual)),
    ("(", Token::Open),
    (")", Token::Close),
    ("[", Token::OpenPredicate),
    ("]", Token::ClosePredicate),
    (",", Token::Comma),
    ("@", Token::At),
    (".", Token::Dot),
    ("/", Token::Slash),
    ("|", Token::Bar),
    ("=", Token::Operator(Operator::Equal)),
    ("<", Token::Operator(Operator::Less)),
    (">", Token::Operator(Operator::Greater)),
    ("+", Token::Operator(Operator::Add)),
    ("-", Token::Operator(Operator::Subtract)),
];

/// Cuts an expression into its tokens, each with its text.
pub(super) fn tokens(expression: &str) -> Result<Vec<(Token<'_>, &str)>, Refusal> {
    let mut lexer = Lexer {
        rest: expression.trim_start_matches(SPACE),
    };
    let mut all: Vec<(Token<'_>, &str)> = Vec::new();
    while let Some(c) = lexer.rest.chars().next() {
        let behind_operand = all.last().is_some_and(|(last, _)| last.ends_operand());
        let from = lexer.rest;
        let token = lexer.token(c, behind_operand)?;
        let text = from.get(..from.len() - lexer.rest.len());
        all.push((token, text.unwrap_or(from)));
        lexer.rest = lexer.rest.trim_start_matches(SPACE);
    }
    Ok(all)
}

impl Token<'_> {
    /// Tells whether an operator may follow, and so must.
    fn ends_operand(&self) -> bool {
        matches!(
            self,
            Self::Close
                | Self::ClosePredicate
                | Self::Dot
                | Self::DotDot
                | Self::Any
                | Self::AnyIn(_)
                | Self::Name(..)
                | Self::Variable(_)
                | Self::Literal(_)
                | Self::Number(_)
        )
    }
}

struct Lexer<'a> {
    rest: &'a str,
}

impl<'a> Lexer<'a> {
    fn token(&mut self, c: char, behind_operand: bool) -> Result<Token<'a>, Refusal> {
        match c {
            '"' | '\'' => self.literal(c),
            '0'..='9' => Ok(self.number()),
            '.' if self.second_is_digit() => Ok(self.number()),
            '*' => {
                self.advance(1);
                let times = Token::Operator(Operator::Multiply);
                Ok(if behind_operand { times } else { Token::Any })
            }
            '$' => {
                self.advance(1);
                Ok(Token::Variable(self.name()))
            }
            c if chars::starts_name(c) && behind_operand => self.operator(),
            c if chars::starts_name(c) => Ok(self.word()),
            c => self.sign(c),
        }
    }

    fn sign(&mut self, c: char) -> Result<Token<'a>, Refusal> {
        let found = SIGNS.iter().find(|(sign, _)| self.rest.starts_with(sign));
        let (sign, token) =
            found.ok_or_else(|| Refusal::unclear(format!("`{c}` means nothing")))?;
        self.advance(sign.len());
        Ok(*token)
    }

    fn literal(&mut self, quote: char) -> Result<Token<'a>, Refusal> {
        self.advance(1);
        let found = self.rest.split_once(quote);
        let (text, rest) =
            found.ok_or_else(|| Refusal::unclear(format!("a text lacks its closing {quote}")))?;
        self.rest = rest;
        Ok(Token::Literal(text))
    }

    fn number(&mut self) -> Token<'a> {
        let digits = |text: &str| text.bytes().take_while(u8::is_ascii_digit).count();
        let whole = digits(self.rest);
        let behind = self.rest.get(whole..).unwrap_or_default();
        let length = match behind.strip_prefix('.') {
            Some(fraction) => whole + 1 + digits(fraction),
            None => whole,
        };
        let text = self.advance(length);
        Token::Number(text.parse().unwrap_or(f64::NAN))
    }

    fn operator(&mut self) -> Result<Token<'a>, Refusal> {
        let operator = match self.name() {
            "or" => Operator::Or,
            "and" => Operator::And,
            "div" => Operator::Divide,
            "mod" => Operator::Remainder,
            name => {
                let why = format!("an operator is expected in the place of `{name}`");
                return Err(Refusal::unclear(why));
            }
        };
        Ok(Token::Operator(operator))
    }

    fn word(&mut self) -> Token<'a> {
        let whole = self.rest;
        let first = self.name();
        let second = self.second_part();
        let behind = self.rest.trim_start_matches(SPACE);
        if behind.starts_with('(') && second != Some("*") {
            let length = whole.len() - self.rest.len();
            return Token::Call(whole.get(..length).unwrap_or(first));
        }
        match (second, behind.strip_prefix("::")) {
            (None, Some(behind)) => {
                self.rest = behind;
                Token::Axis(first)
            }
            (None, None) => Token::Name("", first),
            (Some("*"), _) => Token::AnyIn(first),
            (Some(local), _) => Token::Name(first, local),
        }
    }

    /// Takes the name or star behind a colon that follows at once.
    fn second_part(&mut self) -> Option<&'a str> {
        let behind = self.rest.strip_prefix(':')?;
        if behind.starts_with('*') {
            self.advance(1);
            return Some(self.advance(1));
        }
        if !behind.starts_with(chars::starts_name) {
            return None;
        }
        self.advance(1);
        Some(self.name())
    }

    fn name(&mut self) -> &'a str {
        let end = self.rest.find(|c| !chars::continues_name(c));
        self.advance(end.unwrap_or(self.rest.len()))
    }

    fn second_is_digit(&self) -> bool {
        self.rest.as_bytes().get(1).is_some_and(u8::is_ascii_digit)
    }

    /// Passes so many bytes and returns them.
    fn advance(&mut self, bytes: usize) -> &'a str {
        let (passed, rest) = self.rest.split_at_checked(bytes).unwrap_or((self.rest, ""));
        self.rest = rest;
        passed
    }
}
