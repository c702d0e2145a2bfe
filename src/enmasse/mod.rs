//! Objects as files: read, plan, apply, export. Knows no kind by name.

mod extract;
mod node;
mod overlay;
mod scalar;
mod sections;
mod source;
mod wanted;
mod yaml;
