//! Bytes to values and back, one file for each format.

pub(crate) mod content_type;
pub(crate) mod problem_xml;
pub(crate) mod soap;
pub(crate) mod xml;
