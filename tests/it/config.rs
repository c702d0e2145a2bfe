//! Objects and settings as files: checked, compared, applied, exported, and picked up when they are saved.

use serde_json::Value as Json;

use crate::support::{Command, TempDir, TestServer, eventually, kladka, kladka_with};

const ECHO: &str = "return service { name = \"echo\", handle = function(ctx) ctx.response.payload = \"here\" end }\n";
const ONE: &str = "version: 1\nchannels:\n  - { name: one, service: echo, http: { path: /one }, format: json, security: none }\n";

/// A channel named like its path.
fn channel(name: &str) -> String {
    format!(
        "  - {{ name: {name}, service: echo, http: {{ path: /{name} }}, format: json, security: none }}\n"
    )
}

/// A project with one channel, `/one`.
fn project() -> TestServer {
    let server = TestServer::project("blank");
    server.write("scripts/echo.lua", ECHO);
    server.write("config/objects.yaml", ONE);
    server
}

fn status(server: &TestServer, path: &str) -> u16 {
    server.curl(path).data("{}").send().status
}

fn becomes(server: &TestServer, path: &str, wanted: u16) {
    eventually(&format!("{path} answers {wanted}"), || {
        (status(server, path) == wanted).then_some(())
    });
}

fn json(command: &Command) -> Json {
    serde_json::from_str(&command.out)
        .unwrap_or_else(|error| panic!("{error}: {}{}", command.out, command.err))
}

#[test]
fn validate_reports_every_problem_at_once_with_its_place() {
    let project = TestServer::project("blank");
    project.write(
        "config/objects.yaml",
        "version: 1\nchanels: []\nchannels:\n  - name: one\n    service: echo\n    http: { path: /one }\n    fromat: json\n    security: nobody\njobs:\n  - { name: j, service: echo, every: soon }\n",
    );
    project.write(
        "config/objects.d/more.yaml",
        "version: 1\njobs:\n  - { name: j, service: echo, every: 1h }\n",
    );
    let checked = project.kladka(&["config", "validate"]);
    assert_eq!(checked.code, 4, "{}{}", checked.out, checked.err);
    for text in [
        "config/objects.yaml:2:1",
        "Did you mean `channels`?",
        "config/objects.yaml:7:5",
        "Did you mean `format`?",
        "config/objects.yaml:8:15",
        "nobody",
        "config/objects.yaml:10:",
        "soon",
    ] {
        assert!(checked.err.contains(text), "no {text}: {}", checked.err);
    }
    let programs = project.kladka(&["config", "validate", "--json"]);
    assert_eq!((programs.code, programs.err.as_str()), (4, ""));
    let report = json(&programs);
    assert_eq!(report["valid"], false);
    assert!(
        report["errors"].as_array().unwrap().len() >= 4,
        "{}",
        programs.out
    );

    project.write(
        "config/objects.yaml",
        "version: 1\nchannels:\n  - name: one\n   service: x\n",
    );
    let broken = project.kladka(&["config", "validate"]);
    assert_eq!(broken.code, 4);
    assert!(
        broken.err.contains("KL-C100") && broken.err.contains("config/objects.yaml:4"),
        "{}",
        broken.err
    );
}

#[test]
fn what_types_cannot_say_is_reported_beside_wrong_types() {
    let project = TestServer::project("blank");
    project.write(
        "config/objects.yaml",
        "version: 1
channels:
  - name: one
    service: echo
    http: { path: a, methods: GET }
    format: yaml
    security: none
    rate_limit: { limit: 0, per: 1 }
    body_limit: 1GiB
    timeout: 3
  - name: two
    service: echo
    http: { path: 7 }
    format: json
    security: none
jobs:
  - { name: j, service: echo, every: 5, timezone: Mars/X, overlap: skp, repeats: 3 }
  - { name: k, service: echo, evry: 1h }
",
    );
    let checked = project.kladka(&["config", "validate", "--json"]);
    let report = json(&checked);
    let told = report["errors"].as_array().unwrap().iter().map(|error| {
        let text = |key: &str| error[key].as_str().unwrap();
        let place = text("place").strip_prefix("config/objects.yaml:").unwrap();
        format!("{place} {}", text("message"))
    });
    let mut told: Vec<String> = told.collect();
    told.sort();
    assert_eq!(
        told,
        [
            "10:14 channel.http one: 'timeout' must be a duration, not the number 3",
            "13:19 channel.http two: 'http.path' must be a text, not the number 7",
            "17:38 job j: 'every' must be a duration, not the number 5",
            "17:51 job j: timezone 'Mars/X' is not known",
            "17:68 job j: 'overlap' must be one of skip, queue, allow, cancel, not 'skp'",
            "18:31 job k: unknown key 'evry'",
            "5:19 channel.http one: path 'a' must begin with a slash",
            "5:31 channel.http one: 'http.methods' must be a list, not 'GET'",
            "6:13 channel.http one: there is no format 'yaml'; there are json, xml, soap, csv, form, raw",
            "8:17 channel.http one: rate_limit: limit and per must be above zero",
            "8:34 channel.http one: 'rate_limit.per' must be a duration, not the number 1",
            "9:17 channel.http one: body_limit 1GiB must be between 1B and 64MiB",
        ],
        "nothing is said of stand-ins"
    );
}

