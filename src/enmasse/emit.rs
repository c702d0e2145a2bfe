//! Writes a JSON value as YAML that reads back as the same value, with as few quotes as is safe.

use serde_json::Value;

use crate::enmasse::scalar;

/// Values up to this many characters stand on one line, in braces.
const FLOW_WIDTH: usize = 76;
/// Longer keys need the explicit form: parsers look at most 1024 characters ahead for the colon.
const KEY_WIDTH: usize = 800;

/// Writes a value as a document. The first `block_levels` levels are never put in braces.
pub(crate) fn yaml(value: &Value, block_levels: usize) -> String {
    let mut lines = Vec::new();
    match value {
        Value::Object(map) if !map.is_empty() => block_map(map, "", block_levels, &mut lines),
        Value::Array(list) if !list.is_empty() => block_list(list, "", block_levels, &mut lines),
        other => lines.push(flow(other)),
    }
    lines.join("\n") + "\n"
}

type Map = serde_json::Map<String, Value>;

fn block_map(map: &Map, indent: &str, levels: usize, lines: &mut Vec<String>) {
    for (key, value) in map {
        let quoted = text(key);
        let head = if quoted.chars().count() > KEY_WIDTH {
            lines.push(format!("{indent}? {quoted}"));
            format!("{indent}:")
        } else {
            format!("{indent}{quoted}:")
        };
        below(head, value, indent, levels, lines);
    }
}

fn below(head: String, value: &Value, indent: &str, levels: usize, lines: &mut Vec<String>) {
    let inner = format!("{indent}  ");
    match value {
        Value::Object(map) if is_block(value, levels) => {
            lines.push(head);
            block_map(map, &inner, levels.saturating_sub(1), lines);
        }
        Value::Array(list) if is_block(value, levels) => {
            lines.push(head);
            block_list(list, &inner, levels.saturating_sub(1), lines);
        }
        other => lines.push(format!("{head} {}", flow(other))),
    }
}

fn block_list(list: &[Value], indent: &str, levels: usize, lines: &mut Vec<String>) {
    for value in list {
        let inner = format!("{indent}  ");
        let mut member = Vec::new();
        match value {
            Value::Object(map) if is_block(value, levels) => {
                block_map(map, &inner, levels.saturating_sub(1), &mut member);
            }
            Value::Array(list) if is_block(value, levels) => {
                block_list(list, &inner, levels.saturating_sub(1), &mut member);
            }
            other => member.push(format!("{inner}{}", flow(other))),
        }
        // The first line of the member stands behind the dash, which takes the place of its indent.
        if let Some(first) = member.first_mut() {
            let rest = first.strip_prefix(&inner).unwrap_or(first);
            *first = format!("{indent}- {rest}");
        }
        lines.append(&mut member);
    }
}

fn is_block(value: &Value, levels: usize) -> bool {
    let empty = match value {
        Value::Object(map) => map.is_empty(),
        Value::Array(list) => list.is_empty(),
        _ => true,
    };
    !empty && (levels > 0 || !fits_flow(value, 2) || flow(value).chars().count() > FLOW_WIDTH)
}

fn fits_flow(value: &Value, depth: usize) -> bool {
    let inner = |value| fits_flow(value, depth - 1);
    match value {
        Value::Object(map) => depth > 0 && map.values().all(inner),
        Value::Array(list) => depth > 0 && list.iter().all(inner),
        _ => true,
    }
}

fn flow(value: &Value) -> String {
    match value {
        Value::Object(map) if map.is_empty() => "{}".to_owned(),
        Value::Object(map) => {
            let pairs = map
                .iter()
                .map(|(key, value)| format!("{}: {}", text(key), flow(value)));
            format!("{{ {} }}", pairs.collect::<Vec<_>>().join(", "))
        }
        Value::Array(list) => {
            let members: Vec<_> = list.iter().map(flow).collect();
            format!("[{}]", members.join(", "))
        }
        Value::String(content) => text(content),
        other => other.to_string(),
    }
}

/// Returns a text plain where that is safe everywhere, in double quotes otherwise.
fn text(content: &str) -> String {
    if is_plain(content) {
        content.to_owned()
    } else {
        quoted(content)
    }
}

fn is_plain(content: &str) -> bool {
    let fits = |c: char| c.is_ascii_alphanumeric() || "._/-+".contains(c);
    let begins = content
        .chars()
        .next()
        .is_some_and(|c| c.is_ascii_alphanumeric() || c == '/' || c == '_');
    begins && content.chars().all(fits) && scalar::is_text(content) && !is_yaml_1_1_word(content)
}

/// Words that older YAML readers take for truth values: quoted for their sake.
fn is_yaml_1_1_word(content: &str) -> bool {
    let lower = content.to_ascii_lowercase();
    matches!(lower.as_str(), "y" | "n" | "yes" | "no" | "on" | "off")
}

fn quoted(content: &str) -> String {
    let mut text = String::with_capacity(content.len() + 2);
    text.push('"');
    for c in content.chars() {
        match c {
            '"' => text.push_str("\\\""),
            '\\' => text.push_str("\\\\"),
            '\n' => text.push_str("\\n"),
            '\t' => text.push_str("\\t"),
            '\r' => text.push_str("\\r"),
            c if must_escape(c) => text.push_str(&escape(c)),
            c => text.push(c),
        }
    }
    text.push('"');
    text
}

/// Tells whether a character is not printable in YAML, or breaks lines somewhere.
fn must_escape(c: char) -> bool {
    c.is_control()
        || matches!(
            c,
            '\u{2028}' | '\u{2029}' | '\u{feff}' | '\u{fffe}' | '\u{ffff}'
        )
}

fn escape(c: char) -> String {
    format!("\\u{:04x}", u32::from(c))
}
