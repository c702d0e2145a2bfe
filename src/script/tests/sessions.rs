//! Tests of conversations: what stays from text to text, what is shown, and what goes wrong where.

use std::sync::Arc;

use serde_json::{Value as Json, json};

use crate::base::*;
use crate::contract::*;
use crate::script::lua::LuaSession;
use crate::script::rhai::RhaiSession;
use crate::script::tests::world::*;
use crate::script::{Entry, Ground, Outcome, Session, call, show};

const FILES: &[(&str, &str)] = &[
    (
        "scripts/shop/tax.lua",
        "local M = {} M.rate = 2 function M.of(x) return x * M.rate end return M",
    ),
    (
        "scripts/shop/tax.rhai",
        "fn of(x) { x * 2 } fn rate() { 2 }",
    ),
];

/// A conversation over the ports of a little world.
struct Talk {
    world: World,
    session: Box<dyn Session>,
    set: Arc<SourceSet>,
    said: String,
    declaration: Arc<Declaration>,
}

impl Talk {
    fn new(language: &'static str) -> Self {
        let world = World::new(&[(
            "scripts/o.lua",
            "return service { name = 'other', handle = function(ctx) ctx.kvdb:set('k', 'v') end }",
        )]);
        let mut tables = crate::script::host::TABLES.to_vec();
        tables.push(TABLE);
        let set = sources(FILES);
        let ground = Ground {
            core: std::rc::Rc::clone(&world.core),
            api: tables.into(),
            set: Arc::clone(&set),
            waits: false,
        };
        let session: Box<dyn Session> = match language {
            "lua" => Box::new(LuaSession::open(&ground).unwrap()),
            _ => Box::new(RhaiSession::open(&ground)),
        };
        let declaration = Declaration {
            name: ServiceName::new("repl").unwrap(),
            doc: String::new(),
            input: None,
            output: None,
            timeout: None,
            cpu: None,
            uses: None,
            place: Place::new("repl", 0, 0),
            language,
        };
        Self {
            world,
            session,
            set,
            said: String::new(),
            declaration: Arc::new(declaration),
        }
    }

    async fn run(&mut self, text: &str) -> Result<Outcome, Fault> {
        let line = self.said.lines().count() + 1;
        self.said.extend([text, "\n"]);
        let entry = Entry {
            text: text.to_owned(),
            line,
            said: self.said.as_str().into(),
        };
        let call = call(&self.world.core, self.world.ctx.clone(), &self.declaration);
        let result = self.session.run(&entry, call).await;
        result.map_err(|fault| show(fault, &self.set, &self.said))
    }

    async fn says(&mut self, text: &str) -> String {
        let outcome = self.run(text).await;
        let outcome = outcome.unwrap_or_else(|fault| panic!("{text}: {fault:?}"));
        outcome.text.unwrap_or_default()
    }

    async fn fails(&mut self, text: &str) -> Fault {
        self.run(text).await.expect_err(text)
    }

    fn only_reads(&mut self) {
        self.world.ctx.request = Arc::new(Request {
            read_only: true,
            ..Request::default()
        });
    }
}

/// Runs texts in order and compares what each shows.
fn check(language: &'static str, cases: &[(&str, &str)]) {
    on_core(async {
        let mut talk = Talk::new(language);
        for (text, shown) in cases {
            assert_eq!(talk.says(text).await, *shown, "{language}: {text}");
        }
    });
}

#[test]
fn what_a_text_of_lua_defines_stays() {
    check(
        "lua",
        &[
            ("1 + 1", "2"),
            ("_ + 1", "3"),
            ("x = 5", ""),
            ("_", "3"),
            ("local y: number = x * 2", ""),
            ("x, y", "5\n10"),
            ("local function twice(n) return n * 2 end", ""),
            ("function thrice(n) return n * 3 end", ""),
            ("twice(y) + thrice(1)", "23"),
            ("local tax = require(\"shop.tax\")", ""),
            ("tax.of(21)", "42"),
            (
                "local t = {}\nfor i = 1, 3 do\n  t[i] = i * i\nend\nreturn t",
                "{ 1, 4, 9 }",
            ),
            ("t", "{ 1, 4, 9 }"),
            ("ctx.response.payload.a = 1", ""),
            ("ctx.response.payload", "{ a = 1 }"),
            ("ctx.kvdb:set(\"a\", \"b\")", "nil"),
            ("ctx.kvdb:get(\"a\")", "\"b\""),
            ("1;", ""),
            (
                "ctx.outgoing.http[\"treasury.gov\"]",
                "<outgoing.http treasury.gov>",
            ),
            ("decimal.of(\"1.20\")", "1.20"),
            ("-- nothing", ""),
            ("print(1)", ""),
        ],
    );
}

