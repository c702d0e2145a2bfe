//! Tests of `uses`: what a service does not declare is refused, in both languages alike.

use std::sync::atomic::Ordering;

use crate::base::*;
use crate::script::tests::world::*;

/// Makes a service in each language, whose body stands at line 3.
fn both(uses: &str, lua: &str, rhai: &str) -> [(&'static str, String); 2] {
    [
        (
            "scripts/t.lua",
            format!(
                "return service {{ name = 't',\nuses = {{ {uses} }}, handle = function(ctx)\n{lua} end }}"
            ),
        ),
        (
            "scripts/t.rhai",
            format!("service(#{{ name: \"t\",\nuses: [ {uses} ] }}); fn handle(ctx) {{\n{rhai} }}"),
        ),
    ]
}

const OTHERS: &str = "return { service { name = 'other', handle = function(ctx) ctx.response.payload.r = 'other' end },
service { name = 'lends', handle = function(ctx) ctx:invoke('t', { peer = ctx.outgoing.http['treasury.gov'] }) end } }";

/// Runs a body in both languages and returns what each gives.
async fn run(uses: &str, lua: &str, rhai: &str) -> Vec<(World, Result<Value, Fault>)> {
    let mut results = Vec::new();
    for (path, text) in both(uses, lua, rhai) {
        let world = World::new(&[(path, &text), ("scripts/others.lua", OTHERS)]);
        let answer = world.call("t", Value::Map(Map::new())).await;
        let result = answer.map(|answer| {
            let payload = answer.value.as_map().and_then(|map| map.get("r")).cloned();
            payload.unwrap_or_default()
        });
        results.push((world, result));
    }
    results
}

/// The ways to use something: in Lua, in Rhai, and the entry that allows it.
const WAYS: &[(&str, &str, &str)] = &[
    (
        "ctx.outgoing.http['treasury.gov']:get()",
        "ctx.outgoing.http[\"treasury.gov\"].get();",
        "outgoing.http:treasury.gov",
    ),
    (
        "local link = ctx.outgoing.http['treasury.gov']",
        "let link = ctx.outgoing.http[\"treasury.gov\"];",
        "outgoing.http:treasury.gov",
    ),
    (
        "ctx.kvdb:get('rates:1')",
        "ctx.kvdb.get(\"rates:1\");",
        "kvdb:rates:1",
    ),
    (
        "ctx.kvdb:set('rates:1', 'x')",
        "ctx.kvdb.set(\"rates:1\", \"x\");",
        "kvdb:rates:1",
    ),
    ("ctx.kvdb:incr(7)", "ctx.kvdb.incr(7);", "kvdb:7"),
    (
        "ctx.kvdb:delete('rates:1')",
        "ctx.kvdb.delete(\"rates:1\");",
        "kvdb:rates:1",
    ),
    ("ctx.kvdb:scan('0')", "ctx.kvdb.scan(\"0\");", "kvdb:*"),
    (
        "ctx:invoke('other')",
        "ctx.invoke(\"other\");",
        "service:other",
    ),
    (
        "local limit = ctx.config.rates.limit",
        "let limit = ctx.config.rates.limit;",
        "config:rates",
    ),
];

#[test]
fn what_is_not_declared_is_refused_and_what_is_declared_works() {
    on_core(async {
        for (lua, rhai, entry) in WAYS {
            for (world, result) in run("\"service:nobody\"", lua, rhai).await {
                let fault = result.expect_err(lua);
                assert_eq!(fault.code(), Code::UndeclaredUse, "{}", fault.block());
                let wanted = format!("service 't' does not declare that it uses '{entry}'");
                assert_eq!(fault.message(), wanted);
                let hint = fault.hint_text().unwrap();
                assert!(hint.contains(&format!("Add \"{entry}\" to")), "{hint}");
                assert_eq!(fault.place().unwrap().line, 3, "{}", fault.block());
                assert_eq!(world.store.asked.load(Ordering::SeqCst), 0, "{entry}");
            }
            for uses in [
                format!("\"{entry}\""),
                format!("\"{}*\"", entry.trim_end_matches('*')),
            ] {
                for (_, result) in run(&uses, lua, rhai).await {
                    result.unwrap_or_else(|fault| panic!("{uses}: {}", fault.block()));
                }
            }
        }
    });
}

