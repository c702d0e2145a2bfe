//! The rules that guard the architecture. Each has a planted violation that shows that it can fail.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// A source file: its path relative to the repository and its text.
type File = (String, String);

/// Returns all files below a directory of the repository with one of the endings.
fn files(dir: &str, ending: &str) -> Vec<File> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut found = Vec::new();
    let mut left = vec![root.join(dir)];
    while let Some(dir) = left.pop() {
        for entry in fs::read_dir(&dir).unwrap().flatten() {
            let path = entry.path();
            if path.is_dir() {
                left.push(path);
            } else if path.extension().is_some_and(|end| end == ending) {
                let shown = path
                    .strip_prefix(root)
                    .unwrap()
                    .to_string_lossy()
                    .into_owned();
                found.push((shown, fs::read_to_string(&path).unwrap()));
            }
        }
    }
    found.sort();
    found
}

fn source(path: &str, text: &str) -> Vec<File> {
    vec![(path.to_owned(), text.to_owned())]
}

/// Returns a file's text without its tests: what stands below `#[cfg(test)]` at the left edge.
fn without_tests(text: &str) -> &str {
    text.split("\n#[cfg(test)]\nmod tests {")
        .next()
        .unwrap_or(text)
}

fn is_test_file(path: &str) -> bool {
    path.ends_with("/tests.rs") || path.contains("/tests/")
}

/// Lines of code with their numbers; comments are left out.
fn code_lines(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let lines = without_tests(text)
        .lines()
        .enumerate()
        .map(|(index, line)| (index + 1, line));
    lines.filter(|(_, line)| !line.trim_start().starts_with("//"))
}

// ---------------------------------------------------------------- module order

/// Returns the modules of `lib.rs` in their order.
fn order() -> Vec<String> {
    let text =
        fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("src/lib.rs")).unwrap();
    let names = text
        .lines()
        .filter_map(|line| line.trim_start_matches("pub ").strip_prefix("mod "));
    names
        .map(|name| name.trim_end_matches(';').to_owned())
        .collect()
}

fn upward_paths(order: &[String], files: &[File]) -> Vec<String> {
    let place: BTreeMap<&str, usize> = order
        .iter()
        .enumerate()
        .map(|(at, name)| (name.as_str(), at))
        .collect();
    let mut found = Vec::new();
    for (path, text) in files {
        let Some(own) = path
            .strip_prefix("src/")
            .map(|rest| rest.trim_end_matches(".rs"))
        else {
            continue;
        };
        let own = own.split('/').next().unwrap();
        let Some(own_place) = place.get(own) else {
            continue;
        };
        for (line, code) in code_lines(text) {
            for used in code.split("crate::").skip(1) {
                let names = used
                    .strip_prefix('{')
                    .map_or(vec![used], |list| list.split(',').collect());
                for name in names {
                    let name: String = name
                        .trim()
                        .chars()
                        .take_while(|c| c.is_alphanumeric() || *c == '_')
                        .collect();
                    if place.get(name.as_str()).is_some_and(|at| at > own_place) {
                        found.push(format!(
                            "{path}:{line} uses {name}, which stands below {own} in lib.rs"
                        ));
                    }
                }
            }
        }
    }
    found
}

#[test]
fn modules_use_only_those_above_them() {
    assert_eq!(
        upward_paths(&order(), &files("src", "rs")),
        Vec::<String>::new()
    );
    let planted = source("src/base/x.rs", "//! x\nuse crate::gateway::Route;\n");
    assert_eq!(upward_paths(&order(), &planted).len(), 1);
    let planted = source("src/contract/x.rs", "//! x\nuse crate::{base, server};\n");
    assert_eq!(upward_paths(&order(), &planted).len(), 1);
}

// ---------------------------------------------------------------- confinement

/// What may appear only below which paths.
const CONFINED: &[(&str, &[&str])] = &[
    ("sqlx::", &["src/store/"]),
    ("axum::", &["src/admin/"]),
    ("mlua::", &["src/script/lua/"]),
    ("use rhai::", &["src/script/rhai/"]),
    ("corosensei::", &["src/script/rhai/fiber.rs"]),
    ("rustyline::", &["src/cli/terminal.rs"]),
    ("jiff::", &["src/base/zone.rs"]),
    ("std::env::", &["src/config/"]),
    ("println!", &["src/cli/out.rs"]),
    ("eprintln!", &["src/cli/out.rs"]),
    ("tokio::spawn(", &[]),
    ("thread::sleep", &[]),
    ("SystemTime::now", &[]),
    ("Utc::now()", &["src/base/clock.rs"]),
    (
        "unsafe ",
        &[
            "src/script/lua/alarm.rs",
            "src/script/lua/raw.rs",
            "src/script/rhai/fiber.rs",
        ],
    ),
];

