//! Tests of the checks: what is right is left alone. What is wrong stands in `tests/it/diagnostics`.

use std::path::Path;

use super::*;
use crate::contract::SourceSet;
use crate::script::host;

/// Adds the Rhai files below a directory of the repository.
fn gather(dir: &str, files: &mut Vec<(String, String)>) {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    for entry in std::fs::read_dir(root.join(dir)).unwrap().flatten() {
        let path = format!("{dir}/{}", entry.file_name().to_str().unwrap());
        if entry.path().is_dir() {
            gather(&path, files);
        } else if entry.path().extension().is_some_and(|it| it == "rhai") {
            files.push((path, std::fs::read_to_string(entry.path()).unwrap()));
        }
    }
}

fn set_of(files: Vec<(String, String)>) -> SourceSet {
    let mut set = SourceSet::default();
    for (path, text) in files {
        let (_, module) = path.split_once('/').unwrap();
        let module = module.trim_end_matches(".rhai").replace('/', ".");
        let paths = set.by_module.entry(module.clone()).or_default();
        paths.push(path.clone());
        let source = Source {
            path: path.clone(),
            module,
            text,
            sha256: String::new(),
        };
        set.by_path.insert(path, Arc::new(source));
    }
    set
}

/// Returns how many calls there are of functions of scripts and of the language, and what is wrong with them.
fn calls(set: &SourceSet) -> (usize, Vec<String>) {
    let (engines, api) = (kinds::engines(), Api::new(kinds::tables()));
    let all = set.by_path.values();
    let facts = all.map(|it| (&**it, facts(&engines, &api, it).unwrap()));
    let facts: Vec<(&Source, Facts)> = facts.collect();
    let scripts = Scripts::new(
        facts
            .iter()
            .map(|(it, facts)| (&*it.path, &facts.functions)),
    );
    let path_of = |module: &str| {
        let module = set.module(&module.replace('/', "."), &["rhai"]);
        module.map(|source| source.path.clone())
    };
    let mut found = Vec::new();
    let mut count = 0;
    for (source, facts) in &facts {
        for call in &facts.script_calls {
            count += 1;
            let fault = scripts.judge(call, &source.path, path_of);
            found.extend(fault.map(|fault| format!("{}: {fault}", source.path)));
        }
    }
    (count, found)
}

#[test]
fn scripts_that_run_call_nothing_that_is_not_there() {
    let mut files = Vec::new();
    for dir in ["scripts", "stdlib"] {
        gather(dir, &mut files);
    }
    let examples = host::TABLES.iter().flat_map(|table| table.iter());
    let examples = examples.flat_map(|function| function.examples);
    files.extend(examples.enumerate().map(|(number, example)| {
        let text = format!("fn example(ctx) {{ {} }}", example.rhai);
        (format!("scripts/example_{number}.rhai"), text)
    }));
    let (count, found) = calls(&set_of(files));
    assert_eq!(found, Vec::<String>::new());
    assert!(count > 200, "only {count} calls");
}

#[test]
fn a_function_that_a_map_or_a_variable_may_hold_is_not_missed() {
    let file = |name: &str, text: &str| (format!("scripts/{name}.rhai"), text.to_owned());
    let (_, found) = calls(&set_of(vec![
        file("made", "fn make() { #{ shown: |x| x } }"),
        file("set", "fn fill(map) { map.filled = |x| x; map[\"put\"] = |x| x; }"),
        file(
            "used",
            "import \"made\" as made; import \"set\" as set;
             fn own(a) { this + a }
             fn run(map, f) { map.shown(1); map.filled(1); map.put(1); f.call(1, 2); 1.own(2); made::make(); print(type_of(f)); }",
        ),
    ]));
    assert_eq!(found, Vec::<String>::new());
}
