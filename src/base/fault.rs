//! The one error that crosses module borders.

use std::fmt;

use serde::Serialize;

use crate::base::{Cid, Code, Place, Snippet, Text, closest, shortened};

/// What went wrong: a code, a message that is safe to send, a hint, a place, and whether to try again.
///
/// `detail` is for the log only and never leaves the server.
#[derive(Clone)]
pub struct Fault(Box<Inner>);

#[derive(Clone)]
struct Inner {
    code: Code,
    custom: Option<Text>,
    status: Option<u16>,
    message: String,
    hint: Option<String>,
    near: Option<String>,
    place: Option<Place>,
    snippet: Option<Snippet>,
    retry: Retry,
    errors: Vec<FieldError>,
    headers: Vec<(Text, Text)>,
    trace: Vec<String>,
    /// Whether it left the call it happened in, and the trace lacks whoever made that call.
    across: bool,
    input: Option<String>,
    cid: Option<Cid>,
    blocks: Option<String>,
    detail: Option<String>,
    open: bool,
}

/// Whether the same message may succeed later.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Retry {
    /// The message itself is at fault: never.
    Never,
    /// The cause may pass.
    Later,
}

/// One problem of one field of a message.
#[derive(Clone, Debug, PartialEq)]
pub struct FieldError {
    /// The way from the root of the input to the field.
    pub path: Vec<Segment>,
    /// The code of this problem.
    pub code: Code,
    /// What is wrong, for a person.
    pub detail: String,
}

/// One step of the way to a field.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Segment {
    /// A named field.
    Name(Text),
    /// A member of a list, counted from 0.
    Index(usize),
}

/// What a client may read of a fault beside its code, title, status and correlation id.
#[derive(Clone, Copy, Debug, Default)]
pub struct Told<'a> {
    /// The message; `None` when only the title is for clients.
    pub message: Option<&'a str>,
    /// The hint.
    pub hint: Option<&'a str>,
    /// The problems of single fields.
    pub errors: &'a [FieldError],
}

/// The longest message, in bytes: what a script raises as an error goes to the log and to other services.
const MAX_MESSAGE: usize = 8 << 10;

/// Cuts a message that is too long.
fn bounded(mut message: String) -> String {
    if message.len() > MAX_MESSAGE {
        message.truncate(message.floor_char_boundary(MAX_MESSAGE));
        message.push_str("… (cut)");
    }
    message
}

impl Fault {
    /// Makes a fault. The message is lower case, has no full stop, and names the object and the value.
    pub fn new(code: Code, message: impl Into<String>) -> Self {
        let retry = if code.status() >= 500 {
            Retry::Later
        } else {
            Retry::Never
        };
        Self(Box::new(Inner {
            code,
            custom: None,
            status: None,
            message: bounded(message.into()),
            hint: None,
            near: None,
            place: None,
            snippet: None,
            retry,
            errors: Vec::new(),
            headers: Vec::new(),
            trace: Vec::new(),
            across: false,
            input: None,
            cid: None,
            blocks: None,
            detail: None,
            open: false,
        }))
    }

