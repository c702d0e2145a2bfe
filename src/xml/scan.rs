//! The scan before any tree: every rule of XML 1.0 and its namespaces, and every limit, in one
//! pass.
//!
//! It keeps no recursion and allocates only the stack of open elements and the namespaces in scope,
//! so that hostile input costs nothing but the reading. What passes is well-formed, whatever the
//! parser behind it would have let through.

use std::borrow::Cow;

use crate::base::Fault;
use crate::xml::{Limits, chars, fault};

/// What the scan learnt about a document.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Facts {
    /// Elements, attributes, texts, comments and instructions.
    pub(crate) nodes: usize,
    /// Whether there is a processing instruction (the XML declaration is none).
    pub(crate) has_instruction: bool,
    /// Whether comments, instructions or CDATA may split a text.
    pub(crate) splits_text: bool,
}

/// Checks a document from its first to its last character.
pub(crate) fn scan(text: &str, limits: &Limits) -> Result<Facts, Fault> {
    let mut scan = Scan::new(text, limits);
    scan.document()?;
    Ok(scan.facts)
}

/// Returns namespace and local name of the root element as far as they can be made out, whatever
/// follows.
pub(crate) fn root(text: &str) -> Option<(String, String)> {
    let limits = Limits::default();
    let mut scan = Scan::new(text, &limits);
    scan.declaration().ok()?;
    loop {
        scan.skip_space();
        if scan.starts("<!--") {
            scan.comment().ok()?;
        } else if scan.starts("<?") {
            scan.instruction().ok()?;
        } else {
            return scan.root_name();
        }
    }
}

/// The namespace of the prefix `xml`.
pub(crate) const XML: &str = "http://www.w3.org/XML/1998/namespace";

/// The namespace of the prefix `xmlns`.
pub(crate) const XMLNS: &str = "http://www.w3.org/2000/xmlns/";

pub(super) struct Scan<'a> {
    pub(super) text: &'a str,
    /// The byte to read next; always on a character border when a method returns.
    pub(super) at: usize,
    pub(super) limits: &'a Limits,
    facts: Facts,
    pub(super) open: Vec<Open<'a>>,
    /// Prefix and namespace, innermost last.
    pub(super) bindings: Vec<(&'a str, Cow<'a, str>)>,
    pub(super) root_seen: bool,
}

/// An element whose end was not read yet.
pub(super) struct Open<'a> {
    pub(super) name: &'a str,
    pub(super) children: usize,
    /// How many bindings were in scope outside of it.
    pub(super) outer: usize,
}

impl<'a> Scan<'a> {
    fn new(text: &'a str, limits: &'a Limits) -> Self {
        Self {
            text,
            at: 0,
            limits,
            facts: Facts::default(),
            open: Vec::new(),
            bindings: vec![("xml", Cow::Borrowed(XML))],
            root_seen: false,
        }
    }

    fn document(&mut self) -> Result<(), Fault> {
        self.declaration()?;
        while let Some(byte) = self.peek() {
            match byte {
                b'<' => self.markup()?,
                _ if self.open.is_empty() => self.outside()?,
                _ => self.characters()?,
            }
        }
        match self.open.last() {
            Some(open) => Err(self.wrong(&format!("element `{}` is not closed", open.name))),
            None if self.root_seen => Ok(()),
            None => Err(self.wrong("there is no root element")),
        }
    }

    fn markup(&mut self) -> Result<(), Fault> {
        if self.starts("<!--") {
            self.comment()
        } else if self.starts("<?") {
            self.instruction()
        } else if self.starts("</") {
            self.end_tag()
        } else if self.starts("<!DOCTYPE") {
            Err(fault::doctype(self.text, self.at))
        } else if self.starts("<![CDATA[") && !self.open.is_empty() {
            self.cdata()
        } else if self.root_seen && self.open.is_empty() {
            Err(self.wrong("nothing but comments may follow the root element"))
        } else {
            self.start_tag()
        }
    }

    /// White space, the only text allowed outside of the root.
    fn outside(&mut self) -> Result<(), Fault> {
        if self.skip_space() > 0 {
            return Ok(());
        }
        let place = if self.root_seen { "after" } else { "before" };
        Err(self.wrong(&format!("text {place} the root element")))
    }

    fn characters(&mut self) -> Result<(), Fault> {
        self.count(1)?;
        while let Some(byte) = self.peek() {
            match byte {
                b'<' => break,
                b'&' => self.reference()?,
                b']' if self.starts("]]>") => {
                    return Err(self.wrong("`]]>` must be written `]]&gt;` in text"));
                }
                _ => self.character(byte)?,
            }
        }
        Ok(())
    }

    fn comment(&mut self) -> Result<(), Fault> {
        self.facts.splits_text = true;
        self.at += "<!--".len();
        self.until("--", "comment")?;
        if self.eat(">") {
            return self.count(1);
        }
        Err(self.wrong("`--` is not allowed within a comment"))
    }

