//! `uuid`: fresh identifiers, and the canonical form of given ones.

use std::rc::Rc;

use crate::base::{Fault, Value};
use crate::contract::{Arg, Args, Call, Effect, Example, HostCall, HostFn, Receiver, Type};
use crate::script::host::chance::Chance;
use crate::script::host::data;
use crate::sio;

/// The functions of `uuid`.
pub(crate) const TABLE: &[HostFn] = &[
    HostFn {
        path: "uuid.v4",
        receiver: Receiver::Library,
        args: &[],
        returns: Type::Text,
        effect: Effect::Read,
        doc: "Returns a random UUID.",
        examples: &[Example {
            lua: "#uuid.v4()",
            rhai: "uuid.v4().len()",
            result: "36",
        }],
        call: HostCall::Now(v4),
    },
    HostFn {
        path: "uuid.v7",
        receiver: Receiver::Library,
        args: &[],
        returns: Type::Text,
        effect: Effect::Read,
        doc: "Returns a UUID that sorts by the time it was made.",
        examples: &[Example {
            lua: "uuid.v7() < uuid.v7()",
            rhai: "uuid.v7() < uuid.v7()",
            result: "true",
        }],
        call: HostCall::Now(v7),
    },
    HostFn {
        path: "uuid.parse",
        receiver: Receiver::Library,
        args: &[Arg {
            name: "text",
            ty: Type::Text,
            optional: false,
        }],
        returns: Type::Text,
        effect: Effect::Pure,
        doc: "Returns a UUID in its canonical form: lower case with hyphens. Anything else is an error.",
        examples: &[Example {
            lua: r#"uuid.parse("{67E55044-10B1-426F-9247-BB680E5FE0C8}")"#,
            rhai: r#"uuid.parse("{67E55044-10B1-426F-9247-BB680E5FE0C8}")"#,
            result: r#""67e55044-10b1-426f-9247-bb680e5fe0c8""#,
        }],
        call: HostCall::Now(parse),
    },
];

fn v4(call: &Rc<Call>, _args: Args) -> Result<Value, Fault> {
    let mut bytes = [0; 16];
    call.core.local::<Chance>().fill(&mut bytes)?;
    let made = ::uuid::Builder::from_random_bytes(bytes);
    Ok(Value::Uuid(made.into_uuid()))
}

fn v7(call: &Rc<Call>, _args: Args) -> Result<Value, Fault> {
    let chance = call.core.local::<Chance>();
    if !chance.is_fixed() {
        // It sorts those of one millisecond, too.
        return Ok(Value::Uuid(::uuid::Uuid::now_v7()));
    }
    let mut bytes = [0; 10];
    chance.fill(&mut bytes)?;
    let millis = call.ctx.ports.clock.now().timestamp_millis();
    let millis = u64::try_from(millis).unwrap_or_default();
    let made = ::uuid::Builder::from_unix_timestamp_millis(millis, &bytes);
    Ok(Value::Uuid(made.into_uuid()))
}

fn parse(_call: &Rc<Call>, mut args: Args) -> Result<Value, Fault> {
    let text = args.text(0, "text")?;
    sio::uuid_of(&text).map(Value::Uuid).ok_or_else(|| {
        let start: String = text.chars().take(40).collect();
        data::refused(format!(
            "uuid.parse: `{}` is not a UUID",
            start.escape_debug()
        ))
    })
}
