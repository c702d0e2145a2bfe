//! What a channel kind makes of its spec; the runtime turns it into a route.

use std::sync::Arc;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::base::{ByteSize, Millis, ObjectName, ServiceName};
use crate::contract::{Format, Guard};

/// A channel that is ready to become a route.
pub struct ChannelPlan {
    /// The channel's name.
    pub name: ObjectName,
    /// The service it exposes.
    pub service: ServiceName,
    /// How its messages are written.
    pub format: Arc<dyn Format>,
    /// Who may send; `None` only when the spec says `security: none`.
    pub guard: Option<Arc<dyn Guard>>,
    /// How often they may.
    pub rate_limit: Option<RateLimit>,
    /// The wall-clock deadline of a message.
    pub timeout: Millis,
    /// The longest body it takes.
    pub body_limit: ByteSize,
    /// Where its messages come from.
    pub binding: Binding,
}

/// Where a channel's messages come from.
pub enum Binding {
    /// A path on the services port.
    Http(HttpBinding),
}

/// A path on the services port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HttpBinding {
    /// The path; `{name}` takes one segment.
    pub path: String,
    /// The methods it answers, in capitals; empty for all.
    pub methods: Vec<http::Method>,
}

/// How often callers may send.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RateLimit {
    /// How many messages in each period.
    pub limit: u32,
    /// The period.
    pub per: Millis,
    /// Whose messages are counted together.
    #[serde(default)]
    pub by: By,
}

/// Whose messages a rate limit counts together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum By {
    /// Those of one authenticated caller.
    #[default]
    Security,
    /// Those of one address.
    Address,
    /// All of the channel.
    Channel,
}
