//! SOAP 1.1 and 1.2 on one path: one operation, document/literal wrapped.
//!
//! What is dispatched is the body's element, never the action alone: an action that speaks of
//! something else is refused. The answer and every fault are in the version of the request.

mod envelope;
mod fault;
#[cfg(test)]
mod tests;
mod version;

use std::sync::Arc;

use bytes::Bytes;

use crate::base::{Code, Fault, Inbound, Map, Reply, Text, Value};
use crate::contract::{
    Answer, Declaration, Decoded, Format, FormatMaker, FormatOptions, SoapInfo, SoapOptions,
    SoapVersion,
};
use crate::format::answer;
use crate::format::content_type::ContentType;
use crate::xml::{self, Node, Writer};
use envelope::Envelope;

/// Makes the format `soap`.
pub(crate) struct SoapFormat;

impl FormatMaker for SoapFormat {
    fn name(&self) -> &'static str {
        "soap"
    }

    fn make(&self, options: &FormatOptions) -> Result<Arc<dyn Format>, Fault> {
        let options = options.soap.clone();
        let by_name = |name: &String| {
            version::ALL
                .into_iter()
                .find(|any| version::name(*any) == name)
        };
        let versions: Option<Vec<_>> = options.version.iter().map(by_name).collect();
        let Some(versions) = versions.filter(|versions| !versions.is_empty()) else {
            let message = format!(
                "soap version {:?} is not among 1.1 and 1.2",
                options.version
            );
            return Err(Fault::new(Code::ConfigConstraint, message));
        };
        if !options.operation.is_empty() && !xml::is_ncname(&options.operation) {
            let message = format!(
                "soap operation `{}` cannot be the name of an element",
                options.operation
            );
            return Err(Fault::new(Code::ConfigConstraint, message));
        }
        Ok(Arc::new(Soap { options, versions }))
    }
}

struct Soap {
    options: SoapOptions,
    versions: Vec<SoapVersion>,
}

impl Format for Soap {
    fn name(&self) -> &'static str {
        "soap"
    }

    fn decode(&self, inbound: &Inbound) -> Result<Decoded, Fault> {
        let envelope = Envelope::read(inbound)?;
        self.check_version(envelope.version)?;
        check_headers(&envelope)?;
        let operation = self.operation(&envelope, inbound)?;
        let value = match envelope.operation.as_ref().map(Node::to_value) {
            Some(value @ Value::Map(_)) => value,
            Some(Value::Text(text)) if !text.trim().is_empty() => Value::Text(text),
            _ => Value::Map(Map::new()),
        };
        Ok(Decoded {
            value,
            soap: Some(SoapInfo {
                version: envelope.version,
                operation,
            }),
        })
    }

    fn encode(
        &self,
        _declaration: &Declaration,
        answer: Answer,
        inbound: &Inbound,
    ) -> Result<Reply, Fault> {
        if let Some(reply) = answer::as_is(&answer) {
            return reply;
        }
        let version = version::of_caller(inbound);
        let body = self.document(version, &answer.value, inbound)?;
        answer::reply(&answer, version::media_type(version), body)
    }

    fn fault(&self, fault: &Fault, inbound: &Inbound) -> Reply {
        fault::reply(fault, inbound, &self.versions)
    }
}

impl Soap {
    fn check_version(&self, version: SoapVersion) -> Result<(), Fault> {
        if self.versions.contains(&version) {
            return Ok(());
        }
        let name = version::name(version);
        Err(Fault::new(
            Code::SoapVersion,
            format!("SOAP {name} is not accepted here"),
        ))
    }

    /// Returns the operation that body and action agree upon.
    fn operation(&self, envelope: &Envelope, inbound: &Inbound) -> Result<Text, Fault> {
        let sent = action(inbound);
        if let Some(sent) = &sent
            && !self.is_our_action(sent)
        {
            return Err(unknown(
                format!("action `{sent}` is not known here"),
                &self.expected(),
            ));
        }
        match &envelope.operation {
            Some(element) => {
                self.check_element(element, sent.as_deref())?;
                Ok(Text::new(element.name()))
            }
            // An empty body is an operation without input; only the action can name it.
            None if sent.is_some() => Ok(Text::new(&self.options.operation)),
            None => Err(unknown(
                "the SOAP body is empty".to_owned(),
                &self.expected(),
            )),
        }
    }

