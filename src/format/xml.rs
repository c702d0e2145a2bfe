//! Plain XML: any root element in, one root element out, no envelope.
//!
//! Child elements are fields; attributes and namespaces of a request play no part. No body, and a root
//! without content, are a request without input.

use std::sync::Arc;

use bytes::Bytes;

use crate::base::{Code, Fault, Inbound, Map, Reply, Value};
use crate::contract::{
    Answer, Declaration, Decoded, Format, FormatMaker, FormatOptions, XmlOptions,
};
use crate::format::answer;
use crate::format::content_type::ContentType;
use crate::format::problem_xml;
use crate::xml::{self, Limits, Writer};

/// Makes the format `xml`.
pub(crate) struct XmlFormat;

impl FormatMaker for XmlFormat {
    fn name(&self) -> &'static str {
        "xml"
    }

    fn make(&self, options: &FormatOptions) -> Result<Arc<dyn Format>, Fault> {
        let XmlOptions { root, namespace } = options.xml.clone();
        if !xml::is_ncname(&root) {
            let message = format!("xml root `{root}` cannot be the name of an element");
            return Err(Fault::new(Code::ConfigConstraint, message));
        }
        Ok(Arc::new(Xml {
            root,
            namespace,
            strict: options.strict,
        }))
    }
}

struct Xml {
    root: String,
    namespace: String,
    strict: bool,
}

impl Format for Xml {
    fn name(&self) -> &'static str {
        "xml"
    }

    fn decode(&self, inbound: &Inbound) -> Result<Decoded, Fault> {
        let nothing = || Decoded {
            value: Value::Map(Map::new()),
            soap: None,
        };
        if inbound.body.trim_ascii().is_empty() {
            return Ok(nothing());
        }
        let kind = ContentType::of(inbound);
        if self.strict && !kind.is_xml() {
            return Err(kind.refused("application/xml or text/xml"));
        }
        let document = xml::parse(&inbound.body, kind.xml_charset(), &Limits::default())?;
        match document.to_value() {
            Value::Text(text) if text.trim().is_empty() => Ok(nothing()),
            value => Ok(Decoded { value, soap: None }),
        }
    }

    fn encode(
        &self,
        _declaration: &Declaration,
        answer: Answer,
        _inbound: &Inbound,
    ) -> Result<Reply, Fault> {
        if let Some(reply) = answer::as_is(&answer) {
            return reply;
        }
        let body = self.document(&answer.value)?;
        answer::reply(&answer, "application/xml; charset=utf-8", body)
    }

    fn fault(&self, fault: &Fault, inbound: &Inbound) -> Reply {
        problem_xml::reply(fault, inbound)
    }
}

impl Xml {
    fn document(&self, value: &Value) -> Result<Bytes, Fault> {
        let mut writer = Writer::with_declaration();
        writer.start(&self.root);
        if !self.namespace.is_empty() {
            writer.attribute("xmlns", &self.namespace);
        }
        xml::write_content(&mut writer, value)?;
        Ok(Bytes::from(writer.finish()))
    }
}