    fn cdata(&mut self) -> Result<(), Fault> {
        self.facts.splits_text = true;
        self.at += "<![CDATA[".len();
        self.until("]]>", "CDATA section")?;
        self.count(1)
    }

    fn instruction(&mut self) -> Result<(), Fault> {
        self.facts.splits_text = true;
        self.facts.has_instruction = true;
        let start = self.at;
        self.at += "<?".len();
        let target = self.name()?;
        if target.eq_ignore_ascii_case("xml") {
            let why = "an XML declaration may only stand at the very start";
            return Err(fault::malformed(self.text, start, why));
        }
        if target.contains(':') {
            return Err(self.wrong("the name of an instruction has no colon"));
        }
        if self.skip_space() == 0 && !self.starts("?>") {
            return Err(self.wrong("white space is missing after the name of an instruction"));
        }
        self.until("?>", "processing instruction")?;
        self.count(1)
    }

    /// Reads to behind `end`, checking each character.
    fn until(&mut self, end: &str, what: &str) -> Result<(), Fault> {
        let start = self.at;
        loop {
            match self.peek() {
                Some(_) if self.eat(end) => return Ok(()),
                Some(byte) => self.character(byte)?,
                None => {
                    let why = format!("the {what} is not closed");
                    return Err(fault::malformed(self.text, start, &why));
                }
            }
        }
    }

    /// Passes one byte of text that has no meaning of its own.
    #[inline]
    pub(super) fn character(&mut self, byte: u8) -> Result<(), Fault> {
        // 0xEF starts the only two characters above the controls that XML refuses, U+FFFE and
        // U+FFFF.
        if (byte >= 0x20 && byte != 0xEF) || chars::is_space(byte) {
            self.at += 1;
            return Ok(());
        }
        let c = self
            .text
            .get(self.at..)
            .and_then(|rest| rest.chars().next());
        let c = c.ok_or_else(|| self.wrong("the text breaks off"))?;
        if chars::is_char(c) {
            self.at += c.len_utf8();
            return Ok(());
        }
        Err(self.wrong(&format!("character U+{:04X} is not allowed", u32::from(c))))
    }

    pub(super) fn reference(&mut self) -> Result<(), Fault> {
        let rest = self.text.get(self.at + 1..).unwrap_or_default();
        let length = rest
            .bytes()
            .take_while(|byte| !b";<&\"' \t\r\n".contains(byte))
            .count();
        let body = rest.get(..length).unwrap_or_default();
        if rest.as_bytes().get(length) != Some(&b';') || body.is_empty() {
            return Err(self.wrong("`&` must be written `&amp;`"));
        }
        if chars::reference(body).is_none() {
            let body: String = body.chars().take(40).collect();
            return Err(self.wrong(&format!("`&{body};` is not a character XML knows")));
        }
        self.at += length + 2;
        Ok(())
    }

    /// Reads a name; colons are for the caller to judge.
    pub(super) fn name(&mut self) -> Result<&'a str, Fault> {
        let rest = self.text.get(self.at..).unwrap_or_default();
        let allowed = |(at, c): &(usize, char)| {
            *c == ':'
                || if *at == 0 {
                    chars::starts_name(*c)
                } else {
                    chars::continues_name(*c)
                }
        };
        let last = rest.char_indices().take_while(allowed).last();
        let length = last.map_or(0, |(at, c)| at + c.len_utf8());
        if length > self.limits.name {
            return Err(self.beyond(&format!("a name is longer than {} bytes", self.limits.name)));
        }
        let name = rest.get(..length).filter(|name| !name.is_empty());
        let name = name.ok_or_else(|| self.wrong("a name is expected"))?;
        self.at += length;
        Ok(name)
    }

    pub(super) fn count(&mut self, nodes: usize) -> Result<(), Fault> {
        self.facts.nodes += nodes;
        if self.facts.nodes <= self.limits.nodes {
            return Ok(());
        }
        Err(self.beyond(&format!("more than {} nodes", self.limits.nodes)))
    }

    pub(super) fn skip_space(&mut self) -> usize {
        let start = self.at;
        while self.peek().is_some_and(chars::is_space) {
            self.at += 1;
        }
        self.at - start
    }

    #[inline]
    pub(super) fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    pub(super) fn starts(&self, word: &str) -> bool {
        let rest = self.text.as_bytes().get(self.at..);
        rest.is_some_and(|rest| rest.starts_with(word.as_bytes()))
    }

    pub(super) fn eat(&mut self, word: &str) -> bool {
        let found = self.starts(word);
        self.at += if found { word.len() } else { 0 };
        found
    }

    pub(super) fn wrong(&self, why: &str) -> Fault {
        fault::malformed(self.text, self.at, why)
    }

    pub(super) fn beyond(&self, why: &str) -> Fault {
        fault::limit(self.text, self.at, why)
    }
}
