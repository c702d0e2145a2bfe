//! `ctx.crypto`: digests, signatures and random bytes, in hexadecimal, base64 or as they are.
//!
//! MD5 is missing on purpose: our provider of cryptography does not offer it.

use std::rc::Rc;

use ::base64::Engine as _;
use ::base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use aws_lc_rs::{constant_time, digest, hmac};

use crate::base::{Fault, Value, closest};
use crate::contract::{Arg, Args, Call, Effect, Example, HostCall, HostFn, Receiver, Type};
use crate::script::host::chance::Chance;
use crate::script::host::data::{self, arg, optional};

/// How many random bytes a script may ask for at once.
const MAX_RANDOM: i64 = 1024;

/// How a result is written.
type Encode = fn(&[u8]) -> Value;

/// The ways to write results.
const ENCODINGS: &[(&str, Encode)] = &[
    ("hex", hex),
    ("base64", |bytes| STANDARD.encode(bytes).into()),
    ("base64url", |bytes| URL_SAFE_NO_PAD.encode(bytes).into()),
    ("bytes", |bytes| Value::Bytes(bytes.to_vec().into())),
];

const KEY: Arg = arg("key", Type::Text);
const DATA: Arg = arg("data", Type::Text);
const ENCODING: Arg = optional("encoding", Type::Text);

/// The functions of `ctx.crypto`.
pub(crate) const TABLE: &[HostFn] = &[
    hash(
        "crypto.sha256",
        "Returns the SHA-256 digest, in `hex` (when left out), `base64`, `base64url` or `bytes`.",
        &[
            Example {
                lua: r#"ctx.crypto:sha256("abc")"#,
                rhai: r#"ctx.crypto.sha256("abc")"#,
                result: r#""ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad""#,
            },
            Example {
                lua: r#"ctx.crypto:sha256("abc", "base64")"#,
                rhai: r#"ctx.crypto.sha256("abc", "base64")"#,
                result: r#""ungWv48Bz+pBQUDeXa4iI7ADYaOWF3qctBD/YfIAFa0=""#,
            },
        ],
        |_, args| digest_with(&digest::SHA256, args),
    ),
    hash(
        "crypto.sha384",
        "Returns the SHA-384 digest, encoded like that of `sha256`.",
        &[Example {
            lua: r#"ctx.crypto:sha384("abc", "base64url")"#,
            rhai: r#"ctx.crypto.sha384("abc", "base64url")"#,
            result: r#""ywB1P0WjXou1oD1pmsZQBycsMqsO3tFjGotgWkP_W-2AhgcroefMI1i67KE0yCWn""#,
        }],
        |_, args| digest_with(&digest::SHA384, args),
    ),
    hash(
        "crypto.sha512",
        "Returns the SHA-512 digest, encoded like that of `sha256`.",
        &[Example {
            lua: r#"ctx.crypto:sha512("abc", "base64")"#,
            rhai: r#"ctx.crypto.sha512("abc", "base64")"#,
            result: r#""3a81oZNherrMQXNJriBBMRLm+k6JqX6iCp7u5ktV05ohkpkqJ0/BqDa6PCOj/uu9RU1EI2Q86A4qmslPpUyknw==""#,
        }],
        |_, args| digest_with(&digest::SHA512, args),
    ),
    hash(
        "crypto.sha1",
        "Returns the SHA-1 digest, encoded like that of `sha256`. For old peers only: SHA-1 is broken.",
        &[Example {
            lua: r#"ctx.crypto:sha1("abc")"#,
            rhai: r#"ctx.crypto.sha1("abc")"#,
            result: r#""a9993e364706816aba3e25717850c26c9cd0d89d""#,
        }],
        |_, args| digest_with(&digest::SHA1_FOR_LEGACY_USE_ONLY, args),
    ),
    signature(
        "crypto.hmac_sha256",
        "Returns the HMAC of data under a key by SHA-256, encoded like its digest. Compare it with `equal`.",
        &[
            Example {
                lua: r#"ctx.crypto:hmac_sha256("Jefe", "what do ya want for nothing?")"#,
                rhai: r#"ctx.crypto.hmac_sha256("Jefe", "what do ya want for nothing?")"#,
                result: r#""5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843""#,
            },
            Example {
                lua: r#"ctx.crypto:hmac_sha256(ctx.crypto:hmac_sha256("key", "2013", "bytes"), "data", "base64")"#,
                rhai: r#"ctx.crypto.hmac_sha256(ctx.crypto.hmac_sha256("key", "2013", "bytes"), "data", "base64")"#,
                result: r#""TVlAashMb7wYLMk5Ow6cxLMo569T8sFAmMGhPWoiAmU=""#,
            },
        ],
        |_, args| hmac_with(hmac::HMAC_SHA256, args),
    ),
    signature(
        "crypto.hmac_sha384",
        "Returns the HMAC by SHA-384, encoded like its digest.",
        &[Example {
            lua: r#"ctx.crypto:hmac_sha384("Jefe", "what do ya want for nothing?", "base64")"#,
            rhai: r#"ctx.crypto.hmac_sha384("Jefe", "what do ya want for nothing?", "base64")"#,
            result: r#""r0XS43ZIQDFhf3jStYprG5x+9GT1oBtH5C7Dc2MiRF6OIkDKXmnix4syOez6shZJ""#,
        }],
        |_, args| hmac_with(hmac::HMAC_SHA384, args),
    ),
    signature(
        "crypto.hmac_sha512",
        "Returns the HMAC by SHA-512, encoded like its digest.",
        &[Example {
            lua: r#"ctx.crypto:hmac_sha512("Jefe", "what do ya want for nothing?", "base64")"#,
            rhai: r#"ctx.crypto.hmac_sha512("Jefe", "what do ya want for nothing?", "base64")"#,
            result: r#""Fkt6e/z4GeLjlfvnO1bgo4e9ZCIugx/WECcM1+olBVSXWL91wFqZSm0DT2X48Ob9yuqxo01Ka0tjbgcKOLznNw==""#,
        }],
        |_, args| hmac_with(hmac::HMAC_SHA512, args),
    ),
    signature(
        "crypto.hmac_sha1",
        "Returns the HMAC by SHA-1, encoded like its digest. For old peers only.",
        &[Example {
            lua: r#"ctx.crypto:hmac_sha1("Jefe", "what do ya want for nothing?")"#,
            rhai: r#"ctx.crypto.hmac_sha1("Jefe", "what do ya want for nothing?")"#,
            result: r#""effcdf6ae5eb2fa2d27416d5f184df9c259a7c79""#,
        }],
        |_, args| hmac_with(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, args),
    ),
    HostFn {
        path: "crypto.equal",
        receiver: Receiver::Ctx,
        args: &[arg("one", Type::Text), arg("other", Type::Text)],
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
        args: &[arg("count", Type::Int), ENCODING],
        returns: Type::Text,
        effect: Effect::Read,
        doc: "Returns 1 to 1024 random bytes, encoded like a digest, fit for secrets.",
        examples: &[Example {
            lua: "#ctx.crypto:random(16)",
            rhai: "ctx.crypto.random(16).len()",
            result: "32",
        }],
        call: HostCall::Now(random),
    },
];

