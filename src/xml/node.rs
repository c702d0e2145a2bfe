//! A node of a document: cheap to clone, free to cross threads, and the handle that scripts hold.

use std::any::Any;
use std::borrow::Cow;
use std::sync::{Arc, OnceLock};

use uppsala::{Attribute, Document, Element, NodeId, NodeKind, Parser, QName, XmlError};

use crate::base::{Code, Fault, Object};
use crate::xml::scan::Facts;
use crate::xml::xpath::{Index, Place};
use crate::xml::{Limits, Writer, fault, value, xpath};

/// A node: a document, an element, a text or an attribute.
#[derive(Clone)]
pub(crate) struct Node {
    doc: Arc<Doc>,
    /// In the tree; an attribute has that of its element.
    id: NodeId,
    /// Which attribute of the element it is, if it is one.
    attribute: Option<u32>,
}

/// A document and what was learnt when reading it. The tree is an arena: dropping it recurses
/// nowhere.
struct Doc {
    tree: Document<'static>,
    /// The text as it came, for lines.
    text: String,
    facts: Facts,
    /// What XPath walks on, made when it is first needed.
    index: OnceLock<Index>,
}

impl Node {
    /// Builds the tree of a text that passed the scan.
    pub(super) fn document(text: String, facts: Facts, limits: &Limits) -> Result<Self, Fault> {
        let depth = u32::try_from(limits.depth).unwrap_or(u32::MAX);
        let parser = Parser::new()
            .with_forbid_dtd(true)
            .with_max_depth(depth.saturating_add(1));
        let tree = parser
            .parse(&text)
            .map_err(|error| refused(&text, &error))?;
        let mut tree = tree.into_static();
        if facts.splits_text {
            join_texts(&mut tree);
        }
        let id = tree.root();
        let doc = Arc::new(Doc {
            tree,
            text,
            facts,
            index: OnceLock::new(),
        });
        Ok(Self {
            doc,
            id,
            attribute: None,
        })
    }

    /// Returns another node of the same document.
    fn sibling(&self, id: NodeId) -> Self {
        Self {
            doc: Arc::clone(&self.doc),
            id,
            attribute: None,
        }
    }

    /// Returns the node at a place of the index.
    pub(super) fn at_place(&self, place: Place) -> Self {
        let (id, attribute) = self.index().node(place);
        Self {
            doc: Arc::clone(&self.doc),
            id,
            attribute,
        }
    }

    /// Returns its place in the index.
    pub(super) fn place(&self) -> Place {
        self.index().place(self.id, self.attribute)
    }

    pub(super) fn index(&self) -> &Index {
        let index = &self.doc.index;
        index.get_or_init(|| Index::new(&self.doc.tree))
    }

