//! Takes the objects out of a document: section by section, each with its kind, name and places.

use std::collections::HashMap;

use crate::base::{Code, Fault, ObjectName};
use crate::contract::{AnyKind, ObjectId};
use crate::enmasse::node::{Data, Entry, Node};
use crate::enmasse::sections::{self, Section, Shape, did_you_mean};
use crate::enmasse::source::Spot;
use crate::enmasse::wanted::{Places, Wanted, WantedSet};

/// The version of the file format.
const VERSION: i64 = 1;
const ATTRIBUTES: &[&str] = &["name", "enabled"];

/// Takes the objects out of a document and adds every problem on the way.
pub(crate) fn extract(
    root: &Node,
    kinds: &[&dyn AnyKind],
    problems: &mut Vec<(Fault, Spot)>,
) -> WantedSet {
    let mut extract = Extract {
        kinds,
        sections: sections::sections(kinds),
        set: WantedSet::default(),
        seen: HashMap::new(),
        problems,
    };
    extract.root(root);
    extract.set
}

struct Extract<'a> {
    kinds: &'a [&'a dyn AnyKind],
    sections: Vec<Section>,
    set: WantedSet,
    /// Where each name was seen, by the list it belongs to.
    seen: HashMap<(String, String), Spot>,
    problems: &'a mut Vec<(Fault, Spot)>,
}

