//! Reads JSON (RFC 8259) straight into values, without losing a digit and without trusting the sender.
//!
//! Own reader instead of `serde_json`: integers beyond 64 bits and long fractions must stay exact, names
//! given twice and too many parts must be refused, and every refusal names line and column. It refuses
//! whatever the RFC leaves to implementations: byte order marks, lone surrogates, numbers beyond floats.

use rust_decimal::Decimal;

use crate::base::{Code, Fault, Map, Text, Value};

/// How deep lists and maps may nest.
pub(crate) const MAX_DEPTH: usize = 64;

/// How many values a document may hold.
const MAX_NODES: usize = 1_000_000;

/// Up to how many names a map is searched for doubles by walking.
const WALKED_NAMES: usize = 16;

/// A text of so many significant digits comes back unchanged from a float.
const FLOAT_DIGITS: usize = 15;

/// Returns a number below 64 that names seldom share.
fn mark(name: &str) -> u32 {
    let bytes = name.as_bytes();
    let (first, last) = (bytes.first(), bytes.last());
    let mixed = [first, bytes.get(bytes.len() / 2), last]
        .into_iter()
        .flatten();
    let mixed = mixed.fold(bytes.len(), |mixed, byte| mixed * 31 + usize::from(*byte));
    u32::try_from(mixed % 64).unwrap_or_default()
}

/// Returns how many bytes stand for themselves: none is a quote, a backslash or a control character. Eight at a time.
pub(super) fn plain_length(bytes: &[u8]) -> usize {
    const ONES: u64 = u64::from_ne_bytes([1; 8]);
    const HIGHS: u64 = ONES << 7;
    let special = |byte: &u8| matches!(byte, b'"' | b'\\' | 0..=0x1f);
    let (eights, rest) = bytes.as_chunks::<8>();
    for (index, eight) in eights.iter().enumerate() {
        let word = u64::from_le_bytes(*eight);
        let below = |word: u64, least: u64| word.wrapping_sub(ONES * least) & !word;
        let equal = |byte: u8| below(word ^ (ONES * u64::from(byte)), 1);
        // The lowest byte that is found is right; those above it may be borrowed from.
        let found = (below(word, 0x20) | equal(b'"') | equal(b'\\')) & HIGHS;
        if found != 0 {
            return index * 8 + found.trailing_zeros() as usize / 8;
        }
    }
    let end = rest.iter().position(special).unwrap_or(rest.len());
    eights.len() * 8 + end
}

/// Reads a document.
pub(crate) fn read(bytes: &[u8]) -> Result<Value, Fault> {
    let text = match std::str::from_utf8(bytes) {
        Ok(text) => text,
        Err(error) => {
            let why = Why {
                at: error.valid_up_to(),
                code: Code::Malformed,
                what: "not UTF-8".into(),
            };
            return Err(why.fault(bytes));
        }
    };
    let mut reader = Reader {
        text,
        bytes,
        at: 0,
        nodes: 0,
    };
    let mut value = Value::Null;
    match reader.document(&mut value) {
        Ok(()) => Ok(value),
        Err(Stop(why)) => Err(why.fault(bytes)),
    }
}

/// Why and where reading stopped; small, as each value is read past it.
struct Stop(Box<Why>);

struct Why {
    at: usize,
    code: Code,
    what: String,
}

impl Why {
    #[cold]
    fn fault(&self, bytes: &[u8]) -> Fault {
        let before = bytes.get(..self.at).unwrap_or(bytes);
        let line = before.split(|byte| *byte == b'\n').count();
        let start = before
            .iter()
            .rposition(|byte| *byte == b'\n')
            .map_or(0, |at| at + 1);
        let row = before.get(start..).unwrap_or_default();
        let column = 1 + String::from_utf8_lossy(row).chars().count();
        let message = format!("JSON, line {line}, column {column}: {}", self.what);
        Fault::new(self.code, message)
    }
}

struct Reader<'a> {
    text: &'a str,
    bytes: &'a [u8],
    at: usize,
    nodes: usize,
}