    /// Adds a hint: a full sentence that tells what to do.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.0.hint = Some(hint.into());
        self
    }

    /// Adds the candidate that was probably meant instead of `name`, as a hint; nothing when none is close.
    #[must_use]
    pub fn near<'a>(mut self, name: &str, candidates: impl IntoIterator<Item = &'a str>) -> Self {
        if let Some(near) = closest(name, candidates) {
            self.0.hint = Some(format!("Did you mean `{near}`?"));
            self.0.near = Some(near.to_owned());
        }
        self
    }

    /// Adds the place in a source.
    #[must_use]
    pub fn at(mut self, place: Place) -> Self {
        self.0.place = Some(place);
        self
    }

    /// Adds the source line at the place.
    #[must_use]
    pub fn showing(mut self, snippet: Snippet) -> Self {
        self.0.snippet = Some(snippet);
        self
    }

    /// Adds what only the log may see.
    #[must_use]
    pub fn detail(mut self, detail: impl Into<String>) -> Self {
        self.0.detail = Some(detail.into());
        self
    }

    /// Lets clients see the block for people, in `dev`.
    #[must_use]
    pub fn open(mut self) -> Self {
        self.0.open = true;
        self
    }

    /// Adds the problems of single fields.
    #[must_use]
    pub fn errors(mut self, errors: Vec<FieldError>) -> Self {
        self.0.errors = errors;
        self
    }

    /// Adds a header to the answer, such as `WWW-Authenticate`.
    #[must_use]
    pub fn header(mut self, name: &'static str, value: impl AsRef<str>) -> Self {
        self.0
            .headers
            .push((Text::const_new(name), Text::new(value)));
        self
    }

    /// Adds the script's call trace, innermost first.
    #[must_use]
    pub fn trace(mut self, trace: Vec<String>) -> Self {
        self.0.trace = trace;
        self.0.across = false;
        self
    }

    /// Notes that it leaves the call it happened in.
    #[must_use]
    pub fn across(mut self) -> Self {
        self.0.across = true;
        self
    }

    /// Adds the trace of whoever made the call that it left, once.
    #[must_use]
    pub fn through(mut self, trace: impl IntoIterator<Item = String>) -> Self {
        if std::mem::take(&mut self.0.across) {
            let left = MAX_TRACE.saturating_sub(self.0.trace.len());
            self.0.trace.extend(trace.into_iter().take(left));
        }
        self
    }

    /// Says it in other words: message and hint.
    #[must_use]
    pub fn reworded(mut self, words: impl Fn(&str) -> String) -> Self {
        self.0.message = words(&self.0.message);
        self.0.hint = self.0.hint.as_deref().map(words);
        self
    }

    /// Adds the call that failed: its correlation id, and its input with what is sensitive masked.
    #[must_use]
    pub fn during(mut self, cid: &Cid, input: Option<String>) -> Self {
        self.0.cid = Some(cid.clone());
        match input {
            Some(input) => self.given(&input),
            None => self,
        }
    }

    /// Adds the input of the service that failed, with what is sensitive masked, unless it is known: the innermost call
    /// knows it first.
    #[must_use]
    pub fn given(mut self, input: &str) -> Self {
        self.0
            .input
            .get_or_insert_with(|| shortened(input, MAX_INPUT));
        self
    }

    /// Replaces the block for people: the blocks of the several faults that this one stands for.
    #[must_use]
    pub fn blocks(mut self, blocks: String) -> Self {
        self.0.blocks = Some(blocks);
        self
    }

    /// Sets the status and code a script chose with `ctx.fail`.
    #[must_use]
    pub fn chosen(mut self, status: Option<u16>, code: Option<Text>) -> Self {
        self.0.status = status;
        self.0.custom = code;
        self
    }

    /// Returns the code.
    pub fn code(&self) -> Code {
        self.0.code
    }

    /// Returns the code as clients see it: the script's own, or `KL-X000`.
    pub fn code_text(&self) -> &str {
        self.0.custom.as_deref().unwrap_or(self.0.code.as_str())
    }

    /// Returns the HTTP status.
    pub fn status(&self) -> u16 {
        self.0.status.unwrap_or(self.0.code.status())
    }

    /// Returns the safe message.
    pub fn message(&self) -> &str {
        &self.0.message
    }

    /// Returns the hint.
    pub fn hint_text(&self) -> Option<&str> {
        self.0.hint.as_deref()
    }

    /// Returns the name that was probably meant.
    pub fn meant(&self) -> Option<&str> {
        self.0.near.as_deref()
    }

    /// Returns what a client may read. Of a failure of ours that is nothing: its texts are for those who write the
    /// scripts and run the server, and the log has them. A service that fails on purpose speaks to the client itself,
    /// and an envelope that cannot be used is the client's fault, although SOAP gives it 500.
    pub fn told(&self) -> Told<'_> {
        let meant = [Code::ScriptFailed, Code::SoapVersion, Code::MustUnderstand];
        if self.status() >= 500 && !meant.contains(&self.0.code) {
            return Told::default();
        }
        Told {
            message: Some(&self.0.message),
            hint: self.0.hint.as_deref(),
            errors: &self.0.errors,
        }
    }

    /// Returns the block for people where clients may see it.
    pub fn diagnostic(&self) -> Option<String> {
        self.0.open.then(|| self.block())
    }

    /// Returns the source line at the place.
    pub fn snippet(&self) -> Option<&Snippet> {
        self.0.snippet.as_ref()
    }

    /// Returns the place.
    pub fn place(&self) -> Option<&Place> {
        self.0.place.as_ref()
    }

    /// Returns the problems of single fields.
    pub fn field_errors(&self) -> &[FieldError] {
        &self.0.errors
    }

    /// Returns the headers of the answer.
    pub fn headers(&self) -> &[(Text, Text)] {
        &self.0.headers
    }

    /// Returns what only the log may see.
    pub fn detail_text(&self) -> Option<&str> {
        self.0.detail.as_deref()
    }

    /// Tells whether the same message may succeed later.
    pub fn retry(&self) -> Retry {
        self.0.retry
    }

    /// Returns the block for people: code, place, source line, caret, hint, input, trace, correlation id.
    pub fn block(&self) -> String {
        let inner = &self.0;
        if let Some(blocks) = &inner.blocks {
            return blocks.clone();
        }
        let mut lines = vec![format!("error[{}]: {}", self.code_text(), inner.message)];
        if let Some(place) = &inner.place {
            lines.push(format!("  --> {place}"));
            if let Some(snippet) = &inner.snippet {
                lines.extend(snippet_lines(place, snippet));
            }
        }
        lines.extend(
            inner
                .errors
                .iter()
                .map(|error| format!("   = {}: {}", error.pointer(), error.detail)),
        );
        lines.extend(inner.hint.iter().map(|hint| format!("   = help: {hint}")));
        lines.extend(
            inner
                .input
                .iter()
                .map(|input| format!("   = input: {input}")),
        );
        if !inner.trace.is_empty() {
            lines.push(format!("   = trace: {}", inner.trace.join(", ")));
        }
        lines.extend(
            inner
                .cid
                .iter()
                .map(|cid| format!("   = cid: {}", cid.as_str())),
        );
        lines.join("\n")
    }
}