#[test]
fn what_a_text_of_rhai_defines_stays() {
    check(
        "rhai",
        &[
            ("1 + 1", "2"),
            ("_ + 1", "3"),
            ("let x = 5;", ""),
            ("_", "3"),
            ("let y = x * 2", ""),
            ("[x, y]", "[5, 10]"),
            ("const RATE = 3;", ""),
            ("fn twice(n) { n * 2 }", ""),
            ("fn thrice(n) { n * global::RATE }", ""),
            ("twice(y) + thrice(1)", "23"),
            ("import \"shop/tax\" as tax;", ""),
            ("tax::of(21)", "42"),
            ("fn taxed(x) { tax::of(x) }", ""),
            ("taxed(1) + tax::rate()", "4"),
            ("let x = 1; let x = 2;", ""),
            ("x += 1", ""),
            ("x", "3"),
            (
                "let t = [];\nfor i in 1..4 {\n  t.push(i * i);\n}\nt",
                "[1, 4, 9]",
            ),
            ("t.map(|n| n + x)", "[4, 7, 12]"),
            ("let add = |n| n + 1;", ""),
            ("add.call(1)", "2"),
            ("switch 7 { 1 => 2, _ => 8 }", "8"),
            ("ctx.response.payload.a = 1;", ""),
            ("ctx.response.payload", "#{ a: 1 }"),
            ("ctx.kvdb.set(\"a\", \"b\");", ""),
            ("ctx.kvdb.get(\"a\")", "\"b\""),
            ("ctx.kvdb.get(\"none\")", "()"),
            (
                "ctx.outgoing.http[\"treasury.gov\"]",
                "<outgoing.http treasury.gov>",
            ),
            ("decimal.of(\"1.20\")", "1.20"),
            ("// nothing", ""),
            ("ctx", "<ctx>"),
        ],
    );
}

#[test]
fn a_text_that_breaks_off_asks_for_more() {
    let lua = [
        ("1 +", true),
        ("x =", true),
        ("f(", true),
        ("f(1,", true),
        ("if x then", true),
        ("function f()", true),
        ("function f() return 1 end", false),
        ("local t = {", true),
        ("t = { 1,", true),
        ("[[a", true),
        ("\"a", false),
        ("--[[ a", true),
        ("for i = 1, 2 do", true),
        ("repeat x()", true),
        (")", false),
        ("a b", false),
        ("x", false),
        ("", false),
    ];
    let rhai = [
        ("1 +", true),
        ("let x =", true),
        ("f(", true),
        ("f(1,", true),
        ("if true {", true),
        ("if true", true),
        ("fn f() {", true),
        ("fn f() { 1 }", false),
        ("fn f(", true),
        ("let t = [", true),
        ("let t = #{", true),
        ("let t = #{ a: 1,", true),
        ("`a", true),
        ("`a\nb`", false),
        ("\"a", false),
        ("/* a", true),
        ("for i in 1..2 {", true),
        ("loop {", true),
        ("switch 1 {", true),
        ("import \"shop/tax\"", false),
        (")", false),
        ("let x = 1 let y = 2", false),
        ("1", false),
        ("", false),
    ];
    on_core(async {
        for (language, cases) in [("lua", &lua[..]), ("rhai", &rhai[..])] {
            let talk = Talk::new(language);
            for (text, breaks_off) in cases {
                assert_eq!(
                    talk.session.is_incomplete(text),
                    *breaks_off,
                    "{language}: {text}"
                );
            }
        }
    });
}

