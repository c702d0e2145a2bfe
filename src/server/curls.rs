//! Calls to try: one `curl` for each of a few channels, such that it works when it is pasted.
//!
//! The input is that of the first case in `tests/` in which the service answers, else one made of what it declares. Of
//! credentials only those of the demo are written out; of others the variable they come from.

use http::Method;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Value as Json, json};

use crate::admin::Parts;
use crate::base::Value;
use crate::config::Project;
use crate::config::interpolate::{DEMO_CREDENTIALS, secret_variable};
use crate::contract::{Binding, ChannelPlan, Declaration, Services as _};
use crate::format::csv_text;
use crate::runtime::{LiveObject, LiveSet};
use crate::server::shell::Word;
use crate::{sio, testing};

/// How many are shown.
const SHOWN: usize = 4;
/// The namespace of WS-Security.
const WSSE: &str =
    "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-secext-1.0.xsd";
/// The type of a password as text.
const PASSWORD_TEXT: &str = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-username-token-profile-1.0#PasswordText";

/// Returns the calls under their heading; nothing where no channel can be tried.
pub(super) fn all(parts: &Parts) -> Vec<String> {
    let live = parts.configuration.runtime.live();
    let channels = live.objects.values().filter_map(|object| {
        let route = object.route.as_ref().filter(|route| route.enabled)?;
        Some((object, &*route.plan))
    });
    // One of each format first: who has many channels wants to see that.
    let (mut first, mut rest) = (Vec::new(), Vec::new());
    for (object, plan) in channels {
        let known = |(_, other): &(_, &ChannelPlan)| other.format.name() == plan.format.name();
        if first.iter().any(known) {
            rest.push((object, plan));
        } else {
            first.push((object, plan));
        }
    }
    let lines = first.into_iter().chain(rest).filter_map(|(object, plan)| {
        let line = line(parts, &live, object, plan)?;
        Some(format!("  {line}"))
    });
    let lines: Vec<String> = lines.take(SHOWN).collect();
    let heading = (!lines.is_empty()).then(|| "Try:".to_owned());
    heading.into_iter().chain(lines).collect()
}

/// Returns the call of a channel; nothing where none is known to work.
fn line(parts: &Parts, live: &LiveSet, object: &LiveObject, plan: &ChannelPlan) -> Option<String> {
    let entry = parts.registry.load().find(plan.service.as_str())?;
    let declaration = entry.service.declaration();
    let project = &parts.configuration.project;
    let of_tests = testing::first_input(project.root(), plan.service.as_str());
    let endpoint = parts.endpoints.services.as_str();
    let call = Call {
        project,
        endpoint,
        object,
        plan,
        declaration,
        input: of_tests.or_else(|| sio::example(declaration))?,
        security: security(live, object, endpoint.starts_with("https"))?,
    };
    let words = call.words()?;
    let words: Vec<String> = words.iter().map(Word::quoted).collect();
    Some(words.join(" "))
}

/// A call of a channel.
struct Call<'a> {
    project: &'a Project,
    endpoint: &'a str,
    object: &'a LiveObject,
    plan: &'a ChannelPlan,
    declaration: &'a Declaration,
    input: Json,
    security: Security,
}

/// What a caller shows of itself.
enum Security {
    None,
    Key { header: String, key: Word },
    Basic { username: String, password: Word },
    Token { username: String, password: Word },
}

