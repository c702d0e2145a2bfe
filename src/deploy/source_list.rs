//! Reads `config/service-sources.txt`: more places to load services from, one a line.

use std::path::{Path, PathBuf};

use crate::base::{Code, Fault, Place, Snippet};
use crate::deploy::archive;
use crate::deploy::editor_files::ending;
use crate::deploy::sources::module_name;

/// The path of the list, relative to the project.
pub(crate) const PATH: &str = "config/service-sources.txt";

/// A place that a line names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Listed {
    /// The line, from 1.
    pub(crate) line: u32,
    /// How diagnostics show the place.
    pub(crate) label: String,
    /// Where it is.
    pub(crate) path: PathBuf,
    /// What it is.
    pub(crate) form: Form,
}

/// What a listed place is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    /// One source, loaded by the name.
    File(String),
    /// All sources below a directory; their names start with the prefix.
    Directory(String),
    /// All sources in an archive.
    Archive,
}

/// Reads the list. Lines that cannot be used become faults; the others count.
pub(crate) fn read(project: &Path, text: &str, endings: &[&str]) -> (Vec<Listed>, Vec<Fault>) {
    let (mut places, mut faults) = (Vec::new(), Vec::new());
    for (line, number) in text.lines().zip(1..) {
        let entry = line.split('#').next().unwrap_or_default().trim();
        if entry.is_empty() {
            continue;
        }
        match place(project, entry, endings) {
            Ok((label, path, form)) => places.push(Listed {
                line: number,
                label,
                path,
                form,
            }),
            Err(why) => faults.push(bad_line(number, line, &format!("'{entry}' {why}"))),
        }
    }
    (places, faults)
}

/// Makes the fault of a line.
pub(crate) fn bad_line(number: u32, line: &str, message: &str) -> Fault {
    let snippet = Snippet {
        line: line.to_owned(),
        width: u32::try_from(line.trim_end().chars().count()).unwrap_or(1),
    };
    Fault::new(Code::BadSourceList, message)
        .at(Place::new(PATH, number, 1))
        .showing(snippet)
        .hint("Name a file, a directory, an archive or a module such as `linuxjournal.rates`.")
}

fn place(
    project: &Path,
    entry: &str,
    endings: &[&str],
) -> Result<(String, PathBuf, Form), &'static str> {
    let label = entry.trim_start_matches("./").trim_end_matches('/');
    let path = project.join(label);
    if path.is_dir() {
        return Ok((label.to_owned(), path, Form::Directory(String::new())));
    }
    if path.is_file() {
        let form = file_form(label, endings).ok_or("is neither a source nor an archive")?;
        return Ok((label.to_owned(), path, form));
    }
    module(project, entry, endings).ok_or("does not exist")
}

fn file_form(label: &str, endings: &[&str]) -> Option<Form> {
    if archive::is_archive(label) {
        return Some(Form::Archive);
    }
    let name = label.rsplit('/').next()?;
    let known = ending(name).is_some_and(|ending| endings.contains(&ending));
    known.then(|| Form::File(module_name(name)))
}

/// Finds `linuxjournal.rates` as a file or directory below the project, `scripts/` or `stdlib/`.
fn module(project: &Path, name: &str, endings: &[&str]) -> Option<(String, PathBuf, Form)> {
    let parts_fit = |part: &str| {
        let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-');
        !part.is_empty() && part.chars().all(fits)
    };
    if !name.split('.').all(parts_fit) {
        return None;
    }
    let below = name.replace('.', "/");
    for root in ["", "scripts/", "stdlib/"] {
        for ending in endings {
            let label = format!("{root}{below}.{ending}");
            let path = project.join(&label);
            if path.is_file() {
                return Some((label, path, Form::File(name.to_owned())));
            }
        }
        let label = format!("{root}{below}");
        let path = project.join(&label);
        if path.is_dir() {
            return Some((label, path, Form::Directory(format!("{name}."))));
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bad_line_names_its_place_and_the_rest_counts() {
        let dir = std::env::temp_dir().join(format!("kladka-list-{}", uuid::Uuid::now_v7()));
        std::fs::create_dir_all(dir.join("extra/deep")).unwrap();
        for name in ["one.mini", "extra/deep/two.mini", "pack.zip", "notes.md"] {
            std::fs::write(dir.join(name), "x").unwrap();
        }
        let text = "# more\n\none.mini   # a file\nextra/\nextra.deep\nextra.deep.two\npack.zip\n\
                    missing\nnotes.md\n../x y\n";
        let (places, faults) = read(&dir, text, &["mini"]);
        let seen: Vec<_> = places
            .iter()
            .map(|place| (place.line, place.label.as_str(), place.form.clone()))
            .collect();
        assert_eq!(
            seen,
            [
                (3, "one.mini", Form::File("one".into())),
                (4, "extra", Form::Directory(String::new())),
                (5, "extra/deep", Form::Directory("extra.deep.".into())),
                (
                    6,
                    "extra/deep/two.mini",
                    Form::File("extra.deep.two".into())
                ),
                (7, "pack.zip", Form::Archive),
            ]
        );
        let places: Vec<_> = faults
            .iter()
            .map(|fault| (fault.code(), fault.place().unwrap().to_string()))
            .collect();
        assert_eq!(
            places,
            [
                (Code::BadSourceList, format!("{PATH}:8:1")),
                (Code::BadSourceList, format!("{PATH}:9:1")),
                (Code::BadSourceList, format!("{PATH}:10:1")),
            ]
        );
        assert!(
            faults[1]
                .message()
                .contains("neither a source nor an archive")
        );
        std::fs::remove_dir_all(dir).unwrap();
    }
}
