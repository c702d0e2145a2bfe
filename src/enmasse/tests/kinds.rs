//! Small kinds with the field names of the real ones.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::base::{Code, Fault, Faults, Millis, ObjectName, Secret, ServiceName};
use crate::config::interpolate::{Variables, secret_variable};
use crate::contract::{
    AnyKind, Env, Kind, Live, Of, RateLimit, Ref, SoapOptions, Wrap, XmlOptions, role,
};

macro_rules! kind {
    ($kind:ident, $name:literal, $spec:ty, $check:expr) => {
        pub(super) struct $kind;
        impl Kind for $kind {
            const NAME: &'static str = $name;
            const DOC: &'static str = "For tests.";
            const EXAMPLE: &'static str = "{}";
            type Spec = $spec;
            fn check(spec: &$spec, faults: &mut Faults) {
                let check: fn(&$spec, &mut Faults) = $check;
                check(spec, faults);
            }
            fn start(_: &ObjectName, _: Arc<$spec>, _: &Env<'_>) -> Result<Live, Fault> {
                Err(Fault::new(Code::Internal, "test kinds do not start"))
            }
        }
    };
}

#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct BasicSpec {
    username: String,
    password: Secret,
    #[serde(default)]
    realm: Option<String>,
}
kind!(Basic, "security.basic", BasicSpec, |_, _| {});

#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ApiKeySpec {
    #[serde(default = "default_header")]
    header: String,
    key: Secret,
}
fn default_header() -> String {
    "X-API-Key".to_owned()
}
kind!(ApiKey, "security.api_key", ApiKeySpec, |_, _| {});

#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct WssSpec {
    username: String,
    password: Secret,
    #[serde(default = "digest_only")]
    passwords: Vec<PasswordForm>,
    #[serde(default)]
    allow_plain: bool,
    #[serde(default = "five_minutes")]
    max_clock_skew: Millis,
}
#[derive(Serialize, Deserialize, JsonSchema, PartialEq)]
#[serde(rename_all = "snake_case")]
pub(super) enum PasswordForm {
    /// The digest of nonce, time and password.
    Digest,
    /// The password itself.
    Text,
}
fn digest_only() -> Vec<PasswordForm> {
    vec![PasswordForm::Digest]
}
fn five_minutes() -> Millis {
    Millis::seconds(300)
}
kind!(Wss, "security.wss", WssSpec, |spec, faults| {
    if spec.passwords.is_empty() {
        faults.push(
            Fault::new(Code::ConfigConstraint, "`passwords` must not be empty")
                .hint("Write `passwords: [digest]`."),
        );
    }
});

#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct OutgoingSpec {
    url: String,
    #[serde(default)]
    path: String,
    #[serde(default)]
    timeout: Timeouts,
    #[serde(default)]
    retry: Option<Retry>,
    #[serde(default)]
    tls: Tls,
    #[serde(default)]
    ping: Option<Ping>,
    #[serde(default)]
    security: Option<Ref<role::Security>>,
    #[serde(default)]
    headers: BTreeMap<String, String>,
}
#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Timeouts {
    connect: Millis,
    total: Millis,
}
impl Default for Timeouts {
    fn default() -> Self {
        Self {
            connect: Millis::seconds(5),
            total: Millis::seconds(20),
        }
    }
}
#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Retry {
    attempts: u8,
    backoff: String,
    when: Vec<When>,
}
#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub(super) enum When {
    Status(u16),
    Word(WhenWord),
}
#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum WhenWord {
    Connect,
    Timeout,
}
#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Tls {
    verify: bool,
}
impl Default for Tls {
    fn default() -> Self {
        Self { verify: true }
    }
}
#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Ping {
    path: String,
}
kind!(Outgoing, "outgoing.http", OutgoingSpec, |spec, faults| {
    if !spec.url.starts_with("http") {
        let message = format!(
            "`url` must begin with http:// or https://, not '{}'",
            spec.url
        );
        faults.push(Fault::new(Code::ConfigConstraint, message));
    }
});

#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ChannelSpec {
    service: ServiceName,
    http: HttpPart,
    format: FormatName,
    #[serde(default)]
    wrap: Wrap,
    #[serde(default)]
    xml: XmlOptions,
    #[serde(default)]
    soap: SoapOptions,
    security: Guarded,
    #[serde(default)]
    rate_limit: Option<RateLimit>,
    #[serde(default)]
    timeout: Option<Millis>,
}
#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub(super) enum Guarded {
    None(NoneWord),
    By(Ref<role::Security>),
}
#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum NoneWord {
    None,
}
#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct HttpPart {
    path: String,
    #[serde(default)]
    methods: Vec<String>,
    #[serde(default)]
    port: Option<u16>,
}
#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum FormatName {
    Json,
    Xml,
    Soap,
}
kind!(Channel, "channel.http", ChannelSpec, |_, _| {});

#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct AmqpSpec {
    service: ServiceName,
    amqp: BTreeMap<String, String>,
}
kind!(Amqp, "channel.amqp", AmqpSpec, |_, _| {});

#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct JobSpec {
    service: ServiceName,
    #[serde(default)]
    every: Option<Millis>,
    #[serde(default)]
    cron: Option<String>,
    #[serde(default)]
    timezone: Option<String>,
    #[serde(default)]
    run_at_start: bool,
    #[serde(default)]
    overlap: Overlap,
    #[serde(default)]
    catch_up: Option<String>,
    #[serde(default)]
    catch_up_within: Option<Millis>,
    #[serde(default)]
    timeout: Option<Millis>,
    #[serde(default)]
    payload: Value,
}
#[derive(Serialize, Deserialize, JsonSchema, Default)]
#[serde(rename_all = "snake_case")]
pub(super) enum Overlap {
    #[default]
    Skip,
    Queue,
    Allow,
}
kind!(Job, "job", JobSpec, |spec, faults| {
    if spec.every.is_some() == spec.cron.is_some() {
        faults.push(Fault::new(
            Code::ConfigConstraint,
            "a job needs exactly one of `every` and `cron`",
        ));
    }
});

#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ServiceSpec {
    #[serde(default)]
    timeout: Option<Millis>,
    #[serde(default)]
    cpu: Option<Millis>,
}
kind!(Service, "service", ServiceSpec, |_, _| {});

pub(super) const KINDS: &[&dyn AnyKind] = &[
    &Of::<Basic>::NEW,
    &Of::<ApiKey>::NEW,
    &Of::<Wss>::NEW,
    &Of::<Outgoing>::NEW,
    &Of::<Channel>::NEW,
    &Of::<Amqp>::NEW,
    &Of::<Job>::NEW,
    &Of::<Service>::NEW,
];

/// Variables that tests set.
#[derive(Default)]
pub(super) struct Fixed(pub(super) HashMap<&'static str, &'static str>);

impl Variables for Fixed {
    fn env(&self, name: &str) -> Option<String> {
        self.0.get(name).map(|text| (*text).to_owned())
    }
    fn secret(&self, name: &str) -> Option<String> {
        self.env(&secret_variable(name))
    }
    fn dev(&self, name: &str) -> Option<String> {
        (name == "partner").then(|| "http://127.0.0.1:17020".to_owned())
    }
}
