//! Values of Luau as Luau writes them. No script code runs: tables are walked raw.

use std::fmt::Write as _;

use crate::script::lua::object::{Exact, Held, JsonNull, Raised};
use crate::script::written::{Pen, Written, cut};

/// Writes a value.
pub(crate) fn write(value: &mlua::Value) -> Written {
    one(&mut Pen::default(), value)
}

fn one(pen: &mut Pen, value: &mlua::Value) -> Written {
    match value {
        mlua::Value::Table(table) => group(pen, table),
        mlua::Value::String(text) => Written::Plain(quoted(&text.as_bytes())),
        mlua::Value::Function(_) => Written::Plain("function".to_owned()),
        mlua::Value::UserData(data) => Written::Plain(object(data)),
        mlua::Value::Number(number) if number.is_nan() => Written::Plain("nan".to_owned()),
        // Nothing of these runs script code.
        plain => Written::Plain(
            plain
                .to_string()
                .unwrap_or_else(|_error| plain.type_name().to_owned()),
        ),
    }
}

fn object(data: &mlua::AnyUserData) -> String {
    if let Ok(held) = data.borrow::<Held>() {
        return held_text(&held);
    }
    if let Ok(number) = data.borrow::<Exact>() {
        return number.0.to_text().unwrap_or_default().to_string();
    }
    if let Ok(raised) = data.borrow::<Raised>() {
        return format!("<{}>", raised.0);
    }
    if data.is::<JsonNull>() {
        return "json.null".to_owned();
    }
    "<object>".to_owned()
}

fn held_text(held: &Held) -> String {
    match held.0.0.name() {
        Some(name) => format!("<{} {name}>", held.0.0.class()),
        None => format!("<{}>", held.0.0.class()),
    }
}

fn group(pen: &mut Pen, table: &mlua::Table) -> Written {
    let listed = table.raw_len();
    let in_list = |key: &mlua::Value| match key {
        mlua::Value::Integer(number) => {
            usize::try_from(*number).is_ok_and(|it| it > 0 && it <= listed)
        }
        #[expect(clippy::cast_precision_loss, reason = "a list is never so long")]
        mlua::Value::Number(number) => {
            number.fract() == 0.0 && *number >= 1.0 && *number <= listed as f64
        }
        _ => false,
    };
    let numbered = (1..=listed).map(|index| {
        let member = table.raw_get(index).unwrap_or(mlua::Value::Nil);
        (String::new(), member)
    });
    let pairs = table.pairs::<mlua::Value, mlua::Value>().flatten();
    // One more than is written, so that it shows that there are more.
    let named = pairs.filter(|(key, _)| !in_list(key)).take(1_001);
    let mut named: Vec<(String, mlua::Value)> =
        named.map(|(key, member)| (shown(&key), member)).collect();
    named.sort_by(|(one, _), (other, _)| one.cmp(other));
    pen.group(
        "{ ",
        numbered.chain(named),
        " }",
        |pen, (before, member)| (before, one(pen, &member)),
    )
}

/// Returns a key with the sign behind it.
fn shown(key: &mlua::Value) -> String {
    match key {
        mlua::Value::String(text) => {
            let bytes = text.as_bytes();
            match std::str::from_utf8(&bytes) {
                Ok(name) if is_name(name) => format!("{name} = "),
                _ => format!("[{}] = ", quoted(&bytes)),
            }
        }
        other => format!("[{}] = ", one(&mut Pen::default(), other).layout()),
    }
}

/// Tells whether a text is an identifier.
pub(crate) fn is_name(text: &str) -> bool {
    let letter = |c: char| c.is_ascii_alphabetic() || c == '_';
    text.starts_with(letter)
        && text.chars().all(|c| letter(c) || c.is_ascii_digit())
        && !KEYWORDS.contains(&text)
}

/// The words that are no names.
pub(crate) const KEYWORDS: &[&str] = &[
    "and", "break", "do", "else", "elseif", "end", "false", "for", "function", "if", "in", "local",
    "nil", "not", "or", "repeat", "return", "then", "true", "until", "while",
];

/// Writes a text in quotes; bytes that are no text become numbers.
fn quoted(bytes: &[u8]) -> String {
    let mut written = String::from("\"");
    let mut rest = None;
    for chunk in bytes.utf8_chunks() {
        let (valid, more) = cut(chunk.valid());
        for c in valid.chars() {
            match c {
                '"' => written.push_str("\\\""),
                '\\' => written.push_str("\\\\"),
                '\n' => written.push_str("\\n"),
                '\t' => written.push_str("\\t"),
                '\r' => written.push_str("\\r"),
                // Writing into a String cannot fail.
                c if c.is_control() => write!(written, "\\u{{{:x}}}", u32::from(c)).unwrap_or(()),
                c => written.push(c),
            }
        }
        rest = rest.or(more);
        if rest.is_some() || written.len() > 256 << 10 {
            break;
        }
        for byte in chunk.invalid() {
            write!(written, "\\{byte:03}").unwrap_or(());
        }
    }
    written.push('"');
    if let Some(more) = rest {
        write!(written, "… ({more} more letters)").unwrap_or(());
    }
    written
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_written_as_the_language_reads_them() {
        let lua = mlua::Lua::new();
        let cases = [
            ("nil", "nil"),
            ("true", "true"),
            ("1", "1"),
            ("1.5", "1.5"),
            ("1/0", "inf"),
            ("0/0", "nan"),
            ("'a\"b\\n'", "\"a\\\"b\\n\""),
            ("'\\255ł\\27'", "\"\\255ł\\u{1b}\""),
            ("{}", "{}"),
            ("{1, 2, {3}}", "{ 1, 2, { 3 } }"),
            (
                "{1, a = 2, ['b c'] = 3, ['end'] = 4, [9] = 5}",
                "{ 1, [\"b c\"] = 3, [\"end\"] = 4, [9] = 5, a = 2 }",
            ),
            ("{f = function() end}", "{ f = function }"),
            ("(function() local t = {} t.t = t return t end)()", "…"),
        ];
        for (text, written) in cases {
            let value: mlua::Value = lua.load(text).eval().unwrap();
            let got = write(&value).layout();
            if written == "…" {
                assert!(got.contains(written), "{got}");
            } else {
                assert_eq!(got, written, "{text}");
            }
        }
    }
}