#[test]
fn a_fault_has_its_place_among_all_lines_and_what_was_meant() {
    on_core(async {
        for (language, texts) in [
            (
                "lua",
                [
                    "price = 1",
                    "local a = 1\nreturn prise",
                    "ctx.kvbd:get(\"x\")",
                    "x = = 1",
                ],
            ),
            (
                "rhai",
                [
                    "let price = 1;",
                    "let a = 1;\nprise",
                    "ctx.kvbd.get(\"x\")",
                    "let x = = 1;",
                ],
            ),
        ] {
            let mut talk = Talk::new(language);
            talk.says(texts[0]).await;
            let fault = talk.fails(texts[1]).await;
            let block = fault.block();
            assert!(block.contains("--> repl:3:"), "{block}");
            assert!(
                block.contains("3 | ") && block.contains("prise") && block.contains('^'),
                "{block}"
            );
            assert!(block.contains("Did you mean `price`?"), "{block}");
            let block = talk.fails(texts[2]).await.block();
            assert!(block.contains("--> repl:4:5"), "{block}");
            assert!(block.contains("Did you mean `kvdb`?"), "{block}");
            let fault = talk.fails(texts[3]).await;
            assert_eq!(fault.code(), Code::ScriptCompile);
            assert!(fault.block().contains("--> repl:5:"), "{}", fault.block());
            assert_eq!(talk.says("price").await, "1", "{language}");
        }
    });
}

#[test]
fn what_is_no_statement_is_explained_as_a_value() {
    on_core(async {
        let mut talk = Talk::new("lua");
        for (text, message) in [
            ("1 + )", "got ')'"),
            ("x y", "got 'y'"),
            ("\"abc", "Malformed string"),
            ("1 +\n+ 2", "got '+'"),
            ("local = 1", "'='"),
            ("if x", "got <eof>"),
        ] {
            let fault = talk.fails(text).await;
            assert!(fault.message().contains(message), "{text}: {fault:?}");
        }
    });
}

#[test]
fn a_fault_of_a_function_names_the_line_where_that_was_said() {
    on_core(async {
        for (language, texts) in [
            ("lua", ["function f()\n  return nothing.at.all\nend", "f()"]),
            ("rhai", ["fn f() {\n  throw \"x\";\n}", "f()"]),
        ] {
            let mut talk = Talk::new(language);
            talk.says(texts[0]).await;
            let block = talk.fails(texts[1]).await.block();
            assert!(block.contains("--> repl:2:"), "{block}");
            assert!(block.contains("trace: repl:2 f, repl:4"), "{block}");
        }
    });
}

#[test]
fn budgets_hold_for_each_text_and_the_next_one_runs() {
    on_core(async {
        for (language, endless, deep, large) in [
            (
                "lua",
                "while true do end",
                "local function f() return 1 + f() end f()",
                "local t = {} for i = 1, 1e9 do t[i] = { i } end",
            ),
            (
                "rhai",
                "loop {}",
                "fn f() { 1 + f() } f()",
                "let t = \"x\"; loop { t += t; }",
            ),
        ] {
            let mut talk = Talk::new(language);
            talk.world.ctx.limits.cpu_ms = 300;
            talk.says(if language == "lua" {
                "x = 1"
            } else {
                "let x = 1;"
            })
            .await;
            let fault = talk.fails(endless).await;
            assert_eq!(fault.code(), Code::CpuBudget, "{fault:?}");
            assert!(fault.block().contains("--> repl:2"), "{fault:?}");
            assert_eq!(talk.says("x").await, "1");
            talk.fails(deep).await;
            talk.world.ctx.limits.cpu_ms = 20_000;
            talk.world.ctx.limits.memory = 16 << 20;
            let fault = talk.fails(large).await;
            assert_eq!(fault.code(), Code::MemoryBudget, "{fault:?}");
            assert_eq!(talk.says("1 + 1").await, "2");
        }
    });
}

