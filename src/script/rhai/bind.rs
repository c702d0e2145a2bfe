//! Makes Rhai functions of host functions. They need no reference to the call: the fiber knows which one runs.
//!
//! Rhai finds a function by its name, the number of arguments and their types. All namespaces are of one type, so a
//! function is registered for a name and each number of arguments, and looks up which one is meant.

use std::any::TypeId;
use std::collections::BTreeMap;
use std::panic::AssertUnwindSafe;
use std::rc::Rc;
use std::sync::Arc;

use futures_util::FutureExt as _;
use rhai::{Dynamic, Engine, EvalAltResult, FnPtr, NativeCallContext, Position};

use crate::base::{Fault, Place, Value};
use crate::contract::{Args, HostCall, HostFn, Receiver, Started, Type};
use crate::script::context::{self, settle, unknown};
use crate::script::host;
use crate::script::meter::Running;
use crate::script::rhai::convert::{Reader, to_rhai};
use crate::script::rhai::diagnostic::line_and_column;
use crate::script::rhai::object::{Held, Raised, Root, Space};
use crate::script::rhai::{fiber, task};
use crate::script::telling;

/// How many arguments a function with any number of them takes.
const MOST: usize = 16;

/// What a script's function call gives.
pub(crate) type Outcome<T = Dynamic> = Result<T, Box<EvalAltResult>>;

/// The host functions by where they are found.
#[derive(Default)]
pub(crate) struct Index {
    by_kind: BTreeMap<Kind, BTreeMap<&'static str, Names>>,
}

/// Functions by their names.
type Names = BTreeMap<&'static str, &'static HostFn>;

/// What a function belongs to.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Kind {
    /// `ctx` itself, or a namespace of it.
    Ctx,
    /// A library.
    Library,
    /// A class of host objects.
    Class,
}

impl Index {
    /// Sorts the host functions.
    pub(crate) fn new(tables: &[&'static [HostFn]]) -> Arc<Self> {
        let mut index = Self::default();
        for function in tables.iter().flat_map(|table| table.iter()) {
            let (place, name) = host::split(function.path);
            let kind = match function.receiver {
                Receiver::Ctx => Kind::Ctx,
                Receiver::Library => Kind::Library,
                Receiver::Method => Kind::Class,
            };
            let places = index.by_kind.entry(kind).or_default();
            places.entry(place).or_default().insert(name, function);
        }
        Arc::new(index)
    }

    /// Finds a function.
    pub(crate) fn find(&self, kind: Kind, place: &str, name: &str) -> Option<&'static HostFn> {
        self.names(kind, place)?.get(name).copied()
    }

    /// Returns the names in a place.
    pub(crate) fn names(&self, kind: Kind, place: &str) -> Option<&Names> {
        self.by_kind.get(&kind)?.get(place)
    }

    /// Returns the functions of every place.
    fn everywhere(&self) -> impl Iterator<Item = (Kind, &'static str, &Names)> {
        let kinds = self.by_kind.iter();
        kinds.flat_map(|(kind, places)| {
            let places = places.iter();
            places.map(move |(place, names)| (*kind, *place, names))
        })
    }

    /// Returns the functions of a name, on all places.
    fn all(&self, name: &str) -> Arc<[(Kind, &'static str, &'static HostFn)]> {
        let found = self.everywhere().filter_map(|(kind, place, names)| {
            let function = names.get(name).copied()?;
            Some((kind, place, function))
        });
        found.collect()
    }

    fn no_function(&self, kind: Kind, place: &str, name: &str) -> Fault {
        let shown = match (kind, place) {
            (Kind::Ctx, "") => "ctx".to_owned(),
            (Kind::Ctx, place) => format!("ctx.{place}"),
            (Kind::Library | Kind::Class, place) => place.to_owned(),
        };
        let names = self.names(kind, place).into_iter();
        unknown(&shown, name, names.flat_map(BTreeMap::keys).copied())
    }

    /// Returns the places of a kind.
    pub(crate) fn places(&self, kind: Kind) -> impl Iterator<Item = &'static str> + '_ {
        let places = self.by_kind.get(&kind).into_iter();
        let places = places.flat_map(|places| places.keys().copied());
        places.filter(|place| !place.is_empty())
    }

    /// Returns the names of functions, each with the most arguments it may be called with, on places that `holds`.
    fn arities(&self, holds: impl Fn(Kind, &str) -> bool) -> BTreeMap<&'static str, usize> {
        let mut arities = BTreeMap::new();
        let held = self
            .everywhere()
            .filter(|(kind, place, _)| holds(*kind, place));
        for (name, function) in held.flat_map(|(_, _, names)| names) {
            let open = function.args.last().is_some_and(|arg| arg.ty == Type::Rest);
            // One more, so that too many are explained.
            let most = if open { MOST } else { function.args.len() + 1 };
            let known = arities.entry(*name).or_insert(most);
            *known = most.max(*known);
        }
        arities
    }
}

