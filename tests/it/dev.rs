//! `kladka dev` as a person uses it: keys on a terminal, the last request beside its code, calls to paste.

use std::io::Write as _;
use std::process::{Child, ChildStdin, Command, Stdio};

use crate::support::{Log, TestServer, binary, eventually, signal};

/// A shell on a terminal of its own.
struct Terminal {
    shell: Child,
    keys: ChildStdin,
    screen: Log,
}

impl Terminal {
    /// Runs a script in which `dev` stands for `kladka dev` in the project of a server that does not run.
    fn open(server: &TestServer, script: &str) -> Self {
        let kladka = binary().get_program().to_string_lossy().into_owned();
        // Whatever ends it, the shell goes on.
        let script = script.replace("dev", "$KLADKA dev");
        let script = format!("trap : INT QUIT\nPATH=\"$PWD/tools:$PATH\"\n{script}");
        server.write("script.sh", script);
        let mut shell = Command::new("script")
            .args(["-qec", "bash script.sh", "/dev/null"])
            .current_dir(server.root())
            .env("SHELL", "/bin/bash")
            .env("KLADKA", kladka)
            .env("KLADKA_LISTEN_SERVICES", "127.0.0.1:0")
            .env("KLADKA_LISTEN_ADMIN", "127.0.0.1:0")
            .env("KLADKA_DEV_PARTNER", "127.0.0.1:0")
            .env("KLADKA_LIMITS_SCRIPT_CPU", "2s")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        Self {
            keys: shell.stdin.take().unwrap(),
            screen: Log::of(shell.stdout.take().unwrap()),
            shell,
        }
    }

    fn press(&mut self, key: &str) {
        self.keys.write_all(key.as_bytes()).unwrap();
    }

    /// Presses a key until it has been answered by one more line with `text`, and returns that line.
    fn answer(&mut self, key: &str, text: &str) -> String {
        let before = self.screen.count(text);
        self.press(key);
        eventually(&format!("{key:?} answers {text:?}"), || {
            let lines = self.screen.lines();
            let mut with = lines.into_iter().filter(|line| line.contains(text));
            with.nth(before)
        })
    }

    fn end(mut self) -> String {
        let status = self.shell.wait().unwrap();
        self.screen.wait_for_end();
        let screen = self.screen.lines().join("\n");
        assert!(status.success(), "{status}: {screen}");
        screen
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        self.shell.kill().ok();
        self.shell.wait().ok();
        if std::thread::panicking() {
            eprintln!("--- screen\n{}", self.screen.lines().join("\n"));
        }
    }
}

const RATE: &str =
    r#"curl -sS --noproxy '*' -H 'X-API-Key: demo-1' -d '{"year":2013,"month":9,"day":3}'"#;

fn shell(command: &str) -> String {
    let output = Command::new("sh").args(["-c", command]).output().unwrap();
    let (out, err) = (output.stdout, output.stderr);
    assert!(
        output.status.success(),
        "{command}: {}",
        String::from_utf8_lossy(&err)
    );
    String::from_utf8(out).unwrap()
}

/// Waits until the job has filled the cache.
fn filled(server: &TestServer) -> String {
    let call = format!("{RATE} {}/client1/get-rate", server.endpoint("services"));
    eventually("the cache is filled", || {
        shell(&call).contains("1.22").then_some(())
    });
    call
}

fn pid(server: &TestServer) -> u32 {
    let status = server.kladka(&["status", "--json"]);
    let status: serde_json::Value = serde_json::from_str(&status.out).unwrap();
    u32::try_from(status["pid"].as_u64().unwrap()).unwrap()
}

/// Returns what `stty -g` said before and after.
fn modes(server: &TestServer) -> (String, String) {
    (server.read("before"), server.read("after"))
}

const AROUND: &str = "stty -g > before\ndev\necho \"ended with $?\"\nstty -g > after";

