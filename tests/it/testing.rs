//! `kladka test`: what passes, what fails and how it is told, in every language of tests.

use std::process::Stdio;
use std::time::{Duration, Instant};

use serde_json::{Value as Json, json};

use crate::support::{Command, Log, TestServer, binary, eventually, kladka, signal};

const SERVICES: &str = r#"
return {
  service { name = "shop.price", input = { "item", "count:int?=1" }, output = { "total:decimal", "tags:text[]?" },
    handle = function(ctx)
      local input = ctx.request.input
      local price = ctx.kvdb:get("price:" .. input.item)
      if price == nil then
        ctx.fail { status = 404, code = "NO-PRICE", message = "no price for " .. input.item }
      end
      ctx.response.payload.total = decimal.mul(price, input.count)
      local tags = ctx.kvdb:lrange("tags:" .. input.item)
      if #tags > 0 then
        ctx.response.payload.tags = tags
      end
      ctx.kvdb:incr("asked:" .. input.item)
      ctx.log:info("%s asked for", input.item)
    end },
  service { name = "shop.order", uses = { "outgoing.http:warehouse", "config:shop" }, input = { "id", "lines:any?" }, output = { "number?", "when?", "currency?" },
    handle = function(ctx)
      local input = ctx.request.input
      local answer = ctx.outgoing.http["warehouse"]:post {
        path = "/orders/{id}", params = { id = input.id }, query = { urgent = true }, json = { lines = input.lines } }
      ctx.response.payload.number = answer:json().number
      ctx.response.payload.when = ctx.time.now().text
      ctx.response.payload.currency = ctx.config.shop.currency
    end },
  service { name = "shop.careless", output = { "done:bool" },
    handle = function(ctx)
      pcall(function() ctx.outgoing.http["warehouse"]:get { path = "/ping", query = { q = { "a b", "c" } } } end)
      ctx.response.payload.done = true
    end },
  service { name = "shop.ids", output = { "v4", "v7", "bytes", "dice:int" },
    handle = function(ctx)
      local payload = ctx.response.payload
      payload.v4, payload.v7, payload.bytes = uuid.v4(), uuid.v7(), ctx.crypto:random(8)
      payload.dice = math.random(1000000)
    end },
  service { name = "shop.list", handle = function(ctx) ctx.response.payload = { { n = 1 }, { n = 2 } } end },
  service { name = "shop.broken", handle = function(ctx) return ctx.kvbd end },
}
"#;

const OBJECTS: &str = r#"
version: 1
outgoing:
  http:
    - { name: warehouse, url: "${env.WAREHOUSE_URL_THAT_NOBODY_SET}", timeout: { total: 5s } }
"#;

/// A project of a shop, without tests.
fn shop() -> TestServer {
    let server = TestServer::project("blank");
    server.write("scripts/shop.lua", SERVICES);
    server.write("config/objects.yaml", OBJECTS);
    server.write("config/user/shop.toml", "currency = \"EUR\"\n");
    server
}

fn document(command: &Command) -> Json {
    serde_json::from_str(&command.out)
        .unwrap_or_else(|error| panic!("{error}: {:?}\n{}", command.out, command.err))
}

/// Both languages: the ending of the file, and the text of a file with one test of a body.
fn in_both<'a>(lua: &'a str, rhai: &'a str) -> [(&'static str, String); 2] {
    [
        (
            "lua",
            format!("test(\"one thing\", function(t)\n{lua}\nend)\n"),
        ),
        ("rhai", format!("fn test_one_thing(t) {{\n{rhai}\n}}\n")),
    ]
}

#[test]
fn a_new_project_comes_with_tests_that_pass() {
    for lang in ["lua", "rhai"] {
        let server = TestServer::project_in("rates", lang);
        let started = Instant::now();
        let ran = server.kladka(&["test"]);
        let elapsed = started.elapsed();
        assert_eq!(ran.code, 0, "{}{}", ran.out, ran.err);
        assert!(
            ran.out.contains("4 cases × 5 exposures   20 passed"),
            "{}",
            ran.out
        );
        assert!(
            ran.out.contains(&format!("tests/update_cache_test.{lang}")),
            "{}",
            ran.out
        );
        assert!(ran.out.contains("23 run, all passed"), "{}", ran.out);
        assert!(!server.root().join("data").exists(), "tests leave nothing");
        // The machine may be busy, and this build is not optimised.
        assert!(elapsed < Duration::from_secs(20), "{elapsed:?}");
    }
}

#[test]
fn this_repository_is_a_project_whose_tests_pass() {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    let ran = kladka(root, &["test"]);
    assert_eq!(ran.code, 0, "{}{}", ran.out, ran.err);
    for path in [
        "tests/get_rate.cases.yaml",
        "tests/update_cache_test.lua",
        "tests/rhai/get_rate.cases.yaml",
        "tests/rhai/update_cache_test.rhai",
    ] {
        assert!(ran.out.contains(path), "{}", ran.out);
    }
}

