//! Objects as files: read, check, plan, export. Knows no kind by name.
//!
//! [`Files`] are read and checked by [`load`] into a [`wanted::WantedSet`]; every problem comes back at
//! once, with file, line and column. [`plan()`] compares it with the stored objects;
//! [`Plan::changes`] is what to write.

mod catalog;
mod conform;
mod emit;
mod export;
mod extract;
mod files;
mod kept;
mod mend;
mod node;
mod normal;
mod overlay;
mod plan;
mod render;
mod scalar;
mod sections;
mod sheet;
mod source;
mod surrogates;
mod validate;
mod wanted;
mod yaml;

pub(crate) use export::{Secrets, export};
pub(crate) use files::{Files, load};
pub(crate) use plan::{Change, Counts, Plan, Prune, plan};
pub(crate) use render::render;
pub(crate) use sheet::Sheet;
pub(crate) use source::SourceText;
pub(crate) use validate::{Against, refuse_demo};
pub(crate) use wanted::{Wanted, WantedSet};

#[cfg(test)]
mod tests;
