//! Makes Luau functions of host functions. They need no reference to the call: the meter knows which one runs.

use std::cell::Cell;
use std::panic::AssertUnwindSafe;
use std::rc::Rc;

use futures_util::FutureExt as _;
use mlua::{FromLuaMulti, Function, Lua, MultiValue, Table};

use crate::base::{Code, Fault, LocalBoxFuture, Telling, Value};
use crate::contract::{Args, Call, HostCall, HostFn, Receiver, Started, Type};
use crate::script::context::{self, Panic, settle};
use crate::script::host;
use crate::script::lua::bridge::{Bridge, Pending, raise};
use crate::script::lua::convert::Reader;
use crate::script::lua::memory::MemoryGuard;
use crate::script::lua::vm;
use crate::script::meter::Running;
use crate::script::telling;

/// The table a function belongs to, by address: `ctx.kvdb:get(k)` and `ctx.kvdb.get(k)` mean the same.
pub(crate) type Owner = Rc<Cell<usize>>;

/// One host function in one VM.
#[derive(Clone)]
struct Bound {
    bridge: Rc<Bridge>,
    function: &'static HostFn,
    owner: Owner,
}

/// How the arguments of a function come.
trait Given: FromLuaMulti + 'static {
    /// Lends them, without those left out at the end.
    fn lend<R>(self, use_them: impl FnOnce(&[mlua::Value]) -> R) -> R;
}

/// Those of a function that takes few: they need no list, and what is too much still shows.
type Few = (
    mlua::Value,
    mlua::Value,
    mlua::Value,
    mlua::Value,
    mlua::Value,
);

impl Given for Few {
    fn lend<R>(self, use_them: impl FnOnce(&[mlua::Value]) -> R) -> R {
        let all = [self.0, self.1, self.2, self.3, self.4];
        let count = all.iter().rposition(|value| !value.is_nil());
        use_them(
            all.get(..count.map_or(0, |last| last + 1))
                .unwrap_or_default(),
        )
    }
}

impl Given for MultiValue {
    fn lend<R>(self, use_them: impl FnOnce(&[mlua::Value]) -> R) -> R {
        use_them(&self.into_vec())
    }
}

fn takes_few(function: &HostFn) -> bool {
    let open = function.args.last().is_some_and(|arg| arg.ty == Type::Rest);
    // One more for the receiver, one for what is too much.
    !open && function.args.len() <= 3
}

/// Makes the Luau function of a host function. Must run before `coroutine` is removed. `space` is the table it stands
/// in, where that is one table for all calls.
pub(crate) fn bind(
    lua: &Lua,
    bridge: &Rc<Bridge>,
    function: &'static HostFn,
    owner: &Owner,
    space: Option<&Table>,
) -> mlua::Result<Function> {
    let bound = Bound {
        bridge: Rc::clone(bridge),
        function,
        owner: Rc::clone(owner),
    };
    if takes_few(function) {
        bound.make::<Few>(lua, space)
    } else {
        bound.make::<MultiValue>(lua, space)
    }
}

impl Bound {
    fn make<G: Given>(self, lua: &Lua, space: Option<&Table>) -> mlua::Result<Function> {
        let (bridge, returns) = (Rc::clone(&self.bridge), self.function.returns);
        let made = match self.function.call {
            HostCall::Now(call) => self.now::<G>(lua, call)?,
            HostCall::Wait(call) => self.wait::<G>(lua, call)?,
            HostCall::Either(call) if bridge.waits => {
                self.wait::<G>(lua, move |running, args| match call(&running, args) {
                    Started::Done(result) => Box::pin(std::future::ready(result)),
                    Started::Later(future) => future,
                })?
            }
            HostCall::Either(call) => {
                let start = self.either::<G>(lua, call)?;
                let space =
                    space.map_or_else(|| bridge.big.clone(), |it| mlua::Value::Table(it.clone()));
                return bridge.either.call((start, space));
            }
        };
        match returns {
            Type::Int | Type::Number | Type::Any => bridge.exact.call(made),
            _ => Ok(made),
        }
    }

    fn now<G: Given>(self, lua: &Lua, call: NowCall) -> mlua::Result<Function> {
        lua.create_function(move |lua, given: G| {
            let _lifted = MemoryGuard::set(lua, 0);
            let (entered, args) = self.enter(lua, given)?;
            let call = AssertUnwindSafe(|| call(&entered.running.call, args));
            let result = std::panic::catch_unwind(call);
            self.leave(lua, self.settle(&entered.running, entered.telling, result)?)
        })
    }

    fn wait<G: Given>(
        self,
        lua: &Lua,
        call: impl Fn(Rc<Call>, Args) -> LocalBoxFuture<'static, Result<Value, Fault>> + 'static,
    ) -> mlua::Result<Function> {
        let own = Rc::new((self, call));
        lua.create_async_function(move |lua, given: G| {
            let own = Rc::clone(&own);
            async move {
                let (bound, call) = &*own;
                let (entered, args) = {
                    let _lifted = MemoryGuard::set(&lua, 0);
                    bound.enter(&lua, given)?
                };
                let Entered { running, telling } = entered;
                let _turn = host::turn(&running.call, bound.function).await;
                // It may panic before it returns a future, too.
                let future = async { call(Rc::clone(&running.call), args).await };
                let result = AssertUnwindSafe(future).catch_unwind().await;
                let _lifted = MemoryGuard::set(&lua, 0);
                bound.leave(&lua, bound.settle(&running, telling, result)?)
            }
        })
    }

