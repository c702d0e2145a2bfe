//! Loads a file in whatever language: checks what it declares, and says where in the file a problem is.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use crate::base::{Code, Fault, Place, Value};
use crate::contract::{Declaration, Loaded, Service, Source, SourceSet};
use crate::script::Api;
use crate::script::diagnostic;
use crate::script::host::uses;
use crate::script::program::Program;
use crate::sio;

/// How long the top level of a file may run.
pub(crate) const LOAD_TIME: Duration = Duration::from_secs(1);

/// One `service{…}`, out of its VM.
pub(crate) struct Read {
    /// Its line; 0 when unknown.
    pub(crate) line: u32,
    /// The line below its documentation, where that is another.
    pub(crate) doc_below: Option<u32>,
    /// What it was given, without its function.
    pub(crate) raw: Result<Value, Fault>,
    /// What is wrong with its function.
    pub(crate) problems: Vec<Fault>,
}

/// What running the top level of a file gave.
pub(crate) struct Tried<T> {
    /// The services, in order.
    pub(crate) declared: Vec<Read>,
    /// The paths of the modules it used, sorted.
    pub(crate) uses: Vec<String>,
    /// What the language keeps of it.
    pub(crate) kept: T,
}

/// How a language loads files.
pub(crate) trait Loading {
    /// Its name.
    const LANGUAGE: &'static str;
    /// The longest source, in bytes.
    const MAX_SOURCE: usize;
    /// What it keeps of a file's trial.
    type Kept;

    /// Returns the script API.
    fn api(&self) -> &Arc<Api>;

    /// Compiles a file and runs its top level.
    fn attempt(
        &self,
        set: &Arc<SourceSet>,
        source: &Arc<Source>,
    ) -> Result<Tried<Self::Kept>, Fault>;

    /// Makes the service of the declaration at `index`.
    fn serve(&self, kept: &Self::Kept, index: usize, program: Arc<Program>) -> Arc<dyn Service>;
}

/// Loads one file of a set.
pub(crate) fn load<L: Loading>(
    language: &L,
    set: &Arc<SourceSet>,
    path: &str,
) -> Result<Loaded, Vec<Fault>> {
    let source = set.by_path.get(path).ok_or_else(|| {
        let message = format!("there is no source '{path}'");
        vec![Fault::new(Code::BadSource, message)]
    })?;
    if source.text.len() > L::MAX_SOURCE {
        let message = format!("'{path}' is longer than {} KiB", L::MAX_SOURCE >> 10);
        return Err(vec![
            Fault::new(Code::BadSource, message).at(Place::new(path, 0, 0)),
        ]);
    }
    let tried = language
        .attempt(set, source)
        .map_err(|fault| vec![diagnostic::show(fault, set)])?;
    let declared = declarations(source, &tried.declared, language).map_err(|faults| {
        let shown = faults.into_iter().map(|fault| diagnostic::show(fault, set));
        shown.collect::<Vec<_>>()
    })?;
    let used = Arc::new(reduced(set, source, &tried.uses));
    let services = declared
        .into_iter()
        .enumerate()
        .map(|(index, declaration)| {
            let (api, used) = (Arc::clone(language.api()), Arc::clone(&used));
            let program = Program::new(api, used, source, declaration);
            language.serve(&tried.kept, index, program)
        });
    Ok(Loaded {
        services: services.collect(),
        uses: tried.uses,
    })
}

/// Explains that the top level of a file took too long.
pub(crate) fn too_long(over: &Fault, source: &Source) -> Fault {
    if over.code() != Code::CpuBudget {
        return over.clone();
    }
    let place = over.place().cloned();
    let limit = LOAD_TIME.as_millis();
    let message = format!("the top level of the file ran for more than {limit} ms");
    Fault::new(Code::CpuBudget, message)
        .at(place.unwrap_or_else(|| Place::new(source.path.as_str(), 0, 0)))
        .hint("A file declares its services; the work belongs into `handle`.")
}

/// Makes the fault of a file that uses a module with a syntax error. The module is a file of its own, whose fault shows
/// the place.
pub(crate) fn broken(name: &str, cause: &Fault) -> Fault {
    let message = format!("module '{name}' does not compile");
    let fault = Fault::new(Code::ScriptModule, message);
    match cause.place() {
        Some(place) => fault.hint(format!("Correct {} first.", place.path)),
        None => fault,
    }
}

