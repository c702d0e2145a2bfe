//! Values of Rhai as Rhai writes them.

use rhai::{Array, Blob, Dynamic, FnPtr, Map};

use crate::script::rhai::object::{
    Config, Connections, Headers, Held, Outgoing, Raised, Request, Response, Root, Space, Unsigned,
};
use crate::script::written::{Pen, Written, cut};

/// Writes a value.
pub(crate) fn write(value: &Dynamic) -> Written {
    one(&mut Pen::default(), value)
}

fn one(pen: &mut Pen, value: &Dynamic) -> Written {
    if let Some(map) = value.read_lock::<Map>() {
        let members = map.iter();
        return pen.group("#{ ", members, " }", |pen, (name, member)| {
            (shown(name), one(pen, member))
        });
    }
    if let Some(list) = value.read_lock::<Array>() {
        return pen.group("[", list.iter(), "]", |pen, member| {
            (String::new(), one(pen, member))
        });
    }
    Written::Plain(plain(value))
}

fn plain(value: &Dynamic) -> String {
    if let Ok(text) = value.as_immutable_string_ref() {
        return quoted(text.as_str());
    }
    if let Ok(letter) = value.as_char() {
        return format!("{letter:?}");
    }
    if value.is_unit() {
        return "()".to_owned();
    }
    if value.is_bool() || value.is_int() || value.is_float() {
        return value.to_string();
    }
    if let Ok(number) = value.as_decimal() {
        return number.to_string();
    }
    if let Some(bytes) = value.read_lock::<Blob>() {
        return format!("<blob of {} bytes>", bytes.len());
    }
    if let Some(function) = value.read_lock::<FnPtr>() {
        let name = function.fn_name();
        let closure = name.starts_with("anon$");
        return if closure {
            "closure".to_owned()
        } else {
            format!("Fn({name:?})")
        };
    }
    object(value)
}

fn object(value: &Dynamic) -> String {
    if let Some(held) = value.read_lock::<Held>() {
        let class = held.0.0.class();
        return match held.0.0.name() {
            Some(name) => format!("<{class} {name}>"),
            None => format!("<{class}>"),
        };
    }
    if let Some(number) = value.read_lock::<Unsigned>() {
        return number.0.to_string();
    }
    if let Some(raised) = value.read_lock::<Raised>() {
        return format!("<{}>", raised.0);
    }
    if let Some(space) = value.read_lock::<Space>() {
        return format!("<{}>", space.shown());
    }
    if let Some(own) = value.read_lock::<Connections>() {
        return format!("<ctx.{}.{}>", own.group, own.kind);
    }
    if let Some(group) = value.read_lock::<Outgoing>() {
        return format!("<ctx.{}>", group.0);
    }
    let parts = [
        (value.is::<Root>(), "ctx"),
        (value.is::<Request>(), "ctx.request"),
        (value.is::<Response>(), "ctx.response"),
        (value.is::<Config>(), "ctx.config"),
        (value.is::<Headers>(), "headers"),
    ];
    let part = parts.iter().find(|(is, _)| *is);
    part.map_or_else(
        || format!("<{}>", value.type_name()),
        |(_, name)| format!("<{name}>"),
    )
}

/// Returns a name with the sign behind it.
fn shown(name: &str) -> String {
    if is_name(name) {
        format!("{name}: ")
    } else {
        format!("{}: ", quoted(name))
    }
}

fn is_name(text: &str) -> bool {
    rhai::is_valid_identifier(text) && !KEYWORDS.contains(&text)
}

/// The words that are no names.
pub(crate) const KEYWORDS: &[&str] = &[
    "as", "break", "catch", "const", "continue", "do", "else", "export", "false", "fn", "for",
    "global", "if", "import", "in", "let", "loop", "private", "return", "switch", "this", "throw",
    "true", "try", "until", "while",
];

fn quoted(text: &str) -> String {
    let (text, more) = cut(text);
    let mut written = String::from("\"");
    for c in text.chars() {
        match c {
            '"' => written.push_str("\\\""),
            '\\' => written.push_str("\\\\"),
            '\n' => written.push_str("\\n"),
            '\t' => written.push_str("\\t"),
            '\r' => written.push_str("\\r"),
            c if c.is_control() => written += format!("\\u{:04x}", u32::from(c)).as_str(),
            c => written.push(c),
        }
    }
    written.push('"');
    written.extend(more.map(|more| format!("… ({more} more letters)")));
    written
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_written_as_the_language_reads_them() {
        let engine = rhai::Engine::new();
        let cases = [
            ("()", "()"),
            ("true", "true"),
            ("1", "1"),
            ("1.0", "1.0"),
            ("\"a\\\"b\\n\"", "\"a\\\"b\\n\""),
            ("\"\\x1bł\"", "\"\\u001bł\""),
            ("'x'", "'x'"),
            ("[]", "[]"),
            ("#{}", "#{}"),
            ("[1, [2]]", "[1, [2]]"),
            (
                "#{ a: 1, \"b c\": \"x\", \"if\": () }",
                "#{ a: 1, \"b c\": \"x\", \"if\": () }",
            ),
            ("Fn(\"f\")", "Fn(\"f\")"),
            ("|x| x", "closure"),
            ("blob(3)", "<blob of 3 bytes>"),
        ];
        for (text, written) in cases {
            let value: Dynamic = engine.eval(text).unwrap();
            assert_eq!(write(&value).layout(), written, "{text}");
        }
    }
}
