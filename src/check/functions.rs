//! Judges calls of functions that scripts and the language define: whether there are any of the name, and whether they
//! take so many arguments.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::base::{Access, Code, Fault, Node, Outline, Signature, Word};

/// A call of a function that is no host function.
pub(crate) struct ScriptCall {
    /// Where the function is looked for.
    pub(crate) callee: Callee,
    /// Its name.
    pub(crate) name: Word,
    /// How many arguments it gets, without what it is a method of.
    pub(crate) count: usize,
}

/// Where a function is looked for.
pub(crate) enum Callee {
    /// In the file and in the language; there may be a variable of the name, which is not what a call looks for.
    File { variable: bool },
    /// In a module.
    Module(String),
    /// It is called like a method of a value, of which nothing is known.
    Value,
}

/// What a file has of functions.
#[derive(Default)]
pub(crate) struct Functions {
    own: Vec<(Signature, Access)>,
    /// Those that any file may call.
    common: Arc<[Signature]>,
    /// Names that may stand for a function that a variable or a map holds.
    held: BTreeSet<String>,
}

impl Functions {
    /// Takes those of an outline.
    pub(crate) fn of(outline: &Outline) -> Self {
        let own = outline.body.iter().filter_map(|node| {
            let Node::Function(function) = node else {
                return None;
            };
            let signature = Signature {
                name: function.name.as_ref()?.text.clone(),
                count: Some(function.params.len()),
            };
            Some((signature, function.access))
        });
        Self {
            own: own.collect(),
            common: outline.callable.clone().unwrap_or_default(),
            held: BTreeSet::new(),
        }
    }

    /// Tells whether the file defines a function of the name.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.own.iter().any(|(it, _)| it.name == name)
    }

    /// Notes a name under which a value may be found, which may be a function.
    pub(crate) fn hold(&mut self, name: &str) {
        if !self.held.contains(name) {
            self.held.insert(name.to_owned());
        }
    }
}

/// The functions of all files.
pub(crate) struct Scripts<'a> {
    by_path: BTreeMap<&'a str, &'a Functions>,
}

impl<'a> Scripts<'a> {
    /// Takes the functions of files by their paths.
    pub(crate) fn new(files: impl Iterator<Item = (&'a str, &'a Functions)>) -> Self {
        Self {
            by_path: files.collect(),
        }
    }

    /// Returns what is wrong with a call in a file. `path_of` finds the file of a module.
    pub(crate) fn judge(
        &self,
        call: &ScriptCall,
        path: &str,
        path_of: impl Fn(&str) -> Option<String>,
    ) -> Option<Fault> {
        let file = *self.by_path.get(path)?;
        let (own, common) = (file.own.iter().map(|(it, _)| it), file.common.iter());
        match &call.callee {
            Callee::File { variable } => {
                let fault = judged(call, "there is", own.chain(common).map(as_called))?;
                let name = &call.name.text;
                let held = *variable && !file.has(name);
                if !held {
                    return Some(fault);
                }
                let hint = format!("A function in a variable is called by `{name}.call(…)`.");
                Some(fault.hint(hint))
            }
            Callee::Module(module) => {
                let of = *self.by_path.get(&*path_of(module)?)?;
                let public = of
                    .own
                    .iter()
                    .filter(|(_, access)| *access == Access::Public);
                let has = format!("module '{module}' has");
                judged(call, &has, public.map(|(it, _)| as_called(it)))
            }
            Callee::Value => {
                let name = &call.name.text;
                // Under the name, a map that anybody made may hold a function.
                if self.by_path.values().any(|it| it.held.contains(name)) {
                    return None;
                }
                // In a function of a script the value is `this`, for one of the language it is the first argument.
                let of_value = |it: &'a Signature| {
                    let count = it.count.map(|count| count.saturating_sub(1));
                    (it.name.as_str(), count)
                };
                judged(
                    call,
                    "there is",
                    own.map(as_called).chain(common.map(of_value)),
                )
            }
        }
    }
}

fn as_called(signature: &Signature) -> (&str, Option<usize>) {
    (signature.name.as_str(), signature.count)
}

/// Judges a call by the functions that are there: their names, and how many arguments each takes.
fn judged<'a>(
    call: &ScriptCall,
    has: &str,
    there: impl Iterator<Item = (&'a str, Option<usize>)>,
) -> Option<Fault> {
    let there: Vec<(&str, Option<usize>)> = there.collect();
    let name = call.name.text.as_str();
    let counts = there.iter().filter(|(known, _)| *known == name);
    let counts: BTreeSet<Option<usize>> = counts.map(|(_, count)| *count).collect();
    if counts.contains(&None) || counts.contains(&Some(call.count)) {
        return None;
    }
    if counts.is_empty() {
        let named = |it: &&str| it.starts_with(char::is_alphabetic) && !it.contains('$');
        let names = there.iter().map(|(known, _)| *known).filter(named);
        let fault = Fault::new(Code::ScriptError, format!("{has} no function '{name}'"));
        return Some(fault.near(name, names));
    }
    let counts: Vec<String> = counts
        .into_iter()
        .flatten()
        .map(|it| it.to_string())
        .collect();
    let message = format!(
        "function '{name}' takes {} argument(s), got {}",
        counts.join(" or "),
        call.count
    );
    Some(Fault::new(Code::ScriptError, message))
}
