//! Values between the host and Luau, in both directions, exactly.
//!
//! Into Luau: integers beyond ±2^53 become Luau's `integer`, decimals and larger integers immutable userdata, dates
//! and UUIDs text, bytes strings. Null is nil, but in a list it is `json.null`, for nil would take its place away. Out of
//! Luau: a table with the keys 1 to n is a list, any other a map sorted by name; an empty one is a map unless the host
//! gave it as a list. No script code runs: tables are walked raw.

use bytes::Bytes;
use mlua::Lua;

use crate::base::{Code, Fault, Handle, Map, Text, Value, with_article};
use crate::script::lua::bridge::Bridge;
use crate::script::lua::object::{Exact, Held, JsonNull, Raised};
use crate::script::lua::raw;

/// The largest integer that a double holds exactly.
const DOUBLE_MAX: i64 = 1 << 53;
/// How deep values may be nested.
pub(super) const MAX_DEPTH: usize = 64;
/// How many values one conversion may make.
pub(super) const MAX_NODES: usize = 1_000_000;
/// How many bytes of text one conversion may copy.
pub(super) const MAX_BYTES: usize = 64 << 20;
/// Up to how deep a value is tried as plain data, which is written in one go.
const TRIED: usize = 1;

impl Bridge {
    /// Returns a value as Luau has it. A single integer beyond ±2^53 needs [`Bridge::answer`] or [`Bridge::set`].
    pub(crate) fn to_lua(&self, lua: &Lua, value: Value) -> mlua::Result<mlua::Value> {
        self.push(lua, value, 0)
    }

    fn push(&self, lua: &Lua, value: Value, depth: usize) -> mlua::Result<mlua::Value> {
        if depth > MAX_DEPTH * 2 {
            return Err(mlua::Error::external(too_large(
                "a value",
                "nested too deep",
            )));
        }
        if let Some(table) = (depth <= TRIED)
            .then(|| raw::write(lua, self, &value))
            .flatten()
        {
            return table.map(mlua::Value::Table);
        }
        let text = |text: &str| lua.create_string(text).map(mlua::Value::String);
        match value {
            Value::Null => Ok(mlua::Value::Nil),
            Value::Bool(truth) => Ok(mlua::Value::Boolean(truth)),
            Value::Int(number) => Ok(mlua::Value::Integer(number)),
            Value::Float(number) => Ok(mlua::Value::Number(number)),
            Value::Text(own) => text(&own),
            Value::Bytes(bytes) => lua.create_string(&bytes).map(mlua::Value::String),
            Value::Date(_) | Value::DateTime(_) | Value::Uuid(_) => {
                text(&value.to_text().unwrap_or_default())
            }
            Value::Uint(_) | Value::Decimal(_) => {
                lua.create_userdata(Exact(value)).map(mlua::Value::UserData)
            }
            Value::Handle(handle) => lua
                .create_any_userdata(Held(handle))
                .map(mlua::Value::UserData),
            Value::List(list) => self
                .push_list(lua, list, &self.null, depth)
                .map(mlua::Value::Table),
            Value::Map(map) => self.push_map(lua, map, depth).map(mlua::Value::Table),
        }
    }

    fn push_list(
        &self,
        lua: &Lua,
        list: Vec<Value>,
        missing: &mlua::Value,
        depth: usize,
    ) -> mlua::Result<mlua::Table> {
        let table = lua.create_table_with_capacity(list.len(), 0)?;
        if list.is_empty() {
            table.set_metatable(Some(self.list.clone()))?;
        }
        for (index, member) in list.into_iter().enumerate() {
            match member {
                Value::Null => table.raw_set(index + 1, missing)?,
                member => self.place(lua, &table, index + 1, member, depth)?,
            }
        }
        Ok(table)
    }

    fn push_map(&self, lua: &Lua, map: Map, depth: usize) -> mlua::Result<mlua::Table> {
        let table = lua.create_table_with_capacity(0, map.len())?;
        for (name, member) in map {
            self.place(lua, &table, name.as_str(), member, depth)?;
        }
        Ok(table)
    }

    /// Sets a key of a table.
    pub(crate) fn set(
        &self,
        lua: &Lua,
        table: &mlua::Table,
        key: &str,
        value: Value,
    ) -> mlua::Result<()> {
        self.place(lua, table, key, value, 0)
    }

    fn place(
        &self,
        lua: &Lua,
        table: &mlua::Table,
        key: impl mlua::IntoLua,
        value: Value,
        depth: usize,
    ) -> mlua::Result<()> {
        match big(&value) {
            Some(number) => self.put.call((table, key, number.to_string())),
            // Most values are plain; they go straight to their place.
            None => match &value {
                Value::Text(text) => table.raw_set(key, text.as_str()),
                Value::Int(number) => table.raw_set(key, *number),
                Value::Bool(truth) => table.raw_set(key, *truth),
                Value::Null => Ok(()),
                _ => table.raw_set(key, self.push(lua, value, depth + 1)?),
            },
        }
    }

