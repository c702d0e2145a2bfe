//! Writes XML: escaping, the closing of tags, nothing else. Callers give names that are names.

use crate::xml::chars;

/// A document being written. Elements still open at the end are closed.
#[derive(Debug, Default)]
pub(crate) struct Writer {
    out: String,
    open: Vec<String>,
    /// Whether the last start tag may still take attributes.
    in_tag: bool,
}

impl Writer {
    /// Starts a fragment.
    pub(crate) fn new() -> Self {
        Self::default()
    }

    /// Starts a document in UTF-8 with its XML declaration.
    pub(crate) fn with_declaration() -> Self {
        let out = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n".to_owned();
        Self {
            out,
            ..Self::default()
        }
    }

    /// Opens an element. The name may have a prefix that the caller declares.
    pub(crate) fn start(&mut self, name: &str) -> &mut Self {
        self.close_tag();
        self.out.push('<');
        self.out.push_str(name);
        self.open.push(name.to_owned());
        self.in_tag = true;
        self
    }

    /// Adds an attribute to the element just opened; without one it is not written.
    pub(crate) fn attribute(&mut self, name: &str, value: &str) -> &mut Self {
        if self.in_tag {
            self.out.push(' ');
            self.out.push_str(name);
            self.out.push_str("=\"");
            escape(&mut self.out, value, true);
            self.out.push('"');
        }
        self
    }

    /// Adds text. Characters that XML cannot carry become U+FFFD.
    pub(crate) fn text(&mut self, text: &str) -> &mut Self {
        if !text.is_empty() {
            self.close_tag();
            escape(&mut self.out, text, false);
        }
        self
    }

    /// Closes the innermost element.
    pub(crate) fn end(&mut self) -> &mut Self {
        let Some(name) = self.open.pop() else {
            return self;
        };
        if self.in_tag {
            self.out.push_str("/>");
            self.in_tag = false;
        } else {
            self.out.push_str("</");
            self.out.push_str(&name);
            self.out.push('>');
        }
        self
    }

    /// Writes an element that holds only text.
    pub(crate) fn leaf(&mut self, name: &str, text: &str) -> &mut Self {
        self.start(name).text(text).end()
    }

    /// Returns the text, with all elements closed.
    pub(crate) fn finish(mut self) -> String {
        while !self.open.is_empty() {
            self.end();
        }
        self.out
    }

    fn close_tag(&mut self) {
        if std::mem::take(&mut self.in_tag) {
            self.out.push('>');
        }
    }
}

/// Adds text with the characters replaced that would mean something else, or that a reader would
/// change.
fn escape(out: &mut String, text: &str, in_attribute: bool) {
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '\r' => out.push_str("&#13;"),
            '"' if in_attribute => out.push_str("&quot;"),
            '\t' if in_attribute => out.push_str("&#9;"),
            '\n' if in_attribute => out.push_str("&#10;"),
            c if chars::is_char(c) => out.push(c),
            _ => out.push(char::REPLACEMENT_CHARACTER),
        }
    }
}
