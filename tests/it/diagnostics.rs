//! What mistakes look like: each case is a file with one mistake, marked by « » where the caret must stand.
//!
//! The first line of a case names the code. `blocks.txt` holds every block as it is shown.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Value as Json, json};

use crate::support::{TestServer, kladka};

/// One file with a mistake.
struct Case {
    /// Such as `lua field`.
    name: String,
    /// Its path in the project.
    path: String,
    code: String,
    text: String,
    /// Line, column and width of what is marked.
    marked: (usize, usize, usize),
}

fn cases(kind: &str) -> Vec<Case> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let dir = root.join("tests/it/diagnostics").join(kind);
    let mut files: Vec<PathBuf> = fs::read_dir(dir)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    files.sort();
    files.iter().map(|file| case(kind, file)).collect()
}

fn case(kind: &str, file: &Path) -> Case {
    let marked_text = fs::read_to_string(file).unwrap();
    let (stem, ending) = (file.file_stem().unwrap(), file.extension().unwrap());
    let (stem, ending) = (stem.to_str().unwrap(), ending.to_str().unwrap());
    let first = marked_text.lines().next().unwrap();
    let before = marked_text.split('«').next().unwrap();
    let inside = marked_text.split(['«', '»']).nth(1).unwrap();
    let start = before.rsplit('\n').next().unwrap();
    Case {
        name: format!("{kind} {ending} {stem}"),
        path: format!("scripts/{kind}/{stem}_{ending}.{ending}"),
        code: first.split(' ').nth(1).unwrap().to_owned(),
        marked: (
            before.matches('\n').count() + 1,
            start.chars().count() + 1,
            inside.chars().count(),
        ),
        text: marked_text.replace(['«', '»'], ""),
    }
}

/// Returns line, column and width of the caret in a block.
fn caret(block: &str) -> Option<(usize, usize, usize)> {
    let place = block
        .lines()
        .find_map(|line| line.trim().strip_prefix("--> "))?;
    let mut parts = place.rsplit(':');
    let column = parts.next()?.parse().ok()?;
    let line = parts.next()?.parse().ok()?;
    let width = block.lines().find_map(|line| {
        let (gutter, rest) = line.split_once('|')?;
        let carets = rest.trim();
        let drawn = gutter.trim().is_empty() && !carets.is_empty();
        (drawn && carets.chars().all(|letter| letter == '^')).then_some(carets.len())
    })?;
    Some((line, column, width))
}

/// Judges one case; returns its block for the snapshot.
fn judge(case: &Case, blocks: &[String], wrong: &mut Vec<String>) -> String {
    let head = format!("[{}]", case.code);
    let Some(block) = blocks.iter().find(|block| block.contains(&head)) else {
        wrong.push(format!("{}: no {} in {blocks:#?}", case.name, case.code));
        return String::new();
    };
    let (line, column, width) = case.marked;
    // An empty mark is a place: something that is missing there.
    let wanted = (line, column, width.max(1));
    if caret(block) != Some(wanted) {
        wrong.push(format!("{}: wanted {wanted:?}, got\n{block}", case.name));
    }
    let told = |block: &&String| block.starts_with("error") && caret(block) == Some(wanted);
    let errors: Vec<&String> = blocks.iter().filter(told).collect();
    if errors.len() > 1 {
        wrong.push(format!("{}: told twice: {errors:#?}", case.name));
    }
    format!("# {}\n{block}\n\n", case.name)
}

fn found(project: &TestServer) -> Vec<Json> {
    let command = kladka(&project.root(), &["check", "--json"]);
    let document: Json = serde_json::from_str(&command.out).unwrap();
    document["findings"].as_array().unwrap().clone()
}

/// Returns the blocks that are about a file.
fn about(findings: &[Json], path: &str) -> Vec<String> {
    let own = findings.iter().filter(|finding| {
        finding["place"]
            .as_str()
            .is_some_and(|place| place.starts_with(path))
    });
    own.map(|finding| finding["diagnostic"].as_str().unwrap().to_owned())
        .collect()
}