fn misplaced(files: &[File]) -> Vec<String> {
    let mut found = Vec::new();
    for (path, text) in files.iter().filter(|(path, _)| !is_test_file(path)) {
        for (line, code) in code_lines(text) {
            for (what, homes) in CONFINED {
                if code.contains(what) && !homes.iter().any(|home| path.starts_with(home)) {
                    found.push(format!("{path}:{line} {what} belongs in {homes:?}"));
                }
            }
        }
    }
    found
}

#[test]
fn libraries_stay_where_they_belong() {
    assert_eq!(misplaced(&files("src", "rs")), Vec::<String>::new());
    for (what, _) in CONFINED {
        let planted = source("src/gateway/x.rs", &format!("//! x\nfn f() {{ {what} }}\n"));
        assert!(!misplaced(&planted).is_empty(), "{what}");
    }
}

/// Folders whose files never use each other, beside the shared files named.
const SIBLINGS: &[(&str, &[&str])] = &[
    ("connect", &[]),
    (
        "format",
        &[
            "answer",
            "content_type",
            "csv_text",
            "json_read",
            "json_write",
            "media",
            "problem",
            "problem_xml",
        ],
    ),
    ("security", &["challenge"]),
];

fn sibling_paths(files: &[File]) -> Vec<String> {
    let mut found = Vec::new();
    for (folder, shared) in SIBLINGS {
        let inside = format!("src/{folder}/");
        for (path, text) in files {
            let Some(own) = path.strip_prefix(&inside) else {
                continue;
            };
            let own = own.trim_end_matches(".rs").split('/').next().unwrap();
            // Tests may hold all of a folder against each other.
            if own == "mod" || is_test_file(path) {
                continue;
            }
            let prefix = format!("crate::{folder}::");
            for (line, code) in code_lines(text) {
                for used in code.split(&prefix).skip(1) {
                    let name: String = used
                        .chars()
                        .take_while(|c| c.is_alphanumeric() || *c == '_')
                        .collect();
                    let is_module = name.starts_with(|c: char| c.is_lowercase());
                    if is_module && name != own && !shared.contains(&name.as_str()) {
                        found.push(format!("{path}:{line} uses its sibling {name}"));
                    }
                }
            }
        }
    }
    found
}

#[test]
fn siblings_do_not_use_each_other() {
    assert_eq!(sibling_paths(&files("src", "rs")), Vec::<String>::new());
    for (folder, _) in SIBLINGS {
        let planted = source(
            &format!("src/{folder}/x.rs"),
            &format!("//! x\nuse crate::{folder}::y::Y;\n"),
        );
        assert_eq!(sibling_paths(&planted).len(), 1, "{folder}");
    }
}

// ---------------------------------------------------------------- shape

const FILE_CAP: usize = 600;
const FUNCTION_CAP: usize = 60;
const CONTRACT_CAP: usize = 1_440;

fn long_files(files: &[File]) -> Vec<String> {
    let lines = |text: &str| without_tests(text).lines().count();
    let long = files
        .iter()
        .filter(|(path, text)| !is_test_file(path) && lines(text) > FILE_CAP);
    long.map(|(path, text)| format!("{path} has {} lines", lines(text)))
        .collect()
}

#[test]
fn files_stay_short() {
    assert_eq!(long_files(&files("src", "rs")), Vec::<String>::new());
    assert_eq!(
        long_files(&source("src/x.rs", &"let x = 1;\n".repeat(FILE_CAP + 1))).len(),
        1
    );
}

