//! A client of one exposure: writes a request as such a client would, and reads what comes back.

use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, header};
use serde::de::DeserializeOwned;
use serde_json::Value as Json;

use crate::base::{
    ByteSize, Code, Fault, HttpMeta, Inbound, Map, Meta, Millis, ObjectName, Reply, ServiceName,
    Value,
};
use crate::contract::{
    Answer, Binding, ChannelPlan, Declaration, Format, FormatOptions, HttpBinding, SoapOptions,
    Wrap, XmlOptions,
};
use crate::format::json_read;
use crate::gateway::Route;
use crate::kinds::FORMATS;
use crate::runtime::LiveObject;
use crate::testing::cases::Exposure;
use crate::testing::project::Project;
use crate::testing::scene;
use crate::xml::{self, Limits, Node, Writer};

const SOAP_11: &str = "http://schemas.xmlsoap.org/soap/envelope/";
const SOAP_12: &str = "http://www.w3.org/2003/05/soap-envelope";

/// A client of a service by one format.
pub(super) struct Client {
    exposure: Exposure,
    options: FormatOptions,
    plan: Arc<ChannelPlan>,
}

/// An error as a client reads it.
#[derive(Debug, Default)]
pub(super) struct Problem {
    /// The code.
    pub(super) code: String,
    /// JSON pointers of the fields that are wrong.
    pub(super) pointers: Vec<String>,
}

impl Client {
    /// Makes a client of the project's own channel, or of one made for the test when it has none.
    pub(super) fn new(
        project: &Project,
        service: &ServiceName,
        exposure: Exposure,
    ) -> Result<Self, Fault> {
        let live = project.runtime.live();
        let own = live.objects.values().find_map(|object| {
            let plan = &object.route.as_ref()?.plan;
            let fits = plan.service == *service && plan.format.name() == format_of(exposure);
            fits.then(|| (options(object), Arc::clone(plan)))
        });
        let (options, plan) = match own {
            Some((options, plan)) => (options, open(&plan)),
            None => made(service, exposure)?,
        };
        Ok(Self {
            exposure,
            options,
            plan: Arc::new(plan),
        })
    }

    /// Makes a client of a channel; nothing of one whose format has no client here.
    pub(super) fn of(channel: &LiveObject) -> Option<Self> {
        let plan = Arc::clone(&channel.route.as_ref()?.plan);
        let options = options(channel);
        let older = options.soap.version.iter().any(|version| version == "1.1");
        let exposure = match plan.format.name() {
            "json" => Exposure::Json,
            "xml" => Exposure::Xml,
            "soap" if older => Exposure::Soap11,
            "soap" => Exposure::Soap12,
            _ => return None,
        };
        Some(Self {
            exposure,
            options,
            plan,
        })
    }

    /// Returns the route of its messages.
    pub(super) fn route(&self, project: &Project) -> Route {
        Route::new(Arc::clone(&self.plan), true, &project.registry)
    }

    /// Writes a request.
    pub(super) fn request(
        &self,
        declaration: &Declaration,
        input: &Json,
    ) -> Result<Inbound, Fault> {
        let mut headers = HeaderMap::new();
        let (media_type, body) = match self.exposure {
            Exposure::Xml => {
                let request = XmlOptions {
                    root: "request".to_owned(),
                    namespace: String::new(),
                };
                let options = FormatOptions {
                    xml: request,
                    ..FormatOptions::default()
                };
                let body = written("xml", &options, declaration, input)?;
                ("application/xml; charset=utf-8".to_owned(), body)
            }
            Exposure::Soap11 | Exposure::Soap12 => self.envelope(input, &mut headers)?,
            Exposure::Json | Exposure::Direct => {
                let options = FormatOptions {
                    wrap: Wrap("none".to_owned()),
                    ..FormatOptions::default()
                };
                let body = written("json", &options, declaration, input)?;
                ("application/json".to_owned(), body)
            }
        };
        headers.insert(header::CONTENT_TYPE, value(&media_type)?);
        let Binding::Http(place) = &self.plan.binding;
        let meta = Meta {
            headers,
            http: Some(HttpMeta {
                method: http::Method::POST,
                path: place.path.as_str().into(),
                ..HttpMeta::default()
            }),
            ..Meta::default()
        };
        Ok(Inbound {
            cid: scene::cid(),
            meta: Arc::new(meta),
            body,
        })
    }

