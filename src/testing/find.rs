//! Which files below `tests/` hold tests: those with one of the endings.

use std::fs;
use std::path::Path;

use crate::base::{Code, Fault};

/// A file with tests.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct TestFile {
    /// Its path relative to the project.
    pub(super) path: String,
    /// What it holds.
    pub(super) form: Form,
}

/// What a file with tests holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    /// Cases, in YAML.
    Cases,
    /// Tests in Lua.
    Lua,
    /// Tests in Rhai.
    Rhai,
}

const ENDINGS: &[(&str, Form)] = &[
    (".cases.yaml", Form::Cases),
    ("_test.lua", Form::Lua),
    ("_test.rhai", Form::Rhai),
];
/// The folder of the tests.
const FOLDER: &str = "tests";
/// How deep folders may be nested.
const DEPTH: usize = 16;

/// Finds the files with tests of a project, sorted by path.
pub(super) fn find(project: &Path) -> Result<Vec<TestFile>, Fault> {
    let mut found = Vec::new();
    walk(project, FOLDER, DEPTH, &mut found)?;
    found.sort_by(|one, other| one.path.cmp(&other.path));
    if found.is_empty() {
        let message = format!("there are no tests in {}", project.join(FOLDER).display());
        return Err(Fault::new(Code::NoTests, message).hint(
            "Tests are files of tests/ that end in .cases.yaml, _test.lua or _test.rhai; see docs/testing.md.",
        ));
    }
    Ok(found)
}

fn walk(
    project: &Path,
    folder: &str,
    depth: usize,
    found: &mut Vec<TestFile>,
) -> Result<(), Fault> {
    let Some(depth) = depth.checked_sub(1) else {
        return Ok(());
    };
    let entries = match fs::read_dir(project.join(folder)) {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
        Err(error) => {
            let message = format!("cannot read {folder}: {error}");
            return Err(Fault::new(Code::Storage, message));
        }
    };
    for entry in entries.filter_map(Result::ok) {
        let Ok(name) = entry.file_name().into_string() else {
            continue;
        };
        let path = format!("{folder}/{name}");
        // What a link leads to is found where it stands.
        let kind = entry.file_type();
        if name.starts_with('.') {
            continue;
        }
        if kind.as_ref().is_ok_and(fs::FileType::is_dir) {
            walk(project, &path, depth, found)?;
        } else if kind.is_ok_and(|kind| kind.is_file())
            && let Some((_, form)) = ENDINGS.iter().find(|(ending, _)| name.ends_with(ending))
        {
            found.push(TestFile { path, form: *form });
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_files_with_the_endings_are_tests() {
        let dir = std::env::temp_dir().join(format!("kladka-find-{}", uuid::Uuid::now_v7()));
        fs::create_dir_all(dir.join("tests/it/deep")).unwrap();
        assert_eq!(find(&dir).unwrap_err().code(), Code::NoTests);
        for name in [
            "b_test.lua",
            "a.cases.yaml",
            "it/main.rs",
            "it/deep/c_test.rhai",
            "helper.lua",
            ".d_test.lua",
            "e.yaml",
        ] {
            fs::write(dir.join("tests").join(name), "").unwrap();
        }
        let found = find(&dir).unwrap();
        let found: Vec<(&str, Form)> = found.iter().map(|it| (it.path.as_str(), it.form)).collect();
        assert_eq!(
            found,
            [
                ("tests/a.cases.yaml", Form::Cases),
                ("tests/b_test.lua", Form::Lua),
                ("tests/it/deep/c_test.rhai", Form::Rhai),
            ]
        );
        fs::remove_dir_all(dir).unwrap();
    }
}
