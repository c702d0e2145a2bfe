//! Sources by path, and the set that engines load from.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::base::{Code, Fault, Place};
use crate::contract::{Source, SourceSet};
use crate::deploy::digest::sha256;
use crate::deploy::options::Limits;

/// Sources by their path relative to the project.
pub(crate) type Files = BTreeMap<String, Arc<Source>>;

/// Makes a source of bytes, or tells why they are none.
pub(crate) fn source(
    path: &str,
    module: &str,
    bytes: Vec<u8>,
    limit: usize,
) -> Result<Arc<Source>, Fault> {
    if bytes.len() > limit {
        return Err(too_large(path, limit));
    }
    let sha256 = sha256(&bytes);
    let text = String::from_utf8(bytes).map_err(|error| not_text(path, &error))?;
    Ok(Arc::new(Source {
        path: path.to_owned(),
        module: module.to_owned(),
        text,
        sha256,
    }))
}

/// Returns a set with one more file, which is no part of the project's services: a test of them.
pub(crate) fn with_file(
    set: &SourceSet,
    path: &str,
    bytes: Vec<u8>,
) -> Result<Arc<SourceSet>, Fault> {
    let mut files = set.by_path.clone();
    let limit = Limits::default().source;
    let made = source(path, &module_name(path), bytes, limit)?;
    files.insert(path.to_owned(), made);
    Ok(source_set(files))
}

/// Returns the fault of a source that is too large.
pub(crate) fn too_large(path: &str, limit: usize) -> Fault {
    Fault::new(
        Code::BadSource,
        format!("source '{path}' is larger than {limit} bytes"),
    )
    .at(Place::new(path, 0, 0))
    .hint("Split it into modules.")
}

fn not_text(path: &str, error: &std::string::FromUtf8Error) -> Fault {
    let good = error.utf8_error().valid_up_to();
    let before = error.as_bytes().get(..good).unwrap_or_default();
    let line = before.split(|byte| *byte == b'\n').count();
    Fault::new(
        Code::BadSource,
        format!("source '{path}' is not UTF-8 at byte {good}"),
    )
    .at(Place::new(path, u32::try_from(line).unwrap_or(0), 0))
    .hint("Save the file as UTF-8.")
}

/// Returns the name by which scripts load a file: its path below its root, dots for slashes, no
/// ending.
pub(crate) fn module_name(below_root: &str) -> String {
    let stem = match below_root.rsplit_once('.') {
        Some((stem, ending)) if !ending.contains('/') => stem,
        _ => below_root,
    };
    stem.replace('/', ".")
}

/// Returns what tells one state of a source from another: its text, and the name by which scripts
/// load it.
pub(crate) fn print(source: &Source) -> String {
    format!("{} {}", source.sha256, source.module)
}

/// Makes the set that engines load from. `scripts/` comes before the listed places, `stdlib/` last.
pub(crate) fn source_set(files: Files) -> Arc<SourceSet> {
    let mut by_rank: Vec<&Arc<Source>> = files.values().collect();
    by_rank.sort_by_key(|source| rank(&source.path));
    let mut by_module: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for source in by_rank {
        let paths = by_module.entry(source.module.clone()).or_default();
        paths.push(source.path.clone());
    }
    Arc::new(SourceSet {
        by_path: files,
        by_module,
    })
}

fn rank(path: &str) -> u8 {
    if path.starts_with("scripts/") {
        0
    } else if path.starts_with("stdlib/") {
        2
    } else {
        1
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scripts_win_over_listed_places_and_those_over_stdlib() {
        let mut files = Files::new();
        for path in [
            "stdlib/a.lua",
            "extra/a.lua",
            "extra/b.lua",
            "stdlib/b.lua",
            "stdlib/b.rhai",
            "scripts/a.lua",
        ] {
            let (_, below) = path.split_once('/').unwrap();
            let made = source(path, &module_name(below), b"x".to_vec(), 10).unwrap();
            files.insert(path.to_owned(), made);
        }
        let set = source_set(files);
        let lua = |name| set.module(name, &["lua"]).unwrap().path.clone();
        assert_eq!(lua("a"), "scripts/a.lua");
        assert_eq!(lua("b"), "extra/b.lua");
        assert_eq!(set.module("b", &["rhai"]).unwrap().path, "stdlib/b.rhai");
        assert!(set.module("a", &["rhai"]).is_none());
    }

    #[test]
    fn module_names_drop_only_the_last_ending() {
        assert_eq!(module_name("linuxjournal/rates.lua"), "linuxjournal.rates");
        assert_eq!(module_name("a.d/rates"), "a.d.rates");
    }

    #[test]
    fn text_that_is_not_utf_8_or_too_large_names_the_file_and_line() {
        let fault = source("scripts/a.lua", "a", b"one\ntwo \xff".to_vec(), 100).unwrap_err();
        assert_eq!(fault.place().unwrap().to_string(), "scripts/a.lua:2");
        let fault = source("scripts/a.lua", "a", vec![b'x'; 11], 10).unwrap_err();
        assert_eq!(fault.code(), Code::BadSource);
        assert!(fault.message().contains("10 bytes"));
    }
}
