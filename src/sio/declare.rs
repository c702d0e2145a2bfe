//! Reads what a script passes to `service{…}` into a declaration, and reports every problem of it.

use crate::base::{Code, Fault, Map, Millis, Place, ServiceName, Value, closest};
use crate::contract::{Declaration, Field};
use crate::sio::field;
use crate::sio::models::Models;
use crate::sio::uses;

/// The keys of a declaration, in the order documentation shows them.
const KEYS: &[&str] = &[
    "name",
    "doc",
    "input",
    "output",
    "input_required",
    "input_optional",
    "output_required",
    "output_optional",
    "models",
    "timeout",
    "cpu",
    "uses",
    "handle",
];

/// Reads the table a script passed to `service`. The key `handle` belongs to the engine.
pub(crate) fn declare(
    raw: &Value,
    place: Place,
    language: &'static str,
) -> Result<Declaration, Vec<Fault>> {
    let Value::Map(map) = raw else {
        let problem = format!(
            "`service` takes a table of named values, got {}",
            raw.kind()
        );
        return Err(vec![Fault::new(Code::BadDeclaration, problem).at(place)]);
    };
    let mut reader = Reader {
        map,
        faults: Vec::new(),
    };
    let declared = reader.read(&place, language);
    match (declared, reader.faults.is_empty()) {
        (Some(declaration), true) => Ok(declaration),
        _ => Err(reader
            .faults
            .into_iter()
            .map(|fault| fault.at(place.clone()))
            .collect()),
    }
}

struct Reader<'a> {
    map: &'a Map,
    faults: Vec<Fault>,
}

impl<'a> Reader<'a> {
    fn read(&mut self, place: &Place, language: &'static str) -> Option<Declaration> {
        self.unknown_keys();
        let name = self.name();
        let mut models = Models::new(self.get("models"));
        let input = self.fields("input", &mut models);
        let output = self.fields("output", &mut models);
        models
            .finish()
            .into_iter()
            .for_each(|problem| self.problem(problem));
        let doc = self.text("doc").unwrap_or_default().trim().to_owned();
        let timeout = self.duration("timeout");
        let cpu = match self.get("cpu").and_then(Value::as_str) {
            Some("long") => Some(Declaration::LONG_CPU),
            _ => self.duration("cpu"),
        };
        let uses = self.get("uses");
        let uses = uses.and_then(|raw| uses::read(raw, &mut self.faults));
        Some(Declaration {
            name: name?,
            doc,
            input,
            output,
            timeout,
            cpu,
            uses,
            place: place.clone(),
            language,
        })
    }

    fn get(&self, key: &str) -> Option<&'a Value> {
        self.map.get(key).filter(|value| !value.is_null())
    }

    fn problem(&mut self, problem: impl Into<String>) {
        self.faults.push(Fault::new(Code::BadDeclaration, problem));
    }

    fn unknown_keys(&mut self) {
        for key in self.map.names().filter(|key| !KEYS.contains(key)) {
            let fault = Fault::new(
                Code::BadDeclaration,
                format!("a service has no key `{key}`"),
            );
            self.faults.push(match closest(key, KEYS.iter().copied()) {
                Some(near) => fault.hint(format!("Did you mean `{near}`?")),
                None => fault.hint(format!("The keys are {}.", KEYS.join(", "))),
            });
        }
    }

    fn name(&mut self) -> Option<ServiceName> {
        let Some(text) = self.text("name") else {
            if self.get("name").is_none() {
                self.problem("the service has no `name`");
            }
            return None;
        };
        if text.starts_with("kladka.") {
            self.problem(format!(
                "the name '{text}' is not free: `kladka.` is for the server's own"
            ));
            return None;
        }
        let name = ServiceName::new(text);
        if name.is_none() {
            let rule = "use 1 to 128 of A-Z a-z 0-9 . _ -";
            self.problem(format!("'{text}' is not a name for a service: {rule}"));
        }
        name
    }

    fn text(&mut self, key: &str) -> Option<&'a str> {
        match self.get(key)? {
            Value::Text(text) => Some(text),
            other => {
                self.problem(format!("`{key}` must be a text, got {}", other.kind()));
                None
            }
        }
    }

    fn duration(&mut self, key: &str) -> Option<Millis> {
        let text = match self.get(key)? {
            Value::Text(text) => text.as_str(),
            other => {
                let kind = other.kind();
                self.problem(format!(
                    "`{key}` must be a duration with its unit, such as \"30s\", got {kind}"
                ));
                return None;
            }
        };
        let read = Millis::parse(text).filter(|millis| millis.0 > 0);
        if read.is_none() {
            self.problem(format!(
                "`{key}` must be a duration such as \"30s\", got \"{text}\""
            ));
        }
        read
    }

    /// Reads `input`, or the spelling of two lists: `input_required` and `input_optional`.
    fn fields(&mut self, key: &str, models: &mut Models<'_>) -> Option<Vec<Field>> {
        let (required, optional) = (format!("{key}_required"), format!("{key}_optional"));
        let split = [(&required, false), (&optional, true)];
        if let Some(raw) = self.get(key) {
            for (part, _) in split {
                if self.get(part).is_some() {
                    self.problem(format!("give `{key}` or `{part}`, not both"));
                }
            }
            return Some(self.list(key, raw, models));
        }
        let mut all: Option<Vec<Field>> = None;
        for (part, is_optional) in split {
            let Some(raw) = self.get(part) else { continue };
            let fields = self.list(part, raw, models);
            let all = all.get_or_insert_default();
            for mut field in fields {
                field.optional |= is_optional;
                if all.iter().any(|known| known.name == field.name) {
                    self.problem(format!(
                        "`{part}`: field `{}` is declared twice",
                        field.name
                    ));
                    continue;
                }
                all.push(field);
            }
        }
        all
    }

    fn list(&mut self, key: &str, raw: &Value, models: &mut Models<'_>) -> Vec<Field> {
        let (fields, problems) = field::list(raw, models);
        for problem in problems {
            self.problem(format!("`{key}`: {problem}"));
        }
        fields
    }
}
