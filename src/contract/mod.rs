//! The traits everything plugs into. Reading this folder is understanding the system.
//!
//! Three declarations ([`Kind`], [`Service`], [`HostFn`]) and the ports that connect them. No implementation here.

mod channel;
mod connections;
mod core;
mod ctx;
mod dispatch;
mod engine;
mod format;
mod guard;
mod host_fn;
mod io;
mod key_value;
mod kind;
mod object;
mod service;

pub use self::core::{Core, CoreLocal};
pub use channel::{Binding, By, ChannelPlan, HttpBinding, RateLimit};
pub use connections::{Connections, Ref, Role, Settings, role};
pub use ctx::{ChannelInfo, Ctx, JobInfo, Limits, Ports, Request, SoapInfo, SoapVersion};
pub use dispatch::{Accepted, Dispatch, Handover, Invocation, Work};
pub use engine::{Engine, Language, Loaded, Source, SourceSet};
pub use format::{Decoded, Format, FormatMaker, FormatOptions, SoapOptions, Wrap, XmlOptions};
pub use guard::{Checked, Credentials, Guard};
pub use host_fn::{Arg, Args, Call, Effect, Example, HostCall, HostFn, Receiver, Started, Type};
pub use io::{Constraint, Declaration, Field, Model, Ty};
pub use key_value::{Command, KeyValue, KvReply, Running};
pub use kind::{AnyKind, Env, Kind, Live, Of};
pub use object::{ObjectId, ObjectState, StoredObject};
pub use service::{Answer, Entry, Native, Placement, Service, Services};
