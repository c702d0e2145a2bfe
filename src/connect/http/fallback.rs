//! The format of an answer that belongs to no channel: the one the request looks like.

use std::sync::Arc;

use http::header::CONTENT_TYPE;

use crate::base::{Code, Fault, Meta};
use crate::contract::{Format, FormatMaker, FormatOptions};

/// The formats of answers that belong to no channel.
pub(crate) struct Fallback {
    json: Arc<dyn Format>,
    xml: Arc<dyn Format>,
    soap: Arc<dyn Format>,
}

impl Fallback {
    /// Takes `json`, `xml` and `soap` out of all formats.
    pub(crate) fn new(makers: &[&dyn FormatMaker]) -> Result<Self, Fault> {
        let make = |name: &str| {
            let maker = makers.iter().find(|maker| maker.name() == name);
            let maker = maker.ok_or_else(|| {
                Fault::new(Code::Internal, format!("there is no format '{name}'"))
            })?;
            maker.make(&FormatOptions::default())
        };
        Ok(Self {
            json: make("json")?,
            xml: make("xml")?,
            soap: make("soap")?,
        })
    }

    /// Returns SOAP for what looks like SOAP, XML for XML, else JSON.
    pub(super) fn of(&self, meta: &Meta) -> &Arc<dyn Format> {
        let given = meta.header(CONTENT_TYPE.as_str()).unwrap_or_default();
        let essence = given
            .split(';')
            .next()
            .unwrap_or_default()
            .trim()
            .to_ascii_lowercase();
        let xml = matches!(&*essence, "text/xml" | "application/xml") || essence.ends_with("+xml");
        if meta.headers.contains_key("soapaction") || essence == "application/soap+xml" {
            &self.soap
        } else if xml {
            &self.xml
        } else {
            &self.json
        }
    }
}