#[test]
fn each_key_does_what_it_says_and_the_terminal_is_as_before() {
    let server = TestServer::project("rates");
    server.write("tools/xdg-open", "#!/bin/sh\necho \"$1\" > opened\n");
    shell(&format!(
        "chmod +x {}/tools/xdg-open",
        server.root().display()
    ));
    let mut terminal = Terminal::open(&server, AROUND);
    let watching = terminal.screen.wait("  watching ");
    let keys = "q quit · r reload · t run tests · o open admin · l last request · ? help";
    assert!(watching.contains(keys), "{watching}");
    assert!(!watching.contains("Ctrl-C stops"), "{watching}");
    let call = filled(&server);

    terminal.answer("?", "the admin port's page");
    terminal.answer(
        "l",
        "← kvdb.get(\"linuxjournal:rates:2013:09:03\") → \"1.22\"",
    );
    terminal.answer("c", "-d @docs/get-rates.soap.xml");
    terminal.answer("r", "Reloaded in");
    terminal.answer("o", "Opened http://127.0.0.1:");
    assert!(server.read("opened").starts_with(&server.endpoint("admin")));

    // The server answers while the tests run.
    terminal.answer("t", "Running the tests");
    assert!(shell(&call).contains("1.22"));
    eventually("the tests ran", || {
        (terminal.screen.count("all passed") > 0).then_some(())
    });
    // Arrows and letters without a meaning do nothing, and nothing of it is shown.
    terminal.press("\x1b[Ax");

    let path = "scripts/linuxjournal/get_rate.lua";
    let good = server.read(path);
    server.write(path, good.replace("ctx.kvdb:get(", "ctx.kvdb:get(("));
    terminal.answer("r", "problem in scripts");
    server.write(path, &good);
    terminal.answer("r", "2 services unchanged, config/ applied");

    terminal.press("q");
    let screen = terminal.end();
    assert!(screen.contains("ended with 0"), "{screen}");
    assert!(screen.contains("Stopped."), "{screen}");
    assert!(!screen.contains("^[[A"), "{screen}");
    let (before, after) = modes(&server);
    assert_eq!(before, after);
}

#[test]
fn the_terminal_is_as_before_however_the_server_ends() {
    for way in ["ctrl-c", "ctrl-\\", "signal", "stop", "busy"] {
        let server = TestServer::project("blank");
        let script = match way {
            "busy" => AROUND.replace("dev\n", "KLADKA_LISTEN_SERVICES=127.0.0.1:1x dev\n"),
            _ => AROUND.to_owned(),
        };
        let mut terminal = Terminal::open(&server, &script);
        if way != "busy" {
            terminal.screen.wait("? help");
        }
        match way {
            "ctrl-c" => terminal.press("\x03"),
            "ctrl-\\" => terminal.press("\x1c"),
            "signal" => signal(pid(&server), "TERM"),
            "stop" => assert_eq!(server.kladka(&["stop"]).code, 0),
            _ => {}
        }
        let screen = terminal.end();
        let code = if way == "busy" {
            "ended with 4"
        } else {
            "ended with 0"
        };
        assert!(screen.contains(code), "{way}: {screen}");
        let (before, after) = modes(&server);
        assert_eq!(before, after, "{way}");
    }
}

#[test]
fn a_terminal_that_is_closed_stops_the_server() {
    let server = TestServer::project("blank");
    let terminal = Terminal::open(&server, AROUND);
    terminal.screen.wait("? help");
    let endpoints = server.root().join("data/endpoints.json");
    assert!(endpoints.exists());
    drop(terminal);
    eventually("the server has ended", || {
        (!endpoints.exists()).then_some(())
    });
}

#[test]
fn suspended_it_gives_the_terminal_back_and_takes_it_again() {
    let server = TestServer::project("blank");
    let script =
        "set -m\nstty -g > before\ndev\nstty -g > suspended\necho gone\nfg\nstty -g > after";
    let mut terminal = Terminal::open(&server, script);
    terminal.screen.wait("? help");
    let stat = format!("/proc/{}/stat", pid(&server));
    let stands_still = || std::fs::read_to_string(&stat).unwrap().contains(") T ");
    terminal.answer("?", "Ctrl-Z");
    terminal.press("\x1a");
    terminal.screen.wait("gone");
    eventually("it goes on", || (!stands_still()).then_some(()));
    terminal.answer("?", "Ctrl-Z");
    terminal.press("q");
    terminal.end();
    let (before, after) = modes(&server);
    assert_eq!(before, after);
    assert_eq!(before, server.read("suspended"));
}

#[test]
fn in_the_background_it_leaves_the_terminal_alone() {
    let server = TestServer::project("blank");
    let script = "set -m\nstty -g > before\ndev &\nread line\nstty -g > after\nkill %1\nwait";
    let mut terminal = Terminal::open(&server, script);
    let watching = terminal.screen.wait("  watching ");
    assert!(watching.contains("(Ctrl-C stops)"), "{watching}");
    terminal.press("q\n");
    terminal.screen.wait("Stopped.");
    terminal.end();
    let (before, after) = modes(&server);
    assert_eq!(before, after);
}

