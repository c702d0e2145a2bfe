//! A service in Lua: one VM per service and core, made at first use; each call is a coroutine in it.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::rc::Rc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Weak};
use std::time::Duration;

use mlua::{Function, MultiValue, Table};
use tokio::sync::OnceCell;

use crate::base::{Code, Fault, LocalBoxFuture, Text, Value};
use crate::contract::{
    Answer, Call, Core, CoreLocal, Ctx, Declaration, HostFn, Service, Source, SourceSet,
};
use crate::script::lua::apart;
use crate::script::lua::convert::Reader;
use crate::script::lua::diagnostic;
use crate::script::lua::poll::{Bounds, Metered};
use crate::script::lua::vm::{Parts, Vm, text_of};
use crate::script::meter::{Manners, Meter, Running};

/// How much memory the VMs of one core may hold together, in bytes.
const CORE_MEMORY: usize = 256 << 20;
/// How long the top level of a file may run when a core loads it.
const LOAD_TIME: Duration = Duration::from_secs(1);
/// How many response headers a service may set, and their size together.
const MAX_HEADERS: usize = 64;
const MAX_HEADER_BYTES: usize = 32 << 10;

/// A service of one revision; all cores share it.
pub(crate) struct LuaService {
    program: Arc<Program>,
}

/// What a core needs to make a VM for a service. While a service or a call holds it, its VMs stay.
pub(crate) struct Program {
    id: u64,
    tables: Arc<[&'static [HostFn]]>,
    set: Arc<SourceSet>,
    source: Arc<Source>,
    declaration: Arc<Declaration>,
    /// Whether it held a core where it cannot give way; then it runs on a thread apart.
    apart: AtomicBool,
}

impl Program {
    /// Makes a program of a file that was tried.
    pub(crate) fn new(
        tables: Arc<[&'static [HostFn]]>,
        set: Arc<SourceSet>,
        source: &Arc<Source>,
        declaration: Declaration,
    ) -> Arc<Self> {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        Arc::new(Self {
            id: NEXT.fetch_add(1, Ordering::Relaxed),
            tables,
            set,
            source: Arc::clone(source),
            declaration: Arc::new(declaration),
            apart: AtomicBool::new(false),
        })
    }
}

impl LuaService {
    /// Makes the service of a program.
    pub(crate) fn new(program: Arc<Program>) -> Self {
        Self { program }
    }
}

impl Service for LuaService {
    fn declaration(&self) -> &Arc<Declaration> {
        &self.program.declaration
    }

    fn call<'a>(
        &'a self,
        core: &'a Rc<Core>,
        ctx: &'a Ctx,
        input: Value,
    ) -> LocalBoxFuture<'a, Result<Answer, Fault>> {
        let program = &self.program;
        Box::pin(async move {
            if program.apart.load(Ordering::Relaxed) && !apart::is_here(core) {
                apart::call(program, ctx, input).await
            } else {
                call_here(program, core, ctx, input).await
            }
        })
    }
}

/// Calls a service on this very core.
pub(crate) async fn call_here(
    program: &Arc<Program>,
    core: &Rc<Core>,
    ctx: &Ctx,
    input: Value,
) -> Result<Answer, Fault> {
    let instances = core.local::<Instances>();
    let slot = instances.slot(program);
    let make = || Instance::make(core, ctx, program);
    let instance = match slot.instance.get_or_try_init(make).await {
        Ok(instance) => Rc::clone(instance),
        Err(fault) => return Err(diagnostic::show(ours(fault), &program.set)),
    };
    instances.evict(program.id);
    let result = instance.run(core, ctx, input).await;
    if instance.spoiled.get() {
        instances.replace(program.id, &slot);
    }
    if instance.held.get() && !program.apart.swap(true, Ordering::Relaxed) {
        let service = program.declaration.name.as_str();
        tracing::warn!(service, "Service held its core; from now on it runs apart.");
    }
    result.map_err(|fault| diagnostic::show(ours(fault), &program.set))
}

/// The VMs of one core.
pub(crate) struct Instances {
    slots: RefCell<HashMap<u64, Rc<Slot>>>,
    /// How much memory they may hold together, in bytes.
    memory: Cell<usize>,
    /// Grows with each call; tells which VM was used last.
    turn: Cell<u64>,
}

impl CoreLocal for Instances {}

impl Default for Instances {
    fn default() -> Self {
        Self {
            slots: RefCell::default(),
            memory: Cell::new(CORE_MEMORY),
            turn: Cell::default(),
        }
    }
}

/// The place of one program's VM on one core.
struct Slot {
    program: Weak<Program>,
    instance: OnceCell<Rc<Instance>>,
    used: Cell<u64>,
}

