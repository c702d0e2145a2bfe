//! `kladka init`: a new project from a template that the binary carries.

use std::fs;
use std::path::Path;

use crate::base::{Code, Fault};
use crate::cli::args::Template;
use crate::cli::out::Out;
use crate::cli::{DONE, Ended};

/// Files of every project.
const COMMON: &[(&str, &str)] = &[
    (
        "config/server.toml",
        include_str!("../../config/server.toml"),
    ),
    (".gitignore", "/data\n*.swp\n"),
    ("pickup-dir/.gitkeep", ""),
];

/// Files of the reference scenario: those of the repository itself.
const RATES: &[(&str, &str)] = &[
    (
        "config/objects.yaml",
        include_str!("../../config/objects.yaml"),
    ),
    (
        "config/objects.dev.yaml",
        include_str!("../../config/objects.dev.yaml"),
    ),
    (
        "scripts/linuxjournal/get_rate.lua",
        include_str!("../../scripts/linuxjournal/get_rate.lua"),
    ),
    (
        "scripts/linuxjournal/update_cache.lua",
        include_str!("../../scripts/linuxjournal/update_cache.lua"),
    ),
    (
        "scripts/linuxjournal/rates.lua",
        include_str!("../../scripts/linuxjournal/rates.lua"),
    ),
    (
        "scripts/rhai/linuxjournal/get_rate.rhai",
        include_str!("../../scripts/rhai/linuxjournal/get_rate.rhai"),
    ),
    (
        "scripts/rhai/linuxjournal/update_cache.rhai",
        include_str!("../../scripts/rhai/linuxjournal/update_cache.rhai"),
    ),
    (
        "scripts/rhai/linuxjournal/rates.rhai",
        include_str!("../../scripts/rhai/linuxjournal/rates.rhai"),
    ),
    (
        "docs/get-rates.soap.xml",
        include_str!("../../docs/get-rates.soap.xml"),
    ),
    (
        "tests/fixtures/treasury/real-long-term-2013-09.xml",
        include_str!("../../tests/fixtures/treasury/real-long-term-2013-09.xml"),
    ),
    (
        "tests/fixtures/treasury/real-long-term-2013-10.xml",
        include_str!("../../tests/fixtures/treasury/real-long-term-2013-10.xml"),
    ),
];

/// Files of an empty project.
const BLANK: &[(&str, &str)] = &[
    ("config/objects.yaml", "version: 1\n"),
    ("scripts/.gitkeep", ""),
];

pub(super) fn run(dir: &Path, template: Template, out: Out) -> Ended {
    if fs::read_dir(dir).is_ok_and(|mut entries| entries.next().is_some()) {
        return Err(Fault::new(
            Code::BadArguments,
            format!("{} is not empty", dir.display()),
        )
        .hint("Name a directory that does not exist yet.")
        .into());
    }
    let own = match template {
        Template::Rates => RATES,
        Template::Blank => BLANK,
    };
    for (path, text) in COMMON.iter().chain(own) {
        write(&dir.join(path), text)?;
    }
    let files = COMMON.len() + own.len();
    let made = serde_json::json!({ "project": dir, "files": files });
    out.document(&made, |_| {
        format!("Created {} ({files} files)", dir.display())
    });
    out.talk(&format!("Next: cd {} && kladka dev", dir.display()));
    Ok(DONE)
}

fn write(path: &Path, text: &str) -> Result<(), Fault> {
    let made = path.parent().map_or(Ok(()), fs::create_dir_all);
    made.and_then(|()| fs::write(path, text)).map_err(|error| {
        Fault::new(
            Code::Storage,
            format!("cannot write {}: {error}", path.display()),
        )
    })
}
