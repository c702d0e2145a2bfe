//! A document of a shape of its own, such as the cases of a test: checked against a schema, every problem at its place.

use schemars::JsonSchema;
use serde::de::DeserializeOwned;

use crate::base::{Code, Fault, Faults};
use crate::config::schema::Schema;
use crate::enmasse::conform::{Part, conform};
use crate::enmasse::source::{SourceText, Sources};
use crate::enmasse::wanted::Places;
use crate::enmasse::yaml;

/// Where the values of a document stand.
pub(crate) struct Sheet {
    places: Places,
    sources: Sources,
}

impl Sheet {
    /// Reads a document, or returns every problem of it.
    pub(crate) fn read<T: JsonSchema + DeserializeOwned>(
        text: SourceText,
    ) -> Result<(T, Self), Faults> {
        let document = yaml::read(&text.path, &text.text);
        let mut sources = Sources::default();
        sources.add(text);
        let problems = document.problems.iter();
        let problems = problems.map(|(fault, spot)| sources.locate(fault.clone(), spot));
        Faults(problems.collect()).into_result()?;
        let Some(root) = document.root else {
            return Err(Fault::new(Code::ConfigSyntax, "the document cannot be read").into());
        };
        let mut places = Places::new(root.spot.clone());
        for entry in root.entries().unwrap_or_default() {
            let pointer = format!("/{}", entry.key);
            places.add_key(&pointer, &entry.spot, &entry.value);
        }
        let sheet = Self { places, sources };
        let body = root.to_json();
        let schema = schemars::schema_for!(T).to_value();
        let issues = conform(&body, Schema::new(&schema), &body, &|_| false);
        let issues = issues.into_iter().map(|issue| match issue.part {
            Part::Key => sheet.key(issue.fault, &issue.pointer),
            Part::Value => sheet.value(issue.fault, &issue.pointer),
        });
        Faults(issues.collect()).into_result()?;
        let read = T::deserialize(&body);
        let read =
            read.map_err(|error| sheet.value(Fault::new(Code::ConfigType, error.to_string()), ""))?;
        Ok((read, sheet))
    }

    /// Puts a fault at the value of a pointer.
    pub(crate) fn value(&self, fault: Fault, pointer: &str) -> Fault {
        self.sources.locate(fault, self.places.value(pointer))
    }

    /// Puts a fault at the key of a pointer.
    pub(crate) fn key(&self, fault: Fault, pointer: &str) -> Fault {
        let spot = match pointer {
            "" => self.places.object(),
            pointer => self.places.key(pointer),
        };
        self.sources.locate(fault, spot)
    }
}
