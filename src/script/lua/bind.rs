//! Makes Luau functions of host functions. They need no reference to the call: the meter knows which one runs.

use std::cell::Cell;
use std::panic::AssertUnwindSafe;
use std::rc::Rc;

use futures_util::FutureExt as _;
use mlua::{Function, Lua, MultiValue};

use crate::base::{Code, Fault, LocalBoxFuture, Value};
use crate::contract::{Args, Call, HostCall, HostFn, Receiver, Started, Type};
use crate::script::host;
use crate::script::lua::bridge::{Bridge, Pending, raise};
use crate::script::lua::convert::Reader;
use crate::script::lua::poll::MemoryGuard;
use crate::script::meter::Running;

/// The table a function belongs to, by address: `ctx.kvdb:get(k)` and `ctx.kvdb.get(k)` mean the same.
pub(crate) type Owner = Rc<Cell<usize>>;

/// One host function in one VM.
#[derive(Clone)]
struct Bound {
    bridge: Rc<Bridge>,
    function: &'static HostFn,
    owner: Owner,
}

/// Makes the Luau function of a host function. Must run before `coroutine` is removed.
pub(crate) fn bind(
    lua: &Lua,
    bridge: &Rc<Bridge>,
    function: &'static HostFn,
    owner: &Owner,
) -> mlua::Result<Function> {
    let bound = Bound {
        bridge: Rc::clone(bridge),
        function,
        owner: Rc::clone(owner),
    };
    let made = match function.call {
        HostCall::Now(call) => lua.create_function(move |lua, args: MultiValue| {
            let (running, args) = bound.enter(lua, args)?;
            let result = std::panic::catch_unwind(AssertUnwindSafe(|| call(&running.call, args)));
            bound.leave(lua, settle(&running, function, result)?)
        })?,
        HostCall::Wait(call) => lua.create_async_function(move |lua, args: MultiValue| {
            let bound = bound.clone();
            async move {
                let (running, args) = bound.enter(&lua, args)?;
                let future = call(Rc::clone(&running.call), args);
                let result = AssertUnwindSafe(future).catch_unwind().await;
                bound.leave(&lua, settle(&running, function, result)?)
            }
        })?,
        HostCall::Either(call) => {
            let start = lua.create_function(move |lua, args: MultiValue| {
                let (running, args) = bound.enter(lua, args)?;
                let started =
                    std::panic::catch_unwind(AssertUnwindSafe(|| call(&running.call, args)));
                bound.started(lua, running, started)
            })?;
            return bridge.either.call(start);
        }
    };
    match function.returns {
        Type::Int | Type::Number | Type::Any => bridge.exact.call(made),
        _ => Ok(made),
    }
}

impl Bound {
    fn enter(&self, lua: &Lua, args: MultiValue) -> mlua::Result<(Rc<Running>, Args)> {
        let _lifted = MemoryGuard::set(lua, 0);
        let running = self
            .bridge
            .meter
            .running()
            .ok_or_else(|| raise(no_call(self.function)))?;
        let args = self.read(args).map_err(raise)?;
        host::admit(&running.call, self.function).map_err(raise)?;
        Ok((running, args))
    }

    fn leave(&self, lua: &Lua, value: Value) -> mlua::Result<mlua::Value> {
        let _lifted = MemoryGuard::set(lua, 0);
        let value = self.bridge.answer(lua, value)?;
        if let (Type::Each, mlua::Value::Table(list)) = (self.function.returns, &value) {
            list.set_metatable(Some(self.bridge.each.clone()))?;
        }
        Ok(value)
    }

    /// Returns the value of what is done, or nothing and what to wait for.
    fn started(
        &self,
        lua: &Lua,
        running: Rc<Running>,
        started: Result<Started, Panic>,
    ) -> mlua::Result<(mlua::Value, mlua::Value)> {
        let result = match started {
            Ok(Started::Later(future)) => {
                return Ok((mlua::Value::Nil, self.later(lua, running, future)?));
            }
            Ok(Started::Done(result)) => Ok(result),
            Err(panic) => Err(panic),
        };
        let value = settle(&running, self.function, result)?;
        Ok((self.leave(lua, value)?, mlua::Value::Nil))
    }

