//! The rules: what a file uses, judged against what there is.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::base::{Code, Fault, Millis, ServiceName, Span, Word, closest};
use crate::check::functions::Scripts;
use crate::check::walk::{Facts, Owner};
use crate::check::{Finding, Fix, Severity, arguments, at, inside, invoked, secrets};
use crate::contract::{Declaration, Source, SourceSet};
use crate::deploy::Examined;
use crate::enmasse::{Wanted, WantedSet};
use crate::runtime::no_connection;
use crate::script::context::undeclared;
use crate::script::host::{self, data};
use crate::service;

/// What there is in the project.
pub(crate) struct World<'a> {
    services: BTreeMap<&'a ServiceName, &'a Arc<Declaration>>,
    sources: &'a SourceSet,
    /// Whether every file loaded: else a service that is not there may be in a broken one.
    whole: bool,
    configured: Option<&'a WantedSet>,
    settings: Vec<String>,
}

impl<'a> World<'a> {
    /// Takes what was loaded and configured.
    pub(crate) fn new(
        examined: &'a Examined,
        configured: Option<&'a WantedSet>,
        settings: Vec<String>,
    ) -> Self {
        Self {
            services: examined.services(),
            sources: &examined.set,
            whole: examined.faults.is_empty(),
            configured,
            settings,
        }
    }

    /// Returns a note for each outgoing connection that leaves its timeout to the default.
    pub(crate) fn unbounded(&self) -> Vec<Finding> {
        let all = self.configured.into_iter().flat_map(|set| {
            let outgoing = set.objects.iter().filter(|object| {
                object.id.kind.starts_with("outgoing.") && object.body.get("timeout").is_none()
            });
            outgoing.map(|object| no_timeout(set, object))
        });
        all.collect()
    }

    /// Returns an error for each channel and job whose service is not there.
    pub(crate) fn unanswered(&self) -> Vec<Finding> {
        let sets = self.configured.into_iter().filter(|_| self.whole);
        let all = sets.flat_map(|set| {
            let objects = set.objects.iter().filter(|object| object.enabled);
            objects.filter_map(|object| {
                let name = object.body.get("service")?.as_str()?;
                let known = self.services.keys().any(|it| it.as_str() == name);
                // Those of the server are in no file, and what a placeholder stands for is not known.
                if known || name.starts_with("kladka.") || name.contains("${") {
                    return None;
                }
                let fault = service::unknown(name, self.services.keys().copied());
                let spot = object.places.value("/service");
                Some(super::error(set.sources.locate(fault, spot)))
            })
        });
        all.collect()
    }

    /// Returns how long a connection waits for an answer, where its object says so.
    fn patience(&self, kind: &str, name: &str) -> Option<Millis> {
        let mut objects = self.configured?.objects.iter();
        let object = objects.find(|object| {
            object.id.kind.strip_prefix("outgoing.") == Some(kind)
                && object.id.name.as_str() == name
        })?;
        Millis::parse(object.body.get("timeout")?.get("total")?.as_str()?)
    }

    fn connections(&self, kind: &str) -> Option<Vec<&str>> {
        let objects = self.configured?.objects.iter();
        let own = objects.filter(|object| object.id.kind.strip_prefix("outgoing.") == Some(kind));
        Some(own.map(|object| object.id.name.as_str()).collect())
    }
}

fn no_timeout(set: &WantedSet, object: &Wanted) -> Finding {
    let message = format!(
        "{} '{}' has no timeout of its own",
        object.id.kind, object.id.name
    );
    let fault = Fault::new(Code::NoTimeout, message)
        .hint("Set `timeout: { connect: 5s, total: 20s }` to what callers can wait for.");
    Finding {
        severity: Severity::Note,
        fault: set.sources.locate(fault, object.places.object()),
        fix: None,
    }
}

/// What is judged: one file.
struct Case<'a> {
    source: &'a Source,
    facts: &'a Facts,
    services: &'a [Arc<Declaration>],
    found: Vec<Finding>,
}

