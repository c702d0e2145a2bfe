//! Plain data between the host and Luau, many values in one go.
//!
//! mlua guards and pins each value it hands over: of a document of 100 KB that costs more than reading its JSON. Here a
//! whole table is walked on Luau's own stack, inside one protected call. Whatever is not plain data (objects, functions,
//! holes, too deep, too large) is left to the careful way in `convert`, which also has the words for it.
//!
//! # Why this is sound
//!
//! Every function of Luau that is called stands inside [`Lua::exec_raw`]: the VM is locked and an error of Luau ends
//! there. Reading calls only what raises none and runs no script: types, lengths and iteration are raw, texts are copied
//! before anything else is called, and the stack is made large enough first, before there is anything to drop. Writing
//! makes fresh tables that no script has seen; only memory can run out, and then what unwinds are frames that own
//! nothing but texts. Both are bounded in depth. Measured and argued in `docs/decisions/0019`.
#![expect(
    unsafe_code,
    reason = "a walk of many values cannot pin each of them; see above"
)]

use std::ffi::{c_int, c_void};

use mlua::ffi::{self, lua_State};
use mlua::{Lua, Table};

use crate::base::{Map, Text, Value};
use crate::script::lua::bridge::Bridge;
use crate::script::lua::convert::{MAX_DEPTH, MAX_NODES, Spent, is_beyond_double};

/// Where `json.null`, the metatable of empty lists and, when reading, the table stand on the stack.
const NULL: c_int = 1;
const LIST: c_int = 2;
const TABLE: c_int = 3;
/// How deep what scripts are given may be nested.
const WRITE_DEPTH: usize = 2 * MAX_DEPTH;
/// Room on the stack: each of the levels holds a table, a name and a value.
const ROOM: c_int = 3 * 128 + 20;
const _: () = assert!(WRITE_DEPTH == 128);

/// Reads a table that holds plain data; `None` when it holds anything else, or more than `spent` leaves.
pub(super) fn read(lua: &Lua, bridge: &Bridge, table: &Table, spent: &mut Spent) -> Option<Value> {
    let (mut found, mut now) = (None, *spent);
    // SAFETY: see above; the walk leaves the stack as it was.
    let walked = unsafe {
        lua.exec_raw::<()>((&bridge.null, &bridge.list, table), |state| {
            if ffi::lua_checkstack(state, ROOM) != 0 {
                let list = ffi::lua_topointer(state, LIST);
                let mut walk = Walk {
                    state,
                    list,
                    spent: &mut now,
                };
                let mut value = Value::Null;
                found = walk.table(&mut value, TABLE, 0).map(|()| value);
            }
            ffi::lua_settop(state, 0);
        })
    };
    let found = walked.ok().and(found);
    if found.is_some() || now.is_over() {
        *spent = now;
    }
    found
}

/// A walk over a table and what it holds.
struct Walk<'a> {
    state: *mut lua_State,
    /// The address of the metatable of empty lists.
    list: *const c_void,
    spent: &'a mut Spent,
}