    fn envelope(&self, input: &Json, headers: &mut HeaderMap) -> Result<(String, Bytes), Fault> {
        let SoapOptions {
            action, namespace, ..
        } = &self.options.soap;
        let (soap, media_type) = if self.exposure == Exposure::Soap11 {
            headers.insert("soapaction", value(&format!("\"{action}\""))?);
            (SOAP_11, "text/xml; charset=utf-8".to_owned())
        } else {
            let action = format!("application/soap+xml; charset=utf-8; action=\"{action}\"");
            (SOAP_12, action)
        };
        let mut writer = Writer::with_declaration();
        writer.start("soap:Envelope").attribute("xmlns:soap", soap);
        writer.start("soap:Body");
        writer.start(self.operation()).attribute("xmlns", namespace);
        xml::write_content(&mut writer, &input_of(input))?;
        Ok((media_type, writer.finish().into()))
    }

    fn operation(&self) -> &str {
        match self.options.soap.operation.as_str() {
            "" => "request",
            own => own,
        }
    }

    /// Writes an answer as the channel does, to compare a service's that declares no outputs.
    pub(super) fn answer(&self, declaration: &Declaration, output: &Json) -> Result<Reply, Fault> {
        let inbound = self.request(declaration, &Json::Null)?;
        let answer = Answer {
            value: Value::from(output),
            ..Answer::default()
        };
        self.plan.format.encode(declaration, answer, &inbound)
    }

    /// Reads an answer.
    pub(super) fn read(&self, reply: &Reply) -> Result<Value, Fault> {
        let unreadable = |fault: Fault| {
            let message = format!("the answer cannot be read: {}", fault.message());
            Fault::new(Code::TestFailed, message)
        };
        let known = reply.media_type.contains("json") || reply.media_type.contains("xml");
        if !known {
            return Ok(Value::text(String::from_utf8_lossy(&reply.body)));
        }
        let read = match self.exposure {
            Exposure::Json | Exposure::Direct => {
                json_read::read(&reply.body).map(|value| self.unwrapped(value))
            }
            Exposure::Xml => node(reply).map(|node| match node.to_value() {
                Value::Text(text) if text.trim().is_empty() => Value::Map(Map::new()),
                value => value,
            }),
            Exposure::Soap11 | Exposure::Soap12 => self.read_envelope(reply),
        };
        read.map_err(unreadable)
    }

    fn unwrapped(&self, value: Value) -> Value {
        let wrap = self.options.wrap.0.as_str();
        match value {
            Value::Map(mut map) if wrap != "none" => match map.remove(wrap) {
                Some(inner) => inner,
                None => Value::Map(map),
            },
            other => other,
        }
    }

    /// Reads the answer as the request of an operation of its name: envelopes look alike both ways.
    fn read_envelope(&self, reply: &Reply) -> Result<Value, Fault> {
        let options = FormatOptions {
            soap: SoapOptions {
                operation: format!("{}Response", self.operation()),
                action: String::new(),
                ..self.options.soap.clone()
            },
            ..FormatOptions::default()
        };
        let mut meta = Meta::default();
        meta.headers
            .insert(header::CONTENT_TYPE, value(&reply.media_type)?);
        let inbound = Inbound {
            cid: scene::cid(),
            meta: Arc::new(meta),
            body: reply.body.clone(),
        };
        maker("soap", &options)?
            .decode(&inbound)
            .map(|decoded| decoded.value)
    }

    /// Reads an error.
    pub(super) fn problem(&self, reply: &Reply) -> Result<Problem, Fault> {
        if matches!(self.exposure, Exposure::Json | Exposure::Direct) {
            return json_read::read(&reply.body).map(|problem| of_json(&problem));
        }
        let mut problem = Problem::default();
        gather(&node(reply)?, &mut problem);
        Ok(problem)
    }
}

/// Tells whether the project's own channel of a service takes what clients of an exposure send; true when there is none.
pub(super) fn takes(project: &Project, service: &ServiceName, exposure: Exposure) -> bool {
    let version = match exposure {
        Exposure::Soap11 => "1.1",
        Exposure::Soap12 => "1.2",
        _ => return true,
    };
    let client = Client::new(project, service, exposure);
    client.is_ok_and(|client| client.options.soap.version.iter().any(|own| own == version))
}

fn format_of(exposure: Exposure) -> &'static str {
    match exposure {
        Exposure::Direct | Exposure::Json => "json",
        Exposure::Xml => "xml",
        Exposure::Soap11 | Exposure::Soap12 => "soap",
    }
}

/// Returns the options of the format of a channel.
fn options(object: &LiveObject) -> FormatOptions {
    let body = &object.stored.body;
    FormatOptions {
        strict: option(body, "strict"),
        wrap: option(body, "wrap"),
        xml: option(body, "xml"),
        soap: option(body, "soap"),
    }
}

