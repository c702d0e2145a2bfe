//! The conversation itself: takes what is typed, runs it in the language of the moment, says what came of it.

use std::collections::BTreeMap;
use std::panic::AssertUnwindSafe;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::FutureExt as _;
use serde_json::{Value as Json, json};

use crate::base::{Caller, Cid, Code, Fault, Faults, Map, Place, ServiceName, Text, Value};
use crate::config::Project as Directory;
use crate::contract::{Core, Ctx, Declaration, Request};
use crate::kinds;
use crate::repl::command::Command;
use crate::repl::live::Remote;
use crate::repl::world::World;
use crate::repl::{command, doc};
use crate::script::{self, Entry, Ground, Outcome, PATH, Session, Variable};
use crate::stubs::Known;

/// How long a text may take, waiting included.
const PATIENCE: Duration = Duration::from_mins(1);

/// A text longer than this is complete, for no language takes it.
const LONGEST: usize = 256 << 10;

/// How a conversation begins.
pub(crate) struct Start {
    /// The project.
    pub(crate) directory: Directory,
    /// The way to the server, for a conversation with one.
    pub(crate) remote: Option<Arc<dyn Remote>>,
    /// The language; `None` for that of most scripts.
    pub(crate) language: Option<&'static str>,
    /// Whether texts may change something.
    pub(crate) write: bool,
}

/// What there is to say.
pub(crate) enum Said {
    /// A text gave this.
    Value(Outcome),
    /// A command told this: for people, and for programs.
    Told(String, Json),
    /// It did not work.
    Failed(Fault),
    /// Nothing.
    Nothing,
    /// The conversation ends.
    Quit,
}

/// A conversation.
pub(crate) struct Talk {
    start: Start,
    world: World,
    core: Rc<Core>,
    language: &'static str,
    sessions: BTreeMap<&'static str, Box<dyn Session>>,
    declaration: Arc<Declaration>,
    input: Value,
    /// All lines so far.
    said: String,
    /// How many there are.
    lines: usize,
}

impl Talk {
    /// Begins a conversation.
    pub(crate) async fn begin(start: Start) -> Result<Self, Faults> {
        let world = World::read(&start.directory, start.remote.as_ref(), None).await?;
        let nameless = || Fault::new(Code::Internal, "a REPL has no name");
        let name = ServiceName::new(PATH).ok_or_else(nameless)?;
        let declaration = script::bare(name, Place::new(PATH, 0, 0), "");
        let mut talk = Self {
            language: start.language.unwrap_or_else(|| usual(&world)),
            start,
            world,
            core: Rc::new(Core::new(0)),
            sessions: BTreeMap::new(),
            declaration: Arc::new(declaration),
            input: Value::Map(Map::new()),
            said: String::new(),
            lines: 0,
        };
        talk.speak(talk.language)?;
        Ok(talk)
    }

