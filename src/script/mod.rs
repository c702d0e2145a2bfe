//! What the script languages share, and the languages.
pub(crate) mod host;
pub(crate) mod lua;
