//! Tests of the checks: what is right is left alone. What is wrong stands in `tests/it/diagnostics`.

use std::path::Path;

use futures_util::FutureExt as _;

use super::*;
use crate::base::{Literal, Node, Value};
use crate::check::walk::HostCall;
use crate::contract::{Arg, Args, HostCall as How, HostFn, Receiver, SourceSet, Started, Type};
use crate::script::{host, offline};

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

/// A value that an argument takes, for nearly all functions.
fn good(arg: &Arg) -> (Node, Value) {
    let text = match (arg.name, arg.ty) {
        (_, Type::Int | Type::Number | Type::Duration)
        | ("start" | "stop" | "a" | "b" | "value", _) => {
            return (
                Node::Literal(Literal::Number(1.0), Span::default()),
                Value::Int(1),
            );
        }
        (_, Type::Map) => {
            return (
                Node::Map(Vec::new(), Span::default()),
                Value::Map(crate::base::Map::new()),
            );
        }
        (_, Type::List) => return (Node::List(Vec::new()), Value::List(Vec::new())),
        ("from" | "to" | "moment", _) => "2013-09-03",
        ("unit", _) => "days",
        ("zone", _) => "UTC",
        ("encoding", _) => "hex",
        ("mode", _) => "half_up",
        _ => "1",
    };
    let node = Node::Literal(Literal::Text(text.to_owned()), Span::default());
    (node, Value::text(text))
}

/// Values that arguments of many types do not take.
fn bad() -> Vec<(Node, Value)> {
    let one = Node::Literal(Literal::Number(1.5), Span::default());
    let word = crate::base::Word {
        text: "a".to_owned(),
        span: Span::default(),
    };
    let mut map = crate::base::Map::new();
    map.set("a", Value::Float(1.5));
    let text = Node::Literal(Literal::Text("abc".to_owned()), Span::default());
    vec![
        (
            Node::Literal(Literal::Nothing, Span::default()),
            Value::Null,
        ),
        (
            Node::Literal(Literal::Bool(true), Span::default()),
            Value::Bool(true),
        ),
        (one.clone(), Value::Float(1.5)),
        (text, Value::text("abc")),
        (
            Node::List(vec![one.clone()]),
            Value::List(vec![Value::Float(1.5)]),
        ),
        (
            Node::Map(vec![(Some(word), one)], Span::default()),
            Value::Map(map),
        ),
    ]
}

/// Tells whether a function says of its arguments that they are wrong.
fn refuses(function: &HostFn, values: &[Value]) -> bool {
    let (call, args) = (
        offline::call("t", "lua").unwrap(),
        Args::new(values.to_vec()),
    );
    let result = match function.call {
        How::Now(run) => Some(run(&call, args)),
        How::Either(run) => match run(&call, args) {
            Started::Done(result) => Some(result),
            Started::Later(_) => None,
        },
        How::Wait(run) => run(call, args).now_or_never(),
    };
    result.is_some_and(|it| it.is_err_and(|fault| fault.code() == Code::ScriptArgument))
}

#[tokio::test]
async fn an_argument_that_is_told_of_is_refused_when_it_runs() {
    let (mut tried, mut told) = (0, 0);
    for function in kinds::tables().into_iter().flatten() {
        let args = function.args.iter().filter(|arg| arg.ty != Type::Rest);
        let (nodes, values): (Vec<Node>, Vec<Value>) = args.map(good).unzip();
        if function.receiver == Receiver::Method || refuses(function, &values) {
            continue;
        }
        tried += 1;
        for index in 0..nodes.len() {
            for (node, value) in bad() {
                let (mut nodes, mut values) = (nodes.clone(), values.clone());
                (nodes[index], values[index]) = (node, value);
                let call = HostCall {
                    owner: None,
                    function,
                    span: Span::default(),
                    args: nodes,
                };
                if let Some((fault, _)) = arguments::judge(&call) {
                    told += 1;
                    // The languages count arguments before they call.
                    let counted = fault.message().contains("needs the argument");
                    let path = function.path;
                    assert!(
                        counted || refuses(function, &values),
                        "{path}{values:?} runs, yet: {fault}"
                    );
                }
            }
        }
    }
    assert!(tried > 70 && told > 250, "{tried} functions, {told} told");
}
