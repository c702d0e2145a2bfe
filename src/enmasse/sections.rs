//! The sections of the files, derived from the kinds: which key holds objects of which kind, in
//! which shape.

use crate::base::closest;
use crate::contract::AnyKind;

/// A top-level key that holds objects.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Section {
    /// The key, such as `channels`.
    pub(crate) key: String,
    /// What the kinds in it share: the part before the dot, or the whole kind.
    pub(crate) group: String,
    /// How objects are written in it.
    pub(crate) shape: Shape,
}

/// How objects are written in a section.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Shape {
    /// A list; `type:` is the last part of the kind.
    Typed,
    /// A map from the last part of the kind to a list.
    Grouped,
    /// A list; the kind is the one whose last part is a key of the object, such as `http:`.
    Keyed,
    /// A list of one kind.
    Plain,
    /// A map from name to settings, of one kind.
    Named,
}

/// The sections in the order files write them. A kind of another group gets a section of its own
/// after them.
const SECTIONS: &[(&str, &str, Shape)] = &[
    ("security", "security", Shape::Typed),
    ("outgoing", "outgoing", Shape::Grouped),
    ("channels", "channel", Shape::Keyed),
    ("jobs", "job", Shape::Plain),
    ("services", "service", Shape::Named),
    ("topics", "topic", Shape::Plain),
    ("alerts", "alert", Shape::Plain),
];

/// Returns all sections for a list of kinds.
pub(crate) fn sections(kinds: &[&dyn AnyKind]) -> Vec<Section> {
    sections_of(kinds.iter().map(|kind| kind.name()))
}

/// Returns all sections for the names of kinds.
pub(crate) fn sections_of<'a>(names: impl IntoIterator<Item = &'a str>) -> Vec<Section> {
    let section = |key: &str, group: &str, shape| Section {
        key: key.to_owned(),
        group: group.to_owned(),
        shape,
    };
    let mut found: Vec<_> = SECTIONS
        .iter()
        .map(|(key, group, shape)| section(key, group, *shape))
        .collect();
    for name in names {
        let group = group_of(name);
        if found.iter().any(|section| section.group == group) {
            continue;
        }
        found.push(match last_part(name) {
            Some(_) => section(group, group, Shape::Typed),
            None => section(&format!("{group}s"), group, Shape::Plain),
        });
    }
    found
}

/// Tells whether a name stands for one object in the whole group, whatever its kind: in a list of
/// several kinds.
pub(crate) fn shares_names(group: &str) -> bool {
    let shape = SECTIONS.iter().find(|(_, own, _)| *own == group);
    shape.is_none_or(|(_, _, shape)| matches!(shape, Shape::Typed | Shape::Keyed))
}

/// Returns the part of a kind before the dot: `channel` of `channel.http`, `job` of `job`.
pub(crate) fn group_of(kind: &str) -> &str {
    kind.split_once('.').map_or(kind, |(group, _)| group)
}

/// Returns the part of a kind after the dot, if it has one.
pub(crate) fn last_part(kind: &str) -> Option<&str> {
    kind.split_once('.').map(|(_, last)| last)
}

/// Returns the kind of a name.
pub(crate) fn find<'a>(kinds: &[&'a dyn AnyKind], name: &str) -> Option<&'a dyn AnyKind> {
    kinds.iter().find(|kind| kind.name() == name).copied()
}

/// Returns the names of the kinds of a group, in the order of the list.
pub(crate) fn of_group<'a>(kinds: &[&'a dyn AnyKind], group: &str) -> Vec<&'a str> {
    let names = kinds.iter().map(|kind| kind.name());
    names.filter(|name| group_of(name) == group).collect()
}

/// Returns `known: a, b` for a message, or that there is none.
pub(crate) fn known(kinds: &[&dyn AnyKind], group: &str) -> String {
    match of_group(kinds, group).as_slice() {
        [] => "none of this group is built in".to_owned(),
        names => format!("known: {}", names.join(", ")),
    }
}

/// Returns the hint that names the closest candidate.
pub(crate) fn did_you_mean<'a>(
    name: &str,
    candidates: impl IntoIterator<Item = &'a str>,
) -> Option<String> {
    closest(name, candidates).map(|meant| format!("Did you mean `{meant}`?"))
}
