//! A place in a source text, and the block that shows it.

use std::fmt;
use std::sync::Arc;

use serde::Serialize;

/// A place in a file: path relative to the project, line and column counted from 1 (0 = unknown).
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Place {
    /// Path relative to the project directory.
    pub path: Arc<str>,
    /// Line, from 1; 0 when only the file is known.
    pub line: u32,
    /// Column in characters, from 1; 0 when only the line is known.
    pub column: u32,
}

impl Place {
    /// Returns the place `path:line:column`.
    pub fn new(path: impl Into<Arc<str>>, line: u32, column: u32) -> Self {
        Self {
            path: path.into(),
            line,
            column,
        }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.line, self.column) {
            (0, _) => write!(f, "{}", self.path),
            (line, 0) => write!(f, "{}:{line}", self.path),
            (line, column) => write!(f, "{}:{line}:{column}", self.path),
        }
    }
}

/// The source line at a place, with the stretch the caret marks.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Snippet {
    /// The whole line, without its end.
    pub line: String,
    /// How many characters the caret marks; 0 draws one.
    pub width: u32,
}
