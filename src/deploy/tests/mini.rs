//! A tiny language for tests: lines `service NAME`, `use MODULE`, `text …`, `error …`.

use std::collections::BTreeSet;
use std::rc::Rc;
use std::sync::{Arc, Mutex};

use crate::base::{Code, Fault, LocalBoxFuture, Place, ServiceName, Snippet, Value};
use crate::contract::{
    Answer, Core, Ctx, Declaration, Engine, Language, Loaded, Service, Source, SourceSet,
};

/// The engine. Remembers every text it was given to load.
#[derive(Default)]
pub(crate) struct Mini {
    /// Path and text of all loads, in order.
    pub(crate) seen: Mutex<Vec<(String, String)>>,
}

static MINI: Language = Language {
    name: "mini",
    endings: &["mini"],
};

struct MiniService(Arc<Declaration>);

impl Service for MiniService {
    fn declaration(&self) -> &Arc<Declaration> {
        &self.0
    }

    fn call<'a>(
        &'a self,
        _core: &'a Rc<Core>,
        _ctx: Ctx,
        _input: Value,
    ) -> LocalBoxFuture<'a, Result<Answer, Fault>> {
        let value = Value::Text(self.0.doc.as_str().into());
        Box::pin(async move {
            Ok(Answer {
                value,
                ..Answer::default()
            })
        })
    }
}

impl Engine for Mini {
    fn language(&self) -> &'static Language {
        &MINI
    }

    fn outline(&self, _source: &Source) -> Option<crate::base::Outline> {
        None
    }

    fn load(&self, set: &Arc<SourceSet>, path: &str) -> Result<Loaded, Vec<Fault>> {
        let source = set.by_path.get(path).expect("the path is in the set");
        let entry = (path.to_owned(), source.text.clone());
        self.seen.lock().unwrap().push(entry);
        let mut run = Run {
            set,
            uses: BTreeSet::new(),
            texts: Vec::new(),
            faults: Vec::new(),
        };
        let names = run.file(source);
        if !run.faults.is_empty() {
            return Err(run.faults);
        }
        let doc = run.texts.join(" ");
        let services = names.into_iter().map(|(name, line)| {
            Arc::new(MiniService(Arc::new(Declaration {
                name,
                doc: doc.clone(),
                input: None,
                output: None,
                timeout: None,
                cpu: None,
                uses: None,
                place: Place::new(path, line, 1),
                language: "mini",
            }))) as Arc<dyn Service>
        });
        Ok(Loaded {
            services: services.collect(),
            uses: run.uses.into_iter().collect(),
        })
    }
}

struct Run<'a> {
    set: &'a SourceSet,
    uses: BTreeSet<String>,
    texts: Vec<String>,
    faults: Vec<Fault>,
}

impl Run<'_> {
    /// Runs a file; returns the services it names.
    fn file(&mut self, source: &Source) -> Vec<(ServiceName, u32)> {
        let mut names = Vec::new();
        for (line, number) in source.text.lines().zip(1..) {
            let (word, rest) = line.split_once(' ').unwrap_or((line, ""));
            match word {
                "" | "#" => {}
                "service" => names.push((ServiceName::new(rest).expect("a name"), number)),
                "text" => self.texts.push(rest.to_owned()),
                "use" => match self.set.module(rest, &["mini"]) {
                    Some(module) => {
                        if self.uses.insert(module.path.clone()) {
                            self.file(module);
                        }
                    }
                    None => self.fail(source, number, line, Code::ScriptModule, "no such module"),
                },
                _ => self.fail(source, number, line, Code::ScriptCompile, rest),
            }
        }
        names
    }

    fn fail(&mut self, source: &Source, number: u32, line: &str, code: Code, why: &str) {
        let snippet = Snippet {
            line: line.to_owned(),
            width: 1,
        };
        let place = Place::new(source.path.as_str(), number, 1);
        self.faults
            .push(Fault::new(code, why).at(place).showing(snippet));
    }
}
