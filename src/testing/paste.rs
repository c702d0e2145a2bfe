//! The mock of a request as a test would write it, to paste.

use serde_json::json;

use crate::testing::wanted::Sent;

/// The language of a test.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Written {
    /// YAML.
    Yaml,
    /// Lua.
    Lua,
    /// Rhai.
    Rhai,
}

/// Returns what a test must say so that a request is answered.
pub(super) fn mock(sent: &Sent, written: Written) -> String {
    let Sent {
        connection,
        method,
        path,
        ..
    } = sent;
    let (connection, path) = (quoted(connection), quoted(path));
    match written {
        Written::Yaml => {
            let query = pairs(sent, ["[", "]"], |name, value| format!("{name}: {value}"));
            let query = braced(&query, "query: {", "}, ");
            format!(
                "given:\n  outgoing:\n    http:\n      {connection}:\n        - {{ method: {method}, path: {path}, \
                 {query}reply: {{ status: 200, body: \"…\" }} }}"
            )
        }
        Written::Lua => {
            let query = pairs(sent, ["{ ", " }"], |name, value| {
                format!("[{name}] = {value}")
            });
            let query = braced(&query, ", query = { ", " }");
            format!(
                "t.out.http[{connection}]:on(\"{method}\", {{ path = {path}{query} }}):reply(200, \"…\")"
            )
        }
        Written::Rhai => {
            let query = pairs(sent, ["[", "]"], |name, value| format!("{name}: {value}"));
            let query = braced(&query, ", query: #{ ", " }");
            format!(
                "t.out.http[{connection}].on(\"{method}\", #{{ path: {path}{query} }}).reply(200, \"…\");"
            )
        }
    }
}

/// Returns the query; a name that is there more than once has a list, between the signs of the language.
fn pairs(sent: &Sent, list: [&str; 2], pair: impl Fn(&str, &str) -> String) -> String {
    let mut named: Vec<(&str, Vec<String>)> = Vec::new();
    for (name, value) in &sent.query {
        match named.iter_mut().find(|(own, _)| own == name) {
            Some((_, values)) => values.push(quoted(value)),
            None => named.push((name, vec![quoted(value)])),
        }
    }
    let [open, close] = list;
    let pairs = named.into_iter().map(|(name, values)| {
        let all = values.join(", ");
        let value = match values.len() {
            1 => all,
            _ => format!("{open}{all}{close}"),
        };
        pair(&quoted(name), &value)
    });
    pairs.collect::<Vec<String>>().join(", ")
}

fn braced(pairs: &str, before: &str, after: &str) -> String {
    if pairs.is_empty() {
        return String::new();
    }
    format!("{before}{pairs}{after}")
}

/// Quotes a text as JSON does, which the three languages read alike.
fn quoted(text: &str) -> String {
    json!(text).to_string()
}
