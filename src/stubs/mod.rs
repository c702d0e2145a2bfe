//! Files by which editors know the script API, and the project's own connections, services and settings.
//!
//! All of it comes from what is declared elsewhere: the host functions, the services, the objects. `lua` writes
//! annotations in the manner of `LuaCATS`, `rhai` the definitions of Rhai, `editor` the settings that make editors find them.

mod editor;
mod lua;
mod rhai;
#[cfg(test)]
mod tests;
mod write;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::contract::{Declaration, HostFn, Receiver};
use crate::script::host;
pub(crate) use lua::is_dotted;
pub(crate) use write::write;

/// One file, relative to the project.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct File {
    /// Its path.
    pub(crate) path: String,
    /// What it holds.
    pub(crate) text: String,
    /// Whether it stays as it is when it is there: it may hold what the user wrote.
    pub(crate) keep: bool,
}

impl File {
    fn new(path: impl Into<String>, text: String) -> Self {
        Self {
            path: path.into(),
            text,
            keep: false,
        }
    }
}

/// What the files are made of.
#[derive(Default)]
pub(crate) struct Known {
    /// All host functions.
    pub(crate) functions: Vec<&'static HostFn>,
    /// What tests can do beside.
    pub(crate) tests: Vec<&'static HostFn>,
    /// The services by name.
    pub(crate) services: BTreeMap<String, Arc<Declaration>>,
    /// The connections: kind, name and where they stand.
    pub(crate) connections: BTreeSet<(String, String, String)>,
    /// The files of settings.
    pub(crate) settings: BTreeSet<String>,
    /// The modules shipped with the server: path and text.
    pub(crate) shipped: &'static [(&'static str, &'static str)],
}

impl Known {
    /// Adds a connection, if the kind is one of connections.
    pub(crate) fn connect(&mut self, kind: &str, name: &str, place: &str) {
        if let Some(kind) = kind.strip_prefix("outgoing.") {
            let known = (kind.to_owned(), name.to_owned(), place.to_owned());
            self.connections.insert(known);
        }
    }

    /// Returns the places where functions with a receiver stand, with the functions of each.
    pub(crate) fn places(
        &self,
        receiver: Receiver,
    ) -> BTreeMap<&'static str, Vec<&'static HostFn>> {
        placed(&self.functions, receiver)
    }

    /// Returns the kinds of connections, such as `http`.
    pub(crate) fn kinds(&self) -> BTreeSet<&'static str> {
        let places = self.places(Receiver::Method);
        let kinds = places.keys().filter_map(|it| it.strip_prefix("outgoing."));
        kinds.filter(|kind| !kind.contains('.')).collect()
    }
}

/// Returns the places where functions with a receiver stand, with the functions of each.
fn placed(
    functions: &[&'static HostFn],
    receiver: Receiver,
) -> BTreeMap<&'static str, Vec<&'static HostFn>> {
    let mut places: BTreeMap<&str, Vec<&HostFn>> = BTreeMap::new();
    for function in functions.iter().filter(|it| it.receiver == receiver) {
        let place = host::split(function.path).0;
        places.entry(place).or_default().push(function);
    }
    places
}

/// Returns all files.
pub(crate) fn all(known: &Known) -> Vec<File> {
    let mut files = lua::files(known);
    files.extend(rhai::files(known));
    files.extend(editor::files());
    files
}

/// Returns a name of which a language can make an identifier: `linuxjournal.get-rate` is `linuxjournal.get_rate`.
fn identifier(name: &str) -> String {
    let fits = |letter: char| letter.is_ascii_alphanumeric() || letter == '.';
    name.chars()
        .map(|letter| if fits(letter) { letter } else { '_' })
        .collect()
}

fn line(text: &mut String, one: impl AsRef<str>) {
    text.push_str(one.as_ref());
    text.push('\n');
}
