//! Export and read are inverse, and no text makes the reader panic.

use std::collections::HashMap;

use proptest::prelude::*;
use serde_json::{Value, json};

use super::kinds::{Fixed, KINDS};
use super::{changes_nothing, one};
use crate::base::ObjectName;
use crate::contract::{ObjectId, StoredObject};
use crate::enmasse::{Against, Files, Prune, Secrets, export, load, plan, render};

fn object(kind: &str, name: &str, enabled: bool, body: Value) -> StoredObject {
    StoredObject {
        id: ObjectId {
            kind: kind.to_owned(),
            name: ObjectName::new(name).unwrap(),
        },
        version: 1,
        rev: 1,
        enabled,
        body,
        source: "api".to_owned(),
    }
}

fn read_back(text: &str, path: &str) -> Vec<crate::enmasse::Wanted> {
    let variables = Fixed::default();
    let against = Against {
        kinds: KINDS,
        variables: &variables,
        stored: &[],
    };
    match load(&one(path, text), &against) {
        Ok((set, _)) => set.objects,
        Err(faults) => panic!("{faults:?}\n{text}"),
    }
}

/// Texts that trip YAML writers.
const AWKWARD: &[&str] = &[
    "",
    " ",
    "yes",
    "no",
    "null",
    "~",
    "true",
    "1",
    "1.5",
    "0x1F",
    "007",
    "1e3",
    ".inf",
    "- a",
    "a: b",
    "a #b",
    "#a",
    "'",
    "\"",
    "\\",
    "{",
    "[x]",
    "&a",
    "*a",
    "!t",
    "%x",
    "@x",
    "`x",
    "? a",
    ": a",
    "-",
    "---",
    "...",
    "<<",
    "a\nb",
    "\ta",
    "a ",
    "\u{85}",
    "\u{2028}",
    "\u{feff}x",
    "\u{7f}",
    "é",
    "😀",
    "=",
    "2013-09-03",
    "12:30:45",
    "a,b",
    "|",
    ">",
];

/// Any JSON value that a payload may hold.
fn payload() -> impl Strategy<Value = Value> {
    let awkward = prop::sample::select(AWKWARD);
    let text = prop_oneof![
        awkward.prop_map(str::to_owned),
        any::<String>(),
        "[ -~]{0,90}",
    ];
    // Placeholders are filled at reading; a payload without them comes back as it is.
    let text = text.prop_filter("no placeholder", |text| !text.contains("${"));
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        any::<f64>()
            .prop_filter("finite", |n| n.is_finite())
            .prop_map(Value::from),
        text.clone().prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 40, 6, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
            prop::collection::vec((text.clone(), inner), 0..6)
                .prop_map(|pairs| Value::Object(pairs.into_iter().collect())),
        ]
    })
}

fn name() -> impl Strategy<Value = String> {
    prop_oneof![
        "[A-Za-z0-9._-]{1,20}",
        prop::sample::select(vec![
            "yes", "1", "0x1F", "-", "---", "...", ".5", "null", "007"
        ])
        .prop_map(str::to_owned),
    ]
}

fn line() -> impl Strategy<Value = String> {
    "[ -~]{0,30}".prop_filter("no placeholder", |text| !text.contains("${"))
}

fn outgoing(name: &str, enabled: bool, text: &str, n: u8) -> StoredObject {
    let body = json!({
        "headers": {text: text, "B": "b"},
        "url": "http://h/${env.X:-y}",
        "tls": {"verify": enabled},
        "retry": {"attempts": n, "backoff": "1s", "when": ["connect", 500 + u16::from(n)]},
    });
    object("outgoing.http", name, enabled, body)
}

fn channel(name: &str, enabled: bool, text: &str) -> StoredObject {
    let body = json!({
        "service": "a.b", "security": "none", "format": "soap",
        "http": {"path": text, "methods": ["GET"]},
        "soap": {"version": ["1.1"], "namespace": text},
    });
    object("channel.http", name, enabled, body)
}

fn basic(name: &str, enabled: bool, text: &str) -> StoredObject {
    let body = json!({"username": text, "password": "${secret.some-name}"});
    object("security.basic", name, enabled, body)
}

