//! Makes values fit their declared types, both ways; what does not fit becomes a problem with its path.
//!
//! Input is lenient from text, because XML, forms and queries have nothing else, and strict otherwise.
//! Output is what a script assigned: its numbers and texts become what was declared.

use rust_decimal::Decimal;

use crate::base::{Code, FieldError, Map, Segment, Text, Value, closest};
use crate::contract::{Field, Ty};
use crate::sio::{constraint, scalar, ty};

/// How many problems of one message are told.
const MAX_PROBLEMS: usize = 100;

/// How much of a wrong value a message repeats.
const SHOWN_CHARS: usize = 40;

/// Which way a value goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Side {
    /// From a caller to the service.
    Input,
    /// From the service to a caller.
    Output,
}

/// The way to a value, as a chain on the stack: it costs nothing until there is a problem.
#[derive(Clone, Copy)]
pub(super) struct Path<'a> {
    parent: Option<&'a Self>,
    step: Step<'a>,
}

#[derive(Clone, Copy)]
enum Step<'a> {
    Root,
    Name(&'a Text),
    Index(usize),
}

impl<'a> Path<'a> {
    /// The root of the message.
    pub(super) const ROOT: Path<'static> = Path {
        parent: None,
        step: Step::Root,
    };

    /// Returns the way to a member of a list here.
    pub(super) fn index(&'a self, index: usize) -> Self {
        Path {
            parent: Some(self),
            step: Step::Index(index),
        }
    }

    fn name(&'a self, name: &'a Text) -> Self {
        Path {
            parent: Some(self),
            step: Step::Name(name),
        }
    }

    fn segments(&self) -> Vec<Segment> {
        let mut segments = self.parent.map(Path::segments).unwrap_or_default();
        match self.step {
            Step::Root => {}
            Step::Name(name) => segments.push(Segment::Name(name.clone())),
            Step::Index(index) => segments.push(Segment::Index(index)),
        }
        segments
    }
}

/// Fits one message and collects its problems.
pub(super) struct Fitter {
    side: Side,
    /// The first problems, in the order of the declaration.
    pub(super) problems: Vec<FieldError>,
    /// How many there were in all.
    pub(super) count: usize,
}

impl Fitter {
    /// Makes a fitter for one message.
    pub(super) fn new(side: Side) -> Self {
        Self {
            side,
            problems: Vec::new(),
            count: 0,
        }
    }

    /// Takes the declared fields out of a map, in the order declared. `spare` has further values; messages
    /// about what is inside a sensitive field `hide` it.
    pub(super) fn fields(
        &mut self,
        fields: &[Field],
        mut given: Map,
        spare: impl Fn(&Field) -> Option<Value>,
        hide: bool,
        path: &Path<'_>,
    ) -> Map {
        let mut out = Map::with_capacity(fields.len());
        let mut known = 0;
        for field in fields {
            let slot = given.get_mut(&field.name);
            known += usize::from(slot.is_some());
            let value = slot.map(std::mem::take).filter(|value| !value.is_null());
            let value = value.or_else(|| spare(field)).unwrap_or_default();
            if let Some(value) = self.field(field, value, hide, &path.name(&field.name)) {
                out.push(field.name.clone(), value);
            }
        }
        if self.side == Side::Output && known < given.len() {
            self.undeclared(fields, &given, path);
        }
        out
    }

    fn field(&mut self, field: &Field, value: Value, hide: bool, path: &Path<'_>) -> Option<Value> {
        if value.is_null() || (field.optional && self.is_blank(&field.ty, &value)) {
            if field.default.is_none() && !field.optional {
                self.problem(path, Code::InputMissing, || "is required".to_owned());
            }
            return field.default.clone();
        }
        let (before, hide) = (self.count, hide || field.sensitive);
        let value = self.value(&field.ty, value, hide, path)?;
        // A list with wrong members is not judged again by its length.
        let problem = match &field.constraint {
            Some(constraint) if self.count == before => constraint::problem(constraint, &value),
            _ => None,
        };
        match problem {
            Some(problem) => {
                let shown = shown(&value, hide);
                self.problem(path, Code::InputConstraint, || format!("{problem}{shown}"));
                None
            }
            None => Some(value),
        }
    }

    /// Tells whether an empty text stands for an absent value, as an empty XML element does.
    fn is_blank(&self, ty: &Ty, value: &Value) -> bool {
        self.side == Side::Input
            && !matches!(ty, Ty::Text | Ty::Any)
            && value.as_str().is_some_and(|text| text.trim().is_empty())
    }

