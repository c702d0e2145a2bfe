//! A conversation in a script language: texts that run one after the other and share what they define.
//!
//! A session stands beside services: `kinds.rs` lists one for each language, `kladka repl` leads it.

use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::Arc;

use serde_json::Value as Json;

use crate::base::{Fault, LocalBoxFuture, Value};
use crate::contract::{Call, Core, Source, SourceSet};
use crate::script::Api;
use crate::script::diagnostic;

/// What places of its texts name.
pub(crate) const PATH: &str = "repl";

/// What a session is made of.
pub(crate) struct Ground {
    /// The core it runs on.
    pub(crate) core: Rc<Core>,
    /// The script API.
    pub(crate) api: Api,
    /// The sources that it may load as modules.
    pub(crate) set: Arc<SourceSet>,
    /// Whether the key/value store has to be waited for.
    pub(crate) waits: bool,
}

/// A conversation in one language.
pub(crate) trait Session {
    /// Tells whether a text breaks off: with more behind it, it may be right.
    fn is_incomplete(&self, text: &str) -> bool;

    /// Runs a text under the budgets of a call. Dropping the future ends it; what it defined so far stays.
    fn run<'a>(
        &'a self,
        entry: &'a Entry,
        call: Rc<Call>,
    ) -> LocalBoxFuture<'a, Result<Outcome, Fault>>;

    /// Returns what the texts so far defined.
    fn variables(&self) -> Vec<Variable>;

    /// Sets `ctx.request.input`.
    fn set_input(&self, input: Value);

    /// Takes other sources and forgets what it loaded of the old ones. Variables stay. Returns texts to run, by which
    /// variables that hold a module get the new one.
    fn renew(&self, set: Arc<SourceSet>) -> Vec<String>;
}

/// A text to run.
pub(crate) struct Entry {
    /// The text.
    pub(crate) text: String,
    /// The number of its first line among all of the conversation, from 1.
    pub(crate) line: usize,
    /// All that was said up to its end.
    pub(crate) said: Rc<str>,
}

impl Entry {
    /// Returns what stands before it so that its lines get their numbers.
    pub(crate) fn above(&self) -> String {
        "\n".repeat(self.line.saturating_sub(1))
    }
}

/// What a text gave.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Outcome {
    /// Its value as the language writes it; `None` when it has none.
    pub(crate) text: Option<String>,
    /// Its value for programs.
    pub(crate) json: Json,
}

/// Something that a text defined.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Variable {
    /// Its name.
    pub(crate) name: String,
    /// The class, if it holds a host object.
    pub(crate) class: Option<&'static str>,
    /// The names in it, if it holds a map or a module.
    pub(crate) members: Vec<String>,
}

/// Completes a fault by its source line, also where that stands in the conversation.
pub(crate) fn show(fault: Fault, set: &SourceSet, said: &str) -> Fault {
    diagnostic::show(fault, &with(set, said))
}

/// Returns the sources and the conversation as one of them.
pub(crate) fn with(set: &SourceSet, said: &str) -> SourceSet {
    let source = Source {
        path: PATH.to_owned(),
        module: PATH.to_owned(),
        text: said.to_owned(),
        sha256: String::new(),
    };
    let mut by_path: BTreeMap<String, Arc<Source>> = set.by_path.clone();
    by_path.insert(PATH.to_owned(), Arc::new(source));
    SourceSet {
        by_path,
        by_module: set.by_module.clone(),
    }
}

/// Adds what was probably meant by a name that is not there, if it is one of the conversation.
pub(crate) fn meant(fault: Fault, variables: &[Variable]) -> Fault {
    let message = fault.message().to_owned();
    let name = message.strip_prefix("undefined name '");
    match name.and_then(|rest| rest.strip_suffix('\'')) {
        Some(name) if fault.meant().is_none() => {
            fault.near(name, variables.iter().map(|it| it.name.as_str()))
        }
        _ => fault,
    }
}
