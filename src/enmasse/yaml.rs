//! Reads YAML (and JSON, which is YAML) into a [`Node`]: a careful subset that means what it shows.
//!
//! Refused: anchors, aliases, tags, merge keys, keys given twice, several documents, more than
//! [`MAX_DEPTH`] levels or [`MAX_NODES`] values, texts above [`MAX_BYTES`]. The caps come before
//! recursion.

use std::collections::HashMap;
use std::sync::Arc;

use saphyr_parser::{Event, Marker, Parser, ScalarStyle, ScanError, Span, StrInput};
use serde_json::Value;

use crate::base::{Code, Fault, Place};
use crate::enmasse::node::{Data, Entry, Node};
use crate::enmasse::source::Spot;
use crate::enmasse::{scalar, surrogates};

/// The deepest nesting of a document.
pub(crate) const MAX_DEPTH: usize = 48;
/// The most values of a document.
pub(crate) const MAX_NODES: usize = 200_000;
/// The longest document.
pub(crate) const MAX_BYTES: usize = 16 << 20;

/// A document and every problem of it. `root` is `None` when it could not be read to its end.
pub(crate) struct Document {
    /// The tree.
    pub(crate) root: Option<Node>,
    /// The problems, each with its spot.
    pub(crate) problems: Vec<(Fault, Spot)>,
}

/// Reads a document.
pub(crate) fn read(path: &Arc<str>, text: &str) -> Document {
    if text.len() > MAX_BYTES {
        let message = format!("the document is longer than {MAX_BYTES} bytes");
        let fault = Fault::new(Code::ConfigSyntax, message).hint(SPREAD);
        let spot = Spot::new(Place::new(Arc::clone(path), 0, 0));
        return Document {
            root: None,
            problems: vec![(fault, spot)],
        };
    }
    let mut text = surrogates::join(text);
    if path.ends_with(".json") && text.contains('\t') {
        // JSON allows tabs between values where YAML does not; inside its strings there are none.
        text = text.replace('\t', " ").into();
    }
    read_yaml(path, &text)
}

fn read_yaml(path: &Arc<str>, text: &str) -> Document {
    let mut reader = Reader {
        path: Arc::clone(path),
        lines: text.lines().collect(),
        events: Parser::new_from_str(text),
        nodes: 0,
        problems: Vec::new(),
    };
    let root = reader.document().ok();
    Document {
        root,
        problems: reader.problems,
    }
}

/// The document cannot be read any further; the reason stands among the problems.
struct Stop;

struct Reader<'a> {
    path: Arc<str>,
    lines: Vec<&'a str>,
    events: Parser<'a, StrInput<'a>>,
    nodes: usize,
    problems: Vec<(Fault, Spot)>,
}

impl<'a> Reader<'a> {
    fn document(&mut self) -> Result<Node, Stop> {
        let mut root = None;
        loop {
            let (event, span) = self.next()?;
            match event {
                Event::StreamEnd => break,
                Event::DocumentStart(_) if root.is_some() => {
                    let spot = self.spot(span);
                    self.refuse(
                        "a second document begins here",
                        &spot,
                        "Keep one document in a file.",
                    );
                    return Err(Stop);
                }
                Event::StreamStart
                | Event::DocumentStart(_)
                | Event::DocumentEnd
                | Event::Nothing => {}
                event => root = Some(self.node(event, span, MAX_DEPTH)?),
            }
        }
        Ok(root.unwrap_or_else(|| Node {
            data: Data::Null,
            spot: Spot::new(Place::new(Arc::clone(&self.path), 1, 1)),
        }))
    }

