//! The `Content-Type` of a message, taken apart.

use crate::base::{Code, Fault, Inbound};

/// A media type with its parameters.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct ContentType {
    /// Type and subtype in lower case, such as `text/xml`; empty when there is no header.
    pub(crate) essence: String,
    params: Vec<(String, String)>,
}

impl ContentType {
    /// Reads the header of a message; an empty one when it has none.
    pub(crate) fn of(inbound: &Inbound) -> Self {
        inbound
            .meta
            .header("content-type")
            .map(Self::parse)
            .unwrap_or_default()
    }

    fn parse(header: &str) -> Self {
        let mut parts = split_quoted(header).into_iter();
        let essence = parts.next().unwrap_or_default().trim().to_ascii_lowercase();
        let params = parts.filter_map(|part| {
            let (name, value) = part.split_once('=')?;
            Some((name.trim().to_ascii_lowercase(), unquote(value.trim())))
        });
        Self {
            essence,
            params: params.collect(),
        }
    }

    /// Returns a parameter.
    pub(crate) fn param(&self, name: &str) -> Option<&str> {
        let found = self.params.iter().find(|(own, _)| own == name);
        found.map(|(_, value)| value.as_str())
    }

    /// Tells whether the type says XML.
    pub(crate) fn is_xml(&self) -> bool {
        matches!(self.essence.as_str(), "text/xml" | "application/xml")
            || self.essence.ends_with("+xml")
    }

    /// Tells whether the type says nothing: no header, or what `curl -d` sends for want of a better
    /// one.
    pub(crate) fn is_vague(&self) -> bool {
        matches!(
            self.essence.as_str(),
            "" | "application/x-www-form-urlencoded"
        )
    }

    /// Returns the charset, where the type says XML; elsewhere it does not speak of XML.
    pub(crate) fn xml_charset(&self) -> Option<&str> {
        self.param("charset").filter(|_| self.is_xml())
    }

    /// Makes the fault for a type that is not accepted.
    pub(crate) fn refused(&self, wanted: &str) -> Fault {
        let essence: String = self.essence.chars().take(80).collect();
        Fault::new(
            Code::MediaType,
            format!("media type `{essence}` not accepted here"),
        )
        .hint(format!("Send {wanted}."))
    }
}

/// Splits at semicolons outside of quotes.
fn split_quoted(header: &str) -> Vec<&str> {
    let mut quoted = false;
    let mut escaped = false;
    header
        .split(|c: char| {
            let was_escaped = std::mem::take(&mut escaped);
            match c {
                '\\' if quoted && !was_escaped => escaped = true,
                '"' if !was_escaped => quoted = !quoted,
                _ => {}
            }
            c == ';' && !quoted
        })
        .collect()
}

fn unquote(value: &str) -> String {
    let inner = value
        .strip_prefix('"')
        .and_then(|value| value.strip_suffix('"'));
    inner.map_or_else(
        || value.to_owned(),
        |inner| inner.replace("\\\"", "\"").replace("\\\\", "\\"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_are_read_with_and_without_quotes() {
        let header = r#"Application/SOAP+XML; charset="utf-8"; action="urn:a;b\"c" ; x=1"#;
        let kind = ContentType::parse(header);
        assert_eq!(kind.essence, "application/soap+xml");
        assert_eq!(kind.param("charset"), Some("utf-8"));
        assert_eq!(kind.param("action"), Some("urn:a;b\"c"));
        assert_eq!(kind.param("x"), Some("1"));
        assert!(kind.is_xml());
    }

    #[test]
    fn curl_says_nothing_of_its_body() {
        assert!(ContentType::parse("application/x-www-form-urlencoded").is_vague());
        assert!(!ContentType::parse("application/json").is_vague());
        assert_eq!(
            ContentType::parse("text/plain; charset=x").xml_charset(),
            None
        );
    }
}
