//! What a VM needs while its script runs: a memory limit in force, and its alarm watching. With a limit, each allocation
//! of ours is a protected call, so it holds only while the script runs.

use std::rc::Rc;

use mlua::Lua;

use crate::script::lua::alarm::Alarm;
use crate::script::lua::vm::Vm;
use crate::script::meter::Running;
use crate::script::poll::Guard;

/// A VM under guard.
pub(crate) struct Guarded {
    lua: Lua,
    alarm: Rc<Alarm>,
    /// The memory it may use, in bytes.
    memory: usize,
}

impl Guarded {
    /// Guards a VM.
    pub(crate) fn new(vm: &Vm, memory: usize) -> Self {
        Self {
            lua: vm.lua.clone(),
            alarm: Rc::clone(&vm.alarm),
            memory,
        }
    }
}

impl Guard for Guarded {
    fn within<R>(&self, running: &Running, run: impl FnOnce() -> R) -> R {
        let _memory = MemoryGuard::set(&self.lua, self.memory);
        let full = self.lua.used_memory() > self.memory / 4;
        let _watch = self.alarm.watch(full || running.is_urgent());
        run()
    }
}

/// A limit in force until it drops.
pub(crate) struct MemoryGuard<'a> {
    lua: &'a Lua,
    before: usize,
}

impl<'a> MemoryGuard<'a> {
    /// Sets the limit of a VM until the guard drops; 0 lifts it.
    pub(crate) fn set(lua: &'a Lua, limit: usize) -> Self {
        let before = lua.set_memory_limit(limit).unwrap_or_default();
        Self { lua, before }
    }
}

impl Drop for MemoryGuard<'_> {
    fn drop(&mut self) {
        // It cannot fail: the VM has our allocator.
        drop(self.lua.set_memory_limit(self.before));
    }
}
