//! Checks a body against its kind's schema and reports every difference, not the first.

use serde_json::Value;

use crate::base::{ByteSize, Code, Fault, Millis, ObjectName, shortened};
use crate::config::schema::{MAX_DEPTH, Schema, push_step};
use crate::enmasse::sections::did_you_mean;

/// A difference between a body and its schema.
#[derive(Clone, Debug)]
pub(crate) struct Issue {
    /// The JSON pointer of the value it is about.
    pub(crate) pointer: String,
    /// Whether the key is to be shown or the value.
    pub(crate) part: Part,
    /// What is wrong; has no place yet.
    pub(crate) fault: Fault,
}

/// Which part of a named value an issue is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Part {
    /// Its key.
    Key,
    /// Its value.
    Value,
}

/// Returns every difference between a body and its schema.
///
/// `written` is the body before its placeholders were filled: messages show that one. Values for
/// which `skip` says so were reported already.
pub(crate) fn conform(
    body: &Value,
    schema: Schema<'_>,
    written: &Value,
    skip: &dyn Fn(&str) -> bool,
) -> Vec<Issue> {
    let check = Check { written, skip };
    let mut issues = check.value(body, schema, "", MAX_DEPTH);
    let mut seen = Vec::new();
    issues.retain(|issue| {
        let key = (issue.pointer.clone(), issue.fault.message().to_owned());
        let fresh = !seen.contains(&key);
        seen.push(key);
        fresh
    });
    issues
}

struct Check<'a> {
    written: &'a Value,
    skip: &'a dyn Fn(&str) -> bool,
}

