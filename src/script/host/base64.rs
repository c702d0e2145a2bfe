//! `base64`: bytes as text and back.

use std::rc::Rc;

use ::base64::Engine as _;
use ::base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};

use crate::base::{Fault, Value};
use crate::contract::{Arg, Args, Call, Effect, Example, HostCall, HostFn, Receiver, Type};
use crate::script::host::data;
use crate::sio;

/// The functions of `base64`.
pub(crate) const TABLE: &[HostFn] = &[
    HostFn {
        path: "base64.encode",
        receiver: Receiver::Library,
        args: &[
            Arg {
                name: "data",
                ty: Type::Text,
                optional: false,
            },
            Arg {
                name: "options",
                ty: Type::Map,
                optional: true,
            },
        ],
        returns: Type::Text,
        effect: Effect::Pure,
        doc: "Returns bytes as base64. With `url_safe = true` in the alphabet for addresses, unpadded.",
        examples: &[
            Example {
                lua: r#"base64.encode("Kladka")"#,
                rhai: r#"base64.encode("Kladka")"#,
                result: r#""S2xhZGth""#,
            },
            Example {
                lua: r#"base64.encode("a?>", { url_safe = true })"#,
                rhai: r#"base64.encode("a?>", #{ url_safe: true })"#,
                result: r#""YT8-""#,
            },
        ],
        call: HostCall::Now(encode),
    },
    HostFn {
        path: "base64.decode",
        receiver: Receiver::Library,
        args: &[Arg {
            name: "text",
            ty: Type::Text,
            optional: false,
        }],
        returns: Type::Text,
        effect: Effect::Pure,
        doc: "Returns the bytes behind base64 of either alphabet, padded or not.",
        examples: &[Example {
            lua: r#"base64.decode("S2xhZGth")"#,
            rhai: r#"base64.decode("S2xhZGth").as_string()"#,
            result: r#""Kladka""#,
        }],
        call: HostCall::Now(decode),
    },
];

fn encode(_call: &Rc<Call>, mut args: Args) -> Result<Value, Fault> {
    let bytes = data::bytes(&mut args, 0, "data")?;
    let options = args.map(1, "options")?;
    data::known(&options, &["url_safe"])?;
    let text = if data::flag(&options, "url_safe", false)? {
        URL_SAFE_NO_PAD.encode(bytes)
    } else {
        STANDARD.encode(bytes)
    };
    Ok(Value::from(text))
}

fn decode(_call: &Rc<Call>, mut args: Args) -> Result<Value, Fault> {
    let text = args.text(0, "text")?;
    sio::bytes_of(&text)
        .map(Value::Bytes)
        .ok_or_else(|| data::refused("base64.decode: the text is not base64"))
}