    fn later(
        &self,
        lua: &Lua,
        running: Rc<Running>,
        future: LocalBoxFuture<'static, Result<Value, Fault>>,
    ) -> mlua::Result<mlua::Value> {
        let (bound, own) = (self.clone(), lua.weak());
        let pending = Pending(Box::pin(async move {
            let result = AssertUnwindSafe(future).catch_unwind().await;
            let value = settle(&running, bound.function, result)?;
            bound.leave(&own.upgrade(), value)
        }));
        let _lifted = MemoryGuard::set(lua, 0);
        lua.create_userdata(pending).map(mlua::Value::UserData)
    }

    fn read(&self, args: MultiValue) -> Result<Args, Fault> {
        let mut given = args.into_iter().peekable();
        let mut values = Vec::with_capacity(given.len());
        match self.function.receiver {
            Receiver::Method => values.push(self.receiver(given.next())?),
            Receiver::Ctx => drop(given.next_if(|first| self.owns(first))),
            Receiver::Library => {}
        }
        host::check_count(self.function, given.len())?;
        for (index, value) in given.enumerate() {
            let name = self.function.args.get(index).or(self.function.args.last());
            let name = name.map_or("value", |arg| arg.name);
            values.push(Reader::argument(name).read(&value)?);
        }
        Ok(Args::new(values))
    }

    /// Tells whether a value is the table the function was taken from, or a context of it.
    fn owns(&self, value: &mlua::Value) -> bool {
        let mlua::Value::Table(table) = value else {
            return false;
        };
        let owner = self.owner.get();
        let meta = || table.metatable().map(|meta| meta.to_pointer() as usize);
        table.to_pointer() as usize == owner || meta() == Some(owner)
    }

    fn receiver(&self, first: Option<mlua::Value>) -> Result<Value, Fault> {
        let value = first.unwrap_or(mlua::Value::Nil);
        let (class, method) = host::split(self.function.path);
        match Reader::new("object").read(&value)? {
            Value::Handle(handle) if handle.0.class() == class => Ok(Value::Handle(handle)),
            _ => Err(Fault::new(
                Code::ScriptArgument,
                format!("'{method}' needs the object it belongs to"),
            )
            .hint(format!("Call it with a colon: `object:{method}(…)`."))),
        }
    }
}

type Panic = Box<dyn std::any::Any + Send>;
type Caught = Result<Result<Value, Fault>, Panic>;

/// Turns a panic into a fault that ends the call: a script cannot catch it and go on.
fn settle(running: &Running, function: &HostFn, result: Caught) -> mlua::Result<Value> {
    let result = result.unwrap_or_else(|panic| {
        let text = panic.downcast_ref::<String>().cloned();
        let text = text.or_else(|| panic.downcast_ref::<&str>().map(ToString::to_string));
        let path = function.path;
        let fault = Fault::new(Code::Internal, format!("host function '{path}' failed"))
            .detail(format!("panic: {}", text.unwrap_or_default()));
        running.end(fault.clone());
        Err(fault)
    });
    result.map_err(raise)
}

fn no_call(function: &HostFn) -> Fault {
    let path = function.path;
    Fault::new(
        Code::ScriptError,
        format!("'{path}' works only while a message is handled"),
    )
}

/// Returns the call that runs now, for functions that are not in the tables.
pub(crate) fn current(bridge: &Bridge, what: &str) -> mlua::Result<Rc<Call>> {
    let running = bridge.meter.running().ok_or_else(|| {
        raise(Fault::new(
            Code::ScriptError,
            format!("{what} works only while a message is handled"),
        ))
    })?;
    Ok(Rc::clone(&running.call))
}