/// Registers all host functions.
pub(crate) fn install(engine: &mut Engine, index: &Arc<Index>) {
    let on_ctx = index.arities(|kind, place| kind == Kind::Ctx && place.is_empty());
    register::<Root>(engine, index, &on_ctx, |_| (Kind::Ctx, ""));
    functions_of_ctx(engine, index);
    let in_spaces = index.arities(|kind, place| kind != Kind::Class && !place.is_empty());
    register::<Space>(engine, index, &in_spaces, |space| {
        let kind = match space.receiver {
            Receiver::Ctx => Kind::Ctx,
            Receiver::Library | Receiver::Method => Kind::Library,
        };
        (kind, space.name)
    });
    let on_objects = index.arities(|kind, _| kind == Kind::Class);
    register::<Held>(engine, index, &on_objects, |held| {
        (Kind::Class, held.0.0.class())
    });
}

/// Registers the functions of `ctx` that take a function: they get what became of calling it.
fn functions_of_ctx(engine: &mut Engine, index: &Arc<Index>) {
    let names = index.names(Kind::Ctx, "").into_iter();
    let functions = names.flat_map(BTreeMap::values).copied();
    for function in functions.filter(|function| host::takes_function(function)) {
        let (_, name) = host::split(function.path);
        for count in 0..function.args.len() {
            let mut types = vec![TypeId::of::<Root>(), TypeId::of::<FnPtr>()];
            types.extend(std::iter::repeat_n(TypeId::of::<Dynamic>(), count));
            let call = move |at: NativeCallContext<'_>, args: &mut [&mut Dynamic]| {
                let Some([_, given @ ..]) = args.get_mut(..) else {
                    return Err(raise(context::no_call(name)));
                };
                if let Some(first) = given.first_mut() {
                    **first = tried(&at, std::mem::take(*first))?;
                }
                call(function, None, given, Some(&at)).map_err(|error| placed(error, &at))
            };
            engine.register_raw_fn(name, types, call);
        }
    }
}

/// Calls a function of the script and returns what became of it.
fn tried(at: &NativeCallContext<'_>, function: Dynamic) -> Outcome {
    let Some(function) = function.try_cast::<FnPtr>() else {
        return Ok(Dynamic::UNIT);
    };
    let mut outcome = rhai::Map::new();
    let result = handed_ctx(at, &function);
    outcome.insert("failed".into(), result.is_err().into());
    if let Err(error) = result {
        if matches!(*error, EvalAltResult::ErrorTerminated(..)) {
            return Err(error);
        }
        let raised = match error.unwrap_inner() {
            EvalAltResult::ErrorRuntime(value, _) => {
                value.read_lock::<Raised>().map(|it| it.clone())
            }
            _ => None,
        };
        match raised {
            Some(raised) => {
                for field in ["code", "status", "message"] {
                    outcome.insert(field.into(), to_rhai(&raised.field(field)));
                }
            }
            None => drop(outcome.insert("message".into(), error.to_string().into())),
        }
    }
    Ok(outcome.into())
}

/// Calls a closure with `ctx`, or with nothing when it takes nothing.
fn handed_ctx(at: &NativeCallContext<'_>, function: &FnPtr) -> Outcome {
    let result = function.call_within_context(at, (Root,));
    match &result {
        Err(error)
            if let EvalAltResult::ErrorFunctionNotFound(missing, _) = &**error
                && missing.starts_with(function.fn_name()) =>
        {
            function.call_within_context(at, ())
        }
        _ => result,
    }
}

/// Registers functions on one type of receiver. `locate` tells what a value of it stands for.
fn register<T: Clone + Send + Sync + 'static>(
    engine: &mut Engine,
    index: &Arc<Index>,
    arities: &BTreeMap<&'static str, usize>,
    locate: fn(&T) -> (Kind, &'static str),
) {
    for (name, most) in arities {
        let all = index.all(name);
        for count in 0..=*most {
            let mut types = vec![TypeId::of::<T>()];
            types.extend(std::iter::repeat_n(TypeId::of::<Dynamic>(), count));
            let (name, index, found) = (*name, Arc::clone(index), Arc::clone(&all));
            let function = move |at: NativeCallContext<'_>, args: &mut [&mut Dynamic]| {
                let Some((receiver, given)) = args.split_first_mut() else {
                    return Err(raise(context::no_call(name)));
                };
                let place = receiver.read_lock::<T>().map(|own| locate(&own));
                let (kind, place) = place.ok_or_else(|| raise(context::no_call(name)))?;
                let function = found.iter().find(|it| (it.0, it.1) == (kind, place));
                let function = function.ok_or_else(|| raise(index.no_function(kind, place, name)));
                // A namespace is no argument.
                let receiver = (kind == Kind::Class).then(|| receiver.clone());
                call(function?.2, receiver, given, Some(&at)).map_err(|error| placed(error, &at))
            };
            engine.register_raw_fn(name, types, function);
        }
    }
}