impl Extract<'_> {
    fn root(&mut self, root: &Node) {
        let Some(entries) = self.entries(root, "the document") else {
            return;
        };
        for entry in entries {
            match entry.key.as_str() {
                "version" => self.version(&entry.value),
                "project" => self.set.project = self.word(entry),
                "environment" => self.set.environment = self.word(entry),
                key if self.sections.iter().any(|section| section.key == key) => {}
                key => {
                    let known = self.sections.iter().map(|section| section.key.as_str());
                    let known = known.chain(["version", "project", "environment"]);
                    let hint = did_you_mean(key, known);
                    let fault =
                        Fault::new(Code::ConfigUnknownKey, format!("unknown section '{key}'"));
                    self.report(with(fault, hint), &entry.spot);
                }
            }
        }
        for section in self.sections.clone() {
            if let Some(entry) = root.entry(&section.key) {
                self.section(&section, entry);
            }
        }
    }

    fn version(&mut self, value: &Node) {
        let known = matches!(&value.data, Data::Number(n) if n.as_i64() == Some(VERSION));
        if !known && !matches!(value.data, Data::Unusable) {
            let message = format!(
                "version {} of the configuration is not known",
                value.to_json()
            );
            let hint = format!("This kladka reads `version: {VERSION}`.");
            self.report(
                Fault::new(Code::ConfigConstraint, message).hint(hint),
                &value.spot,
            );
        }
    }

    fn word(&mut self, entry: &Entry) -> Option<String> {
        match &entry.value.data {
            Data::Text(text) => Some(text.clone()),
            Data::Null | Data::Unusable => None,
            _ => {
                self.wrong_type(&format!("'{}'", entry.key), "a text", &entry.value);
                None
            }
        }
    }

    fn section(&mut self, section: &Section, entry: &Entry) {
        let title = format!("section '{}'", section.key);
        match section.shape {
            Shape::Typed | Shape::Keyed | Shape::Plain => {
                for member in self.members(&entry.value, &title).unwrap_or_default() {
                    self.listed(section, member);
                }
            }
            Shape::Grouped => {
                for group in self.entries(&entry.value, &title).unwrap_or_default() {
                    let kind = format!("{}.{}", section.group, group.key);
                    if !self.is_known(&kind, &group.key, &group.spot) {
                        continue;
                    }
                    let title = format!("section '{}.{}'", section.key, group.key);
                    for member in self.members(&group.value, &title).unwrap_or_default() {
                        self.object(&kind, &kind, member, ATTRIBUTES);
                    }
                }
            }
            Shape::Named => {
                for named in self.entries(&entry.value, &title).unwrap_or_default() {
                    if !self.is_known(&section.group, &section.group, &entry.spot) {
                        return;
                    }
                    let title = format!("{} '{}'", section.group, named.key);
                    if self.entries(&named.value, &title).is_some() {
                        let name = (named.key.as_str(), &named.spot);
                        self.named(
                            &section.group,
                            &section.key,
                            name,
                            &named.value,
                            &["enabled"],
                        );
                    }
                }
            }
        }
    }

    fn listed(&mut self, section: &Section, member: &Node) {
        let Some(entries) = self.entries(member, &format!("an object of '{}'", section.key)) else {
            return;
        };
        let kind = match section.shape {
            Shape::Plain if self.is_known(&section.group, &section.group, &member.spot) => {
                Some(section.group.clone())
            }
            Shape::Typed => self.typed(section, member),
            Shape::Keyed => self.keyed(section, member, entries),
            _ => None,
        };
        let attributes: &[&str] = match section.shape {
            Shape::Typed | Shape::Keyed => &["name", "enabled", "type"],
            _ => ATTRIBUTES,
        };
        if let Some(kind) = kind {
            self.object(&kind, &section.key, member, attributes);
        }
    }

    /// Returns the kind that `type:` names.
    fn typed(&mut self, section: &Section, member: &Node) -> Option<String> {
        let Some(entry) = member.entry("type") else {
            let message = format!("{}: key 'type' is missing", title(section, member));
            let hint = format!(
                "Add `type: …`; {}.",
                sections::known(self.kinds, &section.group)
            );
            self.report(
                Fault::new(Code::ConfigMissing, message).hint(hint),
                head(member),
            );
            return None;
        };
        let Some(last) = entry.value.text() else {
            self.wrong_type("'type'", "a text", &entry.value);
            return None;
        };
        let kind = format!("{}.{last}", section.group);
        self.is_known(&kind, last, &entry.value.spot)
            .then_some(kind)
    }

    /// Returns the kind whose protocol is among the keys.
    fn keyed(&mut self, section: &Section, member: &Node, entries: &[Entry]) -> Option<String> {
        if member.entry("type").is_some() {
            return self.typed(section, member);
        }
        let kind_of = |entry: &&Entry| {
            sections::find(self.kinds, &format!("{}.{}", section.group, entry.key)).is_some()
        };
        let present: Vec<&Entry> = entries.iter().filter(kind_of).collect();
        match present.as_slice() {
            [one] => Some(format!("{}.{}", section.group, one.key)),
            [] => {
                self.no_protocol(section, member, entries);
                None
            }
            [first, second, ..] => {
                let message = format!(
                    "{}: '{}' and '{}' name two protocols",
                    title(section, member),
                    first.key,
                    second.key
                );
                let hint = "Keep one of them; make two objects for two protocols.";
                self.report(
                    Fault::new(Code::ConfigConstraint, message).hint(hint),
                    &second.spot,
                );
                None
            }
        }
    }

    fn no_protocol(&mut self, section: &Section, member: &Node, entries: &[Entry]) {
        let kinds = sections::of_group(self.kinds, &section.group);
        let schemas: Vec<_> = kinds
            .iter()
            .filter_map(|name| sections::find(self.kinds, name))
            .map(AnyKind::schema)
            .collect();
        let foreign = |entry: &&Entry| {
            let declared = |schema: &serde_json::Value| {
                schema
                    .pointer("/properties")
                    .is_some_and(|p| p.get(&entry.key).is_some())
            };
            let map = matches!(entry.value.data, Data::Map(_) | Data::Null);
            map && !ATTRIBUTES.contains(&entry.key.as_str()) && !schemas.iter().any(declared)
        };
        if let Some(entry) = entries.iter().find(foreign) {
            let kind = format!("{}.{}", section.group, entry.key);
            self.is_known(&kind, &entry.key, &entry.spot);
            return;
        }
        let message = format!("{}: no key names its protocol", title(section, member));
        let protocols = kinds.iter().filter_map(|kind| sections::last_part(kind));
        let protocols: Vec<_> = protocols.map(|last| format!("`{last}: …`")).collect();
        let hint = format!("Add one of {}.", protocols.join(", "));
        self.report(
            Fault::new(Code::ConfigMissing, message).hint(hint),
            head(member),
        );
    }

    fn is_known(&mut self, kind: &str, written: &str, spot: &Spot) -> bool {
        if sections::find(self.kinds, kind).is_some() {
            return true;
        }
        let group = sections::group_of(kind);
        let known = sections::known(self.kinds, group);
        let names = sections::of_group(self.kinds, group);
        let parts = names
            .iter()
            .map(|name| sections::last_part(name).unwrap_or(name));
        let hint = did_you_mean(written, parts);
        let message = format!("kind '{kind}' is not known; {known}");
        self.report(
            with(Fault::new(Code::ConfigUnknownKey, message), hint),
            spot,
        );
        false
    }

    fn object(&mut self, kind: &str, scope: &str, member: &Node, attributes: &[&str]) {
        if self
            .entries(member, &format!("an object of '{scope}'"))
            .is_none()
        {
            return;
        }
        match member.entry("name").map(|entry| &entry.value) {
            None => {
                let fault = Fault::new(
                    Code::ConfigMissing,
                    format!("an object of kind {kind} has no name"),
                );
                self.report(fault.hint("Add `name: …`."), &member.spot);
            }
            Some(value) => match value.text() {
                Some(name) => self.named(kind, scope, (name, &value.spot), member, attributes),
                None => self.wrong_type("'name'", "a text", value),
            },
        }
    }

    fn named(
        &mut self,
        kind: &str,
        scope: &str,
        (text, spot): (&str, &Spot),
        member: &Node,
        attributes: &[&str],
    ) {
        let Some(name) = ObjectName::new(text) else {
            let fault = Fault::new(Code::ConfigConstraint, format!("'{text}' is not a name"));
            return self.report(fault.hint("Use 1 to 128 of A-Z a-z 0-9 . _ -."), spot);
        };
        let key = (scope.to_owned(), text.to_owned());
        if let Some(first) = self.seen.get(&key) {
            let message = format!("{kind} '{text}' is defined twice: first at {}", first.place);
            let fault =
                Fault::new(Code::ConfigDuplicate, message).hint("Rename or remove one of them.");
            return self.report(fault, spot);
        }
        self.seen.insert(key, spot.clone());
        let id = ObjectId {
            kind: kind.to_owned(),
            name,
        };
        let enabled = self.enabled(member);
        let wanted = wanted(id, enabled, spot, member, attributes);
        self.set.objects.push(wanted);
    }

    fn enabled(&mut self, member: &Node) -> bool {
        match member.value("enabled").map(|value| (&value.data, value)) {
            None | Some((Data::Unusable, _)) => true,
            Some((Data::Bool(enabled), _)) => *enabled,
            Some((_, value)) => {
                self.wrong_type("'enabled'", "true or false", value);
                true
            }
        }
    }

    fn entries<'n>(&mut self, node: &'n Node, what: &str) -> Option<&'n [Entry]> {
        let entries = node.entries();
        if entries.is_none() {
            self.wrong_type(what, "a map", node);
        }
        entries
    }

    fn members<'n>(&mut self, node: &'n Node, what: &str) -> Option<&'n [Node]> {
        let members = node.members();
        if members.is_none() {
            self.wrong_type(what, "a list", node);
        }
        members
    }

    fn wrong_type(&mut self, what: &str, wanted: &str, node: &Node) {
        if !matches!(node.data, Data::Unusable) {
            let message = format!("{what} must be {wanted}, not {}", node.kind());
            self.report(Fault::new(Code::ConfigType, message), &node.spot);
        }
    }

    fn report(&mut self, fault: Fault, spot: &Spot) {
        self.problems.push((fault, spot.clone()));
    }
}