impl Call<'_> {
    fn words(&self) -> Option<Vec<Word>> {
        let Binding::Http(place) = &self.plan.binding;
        let answers = |method| place.methods.is_empty() || place.methods.contains(method);
        let mut words = vec![Word::text("curl")];
        if self.endpoint.starts_with("https") {
            // A certificate for development is seldom one that others trust.
            words.push(Word::text("-k"));
        }
        words.extend(self.credentials());
        let mut url = format!("{}{}", self.endpoint, self.path(&place.path));
        if !answers(&Method::POST) && answers(&Method::GET) {
            url.push_str(&self.query());
            words.push(Word::text(url));
            return Some(words);
        }
        if let Some(other) = place.methods.first().filter(|_| !answers(&Method::POST)) {
            words.extend([Word::text("-X"), Word::text(other.as_str())]);
        }
        let (headers, body) = self.message()?;
        for header in headers {
            words.extend([Word::text("-H"), Word::text(header)]);
        }
        words.push(Word::text(url));
        words.extend(body);
        Some(words)
    }

    fn credentials(&self) -> Vec<Word> {
        match &self.security {
            Security::Key { header, key } => {
                let header = Word::text(format!("{header}: ")).then(key.clone());
                vec![Word::text("-H"), header]
            }
            Security::Basic { username, password } => {
                let both = Word::text(format!("{username}:")).then(password.clone());
                vec![Word::text("-u"), both]
            }
            Security::None | Security::Token { .. } => Vec::new(),
        }
    }

    /// Returns the path, with a member of the input for each `{name}`.
    fn path(&self, template: &str) -> String {
        let segment = |segment: &str| {
            let name = segment
                .strip_prefix('{')
                .and_then(|it| it.strip_suffix('}'));
            let Some(name) = name else {
                return segment.to_owned();
            };
            let member = self.input.get(name).and_then(scalar);
            let member = member.unwrap_or_else(|| "1".to_owned());
            utf8_percent_encode(&member, NON_ALPHANUMERIC).to_string()
        };
        template
            .split('/')
            .map(segment)
            .collect::<Vec<_>>()
            .join("/")
    }

    fn query(&self) -> String {
        let pairs = self.pairs();
        if pairs.is_empty() {
            return String::new();
        }
        format!("?{pairs}")
    }

    /// Returns the members of the input as forms and queries have them.
    fn pairs(&self) -> String {
        let mut pairs = form_urlencoded::Serializer::new(String::new());
        for (name, value) in self.input.as_object().into_iter().flatten() {
            let values = value
                .as_array()
                .map_or(std::slice::from_ref(value), Vec::as_slice);
            for text in values.iter().filter_map(scalar) {
                pairs.append_pair(name, &text);
            }
        }
        pairs.finish()
    }

    /// Returns the headers and the words of the body.
    fn message(&self) -> Option<(Vec<String>, Vec<Word>)> {
        let format = self.plan.format.name();
        let strict = self.object.stored.body.get("strict") == Some(&Json::Bool(true));
        let typed = |media_type: &str| {
            let header = format!("Content-Type: {media_type}");
            if strict { vec![header] } else { Vec::new() }
        };
        Some(match format {
            "json" => (typed("application/json"), data(Word::text(self.json()))),
            "form" => (Vec::new(), data(Word::text(self.pairs()))),
            "raw" => {
                let text = self.input.as_str().unwrap_or("text");
                self.takes(Value::text(text))?;
                let header = "Content-Type: text/plain".to_owned();
                (vec![header], data(Word::text(text)))
            }
            "csv" => (typed("text/csv"), self.rows()?),
            "xml" => {
                let request = testing::request(self.object, self.declaration, &self.input)?;
                let text = without_declaration(&request.body)?;
                (typed("application/xml"), data(Word::text(text)))
            }
            "soap" => self.envelope()?,
            _ => return None,
        })
    }

    /// Tells whether the service takes what is not a map of its inputs; nothing if it does not.
    fn takes(&self, value: Value) -> Option<()> {
        sio::bind(self.declaration, value, &[]).ok().map(drop)
    }

    fn rows(&self) -> Option<Vec<Word>> {
        let rows = match &self.input {
            Json::Object(none) if none.is_empty() => json!([{ "name": "value" }]),
            input => input.clone(),
        };
        let text = csv_text::write(&Value::from(&rows), &[]).ok()?;
        self.takes(Value::List(csv_text::read(&text).ok()?))?;
        let text = String::from_utf8(text).ok()?.replace('\r', "");
        // In one line, whatever it holds: `-d` would send the text as it stands here.
        let text = Word::text(text.trim_end().replace('\\', r"\\").replace('\n', r"\n"));
        let text = format!("\"$(printf %b {})\"", text.quoted());
        Some(vec![Word::text("--data-binary"), Word::raw(text)])
    }

    /// Nothing is an input without names.
    fn json(&self) -> String {
        match &self.input {
            Json::Null => "{}".to_owned(),
            input => input.to_string(),
        }
    }

    fn envelope(&self) -> Option<(Vec<String>, Vec<Word>)> {
        let request = testing::request(self.object, self.declaration, &self.input)?;
        let soap = self.object.stored.body.get("soap");
        let action = soap.and_then(|soap| soap.get("action")?.as_str());
        let action = action.unwrap_or_default();
        let media_type = request.meta.header("content-type").unwrap_or_default();
        let strict = self.object.stored.body.get("strict") == Some(&Json::Bool(true));
        let newer = media_type.starts_with("application/soap+xml");
        let mut headers = Vec::new();
        if newer || strict {
            headers.push(format!("Content-Type: {media_type}"));
        }
        if !newer && !action.is_empty() {
            headers.push(format!("SOAPAction: {action}"));
        }
        // A project may have its own message, as the scenario does.
        let file = format!("docs/{action}.soap.xml");
        if !action.is_empty() && self.project.root().join(&file).is_file() {
            let here = Project::at(std::path::Path::new("."));
            let path = if here.root() == self.project.root() {
                file
            } else {
                self.project
                    .root()
                    .join(file)
                    .to_string_lossy()
                    .into_owned()
            };
            return Some((
                headers,
                vec![Word::text("-d"), Word::text(format!("@{path}"))],
            ));
        }
        let text = without_declaration(&request.body)?;
        let Security::Token { username, password } = &self.security else {
            return Some((headers, data(Word::text(text))));
        };
        let (before, after) = text.split_once("<soap:Body>")?;
        let token = Word::text(format!(
            "{before}<soap:Header><w:Security xmlns:w=\"{WSSE}\"><w:UsernameToken><w:Username>{}</w:Username><w:Password Type=\"{PASSWORD_TEXT}\">",
            escaped(username)
        ));
        let rest =
            format!("</w:Password></w:UsernameToken></w:Security></soap:Header><soap:Body>{after}");
        Some((
            headers,
            data(token.then(password.clone()).then(Word::text(rest))),
        ))
    }
}

