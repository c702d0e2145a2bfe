//! How a call enters a service and comes back: through a Luau function written for its declaration.
//!
//! Making `ctx` of constructors in Luau costs a fraction of making it field by field from outside. Declared inputs go
//! in as arguments and declared outputs come back as results, so that no table is walked for them.

use std::fmt::Write as _;

use mlua::{Function, Lua, MultiValue, Table};

use crate::base::{Fault, Map, Place, Text, Value};
use crate::contract::{Answer, Declaration, Field};
use crate::script::context;
use crate::script::lua::bridge::{Bridge, PRELUDE_NAME, raise};
use crate::script::lua::convert::{Reader, is_beyond_double};
use crate::script::response;

/// More names than this go as one table: a Luau function has 255 registers.
const MAX_NAMES: usize = 60;

/// The function by which calls enter one service.
pub(crate) struct Entry {
    run: Function,
    inputs: Option<Vec<Text>>,
    outputs: Option<Vec<Text>>,
}

/// The metatables of a call's tables.
pub(crate) struct Metatables<'a> {
    /// Of `ctx`.
    pub(crate) ctx: &'a Table,
    /// Of `ctx.request`.
    pub(crate) request: &'a Table,
    /// Of `ctx.response`.
    pub(crate) response: &'a Table,
    /// Of `ctx.response.payload`, where outputs are declared.
    pub(crate) payload: Option<&'a Table>,
}

impl Entry {
    /// Writes and compiles the function for a declaration.
    pub(crate) fn new(
        lua: &Lua,
        handle: Function,
        declaration: &Declaration,
        tables: &Metatables<'_>,
    ) -> mlua::Result<Self> {
        let returned = returned(lua, &declaration.place)?;
        let inputs = names(declaration.input.as_deref());
        let outputs = names(declaration.output.as_deref());
        let source = source(inputs.as_deref(), outputs.as_deref());
        let chunk = lua.load(source).set_name(format!("={PRELUDE_NAME}"));
        let made = (
            handle,
            tables.ctx,
            tables.request,
            tables.response,
            tables.payload,
            returned,
        );
        Ok(Self {
            run: chunk.call(made)?,
            inputs,
            outputs,
        })
    }

    /// Returns the function and its arguments for one call.
    pub(crate) fn open(
        &self,
        lua: &Lua,
        bridge: &Bridge,
        input: Value,
    ) -> mlua::Result<(&Function, MultiValue)> {
        let arguments = match (&self.inputs, input) {
            (Some(names), Value::Map(map)) if fits(&map) => spread(lua, bridge, names, map)?,
            (declared, input) => {
                // Held by a table, so that a large integer does not pass through a double.
                let holder = lua.create_table_with_capacity(0, 1)?;
                bridge.set(lua, &holder, "input", input)?;
                let mut arguments = MultiValue::new();
                arguments.push_back(mlua::Value::Table(holder));
                if let Some(names) = declared {
                    arguments.extend(names.iter().map(|_| mlua::Value::Nil));
                }
                arguments
            }
        };
        Ok((&self.run, arguments))
    }

    /// Reads the answer out of what the function returned.
    pub(crate) fn answer(
        &self,
        lua: &Lua,
        bridge: &Bridge,
        returned: MultiValue,
    ) -> Result<Answer, Fault> {
        let mut values = returned.into_iter();
        let whole = values
            .next()
            .is_some_and(|first| first.as_boolean() == Some(true));
        let mut reader = Reader::new("ctx.response.payload").of(lua, bridge);
        if whole {
            return read_whole(&mut reader, &mut values);
        }
        let names = self.outputs.as_deref().unwrap_or_default();
        let mut map = Map::with_capacity(names.len());
        for (name, value) in names.iter().zip(values) {
            if !value.is_nil() {
                map.push(name.clone(), reader.read_named(name, &value)?);
            }
        }
        Ok(Answer {
            value: Value::Map(map),
            ..Answer::default()
        })
    }
}

fn read_whole(
    reader: &mut Reader<'_>,
    values: &mut impl Iterator<Item = mlua::Value>,
) -> Result<Answer, Fault> {
    let mut next = || values.next().unwrap_or(mlua::Value::Nil);
    let [payload, status, media_type, headers] = std::array::from_fn(|_| next());
    Ok(Answer {
        value: reader.read(&payload)?,
        status: response::status(&Reader::new("ctx.response.status").read(&status)?)?,
        media_type: response::media_type(
            &Reader::new("ctx.response.content_type").read(&media_type)?,
        )?,
        headers: response::headers(Reader::new("ctx.response.headers").read(&headers)?)?,
    })
}

