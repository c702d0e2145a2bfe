//! What a plan finds, how it reads, and in which order it is applied.

use std::collections::HashMap;

use expect_test::expect;
use serde_json::{Value, json};

use super::kinds::{Fixed, KINDS};
use super::{changes_nothing, one};
use crate::base::{Fault, ObjectName, Place};
use crate::contract::{ObjectId, StoredObject};
use crate::enmasse::plan::Step;
use crate::enmasse::source::Spot;
use crate::enmasse::wanted::Places;
use crate::enmasse::{Against, Change, Plan, Prune, Wanted, load, plan, render};

fn variables() -> Fixed {
    Fixed(HashMap::from([("URL", "http://same"), ("P", "p")]))
}

fn wanted(text: &str) -> Vec<Wanted> {
    let against = Against {
        kinds: KINDS,
        variables: &variables(),
        stored: &[],
    };
    load(&one("config/objects.yaml", text), &against)
        .unwrap()
        .0
        .objects
}

fn stored(kind: &str, name: &str, source: &str, body: Value) -> StoredObject {
    StoredObject {
        id: ObjectId {
            kind: kind.to_owned(),
            name: ObjectName::new(name).unwrap(),
        },
        version: 1,
        rev: 6,
        enabled: true,
        body,
        source: source.to_owned(),
    }
}

fn planned(current: &[StoredObject], text: &str) -> Plan {
    plan(current, &wanted(text), KINDS, &variables(), 7)
}

fn steps(plan: &Plan) -> Vec<String> {
    let step = |step: &Step| match step {
        Step::Add => "add".to_owned(),
        Step::Same => "same".to_owned(),
        Step::Change { fields } => {
            let fields: Vec<_> = fields.iter().map(|field| field.field.as_str()).collect();
            format!("change {}", fields.join(" "))
        }
        Step::Replaced { by } => format!("replaced by {by}"),
        Step::Unmanaged { prunable } => format!("unmanaged prunable={prunable}"),
    };
    let entries = plan.entries.iter();
    entries
        .map(|entry| format!("{} {}: {}", entry.id.kind, entry.id.name, step(&entry.step)))
        .collect()
}

const FILES: &str = r#"
security:
  - { name: client1.apikey, type: api_key, key: "${env.P}" }
  - { name: client2.basic, type: basic, username: client2, password: new-secret }
  - { name: client3.wss, type: wss, username: c, password: "${secret.P:-x}" }
outgoing:
  http:
    - name: bank
      url: ${env.URL}
      timeout: { total: 1m }
jobs:
  - name: refresh
    service: a.b
    every: 60m
    payload: { year: 2013 }
    enabled: false
channels:
  - name: client2.get-rate
    service: a.b
    http: { path: /client2, methods: [GET, POST] }
    format: json
    security: client2.basic
    rate_limit: { limit: 60, per: 1s }
"#;

fn server() -> Vec<StoredObject> {
    vec![
        stored(
            "security.basic",
            "client2.basic",
            "config/objects.yaml:4",
            json!({"username": "client2", "password": "old-secret"}),
        ),
        stored(
            "security.basic",
            "client3.wss",
            "config/objects.yaml:5",
            json!({"username": "c", "password": "x"}),
        ),
        stored(
            "security.api_key",
            "client9.apikey",
            "gui (ana)",
            json!({"key": "k"}),
        ),
        stored(
            "outgoing.http",
            "bank",
            "config/objects.yaml:6",
            json!({"url": "http://same", "timeout": {"connect": "5s", "total": "60s"}, "tls": {"verify": true}}),
        ),
        stored(
            "job",
            "refresh",
            "config/objects.yaml:9",
            json!({"service": "a.b", "every": "1h", "payload": {"year": 2014, "month": 9}}),
        ),
        stored(
            "job",
            "old",
            "config/objects.yaml:20",
            json!({"service": "a.b", "every": "1h"}),
        ),
        stored(
            "channel.http",
            "client2.get-rate",
            "config/objects.yaml:14",
            json!({"service": "a.b", "http": {"path": "/client2", "methods": ["GET"]}, "format": "json",
                   "security": "client2.basic", "rate_limit": {"limit": 100, "per": "1s", "by": "security"}}),
        ),
    ]
}

