//! Runs one case through one exposure and compares what came of it.

use std::rc::Rc;
use std::sync::Arc;

use serde_json::Value as Json;

use crate::base::{Code, Fault, Reply, Value};
use crate::contract::{Declaration, Entry};
use crate::gateway;
use crate::service;
use crate::sio;
use crate::testing::cases::{CalledSpec, Case, ErrorSpec, Exposure, Given, MockSpec, ReplySpec};
use crate::testing::client::{Client, Problem, input_of};
use crate::testing::compare::{self, plain, settled, short};
use crate::testing::golden::{self, Golden};
use crate::testing::mocks::Prepared;
use crate::testing::paste::Written;
use crate::testing::project::Project;
use crate::testing::scene::Scene;
use crate::testing::table::{failure, read_fixture};
use crate::testing::wanted::{Wanted, each};

/// A case on its way through an exposure.
pub(super) struct Run<'a> {
    /// The project.
    pub(super) project: &'a Project,
    /// The service.
    pub(super) entry: &'a Arc<Entry>,
    /// The case.
    pub(super) case: &'a Case,
    /// What holds before it.
    pub(super) given: Given,
    /// The exposure.
    pub(super) exposure: Exposure,
    /// Its golden file, if it is to have one.
    pub(super) golden: Option<(String, Golden)>,
}

/// What is wrong, and with what of the case: a pointer below it.
pub(super) type Wrong = (String, Fault);

/// What a client got.
struct Got {
    /// The answer, or how it failed.
    result: Result<Value, Failed>,
    /// The bytes, unless the call was direct.
    reply: Option<Reply>,
}

/// How a call failed.
struct Failed {
    fault: Fault,
    problem: Problem,
    status: u16,
}