#[test]
fn a_text_that_is_given_up_leaves_what_was_there() {
    on_core(async {
        for (language, texts) in [
            ("lua", ["x = 1", "ctx.time.nap(60000)", "x"]),
            (
                "rhai",
                ["let x = 1;", "{ let y = 2; ctx.time.nap(60000) }", "x"],
            ),
        ] {
            let mut talk = Talk::new(language);
            talk.says(texts[0]).await;
            let short = std::time::Duration::from_millis(20);
            let late = tokio::time::timeout(short, talk.run(texts[1])).await;
            assert!(late.is_err(), "{language}");
            assert_eq!(talk.says(texts[2]).await, "1", "{language}");
        }
    });
}

#[test]
fn a_call_that_only_reads_refuses_writes_also_of_services_and_lets_the_rest_be() {
    on_core(async {
        let sign = |language: &str| if language == "lua" { ":" } else { "." };
        for language in ["lua", "rhai"] {
            let mut talk = Talk::new(language);
            talk.only_reads();
            let dot = sign(language);
            let fault = talk.fails(&format!("ctx.kvdb{dot}set(\"k\", \"v\")")).await;
            assert_eq!(fault.code(), Code::ReadOnly, "{fault:?}");
            assert!(fault.block().contains("--> repl:1:10"), "{fault:?}");
            assert!(fault.block().contains(":write on"), "{fault:?}");
            let fault = talk.fails(&format!("ctx{dot}invoke(\"other\")")).await;
            assert_eq!(fault.code(), Code::ReadOnly, "{fault:?}");
            assert_eq!(fault.place().unwrap().path.as_ref(), "scripts/o.lua");
            assert_eq!(
                talk.says(&format!("ctx.kvdb{dot}get(\"k\")")).await,
                if language == "lua" { "nil" } else { "()" }
            );
            talk.says(&format!("ctx.outgoing.http[\"treasury.gov\"]{dot}get()"))
                .await;
            talk.says(&format!("ctx.log{dot}info(\"said\")")).await;
            talk.world.ctx.request = Arc::default();
            talk.says(&format!("ctx.kvdb{dot}set(\"k\", \"v\")")).await;
        }
    });
}

#[test]
fn programs_get_values_as_json() {
    on_core(async {
        for (language, cases) in [
            (
                "lua",
                [
                    ("{ a = 1, b = { true } }", json!({"a": 1, "b": [true]})),
                    ("x = 1", Json::Null),
                    ("1, \"a\"", json!([1, "a"])),
                    ("print", json!("function")),
                ],
            ),
            (
                "rhai",
                [
                    ("#{ a: 1, b: [true] }", json!({"a": 1, "b": [true]})),
                    ("let x = 1;", Json::Null),
                    ("[1, \"a\"]", json!([1, "a"])),
                    ("|x| x", json!("closure")),
                ],
            ),
        ] {
            let mut talk = Talk::new(language);
            for (text, wanted) in cases {
                assert_eq!(talk.run(text).await.unwrap().json, wanted, "{text}");
            }
        }
    });
}

#[test]
fn other_sources_take_the_place_of_modules_and_variables_stay() {
    let other = sources(&[
        (
            "scripts/shop/tax.lua",
            "return { of = function(x) return x * 3 end }",
        ),
        ("scripts/shop/tax.rhai", "fn of(x) { x * 3 }"),
    ]);
    on_core(async {
        for (language, texts) in [
            (
                "lua",
                ["x = 7", "local tax = require(\"shop.tax\")", "tax.of(x)"],
            ),
            (
                "rhai",
                ["let x = 7;", "import \"shop/tax\" as tax;", "tax::of(x)"],
            ),
        ] {
            let mut talk = Talk::new(language);
            talk.says(texts[0]).await;
            talk.says(texts[1]).await;
            assert_eq!(talk.says(texts[2]).await, "14", "{language}");
            for text in talk.session.renew(Arc::clone(&other)) {
                talk.says(&text).await;
            }
            assert_eq!(talk.says(texts[2]).await, "21", "{language}");
        }
    });
}

