//! `kladka init`: a new project from a template that the binary carries.

use std::fs;
use std::path::Path;

use crate::base::{Code, Fault};
use crate::cli::args::{Lang, Template};
use crate::cli::out::Out;
use crate::cli::{DONE, Ended};

/// Files of every project.
const COMMON: &[(&str, &str)] = &[
    (
        "config/server.toml",
        include_str!("../../config/server.toml"),
    ),
    (".gitignore", "/data\n/.kladka\n*.swp\n"),
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

/// Its scripts in Lua, and their tests.
const LUA: &[(&str, &str)] = &[
    (
        "tests/get_rate.cases.yaml",
        include_str!("../../tests/get_rate.cases.yaml"),
    ),
    (
        "tests/update_cache_test.lua",
        include_str!("../../tests/update_cache_test.lua"),
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
];

/// Its scripts in Rhai. The repository has them beside those in Lua; a project of its own has them in their place.
const RHAI: &[(&str, &str)] = &[
    (
        "tests/get_rate.cases.yaml",
        include_str!("../../tests/rhai/get_rate.cases.yaml"),
    ),
    (
        "tests/update_cache_test.rhai",
        include_str!("../../tests/rhai/update_cache_test.rhai"),
    ),
    (
        "scripts/linuxjournal/get_rate.rhai",
        include_str!("../../scripts/rhai/linuxjournal/get_rate.rhai"),
    ),
    (
        "scripts/linuxjournal/update_cache.rhai",
        include_str!("../../scripts/rhai/linuxjournal/update_cache.rhai"),
    ),
    (
        "scripts/linuxjournal/rates.rhai",
        include_str!("../../scripts/rhai/linuxjournal/rates.rhai"),
    ),
];

/// Where the objects begin in config/objects.yaml that a project in one language does not need.
const BESIDE: &str = "\n  # The same in Rhai";

/// Files of an empty project.
const BLANK: &[(&str, &str)] = &[
    ("config/objects.yaml", "version: 1\n"),
    ("scripts/.gitkeep", ""),
];

pub(super) fn run(dir: &Path, template: Template, lang: Lang, out: Out) -> Ended {
    if fs::read_dir(dir).is_ok_and(|mut entries| entries.next().is_some()) {
        return Err(Fault::new(
            Code::BadArguments,
            format!("{} is not empty", dir.display()),
        )
        .hint("Name a directory that does not exist yet.")
        .into());
    }
    let scripts = match lang {
        Lang::Lua => LUA,
        Lang::Rhai => RHAI,
    };
    let own = match template {
        Template::Rates => [RATES, scripts].concat(),
        Template::Blank => BLANK.to_vec(),
    };
    for (path, text) in COMMON.iter().chain(&own) {
        write(&dir.join(path), &alone(path, text))?;
    }
    let files = COMMON.len() + own.len();
    let made = serde_json::json!({ "project": dir, "files": files });
    out.document(&made, |_| {
        format!("Created {} ({files} files)", dir.display())
    });
    out.talk(&format!("Next: cd {} && kladka dev", dir.display()));
    Ok(DONE)
}

/// Makes of a file of the repository, which has the services twice, one of a project that has them in one language.
fn alone(path: &str, text: &str) -> String {
    match path {
        "config/objects.yaml" => text.split(BESIDE).next().unwrap_or_default().to_owned(),
        _ => text
            .replace("rhai/linuxjournal", "linuxjournal")
            .replace("linuxjournal.rhai.", "linuxjournal."),
    }
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
