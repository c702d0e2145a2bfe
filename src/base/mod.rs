//! Words with no behaviour outside themselves: values, faults, messages, names, units, counters.
//!
//! Nothing here is async, does I/O or knows another module of the crate.

mod calls;
mod cid;
mod clock;
mod code;
mod fault;
mod map;
mod message;
mod name;
mod outline;
mod place;
mod secret;
mod story;
mod units;
mod uses;
mod value;
mod veil;
mod zone;

pub use calls::{CallStats, Ending};
pub use cid::Cid;
pub use clock::{Clock, SystemClock};
pub use code::{Code, Exit};
pub use fault::{Fault, Faults, FieldError, Retry, Segment, Told};
pub use map::Map;
pub use message::{Caller, HttpMeta, Inbound, Meta, Outcome, Reply};
pub use name::{ObjectName, ServiceName, closest, shortened, with_article};
pub use outline::{Access, Function, Literal, Node, Outline, Signature, Span, Word};
pub use place::{Place, Snippet};
pub use secret::Secret;
pub use story::{End, Opening, Step, Stories, Story, Teller, Telling, Texts};
pub use units::{ByteSize, Millis};
pub use uses::{Capabilities, FAMILIES, Grant, Use};
pub use value::{Handle, Object, Value};
pub use veil::Veil;
pub use zone::{Zone, ZoneOffset};

/// The text type of values: short texts live inside it, without an allocation.
pub type Text = compact_str::CompactString;

/// A future that may cross threads.
pub type BoxFuture<'a, T> = std::pin::Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// A future that stays on the core that made it.
pub type LocalBoxFuture<'a, T> = std::pin::Pin<Box<dyn Future<Output = T> + 'a>>;
