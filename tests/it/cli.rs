//! The command line through the binary: what each command prints where, and how it ends.

use std::process::Stdio;

use serde_json::{Value as Json, json};

use crate::support::{Command, Gate, TestServer, binary, kladka, kladka_with};

const RATE: &str = "linuxjournal.get-rate";
const EXTRA: &str = "return service { name = \"extra.hello\", handle = function(ctx) ctx.response.payload = \"hello\" end }\n";
/// Services that show how a call can end.
const ENDINGS: &str = r#"
return {
  service { name = "ends.well", handle = function(ctx) ctx.response.payload = ctx.request.input end },
  service { name = "ends.badly", handle = function(ctx) ctx.fail { status = 502, message = "the partner is away" } end },
  service { name = "ends.wrong", handle = function(ctx) error("this is a mistake") end },
  service { name = "ends.strict", input = { "count:int" }, output = { "twice:int" }, handle = function(ctx)
    ctx.response.payload.twice = 2 * ctx.request.input.count
  end },
  service { name = "ends.never", handle = function(ctx) while true do end end },
  service { name = "ends.late", timeout = "200ms", handle = function(ctx) ctx.outgoing.http["gate"]:get() end },
}
"#;

fn parsed(command: &Command) -> Json {
    serde_json::from_str(&command.out)
        .unwrap_or_else(|error| panic!("{error}: {:?}\n{}", command.out, command.err))
}

/// A project whose services end in every way.
fn endings(gate: &Gate) -> TestServer {
    let server = TestServer::project("blank");
    server.write("scripts/ends.lua", ENDINGS);
    let objects = format!(
        "version: 1\noutgoing:\n  http:\n    - {{ name: gate, url: \"{}\" }}\n",
        gate.url()
    );
    server.write("config/objects.yaml", objects);
    server.start()
}

#[test]
fn a_message_of_a_script_does_not_steer_the_terminal() {
    let server = TestServer::project("blank");
    let text = "return service { name = \"a.b\", handle = function(ctx) ctx.fail \"a\\27]0;owned\\7\\nb\" end }\n";
    server.write("scripts/a.lua", text);
    let server = server.start();
    let failed = kladka(&server.root(), &["service", "invoke", "a.b"]);
    assert!(
        failed.err.contains(r"a\u{1b}]0;owned\u{7}"),
        "{}",
        failed.err
    );
    assert!(!failed.err.contains('\u{1b}'), "{}", failed.err);
    // Programs get it as it is.
    let failed = kladka(&server.root(), &["service", "invoke", "a.b", "--json"]);
    let document: Json = serde_json::from_str(&failed.out).unwrap();
    assert_eq!(document["error"]["detail"], "a\u{1b}]0;owned\u{7}\nb");
}

#[test]
fn who_has_read_enough_ends_no_command_with_a_panic() {
    let mut command = binary();
    command.args(["explain", "KL-S101"]);
    let command = command.stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    drop(child.stdout.take());
    let ended = child.wait_with_output().unwrap();
    assert!(ended.stderr.is_empty(), "{ended:?}");
    assert_eq!(ended.status.code(), Some(0), "{ended:?}");
}

