//! XPath 1.0, our own, with a budget.
//!
//! An expression is cut into tokens (`lex`), parsed (`parse`, `parse_path`) into a small tree
//! (`ast`, `kind`, `function`) that is kept (`cache`), and evaluated (`eval`, `step`, `axis`,
//! `compare`, `call`, `text`) on an index of the document. All work counts against one budget:
//! nodes visited, members sorted, texts by their length. So a query ends within a third of a
//! second whatever it asks.
//!
//! Two things are refused: variables, so whoever puts foreign text into an expression must quote
//! it, and the namespace axis.

mod ast;
mod axis;
mod budget;
mod cache;
mod call;
mod compare;
mod eval;
mod function;
mod index;
mod kind;
mod lex;
mod number;
mod parse;
mod parse_path;
mod query;
mod refusal;
mod step;
#[cfg(test)]
mod tests;
mod text;
mod value;

pub(super) use index::{Index, Place};
pub(crate) use query::XPathResult;
pub(super) use query::evaluate;
