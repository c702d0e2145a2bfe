//! Checks objects against their kinds and each other, and reports every problem with its place.

use serde_json::Value;

use crate::base::{Code, Fault, Faults, FieldError};
use crate::config::interpolate::{self, DEMO_CREDENTIALS, Variables};
use crate::config::schema::{Schema, each_scalar, references_of, secrets_of};
use crate::contract::{AnyKind, ObjectId, StoredObject};
use crate::enmasse::catalog::{Catalog, Index};
use crate::enmasse::conform::{Part, conform, dotted};
use crate::enmasse::kept::keep_secrets;
use crate::enmasse::mend::{Mended, mend};
use crate::enmasse::sections::{self, did_you_mean};
use crate::enmasse::source::{Sources, Spot};
use crate::enmasse::wanted::{Wanted, WantedSet};

/// What objects are checked against.
pub(crate) struct Against<'a> {
    /// All kinds.
    pub(crate) kinds: &'a [&'a dyn AnyKind],
    /// Where placeholders get their values.
    pub(crate) variables: &'a dyn Variables,
    /// The stored objects: references may name them too, and their secrets stay where a file leaves them out.
    pub(crate) stored: &'a [StoredObject],
}

/// Refuses the demo's credentials: `start` calls it with filled bodies.
pub(crate) fn refuse_demo(id: &ObjectId, body: &Value, kind: &dyn AnyKind) -> Option<Fault> {
    let secrets = secrets_of(&kind.schema(), body);
    let is_demo = |(_, text): &&(String, String)| DEMO_CREDENTIALS.contains(&text.as_str());
    let (pointer, _) = secrets.iter().find(is_demo)?;
    let message = format!("{id}: '{}' is a credential of the demo", dotted(pointer));
    Some(Fault::new(Code::ConfigDemo, message).hint(
        "Set the variable to a credential of your own; demo credentials work in `kladka dev` only.",
    ))
}

/// So many problems are shown; a file from a broken generator must not drown the reader or the
/// server.
pub(crate) const MAX_FAULTS: usize = 200;

/// What an inspection found.
#[derive(Default)]
pub(crate) struct Found {
    /// The problems, at most [`MAX_FAULTS`].
    pub(crate) faults: Vec<Fault>,
    /// How many more there are.
    pub(crate) more: usize,
    /// What will work, but hardly as meant.
    pub(crate) warnings: Vec<Fault>,
}

impl Found {
    /// Returns the warnings when there is no problem.
    pub(crate) fn into_result(mut self) -> Result<Vec<Fault>, Faults> {
        if self.more > 0 {
            let message = format!("{} more problems are not shown", self.more);
            self.faults
                .push(Fault::new(Code::ConfigConstraint, message));
        }
        Faults(self.faults).into_result().map(|()| self.warnings)
    }
}

/// Checks all objects of a set.
pub(crate) fn inspect(set: &mut WantedSet, against: &Against<'_>) -> Found {
    let catalog = Catalog::new(against.kinds);
    keep_secrets(set, against.stored, &catalog, against.variables);
    hide_secrets(set, &catalog);
    let ids = set.objects.iter().map(|wanted| &wanted.id);
    let stored = against.stored.iter().map(|object| &object.id);
    let index = Index::new(ids.chain(stored));
    let mut found = Found::default();
    for wanted in &set.objects {
        Inspection {
            wanted,
            variables: against.variables,
            catalog: &catalog,
            index: &index,
            sources: &set.sources,
            found: &mut found,
        }
        .run();
    }
    found
}

/// Keeps the secrets of the files out of the source lines that diagnostics show.
fn hide_secrets(set: &mut WantedSet, catalog: &Catalog<'_>) {
    for wanted in &set.objects {
        let schema = Schema::new(catalog.schema(&wanted.id.kind));
        each_scalar(schema, &wanted.body, &mut |pointer, value, schemas| {
            let harmless =
                value.is_null() || value.as_str().is_some_and(interpolate::is_bare_placeholder);
            if !harmless && schemas.iter().any(|schema| schema.is_secret()) {
                set.sources.hide(wanted.places.value(pointer).clone());
            }
        });
    }
}

struct Inspection<'a> {
    wanted: &'a Wanted,
    variables: &'a dyn Variables,
    catalog: &'a Catalog<'a>,
    index: &'a Index<'a>,
    sources: &'a Sources,
    found: &'a mut Found,
}

