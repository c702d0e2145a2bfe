//! The file of cases: what people write, checked, with the place of everything.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value as Json;

use crate::base::ServiceName;

/// A file of cases.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct CasesFile {
    /// The service.
    pub(super) service: ServiceName,
    /// What holds before each case.
    #[serde(default)]
    pub(super) given: Given,
    /// The cases.
    #[serde(default)]
    pub(super) cases: Vec<Case>,
    /// The ways to the service through which each case goes; all of them when left out.
    #[serde(default)]
    pub(super) exposures: Vec<Exposure>,
    /// Whether answers are compared with golden files.
    #[serde(default)]
    pub(super) golden: bool,
}

/// A way to a service.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(super) enum Exposure {
    /// A call without a channel: jobs, other services, the command line.
    Direct,
    /// A channel of the format `json`.
    Json,
    /// A channel of the format `xml`.
    Xml,
    /// A channel of the format `soap`, called in SOAP 1.1.
    Soap11,
    /// The same in SOAP 1.2.
    Soap12,
}

impl Exposure {
    /// All of them.
    pub(super) const ALL: &[Self] = &[
        Self::Direct,
        Self::Json,
        Self::Xml,
        Self::Soap11,
        Self::Soap12,
    ];

    /// Returns its name.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Direct => "direct",
            Self::Json => "json",
            Self::Xml => "xml",
            Self::Soap11 => "soap11",
            Self::Soap12 => "soap12",
        }
    }
}

/// What holds before a case.
#[derive(Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Given {
    /// What the key/value store holds: texts, lists and maps by key.
    pub(super) kvdb: BTreeMap<String, Json>,
    /// When it is.
    pub(super) now: Option<String>,
    /// What peers answer.
    pub(super) outgoing: Outgoing<Vec<MockSpec>>,
    /// The scripts' settings by file and key, laid over those of the project.
    pub(super) config: BTreeMap<String, BTreeMap<String, Json>>,
}

/// Something for each connection, by kind and name.
#[derive(Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Outgoing<T> {
    /// HTTP connections.
    pub(super) http: BTreeMap<String, T>,
}

impl<T> Default for Outgoing<T> {
    fn default() -> Self {
        Self {
            http: BTreeMap::new(),
        }
    }
}

/// What requests of a kind get.
#[derive(Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct MockSpec {
    /// The method; any when left out.
    #[serde(default)]
    pub(super) method: Option<String>,
    /// The path, with or without the part that all calls of the connection share.
    #[serde(default)]
    pub(super) path: Option<String>,
    /// Pairs that must be in the query.
    #[serde(default)]
    pub(super) query: BTreeMap<String, Json>,
    /// Headers that must be there.
    #[serde(default)]
    pub(super) headers: BTreeMap<String, Json>,
    /// The whole body.
    #[serde(default)]
    pub(super) body: Option<String>,
    /// The whole body, as JSON.
    #[serde(default)]
    pub(super) json: Option<Json>,
    /// The answer.
    #[serde(default)]
    pub(super) reply: Option<ReplySpec>,
    /// The failure in its place: `timeout` or `connect`.
    #[serde(default)]
    pub(super) fail: Option<String>,
}

/// An answer of a peer.
#[derive(Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(super) struct ReplySpec {
    /// The status.
    pub(super) status: u16,
    /// The headers.
    pub(super) headers: BTreeMap<String, String>,
    /// The body as text.
    pub(super) body: Option<String>,
    /// The body as JSON.
    pub(super) json: Option<Json>,
    /// The body as a file below tests/fixtures/.
    pub(super) fixture: Option<String>,
}

impl Default for ReplySpec {
    fn default() -> Self {
        Self {
            status: 200,
            headers: BTreeMap::new(),
            body: None,
            json: None,
            fixture: None,
        }
    }
}

/// One case.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Case {
    /// What it shows.
    pub(super) name: String,
    /// What the service gets.
    #[serde(default)]
    pub(super) input: Json,
    /// What it must answer.
    #[serde(default)]
    pub(super) output: Option<Json>,
    /// How it must fail.
    #[serde(default)]
    pub(super) error: Option<ErrorSpec>,
    /// Lines it must log.
    #[serde(default)]
    pub(super) logs: Vec<LogSpec>,
    /// What the key/value store must hold afterwards; null for a key that must not be there.
    #[serde(default)]
    pub(super) kvdb: BTreeMap<String, Json>,
    /// How connections must have been called.
    #[serde(default)]
    pub(super) called: Outgoing<CalledSpec>,
    /// What holds before this case, laid over what holds before each.
    #[serde(default)]
    pub(super) given: Given,
}

/// How a service must fail, as its clients see it.
#[derive(Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(super) struct ErrorSpec {
    /// The code.
    pub(super) code: Option<String>,
    /// The JSON pointer of a field that is wrong.
    pub(super) pointer: Option<String>,
    /// The HTTP status; SOAP has its own and is not asked.
    pub(super) status: Option<u16>,
}

/// A line that must be logged.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct LogSpec {
    /// The level; any when left out.
    #[serde(default)]
    pub(super) level: Option<Level>,
    /// The text; between slashes a regular expression.
    pub(super) text: String,
}

/// The level of a line.
#[derive(Clone, Copy, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(super) enum Level {
    /// For people who look for a mistake.
    Debug,
    /// What happened.
    Info,
    /// Unexpected but handled.
    Warn,
    /// Somebody must look.
    Error,
}

impl Level {
    /// Returns its name.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Debug => "debug",
            Self::Info => "info",
            Self::Warn => "warn",
            Self::Error => "error",
        }
    }
}

/// How a connection must have been called.
#[derive(Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(super) struct CalledSpec {
    /// How often; at least once when left out.
    pub(super) times: Option<usize>,
    /// The method.
    pub(super) method: Option<String>,
    /// The path.
    pub(super) path: Option<String>,
    /// Pairs of the query.
    pub(super) query: BTreeMap<String, Json>,
    /// Headers.
    pub(super) headers: BTreeMap<String, Json>,
    /// The whole body.
    pub(super) body: Option<String>,
    /// The whole body, as JSON.
    pub(super) json: Option<Json>,
}

impl Case {
    /// Tells whether it says what must become of it.
    pub(super) fn expects(&self, golden: bool) -> bool {
        let effects =
            !self.logs.is_empty() || !self.kvdb.is_empty() || !self.called.http.is_empty();
        golden || effects || self.output.is_some() || self.error.is_some()
    }
}

impl Given {
    /// Lays another one over it.
    pub(super) fn with(&self, over: &Self) -> Self {
        let mut own = self.clone();
        own.kvdb.extend(over.kvdb.clone());
        own.outgoing.http.extend(over.outgoing.http.clone());
        for (file, keys) in &over.config {
            own.config
                .entry(file.clone())
                .or_default()
                .extend(keys.clone());
        }
        own.now = over.now.clone().or(own.now);
        own
    }
}