/// Puts a fault at the first `service` of the file.
pub(crate) fn at_service(fault: Fault, source: &Source) -> Fault {
    let found = (1..)
        .zip(source.text.lines())
        .find(|(_, line)| line.contains("service"));
    let line = found.map_or(0, |(number, _)| number);
    fault.at(Place::new(source.path.as_str(), line, 0))
}

/// Checks all declarations of a file and returns them, or all their problems.
fn declarations<L: Loading>(
    source: &Source,
    read: &[Read],
    language: &L,
) -> Result<Vec<Declaration>, Vec<Fault>> {
    let mut faults = Vec::new();
    let mut found: Vec<Declaration> = Vec::new();
    for one in read {
        let line = heading(source, one.line, language.api().word());
        let place = Place::new(source.path.as_str(), line, 0);
        let problems = one.problems.iter().cloned();
        faults.extend(problems.map(|fault| locate(fault, source, line)));
        let raw = one.raw.clone().map_err(|fault| vec![fault]);
        match raw.and_then(|raw| sio::declare(&raw, place, L::LANGUAGE)) {
            Ok(mut declaration) => {
                let strange = uses::unknown_kinds(&language.api().tables, &declaration);
                faults.extend(strange.into_iter().map(|fault| locate(fault, source, line)));
                if declaration.doc.is_empty() {
                    declaration.doc = doc_above(source, one.doc_below.unwrap_or(line));
                }
                if let Some(twice) = found.iter().find(|other| other.name == declaration.name) {
                    let message = format!("service '{}' is defined twice", twice.name);
                    let fault = Fault::new(Code::DuplicateService, message);
                    faults.push(locate(fault, source, line));
                }
                found.push(declaration);
            }
            Err(more) => {
                faults.extend(more.into_iter().map(|fault| locate(fault, source, line)));
            }
        }
    }
    if faults.is_empty() {
        Ok(found)
    } else {
        Err(faults)
    }
}

/// Returns the line with the word of a declaration, such as `service`, that Luau puts at `line`.
fn heading(source: &Source, line: u32, word: &str) -> u32 {
    let upto = (1..).zip(source.text.lines()).take(line as usize);
    let starts = |text: &str| {
        let mut parts = text.split(word).skip(1);
        parts.any(|rest| rest.trim_start().starts_with(['{', '(']))
    };
    upto.filter(|(_, text)| starts(text))
        .last()
        .map_or(line, |(number, _)| number)
}

/// Moves a fault to the line of the declaration that holds the name it quotes.
fn locate(fault: Fault, source: &Source, from: u32) -> Fault {
    if fault
        .place()
        .is_some_and(|place| place.line > 0 && place.line != from)
    {
        return fault;
    }
    let lines = (1..)
        .zip(source.text.lines())
        .skip((from as usize).saturating_sub(1))
        .take(80);
    let quoted: Vec<&str> = fault
        .message()
        .split(['\'', '`', '"'])
        .skip(1)
        .step_by(2)
        .collect();
    let line = quoted
        .iter()
        .filter(|name| !name.is_empty())
        .find_map(|name| lines.clone().find(|(_, text)| text.contains(name)))
        .map_or(from, |(number, _)| number);
    fault.at(Place::new(source.path.as_str(), line, 0))
}

/// Returns the comment of `---` or `///` right above a line.
fn doc_above(source: &Source, line: u32) -> String {
    let above: Vec<&str> = source
        .text
        .lines()
        .take((line as usize).saturating_sub(1))
        .collect();
    let comment = above.iter().rev().map_while(|text| {
        let text = text.trim_start();
        text.strip_prefix("---")
            .or_else(|| text.strip_prefix("///"))
    });
    let mut lines: Vec<&str> = comment.map(str::trim).collect();
    lines.reverse();
    lines.join("\n").trim().to_owned()
}

/// Keeps of a set what one file needs, so that a program does not hold the rest.
fn reduced(set: &SourceSet, source: &Arc<Source>, uses: &[String]) -> SourceSet {
    let mut by_path: BTreeMap<String, Arc<Source>> = uses
        .iter()
        .filter_map(|path| Some((path.clone(), Arc::clone(set.by_path.get(path)?))))
        .collect();
    by_path.insert(source.path.clone(), Arc::clone(source));
    let by_module = set.by_module.iter().filter_map(|(name, paths)| {
        let kept = paths.iter().filter(|path| by_path.contains_key(*path));
        let kept: Vec<String> = kept.cloned().collect();
        (!kept.is_empty()).then(|| (name.clone(), kept))
    });
    let by_module = by_module.collect();
    SourceSet { by_path, by_module }
}