    pub(super) fn tree(&self) -> &Document<'static> {
        &self.doc.tree
    }

    /// Returns the attribute it is.
    fn as_attribute(&self) -> Option<&Attribute<'static>> {
        let element = self.doc.tree.element(self.id)?;
        element.attributes.get(self.attribute? as usize)
    }

    /// Returns the element it is; an attribute is none.
    fn as_element(&self) -> Option<&Element<'static>> {
        let element = self.doc.tree.element(self.id);
        element.filter(|_| self.attribute.is_none())
    }

    fn qname(&self) -> Option<&QName<'static>> {
        let element = self.as_element().map(|element| &element.name);
        element.or_else(|| self.as_attribute().map(|attribute| &attribute.name))
    }

    /// Returns the name without its prefix; empty for documents and texts.
    pub(crate) fn name(&self) -> &str {
        self.qname().map_or("", |name| &name.local_name)
    }

    /// Returns the namespace; empty when it has none.
    pub(crate) fn namespace(&self) -> &str {
        self.qname()
            .and_then(|name| name.namespace_uri.as_deref())
            .unwrap_or_default()
    }

    /// Tells whether it is the element or attribute of this namespace and name.
    pub(crate) fn is(&self, namespace: &str, name: &str) -> bool {
        self.qname().is_some() && self.name() == name && self.namespace() == namespace
    }

    /// Tells whether it is an element.
    pub(crate) fn is_element(&self) -> bool {
        self.as_element().is_some()
    }

    /// Returns all text within, in order, as one.
    pub(crate) fn text(&self) -> String {
        match self.as_attribute() {
            Some(attribute) => attribute.value.clone().into_owned(),
            None => self.doc.tree.text_content_deep(self.id),
        }
    }

    /// Returns the value of an attribute; without a namespace, that of the attribute in none.
    pub(crate) fn attribute(&self, name: &str, namespace: Option<&str>) -> Option<&str> {
        let element = self.as_element()?;
        let wanted = namespace.filter(|namespace| !namespace.is_empty());
        let found = element.attributes.iter().find(|attribute| {
            attribute.name.local_name == name && attribute.name.namespace_uri.as_deref() == wanted
        });
        found.map(|attribute| &*attribute.value)
    }

    /// Walks the elements directly within.
    pub(crate) fn children(&self) -> impl Iterator<Item = Self> {
        let around = self.attribute.is_none().then_some(self.id);
        let ids = around.map(|id| self.doc.tree.children_iter(id));
        let nodes = ids.into_iter().flatten().map(|id| self.sibling(id));
        nodes.filter(Self::is_element)
    }

    /// Returns the element around it, or the document around the root element.
    pub(crate) fn parent(&self) -> Option<Self> {
        let id = match self.attribute {
            Some(_) => Some(self.id),
            None => self.doc.tree.parent(self.id),
        };
        id.map(|id| self.sibling(id))
    }

    /// Returns the root element of its document.
    pub(crate) fn root(&self) -> Self {
        // The scan saw a root element; the document itself stands in should there be none.
        self.sibling(
            self.doc
                .tree
                .document_element()
                .unwrap_or(self.doc.tree.root()),
        )
    }

    /// Returns the line it starts on, from 1; for an attribute, that of its element.
    pub(crate) fn line(&self) -> usize {
        let start = self
            .doc
            .tree
            .node_range(self.id)
            .map_or(0, |range| range.start);
        fault::position(&self.doc.text, start).0
    }

    /// Tells whether the document has a processing instruction anywhere.
    pub(crate) fn has_instruction(&self) -> bool {
        self.doc.facts.has_instruction
    }

    /// Returns the node as XML that can stand alone: namespaces from around it are declared on it.
    pub(crate) fn to_xml(&self) -> String {
        let mut writer = Writer::new();
        self.write(&mut writer);
        writer.finish()
    }

    /// Writes the node into a document that is being written.
    pub(crate) fn write(&self, writer: &mut Writer) {
        if self.is_element() {
            self.write_element(writer, true);
        } else if self.parent().is_none() {
            self.root().write_element(writer, true);
        } else {
            writer.text(&self.text());
        }
    }

    fn write_element(&self, writer: &mut Writer, outermost: bool) {
        let Some(element) = self.as_element() else {
            return;
        };
        writer.start(&element.name.prefixed_name());
        let declared = if outermost {
            self.in_scope()
        } else {
            own_namespaces(element)
        };
        for (prefix, uri) in declared {
            let name = if prefix.is_empty() {
                "xmlns".to_owned()
            } else {
                format!("xmlns:{prefix}")
            };
            writer.attribute(&name, uri);
        }
        for attribute in &element.attributes {
            writer.attribute(&attribute.name.prefixed_name(), &attribute.value);
        }
        for id in self.doc.tree.children_iter(self.id) {
            match self.doc.tree.node_kind(id) {
                // Depth is bounded by the scan's limit.
                Some(NodeKind::Element(_)) => self.sibling(id).write_element(writer, false),
                Some(NodeKind::Text(text) | NodeKind::CData(text)) => {
                    writer.text(text);
                }
                _ => {}
            }
        }
        writer.end();
    }

    /// Returns the namespace declarations in force, innermost winning.
    fn in_scope(&self) -> Vec<(&str, &str)> {
        let mut found: Vec<(&str, &str)> = Vec::new();
        let mut id = Some(self.id);
        while let Some(current) = id {
            if let Some(NodeKind::Element(element)) = self.doc.tree.node_kind(current) {
                for (prefix, uri) in own_namespaces(element) {
                    if !found.iter().any(|(seen, _)| *seen == prefix) {
                        found.push((prefix, uri));
                    }
                }
            }
            id = self.doc.tree.parent(current);
        }
        found.retain(|(prefix, uri)| !(prefix.is_empty() && uri.is_empty()));
        found
    }

    /// Evaluates an XPath 1.0 expression with this node as its context.
    pub(crate) fn xpath(
        &self,
        expression: &str,
        namespaces: &[(crate::base::Text, crate::base::Text)],
    ) -> Result<xpath::XPathResult, Fault> {
        xpath::evaluate(self, expression, namespaces)
    }

    /// Returns the content as a value: see [`value::of`].
    pub(crate) fn to_value(&self) -> crate::base::Value {
        value::of(self)
    }
}

fn own_namespaces<'a>(element: &'a Element<'static>) -> Vec<(&'a str, &'a str)> {
    let own = element.namespace_declarations.iter();
    own.map(|(prefix, uri)| (&**prefix, &**uri)).collect()
}

/// Drops comments and instructions and joins the texts they split.
fn join_texts(tree: &mut Document<'static>) {
    let mut all = tree.descendants(tree.root());
    all.push(tree.root());
    for parent in all {
        let mut run: Option<NodeId> = None;
        for id in tree.children(parent) {
            match tree.node_kind(id) {
                Some(NodeKind::Comment(_) | NodeKind::ProcessingInstruction(_)) => tree.detach(id),
                Some(NodeKind::Text(text) | NodeKind::CData(text)) => {
                    let text = text.clone();
                    run = join(tree, run, id, text);
                }
                _ => run = None,
            }
        }
    }
}

/// Adds a text to the run before it, or starts a run with it.
fn join(
    tree: &mut Document<'static>,
    run: Option<NodeId>,
    id: NodeId,
    text: Cow<'static, str>,
) -> Option<NodeId> {
    if let Some(first) = run {
        if let Some(NodeKind::Text(joined)) = tree.node_kind_mut(first) {
            joined.to_mut().push_str(&text);
        }
        tree.detach(id);
        return run;
    }
    if text.is_empty() {
        tree.detach(id);
        return None;
    }
    if let Some(kind) = tree.node_kind_mut(id) {
        *kind = NodeKind::Text(text);
    }
    Some(id)
}

/// The parser refused what the scan let through: a gap of ours, answered like any malformed input.
fn refused(text: &str, error: &XmlError) -> Fault {
    let (line, column) = match error {
        XmlError::WellFormedness(error) => (error.line, error.column),
        XmlError::Namespace(error) => (error.line, error.column),
        XmlError::Parse(error) => (error.line, error.column),
        _ => fault::position(text, text.len()),
    };
    let message = format!("XML not well-formed at line {line}, column {column}");
    Fault::new(Code::Malformed, message).detail(error.to_string())
}

impl Object for Node {
    fn class(&self) -> &'static str {
        "xml.node"
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}

impl std::fmt::Debug for Node {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "<xml.node {}>", self.name())
    }
}