    fn check_element(&self, element: &Node, sent: Option<&str>) -> Result<(), Fault> {
        let SoapOptions {
            operation,
            namespace,
            ..
        } = &self.options;
        let fits_name = operation.is_empty() || element.name() == operation;
        let fits_namespace = matches!(element.namespace(), "") || element.namespace() == namespace;
        if fits_name && fits_namespace {
            return Ok(());
        }
        let element = format!("`{{{}}}{}`", element.namespace(), element.name());
        let message = match sent {
            Some(sent) => {
                format!("action `{sent}` and body element {element} do not belong together")
            }
            None => format!("operation {element} is not known here"),
        };
        Err(unknown(message, &self.expected()))
    }

    /// An action is ours when it is the configured one, or names the operation in a usual way.
    fn is_our_action(&self, sent: &str) -> bool {
        let SoapOptions {
            action,
            operation,
            namespace,
            ..
        } = &self.options;
        let stem = namespace.trim_end_matches('/');
        let usual = ["/", "#", ":"].map(|separator| format!("{stem}{separator}{operation}"));
        let anything = action.is_empty() && operation.is_empty();
        let configured = !action.is_empty() && sent == action;
        let named =
            !operation.is_empty() && (sent == operation || usual.iter().any(|own| own == sent));
        anything || configured || named
    }

    fn expected(&self) -> String {
        let SoapOptions {
            operation,
            namespace,
            ..
        } = &self.options;
        match operation.as_str() {
            "" => format!("Send an element of the namespace `{namespace}` in the body."),
            _ => format!("Send element `{operation}` of the namespace `{namespace}` in the body."),
        }
    }

    fn document(
        &self,
        version: SoapVersion,
        value: &Value,
        inbound: &Inbound,
    ) -> Result<Bytes, Fault> {
        let operation = match self.options.operation.as_str() {
            "" => Envelope::read(inbound)?
                .operation
                .map_or(String::new(), |own| own.name().to_owned()),
            own => own.to_owned(),
        };
        let mut writer = Writer::with_declaration();
        writer
            .start("soap:Envelope")
            .attribute("xmlns:soap", version::namespace(version));
        writer.start("soap:Body");
        writer
            .start(&format!("{operation}Response"))
            .attribute("xmlns", &self.options.namespace);
        xml::write_content(&mut writer, value)?;
        Ok(Bytes::from(writer.finish()))
    }
}

fn check_headers(envelope: &Envelope) -> Result<(), Fault> {
    let unknown = envelope.not_understood();
    if unknown.is_empty() {
        return Ok(());
    }
    let names: Vec<String> = unknown
        .iter()
        .map(|header| format!("`{{{}}}{}`", header.namespace(), header.name()))
        .collect();
    let message = format!("header {} must be understood but is not", names.join(", "));
    Err(Fault::new(Code::MustUnderstand, message))
}

/// How much of an action is looked at; ours are shorter, and faults repeat it.
const LONGEST_ACTION: usize = 200;

/// Returns the action of a request: the parameter of SOAP 1.2, else the header of 1.1.
fn action(inbound: &Inbound) -> Option<String> {
    let kind = ContentType::of(inbound);
    let header = || inbound.meta.header("soapaction");
    let action = kind.param("action").or_else(header)?.trim();
    let action = action
        .strip_prefix('"')
        .and_then(|action| action.strip_suffix('"'))
        .unwrap_or(action);
    let action: String = action.trim().chars().take(LONGEST_ACTION).collect();
    (!action.is_empty()).then_some(action)
}

fn unknown(message: String, hint: &str) -> Fault {
    Fault::new(Code::SoapAction, message).hint(hint)
}