#[test]
fn without_a_terminal_there_are_no_keys_and_nothing_is_read() {
    let server = TestServer::project("blank");
    // The shell's own input is the server's; what is left of it comes out at the end.
    let script = format!(
        "printf 'q\\nleft\\n' | ( {} dev --project {} 2>log & server=$!
         until grep -q 'watching' log || ! kill -0 $server; do read -t 0.05 x < /dev/null; done
         kill $server; wait $server; cat )",
        binary().get_program().to_string_lossy(),
        server.root().display(),
    );
    let output = Command::new("bash")
        .args(["-c", &script])
        .current_dir(server.root())
        .env("KLADKA_LISTEN_SERVICES", "127.0.0.1:0")
        .env("KLADKA_LISTEN_ADMIN", "127.0.0.1:0")
        .env("KLADKA_DEV_PARTNER", "127.0.0.1:0")
        .output()
        .unwrap();
    assert_eq!(String::from_utf8_lossy(&output.stdout), "q\nleft\n");
    let log = server.read("log");
    assert!(log.contains("(Ctrl-C stops)"), "{log}");
    assert!(!log.contains("? help") && !log.contains('\x1b'), "{log}");
}

/// Returns the calls that the greeting shows.
fn curls(server: &TestServer) -> Vec<String> {
    server.log().wait("  curl ");
    // They come in one piece with what follows.
    server.kladka(&["status"]);
    let lines = server.log().lines();
    let lines = lines.iter().map(|line| line.trim());
    lines
        .filter(|line| line.starts_with("curl "))
        .map(str::to_owned)
        .collect()
}

#[test]
fn every_call_to_try_works_in_every_template() {
    for lang in ["lua", "rhai"] {
        let server = TestServer::project_in("rates", lang).start();
        filled(&server);
        let curls = curls(&server);
        let at = server.endpoint("services");
        assert_eq!(
            curls[..2],
            [
                format!(
                    "curl -H 'X-API-Key: demo-1' {at}/client1/get-rate -d '{{\"year\":2013,\"month\":9,\"day\":3}}'"
                ),
                format!(
                    "curl -u client2:demo-2 {at}/client2/get-rate -d '<request><year>2013</year><month>9</month><day>3</day></request>'"
                ),
            ]
        );
        assert_eq!(curls.len(), 3);
        for curl in curls {
            let said = shell(&format!("{curl} -sS --fail-with-body --noproxy '*'"));
            assert!(said.contains("1.22"), "{lang}: {curl}: {said}");
        }
    }
    let server = TestServer::project("blank").start();
    server.log().wait("watching");
    assert_eq!(server.log().count("curl"), 0);
}

const ECHO: &str = r#"return {
  service { name = "echo", input = { "id:int(100..)", "kind:enum(b|a)", "note:text(..40)?", "when:date?" }, handle = function(ctx)
    ctx.response.payload = ctx.request.input
  end },
  service { name = "rows", handle = function(ctx)
    ctx.response.payload = ctx.request.input
  end },
  service { name = "items", models = { Item = { "code:text(..3)", "n:int" } }, input = { "items:Item[]" }, handle = function(ctx)
    ctx.response.payload = { n = ctx.request.input.items[1].n }
  end },
}"#;

/// What a channel has beside its name and service, the service, and what the answer holds.
const CHANNELS: &[(&str, &str, &str)] = &[
    (
        "http: { path: '/a/{id}', methods: [GET] }, format: json, security: none",
        "echo",
        "\"when\":\"2013-09-03\"",
    ),
    (
        "http: { path: /b }, format: json, strict: true, security: none",
        "echo",
        "\"id\":100",
    ),
    (
        "http: { path: /c }, format: form, security: none",
        "echo",
        "\"kind\":\"b\"",
    ),
    (
        "http: { path: /d, methods: [PUT] }, format: xml, strict: true, security: basic",
        "echo",
        "<kind>b</kind>",
    ),
    (
        "http: { path: /e }, format: soap, soap: { version: ['1.2'], action: do-it, operation: doIt }, security: wss",
        "echo",
        "<id>100</id>",
    ),
    (
        "http: { path: /f }, format: soap, strict: true, soap: { action: do-it, operation: doIt }, security: none",
        "echo",
        "<id>100</id>",
    ),
    (
        "http: { path: /j }, format: soap, soap: { operation: doIt }, security: none",
        "echo",
        "<id>100</id>",
    ),
    (
        "http: { path: /g }, format: csv, strict: true, security: none",
        "rows",
        "name\r\nvalue",
    ),
    (
        "http: { path: /h }, format: csv, security: none",
        "items",
        "n\r\n1",
    ),
    (
        "http: { path: /i }, format: raw, security: none",
        "rows",
        "text",
    ),
];

#[test]
fn every_call_to_try_works_whatever_the_channel() {
    for (channel, service, wanted) in CHANNELS {
        let server = TestServer::project("blank");
        server.write("scripts/echo.lua", ECHO);
        server.write("config/objects.yaml", format!(
            "version: 1\nsecurity:\n  - {{ name: basic, type: basic, username: \"o'neil\", password: '${{env.PASS_WORD}}' }}\n  - {{ name: wss, type: wss, username: a<b, password: demo-3, passwords: [text], allow_plain: true }}\nchannels:\n  - {{ name: c, service: {service}, {channel} }}\n"
        ));
        let server = server.with("PASS_WORD", "a b$c").start();
        let curls = curls(&server);
        assert_eq!(curls.len(), 1, "{curls:?}");
        let said = shell(&format!(
            "PASS_WORD='a b$c'; {} -sS --fail-with-body --noproxy '*'",
            curls[0]
        ));
        assert!(said.contains(wanted), "{curls:?}: {said}");
    }
}

