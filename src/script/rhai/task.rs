//! One call of a service, or the trial of a file, as the engine's callbacks find it.

use std::cell::RefCell;
use std::rc::Rc;

use rhai::Dynamic;

use crate::base::{Fault, Value};
use crate::contract::Declaration;
use crate::script::context;
use crate::script::meter::{Meter, Running};
use crate::script::rhai::module::Loader;
use crate::script::rhai::{convert, fiber};

/// What runs.
pub(crate) struct Task {
    /// The meter of the core.
    pub(crate) meter: Rc<Meter>,
    /// The account of the call.
    pub(crate) running: Rc<Running>,
    /// The modules.
    pub(crate) loader: Loader,
    /// `ctx.request.input`.
    pub(crate) input: Input,
    /// What it answers so far.
    pub(crate) response: Response,
}

/// `ctx.request.input`: a copy each time it is read.
pub(crate) struct Input(RefCell<Source>);

/// What copies are made from. Most services read the input once, so only a second reader has a copy made to be kept.
enum Source {
    Given(Value),
    ReadOnce(Value),
    Kept(Dynamic),
}

impl Input {
    /// Makes copies of a value.
    pub(crate) fn of(value: Value) -> Self {
        Self(RefCell::new(Source::Given(value)))
    }

    /// Exchanges it with another.
    pub(crate) fn swap(&self, other: &Self) {
        self.0.swap(&other.0);
    }

    /// Returns a copy.
    pub(crate) fn get(&self) -> Dynamic {
        let mut source = self.0.borrow_mut();
        let (copy, next) = match std::mem::replace(&mut *source, Source::Kept(Dynamic::UNIT)) {
            Source::Given(value) => (convert::to_rhai(&value), Source::ReadOnce(value)),
            Source::ReadOnce(value) => {
                let made = convert::to_rhai(&value);
                (made.clone(), Source::Kept(made))
            }
            Source::Kept(made) => (made.clone(), Source::Kept(made)),
        };
        *source = next;
        copy
    }

    /// Puts a value of the script in its place.
    pub(crate) fn set(&self, value: Dynamic) {
        drop(self.0.replace(Source::Kept(value)));
    }
}

/// The fields of `ctx.response`.
#[derive(Default)]
pub(crate) struct Response {
    /// `payload`; nothing set yet means a map without names.
    pub(crate) payload: RefCell<Dynamic>,
    /// `status`.
    pub(crate) status: RefCell<Dynamic>,
    /// `headers`.
    pub(crate) headers: RefCell<Dynamic>,
    /// `content_type`.
    pub(crate) content_type: RefCell<Dynamic>,
}

impl Response {
    /// Returns a field by its name.
    pub(crate) fn field(&self, name: &str) -> Option<&RefCell<Dynamic>> {
        match name {
            "payload" => Some(&self.payload),
            "status" => Some(&self.status),
            "headers" => Some(&self.headers),
            "content_type" => Some(&self.content_type),
            _ => None,
        }
    }
}

impl Task {
    /// Starts a task.
    pub(crate) fn new(
        meter: Rc<Meter>,
        running: Rc<Running>,
        loader: Loader,
        input: Value,
    ) -> Rc<Self> {
        let empty = || RefCell::new(rhai::Map::new().into());
        let response = Response {
            payload: empty(),
            headers: empty(),
            ..Response::default()
        };
        Rc::new(Self {
            meter,
            running,
            loader,
            input: Input::of(input),
            response,
        })
    }

    /// Returns what the running service declares.
    pub(crate) fn declaration(&self) -> &Declaration {
        &self.running.call.service
    }
}

/// Returns the task that runs now, for what works only during a call.
pub(crate) fn current(what: &str) -> Result<Rc<Task>, Fault> {
    let task = fiber::task().filter(|task| !task.loader.is_open());
    task.ok_or_else(|| context::no_call(what))
}
