//! Export and read are inverse, and no text makes the reader panic.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::kinds::{Fixed, KINDS};
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
        others: &[],
    };
    match load(&Files::one(path, text), &against) {
        Ok((set, _)) => set.objects,
        Err(faults) => panic!("{faults:?}\n{text}"),
    }
}

/// Any JSON value that a payload may hold, with the texts that trip YAML writers.
fn payload() -> impl Strategy<Value = Value> {
    let awkward = prop::sample::select(vec![
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
    ]);
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

fn objects() -> impl Strategy<Value = Vec<StoredObject>> {
    let text = "[ -~]{0,30}".prop_filter("no placeholder", |text| !text.contains("${"));
    let security = (name(), any::<bool>(), text.clone()).prop_map(|(name, on, text)| {
        let body = json!({"username": text, "password": "${secret.some-name}"});
        object("security.basic", &name, on, body)
    });
    let outgoing = (name(), any::<bool>(), text.clone(), any::<bool>(), 1u8..9).prop_map(|(name, on, text, verify, n)| {
        let body = json!({"headers": {&text: &text, "B": "b"}, "url": "http://h/${env.X:-y}", "tls": {"verify": verify},
                          "retry": {"attempts": n, "backoff": "1s", "when": ["connect", 500 + u16::from(n)]}});
        object("outgoing.http", &name, on, body)
    });
    let channel = (name(), any::<bool>(), text.clone()).prop_map(|(name, on, text)| {
        let body = json!({"service": "a.b", "security": "none", "format": "soap", "http": {"path": text, "methods": ["GET"]},
                          "soap": {"version": ["1.1"], "namespace": text}});
        object("channel.http", &name, on, body)
    });
    let job =
        (name(), any::<bool>(), payload(), 1u32..100_000).prop_map(|(name, on, payload, every)| {
            let body = json!({"payload": payload, "every": format!("{every}s"), "service": "a.b"});
            object("job", &name, on, body)
        });
    let service = (name(), any::<bool>())
        .prop_map(|(name, on)| object("service", &name, on, json!({"timeout": "2s"})));
    let any_object = prop_oneof![1 => security, 1 => outgoing, 1 => channel, 2 => job, 1 => service];
    prop::collection::vec(any_object, 0..12).prop_map(|mut objects| {
        objects.sort_by(|a, b| a.id.cmp(&b.id));
        objects.dedup_by(|a, b| a.id == b.id);
        objects
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn what_is_exported_reads_back_without_a_difference(objects in objects()) {
        let exported = export(&objects, KINDS, Secrets::AsReferences);
        prop_assert!(exported.secrets.is_empty());
        for (text, path) in [(exported.to_yaml(), "config/objects.yaml"), (exported.to_json(), "config/objects.json")] {
            let wanted = read_back(&text, path);
            prop_assert_eq!(wanted.len(), objects.len());
            let plan = plan(&objects, &wanted, KINDS, &Fixed::default(), 1);
            prop_assert!(plan.is_empty(Prune::Remove), "{}\n{}", render(&plan, Prune::Keep), text);
            for wanted in &wanted {
                let stored = objects.iter().find(|object| object.id == wanted.id).unwrap();
                prop_assert_eq!(&wanted.body, &stored.body, "exact to the last digit\n{}", text);
            }
        }
        let mut reversed = objects.clone();
        reversed.reverse();
        prop_assert_eq!(export(&reversed, KINDS, Secrets::AsReferences).to_yaml(), exported.to_yaml());
    }

    #[test]
    fn no_text_makes_the_reader_panic(text in "([ -~\n\t]|\\PC|[-:{}\\[\\],&*!|>'\"#%@` \n]){0,200}") {
        let variables = Fixed::default();
        let against = Against { kinds: KINDS, variables: &variables, others: &[] };
        drop(load(&Files::one("f.yaml", text), &against));
    }

    #[test]
    fn no_mutation_of_a_file_makes_the_reader_panic(at in any::<prop::sample::Index>(), cut in 0usize..6, put in "[-:{}\\[\\],&*!|>'\"#$\n\t a1]{0,6}") {
        let file = include_str!("../../../config/objects.yaml");
        let characters: Vec<char> = file.chars().collect();
        let at = at.index(characters.len());
        let end = (at + cut).min(characters.len());
        let text: String = characters[..at].iter().copied().chain(put.chars()).chain(characters[end..].iter().copied()).collect();
        let variables = Fixed::default();
        let against = Against { kinds: KINDS, variables: &variables, others: &[] };
        if let Err(faults) = load(&Files::one("config/objects.yaml", text), &against) {
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
    "#]].assert_eq(&exported.to_yaml());
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
        others: &[],
    };
    let files = Files::read(std::path::Path::new("."), None).unwrap();
    let (set, _) = load(&files, &against).unwrap();
    let objects: Vec<_> = set
        .objects
        .into_iter()
        .map(|wanted| {
            object(
                &wanted.id.kind,
                wanted.id.name.as_str(),
                wanted.enabled,
                wanted.body,
            )
        })
        .collect();
    expect_test::expect![[r#"
        version: 1
        security:
          - name: client1.apikey
            type: api_key
            header: X-API-Key
            key: "${env.KLADKA_CLIENT1_KEY}"
          - name: client2.basic
            type: basic
            username: client2
            password: "${env.KLADKA_CLIENT2_PASSWORD}"
            realm: rates
          - name: client3.wss
            type: wss
            username: client3
            password: "${env.KLADKA_CLIENT3_PASSWORD}"
            passwords: [digest]
            max_clock_skew: 5m
        outgoing:
          http:
            - name: treasury.gov
              url: "${env.TREASURY_URL:-https://data.treasury.gov}"
              path: /feed.svc/DailyTreasuryRealLongTermRateAverageData
              timeout: { connect: 5s, total: 20s }
              retry:
                attempts: 3
                backoff: 500ms..10s
                when: [connect, timeout, 502, 503, 504]
              tls: { verify: true }
              ping: { path: / }
        channels:
          - name: client1.get-rate
            service: linuxjournal.get-rate
            http: { path: /client1/get-rate, methods: [GET, POST] }
            format: json
            wrap: response
            security: client1.apikey
            rate_limit: { limit: 20000, per: 1s, by: security }
          - name: client2.get-rate
            service: linuxjournal.get-rate
            http: { path: /client2/get-rate, methods: [POST] }
            format: xml
            xml: { root: response, namespace: "" }
            security: client2.basic
            rate_limit: { limit: 20000, per: 1s, by: security }
          - name: client3.get-rate
            service: linuxjournal.get-rate
            http: { path: /client3/get-rate, methods: [POST] }
            format: soap
            soap:
              version: ["1.1", "1.2"]
              action: get-rates
              operation: getRate
              namespace: "urn:linuxjournal:rates"
            security: client3.wss
            rate_limit: { limit: 20000, per: 1s, by: security }
        jobs:
          - name: refresh-rates
            service: linuxjournal.update-cache
            every: 1h
            timezone: UTC
            run_at_start: true
            overlap: skip
            catch_up: once
            catch_up_within: 2h
            timeout: 2m
            payload: {}
    "#]].assert_eq(&export(&objects, KINDS, Secrets::AsReferences).to_yaml());
}

#[test]
fn deep_and_large_documents_are_refused_before_they_cost_anything() {
    let against = Against {
        kinds: KINDS,
        variables: &Fixed::default(),
        others: &[],
    };
    let deep_flow = format!("x: {}", "[".repeat(100_000));
    let deep_block = (0..3_000)
        .map(|n| format!("{}a:\n", " ".repeat(n)))
        .collect::<String>();
    let dashes = format!("x:\n{}", "- ".repeat(50_000));
    let many = format!("x: [{}]", "1,".repeat(600_000));
    let long = format!("x: {}", "y".repeat(17 << 20));
    for (text, what) in [
        (deep_flow, "nested deeper"),
        (deep_block, "nested deeper"),
        (dashes, "nested deeper"),
        (many, "more than"),
        (long, "longer than"),
    ] {
        let faults = load(&Files::one("f.yaml", text), &against).unwrap_err();
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
        others: &[],
    };
    let text = "jobs:\n".to_owned()
        + &(0..1_000)
            .map(|n| format!("  - {{ name: j{n}, service: x, every: often }}\n"))
            .collect::<String>();
    let faults = load(&Files::one("f.yaml", text), &against).unwrap_err();
    assert_eq!(faults.0.len(), 201);
    assert_eq!(faults.0[200].message(), "800 more problems are not shown");
}