/// Judges one file.
pub(crate) fn judge(
    source: &Source,
    facts: &Facts,
    services: &[Arc<Declaration>],
    scripts: &Scripts<'_>,
    world: &World<'_>,
) -> Vec<Finding> {
    let mut case = Case {
        source,
        facts,
        services,
        found: Vec::new(),
    };
    for (fault, span) in &facts.faults {
        case.add(Severity::Error, fault.clone(), *span);
    }
    case.names(world);
    case.calls();
    case.script_calls(scripts, world.sources);
    case.waits(world);
    case.uses();
    case.inputs();
    case.outputs();
    case.texts();
    for word in &facts.unused {
        let message = format!("`{}` is never used", word.text);
        let fault = Fault::new(Code::UnusedVariable, message)
            .hint("Delete it, or begin its name with `_` when it has to be there.");
        case.add(Severity::Warning, fault, word.span);
    }
    case.found
}

impl Case<'_> {
    fn add(&mut self, severity: Severity, fault: Fault, span: Span) {
        let span = inside(self.source, span);
        let fix = fault.meant().map(|name| Fix {
            path: self.source.path.clone(),
            span,
            with: name.to_owned(),
        });
        self.found.push(Finding {
            severity,
            fault: at(fault, self.source, span),
            // A name that fails for certain can only become better.
            fix: fix.filter(|_| severity == Severity::Error && span.column > 0),
        });
    }

    /// Everything that is named must be there.
    fn names(&mut self, world: &World<'_>) {
        for (_, kind, name) in &self.facts.connections {
            if let Some(names) = world.connections(kind)
                && !names.contains(&name.text.as_str())
            {
                let fault = no_connection(kind, &name.text, names);
                self.add(Severity::Error, fault, name.span);
            }
        }
        for name in &self.facts.settings {
            if !world.settings.contains(&name.text) {
                let message = format!("there are no settings named '{}'", name.text);
                let fault = Fault::new(Code::ScriptError, message)
                    .hint(format!("Create config/user/{}.toml.", name.text))
                    .near(&name.text, world.settings.iter().map(String::as_str));
                self.add(Severity::Error, fault, name.span);
            }
        }
        for invocation in &self.facts.invocations {
            let name = &invocation.service;
            let found = world
                .services
                .iter()
                .find(|(it, _)| it.as_str() == name.text);
            match found {
                Some((_, declared)) => {
                    for (fault, span) in invoked::judge(invocation, declared) {
                        self.add(Severity::Error, fault, span);
                    }
                }
                None if world.whole && !name.text.starts_with("kladka.") => {
                    let names = world.services.keys().copied();
                    self.add(
                        Severity::Error,
                        service::unknown(&name.text, names),
                        name.span,
                    );
                }
                None => {}
            }
        }
    }

    /// Functions of scripts and of the language are there.
    fn script_calls(&mut self, scripts: &Scripts<'_>, sources: &SourceSet) {
        let ending = self.source.path.rsplit('.').next().unwrap_or_default();
        for call in &self.facts.script_calls {
            let path_of = |module: &str| {
                let module = sources.module(&module.replace('/', "."), &[ending]);
                module.map(|source| source.path.clone())
            };
            if let Some(fault) = scripts.judge(call, &self.source.path, path_of) {
                self.add(Severity::Error, fault, call.name.span);
            }
        }
    }

    /// Host functions get what they take.
    fn calls(&mut self) {
        for call in &self.facts.calls {
            if let Some((fault, span)) = arguments::judge(call) {
                self.add(Severity::Error, fault, span);
            }
        }
    }

    /// A service waits no longer than its own timeout allows.
    fn waits(&mut self, world: &World<'_>) {
        for (owner, kind, name) in &self.facts.connections {
            let Some((service, timeout)) = self.timeout(owner) else {
                continue;
            };
            let patience = world.patience(kind, &name.text);
            if let Some(patience) = patience.filter(|it| *it > timeout) {
                let message = format!(
                    "service '{service}' ends after {timeout}, but '{}' may take {patience} to answer",
                    name.text
                );
                let fault = Fault::new(Code::TimeoutTooShort, message).hint(
                    "Give the connection less time, or the service more: what ends first says what was slow.",
                );
                self.add(Severity::Warning, fault, name.span);
            }
        }
        for call in &self.facts.calls {
            let Some((service, timeout)) = self.timeout(&call.owner) else {
                continue;
            };
            let time = call.args.first().and_then(invoked::literal);
            let time = time.filter(|_| call.function.path == "time.sleep");
            let time = time.and_then(|time| data::millis(&time, "time").ok());
            let time = time.and_then(|time| u64::try_from(time).ok()).map(Millis);
            if let Some(time) = time.filter(|it| *it >= timeout) {
                let message =
                    format!("service '{service}' ends after {timeout}, before it has slept {time}");
                let fault = Fault::new(Code::TimeoutTooShort, message)
                    .hint("Sleep for less, or give the service a longer `timeout`.");
                self.add(Severity::Error, fault, call.span);
            }
        }
    }

    /// Returns a service of the file and the timeout that it declares.
    fn timeout(&self, owner: &Owner) -> Option<(String, Millis)> {
        let name = owner.as_deref()?;
        let declared = self.services.iter().find(|it| it.name.as_str() == name)?;
        Some((name.to_owned(), declared.timeout?))
    }

    /// What a service declares to use is all that it uses. What a helper uses may be for another service of the file.
    fn uses(&mut self) {
        let services = self.services;
        for (owner, used, span) in &self.facts.uses {
            let mut concerned = services.iter().filter(|it| concerns(owner, it));
            let refused: Option<Vec<Fault>> = concerned.try_fold(Vec::new(), |mut refused, it| {
                refused.push(host::uses::refusal(it, used)?);
                Some(refused)
            });
            if let Some(fault) = refused.and_then(|refused| refused.into_iter().next()) {
                self.add(Severity::Error, fault, *span);
            }
        }
    }

    fn inputs(&mut self) {
        let declared = self.services.iter();
        for (owner, word) in &self.facts.inputs {
            let services = declared.clone().filter(|it| concerns(owner, it));
            if let Some(names) = undeclared_in(services, |it| it.input.as_deref(), word) {
                let message = format!("input '{}' is not declared", word.text);
                let fault = Fault::new(Code::UndeclaredInput, message)
                    .hint(format!("The inputs are: {}.", names.join(", ")))
                    .near(&word.text, names.iter().map(String::as_str));
                self.add(Severity::Error, fault, word.span);
            }
        }
        let read = (&self.facts.inputs, &self.facts.inputs_elsewhere);
        for (service, name) in self.never(read, |it| it.input.as_deref()) {
            let message = format!("input '{name}' of service '{service}' is never read");
            let fault = Fault::new(Code::UnusedInput, message)
                .hint("Read it as `ctx.request.input`, or take it out of the declaration.");
            let span = self.declared_at(&service, &name);
            self.add(Severity::Warning, fault, span);
        }
    }

    fn outputs(&mut self) {
        let declared = self.services.iter();
        for (owner, word) in &self.facts.outputs {
            let services = declared.clone().filter(|it| concerns(owner, it));
            if let Some(names) = undeclared_in(services, |it| it.output.as_deref(), word) {
                let fault = undeclared(&word.text, names.iter().map(String::as_str));
                self.add(Severity::Error, fault, word.span);
            }
        }
        let set = (&self.facts.outputs, &self.facts.outputs_elsewhere);
        for (service, name) in self.never(set, |it| it.output.as_deref()) {
            let message = format!("output '{name}' of service '{service}' is never set");
            let fault = Fault::new(Code::UnsetOutput, message)
                .hint("Set it in `ctx.response.payload`, or take it out of the declaration.");
            let span = self.declared_at(&service, &name);
            self.add(Severity::Warning, fault, span);
        }
    }

    /// Returns the fields of services that nothing touches; of those only whose function was seen through.
    fn never(
        &self,
        (touched, elsewhere): (&Vec<(Owner, Word)>, &std::collections::BTreeSet<Owner>),
        fields: impl Fn(&Declaration) -> Option<&[crate::contract::Field]>,
    ) -> Vec<(String, String)> {
        let mut found = Vec::new();
        for declared in self.services {
            let name = declared.name.as_str();
            let seen = self.facts.handled.contains(name);
            let hidden = elsewhere.contains(&None) || elsewhere.contains(&Some(name.to_owned()));
            if !seen || hidden {
                continue;
            }
            for field in fields(declared).unwrap_or_default() {
                // A misspelt name is told once.
                let meant = |word: &str| closest(word, [field.name.as_str()]).is_some();
                let used = touched
                    .iter()
                    .any(|(owner, word)| concerns(owner, declared) && meant(&word.text));
                if !used {
                    found.push((name.to_owned(), field.name.to_string()));
                }
            }
        }
        found
    }

    /// Finds where a service declares a field: the text that begins with its name, below the service.
    fn declared_at(&self, service: &str, field: &str) -> Span {
        let own = self.services.iter().find(|it| it.name.as_str() == service);
        let from = own.map_or(1, |it| it.place.line);
        let lines = (1..).zip(self.source.text.lines());
        let found = lines
            .skip_while(|(number, _)| *number < from)
            .find_map(|(number, line)| Some((number, line, quoted(line, field)?)));
        let small = |number: usize| u32::try_from(number).unwrap_or(0);
        found.map_or(
            Span {
                line: from,
                ..Span::default()
            },
            |(line, text, at)| Span {
                line,
                column: small(text.get(..at).map_or(0, |it| it.chars().count()) + 1),
                width: small(field.chars().count()),
            },
        )
    }

    fn texts(&mut self) {
        for (name, word) in &self.facts.texts {
            if secrets::is_secret(name.as_deref(), &word.text) {
                let fault = Fault::new(Code::SecretInSource, "this looks like a secret")
                    .hint("Keep it out of scripts: give it to a connection or a security definition as `${secret.NAME}`.");
                let fault = at(fault, self.source, word.span);
                self.found.push(Finding {
                    severity: Severity::Warning,
                    fault: hidden(fault, self.source, word.span),
                    fix: None,
                });
            }
        }
    }
}