impl Slot {
    fn memory(&self) -> usize {
        self.instance
            .get()
            .map_or(0, |instance| instance.vm.lua.used_memory())
    }
}

impl Instances {
    fn slot(&self, program: &Arc<Program>) -> Rc<Slot> {
        let turn = self.turn.get() + 1;
        self.turn.set(turn);
        let mut slots = self.slots.borrow_mut();
        let slot = slots.entry(program.id).or_insert_with(|| {
            Rc::new(Slot {
                program: Arc::downgrade(program),
                instance: OnceCell::new(),
                used: Cell::new(0),
            })
        });
        slot.used.set(turn);
        Rc::clone(slot)
    }

    /// Drops the VMs used longest ago while all together hold too much. Calls that run keep theirs.
    fn evict(&self, keep: u64) {
        let mut slots = self.slots.borrow_mut();
        let mut held: usize = slots.values().map(|slot| slot.memory()).sum();
        while held > self.memory.get() {
            let others = slots.iter().filter(|(id, _)| **id != keep);
            let Some(oldest) = others
                .min_by_key(|(_, slot)| slot.used.get())
                .map(|(id, _)| *id)
            else {
                return;
            };
            held -= slots.remove(&oldest).map_or(0, |slot| slot.memory());
        }
    }

    /// Forgets a VM that must not be used again; the next call makes a fresh one.
    fn replace(&self, id: u64, slot: &Rc<Slot>) {
        let mut slots = self.slots.borrow_mut();
        if slots.get(&id).is_some_and(|own| Rc::ptr_eq(own, slot)) {
            drop(slots.remove(&id));
        }
    }

    /// Returns how many VMs there are.
    #[cfg(test)]
    pub(crate) fn count(&self) -> usize {
        self.slots.borrow().len()
    }

    /// Sets how much memory the VMs may hold together.
    #[cfg(test)]
    pub(crate) fn bound(&self, memory: usize) {
        self.memory.set(memory);
    }

    /// Frees the VMs of programs that no service holds any more.
    pub(crate) fn sweep(&self) {
        let mut slots = self.slots.borrow_mut();
        slots.retain(|_, slot| slot.program.strong_count() > 0);
    }
}

/// A VM with its service loaded.
struct Instance {
    handle: Function,
    vm: Vm,
    meter: Rc<Meter>,
    declaration: Arc<Declaration>,
    /// Set after a memory error, or when too much stays in use.
    spoiled: Cell<bool>,
    /// Whether a call held the core where it cannot give way.
    held: Cell<bool>,
}

impl Instance {
    async fn make(core: &Rc<Core>, ctx: &Ctx, program: &Program) -> Result<Rc<Self>, Fault> {
        let meter = core.local::<Meter>();
        let parts = Parts {
            meter: &meter,
            tables: &program.tables,
            set: &program.set,
            declaration: Some(&program.declaration),
        };
        let vm = Vm::open(&parts).map_err(|error| diagnostic::fault_of(&error))?;
        let main = vm
            .compile(&program.source)
            .map_err(|error| diagnostic::fault_of(&error))?;
        let call = call_of(core, ctx, &program.declaration);
        let running = Running::new(call, LOAD_TIME, Manners::Shared);
        let bounds = Bounds {
            meter: Rc::clone(&meter),
            running: Rc::clone(&running),
            lua: vm.lua.clone(),
            memory: ctx.limits.memory,
        };
        let returned = Metered::new(main.call_async::<mlua::Value>(()), bounds).await;
        if let Some(over) = running.over() {
            return Err(over);
        }
        let returned = returned.map_err(|error| diagnostic::fault_of(&error))?;
        vm.loader.close();
        let handle = handle_of(&vm, &returned, &program.declaration)?;
        Ok(Rc::new(Self {
            handle,
            vm,
            meter,
            declaration: Arc::clone(&program.declaration),
            spoiled: Cell::new(false),
            held: Cell::new(false),
        }))
    }

    async fn run(&self, core: &Rc<Core>, ctx: &Ctx, input: Value) -> Result<Answer, Fault> {
        let limits = ctx.limits;
        let call = call_of(core, ctx, &self.declaration);
        let budget = Duration::from_millis(limits.cpu_ms);
        let running = Running::new(call, budget, Manners::Shared);
        let opened = self.vm.context.open(&self.vm.lua, &self.vm.bridge, input);
        let (context, response) = opened.map_err(|error| diagnostic::fault_of(&error))?;
        let bounds = Bounds {
            meter: Rc::clone(&self.meter),
            running: Rc::clone(&running),
            lua: self.vm.lua.clone(),
            memory: limits.memory,
        };
        let coroutine = self.handle.call_async::<MultiValue>(context);
        let result = Metered::new(coroutine, bounds).await;
        let result = result
            .map(drop)
            .map_err(|error| diagnostic::fault_of(&error));
        if running.held() {
            self.held.set(true);
        }
        let memory = matches!(&result, Err(fault) if fault.code() == Code::MemoryBudget);
        if memory || self.vm.lua.used_memory() > limits.memory / 4 * 3 {
            self.spoiled.set(true);
        }
        match (running.over(), result) {
            // Whatever the script made of it.
            (Some(over), _) => Err(over),
            (None, Err(fault)) => Err(fault),
            (None, Ok(())) => answer(&response),
        }
    }
}

