//! How scripts reach live objects, and how specs refer to others by name.

use std::marker::PhantomData;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};

use crate::base::{Fault, Handle, ObjectName, Value};

/// The live outgoing connections. The runtime owns them; scripts ask by kind and name at each call.
pub trait Connections: Send + Sync {
    /// Returns the connection, whose class is `outgoing.KIND`, or a fault that names the closest one.
    fn outgoing(&self, kind: &str, name: &str) -> Result<Handle, Fault>;
}

/// The scripts' own settings, from `config/user/*.toml`, reloaded live.
pub trait Settings: Send + Sync {
    /// Returns the settings of a file without its ending, as a map; `None` when there is no such file.
    fn file(&self, name: &str) -> Option<Value>;
}

/// Which objects a reference may name.
pub trait Role: Send + Sync + 'static {
    /// The kinds that fit: a whole kind, or a group such as `security`.
    const NAME: &'static str;
}

/// The roles that specs refer to.
pub mod role {
    /// Any security definition.
    pub struct Security;
    impl super::Role for Security {
        const NAME: &'static str = "security";
    }
}

/// A reference to another object by name.
#[derive(Debug, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Ref<R> {
    name: ObjectName,
    #[serde(skip)]
    role: PhantomData<fn() -> R>,
}

impl<R> Ref<R> {
    /// Returns the name of the object referred to.
    pub fn name(&self) -> &ObjectName {
        &self.name
    }
}

impl<R> Clone for Ref<R> {
    fn clone(&self) -> Self {
        Self {
            name: self.name.clone(),
            role: PhantomData,
        }
    }
}

impl<R: Role> JsonSchema for Ref<R> {
    fn inline_schema() -> bool {
        true
    }
    fn schema_name() -> std::borrow::Cow<'static, str> {
        format!("Ref_{}", R::NAME).into()
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({"type": "string", "x-ref": R::NAME})
    }
}