impl Run<'_> {
    /// Runs it and returns everything that is wrong.
    pub(super) async fn run(&self) -> Vec<Wrong> {
        let settings = self.given.config.clone();
        let scene = Scene::with_settings(self.project, Written::Yaml, settings);
        if let Err(wrong) = self.prepare(&scene) {
            return vec![wrong];
        }
        let got = match self.call(&scene).await {
            Ok(got) => got,
            Err(fault) => return vec![("/input".to_owned(), fault)],
        };
        let unmocked = scene.mocks.unmocked();
        if !unmocked.is_empty() {
            let unmocked = unmocked.into_iter().take(1);
            return unmocked.map(|fault| (String::new(), fault)).collect();
        }
        let mut wrong: Vec<Wrong> = self.outcome(&got).err().into_iter().collect();
        wrong.extend(self.effects(&scene));
        wrong.extend(self.golden(&got).err());
        wrong
    }

    fn declaration(&self) -> &Declaration {
        self.entry.service.declaration()
    }

    fn prepare(&self, scene: &Scene) -> Result<(), Wrong> {
        let at = |pointer: String| move |fault: Fault| (pointer, fault);
        if let Some(now) = &self.given.now {
            let set = scene.clock.set(now);
            set.map_err(at("/given/now".to_owned()))?;
        }
        for (key, value) in &self.given.kvdb {
            let set = scene.keys.set(key, value);
            set.map_err(at(format!("/given/kvdb/{key}")))?;
        }
        for (name, mocks) in &self.given.outgoing.http {
            let pointer = format!("/given/outgoing/http/{name}");
            let known = scene.mocks.known(name);
            known.map_err(at(pointer.clone()))?;
            // The first that fits answers; of mocks, the one made last.
            for (index, spec) in mocks.iter().enumerate().rev() {
                let prepared = prepared(spec, scene);
                let prepared = prepared.map_err(at(format!("{pointer}/{index}")))?;
                scene.mocks.add(name, wanted(spec), vec![prepared]);
            }
        }
        Ok(())
    }

    async fn call(&self, scene: &Rc<Scene>) -> Result<Got, Fault> {
        let core = scene.core();
        let declaration = self.declaration();
        let input = &self.case.input;
        if self.exposure == Exposure::Direct {
            let name = declaration.name.as_str();
            let result = service::invoke(&core, &scene.ctx(), name, input_of(input)).await;
            return Ok(Got {
                result: result.map(|answer| answer.value).map_err(Failed::direct),
                reply: None,
            });
        }
        let client = Client::new(self.project, &declaration.name, self.exposure)?;
        let inbound = client.request(declaration, input)?;
        let route = client.route(self.project);
        let outcome = gateway::handle(&scene.gateway(), &core, &route, &inbound).await;
        let result = match outcome.fault {
            Some(fault) => Err(Failed {
                fault,
                problem: client.problem(&outcome.reply)?,
                status: outcome.reply.status,
            }),
            None => Ok(client.read(&outcome.reply)?),
        };
        Ok(Got {
            result,
            reply: Some(outcome.reply),
        })
    }

    fn outcome(&self, got: &Got) -> Result<(), Wrong> {
        match (&self.case.output, &self.case.error, &got.result) {
            (Some(expected), _, Ok(value)) => {
                let compared = self.compare(expected, value);
                compared.map_err(|fault| ("/output".to_owned(), fault))
            }
            (None, Some(_), Ok(value)) => {
                let shown = short(&Json::from(value));
                let message = format!("expected a failure, got the output {shown}");
                Err(("/error".to_owned(), Fault::new(Code::TestFailed, message)))
            }
            (_, Some(error), Err(failed)) => self.failed(error, failed),
            (None, None, Ok(_)) => Ok(()),
            (expected, None, Err(failed)) => {
                let pointer = if expected.is_some() { "/output" } else { "" };
                let message = format!("expected an output, got {}", failed.fault);
                let fault = Fault::new(Code::TestFailed, message);
                Err((pointer.to_owned(), fault.detail(failed.fault.block())))
            }
        }
    }

    /// Compares an output. Declared outputs are compared as what they are declared to be: formats without types give
    /// texts.
    fn compare(&self, expected: &Json, got: &Value) -> Result<(), Fault> {
        let declaration = self.declaration();
        let Some(outputs) = &declaration.output else {
            return self.compare_undeclared(expected, got);
        };
        let typed = Declaration {
            input: Some(outputs.clone()),
            ..declaration.clone()
        };
        let read = |json: &Json| match sio::bind(&typed, Value::from(json), &[]) {
            Ok(bound) => plain(&bound),
            // What does not fit shows as it is.
            Err(_misfit) => settled(json.clone()),
        };
        let known = |name: &str| outputs.iter().any(|field| field.name == name);
        let mut expected = expected.clone();
        let strange = expected
            .as_object()
            .and_then(|map| map.keys().find(|name| !known(name)));
        if let Some(name) = strange {
            let message = format!("'{name}' is no output of the service");
            return Err(Fault::new(Code::TestFailed, message));
        }
        let mut got = Json::from(got);
        if !matches!(self.exposure, Exposure::Json | Exposure::Direct) {
            // An empty list cannot be seen in XML.
            drop_empty(&mut expected);
            drop_empty(&mut got);
        }
        compare::check(&read(&expected), &read(&got))
    }

    /// Compares an output that may be anything: both sides as the format reads what it wrote.
    fn compare_undeclared(&self, expected: &Json, got: &Value) -> Result<(), Fault> {
        if matches!(self.exposure, Exposure::Direct | Exposure::Json) {
            return compare::check(&settled(expected.clone()), &plain(got));
        }
        let declaration = self.declaration();
        let client = Client::new(self.project, &declaration.name, self.exposure)?;
        let expected = client.read(&client.answer(declaration, expected)?)?;
        compare::check(&plain(&expected), &plain(got))
    }

    fn failed(&self, error: &ErrorSpec, failed: &Failed) -> Result<(), Wrong> {
        let wrong = |name: &str, expected: &str, got: &str| {
            let message = format!("expected the {name} {expected}, got {got}");
            let fault = Fault::new(Code::TestFailed, message).detail(failed.fault.block());
            Err((format!("/error/{name}"), fault))
        };
        let Problem { code, pointers } = &failed.problem;
        if let Some(expected) = error.code.as_ref().filter(|expected| *expected != code) {
            return wrong("code", expected, code);
        }
        let soap = matches!(self.exposure, Exposure::Soap11 | Exposure::Soap12);
        let status = error
            .status
            .filter(|expected| !soap && *expected != failed.status);
        if let Some(expected) = status {
            return wrong("status", &expected.to_string(), &failed.status.to_string());
        }
        match &error.pointer {
            Some(expected) if !pointers.contains(expected) => {
                let got = if pointers.is_empty() {
                    "none".to_owned()
                } else {
                    pointers.join(", ")
                };
                wrong("pointer", expected, &got)
            }
            _ => Ok(()),
        }
    }

    fn effects(&self, scene: &Scene) -> Vec<Wrong> {
        let mut wrong = Vec::new();
        for (index, log) in self.case.logs.iter().enumerate() {
            let level = log.level.map(super::cases::Level::name);
            let checked = scene.check_logged(level, &log.text);
            wrong.extend(checked.err().map(|fault| (format!("/logs/{index}"), fault)));
        }
        for (key, expected) in &self.case.kvdb {
            let checked = scene.keys.check(key, expected);
            wrong.extend(checked.err().map(|fault| (format!("/kvdb/{key}"), fault)));
        }
        for (name, called) in &self.case.called.http {
            let checked = scene
                .mocks
                .check_called(name, &of_called(called), called.times);
            let pointer = format!("/called/http/{name}");
            wrong.extend(checked.err().map(|fault| (pointer, fault)));
        }
        wrong
    }

    fn golden(&self, got: &Got) -> Result<(), Wrong> {
        let (Some((path, golden)), Some(reply)) = (&self.golden, &got.reply) else {
            return Ok(());
        };
        let root = self.project.directory.root();
        let checked = golden::check(root, path, &reply.body, *golden);
        checked.map_err(|fault| (String::new(), fault))
    }
}