#[test]
fn what_is_defined_twice_is_named_with_both_places() {
    let project = project();
    project.write(
        "config/objects.d/more.yaml",
        format!("version: 1\nchannels:\n{}", channel("one")),
    );
    let checked = project.kladka(&["config", "validate"]);
    assert_eq!(checked.code, 4, "{}", checked.out);
    assert!(checked.err.contains("KL-C104"), "{}", checked.err);
    for place in ["config/objects.yaml:3", "config/objects.d/more.yaml:3"] {
        assert!(checked.err.contains(place), "{place}: {}", checked.err);
    }
}

#[test]
fn a_plan_fails_on_what_it_is_asked_to_and_a_stale_one_is_not_applied() {
    let server = project().production().start();
    let plan = |fail_on: &str| server.kladka(&["config", "plan", "--fail-on", fail_on]);
    assert_eq!(plan("add,change,remove,drift").code, 0, "nothing to do");

    server.write(
        "config/objects.yaml",
        format!("{ONE}{}", channel("two")).replace("/one }", "/uno }"),
    );
    for (fail_on, code) in [
        ("add", 3),
        ("change", 3),
        ("add,change,drift", 3),
        ("remove,drift", 0),
    ] {
        let planned = plan(fail_on);
        assert_eq!(planned.code, code, "{fail_on}: {}", planned.out);
        assert!(
            planned.out.contains("1 to change, 1 to add"),
            "{}",
            planned.out
        );
        assert!(
            planned.out.contains("/one") && planned.out.contains("/uno"),
            "{}",
            planned.out
        );
    }
    assert_eq!(status(&server, "/two"), 404, "a plan changes nothing");

    let rev = json(&server.kladka(&["config", "plan", "--json"]))["rev"].to_string();
    let apply = |rev: &str| server.kladka(&["config", "apply", "--rev", rev]);
    let applied = apply(&rev);
    assert_eq!(applied.code, 0, "{}", applied.err);
    assert_eq!(status(&server, "/two"), 200);
    server.write("config/objects.yaml", ONE);
    let stale = apply(&rev);
    assert_eq!((stale.code, stale.out.as_str()), (6, ""), "{}", stale.err);
    assert!(stale.err.contains("KL-C409"), "{}", stale.err);
    assert_eq!(status(&server, "/uno"), 200, "nothing of it was applied");

    // What no file names any more is drift: kept, unless pruned.
    let drifting = plan("drift");
    assert_eq!(drifting.code, 3, "{}", drifting.out);
    assert_eq!(server.kladka(&["config", "apply"]).code, 0);
    assert_eq!(status(&server, "/two"), 200);
    let pruned = server.kladka(&["config", "apply", "--prune"]);
    assert_eq!(pruned.code, 0, "{}", pruned.err);
    assert!(pruned.out.contains("1 to remove"), "{}", pruned.out);
    assert_eq!(status(&server, "/two"), 404);
    assert_eq!(plan("add,change,remove,drift").code, 0);
}

#[test]
fn an_unknown_word_after_fail_on_is_wrong_use() {
    let server = TestServer::project("blank").start();
    let refused = server.kladka(&["config", "plan", "--fail-on", "changes"]);
    assert_eq!(
        refused.code, 2,
        "a gate that can never close is a mistake: {}{}",
        refused.out, refused.err
    );
}

