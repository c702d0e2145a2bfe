//! Fills `${…}` in a body after it was parsed, so that no value can change the structure around it.
//!
//! `${env.X}`, `${env.X:-default}`, `${secret.X}` and, in `dev`, `${dev.partner}`; `$${` writes
//! `${` itself. A scalar that is one placeholder takes the type its schema wants; placeholders
//! inside a text make text.

use serde_json::Value;

use crate::base::{Code, Fault, Faults, closest};
use crate::config::environment::SECRET;
use crate::config::schema::{Schema, each_scalar};

/// Credentials of the demo; `start` refuses them.
pub(crate) const DEMO_CREDENTIALS: &[&str] = &["demo-1", "demo-2", "demo-3"];

const NAMESPACES: &[&str] = &["env", "secret", "dev"];

/// Where the values of placeholders come from.
pub(crate) trait Variables: Send + Sync {
    /// Returns an environment variable.
    fn env(&self, name: &str) -> Option<String>;
    /// Returns a secret.
    fn secret(&self, name: &str) -> Option<String>;
    /// Returns what only `dev` has: `partner`, the address of the demo partner.
    fn dev(&self, name: &str) -> Option<String>;
}

/// Returns the environment variable that holds a secret: `client1_key` →
/// `KLADKA_SECRET_CLIENT1_KEY`.
pub(crate) fn secret_variable(name: &str) -> String {
    let upper = |c: char| {
        if c.is_ascii_alphanumeric() {
            c.to_ascii_uppercase()
        } else {
            '_'
        }
    };
    format!("{SECRET}{}", name.chars().map(upper).collect::<String>())
}

/// A body whose placeholders were filled.
#[derive(Debug)]
pub(crate) struct Resolved {
    /// The body.
    pub(crate) body: Value,
    /// Secret fields whose variable is not set: they hold an empty text now.
    pub(crate) unset: Vec<Problem>,
}

/// A placeholder that could not be filled.
#[derive(Clone, Debug)]
pub(crate) struct Problem {
    /// The JSON pointer of the value it stands in.
    pub(crate) pointer: String,
    /// What is wrong; has no place yet.
    pub(crate) fault: Fault,
}

/// Fills every placeholder of a body.
///
/// A variable that is not set is `KL-C207`, except in a field marked `x-secret`: that becomes empty
/// (its guard then refuses everyone) and is listed in [`Resolved::unset`].
pub(crate) fn resolve(
    body: &Value,
    schema: &Value,
    source: &dyn Variables,
) -> Result<Resolved, Faults> {
    let (resolved, problems) = resolve_all(body, schema, source);
    let faults = problems.into_iter().map(|problem| problem.fault).collect();
    Faults(faults).into_result().map(|()| resolved)
}

/// Fills the placeholders it can; a value with a problem stays as it was.
pub(crate) fn resolve_all(
    body: &Value,
    schema: &Value,
    source: &dyn Variables,
) -> (Resolved, Vec<Problem>) {
    let mut filled = body.clone();
    let (mut unset, mut problems) = (Vec::new(), Vec::new());
    each_scalar(Schema::new(schema), body, &mut |pointer, value, schemas| {
        let Some(text) = value.as_str().filter(|text| text.contains("${")) else {
            return;
        };
        let problem = |fault: Fault| Problem {
            pointer: pointer.to_owned(),
            fault,
        };
        let secret = schemas.iter().any(|schema| schema.is_secret());
        let value = match fill(text, schemas, source) {
            Err(fault) if secret && fault.code() == Code::ConfigEnvironment => {
                unset.push(problem(fault));
                Value::String(String::new())
            }
            Err(fault) => return problems.push(problem(fault)),
            Ok(value) => value,
        };
        if let Some(slot) = filled.pointer_mut(pointer) {
            *slot = value;
        }
    });
    let resolved = Resolved {
        body: filled,
        unset,
    };
    (resolved, problems)
}

/// Fills the placeholders of a text that stands alone, such as an address that is shown.
pub(crate) fn resolve_text(text: &str, source: &dyn Variables) -> Result<String, Fault> {
    let parts = parse(text)?;
    parts.iter().map(|part| part.text(source)).collect()
}

/// Tells whether a text holds a placeholder.
pub(crate) fn has_placeholder(text: &str) -> bool {
    parse(text).is_ok_and(|parts| parts.iter().any(|part| matches!(part, Part::Of(_))))
}

/// Tells whether a text is one placeholder without a default, and so shows nothing itself.
pub(crate) fn is_bare_placeholder(text: &str) -> bool {
    matches!(parse(text).as_deref(), Ok([Part::Of(one)]) if one.default.is_none())
}

