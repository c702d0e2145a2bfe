//! The kind `channel.http`: a service at a path of the services port.

use std::sync::Arc;

use http::Method;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};

use crate::base::{ByteSize, Code, Fault, Faults, Millis, ObjectName, ServiceName, closest};
use crate::connect::http::router::parameter_name;
use crate::contract::{
    Binding, ChannelPlan, Env, FormatOptions, HttpBinding, Kind, Live, RateLimit, SoapOptions,
    Wrap, XmlOptions,
};

/// The formats that contract and documentation name.
const FORMATS: [&str; 6] = ["json", "xml", "soap", "csv", "form", "raw"];
/// The word for a channel that everybody may use.
const OPEN: &str = "none";
/// The longest body a channel may take.
const MOST: ByteSize = ByteSize(64 << 20);

/// A service at a path of the services port.
#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct HttpChannelSpec {
    /// The service that answers.
    pub(crate) service: ServiceName,
    /// Where it answers.
    pub(crate) http: HttpPlace,
    /// How messages are written: `json`, `xml`, `soap`, `csv`, `form` or `raw`.
    #[serde(default = "json")]
    pub(crate) format: String,
    /// The wrapper of JSON answers: `response`, `none` or a name.
    #[serde(default)]
    pub(crate) wrap: Wrap,
    /// The options of plain XML.
    #[serde(default)]
    pub(crate) xml: XmlOptions,
    /// The options of SOAP.
    #[serde(default)]
    pub(crate) soap: SoapOptions,
    /// Whether `Content-Type` must fit the format.
    #[serde(default)]
    pub(crate) strict: bool,
    /// The security definition that says who may send, or the word `none`.
    pub(crate) security: Security,
    /// How often callers may send; without it, as often as they like.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) rate_limit: Option<RateLimit>,
    /// How long a message may take.
    #[serde(default = "half_a_minute")]
    pub(crate) timeout: Millis,
    /// The longest body.
    #[serde(default = "two_mebibytes")]
    pub(crate) body_limit: ByteSize,
}

/// A place on the services port.
#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct HttpPlace {
    /// The path; a segment `{name}` takes any one segment and becomes an input of that name.
    pub(crate) path: String,
    /// The methods it answers; all when left out.
    #[serde(default)]
    pub(crate) methods: Vec<String>,
}

/// The name of a security definition, or the word `none`.
#[derive(Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct Security(ObjectName);

impl JsonSchema for Security {
    fn inline_schema() -> bool {
        true
    }
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Security".into()
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({"type": "string", "x-ref": "security", "x-none": OPEN})
    }
}

fn json() -> String {
    "json".to_owned()
}

fn half_a_minute() -> Millis {
    Millis::seconds(30)
}

fn two_mebibytes() -> ByteSize {
    ByteSize(2 << 20)
}

/// An HTTP channel.
pub(crate) struct HttpChannel;

impl Kind for HttpChannel {
    const NAME: &'static str = "channel.http";
    const DOC: &'static str = "A service at a path of the services port.";
    const EXAMPLE: &'static str = r#"{"service": "linuxjournal.get-rate", "http": {"path": "/client1/get-rate", "methods": ["GET", "POST"]}, "format": "json", "security": "client1.apikey", "rate_limit": {"limit": 20000, "per": "1s"}}"#;

    type Spec = HttpChannelSpec;

    fn check(spec: &HttpChannelSpec, faults: &mut Faults) {
        let mut refuse = |message: String| {
            faults.push(Fault::new(Code::ConfigConstraint, message));
        };
        check_path(&spec.http.path, &mut refuse);
        for method in &spec.http.methods {
            if let Err(message) = parse_method(method) {
                refuse(message);
            }
        }
        if !FORMATS.contains(&spec.format.as_str()) {
            refuse(unknown_format(&spec.format, FORMATS));
        }
        if spec
            .rate_limit
            .as_ref()
            .is_some_and(|rate| rate.limit == 0 || rate.per.0 == 0)
        {
            refuse("rate_limit: limit and per must be above zero".to_owned());
        }
        if spec.timeout.0 == 0 {
            refuse("timeout must be above zero".to_owned());
        }
        if spec.body_limit.0 == 0 || spec.body_limit > MOST {
            refuse(format!(
                "body_limit {} must be between 1B and {MOST}",
                spec.body_limit
            ));
        }
    }

    fn start(name: &ObjectName, spec: Arc<HttpChannelSpec>, env: &Env<'_>) -> Result<Live, Fault> {
        let maker = env.formats.iter().find(|maker| maker.name() == spec.format);
        let maker = maker.ok_or_else(|| {
            let known = env.formats.iter().map(|maker| maker.name());
            Fault::new(Code::ConfigReference, unknown_format(&spec.format, known))
        })?;
        let options = FormatOptions {
            strict: spec.strict,
            wrap: spec.wrap.clone(),
            xml: spec.xml.clone(),
            soap: spec.soap.clone(),
        };
        let open = spec.security.0.as_str() == OPEN;
        let guard = if open {
            None
        } else {
            Some(env.guard(&spec.security.0)?)
        };
        let methods = spec
            .http
            .methods
            .iter()
            .filter_map(|method| parse_method(method).ok());
        Ok(Live::Channel(Arc::new(ChannelPlan {
            name: name.clone(),
            service: spec.service.clone(),
            format: maker.make(&options)?,
            guard,
            rate_limit: spec.rate_limit.clone(),
            timeout: spec.timeout,
            body_limit: spec.body_limit,
            binding: Binding::Http(HttpBinding {
                path: spec.http.path.clone(),
                methods: methods.collect(),
            }),
        })))
    }
}