#[test]
fn an_export_applied_to_a_fresh_server_leaves_nothing_to_plan() {
    let secrets = [
        ("KLADKA_SECRET_CLIENT1_APIKEY_KEY", "k-1"),
        ("KLADKA_SECRET_CLIENT2_BASIC_PASSWORD", "k-2"),
        ("KLADKA_SECRET_CLIENT3_WSS_PASSWORD", "k-3"),
    ];
    let first = TestServer::dev();
    let dir = TempDir::new();
    for (format, file) in [
        (&["config", "export"][..], "all.yaml"),
        (&["config", "export", "--format", "json"], "all.json"),
        (&["enmasse", "--export"], "old.yaml"),
    ] {
        let exported = first.kladka(format);
        assert_eq!(exported.code, 0, "{}", exported.err);
        assert!(
            !exported.out.contains("demo-1"),
            "an export shows no secret"
        );
        // The demo partner is there in dev only.
        let text = exported
            .out
            .replace("${dev.partner}", "https://example.org");
        let path = dir.path().join(file);
        std::fs::write(&path, text).unwrap();
        let path = path.to_str().unwrap();

        let mut fresh = TestServer::project("blank").production();
        for (name, value) in secrets {
            fresh = fresh.with(name, value);
        }
        let fresh = fresh.start();
        let applied = fresh.kladka(&["enmasse", "--import", path]);
        assert_eq!(applied.code, 0, "{file}: {}{}", applied.out, applied.err);
        assert!(applied.out.contains("8 to add"), "{}", applied.out);
        let planned = fresh.kladka(&[
            "config",
            "plan",
            path,
            "--fail-on",
            "add,change,remove,drift",
        ]);
        assert_eq!(planned.code, 0, "{file}: {}{}", planned.out, planned.err);
        let again = fresh.kladka(format);
        assert_eq!(
            again.out,
            exported
                .out
                .replace("${dev.partner}", "https://example.org"),
            "{file}"
        );
    }
}

#[test]
fn an_export_applied_where_it_was_made_keeps_the_secrets() {
    let server = TestServer::dev();
    let call = || {
        let call = server.curl("/client1/get-rate").header("X-API-Key: demo-1");
        call.data("{}").send().status
    };
    assert_eq!(call(), 200);
    let exported = server.kladka(&["config", "export"]).out;
    assert!(!exported.contains("demo-1"), "{exported}");
    server.write("all.yaml", &exported);
    let file = server.root().join("all.yaml");
    let applied = server.kladka(&["enmasse", "--import", file.to_str().unwrap()]);
    assert_eq!(
        (applied.code, applied.err.as_str()),
        (0, ""),
        "no secret is missing: {}",
        applied.out
    );
    assert!(
        applied.out.contains("0 to change, 0 to add"),
        "{}",
        applied.out
    );
    assert_eq!(call(), 200);

    // An edit of the file beside the secret changes what it names, and only that.
    server.write("all.yaml", exported.replace("realm: rates", "realm: other"));
    let applied = server.kladka(&["config", "apply", file.to_str().unwrap()]);
    assert_eq!(applied.code, 0, "{}", applied.err);
    assert!(applied.out.contains("1 to change"), "{}", applied.out);
    let reply = server
        .curl("/client2/get-rate")
        .args(&["-u", "client2:demo-2"])
        .data("<request/>")
        .send();
    assert_eq!(reply.status, 200, "{}", reply.body);
}

#[test]
fn dev_follows_every_save_of_the_objects() {
    let server = project().start();
    becomes(&server, "/one", 200);
    server.write("config/objects.yaml", format!("{ONE}{}", channel("two")));
    becomes(&server, "/two", 200);
    server.write(
        "config/objects.yaml",
        format!(
            "{ONE}{}",
            channel("two").replace("security: none", "security: none, enabled: false")
        ),
    );
    becomes(&server, "/two", 404);
    let listed = server.kladka(&["channel", "list"]);
    assert!(
        listed
            .out
            .lines()
            .any(|line| line.starts_with("two") && line.contains("disabled")),
        "{}",
        listed.out
    );

    // Broken: the last good state serves, and the mistake shows with its place.
    server.write(
        "config/objects.yaml",
        format!("{ONE}{}", channel("three").replace("format", "fromat")),
    );
    server.log().wait("Did you mean `format`?");
    let line = server.log().wait("config/objects.yaml:4:");
    assert!(!line.is_empty());
    assert_eq!(
        (status(&server, "/one"), status(&server, "/three")),
        (200, 404)
    );
    // Fixed; and what the file no longer names is gone.
    server.write(
        "config/objects.yaml",
        format!("version: 1\nchannels:\n{}", channel("three")),
    );
    becomes(&server, "/three", 200);
    assert_eq!(
        (status(&server, "/one"), status(&server, "/two")),
        (404, 404)
    );
    let listed = server.kladka(&["channel", "list"]).out;
    assert!(
        !listed.contains("/one") && !listed.contains("/two"),
        "{listed}"
    );
}