impl Walk<'_> {
    /// Reads the value at the top of the stack, and leaves it there. Each value is read where it is to stand: to hand up
    /// one that was just made, part by part, waits for all parts.
    ///
    /// # Safety
    /// The state is alive and its stack has room for the levels that are left.
    unsafe fn value(&mut self, slot: &mut Value, depth: usize) -> Option<()> {
        let state = self.state;
        if !self.spent.one_more() {
            return None;
        }
        // SAFETY: the type decides what is asked of the value at the top.
        unsafe {
            match ffi::lua_type(state, -1) {
                ffi::LUA_TBOOLEAN => *slot = Value::Bool(ffi::lua_toboolean(state, -1) != 0),
                ffi::LUA_TNUMBER => *slot = number(ffi::lua_tonumber(state, -1)),
                ffi::LUA_TSTRING => {
                    let bytes = self.text(-1);
                    *slot = Value::text(std::str::from_utf8(bytes).ok()?);
                }
                ffi::LUA_TTABLE => self.table(slot, ffi::lua_gettop(state), depth + 1)?,
                _ if ffi::lua_rawequal(state, -1, NULL) != 0 => *slot = Value::Null,
                _ => return None,
            }
        }
        Some(())
    }

    /// Returns the bytes of the text at an index. They must be copied before Luau is called again.
    ///
    /// # Safety
    /// A text stands at the index.
    unsafe fn text<'t>(&mut self, index: c_int) -> &'t [u8] {
        let mut length = 0;
        // SAFETY: asking for a text that is one changes nothing; it stays alive on the stack.
        let bytes = unsafe {
            let start = ffi::lua_tolstring(self.state, index, &raw mut length);
            std::slice::from_raw_parts(start.cast::<u8>(), length)
        };
        self.spent.bytes += length;
        bytes
    }

    /// Reads the table at an absolute index.
    ///
    /// # Safety
    /// As of `value`; a table stands at the index.
    unsafe fn table(&mut self, slot: &mut Value, index: c_int, depth: usize) -> Option<()> {
        // What contains itself is too deep, too.
        if depth >= MAX_DEPTH {
            return None;
        }
        // SAFETY: a table stands at the index.
        unsafe {
            match ffi::lua_objlen(self.state, index) {
                0 => self.map(slot, index, depth),
                length => self.list(slot, index, length, depth),
            }
        }
    }

    unsafe fn list(
        &mut self,
        slot: &mut Value,
        index: c_int,
        length: usize,
        depth: usize,
    ) -> Option<()> {
        let mut members = Vec::with_capacity(length.min(MAX_NODES));
        // SAFETY: a step of the iteration pushes a key and its value, which are taken off again.
        unsafe {
            let mut next = ffi::lua_rawiter(self.state, index, 0);
            while next >= 0 {
                let wanted = Value::Int(i64::try_from(members.len() + 1).ok()?);
                let key = ffi::lua_type(self.state, -2) == ffi::LUA_TNUMBER;
                if !key || number(ffi::lua_tonumber(self.state, -2)) != wanted {
                    return None;
                }
                self.value(members.push_mut(Value::Null), depth)?;
                ffi::lua_pop(self.state, 2);
                next = ffi::lua_rawiter(self.state, index, next);
            }
        }
        *slot = Value::List(members);
        Some(())
    }

    unsafe fn map(&mut self, slot: &mut Value, index: c_int, depth: usize) -> Option<()> {
        let mut members: Vec<(Text, Value)> = Vec::new();
        // SAFETY: a step of the iteration pushes a key and its value, which are taken off again.
        unsafe {
            let mut next = ffi::lua_rawiter(self.state, index, 0);
            while next >= 0 {
                if ffi::lua_type(self.state, -2) != ffi::LUA_TSTRING {
                    return None;
                }
                let name = Text::from(std::str::from_utf8(self.text(-2)).ok()?);
                self.value(&mut members.push_mut((name, Value::Null)).1, depth)?;
                ffi::lua_pop(self.state, 2);
                next = ffi::lua_rawiter(self.state, index, next);
            }
        }
        if members.is_empty() {
            // SAFETY: a table stands at the index.
            *slot = unsafe { self.empty(index)? };
        } else {
            members.sort_unstable_by(|(one, _), (other, _)| one.cmp(other));
            *slot = Value::Map(members.into_iter().collect());
        }
        Some(())
    }

    /// Tells an empty list of the host from an empty map.
    unsafe fn empty(&self, index: c_int) -> Option<Value> {
        // SAFETY: a table stands at the index.
        let meta = unsafe { ffi::lua_getmetatablepointer(self.state, index) };
        if meta.is_null() {
            return Some(Value::Map(Map::new()));
        }
        (meta == self.list).then(|| Value::List(Vec::new()))
    }
}

/// Returns a whole number as an integer, as mlua does.
#[expect(
    clippy::cast_possible_truncation,
    reason = "it is compared with what came out"
)]
#[expect(
    clippy::cast_precision_loss,
    reason = "it is compared with what went in"
)]
fn number(number: f64) -> Value {
    let whole = number as i64;
    let same = (whole as f64).to_bits() == number.to_bits() && whole != i64::MAX;
    if same {
        Value::Int(whole)
    } else {
        Value::Float(number)
    }
}

/// Writes a list or map of plain data as a table; `None` when it holds anything else.
pub(super) fn write(lua: &Lua, bridge: &Bridge, value: &Value) -> Option<mlua::Result<Table>> {
    let nested = matches!(value, Value::List(_) | Value::Map(_));
    if !nested || !is_plain(value, 0) {
        return None;
    }
    let mut room = false;
    // SAFETY: see above; what is left on the stack is the table, or nothing.
    let written = unsafe {
        lua.exec_raw::<Option<Table>>((&bridge.null, &bridge.list), |state| {
            room = ffi::lua_checkstack(state, ROOM) != 0;
            if room {
                push(state, value);
            }
            ffi::lua_remove(state, NULL);
            ffi::lua_remove(state, NULL);
        })
    };
    written.transpose().filter(|_| room)
}

