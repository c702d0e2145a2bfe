//! `kladka repl` through the binary: piped and at a terminal, against a project and against a running server.

use std::io::{Read as _, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::process::{Child, Command as Process, Stdio};
use std::sync::{Arc, Mutex};

use serde_json::{Value as Json, json};

use crate::support::{Command, Does, Peer, TempDir, TestServer, eventually, kladka_with};

const SERVICES: &str = r#"
-- Returns the price of an item.
return {
  service { name = "shop.price", input = { "item" }, output = { "price?" },
    handle = function(ctx)
      ctx.response.payload.price = ctx.kvdb:get("price:" .. ctx.request.input.item)
    end },
  service { name = "shop.raise", input = { "item" },
    handle = function(ctx) ctx.kvdb:set("price:" .. ctx.request.input.item, "2") end },
  service { name = "shop.nested", input = { "item" },
    handle = function(ctx) ctx:invoke("shop.raise", ctx.request.input) end },
  service { name = "shop.outer", input = { "item" },
    handle = function(ctx) ctx.response.payload = ctx:invoke("shop.price", ctx.request.input) end },
}
"#;

/// A project of a shop with a peer; nothing runs.
fn shop(peer: &Peer) -> TestServer {
    let server = TestServer::project("blank");
    server.write("scripts/shop.lua", SERVICES);
    server.write(
        "scripts/tax.lua",
        "return { of = function(x) return x * 2 end }\n",
    );
    server.write("scripts/tax.rhai", "fn of(x) { x * 2 }\n");
    let objects = format!(
        "version: 1\noutgoing:\n  http:\n    - {{ name: warehouse, url: \"{}\", timeout: {{ total: 20s }} }}\n",
        peer.url()
    );
    server.write("config/objects.yaml", objects);
    server.write("config/user/shop.toml", "currency = \"EUR\"\n");
    server
}

fn peer() -> Peer {
    Peer::start(|seen| match seen.target.as_str() {
        "/slow" => Does::Waits,
        _ => Does::Answer(
            200,
            "application/json",
            format!("{{\"method\": \"{}\"}}", seen.method).into(),
        ),
    })
}

/// Feeds lines to a REPL.
fn say(server: &TestServer, arguments: &[&str], lines: &str) -> Command {
    let mut all = vec!["repl"];
    all.extend(arguments);
    // The budget is time on the clock while a line computes; other tests compute at the same time.
    kladka_with(
        &server.root(),
        &all,
        &[("KLADKA_LIMITS_SCRIPT_CPU", "2s")],
        lines,
    )
}

/// Feeds lines to a REPL where each must work; returns what it printed.
fn hears(server: &TestServer, arguments: &[&str], lines: &str) -> String {
    let said = say(server, arguments, lines);
    assert_eq!(said.code, 0, "{}{}", said.out, said.err);
    said.out
}

#[test]
fn a_pipe_gets_results_alone_in_both_languages() {
    let peer = peer();
    let server = shop(&peer);
    let out = hears(
        &server,
        &[],
        "1 + 1\nlocal x = _ * 3\nx\nlocal tax = require(\"tax\")\ntax.of(x)\n\
         for i = 1, 2 do\n  x = x + i\nend\nx\nctx.config.shop.currency\n\
         ctx:invoke(\"shop.price\", { item = \"tea\" })\nctx.outgoing.http[\"warehouse\"]:get().status\n",
    );
    assert_eq!(out, "2\n6\n12\n9\n\"EUR\"\n{}\n200\n");
    let out = hears(
        &server,
        &["--lang", "rhai"],
        "1 + 1\nlet x = _ * 3;\nx\nimport \"tax\" as tax;\ntax::of(x)\nfor i in 1..3 {\n  x += i;\n}\nx\n\
         ctx.config.shop.currency\nctx.invoke(\"shop.price\", #{ item: \"tea\" })\n\
         ctx.outgoing.http[\"warehouse\"].get().json().method\n",
    );
    assert_eq!(out, "2\n6\n12\n9\n\"EUR\"\n#{}\n\"GET\"\n");
}

#[test]
fn most_scripts_tell_the_language() {
    let peer = peer();
    let server = shop(&peer);
    assert_eq!(
        hears(
            &server,
            &[],
            "#{ a: 1 }.a\n"
                .replace("#{ a: 1 }.a", "({ a = 1 }).a")
                .as_str()
        ),
        "1\n"
    );
    server.write("scripts/more.rhai", "fn f() { 1 }\n");
    server.write("scripts/most.rhai", "fn f() { 1 }\n");
    assert_eq!(hears(&server, &[], "#{ a: 1 }.a\n"), "1\n");
    assert_eq!(hears(&server, &["--lang", "lua"], "({ a = 1 }).a\n"), "1\n");
}

#[test]
fn a_bad_line_tells_where_and_the_next_one_runs() {
    let peer = peer();
    let server = shop(&peer);
    let said = say(
        &server,
        &[],
        "price = 1\nctx.kvbd:get(\"x\")\nprise\n)\nprice\nctx:invoke(\"shop.pric\")\nrequire(\"tx\")\n",
    );
    assert_eq!(said.out, "1\n");
    for part in [
        "--> repl:2:5\n  |\n2 | ctx.kvbd:get(\"x\")\n  |     ^^^^\n   = help: Did you mean `kvdb`?",
        "--> repl:3:1\n  |\n3 | prise\n  | ^^^^^\n   = help: Did you mean `price`?",
        "error[KL-S100]",
        "--> repl:4:1",
        "Did you mean `shop.price`?",
        "Did you mean `tax`?",
    ] {
        assert!(said.err.contains(part), "{part}\n{}", said.err);
    }
    // That of the first: a script that failed.
    assert_eq!(said.code, 1, "{}", said.err);
    let said = say(&server, &[], "print(\"aloud\")\nctx.log:debug(\"low\")\n");
    assert_eq!(said.err, "INFO  repl  aloud\nDEBUG repl  low\n");
    let said = say(&server, &[], "x = (\n");
    assert_eq!(said.code, 4, "{}", said.err);
    assert!(said.err.contains("error[KL-S100]"), "{}", said.err);
}

#[test]
fn nothing_is_changed_unless_it_is_asked_for() {
    let peer = peer();
    let server = shop(&peer);
    for (lang, dot) in [("lua", ":"), ("rhai", ".")] {
        let lines = format!(
            "ctx.kvdb{dot}set(\"price:tea\", \"1\")\nctx.outgoing.http[\"warehouse\"]{dot}post()\n\
             ctx{dot}invoke(\"shop.nested\", ctx.request.input)\nctx.kvdb{dot}exists(\"price:tea\")\n\
             :write on\nctx.kvdb{dot}set(\"price:tea\", \"1\");\nctx.kvdb{dot}get(\"price:tea\")\n:write off\n\
             ctx.kvdb{dot}delete(\"price:tea\")\nctx.kvdb{dot}get(\"price:tea\")\n"
        );
        let said = say(
            &server,
            &["--lang", lang],
            &format!(":input {{\"item\": \"tea\"}}\n{lines}"),
        );
        assert_eq!(said.code, 8, "{}{}", said.out, said.err);
        assert_eq!(
            said.err.matches("error[KL-S405]").count(),
            4,
            "{}",
            said.err
        );
        assert!(said.err.contains("--> repl:2:10"), "{}", said.err);
        assert!(said.err.contains("--> scripts/shop.lua:9:"), "{}", said.err);
        assert!(said.err.contains("`:write on` allows it"), "{}", said.err);
        let told = said
            .out
            .lines()
            .filter(|line| !line.ends_with("now.") && *line != "nil");
        let told: Vec<&str> = told.collect();
        assert_eq!(
            told,
            ["It is in ctx.request.input.", "0", "\"1\"", "\"1\""],
            "{}",
            said.out
        );
        let written = hears(
            &server,
            &["--lang", lang, "--write"],
            &format!(
                "ctx.kvdb{dot}set(\"a\", \"b\");\nctx.kvdb{dot}get(\"a\")\nctx.outgoing.http[\"warehouse\"]{dot}post(){dot}json().method\n"
            ),
        );
        assert!(written.ends_with("\"b\"\n\"POST\"\n"), "{written}");
    }
    let seen = peer.seen();
    assert!(seen.iter().all(|seen| seen.method == "POST"), "{seen:?}");
    assert_eq!(seen.len(), 2, "each refusal came before anything was sent");
}

#[test]
fn a_server_is_reached_by_single_steps_and_read_only_holds_in_it() {
    let peer = peer();
    let server = shop(&peer).start();
    for (lang, dot) in [("lua", ":"), ("rhai", ".")] {
        let live = ["--live", "--lang", lang];
        let item = if lang == "lua" {
            "{ item = \"tea\" }"
        } else {
            "#{ item: \"tea\" }"
        };
        let said = say(
            &server,
            &live,
            &format!(
                "ctx.kvdb{dot}set(\"price:tea\", \"1\")\nctx{dot}invoke(\"shop.nested\", {item})\n\
                 ctx.outgoing.http[\"warehouse\"]{dot}put()\nctx.kvdb{dot}exists(\"price:tea\")\n\
                 ctx.outgoing.http[\"warehouse\"]{dot}get(){dot}json().method\n\
                 ctx.outgoing.http[\"warehouse\"]{dot}ping().status\n"
            ),
        );
        assert_eq!(said.code, 8, "{}{}", said.out, said.err);
        assert_eq!(
            said.err.matches("error[KL-S405]").count(),
            3,
            "{}",
            said.err
        );
        // The server's own block, with the line of the service that would have written.
        assert!(said.err.contains("--> scripts/shop.lua:9:"), "{}", said.err);
        assert_eq!(said.out, "0\n\"GET\"\n200\n", "{}", said.err);
        let writing = ["--live", "--write", "--lang", lang];
        let out = hears(
            &server,
            &writing,
            &format!(
                "ctx.kvdb{dot}set(\"price:tea\", \"1\");\nctx{dot}invoke(\"shop.outer\", {item}).price\n\
                 ctx{dot}invoke(\"shop.nested\", {item});\nctx.kvdb{dot}get(\"price:tea\")\n\
                 ctx.outgoing.http[\"warehouse\"]{dot}post(){dot}json().method\n"
            ),
        );
        let told: Vec<&str> = out.lines().filter(|line| *line != "nil").collect();
        assert!(
            told.ends_with(&["\"2\"", "\"POST\""]) && told.contains(&"\"1\""),
            "{out}"
        );
        // What was written is the server's, and what only reads sees it.
        let out = hears(
            &server,
            &live,
            &format!("ctx{dot}invoke(\"shop.price\", {item}).price\n"),
        );
        assert_eq!(out, "\"2\"\n");
        let said = say(
            &server,
            &live,
            &format!(
                "ctx{dot}invoke(\"shop.price\")\nctx{dot}invoke(\"shop.prise\")\nctx.outgoing.http[\"warehose\"]\n"
            ),
        );
        for part in [
            "KL-I102",
            "Did you mean `shop.price`?",
            "Did you mean `warehouse`?",
        ] {
            assert!(said.err.contains(part), "{part}\n{}", said.err);
        }
        let wrote = server.kladka(&["repl", "--lang", lang]);
        assert_eq!((wrote.code, wrote.out.as_str()), (0, ""), "{}", wrote.err);
        hears(
            &server,
            &writing,
            &format!("ctx.kvdb{dot}delete(\"price:tea\");\n"),
        );
    }
    let methods: Vec<String> = peer.seen().into_iter().map(|seen| seen.method).collect();
    assert!(!methods.contains(&"PUT".to_owned()), "{methods:?}");
    assert_eq!(methods.iter().filter(|method| *method == "POST").count(), 2);
}

#[test]
fn a_request_arrives_as_it_was_meant_whichever_way_it_takes() {
    let peer = peer();
    let server = shop(&peer).start();
    let line = "ctx.outgoing.http[\"warehouse\"]:post { path = \"/a/{b}\", params = { b = \"c d\" }, \
                query = { q = { 1, 2 } }, headers = { [\"X-Own\"] = \"1\" }, json = { price = decimal.of(\"1.20\") } }\n\
                ctx.outgoing.http[\"warehouse\"]:post { body = \"\\255\\0\" }\n\
                ctx.outgoing.http[\"warehouse\"]:send { method = \"OPTIONS\" }.status\n";
    for way in [&["--write"][..], &["--write", "--live"][..]] {
        hears(&server, way, line);
    }
    let seen = peer.seen();
    let (alone, live) = seen.split_at(3);
    for (one, other) in alone.iter().zip(live) {
        assert_eq!(
            (&one.method, &one.target, &one.body),
            (&other.method, &other.target, &other.body)
        );
        assert_eq!(one.header("x-own"), other.header("x-own"));
        assert_eq!(one.header("content-type"), other.header("content-type"));
    }
    assert_eq!(live[0].target, "/a/c%20d?q=1&q=2");
    assert_eq!(
        String::from_utf8_lossy(&live[0].body),
        "{\"price\":\"1.20\"}"
    );
    assert_eq!(live[1].body, b"\xff\0");
}

#[test]
fn a_server_can_be_talked_with_from_anywhere() {
    let server = shop(&peer()).start();
    let (url, token) = (server.endpoint("admin"), server.read("data/token"));
    let elsewhere = TempDir::new();
    let named = ["repl", "--live", "--server", &url, "--token", token.trim()];
    let line = "ctx:invoke(\"shop.price\", { item = \"tea\" })\n";
    let said = kladka_with(elsewhere.path(), &named, &[], line);
    assert_eq!((said.code, said.out.as_str()), (0, "{}\n"), "{}", said.err);
    let said = kladka_with(elsewhere.path(), &["repl"], &[], line);
    assert_eq!(said.code, 4, "{}", said.err);
    assert!(said.err.contains("is not a project"), "{}", said.err);
}

#[test]
fn what_is_broken_in_a_project_is_told_and_the_rest_works() {
    let peer = peer();
    let server = shop(&peer);
    server.write("scripts/broken.lua", "return service {\n");
    server.write("config/user/shop.toml", "currency =\n");
    let said = say(
        &server,
        &[],
        "ctx:invoke(\"shop.price\", { item = \"tea\" })\n",
    );
    assert_eq!((said.code, said.out.as_str()), (0, "{}\n"), "{}", said.err);
    assert!(
        said.err.contains("--> scripts/broken.lua:1"),
        "{}",
        said.err
    );
    assert!(said.err.contains("config/user/shop.toml"), "{}", said.err);
    server.write("config/objects.yaml", "version: 1\noutgoing: nonsense\n");
    let said = say(&server, &[], "1 + 1\nctx.outgoing.http[\"warehouse\"]\n");
    assert_eq!(said.out, "2\n", "{}", said.err);
    assert!(said.err.contains("config/objects.yaml"), "{}", said.err);
    assert!(said.err.contains("KL-O404"), "{}", said.err);
}

#[test]
fn without_a_server_live_says_so() {
    let peer = peer();
    let said = say(&shop(&peer), &["--live"], "1\n");
    assert_eq!(said.code, 7, "{}", said.err);
    assert!(said.err.contains("KL-N003"), "{}", said.err);
}

#[test]
fn a_runaway_line_ends_with_its_budget_and_nested_text_harms_nobody() {
    let peer = peer();
    let server = shop(&peer);
    for (lang, endless, nested) in [("lua", "while true do end", "{"), ("rhai", "loop {}", "[")] {
        let deep = nested.repeat(50_000);
        let closed = if lang == "lua" { "}" } else { "]" }.repeat(50_000);
        let said = say(
            &server,
            &["--lang", lang],
            &format!("{endless}\n1 + 1\n{deep}{closed}\n2 + 2\n"),
        );
        assert_eq!(said.code, 9, "{}", said.err);
        assert!(said.err.contains("error[KL-S301]"), "{}", said.err);
        assert!(said.err.contains("--> repl:1"), "{}", said.err);
        assert!(said.err.contains("raise `script_cpu`"), "{}", said.err);
        assert_eq!(said.out, "2\n4\n", "{}", said.err);
    }
}

#[test]
fn programs_get_a_document_a_line() {
    let peer = peer();
    let server = shop(&peer);
    let said = say(
        &server,
        &["--json"],
        "{ a = { 1, \"x\" } }\nx = 1\nnothing\n:services\n",
    );
    let documents: Vec<Json> = said
        .out
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(documents[0], json!({"value": {"a": [1, "x"]}}));
    assert_eq!(documents[1], json!({"value": null}));
    assert_eq!(documents[2]["error"]["code"], "KL-S101");
    assert_eq!(documents[2]["error"]["place"], "repl:3:1");
    assert_eq!(documents[3]["services"][0], "shop.nested");
    assert_eq!((documents.len(), said.code), (4, 1));
}

#[test]
fn commands_explain_and_reload() {
    let peer = peer();
    let server = shop(&peer);
    let out = hears(
        &server,
        &[],
        ":help\n:services\n:doc ctx.kvdb.get\n:type shop.price\n:lang rhai\n1 + 1\n:quit\n3\n",
    );
    for part in [
        ":write on|off",
        "shop.price(item) -> {price?}",
        "ctx.kvdb:get(key: text) -> any",
        "Returns the text of a key; nothing when there is none.",
        "> ctx.kvdb:get(\"doc:absent\")",
        "input  item",
        "The language is rhai.\n2\n",
    ] {
        assert!(out.contains(part), "{part}\n{out}");
    }
    assert!(!out.contains('3') || out.ends_with("2\n"), "{out}");
    let said = say(&server, &[], ":docc\n:doc kvdb.gte\n:input {\n");
    assert_eq!(said.code, 2, "{}", said.err);
    for part in [
        "Did you mean `:doc`?",
        "Did you mean `kvdb.get`?",
        "':input' takes JSON",
    ] {
        assert!(said.err.contains(part), "{part}\n{}", said.err);
    }
}

#[test]
fn reloading_takes_what_was_saved_and_keeps_variables() {
    let peer = peer();
    let server = shop(&peer);
    let mut terminal = Terminal::open(&server, &[]);
    terminal.types("x = 5\r");
    terminal.types("local tax = require(\"tax\")\r");
    terminal.types("tax.of(x)\r");
    terminal.waits("\n10");
    server.write(
        "scripts/tax.lua",
        "return { of = function(x) return x * 100 end }\n",
    );
    terminal.types(":reload\r");
    terminal.waits("Read again: 4 services");
    terminal.types("tax.of(x)\r");
    terminal.waits("\n500");
    terminal.waits("\nlua> ");
    terminal.leaves();
}

#[test]
fn a_terminal_has_a_prompt_completion_and_a_history_of_its_owner() {
    let peer = peer();
    let server = shop(&peer);
    let mut terminal = Terminal::open(&server, &[]);
    assert!(
        terminal.shown().contains("read-only"),
        "{}",
        terminal.shown()
    );
    terminal.types("ctx.kvd\t:exi\t\"x\")\r");
    terminal.waits("ctx.kvdb:exists(\"x\")");
    terminal.waits("\n0");
    // It goes on until it is complete.
    terminal.types("for i = 1, 2 do\r");
    terminal.types("x = i\r");
    terminal.types("end\r");
    terminal.types("x * 21\r");
    terminal.waits("\n42");
    terminal.types("x = \"hush-hush\"\r");
    terminal.types("ctx.outgoing.http[\"warehouse\"]:get { path = \"/slow\" }\r");
    eventually("the peer is asked", || {
        peer.seen()
            .iter()
            .any(|seen| seen.target == "/slow")
            .then_some(())
    });
    terminal.types("\u{3}");
    terminal.waits("interrupted");
    terminal.types("x\r");
    terminal.waits("\n\"hush-hush\"");
    terminal.types(":write on\r");
    terminal.waits("lua!> ");
    terminal.leaves();
    let history = server.root().join("state/kladka/history");
    let text = std::fs::read_to_string(&history).unwrap();
    assert!(text.contains("ctx.kvdb:exists(\"x\")\n"), "{text}");
    assert!(text.contains("x * 21\n"), "{text}");
    assert!(!text.contains("hush-hush"), "{text}");
    let mode = std::fs::metadata(&history).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    // The next one remembers.
    let mut terminal = Terminal::open(&server, &[]);
    terminal.types("\u{1b}[A\u{1b}[A\u{1b}[A\u{1b}[A");
    terminal.waits("x * 21");
    terminal.types("\u{3}");
    terminal.waits("\nlua> ");
    terminal.leaves();
}

/// A REPL in a pseudo-terminal.
struct Terminal {
    child: Child,
    shown: Arc<Mutex<Vec<u8>>>,
    /// How much of it was waited for.
    read: usize,
}

impl Terminal {
    fn open(server: &TestServer, arguments: &[&str]) -> Self {
        let mut command = vec![env!("CARGO_BIN_EXE_kladka"), "repl"];
        command.extend(arguments);
        let mut child = Process::new("script")
            .args([
                "--quiet",
                "--return",
                "--command",
                // Some shells stay between and end with a signal of their own after an interrupt.
                &format!("exec {}", command.join(" ")),
                "/dev/null",
            ])
            .current_dir(server.root())
            .env("XDG_STATE_HOME", server.root().join("state"))
            .env("KLADKA_SECRET_TEST", "hush-hush")
            .env("TERM", "xterm")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let shown = Arc::new(Mutex::new(Vec::new()));
        let (own, mut stream) = (Arc::clone(&shown), child.stdout.take().unwrap());
        std::thread::spawn(move || {
            let mut bytes = [0; 4096];
            while let Ok(count @ 1..) = stream.read(&mut bytes) {
                own.lock().unwrap().extend_from_slice(&bytes[..count]);
            }
        });
        let mut terminal = Self {
            child,
            shown,
            read: 0,
        };
        terminal.waits("lua> ");
        terminal
    }

    fn types(&mut self, keys: &str) {
        let stdin = self.child.stdin.as_mut().unwrap();
        stdin.write_all(keys.as_bytes()).unwrap();
        stdin.flush().unwrap();
    }

    /// Returns all that it showed, without what steers a terminal.
    fn shown(&self) -> String {
        let text = String::from_utf8_lossy(&self.shown.lock().unwrap()).into_owned();
        let mut parts = text.split('\u{1b}');
        let mut plain = parts.next().unwrap_or_default().to_owned();
        for part in parts {
            let end = part
                .find(|c: char| c.is_ascii_alphabetic())
                .map_or(part.len(), |at| at + 1);
            plain.extend(part.get(end..));
        }
        plain.replace('\r', "")
    }

    /// Waits until it shows a text behind what was waited for before.
    fn waits(&mut self, text: &str) {
        let found = eventually(&format!("{text:?}"), || {
            let shown = self.shown();
            let rest = shown.get(self.read..).unwrap_or_default();
            rest.find(text).map(|at| self.read + at + text.len())
        });
        self.read = found;
    }

    /// Leaves; a prompt must stand there, for the end of the input is a key only where lines are edited.
    fn leaves(&mut self) {
        self.types("\u{4}");
        let status = eventually("it ends", || self.child.try_wait().unwrap());
        assert_eq!(status.code(), Some(0), "{}", self.shown());
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("--- the terminal\n{}", self.shown());
        }
        self.child.kill().ok();
        self.child.wait().ok();
    }
}