fn unknown_format<'a>(given: &str, known: impl IntoIterator<Item = &'a str>) -> String {
    let known: Vec<&str> = known.into_iter().collect();
    match closest(given, known.iter().copied()) {
        Some(near) => format!("there is no format '{given}'; did you mean '{near}'?"),
        None => format!(
            "there is no format '{given}'; there are {}",
            known.join(", ")
        ),
    }
}

fn parse_method(text: &str) -> Result<Method, String> {
    let known = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"];
    let method = known
        .contains(&text)
        .then(|| Method::from_bytes(text.as_bytes()).ok());
    method
        .flatten()
        .ok_or_else(|| format!("method '{text}' must be one of {}", known.join(", ")))
}

/// Checks a path: what the router would read in another way than it is written is refused.
fn check_path(path: &str, refuse: &mut impl FnMut(String)) {
    if !path.starts_with('/') {
        refuse(format!("path '{path}' must begin with a slash"));
    }
    if path == "/-" || path.starts_with("/-/") {
        refuse(format!(
            "path '{path}': paths under '/-/' are the server's own"
        ));
    }
    let mut names = Vec::new();
    for segment in path.split('/') {
        if let Some(name) = parameter_name(segment) {
            if !is_name(name) {
                refuse(format!(
                    "path '{path}': '{{{name}}}' must be letters, digits and '_'"
                ));
            } else if names.contains(&name) {
                refuse(format!("path '{path}' holds '{{{name}}}' twice"));
            }
            names.push(name);
        } else if !is_literal(segment) {
            refuse(format!(
                "path '{path}': segment '{segment}' must be a name in braces or plain text, not encoded"
            ));
        }
    }
}

fn is_name(name: &str) -> bool {
    let starts = name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
    starts && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}

fn is_literal(segment: &str) -> bool {
    let odd = |c: char| matches!(c, '{' | '}' | '?' | '#' | '%' | '*') || c.is_control();
    !segment.contains(odd) && !matches!(segment, "." | "..")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::{Clock, SystemClock};
    use crate::connect::http::tests::support::Maker;
    use crate::contract::{AnyKind as _, FormatMaker, Guard, Of};

    fn start(body: &serde_json::Value) -> Result<Live, Fault> {
        let kind = Of::<HttpChannel>::NEW;
        let body = kind.normal(body).unwrap();
        let guards = |_: &str| -> Option<Arc<dyn Guard>> { None };
        let formats: [&dyn FormatMaker; 1] = [&Maker("json")];
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let env = Env {
            guards: &guards,
            formats: &formats,
            clock,
            project: std::path::Path::new("."),
        };
        kind.start(&ObjectName::new("c").unwrap(), &body, &env)
    }

    fn spec(change: impl FnOnce(&mut serde_json::Value)) -> serde_json::Value {
        let mut spec =
            serde_json::json!({"service": "s", "http": {"path": "/x/{id}"}, "security": "none"});
        change(&mut spec);
        spec
    }

    #[test]
    fn an_open_channel_says_so_and_gets_the_defaults() {
        let Live::Channel(plan) = start(&spec(|_| ())).unwrap() else {
            panic!("not a channel");
        };
        assert!(plan.guard.is_none());
        assert_eq!(
            (plan.timeout, plan.body_limit),
            (Millis::seconds(30), ByteSize(2 << 20))
        );
        let silent = spec(|spec| {
            spec.as_object_mut().unwrap().remove("security");
        });
        let faults = Of::<HttpChannel>::NEW.normal(&silent).unwrap_err();
        assert!(faults.0[0].message().contains("security"), "{faults:?}");
    }

    #[test]
    fn a_definition_or_format_that_does_not_exist_is_never_skipped() {
        let fault = start(&spec(|spec| spec["security"] = "gone".into()))
            .err()
            .unwrap();
        assert_eq!(fault.code(), Code::ConfigReference);
        let fault = start(&spec(|spec| spec["format"] = "soap".into()))
            .err()
            .unwrap();
        assert_eq!(fault.code(), Code::ConfigReference);
    }

    #[test]
    fn every_problem_is_told() {
        for (name, value, problems) in [
            ("path", serde_json::json!("x"), 1),
            ("path", serde_json::json!("/-/ready"), 1),
            ("path", serde_json::json!("/a/{x}/{x}"), 1),
            ("path", serde_json::json!("/a{x}/{}/%20/../{1}"), 5),
            ("methods", serde_json::json!(["get", "TRACE", "GET"]), 2),
            ("path", serde_json::json!("/zażółć/{a_1}/b c"), 0),
        ] {
            let body = spec(|spec| spec["http"][name] = value.clone());
            let found = Of::<HttpChannel>::NEW
                .normal(&body)
                .err()
                .map_or(0, |faults| faults.0.len());
            assert_eq!(found, problems, "{value}");
        }
        let body = spec(|spec| {
            spec["format"] = "jsn".into();
            spec["timeout"] = "0s".into();
            spec["body_limit"] = "1GiB".into();
            spec["rate_limit"] = serde_json::json!({"limit": 0, "per": "1s"});
        });
        let faults = Of::<HttpChannel>::NEW.normal(&body).unwrap_err();
        assert_eq!(faults.0.len(), 4);
        assert!(
            faults
                .0
                .iter()
                .any(|fault| fault.message().contains("did you mean 'json'?"))
        );
    }

    #[test]
    fn the_example_is_normal_and_normalising_twice_changes_nothing() {
        let kind = Of::<HttpChannel>::NEW;
        let example = serde_json::from_str(HttpChannel::EXAMPLE).unwrap();
        let once = kind.normal(&example).unwrap();
        assert_eq!(kind.normal(&once).unwrap(), once);
    }
}