fn checked(kinds: &[&str], wrong: &mut Vec<String>) -> String {
    let mut shown = String::new();
    for kind in kinds {
        let project = TestServer::project("rates");
        let cases = cases(kind);
        for case in &cases {
            project.write(&case.path, &case.text);
        }
        let findings = found(&project);
        for case in &cases {
            shown += &judge(case, &about(&findings, &case.path), wrong);
        }
    }
    shown
}

fn configured(wrong: &mut Vec<String>) -> String {
    let mut shown = String::new();
    for case in cases("config") {
        let project = TestServer::project("rates");
        fs::remove_file(project.root().join("config/objects.dev.yaml")).unwrap();
        project.write("config/objects.yaml", &case.text);
        let blocks = about(&found(&project), "config/objects.yaml");
        shown += &judge(&case, &blocks, wrong);
    }
    shown
}

/// Runs services that fail, and takes the blocks from the answer, the log and the command line: they are the same.
fn ran(wrong: &mut Vec<String>) -> String {
    let server = TestServer::project("blank");
    let cases = cases("run");
    for case in &cases {
        server.write(&case.path, &case.text);
    }
    let server = server.start();
    let mut shown = String::new();
    for case in &cases {
        let service = case.text.split('"').nth(1).unwrap();
        let command = kladka(
            &server.root(),
            &["service", "invoke", service, "-p", "pin=1", "--json"],
        );
        let document: Json = serde_json::from_str(&command.out).unwrap();
        let block = document.pointer("/error/diagnostic").and_then(Json::as_str);
        let block = block.unwrap_or_else(|| panic!("{service}: {}", command.out));
        let (head, cid) = block.rsplit_once("\n   = cid: ").unwrap_or((block, ""));
        if cid.len() < 10 || !head.contains("\n   = input: {\"pin\":\"1\"}") {
            wrong.push(format!(
                "{}: cid or input is missing in\n{block}",
                case.name
            ));
        }
        shown += &judge(case, &[head.to_owned()], wrong);
    }
    shown
}

#[test]
fn every_mistake_is_told_with_its_code_its_place_and_a_caret() {
    let mut wrong = Vec::new();
    let mut shown = checked(&["load", "check"], &mut wrong);
    shown += &configured(&mut wrong);
    shown += &ran(&mut wrong);
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
    assert!(shown.matches("\n-->").count() + shown.matches("  -->").count() >= 60);
    expect_test::expect_file!["./diagnostics/blocks.txt"].assert_eq(&shown);
}

#[test]
fn a_check_speaks_sarif_and_fails_on_errors_only() {
    let project = TestServer::project("rates");
    let clean = kladka(&project.root(), &["check"]);
    assert_eq!(clean.code, 0, "{}{}", clean.out, clean.err);
    assert!(
        clean.out.contains("nothing to complain about"),
        "{}",
        clean.out
    );
    let warned =
        "return service { name = \"a.b\", handle = function(ctx)\n  local more = 1\nend }\n";
    project.write("scripts/a.lua", warned);
    assert_eq!(kladka(&project.root(), &["check"]).code, 0);
    assert_eq!(kladka(&project.root(), &["check", "--strict"]).code, 4);
    let broken = warned.replace("local more = 1", "ctx.kvbd:get(\"a\")");
    project.write("scripts/a.lua", broken);
    let failed = kladka(&project.root(), &["check", "--format", "sarif"]);
    assert_eq!(failed.code, 4);
    let document: Json = serde_json::from_str(&failed.out).unwrap();
    assert_eq!(document["version"], "2.1.0");
    let result = &document["runs"][0]["results"][0];
    assert_eq!(result["ruleId"], "KL-S101");
    assert_eq!(result["level"], "error");
    let region = &result["locations"][0]["physicalLocation"]["region"];
    let wanted = json!({ "startLine": 2, "startColumn": 7, "endColumn": 11 });
    assert_eq!(*region, wanted);
    // The same block as for people.
    let people = kladka(&project.root(), &["check"]);
    let block = result["properties"]["diagnostic"].as_str().unwrap();
    assert!(people.err.contains(block), "{}\n{block}", people.err);
}