#[test]
fn every_command_speaks_to_people_and_to_programs() {
    let server = TestServer::dev();
    server.log().wait("Job executed");
    let extra = server.root().join("extra.lua");
    std::fs::write(&extra, EXTRA).unwrap();
    let extra = extra.to_str().unwrap();
    // Each with a piece of its text for people, and a place in its document with what stands there.
    let commands: &[(&[&str], &str, &str, Json)] = &[
        (
            &["version"],
            "kladka 0",
            "/version",
            json!(env!("CARGO_PKG_VERSION")),
        ),
        (&["status"], "state      ok", "/channels", json!(3)),
        (
            &["doctor"],
            "in use by this server",
            "/checks/0/state",
            json!("ok"),
        ),
        (
            &["service", "list"],
            "json xml soap",
            "/services/0/name",
            json!(RATE),
        ),
        (
            &["service", "show", RATE],
            "year:int? month:int? day:int?",
            "/output/0",
            json!("rate?"),
        ),
        (
            &["service", "invoke", RATE, "-p", "year:=1999"],
            "",
            "/output",
            json!({}),
        ),
        (
            &["service", "reload", RATE],
            "same",
            "/services/0/outcome",
            json!("same"),
        ),
        (
            &["service", "reload", "--all", "--wait"],
            "linuxjournal.update-cache",
            "/applied",
            json!(true),
        ),
        (
            &["service", "history", RATE],
            "r1   20",
            "/revisions/0/revision",
            json!(1),
        ),
        (&["deploy", extra], "extra.hello", "/applied", json!(true)),
        (
            &["service", "invoke", "extra.hello"],
            "hello",
            "/output",
            json!("hello"),
        ),
        (
            &["channel", "list"],
            "/client2/get-rate",
            "/channels/2/format",
            json!("soap"),
        ),
        (
            &["channel", "show", "client1.get-rate"],
            "config/objects.yaml:",
            "/path",
            json!("/client1/get-rate"),
        ),
        (
            &["outgoing", "list"],
            "http://127.0.0.1:",
            "/outgoing/0/url",
            json!("${dev.partner}"),
        ),
        (
            &["outgoing", "ping", "treasury.gov"],
            "answered 200",
            "/status",
            json!(200),
        ),
        (
            &["job", "list"],
            "every 1h",
            "/jobs/0/state",
            json!("scheduled"),
        ),
        (
            &["job", "run", "refresh-rates", "--wait"],
            "done",
            "/state",
            json!("done"),
        ),
        (
            &["job", "next", "refresh-rates", "-n", "2"],
            ":00:00 +00:00 UTC",
            "/timezone",
            json!("UTC"),
        ),
        (
            &["job", "pause", "refresh-rates", "--note", "a note"],
            "is paused",
            "/state",
            json!("paused"),
        ),
        (&["job", "list"], "a note", "/jobs/0/note", json!("a note")),
        (
            &["job", "resume", "refresh-rates"],
            "fires again",
            "/state",
            json!("scheduled"),
        ),
        (
            &["job", "history", "refresh-rates"],
            "manual",
            "/runs/0/trigger",
            json!("manual"),
        ),
        (
            &["config", "validate"],
            "8 objects, no errors",
            "/valid",
            json!(true),
        ),
        (
            &["config", "plan"],
            "0 to change, 0 to add",
            "/counts/add",
            json!(0),
        ),
        (
            &["config", "apply"],
            "0 to change, 0 to add",
            "/now",
            json!(1),
        ),
        (
            &["config", "export"],
            "name: treasury.gov",
            "/version",
            json!(1),
        ),
        (
            &["config", "export", "--format", "json"],
            "\"treasury.gov\"",
            "/version",
            json!(1),
        ),
        (
            &["enmasse", "--export"],
            "name: treasury.gov",
            "/version",
            json!(1),
        ),
    ];
    for (arguments, text, place, value) in commands {
        let people = server.kladka(arguments);
        assert_eq!(
            people.code, 0,
            "{arguments:?}: {}{}",
            people.out, people.err
        );
        assert!(people.out.contains(text), "{arguments:?}: {}", people.out);
        let programs = server.kladka(&[arguments, &["--json"][..]].concat());
        assert_eq!(
            (programs.code, programs.err.as_str()),
            (0, ""),
            "{arguments:?}"
        );
        assert_eq!(
            parsed(&programs).pointer(place),
            Some(value),
            "{arguments:?}: {}",
            programs.out
        );
    }
}

#[test]
fn a_service_is_rolled_back_and_deleted_by_command() {
    let server = TestServer::project("blank").start();
    let file = server.root().join("extra.lua");
    let deploy = |text: &str| {
        std::fs::write(&file, text).unwrap();
        let deployed = server.kladka(&["deploy", file.to_str().unwrap()]);
        assert_eq!(deployed.code, 0, "{}{}", deployed.out, deployed.err);
        deployed.out
    };
    let said = || server.kladka(&["service", "invoke", "extra.hello"]).out;
    assert!(deploy(EXTRA).contains("new r1"));
    assert!(deploy(&EXTRA.replace("\"hello\"", "\"good day\"")).contains("r1 → r2"));
    assert_eq!(said(), "good day\n");

    let back = server.kladka(&["service", "rollback", "extra.hello", "r1"]);
    assert_eq!(back.code, 0, "{}", back.err);
    assert_eq!(said(), "hello\n");
    let unknown = server.kladka(&["service", "rollback", "extra.hello", "r99"]);
    assert_eq!(unknown.code, 5, "{}", unknown.err);

    let deleted = server.kladka(&["service", "delete", "extra.hello"]);
    assert_eq!(deleted.code, 0, "{}", deleted.err);
    assert!(!server.root().join("scripts/extra.lua").exists());
    // The watcher looks again for the next save; the deleted service must not come back with it.
    server.write(
        "scripts/next.lua",
        EXTRA.replace("extra.hello", "extra.next"),
    );
    server.log().wait("extra.next  Service deployed.");
    assert_eq!(server.kladka(&["service", "invoke", "extra.hello"]).code, 5);
    let deployed = server.log().count("extra.hello  Service deployed.");
    assert_eq!(deployed, 3, "two deployments and the rollback");
}