impl Check<'_> {
    fn value(&self, value: &Value, schema: Schema<'_>, pointer: &str, depth: usize) -> Vec<Issue> {
        let Some(depth) = depth.checked_sub(1) else {
            return Vec::new();
        };
        if (self.skip)(pointer) {
            return Vec::new();
        }
        if let Some(issue) = self.wrong_type(value, schema, pointer) {
            return vec![issue];
        }
        let mut issues = match value {
            Value::Object(map) => self.map(map, schema, pointer, depth),
            Value::Array(list) => self.list(list, schema, pointer, depth),
            Value::String(text) => self.text(text, schema, pointer),
            Value::Number(number) => self.number(number, schema, pointer),
            _ => Vec::new(),
        };
        issues.extend(self.one_of(value, schema, pointer));
        let layers = schema.referred().into_iter().chain(schema.list("allOf"));
        issues.extend(layers.flat_map(|layer| self.value(value, layer, pointer, depth)));
        issues.extend(self.alternatives(value, schema, pointer, depth));
        issues
    }

    /// Reports the alternative that fits best, so that one mistake makes one message.
    fn alternatives(
        &self,
        value: &Value,
        schema: Schema<'_>,
        pointer: &str,
        depth: usize,
    ) -> Vec<Issue> {
        let branches = schema.alternatives();
        if branches.is_empty() {
            return Vec::new();
        }
        let fitting = branches
            .iter()
            .filter(|branch| branch.accepts(type_of(value)) || accepts_number(**branch, value));
        let tried = fitting.map(|branch| self.value(value, *branch, pointer, depth));
        let tried: Vec<Vec<Issue>> = tried.collect();
        if tried.iter().any(Vec::is_empty) {
            return Vec::new();
        }
        let choices: Vec<String> = branches
            .iter()
            .flat_map(|branch| choices(*branch))
            .collect();
        if let (Value::String(text), false) = (value, choices.is_empty()) {
            return vec![self.not_one_of(text, &choices, pointer)];
        }
        let best = tried.into_iter().min_by_key(Vec::len);
        best.unwrap_or_else(|| vec![self.mismatch(value, schema, pointer)])
    }

    fn wrong_type(&self, value: &Value, schema: Schema<'_>, pointer: &str) -> Option<Issue> {
        let types = schema.own_types();
        let fits = types.is_empty()
            || types.contains(&type_of(value))
            || (types.contains(&"number") && value.is_number());
        (!fits).then(|| self.mismatch(value, schema, pointer))
    }

    fn mismatch(&self, value: &Value, schema: Schema<'_>, pointer: &str) -> Issue {
        let wanted = wanted(schema);
        let got = self.describe(value, schema, pointer);
        let message = format!("{} must be {wanted}, not {got}", named(pointer));
        let mut fault = Fault::new(Code::ConfigType, message);
        if let Some(hint) = type_hint(value, schema) {
            fault = fault.hint(hint);
        }
        issue(pointer, Part::Value, fault)
    }

    fn map(
        &self,
        map: &serde_json::Map<String, Value>,
        schema: Schema<'_>,
        pointer: &str,
        depth: usize,
    ) -> Vec<Issue> {
        let mut issues = Vec::new();
        let closed = |keyword| schema.keyword(keyword) == Some(&Value::Bool(false));
        if closed("additionalProperties") || closed("unevaluatedProperties") {
            let known = schema.keys();
            let unknown = map.keys().filter(|key| !known.contains(&key.as_str()));
            issues.extend(unknown.map(|key| unknown_key(pointer, key, &known)));
        }
        for (key, value) in map {
            let inner = schema.declared(key).or_else(|| {
                let rest = schema.below("additionalProperties");
                rest.filter(|_| {
                    schema
                        .keyword("properties")
                        .and_then(|p| p.get(key))
                        .is_none()
                })
            });
            if let Some(inner) = inner {
                issues.extend(self.value(value, inner, &below(pointer, key), depth));
            }
        }
        let required = schema.keyword("required").and_then(Value::as_array);
        let required = required.into_iter().flatten().filter_map(Value::as_str);
        let missing = required.filter(|key| !map.contains_key(*key));
        issues.extend(missing.map(|key| missing_key(pointer, key)));
        issues
    }

    fn list(&self, list: &[Value], schema: Schema<'_>, pointer: &str, depth: usize) -> Vec<Issue> {
        let mut issues: Vec<Issue> = Vec::new();
        for (index, value) in list.iter().enumerate() {
            let fixed = schema.list("prefixItems").nth(index);
            if let Some(inner) = fixed.or_else(|| schema.below("items")) {
                let pointer = below(pointer, &index.to_string());
                issues.extend(self.value(value, inner, &pointer, depth));
            }
        }
        let length = list.len() as u64;
        let (least, most) = (bound(schema, "minItems"), bound(schema, "maxItems"));
        issues.extend(out_of(length, least, most, "members", pointer));
        issues
    }

    fn text(&self, text: &str, schema: Schema<'_>, pointer: &str) -> Vec<Issue> {
        let shown = || self.describe(&Value::String(text.to_owned()), schema, pointer);
        let refuse = |message: String, hint: String| {
            issue(
                pointer,
                Part::Value,
                Fault::new(Code::ConfigConstraint, message).hint(hint),
            )
        };
        let unit = schema.text("x-unit").and_then(|unit| match unit {
            "duration" => Millis::parse(text)
                .is_none()
                .then_some((unit, "250ms, 30s, 5m, 1h or 2d")),
            "size" => ByteSize::parse(text)
                .is_none()
                .then_some((unit, "512B, 64KiB, 2MiB or 1GiB")),
            _ => None,
        });
        if let Some((unit, examples)) = unit {
            let message = format!("{} must be a {unit}, not {}", named(pointer), shown());
            return vec![refuse(message, format!("Write {examples}."))];
        }
        let is_name = ["x-name", "x-service", "x-ref"]
            .iter()
            .any(|hint| schema.keyword(hint).is_some());
        if is_name {
            // Says the same as its pattern, without compiling one for each name of a large file.
            if ObjectName::new(text).is_some() {
                return Vec::new();
            }
            let message = format!("{} must be a name, not {}", named(pointer), shown());
            let hint = "Use 1 to 128 of A-Z a-z 0-9 . _ -.".to_owned();
            return vec![refuse(message, hint)];
        }
        if let Some(pattern) = schema.text("pattern")
            && regex::Regex::new(pattern).is_ok_and(|pattern| !pattern.is_match(text))
        {
            let message = format!("{} cannot be {}", named(pointer), shown());
            return vec![refuse(message, format!("It must match `{pattern}`."))];
        }
        let length = text.chars().count() as u64;
        let (least, most) = (bound(schema, "minLength"), bound(schema, "maxLength"));
        out_of(length, least, most, "characters", pointer)
            .into_iter()
            .collect()
    }

    fn number(&self, number: &serde_json::Number, schema: Schema<'_>, pointer: &str) -> Vec<Issue> {
        let (from, to) = format_range(schema.text("format").unwrap_or_default());
        let number_of = |keyword| schema.keyword(keyword).and_then(Value::as_f64);
        let least = number_of("minimum").or(from);
        let most = number_of("maximum").or(to);
        let value = number.as_f64().unwrap_or_default();
        let (above, under) = (number_of("exclusiveMinimum"), number_of("exclusiveMaximum"));
        let inside = least.is_none_or(|least| value >= least)
            && most.is_none_or(|most| value <= most)
            && above.is_none_or(|above| value > above)
            && under.is_none_or(|under| value < under);
        if inside {
            return Vec::new();
        }
        let range = match (least, most) {
            (Some(least), Some(most)) => format!("from {least} to {most}"),
            (Some(least), None) => format!("at least {least}"),
            (None, Some(most)) => format!("at most {most}"),
            (None, None) => "within its bounds".to_owned(),
        };
        let got = self.describe(&Value::Number(number.clone()), schema, pointer);
        let message = format!("{} must be {range}, not {got}", named(pointer));
        vec![issue(
            pointer,
            Part::Value,
            Fault::new(Code::ConfigConstraint, message),
        )]
    }

    /// Checks `enum` and `const` of this very node.
    fn one_of(&self, value: &Value, schema: Schema<'_>, pointer: &str) -> Option<Issue> {
        let many = schema.keyword("enum").and_then(Value::as_array);
        let allowed: Vec<&Value> = match schema.keyword("const") {
            Some(one) => vec![one],
            None => many?.iter().collect(),
        };
        if allowed.contains(&value) {
            return None;
        }
        let choices: Vec<String> = allowed.iter().map(|choice| shown(choice)).collect();
        let text = value.as_str().map_or_else(|| shown(value), str::to_owned);
        Some(self.not_one_of(&text, &choices, pointer))
    }

    fn not_one_of(&self, text: &str, choices: &[String], pointer: &str) -> Issue {
        let written = self
            .written
            .pointer(pointer)
            .and_then(Value::as_str)
            .unwrap_or(text);
        let message = format!(
            "{} must be one of {}, not '{}'",
            named(pointer),
            choices.join(", "),
            short(written)
        );
        let mut fault = Fault::new(Code::ConfigConstraint, message);
        if let Some(hint) = did_you_mean(text, choices.iter().map(String::as_str)) {
            fault = fault.hint(hint);
        }
        issue(pointer, Part::Value, fault)
    }

    fn describe(&self, value: &Value, schema: Schema<'_>, pointer: &str) -> String {
        let secret = schema.is_secret();
        match self.written.pointer(pointer).unwrap_or(value) {
            Value::Null => "nothing".to_owned(),
            Value::Bool(_) | Value::Number(_) | Value::String(_) if secret => {
                "what is written".to_owned()
            }
            Value::Bool(truth) => truth.to_string(),
            Value::Number(number) => format!("the number {number}"),
            Value::String(text) => format!("'{}'", short(text)),
            Value::Array(_) => "a list".to_owned(),
            Value::Object(_) => "a map".to_owned(),
        }
    }
}

