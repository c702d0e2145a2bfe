//! Which functions the names of a service mean: found once, kept for its next calls.
//!
//! Rhai finds a function by hashing its name and the types of its arguments, and forgets all of it after a call.

use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};

use rhai::{Caches, Module, Shared};

use crate::script::rhai::module::Modules;

/// How many calls under way at the same time leave what they found.
const KEPT: usize = 8;
/// How many names are kept: a script can ask for as many as it likes.
const MOST: usize = 1_000;

/// What the calls of a service found.
pub(crate) struct Found {
    /// `None` where a name can mean one function or another, by what a call does.
    kept: Option<Mutex<Vec<Caches>>>,
}

impl Found {
    /// Begins with nothing, for a service of a file that uses modules.
    pub(crate) fn new(file: &Shared<Module>, modules: &Modules) -> Self {
        let mut names = BTreeSet::new();
        let mut all = modules
            .values()
            .chain([file])
            .flat_map(|module| module.iter_script_fn_info());
        let apart = all.all(|(_, _, name, count, _)| names.insert((name, count)));
        Self {
            kept: apart.then(Mutex::default),
        }
    }

    /// Lends what was found so far, to be added to.
    pub(crate) fn lend<R>(&self, use_it: impl FnOnce(&mut Caches) -> R) -> R {
        let Some(kept) = &self.kept else {
            return use_it(&mut Caches::new());
        };
        let taken = kept.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let mut caches = taken.unwrap_or_default();
        // Without a first layer, a function would take what it found along when it returns.
        if caches.fn_resolution_caches_len() == 0 {
            caches.push_fn_resolution_cache();
        }
        let result = use_it(&mut caches);
        let mut kept = kept.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.len() < KEPT && caches.fn_resolution_cache_mut().dict.len() <= MOST {
            kept.push(caches);
        }
        result
    }
}
