//! XML: a strict reader with limits, XPath 1.0, and a writer.
//!
//! Reading is three steps: [`encoding`] makes text of bytes, [`scan`] refuses all that is not
//! well-formed or beyond the [`Limits`] before anything is built, and the parser behind it builds
//! the tree. Comments and instructions are then dropped and the texts around them joined, so that
//! `<a>ad<!-- -->min</a>` is `admin` to everyone who asks. A DOCTYPE is refused always, and nothing
//! outside the document is fetched.

pub(crate) mod build;
mod chars;
mod encoding;
mod fault;
mod node;
mod scan;
mod scan_tag;
#[cfg(test)]
mod tests;
mod value;
mod write;
mod writer;
mod xpath;

pub(crate) use chars::is_ncname;
pub(crate) use node::Node;
pub(crate) use write::write_content;
pub(crate) use writer::Writer;
pub(crate) use xpath::XPathResult;

use crate::base::Fault;

/// What a document may cost. None of them can be switched off.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Limits {
    /// How deep elements may be nested.
    pub(crate) depth: usize,
    /// How many attributes an element may have.
    pub(crate) attributes: usize,
    /// How long the value of an attribute may be, in bytes.
    pub(crate) value: usize,
    /// How long a name may be, in bytes.
    pub(crate) name: usize,
    /// How many child elements an element may have.
    pub(crate) children: usize,
    /// How many elements, attributes, texts, comments and instructions there may be.
    pub(crate) nodes: usize,
    /// How many namespace declarations may be in scope at once.
    pub(crate) namespaces: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            depth: 100,
            attributes: 256,
            value: 64 << 10,
            name: 1 << 10,
            children: 50_000,
            nodes: 1_000_000,
            namespaces: 256,
        }
    }
}

/// Reads a document and returns its document node. `charset` is what the transport says, if
/// anything.
pub(crate) fn parse(bytes: &[u8], charset: Option<&str>, limits: &Limits) -> Result<Node, Fault> {
    let text = encoding::decode(bytes, charset)?;
    parse_text(text.into_owned(), limits)
}

/// Reads a document that is text already; an encoding it declares means nothing then.
pub(crate) fn parse_text(text: String, limits: &Limits) -> Result<Node, Fault> {
    let facts = scan::scan(&text, limits)?;
    Node::document(text, facts, limits)
}

/// Returns namespace and local name of the root element, also of a document that is broken further
/// on.
pub(crate) fn peek_root(bytes: &[u8], charset: Option<&str>) -> Option<(String, String)> {
    let text = encoding::decode(bytes, charset).ok()?;
    scan::root(&text)
}