/// Waits until `/readyz?verbose` shows an area as wrong with a text, and sees that `status` and `doctor` agree.
fn shows(server: &TestServer, area: &str, text: &str) {
    let area = format!("[degraded] {area}\n");
    eventually(&format!("{area} shows {text}"), || {
        let ready = server.admin("/readyz?verbose").send();
        assert_eq!(ready.status, 200, "what serves stays in service");
        (ready.body.contains(&area) && ready.body.contains(text)).then_some(())
    });
    let status = server.kladka(&["status"]).out;
    assert!(status.contains("state      degraded"), "{status}");
    let file = status.lines().find(|line| line.starts_with("degraded "));
    assert!(
        file.is_some_and(|line| line.contains("config/")),
        "{status}"
    );
    let doctor = server.kladka(&["doctor"]);
    assert_eq!(doctor.code, 4, "{}", doctor.out);
    assert!(
        doctor.out.contains("state degraded: config/"),
        "{}",
        doctor.out
    );
    assert!(
        !server
            .admin("/metrics")
            .send()
            .body
            .contains("kladka_degraded 0")
    );
}

/// Waits until nothing is wrong any more.
fn is_well(server: &TestServer) {
    eventually("nothing is wrong", || {
        let ready = server.admin("/readyz?verbose").send().body;
        (!ready.contains("degraded")).then_some(())
    });
    let status = server.kladka(&["status"]).out;
    assert!(status.contains("state      ok"), "{status}");
}

#[test]
fn a_refused_configuration_shows_until_it_is_mended() {
    let server = project().start();
    is_well(&server);
    server.write(
        "config/objects.yaml",
        ONE.replace("format: json", "format: jsn"),
    );
    shows(&server, "objects", "KL-C106");
    server.write("config/objects.yaml", ONE);
    is_well(&server);

    // A text that a client sends is refused to that client; the project's own files are as good as before.
    server.write("other.yaml", ONE.replace("format", "fromat"));
    let file = server.root().join("other.yaml");
    let refused = server.kladka(&["config", "apply", file.to_str().unwrap()]);
    assert_eq!(refused.code, 4, "{}", refused.err);
    is_well(&server);
}

#[test]
fn a_configuration_that_start_refuses_on_sighup_shows_until_it_is_mended() {
    let server = project().production().start();
    server.write("config/objects.yaml", ONE.replace("format", "fromat"));
    server.signal("HUP");
    shows(&server, "objects", "Did you mean `format`?");
    assert_eq!(status(&server, "/one"), 200);
    server.write("config/objects.yaml", ONE);
    server.signal("HUP");
    is_well(&server);

    server.write("config/user/app.toml", "word = \n");
    shows(&server, "settings", "config/user/app.toml:1:");
    server.write("config/user/app.toml", "word = 1\n");
    is_well(&server);

    // By command it is the same, beside the answer.
    server.write("config/objects.yaml", ONE.replace("format", "fromat"));
    assert_eq!(server.kladka(&["config", "apply"]).code, 4);
    shows(&server, "objects", "Did you mean `format`?");
    server.write("config/objects.yaml", ONE);
    assert_eq!(server.kladka(&["config", "apply"]).code, 0);
    is_well(&server);
}