#[test]
fn the_input_of_a_call_is_that_of_the_first_case_with_an_answer() {
    let server = TestServer::project("blank");
    server.write("scripts/echo.lua", ECHO);
    server.write("tests/echo.cases.yaml", "service: echo\ncases:\n  - { name: bad, input: { id: x }, error: { code: KL-I101 } }\n  - { name: good, input: { id: 123, kind: a, note: \"it's\" }, output: {} }\n");
    server.write("config/objects.yaml", "version: 1\nchannels:\n  - { name: c, service: echo, http: { path: /c }, format: json, security: none }\n");
    let server = server.start();
    let curls = curls(&server);
    assert!(
        curls[0].ends_with(r#" -d '{"id":123,"kind":"a","note":"it'\''s"}'"#),
        "{curls:?}"
    );
    assert!(shell(&format!("{} -sS --noproxy '*'", curls[0])).contains("it's"));
}

#[test]
fn what_no_call_can_show_is_not_shown() {
    let server = TestServer::project("blank");
    server.write("scripts/echo.lua", ECHO);
    server.write("config/objects.yaml", "version: 1\nsecurity:\n  - { name: key, type: api_key, key: very-own }\n  - { name: wss, type: wss, username: a, password: demo-3 }\nchannels:\n  - { name: digest, service: echo, http: { path: /a }, format: soap, security: wss }\n  - { name: key, service: rows, http: { path: /b }, format: csv, security: key }\n  - { name: off, service: rows, http: { path: /c }, format: csv, security: none, enabled: false }\n  - { name: list, service: echo, http: { path: /d }, format: csv, security: none }\n  - { name: text, service: echo, http: { path: /e }, format: raw, security: none }\n");
    let server = server.start();
    let curls = curls(&server);
    assert_eq!(curls.len(), 1, "{curls:?}");
    assert!(curls[0].contains("\"X-API-Key: $KEY\""), "{curls:?}");
    assert_eq!(server.log().count("very-own"), 0);
}

const CARD: &str = r#"service(#{ name: "card", input: ["pin:text!", "month:int"] });

fn handle(ctx) {
    let month = ctx.request.input.month;
    let code = ctx.request.input.pin;
    ctx.kvdb.set("card/" + code, month);
    for n in 0..3 { ctx.log.info("turn"); }
    ctx.kvbd.get("x");
}
"#;

#[test]
fn a_failed_request_is_shown_beside_its_code_without_its_secrets() {
    let server = TestServer::project("blank");
    server.write("scripts/card.rhai", CARD);
    server.write("config/objects.yaml", "version: 1\nchannels:\n  - { name: c, service: card, http: { path: /c }, format: json, security: none }\n");
    let server = server.start();
    let nothing = server.kladka(&["service", "last"]);
    assert_eq!(
        (nothing.code, nothing.out.as_str()),
        (5, ""),
        "{}",
        nothing.err
    );
    assert_eq!(
        server
            .curl("/c")
            .header("Authorization: Bearer b-4712")
            .data(r#"{"pin":"4711","month":9}"#)
            .send()
            .status,
        500
    );
    let last = server.kladka(&["service", "last", "card"]);
    assert_eq!(last.code, 0, "{}", last.err);
    let shown = &last.out;
    for text in [
        "card r1 · channel c (json) · 500 KL-S101 · ",
        "  input {\"pin\":\"***\",\"month\":9}",
        "scripts/card.rhai",
        "3 | fn handle(ctx) {",
        "← kvdb.set(\"card/***\", 9) → true  ",
        "← log.info(\"turn\") → ok  ×3  ",
        "← ✗ KL-S101",
        "error[KL-S101]: ctx has no field 'kvbd'",
    ] {
        assert!(shown.contains(text), "{text:?} in\n{shown}");
    }
    let document = server.kladka(&["service", "last", "--json"]);
    let both = format!("{shown}{}", document.out);
    assert!(!both.contains("4711") && !both.contains("4712"), "{both}");
    assert_eq!(server.kladka(&["service", "last", "other"]).code, 5);
}

#[test]
fn a_server_in_production_records_nothing_of_messages() {
    let server = TestServer::project("blank").production().start();
    let last = server.kladka(&["service", "last"]);
    assert_eq!(last.code, 5, "{}", last.err);
    assert!(last.err.contains("in `kladka dev` only"), "{}", last.err);
}