fn issue(pointer: &str, part: Part, fault: Fault) -> Issue {
    Issue {
        pointer: pointer.to_owned(),
        part,
        fault,
    }
}

fn below(pointer: &str, step: &str) -> String {
    let mut inner = pointer.to_owned();
    push_step(&mut inner, step);
    inner
}

/// Returns a pointer as people write it: `'rate_limit.limit'`.
pub(crate) fn dotted(pointer: &str) -> String {
    let steps = pointer.split('/').skip(1);
    let steps = steps.map(|step| step.replace("~1", "/").replace("~0", "~"));
    steps.collect::<Vec<_>>().join(".")
}

fn named(pointer: &str) -> String {
    if pointer.is_empty() {
        "the object".to_owned()
    } else {
        format!("'{}'", dotted(pointer))
    }
}

fn unknown_key(pointer: &str, key: &str, known: &[&str]) -> Issue {
    let place = below(pointer, key);
    let mut fault = Fault::new(
        Code::ConfigUnknownKey,
        format!("unknown key {}", named(&place)),
    );
    fault = match did_you_mean(key, known.iter().copied()) {
        Some(hint) => fault.hint(hint),
        None if known.is_empty() => fault,
        None => fault.hint(format!("Known keys: {}.", known.join(", "))),
    };
    issue(&place, Part::Key, fault)
}

fn missing_key(pointer: &str, key: &str) -> Issue {
    let place = below(pointer, key);
    let fault = Fault::new(
        Code::ConfigMissing,
        format!("key {} is missing", named(&place)),
    );
    issue(pointer, Part::Key, fault.hint(format!("Add `{key}: …`.")))
}