fn names(fields: Option<&[Field]>) -> Option<Vec<Text>> {
    let fields = fields.filter(|fields| fields.len() <= MAX_NAMES)?;
    Some(fields.iter().map(|field| field.name.clone()).collect())
}

/// Tells whether every value can be an argument: an integer beyond ±2^53 cannot.
fn fits(map: &Map) -> bool {
    !map.iter().any(|(_, value)| is_beyond_double(value))
}

/// Makes arguments of the named values: first no holder, then one for each name.
fn spread(lua: &Lua, bridge: &Bridge, names: &[Text], map: Map) -> mlua::Result<MultiValue> {
    let mut arguments = MultiValue::with_capacity(names.len() + 1);
    arguments.push_back(mlua::Value::Nil);
    // Bound input stands in the order of the declaration.
    let mut given = map.into_iter().peekable();
    for name in names {
        let value = given
            .next_if(|(own, _)| own == name)
            .map(|(_, value)| value);
        arguments.push_back(bridge.to_lua(lua, value.unwrap_or_default())?);
    }
    Ok(arguments)
}

/// Writes the function. `holder` holds the input where its names are no arguments. It returns false and the outputs,
/// or true and what the service made of `ctx.response`.
fn source(inputs: Option<&[Text]>, outputs: Option<&[Text]>) -> String {
    let mut text = String::from(
        "local handle, ctx_meta, request_meta, response_meta, payload_meta, returned = ...\n\
         local setmetatable, rawget = setmetatable, rawget\n\
         return function(holder",
    );
    let mut write = |part: std::fmt::Arguments<'_>| {
        // Writing into a String cannot fail.
        text.write_fmt(part).unwrap_or_default();
    };
    let count = inputs.map_or(0, <[Text]>::len);
    (0..count).for_each(|at| write(format_args!(", i{at}")));
    write(format_args!(")\n  local input = holder and holder.input"));
    if let Some(names) = inputs {
        write(format_args!("\n  if not holder then\n    input = {{"));
        for (at, name) in names.iter().enumerate() {
            write(format_args!(" [{}] = i{at},", quoted(name)));
        }
        write(format_args!(" }}\n  end"));
    }
    // The names stand in the table from the start: a value then takes its place without making the table grow.
    write(format_args!("\n  local payload = setmetatable({{"));
    for name in outputs.into_iter().flatten() {
        write(format_args!(" [{}] = nil,", quoted(name)));
    }
    write(format_args!(
        " }}, payload_meta)
  local response = setmetatable({{ payload = payload }}, response_meta)
  local one, two = handle(setmetatable({{ request = setmetatable({{ input = input }}, request_meta), response = response }}, ctx_meta))
  if one ~= nil or two ~= nil then returned(one, two) end
"
    ));
    if let Some(names) = outputs {
        write(format_args!(
            "  if response.payload == payload and not rawget(response, 1) then
    return false"
        ));
        for name in names {
            write(format_args!(", payload[{}]", quoted(name)));
        }
        write(format_args!("\n  end\n"));
    }
    write(format_args!(
        "  return true, rawget(response, \"payload\"), rawget(response, \"status\"), rawget(response, \"content_type\"), rawget(response, 2)\nend\n"
    ));
    text
}

/// Makes the function that refuses what `handle` returned: nobody would get it.
fn returned(lua: &Lua, place: &Place) -> mlua::Result<Function> {
    let place = place.clone();
    lua.create_function(
        move |_, (one, two): (mlua::Value, mlua::Value)| -> mlua::Result<()> {
            let kind = if one.is_nil() { &two } else { &one }.type_name();
            Err(raise(context::returned(kind, place.clone())))
        },
    )
}

/// Writes a name as a Luau text: every byte that is not plain becomes its number.
fn quoted(name: &str) -> String {
    let byte = |byte: u8| match byte {
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'_' | b'-' | b'.' => {
            char::from(byte).to_string()
        }
        other => format!("\\{other:03}"),
    };
    format!("\"{}\"", name.bytes().map(byte).collect::<String>())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_cannot_break_out_of_the_source() {
        assert_eq!(quoted("a\"b\n"), "\"a\\034b\\010\"");
        let lua = Lua::new();
        let source = source(Some(&["a\"] = os.exit(), [\"".into()]), Some(&["é".into()]));
        lua.load(source).into_function().unwrap();
    }
}