impl Inspection<'_> {
    fn run(mut self) {
        let wanted = self.wanted;
        let Some((kind, schema)) = self.catalog.find(&wanted.id.kind) else {
            let group = sections::group_of(&wanted.id.kind);
            let known = sections::known(self.catalog.kinds, group);
            let message = format!("kind '{}' is not known; {known}", wanted.id.kind);
            let fault = Fault::new(Code::ConfigUnknownKey, message);
            return self.report(&fault, wanted.places.object());
        };
        let (resolved, problems) = interpolate::resolve_all(&wanted.body, schema, self.variables);
        for problem in &problems {
            self.report(&problem.fault, wanted.places.value(&problem.pointer));
        }
        for problem in &resolved.unset {
            let fault = problem
                .fault
                .clone()
                .hint("Set it; until then the object refuses every caller.");
            self.warn(&fault, wanted.places.value(&problem.pointer));
        }
        let unread: Vec<String> = problems
            .iter()
            .map(|problem| &problem.pointer)
            .chain(wanted.places.unusable())
            .cloned()
            .collect();
        let reported = |pointer: &str| unread.iter().any(|known| known == pointer);
        let issues = conform(&resolved.body, Schema::new(schema), &wanted.body, &reported);
        for issue in &issues {
            let spot = match issue.part {
                Part::Key if issue.pointer.is_empty() => wanted.places.object(),
                Part::Key => wanted.places.key(&issue.pointer),
                Part::Value => wanted.places.value(&issue.pointer),
            };
            self.report(&issue.fault, spot);
        }
        self.references(schema, &resolved.body, &reported);
        let mended = mend(&resolved.body, Schema::new(schema), &issues, &unread);
        self.kinds_own(kind, &mended);
    }

    fn references(&mut self, schema: &Value, body: &Value, reported: &dyn Fn(&str) -> bool) {
        for (pointer, role, name) in references_of(schema, body) {
            if reported(&pointer) || self.index.named(&name, &role).next().is_some() {
                continue;
            }
            let message = format!("'{}': there is no {role} named '{name}'", dotted(&pointer));
            let mut fault = Fault::new(Code::ConfigReference, message);
            if let Some(hint) = did_you_mean(&name, self.index.names(&role)) {
                fault = fault.hint(hint);
            }
            self.report(&fault, self.wanted.places.value(&pointer));
        }
    }

    /// Asks the kind for what its schema cannot say. Its faults may name the field by pointer.
    fn kinds_own(&mut self, kind: &dyn AnyKind, mended: &Mended) {
        let Err(faults) = kind.normal(&mended.body) else {
            return;
        };
        for fault in &faults.0 {
            let pointer = fault.field_errors().first().map(FieldError::pointer);
            let pointer = pointer.or_else(|| mentioned(fault.message(), &mended.body));
            if mended.is_about(fault, pointer.as_deref()) {
                continue;
            }
            let spot = match pointer {
                Some(pointer) => self.wanted.places.value(&pointer),
                None => self.wanted.places.object(),
            };
            self.report(fault, spot);
        }
    }

    fn report(&mut self, fault: &Fault, spot: &Spot) {
        if self.found.faults.len() >= MAX_FAULTS {
            self.found.more += 1;
            return;
        }
        let fault = self.placed(fault, spot);
        self.found.faults.push(fault);
    }

    fn warn(&mut self, fault: &Fault, spot: &Spot) {
        if self.found.warnings.len() < MAX_FAULTS {
            let fault = self.placed(fault, spot);
            self.found.warnings.push(fault);
        }
    }

    /// Names the object in the message, unless it is named already, and shows the place.
    fn placed(&self, fault: &Fault, spot: &Spot) -> Fault {
        let title = self.wanted.id.to_string();
        let kind = format!("{}: ", self.wanted.id.kind);
        let message = fault.message();
        let message = message.strip_prefix(&kind).unwrap_or(message);
        let mut placed = Fault::new(fault.code(), format!("{title}: {message}"));
        if let Some(hint) = fault.hint_text() {
            placed = placed.hint(hint);
        }
        if let Some(detail) = fault.detail_text() {
            placed = placed.detail(detail);
        }
        self.sources.locate(placed, spot)
    }
}

/// Returns the pointer of the field that a kind's message is about, if the body has it. Messages name
/// the key or the value in quotes, or the key as their first word.
fn mentioned(message: &str, body: &Value) -> Option<String> {
    let quoted = message.split(['\'', '`', '"']).skip(1).step_by(2);
    let first = message.split([' ', ':', ',']).next();
    let mut words = quoted.chain(first).filter(|word| !word.is_empty());
    words.find_map(|word| key_or_value(word, body))
}

fn key_or_value(word: &str, body: &Value) -> Option<String> {
    let path = word.replace('.', "/");
    let is_there = |pointer: &String| body.pointer(pointer).is_some();
    let top = Some(format!("/{path}")).filter(is_there);
    let value = || {
        let mut found = None;
        each_scalar(Schema::new(&Value::Null), body, &mut |pointer, value, _| {
            if value == word && found.is_none() {
                found = Some(pointer.to_owned());
            }
        });
        found
    };
    let keys = body.as_object().into_iter().flat_map(|map| map.keys());
    let mut deeper = keys.map(|key| format!("/{key}/{path}"));
    top.or_else(value).or_else(|| deeper.find(is_there))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_field_a_message_is_about_is_found() {
        let body =
            json!({"timeout": "0s", "http": {"path": "x", "methods": ["GETT"]}, "list": [1]});
        let table = [
            ("timeout must be above zero", Some("/timeout")),
            ("`http.path` must begin with a slash", Some("/http/path")),
            ("path 'x' must begin with a slash", Some("/http/path")),
            ("the 'methods' are none", Some("/http/methods")),
            ("method 'GETT' must be one of GET", Some("/http/methods/0")),
            (
                "there is no format 'x'; did you mean 'list'?",
                Some("/http/path"),
            ),
            ("rate_limit: limit and per must be above zero", None),
            ("", None),
            ("a 'y' b", None),
        ];
        for (message, wanted) in table {
            assert_eq!(mentioned(message, &body).as_deref(), wanted, "{message}");
        }
    }
}