impl Failed {
    fn direct(fault: Fault) -> Self {
        let errors = fault.field_errors().iter();
        Self {
            problem: Problem {
                code: fault.code_text().to_owned(),
                pointers: errors.map(crate::base::FieldError::pointer).collect(),
            },
            status: fault.status(),
            fault,
        }
    }
}

fn drop_empty(json: &mut Json) {
    match json {
        Json::Object(map) => {
            map.retain(|_, value| value.as_array().is_none_or(|list| !list.is_empty()));
            map.values_mut().for_each(drop_empty);
        }
        Json::Array(list) => list.iter_mut().for_each(drop_empty),
        _ => {}
    }
}

type Pairs = std::collections::BTreeMap<String, Json>;

fn pairs(pairs: &Pairs) -> Vec<(String, Option<String>)> {
    let pairs = pairs.iter();
    pairs
        .flat_map(|(name, value)| each(name, Value::from(value)))
        .collect()
}

fn wanted(spec: &MockSpec) -> Wanted {
    Wanted {
        method: spec.method.as_ref().map(|method| method.to_uppercase()),
        path: spec.path.clone(),
        query: pairs(&spec.query),
        headers: pairs(&spec.headers),
        body: spec.body.clone().map(Into::into),
        json: spec.json.clone().map(settled),
    }
}

fn of_called(spec: &CalledSpec) -> Wanted {
    Wanted {
        method: spec.method.as_ref().map(|method| method.to_uppercase()),
        path: spec.path.clone(),
        query: pairs(&spec.query),
        headers: pairs(&spec.headers),
        body: spec.body.clone().map(Into::into),
        json: spec.json.clone().map(settled),
    }
}

fn prepared(spec: &MockSpec, scene: &Scene) -> Result<Prepared, Fault> {
    match (&spec.reply, &spec.fail) {
        (Some(reply), None) => replied(reply, scene),
        (None, Some(how)) => failure(how),
        _ => Err(Fault::new(
            Code::NotMocked,
            "a mock has either `reply` or `fail`",
        )),
    }
}

fn replied(spec: &ReplySpec, scene: &Scene) -> Result<Prepared, Fault> {
    let mut headers: Vec<(String, String)> = spec.headers.clone().into_iter().collect();
    let body = match (&spec.body, &spec.json, &spec.fixture) {
        (Some(text), None, None) => text.clone().into(),
        (None, Some(json), None) => {
            let named = headers
                .iter()
                .any(|(name, _)| name.eq_ignore_ascii_case("content-type"));
            if !named {
                headers.push(("content-type".to_owned(), "application/json".to_owned()));
            }
            json.to_string().into()
        }
        (None, None, Some(path)) => read_fixture(scene, path)?,
        (None, None, None) => bytes::Bytes::new(),
        _ => {
            let message = "an answer has one of `body`, `json` and `fixture`";
            return Err(Fault::new(Code::NotMocked, message));
        }
    };
    Ok(Prepared::Reply {
        status: spec.status,
        headers,
        body,
    })
}