/// Each value is read where it is to stand: to hand up a value that was just made, part by part, waits for all parts.
impl Reader<'_> {
    fn document(&mut self, slot: &mut Value) -> Result<(), Stop> {
        self.space();
        self.value(slot, 0)?;
        self.space();
        match self.peek() {
            None => Ok(()),
            Some(_) => Err(self.stop("more text after the end of the document")),
        }
    }

    fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    fn space(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\n' | b'\r' | b'\t')) {
            self.at += 1;
        }
    }

    #[cold]
    fn stop(&self, what: impl Into<String>) -> Stop {
        self.stop_at(self.at, Code::Malformed, what)
    }

    #[cold]
    #[expect(clippy::unused_self, reason = "reads as part of the reader")]
    fn stop_at(&self, at: usize, code: Code, what: impl Into<String>) -> Stop {
        let what = what.into();
        Stop(Box::new(Why { at, code, what }))
    }

    #[cold]
    fn unexpected(&self, wanted: &str) -> Stop {
        let rest = self.text.get(self.at..).unwrap_or_default();
        self.stop(match rest.chars().next() {
            Some(found) => format!("expected {wanted}, found `{}`", found.escape_debug()),
            None => format!("expected {wanted}, found the end"),
        })
    }

    fn value(&mut self, slot: &mut Value, depth: usize) -> Result<(), Stop> {
        self.nodes += 1;
        if self.nodes > MAX_NODES {
            let what = format!("more than {MAX_NODES} values");
            return Err(self.stop_at(self.at, Code::TooDeep, what));
        }
        match self.peek() {
            Some(b'"') => *slot = Value::Text(self.string()?),
            Some(b'{') => self.nested(slot, depth, Self::map)?,
            Some(b'[') => self.nested(slot, depth, Self::list)?,
            Some(b'-' | b'0'..=b'9') => *slot = self.number()?,
            Some(b't') => *slot = self.word("true", Value::Bool(true))?,
            Some(b'f') => *slot = self.word("false", Value::Bool(false))?,
            Some(b'n') => *slot = self.word("null", Value::Null)?,
            _ => return Err(self.unexpected("a value")),
        }
        Ok(())
    }

    fn word(&mut self, word: &str, value: Value) -> Result<Value, Stop> {
        let rest = self.bytes.get(self.at..).unwrap_or_default();
        if !rest.starts_with(word.as_bytes()) {
            return Err(self.unexpected("a value"));
        }
        self.at += word.len();
        Ok(value)
    }

    /// Enters a list or map, unless it would be too deep.
    fn nested(
        &mut self,
        slot: &mut Value,
        depth: usize,
        read: fn(&mut Self, &mut Value, usize) -> Result<(), Stop>,
    ) -> Result<(), Stop> {
        if depth >= MAX_DEPTH {
            let what = format!("nested more than {MAX_DEPTH} deep");
            return Err(self.stop_at(self.at, Code::TooDeep, what));
        }
        self.at += 1;
        self.space();
        read(self, slot, depth + 1)
    }

    fn list(&mut self, slot: &mut Value, depth: usize) -> Result<(), Stop> {
        let mut list = Vec::new();
        if !self.closes(b']') {
            loop {
                self.value(list.push_mut(Value::Null), depth)?;
                if !self.goes_on(b']', "`,` or `]`")? {
                    break;
                }
            }
        }
        *slot = Value::List(list);
        Ok(())
    }

    fn map(&mut self, slot: &mut Value, depth: usize) -> Result<(), Stop> {
        let mut map = Map::new();
        if !self.closes(b'}') {
            self.names(&mut map, depth)?;
        }
        *slot = Value::Map(map);
        Ok(())
    }

    fn names(&mut self, map: &mut Map, depth: usize) -> Result<(), Stop> {
        // A bit for each name; only names that share one are compared.
        let mut met = 0_u64;
        loop {
            let start = self.at;
            let name = match self.peek() {
                Some(b'"') => self.string()?,
                _ => return Err(self.unexpected("a name in double quotes")),
            };
            let bit = 1 << mark(&name);
            if met & bit != 0 && map.len() < WALKED_NAMES && map.contains(&name) {
                return Err(self.twice(start, &name));
            }
            met |= bit;
            self.space();
            if !self.closes(b':') {
                return Err(self.unexpected("`:`"));
            }
            self.space();
            self.value(map.push_mut(name), depth)?;
            if !self.goes_on(b'}', "`,` or `}`")? {
                return self.without_doubles(map);
            }
        }
    }

    /// Finds doubles among many names by sorting: no hash to flood, no walk over all at each name.
    fn without_doubles(&self, map: &Map) -> Result<(), Stop> {
        if map.len() > WALKED_NAMES {
            let mut names: Vec<&str> = map.names().collect();
            names.sort_unstable();
            let double = names.windows(2).find(|pair| pair.first() == pair.last());
            if let Some(name) = double.and_then(<[&str]>::first) {
                return Err(self.twice(self.at, name));
            }
        }
        Ok(())
    }

    #[cold]
    fn twice(&self, at: usize, name: &str) -> Stop {
        let start: String = name.chars().take(40).collect();
        self.stop_at(
            at,
            Code::DuplicateKey,
            format!("the name `{start}` is given twice"),
        )
    }

    /// Steps over the byte if it comes next.
    fn closes(&mut self, byte: u8) -> bool {
        let here = self.peek() == Some(byte);
        self.at += usize::from(here);
        here
    }

    /// Tells whether a list or map has a further member.
    fn goes_on(&mut self, close: u8, wanted: &str) -> Result<bool, Stop> {
        self.space();
        if self.closes(b',') {
            self.space();
            return Ok(true);
        }
        if self.closes(close) {
            return Ok(false);
        }
        Err(self.unexpected(wanted))
    }

    fn string(&mut self) -> Result<Text, Stop> {
        self.at += 1;
        let start = self.at;
        self.plain()?;
        if self.peek() == Some(b'"') {
            let text = Text::new(self.text.get(start..self.at).unwrap_or_default());
            self.at += 1;
            return Ok(text);
        }
        self.escaped_string(start)
    }

    /// Steps over characters that stand for themselves.
    fn plain(&mut self) -> Result<(), Stop> {
        let rest = self.bytes.get(self.at..).unwrap_or_default();
        self.at += plain_length(rest);
        match self.peek() {
            Some(b'"' | b'\\') => Ok(()),
            Some(_) => Err(self.stop("a control character in a text must be escaped")),
            None => Err(self.unexpected("`\"`")),
        }
    }

    fn escaped_string(&mut self, start: usize) -> Result<Text, Stop> {
        let mut text = String::from(self.text.get(start..self.at).unwrap_or_default());
        loop {
            if self.closes(b'"') {
                return Ok(Text::from(text));
            }
            text.push(self.escape()?);
            let start = self.at;
            self.plain()?;
            text.push_str(self.text.get(start..self.at).unwrap_or_default());
        }
    }

    fn escape(&mut self) -> Result<char, Stop> {
        let start = self.at;
        self.at += 1;
        let simple = match self.peek() {
            Some(b'u') => return self.unicode(start),
            Some(b'"') => '"',
            Some(b'\\') => '\\',
            Some(b'/') => '/',
            Some(b'b') => '\u{8}',
            Some(b'f') => '\u{c}',
            Some(b'n') => '\n',
            Some(b'r') => '\r',
            Some(b't') => '\t',
            _ => return Err(self.stop("unknown escape")),
        };
        self.at += 1;
        Ok(simple)
    }

    /// Reads `\uXXXX`, and the second half of a pair.
    fn unicode(&mut self, start: usize) -> Result<char, Stop> {
        let first = self.hex4()?;
        let code = if (0xd800..0xdc00).contains(&first) && self.peek() == Some(b'\\') {
            self.at += 1;
            let second = self.hex4()?;
            let low = second.checked_sub(0xdc00).filter(|low| *low < 0x400);
            low.map(|low| 0x1_0000 + ((first - 0xd800) << 10) + low)
        } else {
            Some(first)
        };
        let alone = || {
            self.stop_at(
                start,
                Code::Malformed,
                "half of a surrogate pair stands alone",
            )
        };
        code.and_then(char::from_u32).ok_or_else(alone)
    }

    /// Reads `uXXXX`.
    fn hex4(&mut self) -> Result<u32, Stop> {
        let wanted = "`u` and four hexadecimal digits";
        if !self.closes(b'u') {
            return Err(self.unexpected(wanted));
        }
        let mut code = 0;
        for _ in 0..4 {
            let digit = self.peek().and_then(|byte| char::from(byte).to_digit(16));
            code = code * 16 + digit.ok_or_else(|| self.unexpected(wanted))?;
            self.at += 1;
        }
        Ok(code)
    }

    fn number(&mut self) -> Result<Value, Stop> {
        let start = self.at;
        let negative = self.closes(b'-');
        let zero = self.peek() == Some(b'0');
        let digits = self.digits()?;
        if zero && digits > 1 {
            return Err(self.stop_at(start, Code::Malformed, "a number must not begin with 0"));
        }
        let mut whole = true;
        if self.closes(b'.') {
            whole = false;
            self.digits()?;
        }
        if matches!(self.peek(), Some(b'e' | b'E')) {
            whole = false;
            self.at += 1;
            if matches!(self.peek(), Some(b'+' | b'-')) {
                self.at += 1;
            }
            self.digits()?;
        }
        let text = self.text.get(start..self.at).unwrap_or_default();
        let number = if whole {
            integer(text, negative)
        } else {
            fraction(text)
        };
        number.ok_or_else(|| self.stop_at(start, Code::Malformed, "a number too large to be exact"))
    }

    fn digits(&mut self) -> Result<usize, Stop> {
        let rest = self.bytes.get(self.at..).unwrap_or_default();
        let end = rest.iter().position(|byte| !byte.is_ascii_digit());
        let count = end.unwrap_or(rest.len());
        if count == 0 {
            return Err(self.unexpected("a digit"));
        }
        self.at += count;
        Ok(count)
    }
}

