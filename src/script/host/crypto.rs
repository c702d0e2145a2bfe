//! `ctx.crypto`: digests, signatures and random bytes. Results are lower-case hexadecimal.

use std::rc::Rc;

use aws_lc_rs::{constant_time, digest, hmac, rand};

use crate::base::{Code, Fault, Value};
use crate::contract::{Arg, Args, Call, Effect, Example, HostCall, HostFn, Receiver, Type};
use crate::script::host::data;

/// How many random bytes a script may ask for at once.
const MAX_RANDOM: i64 = 1024;

const DATA: Arg = Arg {
    name: "data",
    ty: Type::Text,
    optional: false,
};

/// The functions of `ctx.crypto`.
pub(crate) const TABLE: &[HostFn] = &[
    HostFn {
        path: "crypto.sha256",
        receiver: Receiver::Ctx,
        args: &[DATA],
        returns: Type::Text,
        effect: Effect::Pure,
        doc: "Returns the SHA-256 digest in hexadecimal.",
        examples: &[Example {
            lua: r#"ctx.crypto:sha256("abc")"#,
            rhai: r#"ctx.crypto.sha256("abc")"#,
            result: r#""ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad""#,
        }],
        call: HostCall::Now(sha256),
    },
    HostFn {
        path: "crypto.sha1",
        receiver: Receiver::Ctx,
        args: &[DATA],
        returns: Type::Text,
        effect: Effect::Pure,
        doc: "Returns the SHA-1 digest in hexadecimal. For old peers only: SHA-1 is broken.",
        examples: &[Example {
            lua: r#"ctx.crypto:sha1("abc")"#,
            rhai: r#"ctx.crypto.sha1("abc")"#,
            result: r#""a9993e364706816aba3e25717850c26c9cd0d89d""#,
        }],
        call: HostCall::Now(sha1),
    },
    HostFn {
        path: "crypto.hmac_sha256",
        receiver: Receiver::Ctx,
        args: &[
            Arg {
                name: "key",
                ty: Type::Text,
                optional: false,
            },
            DATA,
        ],
        returns: Type::Text,
        effect: Effect::Pure,
        doc: "Returns the HMAC-SHA-256 of data under a key in hexadecimal. Compare it with `equal`.",
        examples: &[Example {
            lua: r#"ctx.crypto:hmac_sha256("Jefe", "what do ya want for nothing?")"#,
            rhai: r#"ctx.crypto.hmac_sha256("Jefe", "what do ya want for nothing?")"#,
            result: r#""5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843""#,
        }],
        call: HostCall::Now(hmac_sha256),
    },
    HostFn {
        path: "crypto.equal",
        receiver: Receiver::Ctx,
        args: &[
            Arg {
                name: "one",
                ty: Type::Text,
                optional: false,
            },
            Arg {
                name: "other",
                ty: Type::Text,
                optional: false,
            },
        ],
        returns: Type::Bool,
        effect: Effect::Pure,
        doc: "Tells whether two secrets are equal, in a time that does not tell where they differ.",
        examples: &[Example {
            lua: r#"ctx.crypto:equal("secret", "secret")"#,
            rhai: r#"ctx.crypto.equal("secret", "secret")"#,
            result: "true",
        }],
        call: HostCall::Now(equal),
    },
    HostFn {
        path: "crypto.random",
        receiver: Receiver::Ctx,
        args: &[Arg {
            name: "count",
            ty: Type::Int,
            optional: false,
        }],
        returns: Type::Text,
        effect: Effect::Read,
        doc: "Returns 1 to 1024 random bytes in hexadecimal, fit for secrets.",
        examples: &[Example {
            lua: "#ctx.crypto:random(16)",
            rhai: "ctx.crypto.random(16).len()",
            result: "32",
        }],
        call: HostCall::Now(random),
    },
];

fn sha256(_call: &Rc<Call>, args: Args) -> Result<Value, Fault> {
    digest_with(&digest::SHA256, args)
}

fn sha1(_call: &Rc<Call>, args: Args) -> Result<Value, Fault> {
    digest_with(&digest::SHA1_FOR_LEGACY_USE_ONLY, args)
}

fn digest_with(algorithm: &'static digest::Algorithm, mut args: Args) -> Result<Value, Fault> {
    let data = data::bytes(&mut args, 0, "data")?;
    Ok(hex(digest::digest(algorithm, &data).as_ref()))
}

fn hmac_sha256(_call: &Rc<Call>, mut args: Args) -> Result<Value, Fault> {
    let key = data::bytes(&mut args, 0, "key")?;
    let data = data::bytes(&mut args, 1, "data")?;
    let key = hmac::Key::new(hmac::HMAC_SHA256, &key);
    Ok(hex(hmac::sign(&key, &data).as_ref()))
}

fn equal(_call: &Rc<Call>, mut args: Args) -> Result<Value, Fault> {
    let one = data::bytes(&mut args, 0, "one")?;
    let other = data::bytes(&mut args, 1, "other")?;
    let same = constant_time::verify_slices_are_equal(&one, &other).is_ok();
    Ok(Value::Bool(same))
}

fn random(_call: &Rc<Call>, mut args: Args) -> Result<Value, Fault> {
    let count = args.int(0, "count")?;
    let fits = usize::try_from(count)
        .ok()
        .filter(|_| (1..=MAX_RANDOM).contains(&count));
    let count = fits.ok_or_else(|| {
        data::refused(format!(
            "argument `count` must be between 1 and {MAX_RANDOM}, got {count}"
        ))
    })?;
    let mut bytes = vec![0; count];
    rand::fill(&mut bytes)
        .map_err(|error| Fault::new(Code::Internal, "no random bytes").detail(error.to_string()))?;
    Ok(hex(&bytes))
}

fn hex(bytes: &[u8]) -> Value {
    let digit = |nibble: u8| char::from_digit(nibble.into(), 16).unwrap_or('0');
    let pairs = bytes
        .iter()
        .flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]);
    Value::from(pairs.collect::<String>())
}