/// Shows the line of a secret without it.
fn hidden(fault: Fault, source: &Source, span: Span) -> Fault {
    let index = (span.line as usize).checked_sub(1);
    let Some(line) = index.and_then(|index| source.text.lines().nth(index)) else {
        return fault;
    };
    let from = (span.column as usize).saturating_sub(1);
    let to = from + span.width as usize;
    // A text of several lines, or one whose place is not known, takes the rest of the line with it.
    let whole = span.width > 1;
    let shown = line.chars().enumerate().map(|(index, letter)| {
        let inner = index > from && (!whole || index + 1 < to);
        if inner { '•' } else { letter }
    });
    fault.showing(crate::base::Snippet {
        line: shown.collect(),
        width: span.width,
    })
}

/// Finds a text that declares a field, by byte.
fn quoted(line: &str, field: &str) -> Option<usize> {
    line.match_indices(field).find_map(|(at, _)| {
        let before = line.get(..at)?.chars().next_back()?;
        let after = line.get(at + field.len()..)?.chars().next()?;
        let opened = matches!(before, '"' | '\'');
        (opened && !after.is_alphanumeric() && after != '_').then_some(at)
    })
}

/// Tells whether what is done on behalf of an owner concerns a service; without one, all of the file.
fn concerns(owner: &Owner, declared: &Declaration) -> bool {
    owner
        .as_ref()
        .is_none_or(|name| declared.name.as_str() == name)
}

/// Returns the fields there are when none has the name; nothing when a service takes any.
fn undeclared_in<'a>(
    services: impl Iterator<Item = &'a Arc<Declaration>>,
    fields: impl Fn(&Declaration) -> Option<&[crate::contract::Field]>,
    word: &Word,
) -> Option<Vec<String>> {
    let mut names = Vec::new();
    for declared in services {
        let own = fields(declared)?;
        names.extend(own.iter().map(|field| field.name.to_string()));
    }
    (!names.is_empty() && !names.contains(&word.text)).then_some(names)
}