fn fill(text: &str, schemas: &[Schema<'_>], source: &dyn Variables) -> Result<Value, Fault> {
    let parts = parse(text)?;
    let whole: String = parts
        .iter()
        .map(|part| part.text(source))
        .collect::<Result<_, _>>()?;
    Ok(match parts.as_slice() {
        [Part::Of(_)] => typed(whole, schemas),
        _ => Value::String(whole),
    })
}

/// Gives the text of a lone placeholder the type its place wants; text wherever text will do.
fn typed(text: String, schemas: &[Schema<'_>]) -> Value {
    let accepts = |ty| !schemas.is_empty() && schemas.iter().any(|schema| schema.accepts(ty));
    if schemas.is_empty() || accepts("string") {
        return Value::String(text);
    }
    let number = accepts("integer") || accepts("number");
    let as_int = || text.parse::<i64>().ok().map(Value::from);
    let as_float = || text.parse::<f64>().ok().map(Value::from);
    let as_bool = || text.parse::<bool>().ok().map(Value::from);
    let value = number
        .then(as_int)
        .flatten()
        .or_else(|| accepts("number").then(as_float).flatten())
        .or_else(|| accepts("boolean").then(as_bool).flatten());
    value.unwrap_or(Value::String(text))
}

#[derive(Debug)]
enum Part {
    Text(String),
    Of(Placeholder),
}

#[derive(Debug)]
struct Placeholder {
    namespace: &'static str,
    name: String,
    default: Option<String>,
}

impl Part {
    fn text(&self, source: &dyn Variables) -> Result<String, Fault> {
        match self {
            Self::Text(text) => Ok(text.clone()),
            Self::Of(placeholder) => placeholder.value(source),
        }
    }
}

impl Placeholder {
    fn value(&self, source: &dyn Variables) -> Result<String, Fault> {
        let value = match self.namespace {
            "env" => source.env(&self.name),
            "secret" => source.secret(&self.name),
            _ => source.dev(&self.name),
        };
        // As in a shell, `:-` also steps in for a variable that is set to nothing.
        let value = match &self.default {
            Some(default) => value
                .filter(|value| !value.is_empty())
                .or_else(|| Some(default.clone())),
            None => value,
        };
        value.ok_or_else(|| self.missing())
    }

    fn missing(&self) -> Fault {
        let name = &self.name;
        let (message, hint) = match self.namespace {
            "env" => (
                format!("environment variable '{name}' is not set"),
                format!("Set it, or give a default: `${{env.{name}:-…}}`."),
            ),
            "secret" => (
                format!("secret '{name}' is not set"),
                format!("Set the environment variable {}.", secret_variable(name)),
            ),
            _ => (
                format!("'${{dev.{name}}}' has a value in `kladka dev` only"),
                "Keep it in config/objects.dev.yaml; `dev.partner` is the one there is.".to_owned(),
            ),
        };
        Fault::new(Code::ConfigEnvironment, message).hint(hint)
    }
}

fn parse(text: &str) -> Result<Vec<Part>, Fault> {
    let mut parts = Vec::new();
    let mut plain = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("${") {
        if let Some(kept) = before.strip_suffix('$') {
            plain.push_str(kept);
            plain.push_str("${");
            rest = after;
            continue;
        }
        plain.push_str(before);
        let (inside, next) = after.split_once('}').ok_or_else(unclosed)?;
        if !plain.is_empty() {
            parts.push(Part::Text(std::mem::take(&mut plain)));
        }
        parts.push(Part::Of(placeholder(inside)?));
        rest = next;
    }
    plain.push_str(rest);
    if !plain.is_empty() || parts.is_empty() {
        parts.push(Part::Text(plain));
    }
    Ok(parts)
}

fn placeholder(inside: &str) -> Result<Placeholder, Fault> {
    let (path, default) = match inside.split_once(":-") {
        Some((path, default)) => (path, Some(default.to_owned())),
        None => (inside, None),
    };
    if inside.contains("${") {
        return Err(bad(inside).hint("Placeholders do not nest."));
    }
    let (namespace, name) = path.split_once('.').ok_or_else(|| bad(inside))?;
    let known = NAMESPACES.iter().find(|known| **known == namespace);
    let namespace = *known.ok_or_else(|| unknown_namespace(inside, namespace))?;
    let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '-');
    if name.is_empty() || !name.chars().all(fits) {
        return Err(bad(inside));
    }
    Ok(Placeholder {
        namespace,
        name: name.to_owned(),
        default,
    })
}

fn bad(inside: &str) -> Fault {
    let message = format!("placeholder '${{{inside}}}' is not understood");
    Fault::new(Code::ConfigConstraint, message).hint(
        "Write `${env.NAME}`, `${env.NAME:-default}` or `${secret.NAME}`; `$${` for `${` itself.",
    )
}

fn unknown_namespace(inside: &str, namespace: &str) -> Fault {
    match closest(namespace, NAMESPACES.iter().copied()) {
        Some(meant) => bad(inside).hint(format!("Did you mean `{meant}.`?")),
        None => bad(inside),
    }
}

fn unclosed() -> Fault {
    Fault::new(
        Code::ConfigConstraint,
        "a placeholder opens with '${' and does not close",
    )
    .hint("Close it with `}`; write `$${` for `${` itself.")
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use schemars::{JsonSchema, schema_for};
    use serde::Serialize;
    use serde_json::json;

    use super::*;
    use crate::base::{Millis, Secret};

    struct Fixed(HashMap<&'static str, &'static str>);
    impl Variables for Fixed {
        fn env(&self, name: &str) -> Option<String> {
            self.0.get(name).map(|text| (*text).to_owned())
        }
        fn secret(&self, name: &str) -> Option<String> {
            self.env(&secret_variable(name))
        }
        fn dev(&self, _: &str) -> Option<String> {
            None
        }
    }

    #[derive(Serialize, JsonSchema)]
    struct Spec {
        text: String,
        port: u16,
        on: Option<bool>,
        ratio: f64,
        timeout: Millis,
        key: Option<Secret>,
        any: Value,
    }

    fn variables() -> Fixed {
        Fixed(HashMap::from([
            ("N", "17"),
            ("T", "true"),
            ("F", "0.5"),
            ("D", "3s"),
            ("EMPTY", ""),
            ("KLADKA_SECRET_CLIENT1_KEY", "007"),
        ]))
    }

    fn filled(body: &Value) -> Result<Resolved, Faults> {
        resolve(body, &schema_for!(Spec).to_value(), &variables())
    }

    #[test]
    fn a_lone_placeholder_takes_the_type_of_its_place() {
        let table = [
            (json!({"text": "${env.N}"}), json!({"text": "17"})),
            (json!({"port": "${env.N}"}), json!({"port": 17})),
            (json!({"port": "${env.T}"}), json!({"port": "true"})),
            (json!({"on": "${env.T}"}), json!({"on": true})),
            (json!({"ratio": "${env.F}"}), json!({"ratio": 0.5})),
            (json!({"ratio": "${env.N}"}), json!({"ratio": 17})),
            (json!({"timeout": "${env.D}"}), json!({"timeout": "3s"})),
            (
                json!({"key": "${secret.client1_key}"}),
                json!({"key": "007"}),
            ),
            (
                json!({"any": {"x": ["${env.N}"]}}),
                json!({"any": {"x": ["17"]}}),
            ),
        ];
        for (body, wanted) in table {
            assert_eq!(filled(&body).unwrap().body, wanted, "{body}");
        }
    }

    #[test]
    fn placeholders_inside_a_text_make_text() {
        let table = [
            ("http://h:${env.N}/", "http://h:17/"),
            ("${env.N}${env.T}", "17true"),
            ("${env.NONE:-a.b/c}", "a.b/c"),
            ("${env.NONE:-}", ""),
            ("${env.EMPTY:-x}", "x"),
            ("a${env.EMPTY}b", "ab"),
            ("$${env.N} is ${env.N}", "${env.N} is 17"),
            ("$5 and $ and }", "$5 and $ and }"),
        ];
        for (text, wanted) in table {
            let body = filled(&json!({ "text": text })).unwrap().body;
            assert_eq!(body, json!({ "text": wanted }), "{text}");
        }
    }

    #[test]
    fn an_unset_variable_is_a_fault_except_in_a_secret() {
        let faults = filled(&json!({"text": "${env.A}", "port": "${env.B}"})).unwrap_err();
        let messages: Vec<_> = faults.0.iter().map(Fault::message).collect();
        assert_eq!(
            messages,
            [
                "environment variable 'A' is not set",
                "environment variable 'B' is not set"
            ]
        );
        assert!(faults.0.iter().all(|f| f.code() == Code::ConfigEnvironment));

        let resolved = filled(&json!({"key": "${env.A}"})).unwrap();
        assert_eq!(resolved.body, json!({"key": ""}));
        assert_eq!(resolved.unset[0].pointer, "/key");
    }

    #[test]
    fn a_placeholder_written_wrongly_is_named() {
        for bad in [
            "${env.A",
            "${enw.A}",
            "${A}",
            "${env.}",
            "${env.a b}",
            "${file.x}",
            "${env.A:-${env.B}}",
        ] {
            let faults = filled(&json!({ "key": bad })).unwrap_err();
            assert_eq!(faults.0[0].code(), Code::ConfigConstraint, "{bad}");
            assert_eq!(
                parse(bad).unwrap_err().code(),
                Code::ConfigConstraint,
                "{bad}"
            );
        }
    }

    #[test]
    fn only_a_lone_placeholder_without_default_shows_nothing() {
        assert!(is_bare_placeholder("${env.A}"));
        assert!(!is_bare_placeholder("${env.A:-hunter2}"));
        assert!(!is_bare_placeholder("x${env.A}"));
        assert!(has_placeholder("x${env.A}"));
        assert!(!has_placeholder("$${env.A}"));
    }
}