    fn value(&mut self, ty: &Ty, value: Value, hide: bool, path: &Path<'_>) -> Option<Value> {
        match ty {
            Ty::Any => Some(value),
            Ty::Map => self.map(ty, value, hide, path).map(Value::Map),
            Ty::Model(model) => {
                let map = self.map(ty, value, hide, path)?;
                let none = |_: &Field| None;
                Some(Value::Map(self.fields(
                    &model.fields,
                    map,
                    none,
                    hide,
                    path,
                )))
            }
            Ty::List(inner) => self.list(ty, inner, value, hide, path),
            _ => match scalar(ty, self.side, value) {
                Ok(value) => Some(value),
                Err(value) => {
                    self.wrong(ty, &value, hide, path);
                    None
                }
            },
        }
    }

    fn map(&mut self, ty: &Ty, value: Value, hide: bool, path: &Path<'_>) -> Option<Map> {
        match value {
            Value::Map(map) => Some(map),
            // An empty table has no shape in Lua; neither has an empty XML element.
            Value::List(list) if list.is_empty() && self.side == Side::Output => Some(Map::new()),
            Value::Text(text) if text.trim().is_empty() && self.side == Side::Input => {
                Some(Map::new())
            }
            other => {
                self.wrong(ty, &other, hide, path);
                None
            }
        }
    }

    fn list(
        &mut self,
        ty: &Ty,
        inner: &Ty,
        value: Value,
        hide: bool,
        path: &Path<'_>,
    ) -> Option<Value> {
        let members = match value {
            Value::List(members) => members,
            Value::Null => {
                self.wrong(ty, &value, hide, path);
                return None;
            }
            Value::Map(map) if map.is_empty() && self.side == Side::Output => Vec::new(),
            // XML cannot tell a list of one from a single value.
            one if self.side == Side::Input => {
                let empty = self.is_blank(inner, &one);
                if empty { Vec::new() } else { vec![one] }
            }
            other => {
                self.wrong(ty, &other, hide, path);
                return None;
            }
        };
        let fit = |(index, member)| self.value(inner, member, hide, &path.index(index));
        Some(Value::List(
            members.into_iter().enumerate().filter_map(fit).collect(),
        ))
    }

    fn wrong(&mut self, ty: &Ty, value: &Value, hide: bool, path: &Path<'_>) {
        let unlisted = matches!((ty, value), (Ty::Enum(_), Value::Text(_)));
        let code = if unlisted {
            Code::InputConstraint
        } else {
            Code::InputType
        };
        self.problem(path, code, || {
            format!("must be {}{}", wanted(ty), shown(value, hide))
        });
    }

    fn undeclared(&mut self, fields: &[Field], given: &Map, path: &Path<'_>) {
        let declared = || fields.iter().map(|field| field.name.as_str());
        for (name, value) in given {
            if value.is_null() || declared().any(|known| known == name) {
                continue;
            }
            self.problem(&path.name(name), Code::OutputRejected, || {
                match closest(name, declared()) {
                    Some(near) => format!("is not declared, did you mean `{near}`?"),
                    None => "is not declared".to_owned(),
                }
            });
        }
    }

    /// Notes a problem.
    pub(super) fn problem(&mut self, path: &Path<'_>, code: Code, detail: impl FnOnce() -> String) {
        self.count += 1;
        if self.problems.len() < MAX_PROBLEMS {
            self.problems.push(FieldError {
                path: path.segments(),
                code,
                detail: detail(),
            });
        }
    }
}

fn wanted(ty: &Ty) -> String {
    let example = match ty {
        Ty::Int => return "a whole number of 64 bits".to_owned(),
        Ty::Float => return "a number".to_owned(),
        Ty::Bool => return "true or false".to_owned(),
        Ty::Text => return "a text".to_owned(),
        Ty::Map | Ty::Model(_) => return "named values".to_owned(),
        Ty::Enum(texts) => return format!("one of {}", texts.join(", ")),
        Ty::List(inner) => return format!("a list of {}", ty::name(inner)),
        Ty::Any => return "anything".to_owned(),
        Ty::Decimal => "an exact decimal number such as 1.22",
        Ty::Date => "a date such as 2013-09-03",
        Ty::DateTime => "a moment with its offset such as 2013-09-03T10:00:00Z",
        Ty::Uuid => "a UUID",
        Ty::Bytes => "bytes in base64",
    };
    example.to_owned()
}