fn option<T: DeserializeOwned + Default>(body: &Json, name: &str) -> T {
    let given = body.get(name).cloned();
    let read = given.and_then(|given| serde_json::from_value(given).ok());
    read.unwrap_or_default()
}

/// Returns the plan of a channel that lets everybody in: tests are about the service.
fn open(plan: &ChannelPlan) -> ChannelPlan {
    let Binding::Http(place) = &plan.binding;
    ChannelPlan {
        name: plan.name.clone(),
        service: plan.service.clone(),
        format: Arc::clone(&plan.format),
        guard: None,
        rate_limit: None,
        timeout: plan.timeout,
        body_limit: plan.body_limit,
        binding: Binding::Http(place.clone()),
    }
}

fn made(service: &ServiceName, exposure: Exposure) -> Result<(FormatOptions, ChannelPlan), Fault> {
    let options = FormatOptions::default();
    let nameless = || Fault::new(Code::Internal, "a channel of a test has no name");
    let plan = ChannelPlan {
        name: ObjectName::new("test").ok_or_else(nameless)?,
        service: service.clone(),
        format: maker(format_of(exposure), &options)?,
        guard: None,
        rate_limit: None,
        timeout: Millis::seconds(30),
        body_limit: ByteSize(2 << 20),
        binding: Binding::Http(HttpBinding {
            path: "/test".to_owned(),
            methods: Vec::new(),
        }),
    };
    Ok((options, plan))
}

fn maker(name: &str, options: &FormatOptions) -> Result<Arc<dyn Format>, Fault> {
    let maker = FORMATS.iter().find(|maker| maker.name() == name);
    let missing = || Fault::new(Code::Internal, format!("there is no format {name}"));
    maker.ok_or_else(missing)?.make(options)
}

fn written(
    format: &str,
    options: &FormatOptions,
    declaration: &Declaration,
    input: &Json,
) -> Result<Bytes, Fault> {
    let answer = Answer {
        value: input_of(input),
        ..Answer::default()
    };
    let nothing = Inbound {
        cid: scene::cid(),
        meta: Arc::default(),
        body: Bytes::new(),
    };
    let reply = maker(format, options)?.encode(declaration, answer, &nothing)?;
    Ok(reply.body)
}

/// Returns what a case gives; nothing is an input without names.
pub(super) fn input_of(input: &Json) -> Value {
    match input {
        Json::Null => Value::Map(Map::new()),
        given => Value::from(given),
    }
}

fn value(text: &str) -> Result<HeaderValue, Fault> {
    HeaderValue::from_str(text)
        .map_err(|error| Fault::new(Code::Internal, format!("header {text:?}: {error}")))
}

fn node(reply: &Reply) -> Result<Node, Fault> {
    xml::parse(&reply.body, None, &Limits::default())
}

fn of_json(problem: &Value) -> Problem {
    let text = |value: &Value, name: &str| {
        let found = value.as_map().and_then(|map| map.get(name));
        found.and_then(Value::as_str).unwrap_or_default().to_owned()
    };
    let errors = problem.as_map().and_then(|map| map.get("errors"));
    let pointers = match errors {
        Some(Value::List(list)) => list.iter().map(|error| text(error, "pointer")).collect(),
        _ => Vec::new(),
    };
    Problem {
        code: text(problem, "code"),
        pointers,
    }
}

/// Takes the first code and all pointers out of a document: in elements of problems, in attributes of SOAP faults.
fn gather(node: &Node, problem: &mut Problem) {
    match node.name() {
        "code" if problem.code.is_empty() => problem.code = node.text(),
        "pointer" => problem.pointers.push(pointer_of(&node.text())),
        "field" => {
            let pointer = node.attribute("pointer", None);
            problem.pointers.extend(pointer.map(pointer_of));
        }
        _ => {}
    }
    for child in node.children() {
        gather(&child, problem);
    }
}

/// Returns the JSON pointer of an XPath below the root element: `/items/1` of `/request/items[2]`.
fn pointer_of(xpath: &str) -> String {
    let steps = xpath.split('/').skip(2);
    let steps = steps.map(
        |step| match step.strip_suffix(']').and_then(|it| it.split_once('[')) {
            Some((name, number)) => {
                let index = number.parse::<usize>().unwrap_or(1).saturating_sub(1);
                format!("/{name}/{index}")
            }
            None => format!("/{step}"),
        },
    );
    steps.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_xpath_is_the_same_place_as_its_json_pointer() {
        assert_eq!(pointer_of("/request/month"), "/month");
        assert_eq!(pointer_of("/getRate/items[2]/price"), "/items/1/price");
    }
}