    /// Returns a list of the host, which is no data of a message: where a member is missing it has a gap.
    pub(crate) fn gapped(&self, lua: &Lua, value: Value) -> mlua::Result<mlua::Value> {
        match value {
            Value::List(list) => self
                .push_list(lua, list, &mlua::Value::Nil, 0)
                .map(mlua::Value::Table),
            other => self.to_lua(lua, other),
        }
    }

    /// Returns a value for a helper in Luau, which finds a large integer in the holder.
    pub(crate) fn answer(&self, lua: &Lua, value: Value) -> mlua::Result<mlua::Value> {
        match big(&value) {
            Some(number) => {
                self.hold.call::<()>(number.to_string())?;
                Ok(self.big.clone())
            }
            None => self.to_lua(lua, value),
        }
    }
}

/// Tells whether a value is an integer that a double does not hold.
pub(crate) fn is_beyond_double(value: &Value) -> bool {
    big(value).is_some()
}

fn big(value: &Value) -> Option<i64> {
    match value {
        Value::Int(number) if number.unsigned_abs() > DOUBLE_MAX.unsigned_abs() => Some(*number),
        _ => None,
    }
}

/// Reads values out of Luau, within bounds.
pub(crate) struct Reader<'a> {
    root: Root<'a>,
    /// What plain data is read with in one go.
    plain: Option<(&'a Lua, &'a Bridge)>,
    spent: Spent,
    /// The way to the value that is read now, for messages.
    path: Vec<Step>,
    /// The tables around it, by address.
    around: Vec<usize>,
}

/// What reading has met so far.
#[derive(Clone, Copy, Default)]
pub(super) struct Spent {
    pub(super) nodes: usize,
    pub(super) bytes: usize,
}

impl Spent {
    /// Counts one more value; tells whether there is room for it.
    pub(super) fn one_more(&mut self) -> bool {
        self.nodes += 1;
        !self.is_over()
    }

    /// Tells whether it is more than one conversion may take.
    pub(super) fn is_over(self) -> bool {
        self.nodes > MAX_NODES || self.bytes > MAX_BYTES
    }
}

