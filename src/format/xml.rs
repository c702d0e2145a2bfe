//! Plain XML: any root element in, one root element out, no envelope.
//!
//! Child elements are fields; attributes and namespaces of a request play no part. No body, and a
//! root without content, are a request without input.

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

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use super::*;
    use crate::base::{Cid, FieldError, Meta, Place, Segment, ServiceName};

    fn make(strict: bool, namespace: &str) -> Arc<dyn Format> {
        let xml = XmlOptions {
            namespace: namespace.to_owned(),
            ..XmlOptions::default()
        };
        XmlFormat
            .make(&FormatOptions {
                strict,
                xml,
                ..FormatOptions::default()
            })
            .unwrap()
    }

    fn inbound(kind: &str, body: &[u8]) -> Inbound {
        let mut meta = Meta::default();
        if !kind.is_empty() {
            meta.headers.insert("content-type", kind.parse().unwrap());
        }
        let body = Bytes::copy_from_slice(body);
        Inbound {
            cid: Cid::accept("cid-1").unwrap(),
            meta: Arc::new(meta),
            body,
        }
    }

    fn input(format: &Arc<dyn Format>, kind: &str, body: &str) -> Result<String, Code> {
        let decoded = format.decode(&inbound(kind, body.as_bytes()));
        decoded
            .map(|got| serde_json::Value::from(&got.value).to_string())
            .map_err(|error| error.code())
    }

    fn output(namespace: &str, answer: Answer) -> Result<Reply, Fault> {
        let declaration = Declaration {
            name: ServiceName::new("a").unwrap(),
            doc: String::new(),
            input: None,
            output: None,
            timeout: None,
            cpu: None,
            uses: None,
            place: Place::new("scripts/a.lua", 1, 1),
            language: "lua",
        };
        make(false, namespace).encode(&declaration, answer, &inbound("", b""))
    }

    fn shown(reply: &Reply) -> String {
        let body = std::str::from_utf8(&reply.body)
            .unwrap()
            .replace("><", ">\n<");
        format!("{} {}\n{body}\n", reply.status, reply.media_type)
    }

    #[test]
    fn any_root_is_a_request_and_no_content_is_no_input() {
        let format = make(false, "");
        let form = "application/x-www-form-urlencoded";
        let full = Ok(r#"{"year":"2013","day":""}"#.to_owned());
        for root in ["request", "anything"] {
            let body = format!("<{root}><year>2013</year><day/></{root}>");
            for kind in [
                "",
                form,
                "text/xml",
                "application/xml; charset=utf-8",
                "application/json",
            ] {
                assert_eq!(input(&format, kind, &body), full, "{kind}");
            }
        }
        for body in [
            "",
            " \n",
            "<request/>",
            "<request> </request>",
            "<r><!-- --></r>",
        ] {
            assert_eq!(input(&format, "", body), Ok("{}".to_owned()), "{body}");
        }
        assert_eq!(
            input(&format, "", "<r>text</r>"),
            Ok(r#""text""#.to_owned())
        );
    }

    #[test]
    fn bad_xml_is_refused_and_the_charset_of_the_transport_counts() {
        let format = make(false, "");
        assert_eq!(input(&format, "", "{\"year\":2013}"), Err(Code::Malformed));
        assert_eq!(input(&format, "", "<!DOCTYPE r><r/>"), Err(Code::Doctype));
        assert_eq!(
            input(&format, "text/xml; charset=koi8-r", "<r/>"),
            Err(Code::MediaType)
        );
        let declared = "<?xml version='1.0' encoding='iso-8859-1'?><r><a>x</a></r>";
        assert_eq!(
            input(&format, "text/xml; charset=utf-8", declared),
            Err(Code::Malformed)
        );
        let latin = inbound("text/xml; charset=ISO-8859-1", b"<r><a>\xE9</a></r>");
        let value = format.decode(&latin).unwrap().value;
        assert_eq!(
            value.as_map().unwrap().get("a"),
            Some(&Value::text("\u{e9}"))
        );
    }

    #[test]
    fn a_strict_channel_checks_the_media_type() {
        let format = make(true, "");
        for kind in ["text/xml", "application/xml", "application/vnd.x+xml; v=1"] {
            assert!(input(&format, kind, "<r/>").is_ok(), "{kind}");
        }
        for kind in ["", "application/json", "application/x-www-form-urlencoded"] {
            assert_eq!(input(&format, kind, "<r/>"), Err(Code::MediaType), "{kind}");
        }
        assert!(input(&format, "", "").is_ok());
    }

    #[test]
    fn an_answer_has_the_root_of_the_channel() {
        let value =
            serde_json::json!({"rate": "1.22", "no": null, "tags": ["a", "b"], "sub": {"n": 1}});
        let answer = Answer {
            value: Value::from(&value),
            ..Answer::default()
        };
        expect![[r#"
            200 application/xml; charset=utf-8
            <?xml version="1.0" encoding="UTF-8"?>
            <response>
            <rate>1.22</rate>
            <tags>a</tags>
            <tags>b</tags>
            <sub>
            <n>1</n>
            </sub>
            </response>
        "#]]
        .assert_eq(&shown(&output("", answer).unwrap()));
        let nothing = output("urn:x", Answer::default()).unwrap();
        assert!(shown(&nothing).contains("<response xmlns=\"urn:x\"/>"));
        let list = Answer {
            value: Value::from(vec![1.into(), 2.into()]),
            ..Answer::default()
        };
        assert!(shown(&output("", list).unwrap()).contains("<item>1</item>\n<item>2</item>"));
        let own = Answer {
            value: "<x/>".into(),
            media_type: Some("text/xml".into()),
            ..Answer::default()
        };
        assert_eq!(shown(&output("", own).unwrap()), "200 text/xml\n<x/>\n");
        let bad = Answer {
            value: "\u{0}".into(),
            ..Answer::default()
        };
        assert_eq!(output("", bad).unwrap_err().code(), Code::OutputRejected);
    }

    #[test]
    fn a_fault_is_a_problem_with_xpaths_of_the_request() {
        let error = FieldError {
            path: vec![
                Segment::Name("items".into()),
                Segment::Index(0),
                Segment::Name("n".into()),
            ],
            code: Code::InputType,
            detail: "`<x>` is not an int".to_owned(),
        };
        let fault = Fault::new(Code::InputRejected, "1 input is not acceptable")
            .errors(vec![error])
            .header("Retry-After", "3")
            .detail("private");
        let message = inbound("", b"<order><items><n>&lt;x></n></items></order>");
        let reply = make(false, "").fault(&fault, &message);
        expect![[r#"
            400 application/problem+xml; charset=utf-8
            <?xml version="1.0" encoding="UTF-8"?>
            <problem xmlns="urn:ietf:rfc:7807">
            <type>urn:kladka:error:I104</type>
            <title>Input not acceptable</title>
            <status>400</status>
            <detail>1 input is not acceptable</detail>
            <instance>urn:cid:cid-1</instance>
            <code>KL-I104</code>
            <cid>cid-1</cid>
            <errors>
            <i>
            <pointer>/order/items[1]/n</pointer>
            <code>KL-I101</code>
            <detail>`&lt;x&gt;` is not an int</detail>
            </i>
            </errors>
            </problem>
        "#]]
        .assert_eq(&shown(&reply));
        assert_eq!(reply.headers, [("Retry-After".into(), "3".into())]);
        xml::parse(&reply.body, None, &Limits::default()).unwrap();
    }

    #[test]
    fn a_root_that_is_no_name_is_refused() {
        for root in ["", "a b", "p:a", "1"] {
            let xml = XmlOptions {
                root: root.to_owned(),
                ..XmlOptions::default()
            };
            let made = XmlFormat.make(&FormatOptions {
                xml,
                ..FormatOptions::default()
            });
            assert_eq!(made.err().unwrap().code(), Code::ConfigConstraint, "{root}");
        }
    }
}