    /// Returns the language of the moment.
    pub(crate) fn language(&self) -> &'static str {
        self.language
    }

    /// Tells whether texts may change something.
    pub(crate) fn writes(&self) -> bool {
        self.start.write
    }

    /// Returns what is wrong with the project; everything else of it works.
    pub(crate) fn faults(&self) -> &[Fault] {
        &self.world.faults
    }

    /// Returns what has a name.
    pub(crate) fn known(&self) -> &Known {
        &self.world.known
    }

    /// Returns the names of the modules of the language of the moment.
    pub(crate) fn modules(&self) -> Vec<String> {
        let endings = endings(self.language);
        let all = self.world.set.by_module.keys();
        let own = all.filter(|name| self.world.set.module(name, endings).is_some());
        own.cloned().collect()
    }

    /// Returns what texts of the language of the moment defined.
    pub(crate) fn variables(&self) -> Vec<Variable> {
        let session = self.sessions.get(self.language);
        session.map(|it| it.variables()).unwrap_or_default()
    }

    /// Tells whether what is typed breaks off.
    pub(crate) fn is_incomplete(&self, text: &str) -> bool {
        if command::is_one(text) || text.len() > LONGEST {
            return false;
        }
        let session = self.sessions.get(self.language);
        session.is_some_and(|it| it.is_incomplete(text))
    }

    /// Takes what was typed. Dropping the future gives it up.
    pub(crate) async fn take(&mut self, text: &str) -> Said {
        let line = self.lines + 1;
        let text = text.trim_end_matches('\n');
        self.lines += text.split('\n').count();
        self.said.extend([text, "\n"]);
        if command::is_one(text) {
            let command = Command::read(text);
            return match command {
                Ok(command) => self.obey(command).await.unwrap_or_else(Said::Failed),
                Err(fault) => Said::Failed(self.at(fault, line, text)),
            };
        }
        if text.trim().is_empty() {
            return Said::Nothing;
        }
        match self.run(text, line).await {
            Ok(outcome) => Said::Value(outcome),
            Err(fault) => Said::Failed(script::show(fault, &self.world.set, &self.said)),
        }
    }

    fn at(&self, fault: Fault, line: usize, text: &str) -> Fault {
        let column = text.chars().take_while(|c| c.is_whitespace()).count() + 1;
        let small = |number: usize| u32::try_from(number).unwrap_or(0);
        let fault = fault.at(Place::new(PATH, small(line), small(column)));
        script::show(fault, &self.world.set, &self.said)
    }

    async fn run(&mut self, text: &str, line: usize) -> Result<Outcome, Fault> {
        let entry = Entry {
            text: text.to_owned(),
            line,
            said: self.said.as_str().into(),
        };
        let ctx = self.ctx();
        let deadline = ctx.deadline.into();
        let call = script::call(&self.core, ctx, &self.declaration);
        let session = self.sessions.get(self.language);
        let session = session.ok_or_else(|| Fault::new(Code::Internal, "no language"))?;
        let running = AssertUnwindSafe(session.run(&entry, call)).catch_unwind();
        match tokio::time::timeout_at(deadline, running).await {
            Ok(Ok(result)) => result.map_err(of_line),
            Ok(Err(_panic)) => Err(Fault::new(Code::Internal, "the text failed unexpectedly")),
            Err(_elapsed) => {
                let place = Place::new(PATH, u32::try_from(line).unwrap_or(0), 0);
                let message = format!("the text did not end within {} s", PATIENCE.as_secs());
                Err(Fault::new(Code::WallBudget, message).at(place))
            }
        }
    }

    fn ctx(&self) -> Ctx {
        let request = Request {
            read_only: !self.start.write,
            ..Request::default()
        };
        Ctx {
            cid: Cid::fresh(),
            caller: Arc::new(Caller {
                security: Text::default(),
                name: Text::const_new(PATH),
            }),
            channel: None,
            job: None,
            request: Arc::new(request),
            deadline: Instant::now() + PATIENCE,
            depth: 0,
            limits: self.world.limits,
            ports: Arc::clone(&self.world.ports),
            services: Arc::clone(&self.world.services),
        }
    }

    /// Changes the language; each keeps its own variables.
    fn speak(&mut self, language: &'static str) -> Result<(), Fault> {
        if !self.sessions.contains_key(language) {
            let ground = Ground {
                core: Rc::clone(&self.core),
                api: kinds::tables().into(),
                set: Arc::clone(&self.world.set),
                waits: self.world.ports.kvdb.waits(),
            };
            let session = kinds::session(language, &ground);
            let unknown = || Fault::new(Code::BadArguments, format!("no language '{language}'"));
            let session = session.ok_or_else(unknown)??;
            session.set_input(self.input.clone());
            self.sessions.insert(language, session);
        }
        self.language = language;
        Ok(())
    }

    async fn obey(&mut self, command: Command) -> Result<Said, Fault> {
        let told = |text: String| Ok(Said::Told(text.clone(), json!({ "told": text })));
        match command {
            Command::Help => told(command::HELP.to_owned()),
            Command::Quit => Ok(Said::Quit),
            Command::Language(language) => {
                self.speak(language)?;
                told(format!("The language is {language}."))
            }
            Command::Services => {
                let (text, names) = doc::services(&self.world.known);
                Ok(Said::Told(text, json!({ "services": names })))
            }
            Command::Doc(name) => told(doc::of(&self.world.known, self.language, &name)?),
            Command::Input(input) => {
                self.input = Value::from(&input);
                for session in self.sessions.values() {
                    session.set_input(self.input.clone());
                }
                told("It is in ctx.request.input.".to_owned())
            }
            Command::Write(write) => {
                self.start.write = write;
                let what = if write { "change things" } else { "only read" };
                told(format!("Lines may {what} now."))
            }
            Command::Reload => self.reload().await,
        }
    }

    /// Reads everything again. Variables stay; those that hold a module get the new one.
    async fn reload(&mut self) -> Result<Said, Fault> {
        let read = World::read(
            &self.start.directory,
            self.start.remote.as_ref(),
            Some(&self.world),
        );
        let first = |faults: Faults| {
            let nothing = || Fault::new(Code::Internal, "the project cannot be read");
            faults.0.into_iter().next().unwrap_or_else(nothing)
        };
        self.world = read.await.map_err(first)?;
        let (language, line) = (self.language, self.lines);
        let again: Vec<(&'static str, Vec<String>)> = self
            .sessions
            .iter()
            .map(|(language, it)| (*language, it.renew(Arc::clone(&self.world.set))))
            .collect();
        let mut failed = None;
        for (own, texts) in again {
            self.language = own;
            for text in texts {
                failed = failed.or(self.run(&text, line).await.err());
            }
        }
        self.language = language;
        if let Some(fault) = failed.or_else(|| self.world.faults.first().cloned()) {
            return Err(fault);
        }
        let (services, scripts) = (
            self.world.known.services.len(),
            self.world.set.by_path.len(),
        );
        let text = format!("Read again: {services} services, {scripts} scripts and modules.");
        Ok(Said::Told(text.clone(), json!({ "told": text })))
    }
}

/// Gives a text that spent its budget a hint that is for texts, not for services.
fn of_line(fault: Fault) -> Fault {
    let own = fault
        .message()
        .starts_with(&format!("service '{PATH}' spent"));
    if fault.code() == Code::CpuBudget && own {
        return fault.hint(
            "Do less in one line, or raise `script_cpu` below `[limits]` of config/server.toml.",
        );
    }
    fault
}

/// Returns the endings of a language's files.
fn endings(language: &str) -> &'static [&'static str] {
    let engines = kinds::engines();
    let mut all = engines.iter().map(|engine| engine.language());
    let own = all.find(|own| own.name == language);
    own.map_or(&[], |own| own.endings)
}

/// Returns the language of most scripts of the project.
fn usual(world: &World) -> &'static str {
    let scripts = || {
        world
            .set
            .by_path
            .keys()
            .filter(|path| path.starts_with("scripts/"))
    };
    let engines = kinds::engines();
    let languages = engines.iter().map(|engine| engine.language());
    // Of equals, the first of the list.
    let best = languages
        .rev()
        .max_by_key(|own| scripts().filter(|path| own.speaks(path)).count());
    best.map_or("", |own| own.name)
}
