//! Everything a script can do, each declared once. Both languages, editor stubs and the reference walk the same table.

use std::cell::Cell;
use std::rc::Rc;
use std::sync::Arc;

use tokio::sync::Semaphore;

use crate::base::{Code, Fault, Handle, LocalBoxFuture, Map, Text, Value};
use crate::contract::{Core, Ctx, Declaration};

/// A host function.
pub struct HostFn {
    /// Its full name: `kvdb.get`, `json.parse`, `xml.node.text`, `outgoing.http.get`.
    pub path: &'static str,
    /// How scripts reach it.
    pub receiver: Receiver,
    /// The arguments, without the receiver.
    pub args: &'static [Arg],
    /// What it returns.
    pub returns: Type,
    /// What it touches.
    pub effect: Effect,
    /// One sentence, then more where needed.
    pub doc: &'static str,
    /// At least one example; each runs as a test.
    pub examples: &'static [Example],
    /// The function.
    pub call: HostCall,
}

/// How scripts reach a host function.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Receiver {
    /// On the context: `ctx.kvdb:get(…)` for the path `kvdb.get`, `ctx:invoke(…)` for the path `invoke`.
    Ctx,
    /// A library: `json.parse(…)` for the path `json.parse`.
    Library,
    /// A method of a host object: `node:text(…)` for the path `xml.node.text`, class `xml.node`.
    /// The object is the first of the arguments the function gets.
    Method,
}

/// One argument of a host function.
pub struct Arg {
    /// The name, for documentation and named errors.
    pub name: &'static str,
    /// The type.
    pub ty: Type,
    /// Whether it may be left out.
    pub optional: bool,
}

/// The type of an argument or result, as stubs and messages name it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Type {
    /// Nothing.
    Nothing,
    /// A truth value.
    Bool,
    /// An integer.
    Int,
    /// A number.
    Number,
    /// A text or bytes.
    Text,
    /// Seconds, or a text such as `30s`.
    Duration,
    /// Anything.
    Any,
    /// A list of the host's own making: where a member is missing it has a gap.
    List,
    /// A map.
    Map,
    /// A function of the script.
    Function,
    /// Any number of further values; only as the last argument.
    Rest,
    /// A list that `for` walks directly: `for row in doc:each(…) do`.
    Each,
    /// A host object of the class.
    Object(&'static str),
}

/// What a host function touches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Nothing: the same arguments give the same result.
    Pure,
    /// It reads state.
    Read,
    /// It changes state.
    Write,
    /// It talks to a peer.
    Network,
}

/// An example that runs as a test.
pub struct Example {
    /// A Lua expression.
    pub lua: &'static str,
    /// The same in Rhai.
    pub rhai: &'static str,
    /// The result, as JSON.
    pub result: &'static str,
}

/// The function behind a host function. An error becomes a script error that `pcall` can catch.
#[derive(Clone, Copy)]
pub enum HostCall {
    /// Returns at once.
    Now(fn(&Rc<Call>, Args) -> Result<Value, Fault>),
    /// May wait; the script is suspended and its core serves others.
    Wait(fn(Rc<Call>, Args) -> LocalBoxFuture<'static, Result<Value, Fault>>),
    /// Mostly returns at once, as what is kept in memory does; else as `Wait`.
    Either(fn(&Rc<Call>, Args) -> Started),
}

/// A host function under way.
pub enum Started {
    /// Finished already; the script need not be suspended.
    Done(Result<Value, Fault>),
    /// Finishes later.
    Later(LocalBoxFuture<'static, Result<Value, Fault>>),
}

/// The call a host function is part of.
pub struct Call {
    /// The core it runs on.
    pub core: Rc<Core>,
    /// The context.
    pub ctx: Ctx,
    /// The service that runs.
    pub service: Arc<Declaration>,
    /// Bytes written to the log so far.
    pub log_used: Cell<usize>,
    /// Outgoing calls made so far.
    pub outgoing_used: Cell<u32>,
    /// One permit for each outgoing call that may be under way.
    pub outgoing_turns: Semaphore,
}

/// The arguments of a call, read one after the other.
#[derive(Clone, Debug, Default)]
pub struct Args {
    values: Vec<Value>,
}

impl Args {
    /// Wraps arguments in order.
    pub fn new(values: Vec<Value>) -> Self {
        Self { values }
    }

    /// Returns how many were given.
    pub fn len(&self) -> usize {
        self.values.len()
    }

    /// Tells whether none was given.
    pub fn is_empty(&self) -> bool {
        self.values.is_empty()
    }

    /// Takes argument `index`; `Null` when it was left out.
    pub fn take(&mut self, index: usize) -> Value {
        self.values
            .get_mut(index)
            .map(std::mem::take)
            .unwrap_or_default()
    }

    /// Returns argument `index`, if it was given.
    pub fn get(&self, index: usize) -> Option<&Value> {
        self.values.get(index).filter(|value| !value.is_null())
    }

    /// Takes the arguments from `index` on.
    pub fn rest(&mut self, index: usize) -> Vec<Value> {
        self.values.split_off(index.min(self.values.len()))
    }

    /// Takes a text; numbers become text as scripts expect.
    pub fn text(&mut self, index: usize, name: &str) -> Result<Text, Fault> {
        let value = self.take(index);
        let scalar = matches!(
            value,
            Value::Text(_) | Value::Int(_) | Value::Float(_) | Value::Decimal(_)
        );
        scalar
            .then(|| value.to_text())
            .flatten()
            .ok_or_else(|| wrong(name, "a text", &value))
    }

    /// Takes an integer; a float without a fraction counts as one.
    #[expect(
        clippy::cast_possible_truncation,
        reason = "the guard keeps to whole numbers within ±2^53"
    )]
    pub fn int(&mut self, index: usize, name: &str) -> Result<i64, Fault> {
        match self.take(index) {
            Value::Int(number) => Ok(number),
            Value::Float(number)
                if number.fract() == 0.0 && number.abs() <= 9_007_199_254_740_992.0 =>
            {
                Ok(number as i64)
            }
            other => Err(wrong(name, "an integer", &other)),
        }
    }

    /// Takes a map; an empty one when it was left out.
    pub fn map(&mut self, index: usize, name: &str) -> Result<Map, Fault> {
        match self.take(index) {
            Value::Map(map) => Ok(map),
            Value::Null => Ok(Map::new()),
            Value::List(list) if list.is_empty() => Ok(Map::new()),
            other => Err(wrong(name, "a table of named values", &other)),
        }
    }

    /// Takes a host object.
    pub fn handle(&mut self, index: usize, name: &str) -> Result<Handle, Fault> {
        match self.take(index) {
            Value::Handle(handle) => Ok(handle),
            other => Err(wrong(name, "an object", &other)),
        }
    }
}

fn wrong(name: &str, wanted: &str, got: &Value) -> Fault {
    let got = if got.is_null() { "nothing" } else { got.kind() };
    Fault::new(
        Code::ScriptArgument,
        format!("argument `{name}` must be {wanted}, got {got}"),
    )
}