    fn node(&mut self, event: Event<'a>, span: Span, depth: usize) -> Result<Node, Stop> {
        let mut spot = self.spot(span);
        self.nodes += 1;
        if self.nodes > MAX_NODES {
            return Err(self.too_much(&format!("holds more than {MAX_NODES} values"), &spot));
        }
        let Some(depth) = depth.checked_sub(1) else {
            return Err(self.too_much(&format!("is nested deeper than {MAX_DEPTH}"), &spot));
        };
        let data = match event {
            Event::Scalar(text, style, anchor, tag) => {
                self.refuse_extras(anchor, tag.is_some(), &spot);
                self.scalar(&text, style, &spot)
            }
            Event::SequenceStart(anchor, tag) => {
                self.refuse_extras(anchor, tag.is_some(), &spot);
                self.list(depth)?
            }
            Event::MappingStart(anchor, tag) => {
                self.refuse_extras(anchor, tag.is_some(), &spot);
                self.map(depth)?
            }
            Event::Alias(_) => {
                self.refuse("aliases are not accepted", &spot, NO_ALIAS);
                Data::Unusable
            }
            _ => Data::Unusable,
        };
        if matches!(data, Data::List(_) | Data::Map(_)) {
            spot.width = 1;
        }
        Ok(Node { data, spot })
    }

    fn scalar(&mut self, text: &str, style: ScalarStyle, spot: &Spot) -> Data {
        if style != ScalarStyle::Plain {
            return Data::Text(text.to_owned());
        }
        match scalar::plain(text) {
            Ok(Value::Null) => Data::Null,
            Ok(Value::Bool(truth)) => Data::Bool(truth),
            Ok(Value::Number(number)) => Data::Number(number),
            Ok(_) => Data::Text(text.to_owned()),
            Err(fault) => {
                self.problems.push((fault, spot.clone()));
                Data::Unusable
            }
        }
    }

    fn list(&mut self, depth: usize) -> Result<Data, Stop> {
        let mut members = Vec::new();
        loop {
            match self.next()? {
                (Event::SequenceEnd, _) => return Ok(Data::List(members)),
                (event, span) => members.push(self.node(event, span, depth)?),
            }
        }
    }

    fn map(&mut self, depth: usize) -> Result<Data, Stop> {
        let mut entries: Vec<Entry> = Vec::new();
        let mut lines: HashMap<String, u32> = HashMap::new();
        loop {
            let key = match self.next()? {
                (Event::MappingEnd, _) => return Ok(Data::Map(entries)),
                (event, span) => self.key(event, span, depth)?,
            };
            let (event, span) = self.next()?;
            let mut value = self.node(event, span, depth)?;
            let Some((key, spot)) = key else { continue };
            if matches!(value.data, Data::Null) && value.spot.width == 0 {
                value.spot = spot.clone();
            }
            if let Some(first) = lines.get(&key) {
                let message = format!("key '{key}' is given twice: first in line {first}");
                let fault = Fault::new(Code::ConfigDuplicate, message).hint("Remove one of them.");
                self.problems.push((fault, spot));
                continue;
            }
            lines.insert(key.clone(), spot.place.line);
            entries.push(Entry { key, spot, value });
        }
    }

    /// Reads a key; `None` when it is refused and its value is to be skipped.
    fn key(
        &mut self,
        event: Event<'a>,
        span: Span,
        depth: usize,
    ) -> Result<Option<(String, Spot)>, Stop> {
        let spot = self.spot(span);
        match event {
            Event::Scalar(text, ScalarStyle::Plain, ..) if text == "<<" => {
                self.refuse("merge keys are not accepted", &spot, NO_ALIAS);
                Ok(None)
            }
            Event::Scalar(text, style, anchor, tag) => {
                self.refuse_extras(anchor, tag.is_some(), &spot);
                if text.is_empty() && style == ScalarStyle::Plain {
                    self.refuse("a key is missing before ':'", &spot, "Write `key: value`.");
                    return Ok(None);
                }
                Ok(Some((text.into_owned(), spot)))
            }
            other => {
                self.node(other, span, depth)?;
                self.refuse(
                    "a key must be a text",
                    &spot,
                    "Write `key: value`; quote a text with `{` or `[`.",
                );
                Ok(None)
            }
        }
    }

    fn next(&mut self) -> Result<(Event<'a>, Span), Stop> {
        match self.events.next_event() {
            Some(Ok(pair)) => Ok(pair),
            Some(Err(error)) => Err(self.syntax(&error)),
            None => Err(Stop),
        }
    }

