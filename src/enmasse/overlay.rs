//! Puts documents together: files of one configuration side by side, an overlay over them.

use crate::base::{Code, Fault};
use crate::enmasse::node::{Data, Entry, Node};
use crate::enmasse::source::Spot;

/// Adds the sections of `next` to `base`: lists are joined, and nothing may be said in both.
pub(crate) fn join(base: &mut Node, next: Node, problems: &mut Vec<(Fault, Spot)>) {
    // Sections are lists, or maps of lists or of named settings; deeper nothing is joined.
    join_level(base, next, 2, problems);
}

fn join_level(base: &mut Node, next: Node, levels: u8, problems: &mut Vec<(Fault, Spot)>) {
    if matches!(next.data, Data::Null) {
        return;
    }
    let both = match (&mut base.data, next.data) {
        (Data::List(own), Data::List(more)) => return own.extend(more),
        (Data::Map(own), Data::Map(more)) => (own, more),
        // Nothing there yet; or a section of the wrong shape, which is reported where it is read.
        (_, data) => {
            base.data = data;
            base.spot = next.spot;
            return;
        }
    };
    let (own, more) = both;
    for entry in more {
        match own.iter_mut().find(|known| known.key == entry.key) {
            None => own.push(entry),
            Some(known) => join_entry(known, entry, levels, problems),
        }
    }
}

fn join_entry(known: &mut Entry, entry: Entry, levels: u8, problems: &mut Vec<(Fault, Spot)>) {
    let both = (&known.value.data, &entry.value.data);
    if matches!(both, (Data::List(_), Data::List(_))) {
        return join_level(&mut known.value, entry.value, 0, problems);
    }
    if let (Some(levels), (Data::Map(_), Data::Map(_))) =
        (levels.checked_sub(1).filter(|n| *n > 0), both)
    {
        return join_level(&mut known.value, entry.value, levels, problems);
    }
    if matches!(both, (_, Data::Null)) || known.value.to_json() == entry.value.to_json() {
        return;
    }
    if matches!(both, (Data::Null, _)) {
        *known = entry;
        return;
    }
    let message = format!(
        "'{}' is defined twice: first at {}",
        entry.key, known.spot.place
    );
    let fault = Fault::new(Code::ConfigDuplicate, message).hint("Keep it in one file.");
    problems.push((fault, entry.spot));
}

/// Lays `over` over `base`: maps merge, lists of named objects merge by name, everything else is
/// replaced.
pub(crate) fn lay_over(base: &mut Node, over: Node) {
    match (&mut base.data, over.data) {
        (Data::Map(own), Data::Map(more)) => {
            for entry in more {
                match own.iter_mut().find(|known| known.key == entry.key) {
                    Some(known) => lay_over(&mut known.value, entry.value),
                    None => own.push(entry),
                }
            }
        }
        (Data::List(own), Data::List(more)) if named(own) && named(&more) => {
            for member in more {
                let same = |known: &&mut Node| name_of(known) == name_of(&member);
                match own.iter_mut().find(same) {
                    Some(known) => lay_over(known, member),
                    None => own.push(member),
                }
            }
        }
        (_, data) => {
            base.data = data;
            base.spot = over.spot;
        }
    }
}

fn name_of(node: &Node) -> Option<&str> {
    node.value("name")?.text()
}

fn named(members: &[Node]) -> bool {
    !members.is_empty() && members.iter().all(|member| name_of(member).is_some())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::enmasse::yaml;

    fn node(path: &str, text: &str) -> Node {
        let document = yaml::read(&path.into(), text);
        assert!(document.problems.is_empty(), "{:?}", document.problems);
        document.root.unwrap()
    }

    #[test]
    fn an_overlay_merges_maps_and_named_lists_and_replaces_the_rest() {
        let mut base = node(
            "a",
            "jobs:\n- { name: a, every: 1h, payload: { x: 1, y: { z: 2 } }, tags: [p, q] }\n- { name: b }\n",
        );
        let over = node(
            "b",
            "jobs:\n- { name: a, payload: { y: { w: 3 } }, tags: [r] }\n- { name: c }\nversion: 1\n",
        );
        lay_over(&mut base, over);
        assert_eq!(
            base.to_json(),
            json!({"jobs": [
                {"name": "a", "every": "1h", "payload": {"x": 1, "y": {"z": 2, "w": 3}}, "tags": ["r"]},
                {"name": "b"}, {"name": "c"}], "version": 1})
        );
        let tags = base.value("jobs").unwrap().members().unwrap()[0]
            .value("tags")
            .unwrap();
        assert_eq!(
            tags.spot.place.to_string(),
            "b:2:46",
            "a replaced value has its new place"
        );
    }

    #[test]
    fn files_side_by_side_join_their_lists_and_may_not_contradict() {
        let mut base = node(
            "a",
            "version: 1\nproject: x\nsecurity: [{ name: a }]\nservices: { s: { timeout: 1s } }\n",
        );
        let next = node(
            "b",
            "version: 1\nproject: y\nsecurity: [{ name: b }]\noutgoing: { http: [{ name: o }] }\nservices: { s: { timeout: 2s }, t: {} }\n",
        );
        let mut problems = Vec::new();
        join(&mut base, next, &mut problems);
        assert_eq!(
            base.to_json(),
            json!({"version": 1, "project": "x", "security": [{"name": "a"}, {"name": "b"}],
                   "services": {"s": {"timeout": "1s"}, "t": {}},
                   "outgoing": {"http": [{"name": "o"}]}})
        );
        let messages: Vec<_> = problems.iter().map(|(fault, _)| fault.message()).collect();
        assert_eq!(
            messages,
            [
                "'project' is defined twice: first at a:2:1",
                "'s' is defined twice: first at a:4:13"
            ]
        );
    }
}