/// How many frames a trace has at most, of all calls together.
const MAX_TRACE: usize = 60;
/// The longest input that a block shows, in characters.
const MAX_INPUT: usize = 400;

fn snippet_lines(place: &Place, snippet: &Snippet) -> Vec<String> {
    let number = place.line.to_string();
    let gutter = " ".repeat(number.len());
    let mut lines = vec![
        format!("{gutter} |"),
        format!("{number} | {}", snippet.line),
    ];
    if place.column > 0 {
        let before = place.column as usize - 1;
        let pad: String = snippet
            .line
            .chars()
            .take(before)
            .map(|c| if c == '\t' { '\t' } else { ' ' })
            .collect();
        lines.push(format!(
            "{gutter} | {pad}{}",
            "^".repeat(snippet.width.max(1) as usize)
        ));
    }
    lines
}

impl FieldError {
    /// Returns the way to the field as a JSON pointer (RFC 6901).
    pub fn pointer(&self) -> String {
        self.path
            .iter()
            .map(|segment| match segment {
                Segment::Name(name) => format!("/{}", name.replace('~', "~0").replace('/', "~1")),
                Segment::Index(index) => format!("/{index}"),
            })
            .collect()
    }

    /// Returns the way to the field as an XPath below `root`, such as `/request/items[2]`.
    pub fn xpath(&self, root: &str) -> String {
        self.path
            .iter()
            .fold(format!("/{root}"), |path, segment| match segment {
                Segment::Name(name) => format!("{path}/{name}"),
                Segment::Index(index) => format!("{path}[{}]", index + 1),
            })
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.code_text(), self.0.message)
    }
}

