//! `kladka check`: finds mistakes before they run.
//!
//! Every source is loaded as a server would load it, the configuration is read as a server would read it. What loads is
//! then looked at without running it: `walk` goes through its outline (the same form for every language) and notes what
//! it uses, `rules` judges that against the script API, the declared services and the configured objects.

mod api;
mod arguments;
mod fix;
mod functions;
mod invoked;
mod rules;
mod sarif;
mod secrets;
#[cfg(test)]
mod tests;
mod walk;

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::base::{Code, Fault, Place, Snippet, Span};
use crate::config::{Environment, Project};
use crate::contract::{Engine, Source};
use crate::deploy::{self, Options};
use crate::enmasse::WantedSet;
use crate::kinds;
use crate::server::configuration;
use crate::testing;
use api::Api;
use functions::Scripts;
use rules::World;
use walk::Facts;

pub(crate) use fix::apply;
pub(crate) use sarif::sarif;

/// How bad a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Severity {
    /// It fails when it runs.
    Error,
    /// It is hardly meant.
    Warning,
    /// Worth knowing.
    Note,
}

impl Severity {
    /// Returns the word for it, which is that of SARIF, too.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warning => "warning",
            Self::Note => "note",
        }
    }
}

/// One thing that was found.
#[derive(Clone, Debug)]
pub(crate) struct Finding {
    /// How bad it is.
    pub(crate) severity: Severity,
    /// What it is, and where.
    pub(crate) fault: Fault,
    /// What would mend it without changing what the rest means.
    pub(crate) fix: Option<Fix>,
}

/// A stretch of a file, and what should stand there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Fix {
    /// The file, relative to the project.
    pub(crate) path: String,
    /// The stretch.
    pub(crate) span: Span,
    /// The text.
    pub(crate) with: String,
}

impl Finding {
    /// Returns the block for people.
    pub(crate) fn block(&self) -> String {
        let block = self.fault.block();
        block.replacen("error", self.severity.word(), 1)
    }
}

/// What a check looked at and found.
#[derive(Debug, Default)]
pub(crate) struct Checked {
    /// The findings, by file and line.
    pub(crate) findings: Vec<Finding>,
    /// How many scripts there are, the shipped ones not counted.
    pub(crate) scripts: usize,
    /// How many objects are configured; 0 when the configuration cannot be read.
    pub(crate) objects: usize,
}

/// Checks a project.
pub(crate) async fn check(project: &Project, environment: Environment) -> Result<Checked, Fault> {
    let engines = kinds::engines();
    let options = Options::new(project.root());
    let shipped: BTreeSet<&str> = options.embedded.iter().map(|(path, _)| *path).collect();
    let examined = deploy::examine(options, engines.clone()).await?;
    let mut findings: Vec<Finding> = Vec::new();
    let configured = objects(project, environment, &mut findings);
    findings.extend(examined.faults.iter().cloned().map(error));
    let world = World::new(&examined, configured.as_ref(), project.settings());
    let api = Api::new(kinds::tables());
    let own = |path: &str| examined.files.contains_key(path) && !shipped.contains(path);
    findings.extend(deep(|| {
        let sources = examined.set.by_path.values();
        let facts = sources.filter_map(|source| Some((&**source, facts(&engines, &api, source)?)));
        let facts: Vec<(&Source, Facts)> = facts.collect();
        let scripts = Scripts::new(
            facts
                .iter()
                .map(|(it, facts)| (&*it.path, &facts.functions)),
        );
        let own = facts.iter().filter(|(source, _)| own(&source.path));
        let found = own.flat_map(|(source, facts)| {
            let services = examined
                .files
                .get(&source.path)
                .map_or(&[][..], Vec::as_slice);
            rules::judge(source, facts, services, &scripts, &world)
        });
        found.collect()
    })?);
    findings.extend(world.unbounded());
    findings.extend(world.unanswered());
    if examined.faults.is_empty() && configured.is_some() {
        // What keeps services from loading was told; tests need them.
        let tests = || testing::problems(project.clone()).into_iter().map(error);
        findings.extend(deep(|| tests().collect())?);
    }
    findings.sort_by_key(|finding| {
        let place = finding.fault.place();
        place.map(|place| (place.path.to_string(), place.line, place.column))
    });
    findings.dedup_by(|one, other| one.fault.block() == other.fault.block());
    let scripts = examined.set.by_path.keys();
    Ok(Checked {
        findings,
        scripts: scripts
            .filter(|path| !shipped.contains(path.as_str()))
            .count(),
        objects: configured.map_or(0, |set| set.objects.len()),
    })
}

/// How much stack looking at sources gets: one of the longest may be nested with every second byte. What is not needed
/// is never touched.
const STACK: usize = 1 << 30;

/// Looks at sources on a stack of its own.
fn deep(look: impl FnOnce() -> Vec<Finding> + Send) -> Result<Vec<Finding>, Fault> {
    let thread = std::thread::Builder::new().stack_size(STACK);
    let failed = |detail: String| {
        Fault::new(Code::Internal, "the scripts cannot be looked at").detail(detail)
    };
    std::thread::scope(|scope| {
        let looking = thread.spawn_scoped(scope, look);
        let looking = looking.map_err(|error| failed(error.to_string()))?;
        looking.join().map_err(|_panic| failed("panic".to_owned()))
    })
}

fn error(fault: Fault) -> Finding {
    Finding {
        severity: Severity::Error,
        fault,
        fix: None,
    }
}

/// Reads the configuration, as `dev` and as `start` would.
fn objects(
    project: &Project,
    environment: Environment,
    findings: &mut Vec<Finding>,
) -> Option<WantedSet> {
    let base = configuration(project, environment.clone(), None);
    let dev = configuration(project, environment, Some("dev"));
    match (base, dev) {
        (Ok(_), Ok((set, warnings))) => {
            findings.extend(warnings.into_iter().map(|fault| Finding {
                severity: Severity::Warning,
                fault,
                fix: None,
            }));
            Some(set)
        }
        (Err(faults), _) | (_, Err(faults)) => {
            findings.extend(faults.0.into_iter().map(error));
            None
        }
    }
}

/// Looks at a source; nothing where that cannot be done.
fn facts(engines: &[Arc<dyn Engine>], api: &Api, source: &Source) -> Option<Facts> {
    let mut engines = engines.iter();
    let engine = engines.find(|engine| engine.language().speaks(&source.path))?;
    Some(Facts::of(api, &engine.outline(source)?))
}

/// Puts a fault at a stretch of a source, with its line and caret.
fn at(fault: Fault, source: &Source, span: Span) -> Fault {
    let place = Place::new(source.path.as_str(), span.line, span.column);
    let index = (span.line as usize).checked_sub(1);
    match index.and_then(|index| source.text.lines().nth(index)) {
        Some(line) => fault.at(place).showing(Snippet {
            line: line.chars().take(240).collect(),
            width: span.width,
        }),
        None => fault.at(place),
    }
}

/// Returns the stretch between the quotes where a quoted text stands.
fn inside(source: &Source, span: Span) -> Span {
    let index = (span.line as usize).checked_sub(1);
    let line = index.and_then(|index| source.text.lines().nth(index));
    let first = line.and_then(|line| line.chars().nth((span.column as usize).checked_sub(1)?));
    if matches!(first, Some('"' | '\'' | '`')) && span.width > 2 {
        return Span {
            column: span.column + 1,
            width: span.width - 2,
            ..span
        };
    }
    span
}