/// Calls a host function with arguments of a script, `at` some place where that is known.
pub(crate) fn call(
    function: &'static HostFn,
    receiver: Option<Dynamic>,
    given: &mut [&mut Dynamic],
    at: Option<&NativeCallContext<'_>>,
) -> Outcome {
    let task = fiber::task();
    let task = task.ok_or_else(|| raise(context::no_call(&format!("'{}'", function.path))))?;
    let running = Rc::clone(&task.running);
    let result =
        read(function, receiver, given).and_then(|args| told(function, &running, args, at));
    // What it took is looked at before the script goes on.
    fiber::look_soon();
    match (result, running.over()) {
        (_, Some(over)) => Err(ended(&over)),
        (result, None) => result.map(|value| to_rhai(&value)).map_err(raise),
    }
}

fn told(
    function: &'static HostFn,
    running: &Rc<Running>,
    args: Args,
    at: Option<&NativeCallContext<'_>>,
) -> Result<Value, Fault> {
    let telling = telling::begin(&running.call, function, &args, || {
        let (line, column) = line_and_column(at?.call_position());
        Some(Place::new(at?.call_source()?, line, column))
    });
    let admitted = host::admit(&running.call, function, &args);
    let result = admitted.and_then(|()| run(function, running, args));
    telling::end(telling, function, result.as_ref());
    result
}

fn run(function: &'static HostFn, running: &Rc<Running>, args: Args) -> Result<Value, Fault> {
    match function.call {
        HostCall::Now(call) => {
            let result = std::panic::catch_unwind(AssertUnwindSafe(|| call(&running.call, args)));
            settle(running, function, result)
        }
        HostCall::Wait(call) => {
            let own = Rc::clone(&running.call);
            let future = async move {
                let _turn = host::turn(&own, function).await;
                call(Rc::clone(&own), args).await
            };
            later(function, running, future)
        }
        HostCall::Either(call) => {
            let begun = std::panic::catch_unwind(AssertUnwindSafe(|| call(&running.call, args)));
            match begun {
                Ok(Started::Done(result)) => result,
                Ok(Started::Later(future)) => later(function, running, future),
                Err(panic) => settle(running, function, Err(panic)),
            }
        }
    }
}

/// Waits for a host function. Only its polls are guarded against panics: a fiber that is dropped while it waits
/// unwinds from here, and nothing may hold that up.
fn later(
    function: &HostFn,
    running: &Running,
    future: impl Future<Output = Result<Value, Fault>>,
) -> Result<Value, Fault> {
    match fiber::wait(AssertUnwindSafe(future).catch_unwind()) {
        Some(result) => settle(running, function, result),
        None => Err(context::no_call(&format!("'{}'", function.path))),
    }
}

fn read(
    function: &HostFn,
    receiver: Option<Dynamic>,
    given: &mut [&mut Dynamic],
) -> Result<Args, Fault> {
    host::check_count(function, given.len())?;
    let mut values = Vec::with_capacity(given.len() + 1);
    if function.receiver == Receiver::Method
        && let Some(receiver) = receiver
    {
        values.push(Reader::new("object").read(receiver)?);
    }
    for (index, value) in given.iter_mut().enumerate() {
        let name = function.args.get(index).or(function.args.last());
        let name = name.map_or("value", |arg| arg.name);
        values.push(Reader::argument(name).read(std::mem::take(*value))?);
    }
    Ok(Args::new(values))
}

/// Notes where a call ended that no script can catch: Rhai forgets it on the way out.
#[expect(
    clippy::unnecessary_box_returns,
    reason = "the interpreter's results hold a box"
)]
fn placed(error: Box<EvalAltResult>, at: &NativeCallContext<'_>) -> Box<EvalAltResult> {
    if let EvalAltResult::ErrorTerminated(value, _) = &*error
        && let Some(raised) = value.read_lock::<Raised>()
        && let (Some(path), Some(task)) = (at.call_source(), fiber::task())
        && raised.0.place().is_none()
    {
        let (line, column) = line_and_column(at.call_position());
        let fault = raised.0.clone().at(Place::new(path, line, column));
        task.running.end_at(fault.clone());
        return ended(&fault);
    }
    error
}

/// Makes the error that a script sees and that keeps the fault inside. Rhai adds the place.
#[expect(
    clippy::unnecessary_box_returns,
    reason = "the interpreter's results hold a box"
)]
pub(crate) fn raise(fault: Fault) -> Box<EvalAltResult> {
    EvalAltResult::ErrorRuntime(Dynamic::from(Raised(fault)), Position::NONE).into()
}

/// Makes the error that no script can catch; why the call ends is latched in its account.
#[expect(
    clippy::unnecessary_box_returns,
    reason = "the interpreter's results hold a box"
)]
pub(crate) fn ended(over: &Fault) -> Box<EvalAltResult> {
    let over = Dynamic::from(Raised(over.clone()));
    EvalAltResult::ErrorTerminated(over, Position::NONE).into()
}

/// Returns a field that works only during a call.
pub(crate) fn current(what: &str) -> Outcome<Rc<task::Task>> {
    task::current(what).map_err(raise)
}