    fn refuse(&mut self, message: &str, spot: &Spot, hint: &str) {
        let fault = Fault::new(Code::ConfigSyntax, message).hint(hint);
        self.problems.push((fault, spot.clone()));
    }

    fn refuse_extras(&mut self, anchor: usize, tagged: bool, spot: &Spot) {
        if anchor != 0 {
            self.refuse("anchors are not accepted", spot, NO_ALIAS);
        }
        if tagged {
            self.refuse(
                "tags are not accepted",
                spot,
                "Leave the tag out; the kind's schema knows the type. Quote a text that begins with `!`.",
            );
        }
    }

    fn too_much(&mut self, what: &str, spot: &Spot) -> Stop {
        self.refuse(&format!("the document {what}"), spot, SPREAD);
        Stop
    }

    fn syntax(&mut self, error: &ScanError) -> Stop {
        let spot = self.spot(Span::empty(*error.marker()));
        let line = self.line(spot.place.line);
        let info = error.info();
        if info.contains("recursion limit") {
            return self.too_much(&format!("is nested deeper than {MAX_DEPTH}"), &spot);
        }
        if info.contains("unknown anchor") {
            self.refuse("aliases are not accepted", &spot, NO_ALIAS);
        } else {
            self.refuse(info, &spot, syntax_hint(info, line));
        }
        Stop
    }

    fn line(&self, number: u32) -> &'a str {
        let index = (number as usize).saturating_sub(1);
        self.lines.get(index).copied().unwrap_or_default()
    }

    fn spot(&self, span: Span) -> Spot {
        let (line, column) = (
            position(span.start, Marker::line),
            position(span.start, Marker::col),
        );
        let end = position(span.end, Marker::line);
        if self.lines.len() < line as usize {
            return self.behind_the_end();
        }
        let inner = (end == line).then(|| position(span.end, Marker::col).saturating_sub(column));
        let width = width(self.line(line), column, inner);
        Spot {
            place: Place::new(
                Arc::clone(&self.path),
                line.max(1),
                column.saturating_add(1),
            ),
            width,
            last_line: end,
        }
    }
}

impl Reader<'_> {
    /// The place right behind the last line with text: where what is missing at the end should stand.
    fn behind_the_end(&self) -> Spot {
        let numbered = (1..).zip(&self.lines);
        let last = numbered.filter(|(_, line)| !line.trim().is_empty()).last();
        let (line, text) = last.map_or((1, ""), |(number, line)| (number, line.trim_end()));
        let column = u32::try_from(text.chars().count() + 1).unwrap_or(u32::MAX);
        Spot {
            place: Place::new(Arc::clone(&self.path), line, column),
            width: 1,
            last_line: line,
        }
    }
}

const SPREAD: &str = "Spread it over config/objects.d/.";
const NO_ALIAS: &str = "Write the values out: a configuration must read the same from every line.";

/// Lines longer than this are not read again for each value in them.
const LONG_LINE: usize = 1_000;

/// Returns how much of a line a value takes: at most `inner`, and not what lies between it and the next.
fn width(line: &str, column: u32, inner: Option<u32>) -> u32 {
    if line.len() > LONG_LINE {
        return inner.unwrap_or(1);
    }
    let text = line.chars().skip(column as usize);
    let text: String = text.take(inner.unwrap_or(u32::MAX) as usize).collect();
    u32::try_from(text.trim_end().chars().count()).unwrap_or(1)
}

fn position(marker: Marker, of: fn(&Marker) -> usize) -> u32 {
    u32::try_from(of(&marker)).unwrap_or(u32::MAX)
}

fn syntax_hint(info: &str, line: &str) -> &'static str {
    if info.contains("tab") || line.trim_start_matches(' ').starts_with('\t') {
        "Indent with spaces."
    } else if line.contains("${") && line.contains(['{', '[']) {
        "Quote a value with `${…}` inside `{ }` or `[ ]`."
    } else if info.contains("mapping values are not allowed") {
        "Quote a text that contains `: `, and check the indentation."
    } else {
        "Check the indentation, quotes and brackets up to here."
    }
}