#[test]
fn every_key_of_a_command_must_be_declared() {
    on_core(async {
        let ways = [
            (
                "ctx.kvdb:delete('a:1', 'b:1')",
                "ctx.kvdb.delete(\"a:1\", \"b:1\");",
                "b:1",
            ),
            (
                "ctx.kvdb:mget({ 'a:1', 'b:2' })",
                "ctx.kvdb.mget([\"a:1\", \"b:2\"]);",
                "b:2",
            ),
            (
                "ctx.kvdb:mset({ ['a:1'] = 'x', ['b:3'] = 'a:1' })",
                "ctx.kvdb.mset(#{ \"a:1\": \"x\", \"b:3\": \"a:1\" });",
                "b:3",
            ),
            (
                "ctx.kvdb:mset('a:1', 'x', 'b:4', 'x')",
                "ctx.kvdb.mset(\"a:1\", \"x\", \"b:4\", \"x\");",
                "b:4",
            ),
            (
                "ctx.kvdb:delete({ ['a:1'] = 'b:5' })",
                "ctx.kvdb.delete(#{ \"a:1\": \"b:5\" });",
                "b:5",
            ),
            (
                "ctx.kvdb:scan('0', { match = 'a*' })",
                "ctx.kvdb.scan(\"0\", #{ \"match\": \"a*\" });",
                "a*",
            ),
            (
                "ctx.kvdb:scan('0', { match = '[a]:*' })",
                "ctx.kvdb.scan(\"0\", #{ \"match\": \"[a]:*\" });",
                "[a]:*",
            ),
        ];
        for (lua, rhai, key) in ways {
            for (world, result) in run("\"kvdb:a:*\"", lua, rhai).await {
                let fault = result.expect_err(lua);
                assert!(
                    fault.message().ends_with(&format!("'kvdb:{key}'")),
                    "{}",
                    fault.block()
                );
                assert_eq!(world.store.asked.load(Ordering::SeqCst), 0, "{lua}");
            }
        }
        // The store would take a list apart, and find its key behind an empty one.
        let (lua, rhai) = (
            "ctx.kvdb:lpush({}, 'b:6', 'x')",
            "ctx.kvdb.lpush([], \"b:6\", \"x\");",
        );
        for (world, result) in run("\"kvdb:a:*\"", lua, rhai).await {
            assert_eq!(result.expect_err(lua).code(), Code::ScriptArgument);
            assert_eq!(world.store.asked.load(Ordering::SeqCst), 0);
        }
    });
}

#[test]
fn what_is_refused_can_be_caught_and_has_no_effect() {
    on_core(async {
        let lua = "local ok, e = pcall(function() ctx.kvdb:set('b', 'x') end) ctx.response.payload.r = e.code";
        let rhai =
            "try { ctx.kvdb.set(\"b\", \"x\"); } catch (e) { ctx.response.payload.r = e.code; }";
        for (world, result) in run("", lua, rhai).await {
            assert_eq!(result.unwrap(), Value::text("KL-S403"));
            assert_eq!(world.store.asked.load(Ordering::SeqCst), 0);
        }
    });
}

#[test]
fn a_connection_that_another_service_lends_is_refused() {
    on_core(async {
        let (lua, rhai) = (
            "ctx.request.input.peer:get()",
            "ctx.request.input.peer.get();",
        );
        for (uses, allowed) in [("", false), ("\"outgoing.http:treasury.gov\"", true)] {
            for (path, text) in both(uses, lua, rhai) {
                let world = World::new(&[(path, &text), ("scripts/others.lua", OTHERS)]);
                let result = world.call("lends", Value::Map(Map::new())).await;
                match result {
                    Ok(_) => assert!(allowed, "{path}"),
                    Err(fault) => {
                        assert_eq!(fault.code(), Code::UndeclaredUse, "{}", fault.block());
                        assert!(!allowed, "{path}");
                    }
                }
            }
        }
    });
}

#[test]
fn a_bad_entry_is_shown_at_its_line() {
    for (entry, hint) in [
        ("kvbd:a", "Did you mean `kvdb:a`?"),
        ("outgoing.htp:a", "Did you mean `outgoing.http:a`?"),
    ] {
        for (path, text) in both(&format!("\"config:a\",\n\"{entry}\""), "", "") {
            let faults = load(&[(path, &text)]).err().unwrap();
            let shown: Vec<&str> = faults.iter().map(Fault::message).collect();
            assert_eq!(
                shown,
                [format!("'{entry}' in `uses` has an unknown family")],
                "{path}"
            );
            assert_eq!(faults[0].place().unwrap().line, 3, "{}", faults[0].block());
            assert_eq!(faults[0].hint_text(), Some(hint));
        }
    }
}
