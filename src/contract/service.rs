//! Service: the declaration behind everything that happens.

use std::rc::Rc;
use std::sync::Arc;

use crate::base::{BoxFuture, CallStats, Fault, LocalBoxFuture, ServiceName, Text, Value};
use crate::contract::{Core, Ctx, Declaration, Effect};

/// Something that can be called by name. Scripts compile into these.
///
/// The program is shared by all cores; each makes its own instance at first use.
pub trait Service: Send + Sync {
    /// Returns what it declares.
    fn declaration(&self) -> &Arc<Declaration>;

    /// Returns where its calls run.
    fn placement(&self) -> Placement {
        Placement::Shared
    }

    /// Calls it with bound input. Dropping the future cancels the call.
    fn call<'a>(
        &'a self,
        core: &'a Rc<Core>,
        ctx: Ctx,
        input: Value,
    ) -> LocalBoxFuture<'a, Result<Answer, Fault>>;
}

/// Where the calls of a service run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Placement {
    /// On the core that took the message, in turn with other services.
    Shared,
    /// On threads for long calls, away from the cores that take messages.
    Long,
}

/// What a service answers.
#[derive(Clone, Debug, Default)]
pub struct Answer {
    /// The payload; not checked yet.
    pub value: Value,
    /// The status it chose.
    pub status: Option<u16>,
    /// The media type it chose; with it, a text or bytes payload is sent as it is.
    pub media_type: Option<Text>,
    /// Further headers.
    pub headers: Vec<(Text, Text)>,
}

/// A service of one revision, as it stands in the registry.
pub struct Entry {
    /// The service.
    pub service: Arc<dyn Service>,
    /// The revision, from 1; grows when its text or a module it uses changes.
    pub revision: u32,
    /// The file that defines it, relative to the project.
    pub path: String,
    /// Its calls by no channel: direct ones, jobs, `ctx:invoke`. Its next revision counts on.
    pub direct: Arc<CallStats>,
}

/// All services of one moment.
pub trait Services: Send + Sync {
    /// Returns the service of a name.
    fn find(&self, name: &str) -> Option<Arc<Entry>>;

    /// Returns all names, sorted.
    fn names(&self) -> Vec<ServiceName>;
}

/// An operation of our own, such as `kladka.object.list`: runs anywhere, JSON in and out.
pub trait Native: Send + Sync {
    /// Returns its full name.
    fn name(&self) -> &'static str;

    /// Returns one sentence on what it does.
    fn doc(&self) -> &'static str;

    /// Returns what it touches; what only reads may be asked for by `GET` too.
    fn effect(&self) -> Effect;

    /// Runs it.
    fn call(&self, input: serde_json::Value) -> BoxFuture<'_, Result<serde_json::Value, Fault>>;
}
