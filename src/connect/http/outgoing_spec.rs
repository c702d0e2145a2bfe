//! What an operator says of an outgoing HTTP connection.

use std::collections::BTreeMap;
use std::time::Duration;

use http::{HeaderName, HeaderValue};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use url::Url;

use crate::base::{ByteSize, Code, Fault, Faults, Millis};
use crate::connect::http::address;
use crate::connect::http::client::is_forbidden;
use crate::contract::{Ref, role};

/// A peer that speaks HTTP. Scripts know its name only, never its address.
#[derive(Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct HttpOutgoingSpec {
    /// Where it is: scheme, host, port and the part of the path that all its calls share.
    pub(crate) url: String,
    /// The path when a call names none; `{name}` is filled from the call's `params`.
    #[serde(default)]
    pub(crate) path: String,
    /// Pairs of the query that every call sends unless it gives its own.
    #[serde(default)]
    pub(crate) query: BTreeMap<String, String>,
    /// Headers that every call sends unless it gives its own.
    #[serde(default)]
    pub(crate) headers: BTreeMap<String, String>,
    /// The security definition whose credentials are sent: HTTP Basic or an API key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) security: Option<Ref<role::Security>>,
    /// How long we wait.
    #[serde(default)]
    pub(crate) timeout: OutgoingTimeout,
    /// Whether and when we try again.
    #[serde(default)]
    pub(crate) retry: Retrying,
    /// How the peer proves who it is.
    #[serde(default)]
    pub(crate) tls: OutgoingTls,
    /// What a ping asks for.
    #[serde(default)]
    pub(crate) ping: Ping,
    /// The longest answer that is read.
    #[serde(default = "sixteen_mebibytes")]
    pub(crate) response_limit: ByteSize,
}

fn sixteen_mebibytes() -> ByteSize {
    ByteSize(16 << 20)
}

/// How long we wait for a peer.
#[derive(Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct OutgoingTimeout {
    /// For a connection.
    pub(crate) connect: Millis,
    /// For the whole answer of one attempt, connecting included.
    pub(crate) total: Millis,
}

impl Default for OutgoingTimeout {
    fn default() -> Self {
        Self {
            connect: Millis::seconds(2),
            total: Millis::seconds(10),
        }
    }
}

/// Whether and when a call is tried again. Only `get`, `head`, `put` and `delete` are: doing them twice does no harm.
#[derive(Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Retrying {
    /// How often a call is tried in all; 1 is never again.
    pub(crate) attempts: u32,
    /// The pause before the second attempt and the longest one; each is up to twice the one before.
    pub(crate) backoff: String,
    /// What is worth another attempt: `connect`, `timeout`, or a status of 429 or above 499.
    pub(crate) when: Vec<When>,
}

impl Default for Retrying {
    fn default() -> Self {
        let statuses = [502, 503, 504].map(When::Status);
        let when = [
            When::Failure(Failure::Connect),
            When::Failure(Failure::Timeout),
        ];
        Self {
            attempts: 1,
            backoff: "500ms..10s".to_owned(),
            when: when.into_iter().chain(statuses).collect(),
        }
    }
}

/// What is worth another attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub(crate) enum When {
    /// A failure.
    Failure(Failure),
    /// An answer of a status.
    Status(u16),
}

/// How a call can fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Failure {
    /// No connection was made, so that the peer saw nothing.
    Connect,
    /// The answer did not come in time.
    Timeout,
}

/// How a peer proves who it is.
#[derive(Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct OutgoingTls {
    /// Whether its certificate is checked. Without, anyone on the way can play the peer.
    pub(crate) verify: bool,
    /// A PEM file with authorities to trust beside those of the system.
    pub(crate) ca_file: String,
}

impl Default for OutgoingTls {
    fn default() -> Self {
        Self {
            verify: true,
            ca_file: String::new(),
        }
    }
}

/// What a ping asks for.
#[derive(Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Ping {
    /// The path, below the connection's address.
    pub(crate) path: String,
}

impl Default for Ping {
    fn default() -> Self {
        Self {
            path: "/".to_owned(),
        }
    }
}

impl Retrying {
    /// Returns the shortest and the longest pause.
    pub(super) fn pauses(&self) -> Option<(Duration, Duration)> {
        let (first, most) = self.backoff.split_once("..")?;
        let (first, most) = (Millis::parse(first)?, Millis::parse(most)?);
        (first <= most && first.0 > 0).then(|| (first.into(), most.into()))
    }
}

/// Adds every problem of a spec.
pub(super) fn check(spec: &HttpOutgoingSpec, faults: &mut Faults) {
    let mut refuse = |message: String| {
        faults.push(Fault::new(Code::ConfigConstraint, message));
    };
    if let Err(message) = base(&spec.url) {
        refuse(message);
    }
    for path in [&spec.path, &spec.ping.path] {
        if let Err(fault) = address::check_template(path) {
            refuse(fault.message().to_owned());
        }
    }
    for (name, value) in &spec.headers {
        let named = HeaderName::from_bytes(name.as_bytes()).is_ok();
        if !named || HeaderValue::from_str(value).is_err() {
            refuse(format!("header {name:?} or its value cannot be sent"));
        }
    }
    if spec.retry.pauses().is_none() {
        refuse(format!(
            "retry: backoff '{}' must be like '500ms..10s'",
            spec.retry.backoff
        ));
    }
    if !(1..=10).contains(&spec.retry.attempts) {
        refuse(format!(
            "retry: attempts {} must be between 1 and 10",
            spec.retry.attempts
        ));
    }
    for when in &spec.retry.when {
        if let When::Status(status) = when
            && !matches!(status, 429 | 500..=599)
        {
            refuse(format!(
                "retry: status {status} must be 429 or between 500 and 599"
            ));
        }
    }
    if spec.timeout.connect.0 == 0 || spec.timeout.total.0 == 0 {
        refuse("timeout: connect and total must be above zero".to_owned());
    }
    if spec.response_limit.0 == 0 {
        refuse("response_limit must be above zero".to_owned());
    }
}

/// Reads the address of a connection.
pub(super) fn base(text: &str) -> Result<Url, String> {
    let url = Url::parse(text).map_err(|error| format!("url '{text}': {error}"))?;
    let plain = url.query().is_none() && url.fragment().is_none();
    let anonymous = url.username().is_empty() && url.password().is_none();
    if !matches!(url.scheme(), "http" | "https") {
        return Err(format!("url '{text}' must begin with http:// or https://"));
    }
    if !plain || !anonymous {
        return Err(
            "url must hold no query, fragment or credentials; there are fields for them".to_owned(),
        );
    }
    let literal = match url.host() {
        Some(url::Host::Ipv4(address)) => Some(address.into()),
        Some(url::Host::Ipv6(address)) => Some(address.into()),
        _ => None,
    };
    if literal.is_some_and(is_forbidden) {
        return Err(format!(
            "url '{text}' is a link-local address, which is never called"
        ));
    }
    Ok(url)
}
