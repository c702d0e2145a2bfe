//! Walks along an axis from one node, and from a set of nodes without going any way twice.

use std::collections::HashSet;

use crate::xml::xpath::ast::Axis;
use crate::xml::xpath::index::{Index, Place, Sort};

/// A walk, in the order of its axis. It also passes nodes that are not on the axis, so that they
/// are counted: [`Walk::is_on_axis`] tells.
pub(super) struct Walk<'a> {
    index: &'a Index,
    next: Option<Place>,
    way: Way,
}

#[derive(Clone, Copy)]
enum Way {
    Once,
    /// From parent to parent, up to where a walk from this node has been.
    Up {
        walked: Option<Place>,
    },
    /// Over nodes next to each other, before this place.
    Along {
        end: Place,
    },
    /// Over nodes and all within, before this place.
    Within {
        end: Place,
    },
    /// Back over the children of a node.
    AlongBack {
        parent: Place,
    },
    /// Back over all that ends before this node.
    Back {
        origin: Place,
    },
}

impl Iterator for Walk<'_> {
    type Item = Place;

    fn next(&mut self) -> Option<Place> {
        let current = self.next?;
        let index = self.index;
        self.next = match self.way {
            Way::Once => None,
            Way::Up { walked } => above(index, index.parent(current), walked),
            Way::Along { end } => before(index.at(current).end, end),
            Way::Within { end } => before(index.at(current).inner, end),
            Way::AlongBack { parent } => match index.parent(current) {
                Some(own) if own != parent => Some(own),
                _ => left_of(index, current, parent),
            },
            Way::Back { .. } => earlier(index, current),
        };
        Some(current)
    }
}

impl<'a> Walk<'a> {
    /// Starts along an axis from a node.
    pub(super) fn new(index: &'a Index, axis: Axis, from: Place) -> Self {
        Self::beyond(index, axis, from, None)
    }

    /// Starts along an axis; upwards only to where a walk from `walked` has not been.
    fn beyond(index: &'a Index, axis: Axis, from: Place, walked: Option<Place>) -> Self {
        let entry = index.at(from);
        let parent = index.parent(from);
        let nested = matches!(entry.sort, Sort::Element | Sort::Text);
        let (next, way) = match axis {
            Axis::Own => (Some(from), Way::Once),
            Axis::Parent => (parent, Way::Once),
            Axis::Ancestor => (above(index, parent, walked), Way::Up { walked }),
            Axis::AncestorOrSelf => (above(index, Some(from), walked), Way::Up { walked }),
            Axis::Attribute => {
                let end = entry.inner;
                let has = entry.sort == Sort::Element;
                (before(from + 1, end).filter(|_| has), Way::Along { end })
            }
            Axis::Child => (
                before(entry.inner, entry.end),
                Way::Along { end: entry.end },
            ),
            Axis::Descendant => (
                before(entry.inner, entry.end),
                Way::Within { end: entry.end },
            ),
            Axis::DescendantOrSelf => (Some(from), Way::Within { end: entry.end }),
            Axis::Following => {
                let end = index.len();
                (before(behind(index, from), end), Way::Within { end })
            }
            Axis::FollowingSibling => {
                let end = parent.map_or(0, |parent| index.at(parent).end);
                (
                    before(entry.end, end).filter(|_| nested),
                    Way::Along { end },
                )
            }
            Axis::Preceding => (earlier(index, from), Way::Back { origin: from }),
            Axis::PrecedingSibling => {
                let parent = parent.unwrap_or_default();
                let next = nested.then(|| left_of(index, from, parent)).flatten();
                (next, Way::AlongBack { parent })
            }
        };
        Self { index, next, way }
    }

    /// Tells whether a node it passed is on its axis.
    pub(super) fn is_on_axis(&self, place: Place) -> bool {
        match self.way {
            Way::AlongBack { parent } => self.index.parent(place) == Some(parent),
            Way::Back { origin } => self.index.at(place).end <= origin,
            _ => true,
        }
    }
}

/// Returns the walks that together pass all that lies on an axis of any of the nodes, which stand
/// in document order. What lies on the axis of several is passed once, but for the nodes between.
pub(super) fn walks<'a>(
    index: &'a Index,
    axis: Axis,
    from: &'a [Place],
) -> Box<dyn Iterator<Item = Walk<'a>> + 'a> {
    let walk = move |place| Walk::new(index, axis, place);
    match axis {
        Axis::Descendant | Axis::DescendantOrSelf => {
            let mut reached = 0;
            Box::new(from.iter().filter_map(move |&place| {
                let entry = index.at(place);
                let passed = place < reached && entry.sort != Sort::Attribute;
                reached = reached.max(entry.end);
                (!passed).then(|| walk(place))
            }))
        }
        Axis::Ancestor | Axis::AncestorOrSelf => {
            let mut walked = None;
            Box::new(from.iter().map(move |&place| {
                let walk = Walk::beyond(index, axis, place, walked);
                walked = match axis {
                    Axis::Ancestor => index.parent(place).or(walked),
                    _ => Some(place),
                };
                walk
            }))
        }
        Axis::Following => {
            let first = from.iter().min_by_key(|&&place| behind(index, place));
            Box::new(first.copied().into_iter().map(walk))
        }
        Axis::Preceding => Box::new(from.last().copied().into_iter().map(walk)),
        Axis::FollowingSibling => Box::new(first_of_parent(index, from.iter()).map(walk)),
        Axis::PrecedingSibling => Box::new(first_of_parent(index, from.iter().rev()).map(walk)),
        _ => Box::new(from.iter().copied().map(walk)),
    }
}

/// Leaves out nodes whose parent had one before.
fn first_of_parent<'a>(
    index: &'a Index,
    places: impl Iterator<Item = &'a Place> + 'a,
) -> impl Iterator<Item = Place> + 'a {
    let mut seen = HashSet::new();
    let siblings = places
        .copied()
        .filter(move |&place| index.at(place).sort != Sort::Attribute);
    siblings.filter(move |&place| seen.insert(index.parent(place)))
}

fn before(place: Place, end: Place) -> Option<Place> {
    (place < end).then_some(place)
}

/// Returns the first place that follows a node: not within it, and no attribute.
fn behind(index: &Index, place: Place) -> Place {
    let entry = index.at(place);
    match (entry.sort, index.parent(place)) {
        (Sort::Attribute, Some(owner)) => index.at(owner).inner,
        _ => entry.end,
    }
}

/// Leaves out a node that a walk up from `walked` has passed.
fn above(index: &Index, place: Option<Place>, walked: Option<Place>) -> Option<Place> {
    let passed =
        |place: Place| walked.is_some_and(|walked| place <= walked && walked < index.at(place).end);
    place.filter(|&place| !passed(place))
}

/// Returns the node that ends where a child of `parent` starts, if that lies within `parent`.
fn left_of(index: &Index, child: Place, parent: Place) -> Option<Place> {
    let last = child.checked_sub(1)?;
    (last >= index.at(parent).inner).then(|| owner(index, last))
}

/// Returns the node before in document order, no attribute.
fn earlier(index: &Index, place: Place) -> Option<Place> {
    place.checked_sub(1).map(|last| owner(index, last))
}

/// Returns the element of an attribute, and any other node itself.
fn owner(index: &Index, place: Place) -> Place {
    match index.at(place).sort {
        Sort::Attribute => index.parent(place).unwrap_or(place),
        _ => place,
    }
}