fn long_functions(files: &[File]) -> Vec<String> {
    let mut found = Vec::new();
    for (path, text) in files.iter().filter(|(path, _)| !is_test_file(path)) {
        let mut open: Option<(usize, usize)> = None;
        for (number, line) in without_tests(text).lines().enumerate() {
            let indent = line.len() - line.trim_start().len();
            let starts = line.split_whitespace().take(4).any(|word| word == "fn");
            match open {
                None if starts && !line.trim_end().ends_with(['}', ';']) => {
                    open = Some((number, indent));
                }
                Some((start, at)) if line.trim_start().starts_with('}') && indent == at => {
                    if number - start > FUNCTION_CAP {
                        found.push(format!(
                            "{path}:{} function of {} lines",
                            start + 1,
                            number - start
                        ));
                    }
                    open = None;
                }
                _ => {}
            }
        }
    }
    found
}

#[test]
fn functions_stay_short() {
    assert_eq!(long_functions(&files("src", "rs")), Vec::<String>::new());
    let planted = format!("fn f() {{\n{}}}\n", "    x();\n".repeat(FUNCTION_CAP + 2));
    assert_eq!(long_functions(&source("src/x.rs", &planted)).len(), 1);
}

fn large_contract(files: &[File]) -> Option<String> {
    let own = files
        .iter()
        .filter(|(path, _)| path.starts_with("src/contract/"));
    let lines: usize = own.map(|(_, text)| text.lines().count()).sum();
    (lines > CONTRACT_CAP).then(|| format!("src/contract has {lines} lines"))
}

#[test]
fn the_contract_stays_readable() {
    assert_eq!(large_contract(&files("src", "rs")), None);
    let half = "let x = 1;\n".repeat(CONTRACT_CAP / 2);
    let two = |more: &str| {
        let mut files = source("src/contract/a.rs", &half);
        files.extend(source("src/contract/b.rs", &format!("{half}{more}")));
        files.extend(source("src/base/c.rs", &half));
        files
    };
    assert_eq!(large_contract(&two("")), None);
    let one_more = format!("src/contract has {} lines", CONTRACT_CAP + 1);
    assert_eq!(large_contract(&two("fn f() {}\n")), Some(one_more));
}

fn without_heading(files: &[File]) -> Vec<String> {
    files
        .iter()
        .filter(|(_, text)| !text.starts_with("//!"))
        .map(|(path, _)| path.clone())
        .collect()
}

#[test]
fn every_file_says_what_it_is_for() {
    let all: Vec<File> = files("src", "rs")
        .into_iter()
        .chain(files("tests", "rs"))
        .collect();
    assert_eq!(without_heading(&all), Vec::<String>::new());
    assert_eq!(
        without_heading(&source("src/x.rs", "use std::fmt;\n")),
        ["src/x.rs"]
    );
}

fn loose_todos(files: &[File]) -> Vec<String> {
    let mut found = Vec::new();
    for (path, text) in files.iter().filter(|(path, _)| path != "tests/it/tidy.rs") {
        for (number, line) in text.lines().enumerate() {
            let Some((_, rest)) = line.split_once("TODO") else {
                continue;
            };
            let tagged = ["-correctness:", "-hardening:", "-polish:"]
                .iter()
                .any(|tag| rest.starts_with(tag));
            if !tagged || !rest.contains('#') {
                found.push(format!(
                    "{path}:{} TODO without a tag and a number",
                    number + 1
                ));
            }
        }
    }
    found
}

#[test]
fn a_todo_has_a_tag_and_a_number() {
    let all: Vec<File> = files("src", "rs")
        .into_iter()
        .chain(files("tests", "rs"))
        .collect();
    assert_eq!(loose_todos(&all), Vec::<String>::new());
    assert_eq!(
        loose_todos(&source("src/x.rs", "// TODO: later\n")).len(),
        1
    );
    assert_eq!(
        loose_todos(&source("src/x.rs", "// TODO-polish: nicer (#12)\n")).len(),
        0
    );
}

// ---------------------------------------------------------------- lists

/// Returns declared things that no list names: `impl Kind for X` needs `X` in `kinds.rs`.
fn unlisted(files: &[File]) -> Vec<String> {
    let empty = String::new();
    let lists = files
        .iter()
        .find(|(path, _)| path == "src/kinds.rs")
        .map_or(&empty, |(_, text)| text);
    let mut found = Vec::new();
    for (path, text) in files.iter().filter(|(path, _)| !is_test_file(path)) {
        for (line, code) in code_lines(text) {
            for declared in [
                "impl Kind for ",
                "impl FormatMaker for ",
                "impl Engine for ",
            ] {
                let Some((_, name)) = code.split_once(declared) else {
                    continue;
                };
                let name: String = name.chars().take_while(|c| c.is_alphanumeric()).collect();
                if !lists.contains(&name) {
                    found.push(format!("{path}:{line} {name} is not in kinds.rs"));
                }
            }
        }
    }
    found
}

