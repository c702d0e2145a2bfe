//! Bytes to values and back, one file for each format.
//!
//! `json`, `form`, `csv` and `raw` are formats. What several of them or the script API need stands apart:
//! `json_read`, `json_write` and `csv_text` (texts), `problem` (faults), `answer` (status, headers, media
//! type) and `media` (the type of a message).

pub(crate) mod answer;
pub(crate) mod csv;
pub(crate) mod csv_text;
pub(crate) mod form;
pub(crate) mod json;
pub(crate) mod json_read;
pub(crate) mod json_write;
pub(crate) mod media;
pub(crate) mod problem;
pub(crate) mod raw;

#[cfg(test)]
mod json_tests;
#[cfg(test)]
mod tests;
