//! The models of a declaration: read when first used, so that they may stand in any order.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::base::{Map, Text, Value};
use crate::contract::Model;
use crate::sio::{field, ty};

/// How deep models may hold models.
const MAX_DEPTH: usize = 16;

/// The models of one declaration.
#[derive(Default)]
pub(crate) struct Models<'a> {
    raw: BTreeMap<&'a str, &'a Value>,
    /// Models that were read. `None` when there were problems, which are reported once.
    ready: BTreeMap<&'a str, Option<Arc<Model>>>,
    /// The models being read, outermost first: one found again holds itself.
    open: Vec<&'a str>,
    /// Problems of models, each with the model's name.
    problems: Vec<String>,
}

impl<'a> Models<'a> {
    /// Takes the map of models as a script wrote it.
    pub(super) fn new(raw: Option<&'a Value>) -> Self {
        let mut models = Self::default();
        match raw {
            None | Some(Value::Null) => {}
            Some(Value::List(list)) if list.is_empty() => {}
            Some(Value::Map(map)) => models.take(map),
            Some(other) => models.problems.push(format!(
                "`models` must be a table of names and fields, got {}",
                other.kind()
            )),
        }
        models
    }

    fn take(&mut self, map: &'a Map) {
        for (name, fields) in map {
            match bad_name(name) {
                Some(problem) => self.problems.push(problem),
                None => drop(self.raw.insert(name, fields)),
            }
        }
    }

    /// Reads every model, used or not, and returns the problems of all.
    pub(super) fn finish(&mut self) -> Vec<String> {
        let names: Vec<&str> = self.raw.keys().copied().collect();
        for name in names {
            // A model that holds itself has been reported by the field that closes the circle.
            drop(self.find(name));
        }
        std::mem::take(&mut self.problems)
    }

    /// Returns the names there are.
    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.raw.keys().copied()
    }

    /// Returns a model; `None` when there is none of the name.
    pub(super) fn find(&mut self, name: &str) -> Option<Result<Arc<Model>, String>> {
        let (name, raw) = self
            .raw
            .get_key_value(name)
            .map(|(name, raw)| (*name, *raw))?;
        if let Some(ready) = self.ready.get(name) {
            return Some(
                ready
                    .clone()
                    .ok_or_else(|| format!("the model `{name}` has problems")),
            );
        }
        if self.open.contains(&name) {
            let way = self.open.join(" → ");
            return Some(Err(format!(
                "the model `{name}` holds itself: {way} → {name}"
            )));
        }
        if self.open.len() >= MAX_DEPTH {
            return Some(Err(format!("models can nest at most {MAX_DEPTH} deep")));
        }
        self.open.push(name);
        let read = self.read(name, raw);
        self.open.pop();
        self.ready.insert(name, read.clone());
        Some(read.ok_or_else(|| format!("the model `{name}` has problems")))
    }

    fn read(&mut self, name: &str, raw: &Value) -> Option<Arc<Model>> {
        let (fields, problems) = field::list(raw, self);
        let good = problems.is_empty() && !fields.is_empty();
        if problems.is_empty() && fields.is_empty() {
            self.problems
                .push(format!("model `{name}`: it has no fields"));
        }
        self.problems.extend(
            problems
                .into_iter()
                .map(|problem| format!("model `{name}`: {problem}")),
        );
        good.then(|| {
            Arc::new(Model {
                name: Text::from(name),
                fields,
            })
        })
    }
}

fn bad_name(name: &str) -> Option<String> {
    if ty::is_built_in(name) {
        return Some(format!(
            "no model can be named `{name}`, it is a built-in type"
        ));
    }
    let starts = name.starts_with(|c: char| c.is_alphabetic());
    let fits = starts && name.chars().all(|c| c.is_alphanumeric() || c == '_');
    (!fits).then(|| format!("`{name}` is not a name for a model: use letters, digits and _"))
}
