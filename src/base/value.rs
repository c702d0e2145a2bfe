//! The one shape of data between formats, declarations and scripts.

use std::any::Any;
use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use chrono::{DateTime, FixedOffset, NaiveDate};
use rust_decimal::Decimal;
use uuid::Uuid;

use crate::base::{Map, Text};

/// A value of a message: ordered, exact for 64-bit integers and decimals.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum Value {
    /// Absent, or JSON `null`.
    #[default]
    Null,
    /// A truth value.
    Bool(bool),
    /// An integer that fits `i64`. Formats must use this one whenever it fits.
    Int(i64),
    /// An integer above `i64::MAX`.
    Uint(u64),
    /// A finite floating-point number.
    Float(f64),
    /// An exact decimal number; written as text in JSON (`"1.22"`).
    Decimal(Decimal),
    /// A text.
    Text(Text),
    /// Bytes; base64 where a format has only text.
    Bytes(Bytes),
    /// A calendar date.
    Date(NaiveDate),
    /// A moment, with the offset it was written with.
    DateTime(DateTime<FixedOffset>),
    /// A UUID.
    Uuid(Uuid),
    /// Values in order.
    List(Vec<Self>),
    /// Named values in order.
    Map(Map),
    /// A host object that scripts hold, such as an XML node; no format can write it.
    Handle(Handle),
}

/// What scripts may hold of the host: an XML node, a connection, an HTTP response.
pub trait Object: Any + Send + Sync {
    /// Returns the class whose host functions are this object's methods, such as `xml.node`.
    fn class(&self) -> &'static str;

    /// Returns the name it has among its kind; that of a connection. Others have none.
    fn name(&self) -> Option<&str> {
        None
    }

    /// Returns what it says of itself to a person, in few words, such as the status of an answer.
    fn gist(&self) -> Option<String> {
        None
    }

    /// Returns the object as `Any`, to get its type back.
    fn as_any(&self) -> &dyn Any;
}

/// A shared host object.
#[derive(Clone)]
pub struct Handle(pub Arc<dyn Object>);

impl Handle {
    /// Wraps an object.
    pub fn new(object: impl Object) -> Self {
        Self(Arc::new(object))
    }

    /// Returns the object if it is a `T`.
    pub fn downcast<T: 'static>(&self) -> Option<&T> {
        self.0.as_any().downcast_ref()
    }
}

impl fmt::Debug for Handle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "<{}>", self.0.class())
    }
}

impl PartialEq for Handle {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl Value {
    /// Returns a copy of the beginning, of about so many bytes: enough to show it.
    #[must_use]
    pub fn excerpt(&self, bytes: usize) -> Self {
        let mut left = bytes;
        self.begin(&mut left)
    }

    fn begin(&self, left: &mut usize) -> Self {
        *left = left.saturating_sub(8);
        match self {
            Self::Text(text) => {
                let end = text.floor_char_boundary(*left);
                *left -= end;
                Self::text(text.get(..end).unwrap_or_default())
            }
            Self::Bytes(own) => {
                let end = own.len().min(*left);
                *left -= end;
                Self::Bytes(own.slice(..end))
            }
            Self::List(list) => {
                let mut copied = Vec::new();
                let mut members = list.iter();
                while let Some(member) = members.next().filter(|_| *left > 0) {
                    copied.push(member.begin(left));
                }
                Self::List(copied)
            }
            Self::Map(map) => {
                let mut copied = Map::new();
                let mut members = map.iter();
                while let Some((name, member)) = members.next().filter(|_| *left > 0) {
                    *left = left.saturating_sub(name.len());
                    copied.push(name.clone(), member.begin(left));
                }
                Self::Map(copied)
            }
            scalar => scalar.clone(),
        }
    }

    /// Makes a text value.
    pub fn text(text: impl AsRef<str>) -> Self {
        Self::Text(Text::new(text))
    }

