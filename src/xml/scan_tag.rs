//! The part of the scan that reads tags: attributes, namespaces and the XML declaration.

use std::borrow::Cow;

use crate::base::Fault;
use crate::xml::scan::{Open, Scan, XML, XMLNS};
use crate::xml::{chars, fault};

/// A key of the XML declaration and what its value must be.
type Key = (&'static str, fn(&str) -> bool);

/// An attribute of the tag that is being read.
struct Attribute<'a> {
    name: &'a str,
    value: &'a str,
    at: usize,
}

impl<'a> Scan<'a> {
    pub(super) fn start_tag(&mut self) -> Result<(), Fault> {
        let start = self.at;
        if self.open.len() >= self.limits.depth {
            let why = format!("elements are nested deeper than {}", self.limits.depth);
            return Err(self.beyond(&why));
        }
        self.at += 1;
        let name = self.name()?;
        let attributes = self.attributes()?;
        let empty = self.eat("/>");
        if !empty && !self.eat(">") {
            return Err(self.wrong(&format!("the tag of element `{name}` is not closed by `>`")));
        }
        self.adopt(start)?;
        self.count(1 + attributes.len())?;
        let outer = self.bindings.len();
        self.bind(&attributes)?;
        self.resolve(name, start)?;
        self.check_unique(&attributes)?;
        self.root_seen = true;
        if empty {
            self.bindings.truncate(outer);
        } else {
            self.open.push(Open {
                name,
                children: 0,
                outer,
            });
        }
        Ok(())
    }

    /// Reads the root's tag for its namespace and local name.
    pub(super) fn root_name(&mut self) -> Option<(String, String)> {
        let start = self.at;
        if !self.eat("<") {
            return None;
        }
        let name = self.name().ok()?;
        let attributes = self.attributes().ok()?;
        self.bind(&attributes).ok()?;
        let namespace = self.resolve(name, start).ok()?.to_owned();
        Some((namespace, chars::split(name).1.to_owned()))
    }

    pub(super) fn end_tag(&mut self) -> Result<(), Fault> {
        let start = self.at;
        self.at += "</".len();
        let name = self.name()?;
        self.skip_space();
        if !self.eat(">") {
            return Err(self.wrong(&format!("the end tag of `{name}` is not closed by `>`")));
        }
        let Some(open) = self.open.pop() else {
            let why = format!("`</{name}>` closes an element that is not open");
            return Err(fault::malformed(self.text, start, &why));
        };
        if open.name != name {
            let why = format!("`</{name}>` where `</{}>` is expected", open.name);
            return Err(fault::malformed(self.text, start, &why));
        }
        self.bindings.truncate(open.outer);
        Ok(())
    }

    /// Counts the element among the children of its parent.
    fn adopt(&mut self, start: usize) -> Result<(), Fault> {
        let Some(parent) = self.open.last_mut() else {
            return Ok(());
        };
        parent.children += 1;
        if parent.children <= self.limits.children {
            return Ok(());
        }
        let why = format!(
            "element `{}` has more than {} children",
            parent.name, self.limits.children
        );
        Err(fault::limit(self.text, start, &why))
    }