/// Reads an integer: 64 bits exactly, beyond them an exact decimal, beyond that nothing.
fn integer(text: &str, negative: bool) -> Option<Value> {
    if let Ok(number) = text.parse::<i64>() {
        return Some(Value::Int(number));
    }
    if !negative && let Ok(number) = text.parse::<u64>() {
        return Some(Value::Uint(number));
    }
    exact(text).map(Value::Decimal)
}

/// Reads a number with fraction or exponent: a float if it shows the same digits, else an exact decimal.
///
/// What programs print out of floats stays a float; `1.2345678901234567890` does not lose its end.
fn fraction(text: &str) -> Option<Value> {
    let number = text
        .parse::<f64>()
        .ok()
        .filter(|number| number.is_finite())?;
    let digits = significant(text);
    let same = digits.len() <= FLOAT_DIGITS || digits == significant(&format!("{number:e}"));
    let decimal = if same { None } else { exact(text) };
    Some(decimal.map_or(Value::Float(number), Value::Decimal))
}

fn exact(text: &str) -> Option<Decimal> {
    // Longer ones cannot fit 96 bits; an exponent is refused by the reader of decimals itself.
    (text.len() <= 40)
        .then(|| Decimal::from_str_exact(text).ok())
        .flatten()
}

/// Returns the digits of a number without its sign, its point and the zeros at both ends.
fn significant(text: &str) -> Text {
    let end = text.find(['e', 'E']).unwrap_or(text.len());
    let digits = text
        .bytes()
        .take(end)
        .filter(u8::is_ascii_digit)
        .map(char::from);
    let digits: Text = digits.skip_while(|digit| *digit == '0').collect();
    Text::from(digits.trim_end_matches('0'))
}
