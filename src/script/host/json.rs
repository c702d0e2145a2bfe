//! `json`: JSON texts to values and back, by the same reader and writer as the channels.

use std::rc::Rc;

use crate::base::{Code, Fault, Text, Value};
use crate::contract::{Args, Call, Effect, Example, HostCall, HostFn, Receiver, Type};
use crate::format::{json_read, json_write};
use crate::script::host::data::{self, arg, optional};

/// The functions of `json`.
pub(crate) const TABLE: &[HostFn] = &[
    HostFn {
        path: "json.parse",
        receiver: Receiver::Library,
        args: &[arg("text", Type::Text)],
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
        args: &[optional("value", Type::Any), optional("options", Type::Map)],
        returns: Type::Text,
        effect: Effect::Pure,
        doc: "Returns a value as JSON text, on one line; with `pretty = true` on several, indented. Decimals, \
              dates and UUIDs become texts, `json.null` becomes null.",
        examples: &[
            Example {
                lua: "json.encode({ 1, 2 })",
                rhai: "json.encode([1, 2])",
                result: r#""[1,2]""#,
            },
            Example {
                lua: "json.encode({ a = { 1 } }, { pretty = true })",
                rhai: "json.encode(#{ a: [1] }, #{ pretty: true })",
                result: r#""{\n  \"a\": [\n    1\n  ]\n}""#,
            },
        ],
        call: HostCall::Now(encode),
    },
];

fn parse(_call: &Rc<Call>, mut args: Args) -> Result<Value, Fault> {
    let text = data::bytes(&mut args, 0, "text")?;
    json_read::read(&text).map_err(|fault| data::in_script("json.parse", &fault))
}

fn encode(_call: &Rc<Call>, mut args: Args) -> Result<Value, Fault> {
    let value = args.take(0);
    let options = args.map(1, "options")?;
    data::known(&options, &["pretty"])?;
    let text = text(&value)?;
    if data::flag(&options, "pretty", false)? {
        return Ok(Value::from(indented(&text)));
    }
    Ok(Value::Text(text))
}

/// Spreads JSON that stands on one line over several.
fn indented(text: &str) -> String {
    let mut out = String::with_capacity(text.len() * 2);
    let mut depth = 0;
    let (mut quoted, mut escaped) = (false, false);
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        if quoted {
            out.push(c);
            quoted = escaped || c != '"';
            escaped = !escaped && c == '\\';
            continue;
        }
        match c {
            '{' | '[' => {
                out.push(c);
                depth += 1;
                if !chars.peek().is_some_and(|next| matches!(next, '}' | ']')) {
                    new_line(&mut out, depth);
                }
            }
            '}' | ']' => {
                depth -= 1;
                if !out.ends_with(['{', '[']) {
                    new_line(&mut out, depth);
                }
                out.push(c);
            }
            ',' => {
                out.push(c);
                new_line(&mut out, depth);
            }
            ':' => out.push_str(": "),
            _ => {
                out.push(c);
                quoted = c == '"';
            }
        }
    }
    out
}

fn new_line(out: &mut String, depth: usize) {
    out.push('\n');
    out.extend(std::iter::repeat_n("  ", depth));
}

/// Returns a value as JSON text.
pub(crate) fn text(value: &Value) -> Result<Text, Fault> {
    let mut out = Vec::new();
    json_write::write(&mut out, value).map_err(|fault| data::in_script("json.encode", &fault))?;
    Text::from_utf8(out).map_err(|error| {
        Fault::new(Code::Internal, "JSON that is not UTF-8").detail(error.to_string())
    })
}