    fn attributes(&mut self) -> Result<Vec<Attribute<'a>>, Fault> {
        let mut attributes = Vec::new();
        loop {
            let spaces = self.skip_space();
            if matches!(self.peek(), Some(b'>' | b'/') | None) {
                return Ok(attributes);
            }
            if spaces == 0 {
                return Err(self.wrong("white space is missing before an attribute"));
            }
            if attributes.len() >= self.limits.attributes {
                let why = format!(
                    "an element has more than {} attributes",
                    self.limits.attributes
                );
                return Err(self.beyond(&why));
            }
            attributes.push(self.attribute()?);
        }
    }

    fn attribute(&mut self) -> Result<Attribute<'a>, Fault> {
        let at = self.at;
        let name = self.name()?;
        self.skip_space();
        if !self.eat("=") {
            return Err(self.wrong(&format!("attribute `{name}` has no value")));
        }
        self.skip_space();
        let value = self.quoted(name)?;
        Ok(Attribute { name, value, at })
    }

    /// Reads a value in quotes and returns it as written.
    fn quoted(&mut self, name: &str) -> Result<&'a str, Fault> {
        let quote = self.peek().filter(|byte| matches!(byte, b'"' | b'\''));
        let quote = quote.ok_or_else(|| {
            self.wrong(&format!("the value of attribute `{name}` is not in quotes"))
        })?;
        let opening = self.at;
        self.at += 1;
        loop {
            match self.peek() {
                Some(byte) if byte == quote => break,
                Some(b'<') => return Err(self.wrong("`<` must be written `&lt;` in an attribute")),
                Some(b'&') => self.reference()?,
                Some(byte) => self.character(byte)?,
                None => {
                    let why = format!("the value of attribute `{name}` is not closed");
                    return Err(fault::malformed(self.text, opening, &why));
                }
            }
        }
        let value = self.text.get(opening + 1..self.at).unwrap_or_default();
        self.at += 1;
        if value.len() <= self.limits.value {
            return Ok(value);
        }
        let why = format!(
            "the value of attribute `{name}` is longer than {} bytes",
            self.limits.value
        );
        Err(fault::limit(self.text, opening, &why))
    }

    /// Takes the namespace declarations of a tag into scope.
    fn bind(&mut self, attributes: &[Attribute<'a>]) -> Result<(), Fault> {
        for attribute in attributes {
            let prefix = match attribute.name.split_once(':') {
                None if attribute.name == "xmlns" => "",
                Some(("xmlns", prefix)) => prefix,
                _ => continue,
            };
            let uri = unescape(attribute.value);
            if let Some(why) = misuse(attribute.name, prefix, &uri) {
                return Err(fault::malformed(self.text, attribute.at, why));
            }
            self.bindings.push((prefix, uri));
            if self.bindings.len() > self.limits.namespaces {
                let why = format!("more than {} namespaces in scope", self.limits.namespaces);
                return Err(fault::limit(self.text, attribute.at, &why));
            }
        }
        Ok(())
    }

    /// Checks a name's form and returns its namespace, empty when it has none.
    fn resolve(&self, name: &str, at: usize) -> Result<&str, Fault> {
        if !chars::is_qname(name) {
            let why = format!("`{name}` is not a name with at most one prefix");
            return Err(fault::malformed(self.text, at, &why));
        }
        let (prefix, _) = chars::split(name);
        let found = self.bindings.iter().rev().find(|(own, _)| *own == prefix);
        match found {
            Some((_, uri)) => Ok(uri),
            None if prefix.is_empty() => Ok(""),
            None => {
                let why = format!("namespace prefix `{prefix}` is not declared");
                Err(fault::malformed(self.text, at, &why))
            }
        }
    }

    /// Refuses an attribute given twice, be it under two prefixes of one namespace.
    fn check_unique(&self, attributes: &[Attribute<'a>]) -> Result<(), Fault> {
        let mut names = Vec::with_capacity(attributes.len());
        for attribute in attributes {
            let (prefix, local) = chars::split(attribute.name);
            let namespace = match prefix {
                "" if prefix.len() + local.len() == attribute.name.len() => "",
                // `xmlns:a` and `xmlns:b` may name one namespace; only the prefix counts.
                "xmlns" if chars::is_ncname(local) => XMLNS,
                _ => self.resolve(attribute.name, attribute.at)?,
            };
            names.push((namespace, local, attribute));
        }
        names.sort_unstable_by_key(|(namespace, local, attribute)| {
            (*local, *namespace, attribute.at)
        });
        let mut pairs = names.iter().zip(names.iter().skip(1));
        let twice = pairs.find(|(one, other)| (one.0, one.1) == (other.0, other.1));
        let Some((_, (.., again))) = twice else {
            return Ok(());
        };
        let why = format!("attribute `{}` is given twice", again.name);
        Err(fault::malformed(self.text, again.at, &why))
    }

    /// Reads `<?xml version="1.0" encoding="…" standalone="…"?>`, if it is there.
    pub(super) fn declaration(&mut self) -> Result<(), Fault> {
        let space = self.text.as_bytes().get("<?xml".len()).copied();
        if !self.starts("<?xml") || !space.is_some_and(chars::is_space) {
            return Ok(());
        }
        self.at += "<?xml".len();
        let mut keys: &[Key] = &[
            ("version", |value| value == "1.0"),
            ("encoding", is_encoding),
            ("standalone", |value| matches!(value, "yes" | "no")),
        ];
        let mut version_seen = false;
        loop {
            let spaces = self.skip_space();
            if self.eat("?>") {
                break;
            }
            if spaces == 0 {
                return Err(self.wrong("the XML declaration is not closed by `?>`"));
            }
            let Attribute { name, value, at } = self.attribute()?;
            let Some(place) = keys.iter().position(|(key, _)| *key == name) else {
                let why = format!("`{name}` does not belong here in an XML declaration");
                return Err(fault::malformed(self.text, at, &why));
            };
            let fits = keys.get(place).is_some_and(|(_, fits)| fits(value));
            if !fits {
                let why = format!("{name} `{value}` is not accepted in an XML declaration");
                return Err(fault::malformed(self.text, at, &why));
            }
            version_seen |= name == "version";
            keys = keys.get(place + 1..).unwrap_or_default();
        }
        if version_seen {
            Ok(())
        } else {
            Err(self.wrong("the XML declaration has no version"))
        }
    }
}

fn is_encoding(value: &str) -> bool {
    let mut bytes = value.bytes();
    bytes.next().is_some_and(|byte| byte.is_ascii_alphabetic())
        && bytes.all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte))
}

/// Says what is wrong with a namespace declaration.
fn misuse(name: &str, prefix: &str, uri: &str) -> Option<&'static str> {
    if name != "xmlns" && !chars::is_ncname(prefix) {
        return Some("a namespace prefix must be a name");
    }
    match (prefix, uri) {
        ("xmlns", _) => Some("prefix `xmlns` cannot be declared"),
        ("xml", XML) => None,
        ("xml", _) => Some("prefix `xml` cannot be bound to another namespace"),
        (_, XML) => Some("the namespace of `xml` cannot have another prefix"),
        (_, XMLNS) => Some("the namespace of `xmlns` cannot be declared"),
        ("", _) => None,
        (_, "") => Some("a prefix cannot be bound to no namespace"),
        _ => None,
    }
}

/// Returns the value of an attribute: references replaced, white space made blanks.
fn unescape(raw: &str) -> Cow<'_, str> {
    if !raw.contains(['&', '\t', '\n', '\r']) {
        return Cow::Borrowed(raw);
    }
    let mut value = String::with_capacity(raw.len());
    let raw = raw.replace("\r\n", " ").replace(['\t', '\n', '\r'], " ");
    for (index, part) in raw.split('&').enumerate() {
        let (body, rest) = if index == 0 {
            ("", part)
        } else {
            part.split_once(';').unwrap_or(("", part))
        };
        value.extend(chars::reference(body));
        value.push_str(rest);
    }
    Cow::Owned(value)
}
