//! SimpleIO: reads declarations, binds input to them, checks output against them.
//!
//! `declare` turns what a script says of itself into a `contract::Declaration`. `bind` makes a decoded
//! message fit the declared inputs, `check` makes an answer fit the declared outputs; both report every
//! problem at once. Formats and scripts never convert types themselves.

mod bind;
mod check;
mod constraint;
mod declare;
mod example;
mod field;
mod fit;
mod mask;
mod models;
mod scalar;
mod text;
mod ty;
mod uses;

#[cfg(test)]
mod declare_tests;
#[cfg(test)]
mod tests;

pub(crate) use bind::bind;
#[cfg(test)]
pub(crate) use check::check;
pub(crate) use check::check_answer;
pub(crate) use declare::declare;
pub(crate) use example::example;
pub(crate) use mask::{masked, veil};
pub(crate) use scalar::{bytes_of, date_of, datetime_of, decimal_of, decimal_of_float, uuid_of};
pub(crate) use text::field_text;
