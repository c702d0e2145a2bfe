//! A security definition, alive.

use crate::base::{BoxFuture, Caller, Fault, Inbound, Secret, Text};
use crate::contract::Ports;

/// Decides who sent a message.
///
/// Called once for every message of its channels, before anything else reads it. Every refusal is the same
/// `KL-A401` with the challenge of the definition, whatever the cause; only what no credential decides, a signature that
/// nobody checks, is `KL-A402`. A definition that cannot decide (credential not set) answers `KL-A503`, never lets
/// anyone in. Comparisons take constant time.
pub trait Guard: Send + Sync {
    /// Returns the caller, or the refusal.
    fn check<'a>(&'a self, inbound: &'a Inbound, ports: &'a Ports) -> Checked<'a>;

    /// Tells what is missing, without which `check` lets nobody in: whoever lists channels asks.
    fn usable(&self) -> Result<(), Fault>;

    /// Returns what an outgoing connection sends to prove itself, where the definition has such a use.
    fn credentials(&self) -> Option<Credentials> {
        None
    }
}

/// A decision, made or under way.
pub enum Checked<'a> {
    /// Made already.
    Done(Result<Caller, Fault>),
    /// Made later.
    Later(BoxFuture<'a, Result<Caller, Fault>>),
}

impl Checked<'_> {
    /// Waits for it where that is necessary.
    pub async fn decided(self) -> Result<Caller, Fault> {
        match self {
            Self::Done(decision) => decision,
            Self::Later(future) => future.await,
        }
    }
}

/// What an outgoing connection sends to prove itself.
#[derive(Clone, Debug)]
pub enum Credentials {
    /// HTTP Basic.
    Basic {
        /// The user name.
        username: Text,
        /// The password.
        password: Secret,
    },
    /// A key in a header.
    Header {
        /// The header's name.
        name: Text,
        /// The key.
        key: Secret,
    },
}
