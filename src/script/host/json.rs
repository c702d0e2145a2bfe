//! `json`: JSON texts to values and back, by the same reader and writer as the channels.

use std::rc::Rc;

use crate::base::{Code, Fault, Text, Value};
use crate::contract::{Arg, Args, Call, Effect, Example, HostCall, HostFn, Receiver, Type};
use crate::format::{json_read, json_write};
use crate::script::host::data;

/// The functions of `json`.
pub(crate) const TABLE: &[HostFn] = &[
    HostFn {
        path: "json.parse",
        receiver: Receiver::Library,
        args: &[Arg {
            name: "text",
            ty: Type::Text,
            optional: false,
        }],
        returns: Type::Any,
        effect: Effect::Pure,
        doc: "Reads a JSON text. Integers of 64 bits stay exact, and names given twice are an error. Null is \
              absent; as a member of a list it is `json.null`.",
        examples: &[
            Example {
                lua: r#"json.parse('{"rate": "1.22"}').rate"#,
                rhai: r#"json.parse("{\"rate\": \"1.22\"}").rate"#,
                result: r#""1.22""#,
            },
            Example {
                lua: "json.parse('[1, 2.5, true]')",
                rhai: r#"json.parse("[1, 2.5, true]")"#,
                result: "[1, 2.5, true]",
            },
        ],
        call: HostCall::Now(parse),
    },
    HostFn {
        path: "json.encode",
        receiver: Receiver::Library,
        args: &[Arg {
            name: "value",
            ty: Type::Any,
            optional: true,
        }],
        returns: Type::Text,
        effect: Effect::Pure,
        doc: "Returns a value as JSON text. Decimals, dates and UUIDs become texts, `json.null` becomes null.",
        examples: &[Example {
            lua: "json.encode({ 1, 2 })",
            rhai: "json.encode([1, 2])",
            result: r#""[1,2]""#,
        }],
        call: HostCall::Now(encode),
    },
];

fn parse(_call: &Rc<Call>, mut args: Args) -> Result<Value, Fault> {
    let text = data::bytes(&mut args, 0, "text")?;
    json_read::read(&text).map_err(|fault| data::in_script("json.parse", &fault))
}

fn encode(_call: &Rc<Call>, mut args: Args) -> Result<Value, Fault> {
    text(&args.take(0)).map(Value::Text)
}

/// Returns a value as JSON text.
pub(crate) fn text(value: &Value) -> Result<Text, Fault> {
    let mut out = Vec::new();
    json_write::write(&mut out, value).map_err(|fault| data::in_script("json.encode", &fault))?;
    Text::from_utf8(out).map_err(|error| {
        Fault::new(Code::Internal, "JSON that is not UTF-8").detail(error.to_string())
    })
}