#[test]
fn the_input_of_a_service_comes_in_every_way() {
    let gate = Gate::closed();
    let server = endings(&gate);
    server.write("input.json", r#"{"from":"file"}"#);
    let root = server.root();
    let cases: &[(&[&str], &str, &str)] = &[
        (&["--payload", r#"{"a":1}"#], "", r#"{"a":1}"#),
        (&["--payload", "@input.json"], "", r#"{"from":"file"}"#),
        (
            &["--payload", "-"],
            r#"{"from":"stdin"}"#,
            r#"{"from":"stdin"}"#,
        ),
        (&["-p", "a=1", "-p", "b:=2"], "", r#"{"a":"1","b":2}"#),
        (
            &["--payload", r#"{"a":1}"#, "-p", "a=over"],
            "",
            r#"{"a":"over"}"#,
        ),
        (&["--payload", "[1,2]"], "", "[1,2]"),
        (&["--payload", "{}"], "", ""),
        (&[], "", ""),
    ];
    for (arguments, input, output) in cases {
        let all = [&["service", "invoke", "ends.well"], *arguments].concat();
        let invoked = kladka_with(&root, &all, &[], input);
        assert_eq!(
            (invoked.code, invoked.out.trim()),
            (0, *output),
            "{arguments:?}: {}",
            invoked.err
        );
        assert!(
            invoked.err.contains("ok ·") && invoked.err.contains("cid "),
            "{}",
            invoked.err
        );
    }
    for arguments in [
        ["--payload", "{"],
        ["--payload", "@missing.json"],
        ["-p", "novalue"],
        ["-p", "a:=x"],
    ] {
        let all = [&["service", "invoke", "ends.well"], &arguments[..]].concat();
        let invoked = kladka_with(&root, &all, &[], "");
        assert_eq!(
            (invoked.code, invoked.out.as_str()),
            (2, ""),
            "{arguments:?}: {}",
            invoked.err
        );
        assert!(invoked.err.contains("KL-P400"), "{}", invoked.err);
    }
}

#[test]
fn a_call_ends_with_the_exit_code_of_its_fault() {
    let gate = Gate::closed();
    let server = endings(&gate);
    let cases: &[(&[&str], i32, &str)] = &[
        (&["ends.badly"], 1, "the partner is away"),
        (&["ends.wrong"], 1, "scripts/ends.lua:5:"),
        (&["ends.strict"], 4, "count"),
        (&["ends.strict", "-p", "count=many"], 4, "count"),
        (&["ends.never"], 9, "KL-S301"),
        (&["ends.late"], 9, "KL-S302"),
        (&["ends.wel"], 5, "Did you mean `ends.well`?"),
    ];
    for (arguments, code, text) in cases {
        let all = [&["service", "invoke"], *arguments].concat();
        let people = server.kladka(&all);
        assert_eq!(
            (people.code, people.out.as_str()),
            (*code, ""),
            "{arguments:?}: {}",
            people.err
        );
        assert!(people.err.contains(text), "{arguments:?}: {}", people.err);
        let programs = server.kladka(&[&all[..], &["--json"]].concat());
        assert_eq!(
            (programs.code, programs.err.as_str()),
            (*code, ""),
            "{arguments:?}"
        );
        assert!(
            parsed(&programs)["error"]["code"].is_string(),
            "{}",
            programs.out
        );
    }
    let refused = server.kladka(&[
        "service",
        "invoke",
        "ends.strict",
        "-p",
        "count=many",
        "--json",
    ]);
    let errors = &parsed(&refused)["error"]["errors"];
    assert_eq!(
        (&errors[0]["pointer"], &errors[0]["code"], &errors[1]),
        (&json!("/count"), &json!("KL-I101"), &Json::Null),
        "{}",
        refused.out
    );
    assert!(errors[0]["detail"].is_string(), "{}", refused.out);
    let doubled = server.kladka(&["service", "invoke", "ends.strict", "-p", "count=21"]);
    assert_eq!(doubled.out.trim(), r#"{"twice":42}"#, "{}", doubled.err);
}

#[test]
fn what_does_not_exist_is_named_with_the_closest_that_does() {
    let server = TestServer::dev();
    let cases: &[(&[&str], &str)] = &[
        (&["service", "show", "linuxjournal.get-rat"], RATE),
        (&["service", "invoke", "linuxjournal.getrate"], RATE),
        (&["service", "reload", "linuxjournal.get-rates"], RATE),
        (&["service", "history", "linuxjournal.get-rat"], RATE),
        (&["service", "rollback", "linuxjournal.get-rat"], RATE),
        (&["service", "delete", "linuxjournal.get-rat"], RATE),
        (&["job", "run", "refresh-rate"], "refresh-rates"),
        (&["job", "next", "refresh"], "refresh-rates"),
        (&["job", "pause", "refreshrates"], "refresh-rates"),
        (&["job", "resume", "refresh-rate"], "refresh-rates"),
        (&["job", "history", "refresh-rate"], "refresh-rates"),
        (&["channel", "show", "client1"], "client1.get-rate"),
        (&["outgoing", "ping", "treasury"], "treasury.gov"),
    ];
    for (arguments, meant) in cases {
        let refused = server.kladka(arguments);
        assert_eq!(
            (refused.code, refused.out.as_str()),
            (5, ""),
            "{arguments:?}: {}",
            refused.err
        );
        let hint = format!("Did you mean `{meant}`?");
        assert!(
            refused.err.contains(&hint),
            "{arguments:?}: {}",
            refused.err
        );
    }
    let nothing_like_it = server.kladka(&["channel", "show", "zzz"]);
    assert_eq!(nothing_like_it.code, 5);
    assert!(
        !nothing_like_it.err.contains("Did you mean"),
        "{}",
        nothing_like_it.err
    );
}

#[test]
fn wrong_use_ends_with_2_before_any_server_is_asked() {
    let project = TestServer::project("blank");
    let cases: &[(&[&str], &str)] = &[
        (&[], "Usage:"),
        (&["stauts"], "status"),
        (&["service", "lst"], "list"),
        (&["service", "list", "--jsn"], "--json"),
        (&["service", "show"], "<NAME>"),
        (&["deploy"], "<FILES>"),
        (&["job", "next", "x", "-n", "many"], "many"),
        (&["job", "next", "x", "-n", "0"], "1..=1000"),
        (&["job", "next", "x", "-n", "1001"], "1..=1000"),
        (&["job", "history", "x", "-n", "0"], "1..=1000"),
        (&["config", "export", "--format", "xml"], "yaml, json"),
        (&["enmasse"], "--import"),
        (&["init", "x", "--template", "none"], "rates, blank"),
        (&["init", "x", "--lang", "perl"], "lua, rhai"),
    ];
    for (arguments, text) in cases {
        let refused = kladka(&project.root(), arguments);
        assert_eq!(
            (refused.code, refused.out.as_str()),
            (2, ""),
            "{arguments:?}"
        );
        assert!(refused.err.contains(text), "{arguments:?}: {}", refused.err);
    }
}

/// Returns the commands a help text lists.
fn commands_of(help: &str) -> Vec<String> {
    let list = help.lines().skip_while(|line| *line != "Commands:").skip(1);
    let names = list.take_while(|line| !line.is_empty()).filter_map(|line| {
        let (name, about) = line.trim().split_once(' ').unwrap_or((line, ""));
        assert!(!about.trim().is_empty(), "{name} says nothing about itself");
        (name != "help").then(|| name.to_owned())
    });
    names.collect()
}

fn reads_well(path: &[String]) -> usize {
    let output = binary().args(path).arg("--help").output().unwrap();
    let help = String::from_utf8(output.stdout).unwrap();
    assert!(
        output.status.success() && output.stderr.is_empty(),
        "{path:?}"
    );
    assert!(help.contains("Usage: kladka"), "{path:?}: {help}");
    for line in help.lines() {
        assert!(line.chars().count() <= 100, "{path:?}: {line}");
        assert!(!line.contains(concat!("TO", "DO")), "{path:?}: {line}");
    }
    let below = commands_of(&help);
    below
        .iter()
        .map(|name| reads_well(&[path, std::slice::from_ref(name)].concat()))
        .sum::<usize>()
        + 1
}

#[test]
fn every_help_text_is_readable() {
    // 15 at the top, the groups with 7, 2, 2, 6 and 4 below, and the top itself.
    assert!(reads_well(&[]) >= 34, "commands went missing");
}

#[test]
fn without_a_server_the_exit_code_is_7_and_the_way_out_is_named() {
    let mut server = TestServer::project("blank").start();
    let admin = server.endpoint("admin");
    let root = server.root();
    // A server that was killed leaves its endpoints behind.
    server.kill();
    for arguments in [
        &["status"][..],
        &["service", "list"],
        &["stop"],
        &["config", "apply"],
        &["--server", &admin, "status"],
    ] {
        let refused = kladka(&root, arguments);
        assert_eq!(
            (refused.code, refused.out.as_str()),
            (7, ""),
            "{arguments:?}: {}",
            refused.err
        );
        assert!(
            refused.err.contains("KL-N003") && refused.err.contains("kladka start"),
            "{}",
            refused.err
        );
    }
    std::fs::remove_file(root.join("data/endpoints.json")).unwrap();
    let refused = kladka(&root, &["status"]);
    assert_eq!(refused.code, 7);
    assert!(refused.err.contains("no server runs on"), "{}", refused.err);
}

#[test]
fn a_wrong_token_is_not_allowed_and_the_right_one_works_from_anywhere() {
    let server = TestServer::project("blank").start();
    let elsewhere = TestServer::project("blank");
    let (admin, token) = (server.endpoint("admin"), server.read("data/token"));
    let wrong = server.kladka(&["--token", "wrong", "status"]);
    assert_eq!(wrong.code, 8, "{}", wrong.err);
    assert!(wrong.err.contains("KL-N004"), "{}", wrong.err);
    let none = kladka(&elsewhere.root(), &["--server", &admin, "status"]);
    assert_eq!(none.code, 8, "{}", none.err);
    assert!(none.err.contains("KLADKA_TOKEN"), "{}", none.err);

    let flags = kladka(
        &elsewhere.root(),
        &["--server", &admin, "--token", token.trim(), "status"],
    );
    assert_eq!(flags.code, 0, "{}", flags.err);
    let variables = [
        ("KLADKA_SERVER", admin.as_str()),
        ("KLADKA_TOKEN", token.trim()),
    ];
    let environment = kladka_with(&elsewhere.root(), &["status"], &variables, "");
    assert_eq!(environment.code, 0, "{}", environment.err);
}

#[test]
fn a_script_that_does_not_compile_is_refused_with_4() {
    let server = TestServer::project("blank").start();
    let file = server.root().join("broken.lua");
    std::fs::write(&file, "return service { name = \n}\n").unwrap();
    let refused = server.kladka(&["deploy", file.to_str().unwrap()]);
    assert_eq!(refused.code, 4, "{}{}", refused.out, refused.err);
    assert!(
        refused.err.contains("scripts/broken.lua:2"),
        "{}",
        refused.err
    );
    assert!(refused.err.contains("nothing changed"), "{}", refused.err);
    assert!(!server.root().join("scripts/broken.lua").exists());
}

#[test]
fn a_failed_ping_names_the_address_and_does_not_send_you_to_ping() {
    let server = TestServer::project("blank");
    // A port that was free a moment ago: nobody listens there.
    let unused = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}", unused.local_addr().unwrap());
    drop(unused);
    server.write(
        "config/objects.yaml",
        format!("version: 1\noutgoing:\n  http:\n    - {{ name: away, url: \"{address}\" }}\n"),
    );
    let server = server.start();
    let failed = server.kladka(&["outgoing", "ping", "away"]);
    assert_eq!(failed.code, 1, "{}", failed.err);
    assert!(failed.err.contains("it is refused"), "{}", failed.err);
    assert!(failed.err.contains(&address), "{}", failed.err);
    assert!(!failed.err.contains("outgoing ping"), "{}", failed.err);
}

#[test]
fn one_service_is_reloaded_and_shown_without_what_else_is_broken() {
    let server = TestServer::project("blank");
    server.write("scripts/well.lua", EXTRA);
    server.write("scripts/ill.lua", EXTRA.replace("extra.hello", "extra.ill"));
    let server = server.start();
    let broken = EXTRA
        .replace("extra.hello", "extra.ill")
        .replace("end }", "en }");
    server.write("scripts/ill.lua", broken);
    server.log().wait("scripts/ill.lua:1:");

    let well = server.kladka(&["service", "reload", "extra.hello"]);
    assert_eq!(well.code, 0, "{}{}", well.out, well.err);
    assert!(!well.out.contains("extra.ill"), "{}", well.out);
    assert!(!well.err.contains("scripts/ill.lua"), "{}", well.err);
    let ill = server.kladka(&["service", "reload", "extra.ill"]);
    assert_eq!(ill.code, 4, "{}{}", ill.out, ill.err);
    assert!(ill.err.contains("scripts/ill.lua:1:"), "{}", ill.err);
    let all = server.kladka(&["service", "reload", "--all"]);
    assert_eq!(all.code, 4, "{}{}", all.out, all.err);

    let shown = server.kladka(&["service", "show", "extra.ill"]);
    assert_eq!(shown.code, 0, "{}", shown.err);
    assert!(shown.out.contains("state      degraded"), "{}", shown.out);
    assert!(shown.err.contains("scripts/ill.lua:1:"), "{}", shown.err);
    let shown = server.kladka(&["service", "show", "extra.hello"]);
    assert_eq!(shown.err, "", "nothing is wrong with it");
}

#[test]
fn every_call_of_a_service_is_counted_whatever_the_way_in() {
    let server = TestServer::project("blank");
    server.write(
        "scripts/ways.lua",
        r#"
return {
  service { name = "ways.inner", input = { "n:int" }, handle = function(ctx) end },
  service { name = "ways.outer", handle = function(ctx) ctx:invoke("ways.inner", { n = 1 }) end },
  service { name = "ways.ill", handle = function(ctx) error("ill") end },
}
"#,
    );
    server.write(
        "config/objects.yaml",
        "version: 1\nchannels:\n  - { name: way, service: ways.inner, http: { path: /way }, security: none }\njobs:\n  - { name: clock, service: ways.inner, every: 1h, payload: { n: 2 } }\n",
    );
    let server = server.start();
    let run = server.kladka(&["job", "run", "clock", "--wait"]);
    assert_eq!(run.code, 0, "{}", run.err);
    let invoke = |arguments: &[&str]| server.kladka(&[&["service", "invoke"], arguments].concat());
    assert_eq!(invoke(&["ways.outer"]).code, 0);
    assert_eq!(invoke(&["ways.inner", "-p", "n=many"]).code, 4);
    assert_eq!(invoke(&["ways.ill"]).code, 1);
    assert_eq!(server.curl("/way").data(r#"{"n":3}"#).send().status, 200);

    let calls = |name: &str| {
        let shown = parsed(&server.kladka(&["service", "show", name, "--json"]));
        shown["calls"].as_u64().unwrap()
    };
    assert_eq!(calls("ways.inner"), 4, "job, invoke, refused, channel");
    assert_eq!((calls("ways.outer"), calls("ways.ill")), (1, 1));
    let page = server.admin("/metrics").send().body;
    for (service, channel, outcome, count) in [
        ("inner", "", "ok", 2),
        ("inner", "", "refused", 1),
        ("inner", "way", "ok", 1),
        ("outer", "", "ok", 1),
        ("ill", "", "failed", 1),
    ] {
        let line = format!(
            "kladka_service_calls_total{{service=\"ways.{service}\",channel=\"{channel}\",outcome=\"{outcome}\"}} {count}\n"
        );
        assert!(page.contains(&line), "no {line}{page}");
    }

    // A new revision counts on.
    let text = server
        .read("scripts/ways.lua")
        .replace("ill\")", "worse\")");
    server.write("scripts/ways.lua", text);
    server
        .log()
        .wait("ways.ill  Service deployed.      revision=2");
    assert_eq!(invoke(&["ways.ill"]).code, 1);
    assert_eq!(calls("ways.ill"), 2);
}