#[test]
fn kinds_formats_and_engines_are_listed() {
    assert_eq!(unlisted(&files("src", "rs")), Vec::<String>::new());
    let planted = source("src/connect/x.rs", "//! x\nimpl Kind for Ftp {\n");
    assert_eq!(unlisted(&planted).len(), 1);
}

fn codes(text: &str) -> Vec<String> {
    let after = text.split("\ncodes! {").nth(1).unwrap_or_default();
    let lines = after
        .lines()
        .filter_map(|line| line.split_once("= \"")?.1.split('"').next());
    lines.map(str::to_owned).collect()
}

fn code_problems(codes: &[String], pages: &BTreeSet<String>) -> Vec<String> {
    let mut found = Vec::new();
    let mut seen = BTreeSet::new();
    for code in codes {
        if !seen.insert(code.clone()) {
            found.push(format!("{code} is used twice"));
        }
        if !pages.contains(code) {
            found.push(format!("docs/errors/{code}.md is missing"));
        }
    }
    found.extend(
        pages
            .difference(&seen)
            .map(|page| format!("docs/errors/{page}.md belongs to no code")),
    );
    found
}

#[test]
fn every_code_has_a_page_and_every_page_a_code() {
    let text =
        fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("src/base/code.rs")).unwrap();
    let page = |(path, _): File| {
        PathBuf::from(path)
            .file_stem()
            .unwrap()
            .to_string_lossy()
            .into_owned()
    };
    let pages: BTreeSet<String> = files("docs/errors", "md").into_iter().map(page).collect();
    let codes = codes(&text);
    assert!(codes.len() > 50, "{codes:?}");
    assert_eq!(code_problems(&codes, &pages), Vec::<String>::new());
    let two = ["A1".to_owned(), "A1".to_owned()];
    assert_eq!(
        code_problems(&two, &BTreeSet::from(["B2".to_owned()])).len(),
        4
    );
}

fn undeclared_tests(files: &[File], main: &str) -> Vec<String> {
    let modules: BTreeSet<&str> = main
        .lines()
        .filter_map(|line| line.strip_prefix("mod ")?.strip_suffix(';'))
        .collect();
    let names = files
        .iter()
        .filter_map(|(path, _)| path.strip_prefix("tests/it/"));
    let top = names.map(|rest| rest.split('/').next().unwrap().trim_end_matches(".rs"));
    top.filter(|name| *name != "main" && !modules.contains(name))
        .map(str::to_owned)
        .collect()
}

#[test]
fn every_test_file_is_part_of_the_binary() {
    let all = files("tests/it", "rs");
    let main = &all
        .iter()
        .find(|(path, _)| path == "tests/it/main.rs")
        .unwrap()
        .1;
    assert_eq!(undeclared_tests(&all, main), Vec::<String>::new());
    assert_eq!(
        undeclared_tests(&source("tests/it/lost.rs", "//! x\n"), main),
        ["lost"]
    );
}

/// Field names of log lines; one word per idea.
const LOG_FIELDS: &[&str] = &[
    "address",
    "attempt",
    "caller",
    "channel",
    "cid",
    "code",
    "detail",
    "diagnostic",
    "elapsed_ms",
    "error",
    "fault",
    "file",
    "fire_time",
    "job",
    "kind",
    "line",
    "name",
    "next",
    "node",
    "note",
    "object",
    "package",
    "path",
    "peer",
    "revision",
    "rev",
    "run",
    "service",
    "services",
    "signal",
    "state",
    "task",
    "thread",
    "trigger",
    "url",
    "version",
    "connection",
    "count",
];

/// What may stand in the text of a log line: lines whose wording is promised, and what scripts say themselves.
const LOG_TEXTS: &[(&str, &str)] = &[
    ("src/deploy/operations.rs", "Uploaded package id:"),
    ("src/script/host/log.rs", "{line}"),
];