/// Tells whether Luau has a value of its own for everything in it.
fn is_plain(value: &Value, depth: usize) -> bool {
    match value {
        Value::Uint(_) | Value::Decimal(_) | Value::Handle(_) => false,
        Value::Int(_) => !is_beyond_double(value),
        Value::List(list) => {
            depth < WRITE_DEPTH && list.iter().all(|member| is_plain(member, depth + 1))
        }
        Value::Map(map) => {
            depth < WRITE_DEPTH && map.iter().all(|(_, member)| is_plain(member, depth + 1))
        }
        _ => true,
    }
}

/// Pushes a plain value.
///
/// # Safety
/// Inside a protected call, with room on the stack for all its levels.
unsafe fn push(state: *mut lua_State, value: &Value) {
    // SAFETY: each call pushes one value; texts are copied by Luau.
    unsafe {
        match value {
            Value::Bool(truth) => ffi::lua_pushboolean(state, c_int::from(*truth)),
            Value::Int(number) => ffi::lua_pushinteger(state, *number),
            Value::Float(number) => ffi::lua_pushnumber(state, *number),
            Value::Text(text) => push_bytes(state, text.as_bytes()),
            Value::Bytes(bytes) => push_bytes(state, bytes),
            Value::Date(_) | Value::DateTime(_) | Value::Uuid(_) => {
                push_bytes(state, value.to_text().unwrap_or_default().as_bytes());
            }
            Value::List(list) => push_list(state, list),
            Value::Map(map) => push_map(state, map),
            _ => ffi::lua_pushnil(state),
        }
    }
}

unsafe fn push_bytes(state: *mut lua_State, bytes: &[u8]) {
    // SAFETY: the bytes are there for as long as told.
    unsafe { ffi::lua_pushlstring(state, bytes.as_ptr().cast(), bytes.len()) };
}

unsafe fn push_list(state: *mut lua_State, list: &[Value]) {
    // SAFETY: the table is fresh; each member is taken off as it is set.
    unsafe {
        ffi::lua_createtable(state, room(list.len()), 0);
        if list.is_empty() {
            ffi::lua_pushvalue(state, LIST);
            ffi::lua_setmetatable(state, -2);
        }
        for (index, member) in (1..).zip(list) {
            match member {
                Value::Null => ffi::lua_pushvalue(state, NULL),
                member => push(state, member),
            }
            ffi::lua_rawseti_(state, -2, index);
        }
    }
}

unsafe fn push_map(state: *mut lua_State, map: &Map) {
    // SAFETY: the table is fresh; each name and value are taken off as they are set.
    unsafe {
        ffi::lua_createtable(state, 0, room(map.len()));
        for (name, member) in map.iter().filter(|(_, member)| !member.is_null()) {
            push_bytes(state, name.as_bytes());
            push(state, member);
            ffi::lua_rawset(state, -3);
        }
    }
}