fn job(name: &str, enabled: bool, n: u8, payload: &Value) -> StoredObject {
    let body = json!({"payload": payload, "every": format!("{n}s"), "service": "a.b"});
    object("job", name, enabled, body)
}

fn objects() -> impl Strategy<Value = Vec<StoredObject>> {
    let parts = (0..6u8, name(), any::<bool>(), line(), 1..9u8, payload());
    let one = parts.prop_map(|(kind, name, on, text, n, payload)| match kind {
        0 => basic(&name, on, &text),
        1 => outgoing(&name, on, &text, n),
        2 => channel(&name, on, &text),
        3 => object("service", &name, on, json!({"timeout": "2s"})),
        _ => job(&name, on, n, &payload),
    });
    prop::collection::vec(one, 0..12).prop_map(|mut objects| {
        objects.sort_by(|a, b| a.id.cmp(&b.id));
        objects.dedup_by(|a, b| a.id == b.id);
        objects
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_is_exported_reads_back_without_a_difference(objects in objects()) {
        let exported = export(&objects, KINDS, Secrets::AsReferences);
        prop_assert!(exported.secrets.is_empty());
        for (text, path) in [(exported.to_yaml(), "config/objects.yaml"), (exported.to_json(), "config/objects.json")] {
            let wanted = read_back(&text, path);
            prop_assert_eq!(wanted.len(), objects.len());
            let plan = plan(&objects, &wanted, KINDS, &Fixed::default(), 1);
            prop_assert!(changes_nothing(&plan, Prune::Remove), "{}\n{}", render(&plan, Prune::Keep), text);
            for wanted in &wanted {
                let stored = objects.iter().find(|object| object.id == wanted.id).unwrap();
                prop_assert_eq!(&wanted.body, &stored.body, "exact to the last digit\n{}", text);
            }
        }
        let reversed: Vec<_> = objects.iter().rev().cloned().collect();
        prop_assert_eq!(export(&reversed, KINDS, Secrets::AsReferences).to_yaml(), exported.to_yaml());
    }

    #[test]
    fn no_text_makes_the_reader_panic(text in "([ -~\n\t]|\\PC|[-:{}\\[\\],&*!|>'\"#%@` \n]){0,200}") {
        let variables = Fixed::default();
        let against = Against { kinds: KINDS, variables: &variables, stored: &[] };
        drop(load(&one("f.yaml", text), &against));
    }

    #[test]
    fn no_mutation_of_a_file_makes_the_reader_panic(at in any::<prop::sample::Index>(), cut in 0usize..6, put in "[-:{}\\[\\],&*!|>'\"#$\n\t a1]{0,6}") {
        let file = include_str!("../../../config/objects.yaml");
        let characters: Vec<char> = file.chars().collect();
        let at = at.index(characters.len());
        let end = (at + cut).min(characters.len());
        let text: String = characters[..at].iter().copied().chain(put.chars()).chain(characters[end..].iter().copied()).collect();
        let variables = Fixed::default();
        let against = Against { kinds: KINDS, variables: &variables, stored: &[] };
        if let Err(faults) = load(&one("config/objects.yaml", text), &against) {
            prop_assert!(faults.0.iter().all(|fault| fault.place().is_some()), "{:?}", faults);
        }
    }
}

#[test]
fn secrets_leave_as_references_and_are_listed() {
    let objects = [
        object(
            "security.basic",
            "a",
            true,
            json!({"username": "u", "password": "hunter2"}),
        ),
        object(
            "security.basic",
            "b",
            true,
            json!({"username": "u", "password": "${env.P:-hunter3}"}),
        ),
        object(
            "security.basic",
            "c",
            false,
            json!({"username": "u", "password": "${env.P}"}),
        ),
    ];
    let exported = export(&objects, KINDS, Secrets::AsReferences);
    expect_test::expect![[r#"
        version: 1
        security:
          - name: a
            type: basic
            username: u
            password: "${secret.a.password}"
          - name: b
            type: basic
            username: u
            password: "${secret.b.password}"
          - name: c
            type: basic
            enabled: false
            username: u
            password: "${env.P}"
    "#]]
    .assert_eq(&exported.to_yaml());
    let listed: Vec<_> = exported
        .secrets
        .iter()
        .map(|secret| secret.name.as_str())
        .collect();
    assert_eq!(listed, ["a.password", "b.password"]);
    assert!(
        export(&objects, KINDS, Secrets::InClear)
            .to_yaml()
            .contains("hunter2")
    );
}

#[test]
fn the_scenario_exports_as_people_write_it() {
    let against = Against {
        kinds: KINDS,
        variables: &Fixed::default(),
        stored: &[],
    };
    let files = Files::read(std::path::Path::new("."), None).unwrap();
    let (set, _) = load(&files, &against).unwrap();
    let objects = set.objects.into_iter().map(|wanted| {
        let id = &wanted.id;
        object(&id.kind, id.name.as_str(), wanted.enabled, wanted.body)
    });
    let objects: Vec<_> = objects.collect();
    let exported = export(&objects, KINDS, Secrets::AsReferences).to_yaml();
    expect_test::expect_file!["./scenario.export.yaml"].assert_eq(&exported);
}

#[test]
fn deep_and_large_documents_are_refused_before_they_cost_anything() {
    let against = Against {
        kinds: KINDS,
        variables: &Fixed::default(),
        stored: &[],
    };
    let deep_flow = format!("x: {}", "[".repeat(100_000));
    let deep_block = (0..3_000).fold(String::new(), |text, n| {
        text + " ".repeat(n).as_str() + "a:\n"
    });
    let dashes = format!("x:\n{}", "- ".repeat(50_000));
    let many = format!("x: [{}]", "1,".repeat(210_000));
    let long = format!("x: {}", "y".repeat(17 << 20));
    for (text, what) in [
        (deep_flow, "nested deeper"),
        (deep_block, "nested deeper"),
        (dashes, "nested deeper"),
        (many, "more than"),
        (long, "longer than"),
    ] {
        let faults = load(&one("f.yaml", text), &against).unwrap_err();
        assert!(
            faults.0[0].message().contains(what),
            "{:?}",
            faults.0[0].message()
        );
    }
}

#[test]
fn so_many_problems_are_counted_and_not_shown() {
    let against = Against {
        kinds: KINDS,
        variables: &Fixed::default(),
        stored: &[],
    };
    let job = |n| format!("  - {{ name: j{n}, service: x, every: often }}\n");
    let text = (0..1_000).fold("jobs:\n".to_owned(), |text, n| text + job(n).as_str());
    let faults = load(&one("f.yaml", text), &against).unwrap_err();
    assert_eq!(faults.0.len(), 201);
    assert_eq!(faults.0[200].message(), "800 more problems are not shown");
}

#[test]
fn a_secret_that_an_export_left_out_stays_where_it_is_stored_and_nowhere_else() {
    let key = |name: &str, key: &str| object("security.api_key", name, true, json!({"key": key}));
    let stored = [key("clear", "s3cret"), key("empty", ""), key("set", "old")];
    let text = export(&stored, KINDS, Secrets::AsReferences).to_yaml();
    assert!(!text.contains("s3cret"), "{text}");
    let applied = |text: &str, stored: &[StoredObject]| {
        let variables = Fixed(HashMap::from([("KLADKA_SECRET_SET_KEY", "new")]));
        let against = Against {
            kinds: KINDS,
            variables: &variables,
            stored,
        };
        let (set, warnings) = load(&one("all.yaml", text), &against).unwrap();
        let bodies = set.objects.iter().map(|wanted| wanted.body["key"].clone());
        (bodies.collect::<Vec<_>>(), warnings.len())
    };
    assert_eq!(
        applied(&text, &stored),
        (
            vec![json!("s3cret"), json!(""), json!("${secret.set.key}")],
            0
        ),
        "what is set wins"
    );
    // On another server the secret is missing, and said to be.
    let (bodies, warnings) = applied(&text, &[]);
    assert_eq!((&bodies[0], warnings), (&json!("${secret.clear.key}"), 1));
    // Any other reference means what it says.
    for other in ["${secret.other}", "${env.CLEAR_KEY}", "${secret.empty.key}"] {
        let (bodies, warnings) = applied(&text.replace("${secret.clear.key}", other), &stored);
        assert_eq!((&bodies[0], warnings), (&json!(other), 1));
    }
}