/// What messages call the value itself.
enum Root<'a> {
    Name(&'a str),
    Argument(&'a str),
}

/// A step from a table to a member.
enum Step {
    Name(Text),
    Index(i64),
}

impl<'a> Reader<'a> {
    /// Starts at a value that messages call `root`.
    pub(crate) fn new(root: &'a str) -> Self {
        Self::at(Root::Name(root))
    }

    /// Starts at an argument of a host function.
    pub(crate) fn argument(name: &'a str) -> Self {
        Self::at(Root::Argument(name))
    }

    fn at(root: Root<'a>) -> Self {
        Self {
            root,
            plain: None,
            spent: Spent::default(),
            path: Vec::new(),
            around: Vec::new(),
        }
    }

    /// Reads plain data of a VM in one go.
    pub(crate) fn of(self, lua: &'a Lua, bridge: &'a Bridge) -> Self {
        Self {
            plain: Some((lua, bridge)),
            ..self
        }
    }

    /// Reads a value.
    pub(crate) fn read(&mut self, value: &mlua::Value) -> Result<Value, Fault> {
        if !self.spent.one_more() {
            return Err(too_large(&self.whole(), "too large"));
        }
        match value {
            mlua::Value::Nil => Ok(Value::Null),
            mlua::Value::Boolean(truth) => Ok(Value::Bool(*truth)),
            mlua::Value::Integer(number) => Ok(Value::Int(*number)),
            mlua::Value::Number(number) => Ok(Value::Float(*number)),
            mlua::Value::String(text) => Ok(self.text(text)),
            mlua::Value::Buffer(buffer) => Ok(Value::Bytes(Bytes::from(buffer.to_vec()))),
            mlua::Value::Table(table) => self.table(table),
            mlua::Value::UserData(data) => self.object(data),
            other => Err(self.refuse(&format!("is {}", with_article(other.type_name())))),
        }
    }

    /// Reads a named value of the root.
    pub(crate) fn read_named(&mut self, name: &Text, value: &mlua::Value) -> Result<Value, Fault> {
        let nested = matches!(value, mlua::Value::Table(_) | mlua::Value::UserData(_));
        if nested {
            self.path.push(Step::Name(name.clone()));
        }
        let read = self.read(value)?;
        if nested {
            self.path.pop();
        }
        Ok(read)
    }

    fn text(&mut self, text: &mlua::LuaString) -> Value {
        let bytes = text.as_bytes();
        self.spent.bytes += bytes.len();
        match std::str::from_utf8(&bytes) {
            Ok(text) => Value::text(text),
            Err(_binary) => Value::Bytes(Bytes::copy_from_slice(&bytes)),
        }
    }

    fn object(&self, data: &mlua::AnyUserData) -> Result<Value, Fault> {
        if let Ok(exact) = data.borrow::<Exact>() {
            return Ok(exact.0.clone());
        }
        if data.is::<JsonNull>() {
            return Ok(Value::Null);
        }
        if let Ok(held) = data.borrow::<Held>() {
            return Ok(Value::Handle(Handle::clone(&held.0)));
        }
        if let Ok(raised) = data.borrow::<Raised>() {
            return Ok(Value::text(raised.0.message()));
        }
        Err(self.refuse("is an object that cannot leave the script"))
    }

    fn table(&mut self, table: &mlua::Table) -> Result<Value, Fault> {
        if let Some((lua, bridge)) = self.plain.take_if(|_| self.around.is_empty()) {
            let read = raw::read(lua, bridge, table, &mut self.spent);
            let read = match read {
                Some(value) => Ok(value),
                // Going over it again would only take as long again.
                None if self.spent.is_over() => Err(too_large(&self.whole(), "too large")),
                None => self.table(table),
            };
            self.plain = Some((lua, bridge));
            return read;
        }
        let address = table.to_pointer() as usize;
        if self.around.contains(&address) {
            return Err(self.refuse("contains itself"));
        }
        if self.around.len() >= MAX_DEPTH {
            return Err(too_large(&self.whole(), "nested too deep"));
        }
        self.around.push(address);
        let length = table.raw_len();
        let read = if length == 0 {
            self.map(table)
        } else {
            self.list(table, length)
        };
        self.around.pop();
        read
    }

    fn list(&mut self, table: &mlua::Table, length: usize) -> Result<Value, Fault> {
        let mut list = Vec::with_capacity(length.min(MAX_NODES));
        let mut named = false;
        let mut walk = table.pairs::<mlua::Value, mlua::Value>();
        let mut members = Vec::with_capacity(length.min(MAX_NODES));
        for pair in &mut walk {
            let (key, member) = pair.map_err(|error| self.refuse(&error.to_string()))?;
            match key {
                mlua::Value::Integer(index) => members.push((index, member)),
                _ => named = true,
            }
            if members.len() > MAX_NODES {
                return Err(too_large(&self.whole(), "too large"));
            }
        }
        if named {
            return Err(self.refuse("mixes list members and named values"));
        }
        members.sort_by_key(|(index, _)| *index);
        let dense = (1..)
            .zip(&members)
            .all(|(wanted, (index, _))| *index == wanted);
        if !dense {
            let fault = self.refuse("has holes: a list needs all keys from 1");
            return Err(fault.hint("Put `json.null` where a list shall hold a null."));
        }
        for (index, member) in members {
            self.path.push(Step::Index(index));
            list.push(self.read(&member)?);
            self.path.pop();
        }
        Ok(Value::List(list))
    }

    fn map(&mut self, table: &mlua::Table) -> Result<Value, Fault> {
        let mut members = Vec::new();
        for pair in table.pairs::<mlua::Value, mlua::Value>() {
            let (key, member) = pair.map_err(|error| self.refuse(&error.to_string()))?;
            if members.len() > MAX_NODES {
                return Err(too_large(&self.whole(), "too large"));
            }
            members.push((self.key(&key)?, member));
        }
        if members.is_empty() && is_list(table) {
            return Ok(Value::List(Vec::new()));
        }
        members.sort_by(|(one, _), (other, _)| one.cmp(other));
        let mut map = Map::with_capacity(members.len());
        for (name, member) in members {
            self.path.push(Step::Name(name.clone()));
            let member = self.read(&member)?;
            self.path.pop();
            map.push(name, member);
        }
        Ok(Value::Map(map))
    }

    fn key(&mut self, key: &mlua::Value) -> Result<Text, Fault> {
        match key {
            mlua::Value::String(text) => match self.text(text) {
                Value::Text(text) => Ok(text),
                _ => Err(self.refuse("has a name that is not UTF-8")),
            },
            mlua::Value::Integer(number) => Ok(Text::from(number.to_string())),
            mlua::Value::Number(number) => Ok(Text::from(number.to_string())),
            other => {
                let kind = with_article(other.type_name());
                Err(self.refuse(&format!("has {kind} as a name")))
            }
        }
    }

    fn whole(&self) -> String {
        let root = match self.root {
            Root::Name(name) => name.to_owned(),
            Root::Argument(name) => format!("argument `{name}`"),
        };
        let steps = self.path.iter().map(|step| match step {
            Step::Name(name) => format!(".{name}"),
            Step::Index(index) => format!("[{index}]"),
        });
        std::iter::once(root).chain(steps).collect()
    }

    fn refuse(&self, why: &str) -> Fault {
        let path = self.whole();
        Fault::new(Code::ScriptArgument, format!("{path} {why}"))
    }
}

/// Tells whether a table without members came from the host as a list.
fn is_list(table: &mlua::Table) -> bool {
    let marked = |meta: mlua::Table| meta.raw_get::<bool>("__list").unwrap_or(false);
    table.metatable().is_some_and(marked)
}

fn too_large(what: &str, why: &str) -> Fault {
    Fault::new(Code::OutputTooLarge, format!("{what} is {why}"))
}
