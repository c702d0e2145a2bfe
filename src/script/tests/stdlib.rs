//! The twins of `stdlib/`: every case runs in both languages, every function has a case, a twin and its place in
//! `docs/stdlib.md`.
//!
//! A file of cases belongs to one module. `functions` are those that cases hand over, by name: `"$double"`; `"$ctx"` is the
//! context. A case calls a function with `args`, or has an expression in each language, and names its result or a part of
//! its error.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use expect_test::expect_file;
use serde_json::Value as Json;

use crate::base::Value;
use crate::contract::{Engine, SourceSet};
use crate::script::lua::LuaEngine;
use crate::script::rhai::RhaiEngine;
use crate::script::tests::world::{World, load_from, on_core, sources};

/// The modules, in the order of the documentation.
const MODULES: &[&str] = &[
    "strings",
    "collections",
    "dates",
    "mapping",
    "validation",
    "retry",
    "fanout",
];

const LANGUAGES: &[&str] = &["lua", "rhai"];

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn read(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn source(module: &str, language: &str) -> String {
    read(&root().join(format!("stdlib/{module}.{language}")))
}

fn cases(module: &str) -> Json {
    let text = read(&root().join(format!("src/script/tests/stdlib/{module}.json")));
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{module}: {error}"))
}

// ---------------------------------------------------------------- functions and their documentation

/// A public function of a module: its name, its longest list of arguments, its documentation.
#[derive(Debug, PartialEq)]
struct Function {
    name: String,
    args: Vec<String>,
    doc: String,
}

/// Returns the text about the module and its public functions.
fn functions(module: &str, language: &str) -> (String, Vec<Function>) {
    let text = source(module, language);
    let (comment, start) = match language {
        "lua" => ("---", format!("function {module}.")),
        _ => ("///", "fn ".to_owned()),
    };
    let about: Vec<&str> = text
        .lines()
        .map_while(|line| line.strip_prefix(if language == "lua" { "---" } else { "//" }))
        .collect();
    let mut found: Vec<Function> = Vec::new();
    let mut doc = Vec::new();
    for line in text.lines() {
        if let Some(line) = line.strip_prefix(comment) {
            doc.push(line.trim());
            continue;
        }
        if let Some(rest) = line.strip_prefix(&start) {
            let (name, rest) = rest.split_once('(').unwrap();
            let args = rest.split(')').next().unwrap().split(", ");
            let args: Vec<String> = args.map(str::to_owned).collect();
            match found.iter_mut().find(|known| known.name == name) {
                // The same with less arguments: the first one is documented.
                Some(known) => assert!(known.args.starts_with(&args), "{module}::{name}"),
                None => found.push(Function {
                    name: name.to_owned(),
                    args,
                    doc: doc.join(" "),
                }),
            }
        }
        doc.clear();
    }
    let about: Vec<&str> = about.into_iter().map(str::trim).collect();
    (about.join(" "), found)
}

#[test]
fn the_twins_have_the_same_functions_and_say_the_same() {
    for module in MODULES {
        let (about, lua) = functions(module, "lua");
        let (rhai_about, rhai) = functions(module, "rhai");
        assert_eq!(about, rhai_about, "{module}");
        assert!(!lua.is_empty(), "{module}");
        let names = |all: &[Function]| -> BTreeSet<String> {
            all.iter().map(|one| one.name.clone()).collect()
        };
        assert_eq!(names(&lua), names(&rhai), "{module}");
        for one in &lua {
            let twin = rhai.iter().find(|twin| twin.name == one.name).unwrap();
            let doc = twin.doc.replace("::", ".");
            assert_eq!(one.doc, doc, "{module}.{}", one.name);
            assert!(one.doc.ends_with('.'), "{module}.{}", one.name);
            assert_eq!(one.args.len(), twin.args.len(), "{module}.{}", one.name);
        }
    }
}

#[test]
fn every_module_and_function_has_cases() {
    let mut found: Vec<String> = std::fs::read_dir(root().join("stdlib"))
        .unwrap()
        .flatten()
        .filter_map(|entry| entry.path().file_stem()?.to_str().map(str::to_owned))
        .collect();
    found.sort();
    found.dedup();
    let mut listed: Vec<&str> = MODULES.to_vec();
    listed.sort_unstable();
    assert_eq!(found, listed);
    for module in MODULES {
        let text = cases(module)["cases"].to_string();
        for one in functions(module, "lua").1 {
            let called = text.contains(&format!("\"call\":\"{}\"", one.name));
            let named = text.contains(&format!("{module}.{}(", one.name));
            assert!(called || named, "{module}.{} has no case", one.name);
        }
    }
}

#[test]
fn the_documentation_lists_every_function() {
    let mut page = include_str!("stdlib/intro.md").to_owned();
    for module in MODULES {
        let (about, functions) = functions(module, "lua");
        writeln!(
            page,
            "\n## {module}\n\n{about}\n\n| Function | Result |\n|---|---|"
        )
        .unwrap();
        for one in functions {
            let args = one.args.join(", ");
            writeln!(page, "| `{}({args})` | {} |", one.name, one.doc).unwrap();
        }
        let more = root().join(format!("src/script/tests/stdlib/{module}.md"));
        if more.exists() {
            page.push('\n');
            page.push_str(&read(&more));
        }
    }
    // `UPDATE_EXPECT=1` writes it.
    expect_file!["../../../docs/stdlib.md"].assert_eq(&page);
}

// ---------------------------------------------------------------- cases

/// Writes a value as a literal of a language.
fn literal(value: &Json, language: &str, functions: &Json) -> String {
    let lua = language == "lua";
    match value {
        Json::Null if lua => "nil".to_owned(),
        Json::Null => "()".to_owned(),
        Json::String(text) if text == "$ctx" => "ctx".to_owned(),
        Json::String(text) if text.starts_with('$') => {
            let function = &functions[text.trim_start_matches('$')][language];
            format!(
                "({})",
                function.as_str().unwrap_or_else(|| panic!("{text}"))
            )
        }
        // Escapes of JSON beyond ASCII are none of these languages', but serde writes such letters as they are.
        Json::String(_) => value.to_string(),
        Json::Array(list) => {
            let members: Vec<String> = list
                .iter()
                .map(|member| match member {
                    Json::Null if lua => "json.null".to_owned(),
                    _ => literal(member, language, functions),
                })
                .collect();
            let members = members.join(", ");
            match (lua, list.is_empty()) {
                (true, true) => "json.parse('[]')".to_owned(),
                (true, false) => format!("{{ {members} }}"),
                (false, _) => format!("[{members}]"),
            }
        }
        Json::Object(map) => {
            let members = map.iter().map(|(name, member)| {
                let (name, member) = (
                    Json::from(name.as_str()),
                    literal(member, language, functions),
                );
                if lua {
                    format!("[{name}] = {member}")
                } else {
                    format!("{name}: {member}")
                }
            });
            let members = members.collect::<Vec<_>>().join(", ");
            if lua {
                format!("{{ {members} }}")
            } else {
                format!("#{{ {members} }}")
            }
        }
        scalar => scalar.to_string(),
    }
}

/// Returns what a case does, in a language.
fn expression(module: &str, case: &Json, functions: &Json, language: &str) -> String {
    if let Some(own) = case[language].as_str() {
        return own.to_owned();
    }
    let name = case["call"].as_str().unwrap_or_else(|| panic!("{case}"));
    let args = case["args"].as_array().unwrap_or_else(|| panic!("{case}"));
    let args: Vec<String> = args
        .iter()
        .map(|arg| literal(arg, language, functions))
        .collect();
    let joint = if language == "lua" { "." } else { "::" };
    format!("{module}{joint}{name}({})", args.join(", "))
}

/// Makes a service that runs all cases of a module and answers with what each gave.
fn service(module: &str, all: &Json, language: &str) -> String {
    let list = all["cases"].as_array().unwrap();
    let expressions = list
        .iter()
        .map(|case| expression(module, case, &all["functions"], language));
    let mut text = String::new();
    if language == "lua" {
        write!(
            text,
            "local {module} = require '{module}'\nreturn service {{ name = 't', handle = function(ctx)
  local results = {{}}
  local function case(f)
    local ok, value = pcall(f)
    if ok then
      results[#results + 1] = {{ value = value }}
    else
      results[#results + 1] = {{ error = type(value) == 'string' and value or value.message }}
    end
  end\n"
        )
        .unwrap();
        for expression in expressions {
            writeln!(text, "  case(function() return {expression} end)").unwrap();
        }
        text.push_str("  ctx.response.payload.results = results\nend }\n");
        return text;
    }
    write!(
        text,
        "import \"{module}\" as {module};\nservice(#{{ name: \"t\" }});
fn said(e) {{ if type_of(e) == \"string\" {{ e }} else {{ e.message }} }}\n"
    )
    .unwrap();
    let mut calls = String::new();
    for (index, expression) in expressions.enumerate() {
        writeln!(text, "fn case_{index}(ctx) {{ {expression} }}").unwrap();
        writeln!(
            calls,
            "    try {{ results.push(#{{ value: case_{index}(ctx) }}); }} catch (e) {{ results.push(#{{ error: said(e) }}); }}"
        )
        .unwrap();
    }
    write!(
        text,
        "fn handle(ctx) {{\n    let results = [];\n{calls}    ctx.response.payload.results = results;\n}}\n"
    )
    .unwrap();
    text
}

/// Services that cases call.
const HELPERS: &[(&str, &str)] = &[(
    "scripts/helpers.lua",
    "return {
  service { name = 'double', handle = function(ctx)
    ctx.response.payload.twice = ctx.request.input.n * 2
  end },
  service { name = 'fails', handle = function(ctx)
    ctx.fail { status = 503, code = 'DOWN', message = 'it is down' }
  end },
}",
)];

async fn run(module: &str, language: &str, all: &Json) -> Vec<String> {
    let file = format!("scripts/t.{language}");
    let text = service(module, all, language);
    let modules: Vec<(String, String)> = MODULES
        .iter()
        .map(|module| {
            (
                format!("stdlib/{module}.{language}"),
                source(module, language),
            )
        })
        .collect();
    let mut files = vec![(file.as_str(), text.as_str())];
    files.extend(
        modules
            .iter()
            .map(|(path, text)| (path.as_str(), text.as_str())),
    );
    let world = World::new(HELPERS);
    let set = sources(&files);
    let loaded = load_from(&set, &file);
    let loaded = loaded.unwrap_or_else(|faults| {
        let inner = MODULES
            .iter()
            .map(|module| format!("stdlib/{module}.{language}"));
        let inner = inner
            .filter_map(|path| load_from(&set, &path).err())
            .flatten();
        let blocks: Vec<String> = faults
            .into_iter()
            .chain(inner)
            .map(|fault| fault.block())
            .collect();
        panic!("{module} in {language}: {}", blocks.join("\n"))
    });
    let empty = Value::Map(crate::base::Map::new());
    let answer = loaded.services[0]
        .call(&world.core, world.ctx.clone(), empty)
        .await;
    let answer = answer.unwrap_or_else(|fault| panic!("{module} in {language}: {}", fault.block()));
    let got = Json::from(&answer.value);
    let got = got["results"].as_array().unwrap();
    let list = all["cases"].as_array().unwrap();
    assert_eq!(got.len(), list.len(), "{module} in {language}");
    let wrong = list.iter().zip(got).filter(|(case, got)| !fits(case, got));
    wrong
        .map(|(case, got)| format!("{module} in {language}: {case} gave {got}"))
        .collect()
}

/// Tells whether a case gave what it should.
fn fits(case: &Json, got: &Json) -> bool {
    let message = got["error"].as_str();
    match case["error"].as_str() {
        Some(wanted) => message.is_some_and(|message| message.contains(wanted)),
        None => message.is_none() && same(&case["result"], &got["value"]),
    }
}

/// Compares as JSON does, where 2 and 2.0 are one number.
fn same(wanted: &Json, got: &Json) -> bool {
    match (wanted, got) {
        (Json::Number(wanted), Json::Number(got)) => wanted.as_f64() == got.as_f64(),
        (Json::Array(wanted), Json::Array(got)) => {
            wanted.len() == got.len() && wanted.iter().zip(got).all(|(a, b)| same(a, b))
        }
        (Json::Object(wanted), Json::Object(got)) => {
            let fits = |(name, a): (&String, &Json)| got.get(name).is_some_and(|b| same(a, b));
            wanted.len() == got.len() && wanted.iter().all(fits)
        }
        _ => wanted == got,
    }
}

#[test]
fn every_case_gives_its_result_in_both_languages() {
    on_core(async {
        let mut wrong = Vec::new();
        for module in MODULES {
            let all = cases(module);
            for language in LANGUAGES {
                wrong.extend(run(module, language, &all).await);
            }
        }
        assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    });
}

#[test]
fn a_case_that_gives_something_else_is_seen() {
    let case: Json = serde_json::from_str(r#"{"call": "x", "result": []}"#).unwrap();
    let got = |text| -> Json { serde_json::from_str(text).unwrap() };
    assert!(fits(&case, &got(r#"{"value": []}"#)));
    assert!(!fits(&case, &got(r#"{"value": {}}"#)));
    assert!(!fits(&case, &got(r#"{"value": [1]}"#)));
    assert!(!fits(&case, &got(r#"{"error": "no"}"#)));
    let case: Json = serde_json::from_str(r#"{"call": "x", "error": "no"}"#).unwrap();
    assert!(fits(&case, &got(r#"{"error": "oh no"}"#)));
    assert!(!fits(&case, &got(r#"{"value": 1}"#)));
}

// ---------------------------------------------------------------- what loading takes

/// Returns how long a file takes to load at best, in microseconds.
fn load_time(engine: &dyn Engine, set: &Arc<SourceSet>, path: &str) -> u128 {
    let times = (0..9).map(|_| {
        let begun = Instant::now();
        engine.load(set, path).unwrap();
        begun.elapsed().as_micros()
    });
    times.min().unwrap_or_default()
}

/// `cargo test --release --lib requiring_a_module -- --nocapture` prints what each takes.
#[test]
fn requiring_a_module_of_the_standard_library_takes_little() {
    let tables = crate::script::host::TABLES.to_vec();
    let engines: [&dyn Engine; 2] = [&LuaEngine::new(tables.clone()), &RhaiEngine::new(tables)];
    for (engine, language) in engines.into_iter().zip(LANGUAGES) {
        let end = if *language == "lua" {
            "return service { name = 't', handle = function() end }\n"
        } else {
            "service(#{ name: \"t\" });\nfn handle(ctx) { }\n"
        };
        let mut files = vec![(format!("scripts/none.{language}"), end.to_owned())];
        for module in MODULES {
            files.push((
                format!("stdlib/{module}.{language}"),
                source(module, language),
            ));
            let begin = if *language == "lua" {
                format!("local {module} = require '{module}'\n")
            } else {
                format!("import \"{module}\" as {module};\n")
            };
            files.push((format!("scripts/{module}.{language}"), begin + end));
        }
        let files: Vec<(&str, &str)> = files
            .iter()
            .map(|(path, text)| (path.as_str(), text.as_str()))
            .collect();
        let set = sources(&files);
        let without = load_time(engine, &set, &format!("scripts/none.{language}"));
        println!("{language}: a service without modules {without} µs");
        for module in MODULES {
            let with = load_time(engine, &set, &format!("scripts/{module}.{language}"));
            let more = with.saturating_sub(without);
            println!("{language}: {module} {more} µs more");
            // A quarter of what the top level of a file may take.
            assert!(more < 250_000, "{language}: {module} takes {more} µs");
        }
    }
}