type Function = fn(&Rc<Call>, Args) -> Result<Value, Fault>;

const fn hash(
    path: &'static str,
    doc: &'static str,
    examples: &'static [Example],
    call: Function,
) -> HostFn {
    HostFn {
        path,
        receiver: Receiver::Ctx,
        args: &[DATA, ENCODING],
        returns: Type::Text,
        effect: Effect::Pure,
        doc,
        examples,
        call: HostCall::Now(call),
    }
}

const fn signature(
    path: &'static str,
    doc: &'static str,
    examples: &'static [Example],
    call: Function,
) -> HostFn {
    HostFn {
        args: &[KEY, DATA, ENCODING],
        ..hash(path, doc, examples, call)
    }
}

fn digest_with(algorithm: &'static digest::Algorithm, mut args: Args) -> Result<Value, Fault> {
    let data = data::bytes(&mut args, 0, "data")?;
    let encode = encoding(&mut args, 1)?;
    Ok(encode(digest::digest(algorithm, &data).as_ref()))
}

fn hmac_with(algorithm: hmac::Algorithm, mut args: Args) -> Result<Value, Fault> {
    let key = data::bytes(&mut args, 0, "key")?;
    let data = data::bytes(&mut args, 1, "data")?;
    let encode = encoding(&mut args, 2)?;
    let key = hmac::Key::new(algorithm, &key);
    Ok(encode(hmac::sign(&key, &data).as_ref()))
}

fn encoding(args: &mut Args, index: usize) -> Result<Encode, Fault> {
    let Some(name) = data::optional_text(args, index, "encoding")? else {
        return Ok(hex);
    };
    let found = ENCODINGS.iter().find(|(known, _)| *known == name);
    found.map(|(_, encode)| *encode).ok_or_else(|| {
        let fault = data::refused(format!("there is no encoding `{}`", name.escape_debug()));
        match closest(&name, ENCODINGS.iter().map(|(known, _)| *known)) {
            Some(near) => fault.hint(format!("Did you mean `{near}`?")),
            None => fault.hint("Use hex, base64, base64url or bytes."),
        }
    })
}

fn equal(_call: &Rc<Call>, mut args: Args) -> Result<Value, Fault> {
    let one = data::bytes(&mut args, 0, "one")?;
    let other = data::bytes(&mut args, 1, "other")?;
    let same = constant_time::verify_slices_are_equal(&one, &other).is_ok();
    Ok(Value::Bool(same))
}

fn random(call: &Rc<Call>, mut args: Args) -> Result<Value, Fault> {
    let count = args.int(0, "count")?;
    let encode = encoding(&mut args, 1)?;
    let fits = usize::try_from(count)
        .ok()
        .filter(|_| (1..=MAX_RANDOM).contains(&count));
    let count = fits.ok_or_else(|| {
        data::refused(format!(
            "argument `count` must be between 1 and {MAX_RANDOM}, got {count}"
        ))
    })?;
    let mut bytes = vec![0; count];
    call.core.local::<Chance>().fill(&mut bytes)?;
    Ok(encode(&bytes))
}

fn hex(bytes: &[u8]) -> Value {
    let digit = |nibble: u8| char::from_digit(nibble.into(), 16).unwrap_or('0');
    let pairs = bytes
        .iter()
        .flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]);
    Value::from(pairs.collect::<String>())
}
