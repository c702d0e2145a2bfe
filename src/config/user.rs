//! The scripts' own settings: `config/user/*.toml`, read whole and swapped at once.

use std::collections::BTreeMap;
use std::path::Path;

use arc_swap::ArcSwap;

use crate::base::{Code, Fault, Faults, Map, Text, Value};
use crate::config::broken_toml::broken_toml;
use crate::contract::Settings;

/// The settings of the moment; scripts read them as `ctx.config.FILE.KEY`.
#[derive(Default)]
pub struct UserSettings {
    files: ArcSwap<BTreeMap<String, Value>>,
    /// What was wrong with the files when they were last read.
    faults: ArcSwap<Vec<Fault>>,
}

impl UserSettings {
    /// Reads all files of the directory. A file that cannot be read keeps its last good content.
    pub fn reload(&self, dir: &Path) -> Result<(), Faults> {
        let mut files = BTreeMap::new();
        let mut faults = Faults::default();
        for entry in std::fs::read_dir(dir).into_iter().flatten().flatten() {
            let path = entry.path();
            let (Some(name), Some("toml")) = (
                path.file_stem().and_then(|stem| stem.to_str()),
                path.extension().and_then(|end| end.to_str()),
            ) else {
                continue;
            };
            match read(&path) {
                Ok(value) => drop(files.insert(name.to_owned(), value)),
                Err(fault) => {
                    faults.push(fault);
                    let last = self.files.load().get(name).cloned();
                    files.extend(last.map(|value| (name.to_owned(), value)));
                }
            }
        }
        self.files.store(files.into());
        self.faults.store(faults.0.clone().into());
        faults.into_result()
    }

    /// Returns what is wrong with the files; empty once they are mended and read again.
    pub fn faults(&self) -> Vec<Fault> {
        self.faults.load().to_vec()
    }
}

impl Settings for UserSettings {
    fn file(&self, name: &str) -> Option<Value> {
        self.files.load().get(name).cloned()
    }
}

fn read(path: &Path) -> Result<Value, Fault> {
    let shown = path
        .file_name()
        .map(|name| name.to_string_lossy().into_owned())
        .unwrap_or_default();
    let fault = |error: &dyn std::fmt::Display| {
        Fault::new(
            Code::ConfigSyntax,
            format!("config/user/{shown}: {}", error.to_string().trim()),
        )
    };
    let text = std::fs::read_to_string(path).map_err(|error| fault(&error))?;
    let path = format!("config/user/{shown}");
    let table: toml::Table = text
        .parse()
        .map_err(|error: toml::de::Error| broken_toml(&path, &text, &error))?;
    Ok(value(&toml::Value::Table(table)))
}

fn value(toml: &toml::Value) -> Value {
    match toml {
        toml::Value::String(text) => Value::text(text),
        toml::Value::Integer(number) => Value::Int(*number),
        toml::Value::Float(number) => Value::Float(*number),
        toml::Value::Boolean(truth) => Value::Bool(*truth),
        toml::Value::Datetime(moment) => Value::text(moment.to_string()),
        toml::Value::Array(list) => Value::List(list.iter().map(value).collect()),
        toml::Value::Table(table) => Value::Map(
            table
                .iter()
                .map(|(name, item)| (Text::new(name), value(item)))
                .collect::<Map>(),
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_broken_file_keeps_its_last_good_content() {
        let dir = std::env::temp_dir().join(format!("kladka-user-{}", uuid::Uuid::now_v7()));
        std::fs::create_dir_all(&dir).unwrap();
        std::fs::write(dir.join("app.toml"), "limit = 3").unwrap();
        let settings = UserSettings::default();
        settings.reload(&dir).unwrap();
        std::fs::write(dir.join("app.toml"), "limit = ").unwrap();
        assert_eq!(settings.reload(&dir).unwrap_err().0.len(), 1);
        assert_eq!(settings.faults().len(), 1);
        let limit = settings
            .file("app")
            .unwrap()
            .as_map()
            .unwrap()
            .get("limit")
            .cloned();
        assert_eq!(limit, Some(Value::Int(3)));
        std::fs::write(dir.join("app.toml"), "limit = 4").unwrap();
        settings.reload(&dir).unwrap();
        assert!(settings.faults().is_empty(), "mended");
        std::fs::remove_dir_all(&dir).unwrap();
    }
}