/// Returns how large a table is made for so many members.
fn room(members: usize) -> c_int {
    c_int::try_from(members).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use std::rc::Rc;

    use proptest::prelude::*;

    use super::*;
    use crate::script::lua::convert::Reader;
    use crate::script::meter::Meter;

    fn vm() -> (Lua, Rc<Bridge>) {
        let lua = Lua::new();
        let bridge = Bridge::install(&lua, Rc::new(Meter::default()), false, 1).unwrap();
        lua.globals().set("null", &bridge.null).unwrap();
        lua.globals().set("list", &bridge.list).unwrap();
        (lua, bridge)
    }

    fn slowly(table: &Table) -> Result<Value, String> {
        let read = Reader::new("it").read(&mlua::Value::Table(table.clone()));
        read.map_err(|fault| fault.to_string())
    }

    fn quickly(lua: &Lua, bridge: &Bridge, table: &Table) -> Option<Value> {
        read(lua, bridge, table, &mut Spent::default())
    }

    #[test]
    fn plain_data_is_read_as_the_careful_way_reads_it() {
        let (lua, bridge) = vm();
        for source in [
            "{}",
            "setmetatable({}, list)",
            "{ 1, 2.5, -0.0, 2^53, 2^63, -2^63, 1/0, 'a', true, false, null }",
            "{ b = 1, a = { 'x', { y = null } }, [''] = 'ü', c = { {}, {} } }",
            "table.create(300, 'x')",
        ] {
            let table: Table = lua.load(format!("return {source}")).eval().unwrap();
            let slow = slowly(&table).unwrap();
            assert_eq!(quickly(&lua, &bridge, &table), Some(slow), "{source}");
        }
    }

    #[test]
    fn whatever_is_not_plain_is_left_to_the_careful_way() {
        let (lua, bridge) = vm();
        for source in [
            "return { 1, nil, 3, x = 1 }",
            "return { [1] = 'a', [3] = 'c' }",
            "return { [1.5] = 1 }",
            "return { [true] = 1 }",
            "return { print }",
            "return { a = buffer.create(3) }",
            "return { '\\xff' }",
            "return { ['\\xff'] = 1 }",
            "return setmetatable({}, {})",
            "local t = {} t.t = t return t",
            "local t = {} for _ = 1, 64 do t = { t } end return t",
        ] {
            let table: Table = lua.load(source).eval().unwrap();
            assert_eq!(quickly(&lua, &bridge, &table), None, "{source}");
        }
        let deep = "local t = {} for _ = 1, 63 do t = { t } end return t";
        let deep: Table = lua.load(deep).eval().unwrap();
        assert!(quickly(&lua, &bridge, &deep).is_some());
    }

    #[test]
    fn what_was_read_counts_also_when_it_is_one_of_several() {
        let (lua, bridge) = vm();
        let table: Table = lua.load("return { 'abc', 'defg' }").eval().unwrap();
        let mut spent = Spent {
            nodes: MAX_NODES - 2,
            bytes: 0,
        };
        assert!(read(&lua, &bridge, &table, &mut spent).is_some());
        assert_eq!((spent.nodes, spent.bytes), (MAX_NODES, 7));
        assert!(read(&lua, &bridge, &table, &mut spent).is_none());
    }

    #[test]
    fn too_little_memory_is_an_error_and_leaves_the_stack_as_it_was() {
        let (lua, bridge) = vm();
        let value = Value::List(vec![Value::text("x".repeat(1_000)); 10_000]);
        let top = || lua.exec_raw_lua(|raw| unsafe { ffi::lua_gettop(raw.state()) });
        let before = top();
        lua.set_memory_limit(lua.used_memory() + 50_000).unwrap();
        let written = write(&lua, &bridge, &value).unwrap();
        assert!(
            matches!(written, Err(mlua::Error::MemoryError(_))),
            "{written:?}"
        );
        lua.set_memory_limit(0).unwrap();
        assert_eq!(top(), before);
        assert_eq!(
            write(&lua, &bridge, &value).unwrap().unwrap().raw_len(),
            10_000
        );
    }

    fn plain_value() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            any::<bool>().prop_map(Value::Bool),
            (-9_007_199_254_740_992..=9_007_199_254_740_992_i64).prop_map(Value::Int),
            any::<f64>()
                .prop_filter("equal to itself", |it| !it.is_nan())
                .prop_map(number)
                .prop_filter(
                    "large integers are no data of Luau",
                    |it| !is_beyond_double(it)
                ),
            any::<String>().prop_map(Value::from),
        ];
        leaf.prop_recursive(5, 60, 20, |inner| {
            let names = proptest::collection::btree_map(any::<String>(), inner.clone(), 0..20);
            let map = |map: std::collections::BTreeMap<String, Value>| {
                map.into_iter()
                    .map(|(name, value)| (Text::from(name), value))
                    .collect()
            };
            prop_oneof![
                proptest::collection::vec(inner, 0..20).prop_map(Value::List),
                names.prop_map(move |names| Value::Map(map(names))),
            ]
        })
    }

    proptest! {
        // A VM for each takes its time.
        #![proptest_config(ProptestConfig::with_cases(40))]
        #[test]
        fn what_is_written_comes_back_either_way(value in plain_value()) {
            let (lua, bridge) = vm();
            let Some(table) = write(&lua, &bridge, &value) else {
                prop_assert!(!matches!(value, Value::List(_) | Value::Map(_)));
                return Ok(());
            };
            let table = table.unwrap();
            prop_assert_eq!(slowly(&table), Ok(value.clone()));
            prop_assert_eq!(quickly(&lua, &bridge, &table), Some(value));
        }
    }
}
