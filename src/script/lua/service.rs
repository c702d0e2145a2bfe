//! A service in Lua: one VM per service and core, made at first use; each call is a coroutine in it.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::{Arc, Weak};

use mlua::{Function, MultiValue, Table};
use rustc_hash::FxHashMap;
use tokio::sync::OnceCell;

use crate::base::{Code, Fault, Value};
use crate::contract::{Answer, Core, CoreLocal, Ctx, Declaration};
use crate::script::declare::LOAD_TIME;
use crate::script::host::chance::Chance;
use crate::script::lua::diagnostic;
use crate::script::lua::entry::Entry;
use crate::script::lua::memory::Guarded;
use crate::script::lua::vm::{Parts, Vm, text_of};
use crate::script::meter::{Manners, Meter, Running};
use crate::script::poll::{Bounds, Metered};
use crate::script::program::{Program, Runner};

/// How much memory the VMs of one core may hold together, in bytes.
const CORE_MEMORY: usize = 256 << 20;
/// After how many calls a core looks at what its VMs hold.
const LOOK: u64 = 64;
/// Runs the calls of a Lua service.
pub(crate) struct LuaRunner(pub(crate) Arc<Program>);

impl Runner for LuaRunner {
    fn program(&self) -> &Arc<Program> {
        &self.0
    }

    async fn run<'a>(
        &'a self,
        core: &'a Rc<Core>,
        ctx: Ctx,
        input: Value,
    ) -> Result<Answer, Fault> {
        let instances = core.local::<Instances>();
        let slot = instances.slot(&self.0);
        let known = slot.instance.initialized();
        let make = || Instance::make(core, &ctx, &self.0);
        let instance = Rc::clone(slot.instance.get_or_try_init(make).await?);
        if !known || instances.is_due() {
            instances.evict(self.0.id);
        }
        let result = instance.run(core, ctx, &self.0, input).await;
        if instance.spoiled.get() {
            instances.replace(self.0.id, &slot);
        }
        result
    }
}

/// The VMs of one core.
pub(crate) struct Instances {
    slots: RefCell<FxHashMap<u64, Rc<Slot>>>,
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

    /// Tells whether it is time to look at what the VMs hold, which takes longer the more there are.
    fn is_due(&self) -> bool {
        self.turn.get().is_multiple_of(LOOK)
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
    entry: Entry,
    vm: Vm,
    meter: Rc<Meter>,
    /// Set after a memory error, or when too much stays in use.
    spoiled: Cell<bool>,
}

impl Instance {
    async fn make(core: &Rc<Core>, ctx: &Ctx, program: &Program) -> Result<Rc<Self>, Fault> {
        let meter = core.local::<Meter>();
        let parts = Parts {
            meter: &meter,
            api: &program.api,
            set: &program.set,
            waits: ctx.ports.kvdb.waits(),
            seed: core.local::<Chance>().seed()?,
            declaration: Some(&program.declaration),
        };
        let vm = Vm::open(&parts).map_err(|error| diagnostic::fault_of(&error))?;
        let main = vm
            .compile(&program.source)
            .map_err(|error| diagnostic::fault_of(&error))?;
        let running = Running::new(program.call(core, ctx.clone()), LOAD_TIME, Manners::Shared);
        let bounds = Bounds {
            meter: Rc::clone(&meter),
            running: Rc::clone(&running),
            guard: Guarded::new(&vm, ctx.limits.memory),
        };
        let returned = Metered::new(main.call_async::<mlua::Value>(()), bounds).await;
        if let Some(over) = running.over() {
            return Err(over);
        }
        let returned = returned.map_err(|error| diagnostic::fault_of(&error))?;
        vm.loader.close();
        let handle = handle_of(&vm, &returned, &program.declaration)?;
        let entry = vm.entry(handle, &program.declaration);
        Ok(Rc::new(Self {
            entry: entry.map_err(|error| diagnostic::fault_of(&error))?,
            vm,
            meter,
            spoiled: Cell::new(false),
        }))
    }

    async fn run(
        &self,
        core: &Rc<Core>,
        ctx: Ctx,
        program: &Program,
        input: Value,
    ) -> Result<Answer, Fault> {
        let limits = ctx.limits;
        let observed = program.begin(core, ctx);
        let opened = self.entry.open(&self.vm.lua, &self.vm.bridge, input);
        let (entry, arguments) = opened.map_err(|error| diagnostic::fault_of(&error))?;
        let bounds = Bounds {
            meter: Rc::clone(&self.meter),
            running: Rc::clone(&observed.running),
            guard: Guarded::new(&self.vm, limits.memory),
        };
        let coroutine = entry.call_async::<MultiValue>(arguments);
        let result = Metered::new(coroutine, bounds).await;
        let result = result.map_err(|error| observed.running.locate(diagnostic::fault_of(&error)));
        let memory = matches!(&result, Err(fault) if fault.code() == Code::MemoryBudget);
        if memory || self.vm.lua.used_memory() > limits.memory / 4 * 3 {
            self.spoiled.set(true);
        }
        match (observed.running.over(), result) {
            // Whatever the script made of it.
            (Some(over), _) => Err(over),
            (None, Err(fault)) => Err(fault),
            (None, Ok(returned)) => self.entry.answer(&self.vm.lua, &self.vm.bridge, returned),
        }
    }
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
