//! The three lists: kinds, formats, script languages.
