//! Functions of texts. Characters are those of Unicode.

use std::borrow::Cow;
use std::collections::HashMap;

use memchr::memmem;

use crate::xml::chars::SPACE;
use crate::xml::xpath::ast::{Expr, Function};
use crate::xml::xpath::eval::{Context, Evaluator};
use crate::xml::xpath::number;
use crate::xml::xpath::refusal::Spent;
use crate::xml::xpath::value::Value;

impl<'a> Evaluator<'a> {
    /// Calls a function of texts.
    #[expect(clippy::cast_precision_loss, reason = "lengths are far below 2^53")]
    pub(super) fn call_text(
        &self,
        function: Function,
        args: &'a [Expr],
        context: Context,
    ) -> Result<Value<'a>, Spent> {
        let first = self.text(args, 0, context)?;
        let second = || self.text(args, 1, context);
        Ok(match function {
            Function::Concat => Value::Text(self.concat(first, args, context)?),
            Function::StartsWith => Value::Truth(self.starts(&first, &second()?)?),
            Function::Contains => Value::Truth(self.find(&first, &second()?)?.is_some()),
            Function::SubstringBefore => {
                let end = self.find(&first, &second()?)?.unwrap_or(0);
                Value::Text(self.slice(first, 0, end)?)
            }
            Function::SubstringAfter => {
                let second = second()?;
                let start = self.find(&first, &second)?.map(|at| at + second.len());
                let end = first.len();
                Value::Text(self.slice(first, start.unwrap_or(end), end)?)
            }
            Function::Substring => Value::Text(self.substring(first, args, context)?),
            Function::StringLength => {
                self.budget.text(first.len())?;
                Value::Number(first.chars().count() as f64)
            }
            Function::NormalizeSpace => Value::Text(self.normalize(&first)?.into()),
            Function::Translate => {
                let to = self.text(args, 2, context)?;
                Value::Text(self.translate(&first, &second()?, &to)?.into())
            }
            _ => Value::Text(first),
        })
    }

    fn text(&self, args: &'a [Expr], at: usize, context: Context) -> Result<Cow<'a, str>, Spent> {
        match args.get(at) {
            Some(expr) => self.to_text(self.eval(expr, context)?),
            None => Ok("".into()),
        }
    }

    fn concat(
        &self,
        first: Cow<'a, str>,
        args: &'a [Expr],
        context: Context,
    ) -> Result<Cow<'a, str>, Spent> {
        self.budget.text(first.len())?;
        let mut whole = first.into_owned();
        for at in 1..args.len() {
            let part = self.text(args, at, context)?;
            self.budget.text(part.len())?;
            whole.push_str(&part);
        }
        Ok(whole.into())
    }

    fn starts(&self, text: &str, start: &str) -> Result<bool, Spent> {
        self.budget.text(start.len())?;
        Ok(text.starts_with(start))
    }

    fn find(&self, text: &str, part: &str) -> Result<Option<usize>, Spent> {
        self.budget.text(text.len() + part.len())?;
        Ok(memmem::find(text.as_bytes(), part.as_bytes()))
    }

    /// Returns the part of a text between two places that start characters.
    fn slice(&self, text: Cow<'a, str>, start: usize, end: usize) -> Result<Cow<'a, str>, Spent> {
        match text {
            Cow::Borrowed(text) => Ok(text.get(start..end).unwrap_or_default().into()),
            Cow::Owned(text) => {
                self.budget.text(end.saturating_sub(start))?;
                Ok(text.get(start..end).unwrap_or_default().to_owned().into())
            }
        }
    }

    /// Takes the characters whose position, from 1, is not below the one number and below its sum
    /// with the other.
    #[expect(clippy::cast_precision_loss, reason = "lengths are far below 2^53")]
    fn substring(
        &self,
        text: Cow<'a, str>,
        args: &'a [Expr],
        context: Context,
    ) -> Result<Cow<'a, str>, Spent> {
        let number = |at: usize| {
            let expr = args.get(at);
            expr.map(|expr| self.number(expr, context)).transpose()
        };
        let from = number::round(number(1)?.unwrap_or(f64::NAN));
        let to = number(2)?.map_or(f64::INFINITY, |length| from + number::round(length));
        self.budget.text(text.len())?;
        let positions = (1_usize..).map(|position| position as f64);
        let mut taken = text
            .char_indices()
            .zip(positions)
            .filter(|(_, position)| *position >= from && *position < to)
            .map(|((at, c), _)| (at, at + c.len_utf8()));
        let first = taken.next();
        let last = taken.last().or(first);
        let (start, end) = first
            .zip(last)
            .map_or((0, 0), |(first, last)| (first.0, last.1));
        self.slice(text, start, end)
    }

    fn normalize(&self, text: &str) -> Result<String, Spent> {
        self.budget.text(text.len())?;
        let mut normal = String::new();
        for word in text.split(SPACE).filter(|word| !word.is_empty()) {
            if !normal.is_empty() {
                normal.push(' ');
            }
            normal.push_str(word);
        }
        Ok(normal)
    }

    /// Replaces characters by those in the same place of another text, or by nothing.
    fn translate(&self, text: &str, from: &str, to: &str) -> Result<String, Spent> {
        // Each character is looked up.
        self.budget.spend(text.len())?;
        self.budget.spend(from.len().saturating_mul(4))?;
        let mut to = to.chars();
        let mut table: HashMap<char, Option<char>> = HashMap::new();
        for c in from.chars() {
            let new = to.next();
            table.entry(c).or_insert(new);
        }
        let new = text
            .chars()
            .filter_map(|c| table.get(&c).copied().unwrap_or(Some(c)));
        Ok(new.collect())
    }
}
