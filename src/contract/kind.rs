//! Kind: the declaration behind everything an operator can name.

use std::marker::PhantomData;
use std::sync::Arc;

use schemars::JsonSchema;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::base::{BoxFuture, Clock, Code, Fault, Faults, Handle, ObjectName};
use crate::contract::{ChannelPlan, FormatMaker, Guard, HostFn};

/// A type of object. Everything that shows, stores, checks or starts objects reads this and nothing else.
pub trait Kind: Send + Sync + 'static {
    /// The full name, such as `outgoing.http`.
    const NAME: &'static str;
    /// One sentence for operators.
    const DOC: &'static str;
    /// A spec that passes the checks, as JSON.
    const EXAMPLE: &'static str;
    /// What scripts can do with one.
    const OPS: &'static [HostFn] = &[];

    /// The typed body.
    type Spec: Serialize + DeserializeOwned + JsonSchema + Send + Sync + 'static;

    /// Adds every problem of the spec that its types cannot express.
    fn check(_spec: &Self::Spec, _faults: &mut Faults) {}

    /// Makes the live object. Never touches the network: connections dial on first use.
    fn start(name: &ObjectName, spec: Arc<Self::Spec>, env: &Env<'_>) -> Result<Live, Fault>;

    /// Calls the peer of a connection; returns what it said as JSON, with `elapsed_ms`.
    fn ping(_connection: Handle) -> BoxFuture<'static, Result<serde_json::Value, Fault>> {
        Box::pin(async {
            Err(Fault::new(
                Code::BadArguments,
                format!("{} has no ping", Self::NAME),
            ))
        })
    }
}

/// A live object.
#[derive(Clone)]
pub enum Live {
    /// A security definition.
    Guard(Arc<dyn Guard>),
    /// An outgoing connection; its class is the kind's name, its methods are the kind's `OPS`.
    Outgoing(Handle),
    /// A channel.
    Channel(Arc<ChannelPlan>),
    /// A job: the scheduler reads its spec.
    Job(Arc<serde_json::Value>),
}

/// What an object may ask for when it starts.
pub struct Env<'a> {
    /// Finds the live security definition of a name.
    pub guards: &'a dyn Fn(&str) -> Option<Arc<dyn Guard>>,
    /// The formats channels can speak.
    pub formats: &'a [&'a dyn FormatMaker],
    /// The time of day.
    pub clock: Arc<dyn Clock>,
    /// The project directory; relative paths of specs stand in it.
    pub project: &'a std::path::Path,
}

impl Env<'_> {
    /// Returns the live security definition, or the fault that it does not exist.
    pub fn guard(&self, name: &ObjectName) -> Result<Arc<dyn Guard>, Fault> {
        (self.guards)(name.as_str()).ok_or_else(|| {
            Fault::new(
                Code::ConfigReference,
                format!("there is no security definition named '{name}'"),
            )
        })
    }
}

/// A kind behind an object-safe face; implemented once, for every [`Kind`].
pub trait AnyKind: Send + Sync {
    /// Returns the full name.
    fn name(&self) -> &'static str;
    /// Returns the sentence for operators.
    fn doc(&self) -> &'static str;
    /// Returns the example as JSON.
    fn example(&self) -> &'static str;
    /// Returns what scripts can do with one.
    fn ops(&self) -> &'static [HostFn];
    /// Returns the JSON Schema of the spec, with the `x-` hints.
    fn schema(&self) -> serde_json::Value;
    /// Checks a body and returns it with defaults filled in.
    fn normal(&self, body: &serde_json::Value) -> Result<serde_json::Value, Faults>;
    /// Starts an object of a body that passed `normal`.
    fn start(
        &self,
        name: &ObjectName,
        body: &serde_json::Value,
        env: &Env<'_>,
    ) -> Result<Live, Fault>;
    /// Calls the peer of a connection.
    fn ping(&self, connection: Handle) -> BoxFuture<'static, Result<serde_json::Value, Fault>>;
}

/// Makes an [`AnyKind`] of a [`Kind`].
pub struct Of<K>(PhantomData<fn() -> K>);

impl<K: Kind> Of<K> {
    /// The one value.
    pub const NEW: Self = Self(PhantomData);

    fn spec(body: &serde_json::Value) -> Result<K::Spec, Fault> {
        // Names the field in the message, as serde does; the caller knows the file and line.
        K::Spec::deserialize(body)
            .map_err(|error| Fault::new(Code::ConfigType, format!("{}: {error}", K::NAME)))
    }
}

use serde::Deserialize as _;

impl<K: Kind> AnyKind for Of<K> {
    fn name(&self) -> &'static str {
        K::NAME
    }
    fn doc(&self) -> &'static str {
        K::DOC
    }
    fn example(&self) -> &'static str {
        K::EXAMPLE
    }
    fn ops(&self) -> &'static [HostFn] {
        K::OPS
    }
    fn schema(&self) -> serde_json::Value {
        schemars::schema_for!(K::Spec).to_value()
    }
    fn normal(&self, body: &serde_json::Value) -> Result<serde_json::Value, Faults> {
        let spec = Self::spec(body)?;
        let mut faults = Faults::default();
        K::check(&spec, &mut faults);
        faults.into_result()?;
        serde_json::to_value(&spec)
            .map_err(|error| Fault::new(Code::Internal, format!("{}: {error}", K::NAME)).into())
    }
    fn start(
        &self,
        name: &ObjectName,
        body: &serde_json::Value,
        env: &Env<'_>,
    ) -> Result<Live, Fault> {
        K::start(name, Arc::new(Self::spec(body)?), env)
    }
    fn ping(&self, connection: Handle) -> BoxFuture<'static, Result<serde_json::Value, Fault>> {
        K::ping(connection)
    }
}
