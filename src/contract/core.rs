//! One thread of the data plane, as everything that runs there sees it.

use std::any::{Any, TypeId};
use std::cell::RefCell;
use std::rc::Rc;

use rustc_hash::FxHashMap;

use crate::contract::Dispatch;

/// The state of one data-plane thread. Never leaves it; passed as `&Rc<Core>`.
#[derive(Default)]
pub struct Core {
    /// The number of this core, from 0.
    pub index: usize,
    /// The way to the cores that long calls have for themselves; `None` on those, and where there are none.
    pub long: Option<Dispatch>,
    /// What modules keep per core: script VMs, HTTP clients. Made at first use.
    locals: RefCell<FxHashMap<TypeId, Rc<dyn Any>>>,
}

/// Something a module keeps once per core.
pub trait CoreLocal: Any + Default {}

impl Core {
    /// Makes the state of core `index`.
    pub fn new(index: usize) -> Self {
        Self::with_long(index, None)
    }

    /// Makes the state of core `index`, which may hand long calls over.
    pub fn with_long(index: usize, long: Option<Dispatch>) -> Self {
        Self {
            index,
            long,
            locals: RefCell::default(),
        }
    }

    /// Returns this core's `T`, made at first use.
    pub fn local<T: CoreLocal>(&self) -> Rc<T> {
        let key = TypeId::of::<T>();
        let known = self.locals.borrow().get(&key).cloned();
        let any = known.unwrap_or_else(|| {
            let fresh: Rc<dyn Any> = Rc::new(T::default());
            self.locals.borrow_mut().insert(key, Rc::clone(&fresh));
            fresh
        });
        any.downcast::<T>().unwrap_or_default()
    }
}