/// At a call, a file that cannot be loaded is the server's failure, not the caller's.
fn ours(fault: Fault) -> Fault {
    match fault.code() {
        Code::ScriptModule | Code::ScriptCompile => fault.chosen(Some(500), None),
        _ => fault,
    }
}

fn call_of(core: &Rc<Core>, ctx: &Ctx, declaration: &Arc<Declaration>) -> Rc<Call> {
    Rc::new(Call {
        core: Rc::clone(core),
        ctx: ctx.clone(),
        service: Arc::clone(declaration),
        log_used: Cell::new(0),
        outgoing_used: Cell::new(0),
    })
}

/// Finds the function of a service by its name: the file may declare several.
fn handle_of(vm: &Vm, returned: &mlua::Value, wanted: &Declaration) -> Result<Function, Fault> {
    let declared = vm.loader.services(returned)?;
    let named = |table: &Table| {
        let name = table.raw_get::<mlua::Value>("name").ok()?;
        (text_of(&name)? == wanted.name.as_str())
            .then(|| table.raw_get::<Function>("handle").ok())?
    };
    declared
        .iter()
        .find_map(|one| named(&one.table))
        .ok_or_else(|| {
            Fault::new(
                Code::ServiceGone,
                format!(
                    "the file does not declare service '{}' on this core",
                    wanted.name
                ),
            )
            .at(wanted.place.clone())
            .hint("What a file declares must not depend on chance or time.")
        })
}

/// Reads the answer out of `ctx.response`.
fn answer(response: &Table) -> Result<Answer, Fault> {
    let field = |name: &str| {
        response
            .raw_get::<mlua::Value>(name)
            .unwrap_or(mlua::Value::Nil)
    };
    Ok(Answer {
        value: Reader::new("ctx.response.payload").read(&field("payload"))?,
        status: status(&field("status"))?,
        media_type: media_type(&field("content_type"))?,
        headers: headers(&field("headers"))?,
    })
}

fn rejected(message: String) -> Fault {
    Fault::new(Code::OutputRejected, message)
}

fn status(value: &mlua::Value) -> Result<Option<u16>, Fault> {
    match value {
        mlua::Value::Nil => Ok(None),
        mlua::Value::Integer(number) if (200..=599).contains(number) => {
            Ok(u16::try_from(*number).ok())
        }
        other => {
            let shown = crate::script::lua::sandbox::shown(other);
            Err(rejected(format!(
                "ctx.response.status must be 200 to 599, got {shown}"
            )))
        }
    }
}

fn media_type(value: &mlua::Value) -> Result<Option<Text>, Fault> {
    if value.is_nil() {
        return Ok(None);
    }
    match text_of(value) {
        Some(text) if visible(&text) => Ok(Some(text)),
        _ => Err(rejected(
            "ctx.response.content_type is not a media type".to_owned(),
        )),
    }
}

fn headers(value: &mlua::Value) -> Result<Vec<(Text, Text)>, Fault> {
    let value = Reader::new("ctx.response.headers").read(value)?;
    let Value::Map(map) = value else {
        return match value {
            Value::Null => Ok(Vec::new()),
            _ => Err(rejected(
                "ctx.response.headers must hold named values".to_owned(),
            )),
        };
    };
    let mut headers = Vec::with_capacity(map.len());
    let mut bytes = 0;
    for (name, value) in map {
        let text = value.to_text().unwrap_or_default();
        let token = http::HeaderName::from_bytes(name.as_bytes()).is_ok();
        if !token || !visible(&text) {
            let message = "which cannot be sent";
            return Err(rejected(format!(
                "ctx.response.headers has '{name}', {message}"
            )));
        }
        bytes += name.len() + text.len();
        headers.push((name, text));
    }
    if headers.len() > MAX_HEADERS || bytes > MAX_HEADER_BYTES {
        let message = "ctx.response.headers is larger than 64 headers or 32 KiB";
        return Err(Fault::new(Code::OutputTooLarge, message));
    }
    Ok(headers)
}

/// Tells whether a text can stand in a header: no line break, no control character.
fn visible(text: &str) -> bool {
    http::HeaderValue::from_str(text).is_ok()
}
