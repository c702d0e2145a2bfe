//! The nodes of a document in their order, attributes behind their element.
//!
//! A node is a place in this list: sorting is sorting numbers, and what lies within, before or
//! behind a node is a range. It is made when a document is first asked something.

use uppsala::{Document, NodeId, NodeKind};

/// A place in the index.
pub(in crate::xml) type Place = u32;

/// What kind of node it is. The reader keeps neither comments nor instructions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sort {
    Document,
    Element,
    Attribute,
    Text,
}

/// A node.
#[derive(Clone, Copy, Debug)]
pub(super) struct Entry {
    pub(super) sort: Sort,
    /// Of the name, see [`tag`].
    tag: u16,
    /// In the tree; an attribute has that of its element.
    id: u32,
    /// The document is its own parent.
    parent: Place,
    /// Behind its attributes.
    pub(super) inner: Place,
    /// Behind all that lies within.
    pub(super) end: Place,
}

/// The index of a document.
pub(in crate::xml) struct Index {
    entries: Vec<Entry>,
}

impl Index {
    pub(in crate::xml) fn new(tree: &Document<'_>) -> Self {
        let mut index = Self {
            entries: Vec::new(),
        };
        let mut open: Vec<Place> = Vec::new();
        let mut next = Some(tree.root());
        while let Some(id) = next {
            let parent = open.last().copied().unwrap_or_default();
            open.push(index.push(tree, id, parent));
            next = tree.first_child(id);
            while next.is_none() {
                let Some(closed) = open.pop() else { break };
                let end = index.len();
                let entry = &mut index.entries[closed as usize];
                entry.end = end;
                next = tree.next_sibling(NodeId::new(entry.id as usize));
            }
        }
        index
    }

    /// Adds a node and its attributes.
    fn push(&mut self, tree: &Document<'_>, id: NodeId, parent: Place) -> Place {
        let place = self.len();
        let (sort, own, attributes) = match tree.node_kind(id) {
            Some(NodeKind::Document) => (Sort::Document, 0, &[][..]),
            Some(NodeKind::Element(element)) => {
                let own = tag(&element.name.local_name);
                (Sort::Element, own, &element.attributes[..])
            }
            _ => (Sort::Text, 0, &[][..]),
        };
        // A document has at most a million nodes.
        let id = u32::try_from(id.index()).unwrap_or(u32::MAX);
        let entry = |sort, tag, parent, inner| Entry {
            sort,
            tag,
            id,
            parent,
            inner,
            end: inner,
        };
        let inner = place + 1 + u32::try_from(attributes.len()).unwrap_or_default();
        self.entries.push(entry(sort, own, parent, inner));
        let attributes = (place + 1..).zip(attributes);
        self.entries.extend(attributes.map(|(at, attribute)| {
            let own = tag(&attribute.name.local_name);
            entry(Sort::Attribute, own, place, at + 1)
        }));
        place
    }

    pub(super) fn len(&self) -> Place {
        u32::try_from(self.entries.len()).unwrap_or(u32::MAX)
    }

    /// Returns a node. Places come from this index alone, so it is there.
    pub(super) fn at(&self, place: Place) -> &Entry {
        &self.entries[place as usize]
    }

    /// Tells whether a node may have this name.
    pub(super) fn may_be(&self, place: Place, local: &str) -> bool {
        self.at(place).tag == tag(local)
    }

    pub(super) fn parent(&self, place: Place) -> Option<Place> {
        (place > 0).then(|| self.at(place).parent)
    }

    /// Returns the node of the tree, and for an attribute which of its element's it is.
    pub(in crate::xml) fn node(&self, place: Place) -> (NodeId, Option<u32>) {
        let entry = self.at(place);
        let attribute = entry.sort == Sort::Attribute;
        let id = NodeId::new(entry.id as usize);
        (id, attribute.then(|| place - entry.parent - 1))
    }

    /// Returns the place of a node of the tree, or of an attribute of it.
    pub(in crate::xml) fn place(&self, id: NodeId, attribute: Option<u32>) -> Place {
        // The parser numbers nodes as it meets them; attributes share the number of their element.
        let before = |entry: &Entry| (entry.id as usize) < id.index();
        let place = self.entries.partition_point(before);
        let place = u32::try_from(place).unwrap_or_default();
        attribute.map_or(place, |attribute| place + 1 + attribute)
    }
}

/// Returns what tells most names apart without looking into the tree: their length and last byte.
fn tag(local: &str) -> u16 {
    let last = local.as_bytes().last().copied().unwrap_or_default();
    u16::from_le_bytes([local.len().to_le_bytes()[0], last])
}