fn out_of(
    length: u64,
    least: Option<u64>,
    most: Option<u64>,
    what: &str,
    pointer: &str,
) -> Option<Issue> {
    let message = match (least, most) {
        (Some(least), _) if length < least => format!("at least {least} {what}"),
        (_, Some(most)) if length > most => format!("at most {most} {what}"),
        _ => return None,
    };
    let message = format!("{} must have {message}, not {length}", named(pointer));
    Some(issue(
        pointer,
        Part::Value,
        Fault::new(Code::ConfigConstraint, message),
    ))
}

fn bound(schema: Schema<'_>, keyword: &str) -> Option<u64> {
    schema.keyword(keyword)?.as_u64()
}

fn format_range(format: &str) -> (Option<f64>, Option<f64>) {
    match format {
        "uint8" => (Some(0.0), Some(f64::from(u8::MAX))),
        "uint16" => (Some(0.0), Some(f64::from(u16::MAX))),
        "uint32" => (Some(0.0), Some(f64::from(u32::MAX))),
        "uint64" | "uint" => (Some(0.0), None),
        "int8" => (Some(f64::from(i8::MIN)), Some(f64::from(i8::MAX))),
        "int16" => (Some(f64::from(i16::MIN)), Some(f64::from(i16::MAX))),
        "int32" => (Some(f64::from(i32::MIN)), Some(f64::from(i32::MAX))),
        _ => (None, None),
    }
}

fn type_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(number) if number.is_f64() => "number",
        Value::Number(_) => "integer",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    }
}

fn accepts_number(schema: Schema<'_>, value: &Value) -> bool {
    value.is_number() && schema.accepts("number")
}

/// Returns the texts a schema allows, if it allows only some.
fn choices(schema: Schema<'_>) -> Vec<String> {
    let mut found = Vec::new();
    for layer in schema.layers() {
        let one = layer.keyword("const").into_iter();
        let many = layer.keyword("enum").and_then(Value::as_array);
        let texts = one
            .chain(many.into_iter().flatten())
            .filter_map(Value::as_str);
        found.extend(texts.map(str::to_owned));
    }
    found
}

/// Returns what a schema wants, for people: `a text`, `a number or a list`.
fn wanted(schema: Schema<'_>) -> String {
    let mut words: Vec<&str> = Vec::new();
    for layer in schema.layers() {
        let unit = layer.text("x-unit");
        for ty in layer.own_types() {
            let word = match ty {
                "string" if unit == Some("duration") => "a duration",
                "string" if unit == Some("size") => "a size",
                "string" => "a text",
                "integer" => "an integer",
                "number" => "a number",
                "boolean" => "true or false",
                "array" => "a list",
                "object" => "a map",
                _ => continue,
            };
            if !words.contains(&word) {
                words.push(word);
            }
        }
    }
    match words.as_slice() {
        [] => "left out".to_owned(),
        words => words.join(" or "),
    }
}

fn type_hint(value: &Value, schema: Schema<'_>) -> Option<String> {
    let unit = schema
        .layers()
        .iter()
        .find_map(|layer| layer.text("x-unit"));
    match (value, unit) {
        (Value::Number(number), Some("duration")) => {
            return Some(format!("Write the unit: `{number}s` or `{number}ms`."));
        }
        (Value::Number(number), Some("size")) => {
            return Some(format!("Write the unit: `{number}B` or `{number}KiB`."));
        }
        _ => {}
    }
    let word = value.as_str().map(str::to_lowercase);
    match value {
        Value::Bool(_) | Value::Number(_) if schema.accepts("string") => {
            Some("Quote it to make it a text.".to_owned())
        }
        Value::String(_) if schema.accepts("boolean") => match word.as_deref() {
            Some("yes" | "on") => Some("Write `true`.".to_owned()),
            Some("no" | "off") => Some("Write `false`.".to_owned()),
            _ => None,
        },
        Value::String(text) if schema.accepts("integer") && text.parse::<i64>().is_ok() => {
            Some("Remove the quotes.".to_owned())
        }
        Value::String(_) | Value::Number(_) if schema.accepts("array") => {
            Some("Write a list: `[…]`.".to_owned())
        }
        _ => None,
    }
}

fn shown(value: &Value) -> String {
    value
        .as_str()
        .map_or_else(|| value.to_string(), str::to_owned)
}

fn short(text: &str) -> String {
    shortened(text, 60)
}
