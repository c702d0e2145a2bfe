//! The key/value store, with the semantics of Redis whatever stands behind it.

use bytes::Bytes;

use crate::base::{BoxFuture, Fault};

/// A key/value store. The embedded one and Redis pass the same suite.
///
/// A wrong number of arguments or a bad option is `KL-K100`, a key of another kind `KL-K101`,
/// a store that does not answer within a second `KL-K201`.
pub trait KeyValue: Send + Sync {
    /// Runs a command. The embedded store answers at once, Redis later.
    fn run(&self, command: Command) -> Running;

    /// Tells whether its replies come later as a rule.
    fn waits(&self) -> bool {
        false
    }

    /// Makes everything written so far durable; returns when it is.
    fn sync(&self) -> BoxFuture<'_, Result<(), Fault>>;
}

/// A command: its name in lower case and its arguments, as Redis takes them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Command {
    /// The name, such as `get`.
    pub name: &'static str,
    /// The arguments.
    pub args: Vec<Bytes>,
}

/// A reply, as Redis gives it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KvReply {
    /// Nothing there.
    Nil,
    /// Done.
    Ok,
    /// A number.
    Int(i64),
    /// A text.
    Data(Bytes),
    /// Replies in order; `hgetall` gives field, value, field, value.
    List(Vec<Self>),
}

/// A command under way.
pub enum Running {
    /// Finished already.
    Done(Result<KvReply, Fault>),
    /// Finishes later.
    Later(BoxFuture<'static, Result<KvReply, Fault>>),
}