impl fmt::Debug for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.block())?;
        self.0
            .detail
            .iter()
            .try_for_each(|detail| write!(f, "\n   = detail: {detail}"))
    }
}

impl std::error::Error for Fault {}

impl Serialize for Fault {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        use serde::ser::SerializeMap as _;
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("code", self.code_text())?;
        map.serialize_entry("message", &self.0.message)?;
        self.0
            .hint
            .iter()
            .try_for_each(|hint| map.serialize_entry("hint", hint))?;
        self.0
            .place
            .iter()
            .try_for_each(|place| map.serialize_entry("place", &place.to_string()))?;
        map.serialize_entry("diagnostic", &self.block())?;
        map.end()
    }
}

/// Problems found so far: a check reports all of them, not the first.
#[derive(Debug, Default)]
pub struct Faults(pub Vec<Fault>);

impl Faults {
    /// Adds a problem.
    pub fn push(&mut self, fault: Fault) {
        self.0.push(fault);
    }

    /// Returns `Ok` when there is none.
    pub fn into_result(self) -> Result<(), Self> {
        if self.0.is_empty() { Ok(()) } else { Err(self) }
    }
}

impl From<Fault> for Faults {
    fn from(fault: Fault) -> Self {
        Self(vec![fault])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_block_marks_the_column() {
        let fault = Fault::new(Code::ScriptError, "attempt to index nil with 'get'")
            .at(Place::new("scripts/a.lua", 12, 5))
            .showing(Snippet {
                line: "    ctx.kvbd:get(k)".into(),
                width: 8,
            })
            .hint("Did you mean `kvdb`?");
        expect_test::expect![[r"
            error[KL-S101]: attempt to index nil with 'get'
              --> scripts/a.lua:12:5
               |
            12 |     ctx.kvbd:get(k)
               |     ^^^^^^^^
               = help: Did you mean `kvdb`?"]]
        .assert_eq(&fault.block());
    }

    #[test]
    fn clients_read_of_their_own_mistakes_and_of_what_a_service_says_but_not_of_ours() {
        let fault = |code| Fault::new(code, "message").hint("Hint.");
        for (fault, told) in [
            (fault(Code::InputRejected), true),
            (fault(Code::NoChannel), true),
            (fault(Code::ScriptFailed), true),
            (fault(Code::SoapVersion), true),
            (fault(Code::MustUnderstand), true),
            (fault(Code::ScriptError), false),
            (fault(Code::OutgoingFailed), false),
            (fault(Code::Overloaded), false),
            // A service that calls another wrongly.
            (fault(Code::InputRejected).chosen(Some(500), None), false),
        ] {
            assert_eq!(fault.told().message.is_some(), told, "{fault}");
            assert_eq!(fault.told().hint.is_some(), told, "{fault}");
        }
    }

    #[test]
    fn a_long_message_is_cut_between_letters() {
        let short = "x".repeat(MAX_MESSAGE);
        assert_eq!(Fault::new(Code::Internal, short.clone()).message(), short);
        let fault = Fault::new(Code::Internal, "ł".repeat(MAX_MESSAGE));
        let text = fault.message();
        assert!(text.ends_with("ł… (cut)") && text.len() < MAX_MESSAGE + 20);
    }

    #[test]
    fn a_field_has_a_pointer_and_an_xpath() {
        let path = vec![
            Segment::Name("items".into()),
            Segment::Index(1),
            Segment::Name("a/b".into()),
        ];
        let error = FieldError {
            path,
            code: Code::InputType,
            detail: String::new(),
        };
        assert_eq!(error.pointer(), "/items/1/a~1b");
        assert_eq!(error.xpath("request"), "/request/items[2]/a/b");
    }
}