/// Returns what stands in the parentheses of each log macro, whether or not it is written with its path.
fn log_calls(text: &str) -> Vec<&str> {
    let mut calls = Vec::new();
    for level in ["error!(", "warn!(", "info!(", "debug!(", "trace!("] {
        for (start, found) in text.match_indices(level) {
            let (before, from) = text.split_at(start);
            let part_of_a_name = before.ends_with(|c: char| c.is_alphanumeric() || c == '_');
            if !part_of_a_name {
                calls.push(arguments(from.split_at(found.len()).1));
            }
        }
    }
    calls
}

/// Returns what stands before the parenthesis that closes the one before `text`; those in literals do not count.
fn arguments(text: &str) -> &str {
    let (mut open, mut quoted, mut escaped) = (1, false, false);
    for (at, c) in text.char_indices() {
        match c {
            _ if escaped => escaped = false,
            '\\' if quoted => escaped = true,
            '"' => quoted = !quoted,
            '(' if !quoted => open += 1,
            ')' if !quoted => open -= 1,
            _ => {}
        }
        if open == 0 {
            return text.split_at(at).0;
        }
    }
    text
}

fn bad_log_lines(files: &[File]) -> Vec<String> {
    let mut found = Vec::new();
    for (path, text) in files.iter().filter(|(path, _)| !is_test_file(path)) {
        for call in log_calls(without_tests(text)) {
            let fields = call.split('"').next().unwrap_or_default();
            for field in fields.split(',') {
                let name = field
                    .split('=')
                    .next()
                    .unwrap()
                    .trim()
                    .trim_start_matches(['%', '?']);
                let simple =
                    !name.is_empty() && name.chars().all(|c| c.is_alphanumeric() || c == '_');
                if simple && !LOG_FIELDS.contains(&name) {
                    found.push(format!("{path}: log field {name} is not in the list"));
                }
            }
            let message = call.rsplit('"').nth(1).unwrap_or_default();
            let promised = LOG_TEXTS
                .iter()
                .any(|(own, start)| path == own && message.starts_with(start));
            if message.contains('{') && !promised {
                found.push(format!("{path}: facts in the log text {message:?}"));
            }
        }
    }
    found
}

#[test]
fn log_lines_have_known_fields_and_constant_texts() {
    assert_eq!(bad_log_lines(&files("src", "rs")), Vec::<String>::new());
    for line in [
        "tracing::info!(%srvc, \"Loaded.\");",
        "info!(%srvc, \"Loaded.\");",
        "warn!(\n    srvc = %(name),\n    \"Loaded.\"\n);",
        "tracing::warn!(%error, \"{message}\");",
        "debug!(code, error = f(\"a (\"), \"Loaded {name}.\");",
    ] {
        let planted = source("src/x.rs", &format!("//! x\nfn f() {{ {line} }}\n"));
        assert_eq!(bad_log_lines(&planted).len(), 1, "{line}");
    }
    let good = source(
        "src/x.rs",
        "fn f() { warn!(%error, \"Not kept.\"); my_error!(a, \"{b}\") }",
    );
    assert_eq!(bad_log_lines(&good), Vec::<String>::new());
}

const GUIDE_LINES: usize = 120;
const GUIDE_COLUMNS: usize = 180;

/// Returns why a guide does not fit on two pages: too many lines, or lines that a page breaks.
fn beyond_two_pages(guide: &str) -> Vec<String> {
    let lines = guide.lines().count();
    let many = (lines > GUIDE_LINES).then(|| format!("{lines} lines"));
    let numbered = (1..).zip(guide.lines());
    let wide = numbered.filter(|(_, line)| line.chars().count() > GUIDE_COLUMNS);
    many.into_iter()
        .chain(wide.map(|(number, _)| format!("line {number} is too wide")))
        .collect()
}

#[test]
fn the_style_guide_fits_on_two_pages() {
    let guide =
        fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/STYLE.md")).unwrap();
    assert_eq!(beyond_two_pages(&guide), Vec::<String>::new());
    let full = "1. A rule.\n".repeat(GUIDE_LINES);
    assert_eq!(beyond_two_pages(&full), Vec::<String>::new());
    assert_eq!(
        beyond_two_pages(&format!("{full}2. One more.\n")),
        ["121 lines"]
    );
    let wide = format!("1. A rule.\n2. {}\n", "word ".repeat(40));
    assert_eq!(beyond_two_pages(&wide), ["line 2 is too wide"]);
}