#[test]
fn a_module_that_is_gone_is_told_once_and_does_not_stand_in_the_way() {
    on_core(async {
        let mut talk = Talk::new("rhai");
        talk.says("import \"shop/tax\" as tax;").await;
        assert!(talk.session.renew(sources(&[])).is_empty());
        let fault = talk.fails("1 + 1").await;
        assert_eq!(fault.code(), Code::ScriptModule, "{fault:?}");
        assert_eq!(talk.says("1 + 1").await, "2");
        let mut talk = Talk::new("lua");
        talk.says("local tax = require(\"shop.tax\")").await;
        let again = talk.session.renew(sources(&[]));
        assert_eq!(again, ["tax = require(\"shop.tax\")"]);
        let fault = talk.fails(&again[0]).await;
        assert_eq!(fault.code(), Code::ScriptModule, "{fault:?}");
        assert_eq!(talk.says("tax.of(2)").await, "4");
    });
}

#[test]
fn variables_that_fill_the_memory_go_and_the_next_text_runs() {
    on_core(async {
        let mut talk = Talk::new("lua");
        talk.world.ctx.limits.memory = 16 << 20;
        talk.says("x = 1").await;
        let fault = talk
            .fails("all = {} for i = 1, 1e9 do all[i] = { i } end")
            .await;
        assert_eq!(fault.code(), Code::MemoryBudget, "{fault:?}");
        assert!(fault.hint_text().unwrap().contains("are gone"), "{fault:?}");
        assert_eq!(talk.says("1 + 1").await, "2");
        talk.fails("x").await;
    });
}

#[test]
fn variables_are_known_with_what_is_in_them() {
    on_core(async {
        for (language, texts) in [
            (
                "lua",
                [
                    "local tax = require(\"shop.tax\")",
                    "row = { a = 1, b = 2 }",
                    "node = probe.node()",
                ],
            ),
            (
                "rhai",
                [
                    "import \"shop/tax\" as tax;",
                    "let row = #{ a: 1, b: 2 };",
                    "let node = probe.node();",
                ],
            ),
        ] {
            let mut talk = Talk::new(language);
            for text in texts {
                talk.says(text).await;
            }
            let variables = talk.session.variables();
            let names: Vec<&str> = variables.iter().map(|it| it.name.as_str()).collect();
            assert_eq!(names, ["node", "row", "tax"], "{language}");
            assert_eq!(variables[0].class, Some("test.node"), "{language}");
            assert_eq!(variables[1].members, ["a", "b"], "{language}");
            assert_eq!(variables[2].members, ["of", "rate"], "{language}");
        }
    });
}

#[test]
fn the_input_is_what_was_set() {
    on_core(async {
        for (language, empty) in [("lua", "{}"), ("rhai", "#{}")] {
            let mut talk = Talk::new(language);
            assert_eq!(talk.says("ctx.request.input").await, empty);
            talk.session.set_input(map(&[("year", Value::Int(2013))]));
            assert_eq!(talk.says("ctx.request.input.year").await, "2013");
        }
    });
}

#[test]
fn text_nested_deep_is_refused_and_harms_nobody() {
    let deep = |open: &str, close: &str, count: usize| {
        [&*open.repeat(count), "1", &*close.repeat(count)].concat()
    };
    let work = move || {
        on_core(async {
            for language in ["lua", "rhai"] {
                let mut talk = Talk::new(language);
                for (open, close) in [
                    ("(", ")"),
                    ("[", "]"),
                    ("{", "}"),
                    ("-", ""),
                    ("#{a:", "}"),
                    ("f(", ")"),
                ] {
                    if language == "lua" && open == "-" {
                        // Twice it begins a comment.
                        continue;
                    }
                    let text = deep(open, close, 20_000);
                    talk.session.is_incomplete(&text);
                    talk.session.is_incomplete(&deep(open, "", 20_000));
                    talk.fails(&text).await;
                }
                assert_eq!(talk.says("1 + 1").await, "2");
            }
            let mut talk = Talk::new("rhai");
            // It reaches its limit somewhere; what it made is dropped in any case.
            talk.run("let a = []; for i in 0..5000 { a = [a]; }")
                .await
                .ok();
            talk.run("a").await.ok();
            talk.run("let a = 1;").await.ok();
            let mut talk = Talk::new("lua");
            talk.says("t = {} for i = 1, 50000 do t = { t } end").await;
            assert!(talk.says("t").await.contains('…'));
        });
    };
    let thread = std::thread::Builder::new().stack_size(64 << 20);
    thread.spawn(work).unwrap().join().unwrap();
}