    /// Returns the word for its type, as messages to people use it.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Bool(_) => "bool",
            Self::Int(_) | Self::Uint(_) => "int",
            Self::Float(_) => "float",
            Self::Decimal(_) => "decimal",
            Self::Text(_) => "text",
            Self::Bytes(_) => "bytes",
            Self::Date(_) => "date",
            Self::DateTime(_) => "datetime",
            Self::Uuid(_) => "uuid",
            Self::List(_) => "list",
            Self::Map(_) => "map",
            Self::Handle(_) => "object",
        }
    }

    /// Tells whether it is `Null`.
    pub fn is_null(&self) -> bool {
        matches!(self, Self::Null)
    }

    /// Returns the text, if it is one.
    pub fn as_str(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            _ => None,
        }
    }

    /// Returns the integer, if it is one that fits `i64`.
    pub fn as_int(&self) -> Option<i64> {
        match self {
            Self::Int(number) => Some(*number),
            _ => None,
        }
    }

    /// Returns the map, if it is one.
    pub fn as_map(&self) -> Option<&Map> {
        match self {
            Self::Map(map) => Some(map),
            _ => None,
        }
    }

    /// Returns the scalar as formats without types write it; `None` for lists, maps and objects.
    pub fn to_text(&self) -> Option<Text> {
        use base64::Engine as _;
        let text = match self {
            Self::Null => Text::default(),
            Self::Bool(true) => Text::const_new("true"),
            Self::Bool(false) => Text::const_new("false"),
            Self::Int(number) => compact_str::ToCompactString::to_compact_string(number),
            Self::Uint(number) => compact_str::ToCompactString::to_compact_string(number),
            Self::Float(number) => compact_str::ToCompactString::to_compact_string(number),
            Self::Decimal(number) => compact_str::ToCompactString::to_compact_string(number),
            Self::Text(text) => text.clone(),
            Self::Bytes(bytes) => {
                Text::from(base64::engine::general_purpose::STANDARD.encode(bytes))
            }
            Self::Date(date) => compact_str::ToCompactString::to_compact_string(date),
            Self::DateTime(moment) => Text::from(moment.to_rfc3339()),
            Self::Uuid(uuid) => compact_str::ToCompactString::to_compact_string(uuid),
            Self::List(_) | Self::Map(_) | Self::Handle(_) => return None,
        };
        Some(text)
    }
}

impl From<i32> for Value {
    fn from(number: i32) -> Self {
        Self::Int(number.into())
    }
}

impl From<i64> for Value {
    fn from(number: i64) -> Self {
        Self::Int(number)
    }
}

impl From<u64> for Value {
    fn from(number: u64) -> Self {
        i64::try_from(number).map_or(Self::Uint(number), Self::Int)
    }
}

impl From<bool> for Value {
    fn from(truth: bool) -> Self {
        Self::Bool(truth)
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::text(text)
    }
}

impl From<String> for Value {
    fn from(text: String) -> Self {
        Self::Text(text.into())
    }
}

impl From<Map> for Value {
    fn from(map: Map) -> Self {
        Self::Map(map)
    }
}

impl From<Vec<Self>> for Value {
    fn from(list: Vec<Self>) -> Self {
        Self::List(list)
    }
}

/// Returns the JSON value with the same content: decimals, bytes, dates and uuids become text.
impl From<&Value> for serde_json::Value {
    fn from(value: &Value) -> Self {
        match value {
            Value::Null | Value::Handle(_) => Self::Null,
            Value::Bool(truth) => Self::Bool(*truth),
            Value::Int(number) => Self::from(*number),
            Value::Uint(number) => Self::from(*number),
            Value::Float(number) => Self::from(*number),
            Value::List(list) => Self::Array(list.iter().map(Self::from).collect()),
            Value::Map(map) => Self::Object(
                map.iter()
                    .map(|(name, value)| (name.to_string(), value.into()))
                    .collect(),
            ),
            scalar => Self::String(scalar.to_text().unwrap_or_default().into()),
        }
    }
}

/// Returns the value with the same content as a JSON value.
impl From<&serde_json::Value> for Value {
    fn from(value: &serde_json::Value) -> Self {
        match value {
            serde_json::Value::Null => Self::Null,
            serde_json::Value::Bool(truth) => Self::Bool(*truth),
            serde_json::Value::Number(number) => {
                let whole = number
                    .as_i64()
                    .map(Self::Int)
                    .or_else(|| number.as_u64().map(Self::Uint));
                whole.unwrap_or_else(|| Self::Float(number.as_f64().unwrap_or_default()))
            }
            serde_json::Value::String(text) => Self::text(text),
            serde_json::Value::Array(list) => Self::List(list.iter().map(Self::from).collect()),
            serde_json::Value::Object(map) => Self::Map(
                map.iter()
                    .map(|(name, value)| (Text::new(name), value.into()))
                    .collect(),
            ),
        }
    }
}

#[cfg(test)]
mod excerpts {
    use super::*;

    #[test]
    fn an_excerpt_is_short_and_the_same_where_it_fits() {
        let mut small = Map::new();
        small.push(Text::new("n"), Value::Int(7));
        small.push(
            Text::new("list"),
            Value::List(vec![Value::text("ł"), Value::Null]),
        );
        let small = Value::Map(small);
        assert_eq!(small.excerpt(500), small);
        let large = Value::List(vec![small; 10_000]);
        let json = serde_json::Value::from(&large.excerpt(500)).to_string();
        assert!(json.len() > 100 && json.len() < 600, "{}", json.len());
        let text = Value::text("łódź".repeat(1_000)).excerpt(101);
        assert!(
            text.as_str()
                .is_some_and(|text| (90..=101).contains(&text.len()))
        );
    }
}
