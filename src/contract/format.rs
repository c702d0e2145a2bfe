//! How a message is written on the wire: bytes to value and back, and faults in the same format.

use std::sync::Arc;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::base::{Fault, Inbound, Reply, Value};
use crate::contract::{Answer, Declaration, SoapInfo};

/// A format as one channel uses it. Decoding, encoding and faults stand together, so that an error
/// cannot leave in another format than success.
pub trait Format: Send + Sync {
    /// Returns its name, such as `json`.
    fn name(&self) -> &'static str;

    /// Reads the body. Parameters of path and query are not its business.
    fn decode(&self, inbound: &Inbound) -> Result<Decoded, Fault>;

    /// Writes an answer whose value was checked against the declaration.
    fn encode(
        &self,
        declaration: &Declaration,
        answer: Answer,
        inbound: &Inbound,
    ) -> Result<Reply, Fault>;

    /// Writes a fault. Never fails, and shows its code, title and status and what `Fault::told` gives.
    fn fault(&self, fault: &Fault, inbound: &Inbound) -> Reply;
}

/// A body that was read.
#[derive(Debug, Default)]
pub struct Decoded {
    /// The content: a map of fields for a declared service.
    pub value: Value,
    /// The SOAP part, if there is one.
    pub soap: Option<SoapInfo>,
}

/// Makes a format with the options of one channel. One line in `kinds.rs`.
pub trait FormatMaker: Send + Sync {
    /// Returns the name channels select it by.
    fn name(&self) -> &'static str;

    /// Makes the format, or says which option is wrong.
    fn make(&self, options: &FormatOptions) -> Result<Arc<dyn Format>, Fault>;
}

/// The options of all formats; each takes its own.
#[derive(Clone, Debug, Default)]
pub struct FormatOptions {
    /// Whether `Content-Type` must fit the format.
    pub strict: bool,
    /// The wrapper of JSON answers.
    pub wrap: Wrap,
    /// The options of plain XML.
    pub xml: XmlOptions,
    /// The options of SOAP.
    pub soap: SoapOptions,
}

/// The wrapper of a JSON answer: `response`, `none` or a name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct Wrap(pub String);

impl Default for Wrap {
    fn default() -> Self {
        Self("response".to_owned())
    }
}

/// The options of plain XML.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct XmlOptions {
    /// The root element of answers.
    pub root: String,
    /// The namespace of answers; empty for none.
    pub namespace: String,
}

impl Default for XmlOptions {
    fn default() -> Self {
        Self {
            root: "response".to_owned(),
            namespace: String::new(),
        }
    }
}

/// The options of SOAP.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct SoapOptions {
    /// The versions it accepts; both share the path.
    pub version: Vec<String>,
    /// The `SOAPAction` (1.1) or `action` parameter (1.2) it answers.
    pub action: String,
    /// The operation: element `OPERATION` in, `OPERATIONResponse` out.
    pub operation: String,
    /// The namespace of both elements.
    pub namespace: String,
}

impl Default for SoapOptions {
    fn default() -> Self {
        Self {
            version: vec!["1.1".to_owned(), "1.2".to_owned()],
            action: String::new(),
            operation: String::new(),
            namespace: "urn:kladka:service".to_owned(),
        }
    }
}