#[test]
fn files_beside_the_objects_are_joined_with_them() {
    let server = project();
    server.write(
        "config/objects.d/10-more.yaml",
        format!("version: 1\nchannels:\n{}", channel("more")),
    );
    server.write("config/objects.d/20-json.json", r#"{"version": 1, "channels": [{"name": "json", "service": "echo", "http": {"path": "/json"}, "format": "json", "security": "none"}]}"#);
    server.write("config/objects.d/notes.txt", "not read");
    let server = server.start();
    for path in ["/one", "/more", "/json"] {
        becomes(&server, path, 200);
    }
    let shown = server.kladka(&["channel", "show", "more"]);
    assert!(
        shown.out.contains("config/objects.d/10-more.yaml:3"),
        "{}",
        shown.out
    );
    std::fs::remove_file(server.root().join("config/objects.d/10-more.yaml")).unwrap();
    becomes(&server, "/more", 404);
    server.write(
        "config/objects.d/30-late.yaml",
        format!("version: 1\nchannels:\n{}", channel("late")),
    );
    becomes(&server, "/late", 200);
}

#[test]
fn two_channels_at_one_path_are_refused_by_both_names() {
    let mut server = project().production();
    let clash = channel("second").replace("/second", "/one");
    server.write("config/objects.yaml", format!("{ONE}{clash}"));
    let checked = server.kladka(&["config", "validate"]);
    assert_eq!(checked.code, 4, "{}{}", checked.out, checked.err);
    for text in ["KL-C104", "'one'", "'second'", "/one"] {
        assert!(checked.err.contains(text), "no {text}: {}", checked.err);
    }
    let refused = server.refuses_to_start();
    assert_eq!(refused.code, 4, "{}", refused.err);
    assert!(refused.err.contains("KL-C104"), "{}", refused.err);

    server.write("config/objects.yaml", ONE);
    server.start_again();
    server.write("config/objects.yaml", format!("{ONE}{clash}"));
    for command in ["plan", "apply"] {
        let refused = server.kladka(&["config", command]);
        assert_eq!(
            (refused.code, refused.out.as_str()),
            (4, ""),
            "{command}: {}",
            refused.err
        );
        assert!(
            refused.err.contains("'one'") && refused.err.contains("'second'"),
            "{command}: {}",
            refused.err
        );
    }
    let listed = server.kladka(&["channel", "list"]).out;
    assert!(!listed.contains("second"), "nothing changed: {listed}");
    assert_eq!(status(&server, "/one"), 200);

    // One that is on the server only and kept goes on serving: the other is degraded, by both names.
    server.write(
        "config/objects.yaml",
        format!("version: 1\nchannels:\n{clash}"),
    );
    let applied = server.kladka(&["config", "apply"]);
    assert_eq!(
        applied.code, 10,
        "done in part: {}{}",
        applied.out, applied.err
    );
    assert!(
        applied.err.contains("'one'") && applied.err.contains("'second'"),
        "{}",
        applied.err
    );
    // It was the other that moved: this one is well again without an edit of its own.
    server.write(
        "config/objects.yaml",
        ONE.replace("path: /one", "path: /elsewhere") + &clash,
    );
    let applied = server.kladka(&["config", "apply"]);
    assert_eq!(applied.code, 0, "{}{}", applied.out, applied.err);
    let listed = server.kladka(&["channel", "list", "--json"]);
    assert!(!listed.out.contains("degraded"), "{}", listed.out);
    // Different methods are no clash.
    server.write(
        "config/objects.yaml",
        ONE.replace("path: /one", "path: /one, methods: [GET]")
            + &clash.replace("path: /one", "path: /one, methods: [POST]"),
    );
    let applied = server.kladka(&["config", "apply"]);
    assert_eq!(applied.code, 0, "{}{}", applied.out, applied.err);
    assert_eq!(server.curl("/one").send().status, 200);
    assert_eq!(status(&server, "/one"), 200);
}

#[test]
fn demo_credentials_never_leave_dev() {
    let server = TestServer::project("rates")
        .production()
        .with("KLADKA_CLIENT2_PASSWORD", "demo-2");
    let refused = server.refuses_to_start();
    assert_eq!(refused.code, 8, "{}", refused.err);
    assert!(
        refused.err.contains("KL-C210") && refused.err.contains("client2.basic"),
        "{}",
        refused.err
    );
    assert!(
        !refused.err.contains("demo-2"),
        "the message does not repeat the secret: {}",
        refused.err
    );

    // Unset, the channel is closed; said as a warning when it starts, and to whoever calls.
    let server = TestServer::project("rates").production().start();
    server.log().wait("KLADKA_CLIENT1_KEY");
    let reply = server
        .curl("/client1/get-rate")
        .header("X-API-Key: x")
        .data("{}")
        .send();
    assert_eq!(
        (reply.status, reply.json()["code"].as_str()),
        (503, Some("KL-A503")),
        "{}",
        reply.body
    );
    assert!(
        !reply.body.contains("KLADKA_CLIENT1_KEY"),
        "callers learn nothing of our settings: {}",
        reply.body
    );
}

#[test]
fn a_channel_that_can_only_answer_503_is_degraded_and_says_why() {
    let listed = |server: &TestServer, name: &str| {
        let listed = server.kladka(&["channel", "list"]);
        let row = listed.out.lines().find(|line| line.starts_with(name));
        let row = row.unwrap_or_else(|| panic!("no {name}: {}", listed.out));
        let state = if row.contains(" degraded ") {
            "degraded"
        } else {
            "ok"
        };
        assert!(row.contains(&format!(" {state} ")), "{row}");
        (state, listed.err)
    };
    let server = project().start();
    assert_eq!(listed(&server, "one"), ("ok", String::new()));
    std::fs::remove_file(server.root().join("scripts/echo.lua")).unwrap();
    becomes(&server, "/one", 503);
    let (state, why) = listed(&server, "one");
    assert_eq!(state, "degraded");
    assert!(why.contains("KL-S503") && why.contains("'echo'"), "{why}");
    let ready = server.admin("/readyz?verbose").send();
    assert_eq!(ready.status, 200, "load balancers keep sending");
    assert_eq!(server.curl("/-/ready").send().status, 200);
    let why = "[degraded] channels\nerror[KL-S503]: channel 'one': service 'echo'";
    assert!(ready.body.contains(why), "{}", ready.body);
    server.write("scripts/echo.lua", ECHO);
    becomes(&server, "/one", 200);
    assert_eq!(listed(&server, "one").0, "ok");
    is_well(&server);

    // A credential that is not set, while another one's is.
    let server = TestServer::project("rates")
        .production()
        .with("KLADKA_CLIENT1_KEY", "k-1")
        .start();
    assert_eq!(listed(&server, "client1").0, "ok");
    let (state, why) = listed(&server, "client2");
    assert_eq!(state, "degraded");
    assert!(
        why.contains("KL-A503") && why.contains("'client2.basic' has no credential"),
        "{why}"
    );
    assert!(!why.contains("client1"), "{why}");
    let shown = json(&server.kladka(&["channel", "show", "client2.get-rate"]));
    assert_eq!(shown["state"], "degraded");
    let ready = server.admin("/readyz?verbose").send();
    assert_eq!(ready.status, 200);
    assert!(
        ready.body.contains("channel 'client2.get-rate'"),
        "{}",
        ready.body
    );
    let status = server.kladka(&["status"]).out;
    assert!(
        status.contains("degraded   channel.http client2.get-rate"),
        "{status}"
    );
}

#[test]
fn settings_of_scripts_are_read_again_when_they_are_saved() {
    let server = TestServer::project("blank");
    server.write("scripts/greet.lua", "return service { name = \"greet\", handle = function(ctx) ctx.response.payload = { word = ctx.config.app.word, deep = ctx.config.app.limits.count } end }");
    server.write(
        "config/user/app.toml",
        "word = \"hello\"\n[limits]\ncount = 3\n",
    );
    let server = server.production().start();
    let said = || {
        server
            .kladka(&["service", "invoke", "greet"])
            .out
            .trim()
            .to_owned()
    };
    assert_eq!(said(), r#"{"deep":3,"word":"hello"}"#);
    server.write(
        "config/user/app.toml",
        "word = \"ahoj\"\n[limits]\ncount = 4\n",
    );
    eventually("the new settings", || {
        (said() == r#"{"deep":4,"word":"ahoj"}"#).then_some(())
    });
    server.write("config/user/app.toml", "word = \n");
    server.log().wait("config/user/app.toml:1:");
    assert_eq!(
        said(),
        r#"{"deep":4,"word":"ahoj"}"#,
        "the last good settings stay"
    );
    server.write(
        "config/user/app.toml",
        "word = \"again\"\n[limits]\ncount = 5\n",
    );
    eventually("the fixed settings", || {
        (said() == r#"{"deep":5,"word":"again"}"#).then_some(())
    });
}

#[test]
fn a_file_given_to_apply_is_checked_like_any_other() {
    let server = project().production().start();
    server.write("more.yaml", "version: 1\nchannels:\n  - { name: bad, service: echo, http: { path: nowhere }, format: json, security: none }\n");
    let root = server.root();
    let refused = kladka_with(&root, &["config", "apply", "more.yaml"], &[], "");
    assert_eq!(refused.code, 4, "{}{}", refused.out, refused.err);
    assert!(refused.err.contains("more.yaml:3:"), "{}", refused.err);
    let missing = kladka_with(&root, &["config", "apply", "missing.yaml"], &[], "");
    assert_eq!(missing.code, 2, "{}", missing.err);
    assert!(
        kladka(&root, &["config", "plan"])
            .out
            .contains("0 to change, 0 to add")
    );
}