/// Returns `, got …`: the kind of a wrong value and its start, unless it is sensitive.
fn shown(value: &Value, hide: bool) -> String {
    let kind = value.kind();
    match value.to_text().filter(|_| !hide && !value.is_null()) {
        Some(text) => {
            let more = if text.chars().nth(SHOWN_CHARS).is_some() {
                "…"
            } else {
                ""
            };
            let start: String = text.chars().take(SHOWN_CHARS).collect();
            format!(", got {kind} `{}{more}`", start.escape_debug())
        }
        None => format!(", got {kind}"),
    }
}

fn scalar(ty: &Ty, side: Side, value: Value) -> Result<Value, Value> {
    let fitted = match (ty, &value) {
        (Ty::Text, Value::Text(_))
        | (Ty::Int, Value::Int(_) | Value::Uint(_))
        | (Ty::Decimal, Value::Decimal(_))
        | (Ty::Bool, Value::Bool(_))
        | (Ty::Date, Value::Date(_))
        | (Ty::DateTime, Value::DateTime(_))
        | (Ty::Uuid, Value::Uuid(_))
        | (Ty::Bytes, Value::Bytes(_)) => return Ok(value),
        (Ty::Enum(texts), Value::Text(text)) if texts.contains(text) => return Ok(value),
        (Ty::Float, Value::Float(number)) if number.is_finite() => return Ok(value),
        (Ty::Bytes, Value::Text(text)) if side == Side::Output => {
            Some(Value::Bytes(text.as_bytes().to_vec().into()))
        }
        (_, Value::Null) => None,
        (Ty::Text, _) if side == Side::Output => text_of(&value),
        (_, Value::Text(text)) => from_text(ty, text),
        (Ty::Int, Value::Float(number)) => scalar::int_of_float(*number).map(Value::Int),
        (Ty::Int, Value::Decimal(number)) => scalar::int_of_decimal(*number),
        (Ty::Float, Value::Int(number)) => scalar::float_of_int(*number).map(Value::Float),
        (Ty::Float, Value::Decimal(number)) => scalar::float_of_decimal(*number).map(Value::Float),
        (Ty::Decimal, Value::Int(number)) => Some(Value::Decimal(Decimal::from(*number))),
        (Ty::Decimal, Value::Uint(number)) => Some(Value::Decimal(Decimal::from(*number))),
        (Ty::Decimal, Value::Float(number)) => {
            scalar::decimal_of_float(*number).map(Value::Decimal)
        }
        (Ty::Date, Value::DateTime(moment)) if side == Side::Output => {
            Some(Value::Date(moment.date_naive()))
        }
        _ => None,
    };
    fitted.ok_or(value)
}

fn from_text(ty: &Ty, text: &str) -> Option<Value> {
    match ty {
        Ty::Int => scalar::int_of(text),
        Ty::Float => scalar::float_of(text).map(Value::Float),
        Ty::Decimal => scalar::decimal_of(text).map(Value::Decimal),
        Ty::Bool => scalar::bool_of(text).map(Value::Bool),
        Ty::Date => scalar::date_of(text).map(Value::Date),
        Ty::DateTime => scalar::datetime_of(text).map(Value::DateTime),
        Ty::Uuid => scalar::uuid_of(text).map(Value::Uuid),
        Ty::Bytes => scalar::bytes_of(text).map(Value::Bytes),
        _ => None,
    }
}

/// Returns the text of what a script assigned to a text: numbers as it would print them.
fn text_of(value: &Value) -> Option<Value> {
    match value {
        Value::Float(number) if !number.is_finite() => None,
        Value::Float(number) => Some(Value::from(number.to_string())),
        Value::Bytes(bytes) => std::str::from_utf8(bytes).ok().map(Value::from),
        other => other.to_text().map(Value::Text),
    }
}

/// Makes a declared default fit its own field.
pub(super) fn fit_default(field: &Field, value: Value) -> Result<Value, String> {
    let mut fitter = Fitter::new(Side::Input);
    let mut plain = field.clone();
    (plain.optional, plain.sensitive) = (false, false);
    let fitted = fitter.field(&plain, value, false, &Path::ROOT);
    match fitter.problems.into_iter().next() {
        None => fitted.ok_or_else(|| "the default is empty".to_owned()),
        Some(problem) => Err(format!("the default {}", problem.detail)),
    }
}