#[test]
fn a_check_mends_what_is_certain_and_nothing_else() {
    let project = TestServer::project("rates");
    let mut text = String::from("return service { name = \"a.b\", handle = function(ctx)\n");
    writeln!(
        text,
        "  ctx.kvbd:gett(\"a\")\n  ctx.kvdb:get(nothing_like_it)\nend }}"
    )
    .unwrap();
    project.write("scripts/a.lua", &text);
    let fixed = kladka(&project.root(), &["check", "--fix"]);
    assert_eq!(fixed.code, 4, "{}{}", fixed.out, fixed.err);
    assert!(fixed.err.contains("mended 1 name"), "{}", fixed.err);
    // The second is seen when the first is right.
    let fixed = kladka(&project.root(), &["check", "--fix"]);
    assert!(fixed.err.contains("mended 1 name"), "{}", fixed.err);
    let wanted = text.replace("kvbd:gett", "kvdb:get");
    assert_eq!(project.read("scripts/a.lua"), wanted);
    assert!(
        fixed.err.contains("undefined name 'nothing_like_it'"),
        "{}",
        fixed.err
    );
}

#[test]
fn a_name_that_is_misspelt_once_is_told_and_mended_once() {
    let project = TestServer::project("rates");
    let text =
        "service(#{ name: \"a.b\" });\nfn handle(ctx) { ctx.kvdb.gett(json.pars(\"1\")); }\n";
    project.write("scripts/a.rhai", text);
    let fixed = kladka(&project.root(), &["check", "--fix"]);
    assert_eq!(fixed.code, 0, "{}{}", fixed.out, fixed.err);
    assert!(fixed.err.contains("mended 2 names"), "{}", fixed.err);
    let wanted = text.replace("gett", "get").replace("pars", "parse");
    assert_eq!(project.read("scripts/a.rhai"), wanted);
}

#[test]
fn a_check_reads_the_tests_too() {
    let project = TestServer::project("rates");
    let tests = [
        (
            "a_test.lua",
            "test(\"a\", function(t)\n  t:eq(1, 1))\n",
            ":2:13",
        ),
        ("a_test.rhai", "fn test_a(t) {\n    t.eq(1, 1\n}\n", ":3:1"),
        (
            "a.cases.yaml",
            "service: linuxjournal.get-rat\ncases: []\n",
            ":1:10",
        ),
        (
            "b.cases.yaml",
            "service: linuxjournal.get-rate\ncases:\n  - { name: a, inputs: {}, output: {} }\n",
            ":3:16",
        ),
    ];
    for (file, text, _) in tests {
        project.write(&format!("tests/{file}"), text);
    }
    let findings = found(&project);
    for (file, _, place) in tests {
        let place = format!("tests/{file}{place}");
        assert!(
            !about(&findings, &place).is_empty(),
            "{place}: {findings:#?}"
        );
    }
    assert_eq!(findings.len(), tests.len(), "{findings:#?}");
}

#[test]
fn a_code_is_explained_however_it_is_written() {
    let project = TestServer::project("blank");
    for code in ["KL-S101", "s101", "S101"] {
        let explained = kladka(&project.root(), &["explain", code]);
        assert_eq!(explained.code, 0);
        assert!(
            explained.out.starts_with("# KL-S101 Script failed"),
            "{}",
            explained.out
        );
    }
    let unknown = kladka(&project.root(), &["explain", "KL-S999"]);
    assert_eq!(unknown.code, 5);
    assert!(
        unknown.err.contains("there is no error code 'KL-S999'"),
        "{}",
        unknown.err
    );
}