    fn either<G: Given>(self, lua: &Lua, call: EitherCall) -> mlua::Result<Function> {
        lua.create_function(move |lua, given: G| {
            let _lifted = MemoryGuard::set(lua, 0);
            let (entered, args) = self.enter(lua, given)?;
            let call = AssertUnwindSafe(|| call(&entered.running.call, args));
            let started = std::panic::catch_unwind(call);
            self.started(lua, entered, started)
        })
    }

    fn enter(&self, lua: &Lua, given: impl Given) -> mlua::Result<(Entered, Args)> {
        let running = self.bridge.meter.running();
        let running = running.ok_or_else(|| {
            let what = format!("'{}'", self.function.path);
            raise(context::no_call(&what))
        })?;
        let args = given.lend(|given| self.read(lua, given)).map_err(raise)?;
        let place = || vm::place(lua);
        let telling = telling::begin(&running.call, self.function, &args, place);
        if let Err(refused) = host::admit(&running.call, self.function, &args) {
            telling::end(telling, self.function, Err(&refused));
            return Err(raise(refused));
        }
        Ok((Entered { running, telling }, args))
    }

    fn leave(&self, lua: &Lua, value: Value) -> mlua::Result<mlua::Value> {
        let value = match self.function.returns {
            Type::List => self.bridge.gapped(lua, value)?,
            _ => self.bridge.answer(lua, value)?,
        };
        if let (Type::Each, mlua::Value::Table(list)) = (self.function.returns, &value) {
            list.set_metatable(Some(self.bridge.each.clone()))?;
        }
        Ok(value)
    }

    /// Returns the value of what is done, or nothing and what to wait for.
    fn started(
        &self,
        lua: &Lua,
        entered: Entered,
        started: Result<Started, Panic>,
    ) -> mlua::Result<(mlua::Value, mlua::Value)> {
        let result = match started {
            Ok(Started::Later(future)) => {
                return Ok((mlua::Value::Nil, self.later(lua, entered, future)?));
            }
            Ok(Started::Done(result)) => Ok(result),
            Err(panic) => Err(panic),
        };
        let value = self.settle(&entered.running, entered.telling, result)?;
        Ok((self.leave(lua, value)?, mlua::Value::Nil))
    }

    fn later(
        &self,
        lua: &Lua,
        entered: Entered,
        future: LocalBoxFuture<'static, Result<Value, Fault>>,
    ) -> mlua::Result<mlua::Value> {
        let (bound, own) = (self.clone(), lua.weak());
        let pending = Pending(Box::pin(async move {
            let result = AssertUnwindSafe(future).catch_unwind().await;
            let value = bound.settle(&entered.running, entered.telling, result)?;
            let lua = own.upgrade();
            let _lifted = MemoryGuard::set(&lua, 0);
            bound.leave(&lua, value)
        }));
        lua.create_userdata(pending).map(mlua::Value::UserData)
    }

    fn read(&self, lua: &Lua, given: &[mlua::Value]) -> Result<Args, Fault> {
        let mut given = given;
        let mut values = Vec::with_capacity(given.len());
        match (self.function.receiver, given.split_first()) {
            (Receiver::Method, None) => return Err(self.no_receiver()),
            (Receiver::Method, Some((first, rest))) => {
                values.push(self.receiver(first)?);
                given = rest;
            }
            (Receiver::Ctx, Some((first, rest))) if self.owns(first) => given = rest,
            (Receiver::Ctx | Receiver::Library, _) => {}
        }
        host::check_count(self.function, given.len())?;
        for (index, value) in given.iter().enumerate() {
            let name = self.function.args.get(index).or(self.function.args.last());
            let name = name.map_or("value", |arg| arg.name);
            values.push(Reader::argument(name).of(lua, &self.bridge).read(value)?);
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

    fn receiver(&self, first: &mlua::Value) -> Result<Value, Fault> {
        let (class, _) = host::split(self.function.path);
        match Reader::new("object").read(first)? {
            Value::Handle(handle) if handle.0.class() == class => Ok(Value::Handle(handle)),
            _ => Err(self.no_receiver()),
        }
    }

    fn no_receiver(&self) -> Fault {
        let (_, method) = host::split(self.function.path);
        let message = format!("'{method}' needs the object it belongs to");
        Fault::new(Code::ScriptArgument, message)
            .hint(format!("Call it with a colon: `object:{method}(…)`."))
    }

    /// What a call took is looked at before the script goes on: a loop around a long host call has few safepoints.
    fn settle(
        &self,
        running: &Running,
        telling: Option<Telling>,
        result: Caught,
    ) -> mlua::Result<Value> {
        self.bridge.meter.look_soon();
        let result = settle(running, self.function, result);
        telling::end(telling, self.function, result.as_ref());
        result.map_err(raise)
    }
}

/// A host call that is admitted.
struct Entered {
    running: Rc<Running>,
    telling: Option<Telling>,
}

type Caught = Result<Result<Value, Fault>, Panic>;
type NowCall = fn(&Rc<Call>, Args) -> Result<Value, Fault>;
type EitherCall = fn(&Rc<Call>, Args) -> Started;

/// Returns the call that runs now, for functions that are not in the tables.
pub(crate) fn current(bridge: &Bridge, what: &str) -> mlua::Result<Rc<Call>> {
    let running = bridge.meter.running();
    let running = running.ok_or_else(|| raise(context::no_call(what)))?;
    Ok(Rc::clone(&running.call))
}
