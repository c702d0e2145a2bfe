//! Bytes to values and back, one file for each format.
//!
//! `json`, `form`, `csv`, `raw`, `xml` and `soap` are formats. What several of them or the script API need stands
//! apart: `json_read`, `json_write` and `csv_text` (texts), `problem` and `problem_xml` (faults), `answer`
//! (status, headers, media type), `media` and `content_type` (the type of a message).

pub(crate) mod answer;
pub(crate) mod content_type;
pub(crate) mod csv;
pub(crate) mod csv_text;
pub(crate) mod form;
pub(crate) mod json;
pub(crate) mod json_read;
pub(crate) mod json_write;
pub(crate) mod media;
pub(crate) mod problem;
pub(crate) mod problem_xml;
pub(crate) mod raw;
pub(crate) mod soap;
pub(crate) mod xml;

#[cfg(test)]
mod json_tests;
#[cfg(test)]
mod tests;