fn wanted(id: ObjectId, enabled: bool, spot: &Spot, member: &Node, attributes: &[&str]) -> Wanted {
    let mut places = Places::new(spot.clone());
    let mut body = serde_json::Map::new();
    let entries = member.entries().unwrap_or_default().iter();
    for entry in entries.filter(|entry| !attributes.contains(&entry.key.as_str())) {
        let mut pointer = String::new();
        crate::config::schema::push_step(&mut pointer, &entry.key);
        places.add_key(&pointer, &entry.spot, &entry.value);
        body.insert(entry.key.clone(), entry.value.to_json());
    }
    Wanted {
        id,
        enabled,
        body: body.into(),
        source: format!("{}:{}", spot.place.path, spot.place.line),
        places,
    }
}

/// Returns where an object that has no kind yet is best pointed at: its name.
fn head(member: &Node) -> &Spot {
    member.value("name").map_or(&member.spot, |name| &name.spot)
}

fn title(section: &Section, member: &Node) -> String {
    match member.value("name").and_then(Node::text) {
        Some(name) => format!("{} '{name}'", section.group),
        None => format!("an object of '{}'", section.key),
    }
}

fn with(fault: Fault, hint: Option<String>) -> Fault {
    match hint {
        Some(hint) => fault.hint(hint),
        None => fault,
    }
}
