//! Values between the host and Rhai, in both directions, exactly.
//!
//! Into Rhai: dates and UUIDs become text, bytes blobs, integers above `i64::MAX` objects of their own. Out of Rhai:
//! maps come sorted by name, as Rhai keeps them.

use bytes::Bytes;
use rhai::{Dynamic, FnPtr, ImmutableString};

use crate::base::{Code, Fault, Map, Text, Value};
use crate::script::rhai::object::{Headers, Held, Raised, Unsigned};

/// How deep values may be nested.
const MAX_DEPTH: usize = 64;
/// How many values one conversion may make.
const MAX_NODES: usize = 1_000_000;
/// How many bytes of text one conversion may copy.
const MAX_BYTES: usize = 64 << 20;

/// Returns a value as Rhai has it.
pub(crate) fn to_rhai(value: &Value) -> Dynamic {
    match value {
        Value::Null => Dynamic::UNIT,
        Value::Bool(truth) => (*truth).into(),
        Value::Int(number) => (*number).into(),
        Value::Uint(number) => Dynamic::from(Unsigned(*number)),
        Value::Float(number) => (*number).into(),
        Value::Decimal(number) => (*number).into(),
        Value::Text(text) => ImmutableString::from(text.as_str()).into(),
        Value::Bytes(bytes) => Dynamic::from_blob(bytes.to_vec()),
        Value::Date(_) | Value::DateTime(_) | Value::Uuid(_) => {
            let text = value.to_text().unwrap_or_default();
            ImmutableString::from(text.as_str()).into()
        }
        Value::Handle(handle) => Dynamic::from(Held(handle.clone())),
        Value::List(list) => Dynamic::from_array(list.iter().map(to_rhai).collect::<rhai::Array>()),
        Value::Map(map) => {
            // To collect them would sort a list of them first.
            let mut made = rhai::Map::new();
            for (name, value) in map {
                made.insert(name.as_str().into(), to_rhai(value));
            }
            Dynamic::from_map(made)
        }
    }
}

/// Reads values out of Rhai, within bounds.
pub(crate) struct Reader<'a> {
    root: &'a str,
    argument: bool,
    nodes: usize,
    bytes: usize,
}

/// The way to the value that is read, for messages.
enum Way<'w> {
    Root,
    Name(&'w Self, &'w str),
    Index(&'w Self, usize),
}

impl Way<'_> {
    fn write(&self, text: &mut String) {
        match self {
            Self::Root => {}
            Self::Name(before, name) => {
                before.write(text);
                text.push('.');
                text.push_str(name);
            }
            Self::Index(before, index) => {
                before.write(text);
                text.push('[');
                text.push_str(&index.to_string());
                text.push(']');
            }
        }
    }
}

impl<'a> Reader<'a> {
    /// Starts at a value that messages call `root`.
    pub(crate) fn new(root: &'a str) -> Self {
        Self {
            root,
            argument: false,
            nodes: 0,
            bytes: 0,
        }
    }

    /// Starts at an argument of a host function.
    pub(crate) fn argument(name: &'a str) -> Self {
        Self {
            argument: true,
            ..Self::new(name)
        }
    }

    /// Reads a value.
    pub(crate) fn read(&mut self, value: Dynamic) -> Result<Value, Fault> {
        let mut read = Value::Null;
        self.value(value, &mut read, &Way::Root, 0)?;
        Ok(read)
    }

    /// Reads a value where it is to stand: to hand up one that was just made, part by part, waits for all parts.
    fn value(
        &mut self,
        value: Dynamic,
        slot: &mut Value,
        way: &Way<'_>,
        depth: usize,
    ) -> Result<(), Fault> {
        self.nodes += 1;
        if self.nodes > MAX_NODES || self.bytes > MAX_BYTES {
            return Err(self.too_large(way, "too large"));
        }
        if depth > MAX_DEPTH {
            return Err(self.too_large(&Way::Root, "nested too deep"));
        }
        let value = value.flatten();
        if value.is_string() {
            let text = value.into_immutable_string().unwrap_or_default();
            self.bytes += text.len();
            *slot = Value::text(text.as_str());
        } else if value.is_map() {
            *slot = Value::Map(self.map(value.cast(), way, depth)?);
        } else if value.is_array() {
            *slot = Value::List(self.list(value.cast(), way, depth)?);
        } else {
            *slot = self.scalar(&value, way)?;
        }
        Ok(())
    }

    fn scalar(&mut self, value: &Dynamic, way: &Way<'_>) -> Result<Value, Fault> {
        if value.is_unit() {
            return Ok(Value::Null);
        }
        if let Ok(number) = value.as_int() {
            return Ok(Value::Int(number));
        }
        if let Ok(truth) = value.as_bool() {
            return Ok(Value::Bool(truth));
        }
        if let Ok(number) = value.as_float() {
            return Ok(Value::Float(number));
        }
        if let Ok(number) = value.as_decimal() {
            return Ok(Value::Decimal(number));
        }
        if let Ok(letter) = value.as_char() {
            return Ok(Value::from(letter.to_string()));
        }
        if let Ok(bytes) = value.as_blob_ref() {
            self.bytes += bytes.len();
            return Ok(Value::Bytes(Bytes::copy_from_slice(&bytes)));
        }
        self.object(value, way)
    }

    fn object(&self, value: &Dynamic, way: &Way<'_>) -> Result<Value, Fault> {
        if let Some(held) = value.read_lock::<Held>() {
            return Ok(Value::Handle(held.0.clone()));
        }
        if let Some(number) = value.read_lock::<Unsigned>() {
            return Ok(Value::Uint(number.0));
        }
        if let Some(raised) = value.read_lock::<Raised>() {
            return Ok(Value::text(raised.0.message()));
        }
        if let Some(headers) = value.read_lock::<Headers>() {
            return Ok(Value::Map((*headers.0).clone()));
        }
        if value.is::<FnPtr>() {
            return Err(self.refuse(way, "is a function"));
        }
        Err(self.refuse(way, "is an object that cannot leave the script"))
    }

    fn list(
        &mut self,
        list: rhai::Array,
        way: &Way<'_>,
        depth: usize,
    ) -> Result<Vec<Value>, Fault> {
        let mut values = Vec::with_capacity(list.len());
        for (index, member) in list.into_iter().enumerate() {
            let slot = values.push_mut(Value::Null);
            self.value(member, slot, &Way::Index(way, index), depth + 1)?;
        }
        Ok(values)
    }

    fn map(&mut self, map: rhai::Map, way: &Way<'_>, depth: usize) -> Result<Map, Fault> {
        let mut values = Map::with_capacity(map.len());
        for (name, member) in map {
            self.bytes += name.len();
            let slot = values.push_mut(Text::new(&name));
            self.value(member, slot, &Way::Name(way, &name), depth + 1)?;
        }
        Ok(values)
    }

    fn whole(&self, way: &Way<'_>) -> String {
        let mut text = if self.argument {
            format!("argument `{}`", self.root)
        } else {
            self.root.to_owned()
        };
        way.write(&mut text);
        text
    }

    fn refuse(&self, way: &Way<'_>, why: &str) -> Fault {
        let path = self.whole(way);
        Fault::new(Code::ScriptArgument, format!("{path} {why}"))
    }

    fn too_large(&self, way: &Way<'_>, why: &str) -> Fault {
        let path = self.whole(way);
        Fault::new(Code::OutputTooLarge, format!("{path} is {why}"))
    }
}
