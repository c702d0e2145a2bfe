//! What a script language must do.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::base::{Fault, Outline};
use crate::contract::Service;

/// A script language. One line in `kinds.rs`, one folder in `script/`.
pub trait Engine: Send + Sync {
    /// Returns its name and file endings.
    fn language(&self) -> &'static Language;

    /// Compiles one file of the set and runs its top level under the budget of a call, in a VM that is thrown away.
    ///
    /// Returns the services it declares (none: it is a plain module) and the modules it used, directly or not.
    /// May block for as long as the budget; the caller gives it a thread. All problems come back at once.
    fn load(&self, set: &Arc<SourceSet>, path: &str) -> Result<Loaded, Vec<Fault>>;

    /// Returns the outline of a source, for checks without running it; `None` when it does not parse.
    ///
    /// Recurses as deep as the source is nested: the caller gives it a stack, and only sources that load.
    fn outline(&self, source: &Source) -> Option<Outline>;
}

/// A language's name and file endings.
#[derive(Debug)]
pub struct Language {
    /// The name, such as `lua`.
    pub name: &'static str,
    /// The file endings without the dot.
    pub endings: &'static [&'static str],
}

impl Language {
    /// Tells whether a file is one of the language, by the ending of its path.
    pub fn speaks(&self, path: &str) -> bool {
        let ending = path.rsplit_once('.').map(|(_, ending)| ending);
        ending.is_some_and(|ending| self.endings.contains(&ending))
    }
}

/// What loading a file gave.
pub struct Loaded {
    /// The services, in the order declared. They keep what they need of the set.
    pub services: Vec<Arc<dyn Service>>,
    /// Paths of the modules it used, directly or not, sorted.
    pub uses: Vec<String>,
}

/// One source file.
#[derive(Debug)]
pub struct Source {
    /// Path relative to the project, such as `scripts/linuxjournal/rates.lua`, `stdlib/dates.lua`.
    pub path: String,
    /// The name by which scripts load it, such as `linuxjournal.rates`.
    pub module: String,
    /// The text.
    pub text: String,
    /// The SHA-256 of the text, as lower-case hex.
    pub sha256: String,
}

/// All sources of one moment: `scripts/`, `stdlib/` and the listed places. Immutable.
#[derive(Debug, Default)]
pub struct SourceSet {
    /// The sources by path.
    pub by_path: BTreeMap<String, Arc<Source>>,
    /// Which paths a module name means, in whatever language: of `scripts/`, the listed places, `stdlib/`.
    pub by_module: BTreeMap<String, Vec<String>>,
}

impl SourceSet {
    /// Returns the source that a module name means to a language with these endings; earlier places win.
    pub fn module(&self, name: &str, endings: &[&str]) -> Option<&Arc<Source>> {
        let speaks = |path: &&String| endings.iter().any(|ending| path.ends_with(ending));
        let paths = self.by_module.get(name)?;
        self.by_path.get(paths.iter().find(speaks)?)
    }
}