fn data(body: Word) -> Vec<Word> {
    // After `-d` a text that begins with @ would name a file.
    let flag = if body.starts_with('@') {
        "--data-raw"
    } else {
        "-d"
    };
    vec![Word::text(flag), body]
}

fn scalar(value: &Json) -> Option<String> {
    match value {
        Json::Null | Json::Array(_) | Json::Object(_) => None,
        Json::String(text) => Some(text.clone()),
        other => Some(other.to_string()),
    }
}

fn without_declaration(body: &[u8]) -> Option<&str> {
    let text = std::str::from_utf8(body).ok()?;
    let rest = text
        .strip_prefix("<?xml")
        .and_then(|rest| rest.split_once("?>"));
    Some(rest.map_or(text, |(_, rest)| rest).trim())
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;")
}

/// Returns what callers of a channel show; nothing where no command line can make it.
fn security(live: &LiveSet, channel: &LiveObject, secure: bool) -> Option<Security> {
    let name = channel.stored.body.get("security")?.as_str()?;
    if name == "none" {
        return Some(Security::None);
    }
    let objects = live.objects.values();
    let mut definitions = objects.filter(|it| it.stored.id.kind.starts_with("security."));
    let definition = definitions.find(|it| it.stored.id.name.as_str() == name)?;
    let body = &definition.stored.body;
    let text = |field: &str| body.get(field).and_then(Json::as_str);
    let username = || text("username").map(str::to_owned);
    let password = || secret(text("password"), "PASSWORD");
    Some(match definition.stored.id.kind.as_str() {
        "security.api_key" => Security::Key {
            header: text("header").unwrap_or("X-API-Key").to_owned(),
            key: secret(text("key"), "KEY"),
        },
        "security.basic" => Security::Basic {
            username: username()?,
            password: password(),
        },
        // A digest is good for one message only.
        "security.wss" if takes_text(body, secure) => Security::Token {
            username: username()?,
            password: password(),
        },
        _ => return None,
    })
}

fn takes_text(body: &Json, secure: bool) -> bool {
    let kinds = body.get("passwords").and_then(Json::as_array);
    let plain = body.get("allow_plain") == Some(&Json::Bool(true));
    (secure || plain) && kinds.is_some_and(|kinds| kinds.iter().any(|kind| kind == "text"))
}

/// Returns a credential of the demo, or the variable that has it.
fn secret(text: Option<&str>, name: &str) -> Word {
    let text = text.unwrap_or_default();
    if DEMO_CREDENTIALS.contains(&text) {
        return Word::text(text);
    }
    let inner = text.strip_prefix("${").and_then(|it| it.strip_suffix('}'));
    let inner = inner.unwrap_or_default().split(":-").next();
    match inner.unwrap_or_default().split_once('.') {
        Some(("env", variable)) => Word::variable(variable),
        Some(("secret", secret)) => Word::variable(&secret_variable(secret)),
        _ => Word::variable(name),
    }
}
