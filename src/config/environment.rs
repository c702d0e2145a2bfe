//! The environment of the process: read here and nowhere else.

use std::collections::BTreeMap;
use std::path::PathBuf;

/// How the names of variables begin that hold secrets.
pub(crate) const SECRET: &str = "KLADKA_SECRET_";

/// The variables of one moment.
#[derive(Clone, Debug, Default)]
pub struct Environment(BTreeMap<String, String>);

impl Environment {
    /// Takes the variables of this process.
    pub fn of_process() -> Self {
        Self(std::env::vars().collect())
    }

    /// Returns the file of the program that runs, or what has taken its place since it was started.
    pub fn program() -> std::io::Result<PathBuf> {
        let program = std::env::current_exe()?;
        let replaced = program
            .to_str()
            .and_then(|path| path.strip_suffix(" (deleted)"));
        Ok(replaced.map_or_else(|| program.clone(), PathBuf::from))
    }

    /// Makes an environment of given variables, for tests.
    pub fn of(pairs: impl IntoIterator<Item = (impl Into<String>, impl Into<String>)>) -> Self {
        Self(
            pairs
                .into_iter()
                .map(|(name, value)| (name.into(), value.into()))
                .collect(),
        )
    }

    /// Returns the values of our variables that hold secrets, by their names; one that is too short to be one is left
    /// out.
    pub fn secrets(&self) -> Vec<String> {
        let ends = ["_KEY", "_PASSWORD", "_SECRET", "_TOKEN"];
        let ours =
            |name: &str| name.starts_with("KLADKA_") && ends.iter().any(|end| name.ends_with(end));
        let own = self
            .0
            .iter()
            .filter(|(name, _)| name.starts_with(SECRET) || ours(name));
        let values = own.map(|(_, value)| value.clone());
        values.filter(|value| value.len() >= 4).collect()
    }

    /// Returns the file in which a user's state of a name is kept; `None` when nobody has a home.
    pub fn state_file(&self, name: &str) -> Option<PathBuf> {
        let own = self.get("XDG_STATE_HOME").map(PathBuf::from);
        let home = || Some(PathBuf::from(self.get("HOME")?).join(".local/state"));
        let base = own.filter(|path| path.is_absolute()).or_else(home)?;
        Some(base.join("kladka").join(name))
    }

    /// Returns a variable; one that is set but empty counts as unset.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0
            .get(name)
            .map(String::as_str)
            .filter(|value| !value.is_empty())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_known_by_the_names_of_their_variables() {
        let environment = Environment::of([
            ("KLADKA_SECRET_X", "one-secret"),
            ("KLADKA_CLIENT1_KEY", "two-secret"),
            ("KLADKA_TOKEN", "three-secret"),
            ("KLADKA_DATA_DIR", "data"),
            ("KLADKA_SECRET_Y", "abc"),
            ("OTHER_KEY", "another"),
        ]);
        assert_eq!(
            environment.secrets(),
            ["two-secret", "one-secret", "three-secret"]
        );
    }

    #[test]
    fn state_stands_where_the_user_says_or_at_home() {
        let file = |pairs: &[(&str, &str)]| {
            let environment = Environment::of(pairs.iter().copied());
            environment
                .state_file("history")
                .map(|path| path.display().to_string())
        };
        let home = "/home/a/.local/state/kladka/history".to_owned();
        assert_eq!(file(&[("HOME", "/home/a")]), Some(home.clone()));
        assert_eq!(
            file(&[("HOME", "/home/a"), ("XDG_STATE_HOME", "relative")]),
            Some(home)
        );
        let named = file(&[("HOME", "/home/a"), ("XDG_STATE_HOME", "/state")]);
        assert_eq!(named.as_deref(), Some("/state/kladka/history"));
        assert_eq!(file(&[]), None);
    }
}
