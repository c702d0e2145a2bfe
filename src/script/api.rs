//! What the scripts of an engine can do, and what their files are for.

use std::sync::Arc;

use crate::contract::HostFn;
use crate::script::Coverage;

/// The script API of an engine.
#[derive(Clone)]
pub(crate) struct Api {
    /// The host functions.
    pub(crate) tables: Vec<&'static [HostFn]>,
    /// What the files declare.
    pub(crate) declares: Declares,
    /// Whether a service is called so rarely that making machine code of it takes longer than it saves.
    pub(crate) rarely: bool,
    /// Where lines that run are noted; `None` to run at full speed.
    pub(crate) coverage: Option<Arc<Coverage>>,
}

/// What the files of an engine declare.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Declares {
    /// Services, by `service`.
    Services,
    /// Tests: `test("name", function(t) … end)` in Lua, `fn test_name(t) { … }` in Rhai. To the engine each is a
    /// service whose documentation is the name of the test, and whose `ctx` is called `t`.
    Tests,
}

impl Api {
    /// Returns what declares something in a text.
    pub(crate) fn word(&self) -> &'static str {
        match self.declares {
            Declares::Services => "service",
            Declares::Tests => "test",
        }
    }
}

/// The API of services.
impl From<Vec<&'static [HostFn]>> for Api {
    fn from(tables: Vec<&'static [HostFn]>) -> Self {
        Self {
            tables,
            declares: Declares::Services,
            rarely: false,
            coverage: None,
        }
    }
}