#[test]
fn what_holds_passes_in_both_languages() {
    let server = shop();
    let bodies: &[(&str, &str)] = &[
        (
            r#"t.kvdb:set("price:tea", "1.10")
               t:eq(t:invoke("shop.price", { item = "tea", count = 3 }), { total = "3.30" })
               t:eq(t.kvdb:get("asked:tea"), "1")
               t:logged("info", "tea asked for")
               t:logged("info", "/^tea/")"#,
            r#"t.kvdb.set("price:tea", "1.10");
               t.eq(t.invoke("shop.price", #{ item: "tea", count: 3 }).total.to_string(), "3.30");
               t.eq(t.kvdb.get("asked:tea"), "1");
               t.logged("info", "tea asked for");
               t.logged("info", "/^tea/");"#,
        ),
        (
            r#"t:fails("shop.price", { item = "tea" }, { code = "NO-PRICE", status = 404, message = "no price for tea" })
               t:fails("shop.price", {}, { code = "KL-I102", pointer = "/item", status = 400 })
               t:fails(function(t) t:invoke("shop.price", { item = "tea" }) end, { code = "NO-PRICE", status = 404 })
               t:fails(function() error("by hand") end)
               t:ok(t.kvdb:get("asked:tea") == nil)"#,
            r#"t.fails("shop.price", #{ item: "tea" }, #{ code: "NO-PRICE", status: 404, message: "no price for tea" });
               t.fails("shop.price", #{}, #{ code: "KL-I102", pointer: "/item", status: 400 });
               let item = "tea";
               t.fails(|t| t.invoke("shop.price", #{ item: item }), #{ code: "NO-PRICE", status: 404 });
               t.fails(|t| throw "by hand");
               t.fails(|| throw "by hand");
               t.ok(t.kvdb.get("asked:tea") == ());"#,
        ),
        (
            r#"t.clock:set("2013-09-03T10:00:00Z")
               t.clock:advance("1h")
               local warehouse = t.out.http["warehouse"]
               warehouse:on("POST", { path = "/orders/a%20b", json = { lines = { 1 } } }):reply(201, { number = "no" })
               warehouse:on("POST", { path = "/orders/a b", query = { urgent = true } }):reply(201, { number = "7" }, { ["x-a"] = "b" })
               local answer = t:invoke("shop.order", { id = "a b", lines = { 1 } })
               t:eq(answer, { number = "7", when = "2013-09-03T11:00:00Z", currency = "EUR" })
               warehouse:called { times = 1, method = "POST", query = { urgent = true }, json = { lines = { 1 } } }
               warehouse:called { times = 0, method = "GET" }"#,
            r#"t.clock.set("2013-09-03T10:00:00Z");
               t.clock.advance("1h");
               let warehouse = t.out.http["warehouse"];
               warehouse.on("POST", #{ path: "/orders/a%20b", json: #{ lines: [1] } }).reply(201, #{ number: "no" });
               warehouse.on("POST", #{ path: "/orders/a b", query: #{ urgent: true } }).reply(201, #{ number: "7" }, #{ "x-a": "b" });
               let answer = t.invoke("shop.order", #{ id: "a b", lines: [1] });
               t.eq(answer, #{ number: "7", when: "2013-09-03T11:00:00Z", currency: "EUR" });
               warehouse.called(#{ times: 1, method: "POST", query: #{ urgent: true }, json: #{ lines: [1] } });
               warehouse.called(#{ times: 0, method: "GET" });"#,
        ),
        (
            r#"local warehouse = t.out.http["warehouse"]
               warehouse:on("POST"):fail("timeout"):fail("connect"):reply(200, '{"number": "last"}')
               t:fails("shop.order", { id = "1" }, { code = "KL-O102" })
               t:fails("shop.order", { id = "1" }, { code = "KL-O101" })
               t:eq(t:invoke("shop.order", { id = "1" }).number, "last")
               t:eq(t:invoke("shop.order", { id = "1" }).number, "last")"#,
            r#"let warehouse = t.out.http["warehouse"];
               warehouse.on("POST").fail("timeout").fail("connect").reply(200, `{"number": "last"}`);
               t.fails("shop.order", #{ id: "1" }, #{ code: "KL-O102" });
               t.fails("shop.order", #{ id: "1" }, #{ code: "KL-O101" });
               t.eq(t.invoke("shop.order", #{ id: "1" }).number, "last");
               t.eq(t.invoke("shop.order", #{ id: "1" }).number, "last");"#,
        ),
        (
            r#"t:eq(t:invoke("shop.list"), { { n = 1 }, { n = 2 } })
               t:eq(t:fixture("note.txt"), "hello")
               t:ok(1)"#,
            r#"t.eq(t.invoke("shop.list"), [#{ n: 1 }, #{ n: 2 }]);
               t.eq(t.fixture("note.txt").as_string(), "hello");
               t.ok(1);"#,
        ),
    ];
    server.write("tests/fixtures/note.txt", "hello");
    for (number, (lua, rhai)) in bodies.iter().enumerate() {
        for (ending, text) in in_both(lua, rhai) {
            server.write(&format!("tests/good_{number}_test.{ending}"), text);
        }
    }
    let ran = server.kladka(&["test"]);
    assert_eq!(ran.code, 0, "{}{}", ran.out, ran.err);
    let all = format!("{} run, all passed", bodies.len() * 2);
    assert!(ran.out.contains(&all), "{}", ran.out);
}

#[test]
fn what_does_not_hold_fails_and_says_why_in_both_languages() {
    let server = shop();
    let bodies: &[(&str, &str, &[&str])] = &[
        (
            r#"t.kvdb:set("price:tea:01", "2") t:eq(t.kvdb:get("price:tea:1"), "2")"#,
            r#"t.kvdb.set("price:tea:01", "2"); t.eq(t.kvdb.get("price:tea:1"), "2");"#,
            &[
                "KL-T100",
                r#"expected "2", got nothing"#,
                "a similar one exists: price:tea:01",
            ],
        ),
        (
            r#"t:eq({ a = { 1, 2 }, b = "x" }, { a = { 1, 3 }, c = true })"#,
            r#"t.eq(#{ a: [1, 2], b: "x" }, #{ a: [1, 3], c: true });"#,
            &[
                "/a/1: expected 3, got 2",
                "/c: expected true, got nothing",
                "/b: expected nothing, got \"x\"",
            ],
        ),
        (
            r#"t:eq("Key one set to 1", "Key one set to 2")"#,
            r#"t.eq("Key one set to 1", "Key one set to 2");"#,
            &[
                "expected \"Key one set to 2\"\n",
                "     got \"Key one set to 1\"\n",
                "                         ^",
            ],
        ),
        (
            "t:ok(false)",
            "t.ok(false);",
            &["expected something, got false"],
        ),
        (
            "pcall(function() t:eq(1, 2) end)",
            "try { t.eq(1, 2); } catch { }",
            &["expected 2, got 1"],
        ),
        (
            r#"t:fails("shop.list", {})"#,
            r#"t.fails("shop.list", #{});"#,
            &["expected a failure, got none"],
        ),
        (
            r#"t:fails("shop.price", { item = "tea" }, { code = "NO-PRICES" })"#,
            r#"t.fails("shop.price", #{ item: "tea" }, #{ code: "NO-PRICES" });"#,
            &[
                r#"code of the failure: expected "NO-PRICES", got "NO-PRICE""#,
                "it was NO-PRICE: no price for tea",
            ],
        ),
        (
            r#"t.kvdb:set("price:tea", 1) t:invoke("shop.price", { item = "tea" }) t:logged("warn", "tea asked for")"#,
            r#"t.kvdb.set("price:tea", 1); t.invoke("shop.price", #{ item: "tea" }); t.logged("warn", "tea asked for");"#,
            &[
                "not logged at level warn: tea asked for",
                "info  tea asked for",
            ],
        ),
        (
            r#"t:invoke("shop.order", { id = "1" })"#,
            r#"t.invoke("shop.order", #{ id: "1" });"#,
            &[
                "KL-T101",
                "'warehouse' is not mocked for POST /orders/1?urgent=true",
            ],
        ),
        (
            // A service that swallows the failure does not make the test pass.
            r#"t:eq(t:invoke("shop.careless").done, true)"#,
            r#"t.eq(t.invoke("shop.careless").done, true);"#,
            &["KL-T101", "GET /ping?q=a b&q=c"],
        ),
        (
            r#"t.out.http["warehouse"]:on("GET"):reply(200) t:invoke("shop.careless") t.out.http["warehouse"]:called { times = 2 }"#,
            r#"t.out.http["warehouse"].on("GET").reply(200); t.invoke("shop.careless"); t.out.http["warehouse"].called(#{ times: 2 });"#,
            &["expected 2 call(s) like that, got 1", "GET /ping?q=a b"],
        ),
        (
            r#"t.out.http["warehose"]:on("GET")"#,
            r#"t.out.http["warehose"].on("GET");"#,
            &["KL-O404", "Did you mean `warehouse`?"],
        ),
        (
            r#"t.out.http["warehouse"]:on("GET", { pth = "/" })"#,
            r#"t.out.http["warehouse"].on("GET", #{ pth: "/" });"#,
            &["a request has no 'pth'", "Did you mean `path`?"],
        ),
        (
            r#"t:fixture("../shop.toml")"#,
            r#"t.fixture("../shop.toml");"#,
            &["there is no fixture tests/fixtures/../shop.toml"],
        ),
        (
            r#"t:invoke("shop.broken")"#,
            r#"t.invoke("shop.broken");"#,
            &[
                "ctx has no field 'kvbd'",
                "scripts/shop.lua:39:69",
                "Did you mean `kvdb`?",
            ],
        ),
        (
            "local x = t.kvdb:get(\"a\")",
            "let x = t.kvdb.get(\"a\");",
            &["KL-T100", "the test checks nothing"],
        ),
        (
            "t:fails(function() return 1 end)",
            "t.fails(|| 1);",
            &["expected a failure, got none"],
        ),
        ("while true do end", "while true { }", &["KL-S301"]),
        ("t:eqq(1, 1)", "t.eqq(1, 1);", &["eqq"]),
    ];
    for (number, (lua, rhai, _)) in bodies.iter().enumerate() {
        for (ending, text) in in_both(lua, rhai) {
            server.write(&format!("tests/bad_{number:02}_test.{ending}"), text);
        }
    }
    let ran = server.kladka(&["test"]);
    assert_eq!(ran.code, 4, "{}{}", ran.out, ran.err);
    let failed = format!("{0} run, {0} failed", bodies.len() * 2);
    assert!(ran.out.contains(&failed), "{}", ran.out);
    for (number, (_, _, needles)) in bodies.iter().enumerate() {
        for ending in ["lua", "rhai"] {
            let path = format!("tests/bad_{number:02}_test.{ending}");
            let from = ran
                .out
                .find(&path)
                .unwrap_or_else(|| panic!("{path}: {}", ran.out));
            let own = ran.out.get(from..).unwrap();
            let end = own.find("\ntests/").unwrap_or(own.len());
            // The lines of a test are indented.
            let own = own.get(..end).unwrap().replace("\n    ", "\n");
            for needle in *needles {
                assert!(own.contains(needle), "{path} lacks {needle:?}:\n{own}");
            }
            assert!(own.contains(&format!("{path}:")), "{own}");
        }
    }
}

#[test]
fn a_test_that_fails_shows_its_own_line_and_calls_its_context_t() {
    let server = shop();
    let told = [
        // A service that fails: where, and what the test called.
        (
            in_both("t:invoke(\"shop.broken\")", "t.invoke(\"shop.broken\");"),
            "ctx has no field 'kvbd'",
            "trace: scripts/shop.lua:39 handle, tests/one_test.",
        ),
        (
            in_both("t:invok(1)", "t.invok(1);"),
            "t has no field 'invok'",
            "Did you mean `invoke`?",
        ),
        (
            in_both("t.kvdb:gett(1)", "t.kvdb.gett(1);"),
            "t.kvdb has no field 'gett'",
            ":2",
        ),
        (in_both("t.x = 1", "t.x = 1;"), "t.x cannot be set", ":2"),
    ];
    for (tests, message, more) in told {
        for (ending, text) in tests {
            let file = format!("tests/one_test.{ending}");
            server.write(&file, &text);
            let ran = server.kladka(&["test", &file]);
            for part in [message, more] {
                assert!(ran.out.contains(part), "{text}: no {part} in {}", ran.out);
            }
        }
    }
}

#[test]
fn a_call_that_is_not_mocked_prints_the_mock_to_paste_and_that_mock_works() {
    let server = shop();
    let call = [
        ("lua", "t:invoke(\"shop.careless\") t:ok(true)"),
        ("rhai", "t.invoke(\"shop.careless\"); t.ok(true);"),
    ];
    for (ending, body) in call {
        let write = |body: &str| {
            let [lua, rhai] = in_both(body, body);
            let (_, text) = if ending == "lua" { lua } else { rhai };
            server.write(&format!("tests/paste_test.{ending}"), text);
        };
        write(body);
        let ran = server.kladka(&["test", &format!("paste_test.{ending}")]);
        assert_eq!(ran.code, 4, "{}{}", ran.out, ran.err);
        let mock = ran
            .out
            .lines()
            .map(str::trim)
            .find(|line| line.starts_with("t.out.http"));
        let mock = mock.unwrap_or_else(|| panic!("no mock: {}", ran.out));
        assert!(
            mock.contains("\"q\"") && mock.contains("\"a b\", \"c\""),
            "{mock}"
        );
        write(&format!("{mock}\n{body}"));
        let ran = server.kladka(&["test", &format!("paste_test.{ending}")]);
        assert_eq!(ran.code, 0, "{}{}", ran.out, ran.err);
        std::fs::remove_file(server.root().join(format!("tests/paste_test.{ending}"))).unwrap();
    }
    let cases = "service: shop.careless\ncases:\n  - { name: a, output: { done: true } }\nexposures: [direct, xml]\n";
    server.write("tests/paste.cases.yaml", cases);
    let ran = server.kladka(&["test"]);
    assert_eq!(ran.code, 4, "{}{}", ran.out, ran.err);
    let lines = ran.out.lines().skip_while(|line| line.trim() != "given:");
    let mock: Vec<&str> = lines.take(5).map(|line| line.get(4..).unwrap()).collect();
    server.write(
        "tests/paste.cases.yaml",
        format!("{}\n{cases}", mock.join("\n")),
    );
    let ran = server.kladka(&["test"]);
    assert_eq!(ran.code, 0, "{}{}", ran.out, ran.err);
}

#[test]
fn cases_say_everything_a_test_can() {
    let server = shop();
    server.write("tests/fixtures/order.json", r#"{"number": "9"}"#);
    server.write(
        "tests/price.cases.yaml",
        r#"
service: shop.price
given:
  kvdb: { "price:tea": "1.10", "tags:tea": [hot, green] }
cases:
  - name: a price
    input: { item: tea, count: 3 }
    output: { total: "3.30", tags: [hot, green] }
    logs: [{ level: info, text: tea asked for }, { text: /^tea/ }]
    kvdb: { "asked:tea": 1, "asked:milk": null, "tags:tea": [hot, green] }
  - name: no tags
    given: { kvdb: { "price:milk": "2" } }
    input: { item: milk }
    output: { total: "2" }
  - name: no price
    input: { item: gold }
    error: { code: NO-PRICE, status: 404 }
  - name: no item
    error: { code: KL-I102, pointer: /item, status: 400 }
"#,
    );
    server.write(
        "tests/order.cases.yaml",
        r#"
service: shop.order
given:
  now: 2013-09-03T10:00:00Z
  config: { shop: { currency: PLN } }
  outgoing:
    http:
      warehouse:
        - { method: POST, path: /orders/1, query: { urgent: true }, reply: { fixture: order.json } }
        - { path: /orders/2, reply: { status: 201, json: { number: "2" } } }
        - { path: /orders/3, fail: timeout }
cases:
  - name: one
    input: { id: "1" }
    output: { number: "9", when: "2013-09-03T10:00:00Z", currency: PLN }
    called: { http: { warehouse: { times: 1, method: POST, query: { urgent: true } } } }
  - { name: two, input: { id: "2" }, output: { number: "2", when: "2013-09-03T10:00:00Z", currency: PLN } }
  - { name: three, input: { id: "3" }, error: { code: KL-O102, status: 504 } }
"#,
    );
    let list = "service: shop.list\ncases:\n  - { name: all, output: [{ n: 1 }, { n: 2 }] }\nexposures: [direct, json, xml]\n";
    server.write("tests/list.cases.yaml", list);
    let ran = server.kladka(&["test"]);
    assert_eq!(ran.code, 0, "{}{}", ran.out, ran.err);
    assert!(ran.out.contains("38 run, all passed"), "{}", ran.out);
}

#[test]
fn what_a_case_expects_in_vain_is_shown_at_its_place() {
    let server = shop();
    server.write(
        "tests/price.cases.yaml",
        r#"service: shop.price
given: { kvdb: { "price:tea": "1.10" } }
cases:
  - { name: a, input: { item: tea }, output: { total: "1.20" } }
  - { name: b, input: { item: tea }, output: { totl: "1.10" } }
  - { name: c, input: { item: tea }, error: { code: KL-I101 } }
  - { name: d, input: { count: x }, error: { code: KL-I101, pointer: /item } }
  - { name: e, input: { item: gold }, output: { total: "1" } }
  - { name: f, input: { item: tea }, output: { total: "1.10" }, logs: [{ text: nothing like it }] }
  - { name: g, input: { item: tea }, output: { total: "1.10" }, kvdb: { "asked:tea": "2" } }
  - { name: h, input: { item: tea }, output: { total: "1.10" }, called: { http: { warehouse: { times: 1 } } } }
"#,
    );
    let ran = server.kladka(&["test"]);
    assert_eq!(ran.code, 4, "{}{}", ran.out, ran.err);
    assert!(ran.out.contains("40 run, 40 failed"), "{}", ran.out);
    for needle in [
        "a (direct, json, xml, soap11, soap12)",
        "/total: expected \"1.20\", got \"1.10\"",
        "tests/price.cases.yaml:4:46",
        "'totl' is no output of the service",
        "expected a failure, got the output {\"total\":\"1.10\"}",
        "expected the code KL-I101, got KL-I104",
        "expected an output, got NO-PRICE: no price for gold",
        "not logged: nothing like it",
        "key 'asked:tea': expected \"2\", got \"1\"",
        "'warehouse': expected 1 call(s) like that, got 0",
    ] {
        assert!(ran.out.contains(needle), "lacks {needle:?}:\n{}", ran.out);
    }
}

#[test]
fn a_file_that_could_pass_without_showing_anything_fails() {
    let server = shop();
    let files: &[(&str, &str, &[&str])] = &[
        (
            "key.cases.yaml",
            "service: shop.list\ncases:\n  - { name: a, imput: {}, output: {} }\n",
            &[
                "KL-C101",
                "key.cases.yaml:3:16",
                "Did you mean `input`?",
                "^^^^^",
            ],
        ),
        (
            "given.cases.yaml",
            "service: shop.list\ngiven: { kvbd: {} }\ncases:\n  - { name: a, output: {} }\n",
            &["KL-C101", "given.cases.yaml:2:10", "Did you mean `kvdb`?"],
        ),
        (
            "word.cases.yaml",
            "service: shop.list\nexposures: [jsn]\ncases:\n  - { name: a, output: {} }\n",
            &["word.cases.yaml:2:13", "json"],
        ),
        (
            "service.cases.yaml",
            "service: shop.lits\ncases:\n  - { name: a, output: {} }\n",
            &[
                "KL-S404",
                "service.cases.yaml:1:10",
                "Did you mean `shop.list`?",
            ],
        ),
        (
            "none.cases.yaml",
            "service: shop.list\ncases: []\n",
            &["KL-T100", "the file has no cases"],
        ),
        (
            "nothing.cases.yaml",
            "service: shop.list\ncases:\n  - { name: a, input: {} }\n",
            &[
                "KL-T100",
                "case 'a' expects nothing",
                "nothing.cases.yaml:3:5",
            ],
        ),
        (
            "twice.cases.yaml",
            "service: shop.list\ncases:\n  - { name: a, output: [] }\n  - { name: a, output: [] }\n",
            &["there are two cases 'a'", "twice.cases.yaml:4:13"],
        ),
        (
            "slug.cases.yaml",
            "service: shop.list\ngolden: true\ncases:\n  - { name: a b, output: [] }\n  - { name: A-b, output: [] }\n",
            &["'A-b' has the golden file of 'a b'", "slug.cases.yaml:5:13"],
        ),
        (
            "empty_test.lua",
            "local x = 1\n",
            &["KL-T100", "empty_test.lua holds no test"],
        ),
        (
            "empty_test.rhai",
            "fn helper(t) { }\n",
            &["KL-T100", "empty_test.rhai holds no test"],
        ),
        (
            "broken_test.lua",
            "test(\"a\", function(t)\n",
            &["KL-S100", "broken_test.lua:1"],
        ),
        (
            "broken_test.rhai",
            "fn test_a(t) {\n",
            &["KL-S100", "broken_test.rhai:1"],
        ),
        (
            "nameless_test.lua",
            "test(function(t) end)\n",
            &["test needs a name and a function"],
        ),
        (
            "params_test.rhai",
            "fn test_a() { }\n",
            &["'test_a' must take t alone"],
        ),
        (
            "service_test.lua",
            "service { name = \"a\" }\n",
            &["undefined name 'service'"],
        ),
    ];
    for (name, text, _) in files {
        server.write(&format!("tests/{name}"), text);
    }
    let ran = server.kladka(&["test"]);
    assert_eq!(ran.code, 4, "{}{}", ran.out, ran.err);
    let all = format!("{0} run, {0} failed", files.len());
    assert!(ran.out.contains(&all), "{}", ran.out);
    for (name, _, needles) in files {
        let ran = server.kladka(&["test", &format!("/{name}")]);
        assert_eq!(ran.code, 4, "{name}");
        for needle in *needles {
            assert!(
                ran.out.contains(needle),
                "{name} lacks {needle:?}:\n{}",
                ran.out
            );
        }
    }
}

#[test]
fn golden_files_are_compared_and_written_when_asked() {
    let server = shop();
    server.write(
        "tests/price.cases.yaml",
        "service: shop.price\ngiven: { kvdb: { \"price:tea\": \"1.10\" } }\ngolden: true\ncases:\n  - { name: A price, input: { item: tea } }\n  - { name: no item, error: { code: KL-I102 } }\n",
    );
    let ran = server.kladka(&["test"]);
    assert_eq!(ran.code, 4, "{}{}", ran.out, ran.err);
    let path = "tests/golden/price.a-price.json.json";
    assert!(
        ran.out.contains(&format!("there is no golden file {path}")),
        "{}",
        ran.out
    );
    let ran = server.kladka(&["test", "--update"]);
    assert_eq!(ran.code, 0, "{}{}", ran.out, ran.err);
    assert_eq!(server.read(path), r#"{"response":{"total":"1.10"}}"#);
    let fault = server.read("tests/golden/price.no-item.soap11.xml");
    assert!(fault.contains("KL-I102"), "{fault}");
    for exposure in ["json.json", "xml.xml", "soap11.xml", "soap12.xml"] {
        server.read(&format!("tests/golden/price.no-item.{exposure}"));
    }
    let ran = server.kladka(&["test"]);
    assert_eq!(ran.code, 0, "{}{}", ran.out, ran.err);
    server.write(path, r#"{"response":{"total":"1.20"}}"#);
    let ran = server.kladka(&["test"]);
    assert_eq!(ran.code, 4, "{}{}", ran.out, ran.err);
    assert!(
        ran.out.contains(&format!("the answer differs from {path}")),
        "{}",
        ran.out
    );
    assert!(ran.out.contains("10 run, 1 failed"), "{}", ran.out);
}

#[test]
fn ids_and_the_clock_are_the_same_in_every_run() {
    let server = shop();
    let text =
        "test(\"ids\", function(t)\n  local ids = t:invoke(\"shop.ids\")\n  t:eq(ids, {})\nend)\n";
    server.write("tests/ids_test.lua", text);
    let first = server.kladka(&["test", "--json"]);
    let block = |command: &Command| document(command)["tests"][0]["faults"].clone();
    assert_eq!(block(&first), block(&server.kladka(&["test", "--json"])));
    let told = block(&first).to_string();
    assert!(
        told.contains("/v4: expected nothing, got")
            && told.contains("019b76da-a800-7")
            && told.contains("/dice"),
        "{told}"
    );
}

#[test]
fn two_tests_share_nothing() {
    let server = shop();
    let lua = "local seen = 0\nlocal function look(t)\n  seen += 1\n  t:eq(seen, 1)\n  t:eq(t.kvdb:incr(\"n\"), 1)\n  t.clock:advance(\"1d\")\n  t:eq(t.time.today().text, \"2026-01-02\")\nend\ntest(\"one\", look)\ntest(\"two\", look)\n";
    server.write("tests/apart_test.lua", lua);
    let ran = server.kladka(&["test"]);
    assert_eq!(ran.code, 0, "{}{}", ran.out, ran.err);
}

#[test]
fn the_command_ends_as_the_tests_do() {
    let server = shop();
    let ran = server.kladka(&["test"]);
    assert_eq!(ran.code, 5, "{}{}", ran.out, ran.err);
    assert!(
        ran.err.contains("KL-T404") && ran.err.contains("_test.lua"),
        "{}",
        ran.err
    );
    server.write(
        "tests/a_test.lua",
        "test(\"right\", function(t) t:ok(1) end)\ntest(\"wrong\", function(t) t:ok(false) end)\n",
    );
    assert_eq!(server.kladka(&["test", "right"]).code, 0);
    assert_eq!(server.kladka(&["test", "wrong"]).code, 4);
    assert_eq!(server.kladka(&["test", "nowhere"]).code, 5);
    assert_eq!(server.kladka(&["test", "--no-such-flag"]).code, 2);
    let ran = server.kladka(&["test", "--json"]);
    assert_eq!(ran.code, 4);
    let report = document(&ran);
    assert_eq!((&report["run"], &report["failed"]), (&json!(2), &json!(1)));
    let test = &report["tests"][1];
    assert_eq!(test["name"], "wrong");
    assert_eq!(test["passed"], false);
    assert_eq!(test["place"]["line"], 2);
    assert_eq!(test["faults"][0]["code"], "KL-T100");
    // What does not load is told, and nothing runs.
    server.write("scripts/broken.lua", "return service {");
    server.write("scripts/broken.rhai", "fn handle(ctx) {");
    let ran = server.kladka(&["test"]);
    assert_eq!(ran.code, 4);
    assert!(ran.err.contains("scripts/broken.lua:1"), "{}", ran.err);
    assert!(ran.err.contains("scripts/broken.rhai:1"), "{}", ran.err);
    let report = document(&server.kladka(&["test", "--json"]));
    let also = report["error"]["more"][0].to_string();
    assert!(also.contains("scripts/broken.rhai"), "{report}");
}

#[test]
fn the_report_is_junit_when_asked_whatever_names_and_messages_hold() {
    let server = shop();
    let lua = "test(\"a <b> & \\\"c\\\"\", function(t) t:eq(\"<&\\\"\\0\", \"]]>\") end)\ntest(\"good\", function(t) t:ok(1) end)\n";
    server.write("tests/odd_test.lua", lua);
    let cases =
        "service: shop.list\ncases:\n  - { name: all, output: [] }\nexposures: [direct, json]\n";
    server.write("tests/list.cases.yaml", cases);
    let file = server.root().join("report.xml");
    let ran = server.kladka(&["test", "--junit", file.to_str().unwrap()]);
    assert_eq!(ran.code, 4, "{}{}", ran.out, ran.err);
    let text = server.read("report.xml");
    let document = uppsala::Parser::new().parse(&text).unwrap();
    let named = |name: &str| document.get_elements_by_tag_name(name);
    assert_eq!(named("testsuite").len(), 2, "{text}");
    let failures: Vec<String> = named("failure")
        .into_iter()
        .map(|node| document.text_content_deep(node))
        .collect();
    let cases: Vec<String> = named("testcase")
        .into_iter()
        .filter_map(|node| Some(document.element(node)?.get_attribute("name")?.to_owned()))
        .collect();
    assert_eq!(
        cases,
        ["all [direct]", "all [json]", "a <b> & \"c\"", "good"]
    );
    assert_eq!(failures.len(), 3, "{text}");
    assert!(
        failures.iter().all(|text| text.contains("KL-T100")),
        "{failures:?}"
    );
    assert!(
        text.contains("tests=\"4\" failures=\"3\" errors=\"0\""),
        "{text}"
    );
    let ran = server.kladka(&["test", "--junit", "/no/such/place.xml"]);
    assert_eq!(ran.code, 1, "{}{}", ran.out, ran.err);
}

#[test]
fn coverage_names_the_lines_that_did_not_run_in_both_languages() {
    let server = shop();
    std::fs::remove_file(server.root().join("scripts/shop.lua")).unwrap();
    let lua = "local half = require \"half\"\n\nreturn service {\n  name = \"cov.lua\",\n  handle = function(ctx)\n    if ctx.request.input.a then\n      ctx.log:info(\"a\")\n    else\n      ctx.log:info(\n        \"b\")\n    end\n    ctx.response.payload = half.of(4)\n  end,\n}\n";
    server.write("scripts/cov.lua", lua);
    let half = "local half = {}\nfunction half.of(n)\n  return n / 2\nend\nfunction half.never(n)\n  return n\nend\nreturn half\n";
    server.write("scripts/half.lua", half);
    let rhai = "service(#{ name: \"cov.rhai\" });\n\nfn handle(ctx) {\n    if ctx.request.input.a != () {\n        ctx.log.info(\"a\");\n    } else {\n        ctx.log.info(\"b\");\n    }\n    ctx.response.payload = 2;\n}\n\nfn never(n) {\n    n + 1\n}\n";
    server.write("scripts/cov.rhai", rhai);
    for name in ["lua", "rhai"] {
        let cases = format!(
            "service: cov.{name}\ncases:\n  - {{ name: one, input: {{ a: 1 }}, output: 2 }}\nexposures: [direct, json]\n"
        );
        server.write(&format!("tests/{name}.cases.yaml"), cases);
    }
    let ran = server.kladka(&["test", "--cov", "--json"]);
    assert_eq!(ran.code, 0, "{}{}", ran.out, ran.err);
    let report = document(&ran);
    let files = report["coverage"]["files"].as_array().unwrap();
    let missed: Vec<(&str, &Json)> = files
        .iter()
        .map(|file| (file["file"].as_str().unwrap(), &file["missed"]))
        .collect();
    let expected = [
        ("scripts/cov.lua", json!([9])),
        ("scripts/cov.rhai", json!([7, 12, 13])),
        ("scripts/half.lua", json!([6])),
    ];
    let expected: Vec<(&str, &Json)> = expected
        .iter()
        .map(|(file, lines)| (*file, lines))
        .collect();
    assert_eq!(missed, expected);
    let ran = server.kladka(&["test", "--cov"]);
    assert!(ran.out.contains("not run: 7, 12-13"), "{}", ran.out);
    assert!(ran.out.contains(" % of lines (scripts/)"), "{}", ran.out);
    // Nothing is noted unless asked for.
    assert_eq!(
        document(&server.kladka(&["test", "--json"]))["coverage"],
        Json::Null
    );
}

#[test]
fn failures_have_the_same_places_while_lines_are_counted() {
    let server = shop();
    let rhai = "service(#{ name: \"at.rhai\" });\nfn handle(ctx) {\n    // The line above counts, too: //\n    ctx.log.info(\"//\");\n    return ctx.kvdb.gett(1);\n}\n";
    server.write("scripts/at.rhai", rhai);
    let test = "fn test_a(t) { t.eq(t.kvdb.get(\"a\"), 1); }\nfn test_b(t) {\n    t.invoke(\"at.rhai\");\n}\n";
    server.write("tests/at_test.rhai", test);
    let plain = server.kladka(&["test", "at_test"]);
    let counted = server.kladka(&["test", "at_test", "--cov"]);
    let places = |out: &str| -> Vec<String> {
        let lines = out.lines().map(str::trim);
        let places = lines.filter(|line| line.starts_with("-->") || line.ends_with('^'));
        places.map(str::to_owned).collect()
    };
    assert_eq!(places(&plain.out).len(), 4, "{}", plain.out);
    assert_eq!(places(&plain.out), places(&counted.out));
    // A line behind one with a text that looks like a comment counts, and so does a `return` at the end.
    assert!(counted.out.contains("scripts/at.rhai"), "{}", counted.out);
    let report = document(&server.kladka(&["test", "at_test", "--cov", "--json"]));
    let files = report["coverage"]["files"].as_array().unwrap();
    let file = files.iter().find(|it| it["file"] == "scripts/at.rhai");
    assert_eq!(file.unwrap()["lines"], 3, "{report}");
}

#[test]
fn watching_runs_once_for_each_change_and_rests_between() {
    let server = shop();
    server.write("tests/a_test.lua", "test(\"a\", function(t) t:ok(1) end)\n");
    let mut child = binary()
        .args(["test", "--watch", "--update", "--project"])
        .arg(server.root())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let log = Log::of(child.stdout.take().unwrap());
    let runs = |count: usize| {
        eventually("another run", || {
            let lines = log.lines();
            let runs = lines.iter().filter(|line| line.contains(" run, "));
            let runs: Vec<&String> = runs.collect();
            assert!(runs.len() <= count, "{runs:?}");
            (runs.len() == count).then(|| (*runs.last().unwrap()).clone())
        })
    };
    assert!(runs(1).contains("1 run, all passed"));
    server.write(
        "tests/a_test.lua",
        "test(\"a\", function(t) t:ok(false) end)\n",
    );
    assert!(runs(2).contains("1 run, 1 failed"));
    server.write("scripts/broken.lua", "return service {");
    server.write("scripts/broken.lua", "return nil");
    // It writes golden files, which does not wake it for ever.
    server.write(
        "tests/list.cases.yaml",
        "service: shop.list\ngolden: true\ncases:\n  - { name: all }\nexposures: [json]\n",
    );
    log.wait("tests/list.cases.yaml");
    let used = || {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", child.id())).unwrap();
        let (_, fields) = stat.rsplit_once(')').unwrap();
        let ticks = fields.split_whitespace().skip(11).take(2);
        ticks.map(|text| text.parse::<u64>().unwrap()).sum::<u64>()
    };
    // It rests when two looks half a second apart see no work.
    eventually("rest", || {
        let before = used();
        std::thread::park_timeout(Duration::from_millis(500));
        (used() == before).then_some(())
    });
    signal(child.id(), "INT");
    assert_eq!(
        child.wait().unwrap().code(),
        Some(4),
        "as the last run ended"
    );
}

#[test]
fn the_projects_own_channel_is_used_without_its_security() {
    let server = shop();
    server.write(
        "config/objects.yaml",
        r#"
version: 1
security:
  - { name: guard, type: basic, username: a, password: "${env.PASSWORD_THAT_NOBODY_SET}" }
channels:
  - { name: one, service: shop.list, http: { path: /one }, format: json, wrap: result, security: guard }
  - name: two
    service: shop.price
    http: { path: /two }
    format: soap
    soap: { version: ["1.1"], action: ask, operation: askPrice, namespace: "urn:shop" }
    security: guard
    rate_limit: { limit: 1, per: 1h, by: channel }
"#,
    );
    let list = "service: shop.list\ngolden: true\ncases:\n  - { name: all, output: [{ n: 1 }, { n: 2 }] }\nexposures: [json]\n";
    server.write("tests/list.cases.yaml", list);
    let price = "service: shop.price\ngolden: true\ngiven: { kvdb: { \"price:tea\": \"2\" } }\ncases:\n  - { name: one, input: { item: tea }, output: { total: \"2\" } }\n  - { name: two, input: { item: tea }, output: { total: \"2\" } }\n";
    server.write("tests/price.cases.yaml", price);
    let ran = server.kladka(&["test", "--update"]);
    assert_eq!(ran.code, 0, "{}{}", ran.out, ran.err);
    assert!(
        ran.out.contains("2 cases × 4 exposures   8 passed"),
        "{}",
        ran.out
    );
    assert_eq!(
        server.read("tests/golden/list.all.json.json"),
        r#"{"result":[{"n":1},{"n":2}]}"#
    );
    let soap = server.read("tests/golden/price.two.soap11.xml");
    assert!(
        soap.contains("<askPriceResponse xmlns=\"urn:shop\"><total>2</total>"),
        "{soap}"
    );
    // Asked for by name, it is not left out.
    server.write(
        "tests/price.cases.yaml",
        format!("{price}exposures: [soap12]\n"),
    );
    let ran = server.kladka(&["test", "price"]);
    assert_eq!(ran.code, 4, "{}{}", ran.out, ran.err);
    assert!(ran.out.contains("KL-I111"), "{}", ran.out);
}