#[test]
fn a_plan_reads_like_a_change_list_and_shows_no_secret() {
    let plan = planned(&server(), FILES);
    expect![[r#"
        + security.api_key  client1.apikey                                                        config/objects.yaml:3
        ~ security.basic    client2.basic     password  ••• → •••                                 config/objects.yaml:4
        + security.wss      client3.wss                                                           config/objects.yaml:5
        ~ outgoing.http     bank              url  http://same → ${env.URL}                       config/objects.yaml:9
        ~ channel.http      client2.get-rate  http.methods  ["GET"] → ["GET","POST"]              config/objects.yaml:20
        ~ channel.http      client2.get-rate  rate_limit.limit  100 → 60                          config/objects.yaml:23
        ~ job               refresh           enabled  true → false                               config/objects.yaml:12
        ~ job               refresh           payload.year  2014 → 2013                           config/objects.yaml:15
        ~ job               refresh           payload.month  9 → (none)                           config/objects.yaml:15
        - security.basic    client3.wss       replaced by security.wss                            config/objects.yaml:5
        ! security.api_key  client9.apikey    exists on the server only (gui (ana))               unmanaged, kept
        ! job               old               exists on the server only (config/objects.yaml:20)  unmanaged, kept; --prune would remove
        4 to change, 2 to add, 1 to remove, 2 unmanaged.
    "#]].assert_eq(&render(&plan, Prune::Keep));
    expect![[r#"
        + security.api_key  client1.apikey                                            config/objects.yaml:3
        ~ security.basic    client2.basic     password  ••• → •••                     config/objects.yaml:4
        + security.wss      client3.wss                                               config/objects.yaml:5
        ~ outgoing.http     bank              url  http://same → ${env.URL}           config/objects.yaml:9
        ~ channel.http      client2.get-rate  http.methods  ["GET"] → ["GET","POST"]  config/objects.yaml:20
        ~ channel.http      client2.get-rate  rate_limit.limit  100 → 60              config/objects.yaml:23
        ~ job               refresh           enabled  true → false                   config/objects.yaml:12
        ~ job               refresh           payload.year  2014 → 2013               config/objects.yaml:15
        ~ job               refresh           payload.month  9 → (none)               config/objects.yaml:15
        - security.basic    client3.wss       replaced by security.wss                config/objects.yaml:5
        ! security.api_key  client9.apikey    exists on the server only (gui (ana))   unmanaged, kept
        - job               old               in no file any more                     config/objects.yaml:20
        4 to change, 2 to add, 2 to remove, 1 unmanaged.
    "#]].assert_eq(&render(&plan, Prune::Remove));
    let json = serde_json::to_string(&plan).unwrap();
    for secret in ["old-secret", "new-secret"] {
        assert!(!json.contains(secret), "{json}");
        assert!(!render(&plan, Prune::Keep).contains(secret));
    }
    assert_eq!(plan.rev, 7);
}

#[test]
fn the_json_of_a_plan_names_step_field_and_place() {
    let current = [stored(
        "job",
        "a",
        "config/objects.yaml:1",
        json!({"service": "x", "every": "1h"}),
    )];
    let plan = planned(&current, "jobs: [{ name: a, service: x, every: 2h }]");
    assert_eq!(
        serde_json::to_value(&plan).unwrap(),
        json!({"rev": 7, "entries": [{"kind": "job", "name": "a", "source": "config/objects.yaml:1",
            "step": "change", "fields": [
                {"field": "every", "old": "1h", "new": "2h", "place": "config/objects.yaml:1"}]}]})
    );
}

#[test]
fn defaults_spellings_and_nulls_make_no_difference() {
    let current = [
        stored(
            "outgoing.http",
            "o",
            "f.yaml:1",
            json!({"url": "${env.URL}", "ping": null,
            "timeout": {"total": "20s", "connect": "5000ms"}, "headers": {}}),
        ),
        stored(
            "job",
            "j",
            "f.yaml:2",
            json!({"service": "x", "every": "60m", "overlap": "skip"}),
        ),
    ];
    let text = "outgoing: { http: [{ name: o, url: \"${env.URL}\" }] }\njobs: [{ name: j, service: x, every: 1h }]\n";
    assert_eq!(
        steps(&planned(&current, text)),
        ["outgoing.http o: same", "job j: same"]
    );
}

#[test]
fn bodies_that_cannot_be_normalised_are_still_compared_with_the_defaults_of_the_schema() {
    let body = json!({"url": "${env.NOT_HERE}", "tls": {}});
    let wanted = |body| {
        vec![Wanted {
            id: stored("outgoing.http", "o", "", json!({})).id,
            enabled: true,
            body,
            source: "api".to_owned(),
            places: Places::new(Spot::new(Place::new("api", 0, 0))),
        }]
    };
    let current = [stored("outgoing.http", "o", "api", body)];
    let same = wanted(json!({"url": "${env.NOT_HERE}", "path": ""}));
    assert_eq!(
        steps(&plan(&current, &same, KINDS, &variables(), 1)),
        ["outgoing.http o: same"]
    );
    let other = wanted(json!({"url": "${env.NOT_HERE}", "path": "/x"}));
    assert_eq!(
        steps(&plan(&current, &other, KINDS, &variables(), 1)),
        ["outgoing.http o: change path"]
    );
}

#[test]
fn changes_follow_the_references_and_removals_come_last() {
    let text = r#"
channels:
  - { name: c, service: x, http: { path: / }, format: json, security: s }
outgoing: { http: [{ name: o, url: "http://h", security: s }] }
security: [{ name: s, type: basic, username: u, password: "${env.P}" }]
"#;
    let current = [
        stored(
            "security.basic",
            "gone",
            "config/objects.yaml:1",
            json!({"username": "u", "password": "p"}),
        ),
        stored(
            "channel.http",
            "gone",
            "config/objects.yaml:2",
            json!({"service": "x", "http": {"path": "/x"},
            "format": "json", "security": "gone"}),
        ),
        stored("job", "mine", "api", json!({"service": "x", "every": "1h"})),
    ];
    let order = |prune| {
        let changes = planned(&current, text).changes(prune);
        let line = |change: &Change| match change {
            Change::Put { id, .. } => format!("put {id}"),
            Change::Delete { id } => format!("delete {id}"),
        };
        changes.iter().map(line).collect::<Vec<_>>()
    };
    let puts = [
        "put security.basic s",
        "put outgoing.http o",
        "put channel.http c",
    ];
    assert_eq!(order(Prune::Keep), puts);
    let mut all = puts.to_vec();
    all.extend(["delete channel.http gone", "delete security.basic gone"]);
    assert_eq!(
        order(Prune::Remove),
        all,
        "what was made elsewhere is never pruned"
    );
}

#[test]
fn what_still_names_a_pruned_object_is_reported() {
    let body = json!({"username": "u", "password": "p"});
    let current = [
        stored("security.basic", "s", "config/objects.yaml:1", body.clone()),
        stored("security.basic", "t", "config/objects.yaml:2", body),
        stored(
            "outgoing.http",
            "mine",
            "api",
            json!({"url": "http://h", "security": "s"}),
        ),
        stored(
            "outgoing.http",
            "other",
            "api",
            json!({"url": "http://h", "security": "t"}),
        ),
    ];
    let files = "security: [{ name: t, type: wss, username: u, password: \"${env.P}\" }]";
    let plan = planned(&current, files);
    assert!(plan.dangling(Prune::Keep).is_empty());
    let faults = plan.dangling(Prune::Remove);
    let messages: Vec<_> = faults.iter().map(Fault::message).collect();
    assert_eq!(
        messages,
        ["outgoing.http mine refers to security.basic s, which would be removed"]
    );
}

#[test]
fn a_change_carries_the_body_as_written() {
    let changes = planned(
        &[],
        "outgoing: { http: [{ name: o, url: \"${env.URL}\", enabled: false }] }",
    )
    .changes(Prune::Keep);
    let id = stored("outgoing.http", "o", "", json!({})).id;
    let put = Change::Put {
        id,
        enabled: false,
        body: json!({"url": "${env.URL}"}),
        source: "config/objects.yaml:1".to_owned(),
    };
    assert_eq!(changes, [put]);
}

#[test]
fn applying_a_plan_leaves_nothing_to_do() {
    let mut current = server();
    let first = planned(&current, FILES);
    for change in first.changes(Prune::Keep) {
        match change {
            Change::Put {
                id,
                enabled,
                body,
                source,
            } => {
                current.retain(|object| object.id != id);
                current.push(StoredObject {
                    id,
                    enabled,
                    body,
                    source,
                    version: 2,
                    rev: 8,
                });
            }
            Change::Delete { id } => current.retain(|object| object.id != id),
        }
    }
    let second = planned(&current, FILES);
    assert!(
        changes_nothing(&second, Prune::Keep),
        "{}",
        render(&second, Prune::Keep)
    );
    assert!(
        !changes_nothing(&second, Prune::Remove),
        "one stays that only pruning removes"
    );
}
