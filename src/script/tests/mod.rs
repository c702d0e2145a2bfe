//! Tests of what the languages share, and of services in one that call services in the other.

mod leaks;
mod panics;
mod sessions;
mod stdlib;
mod stories;
mod uses;
pub(crate) mod world;

use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::base::*;
use crate::contract::*;
use crate::script::lua::LuaEngine;
use crate::script::rhai::RhaiEngine;
use world::*;

/// Makes a service of an example in each language.
fn as_services(example: &Example) -> [(&'static str, String); 2] {
    let lua = format!(
        "return service {{ name = 't', handle = function(ctx) ctx.response.payload.r = {} end }}",
        example.lua
    );
    // `try` is a statement in Rhai, so the example is the value of a function.
    let rhai = format!(
        "service(#{{ name: \"t\" }});\nfn example(ctx) {{ {} }}\n\
         fn handle(ctx) {{ ctx.response.payload.r = example(ctx); }}",
        example.rhai
    );
    [("scripts/t.lua", lua), ("scripts/t.rhai", rhai)]
}

#[test]
fn every_example_of_the_script_api_gives_its_result_in_both_languages() {
    on_core(async {
        let dir = std::env::temp_dir().join(format!("kladka-examples-{}", Cid::fresh()));
        std::fs::create_dir_all(&dir).unwrap();
        let tasks = crate::tasks::Tasks::default();
        let store =
            crate::kvdb::open("embedded", &dir, crate::kvdb::Durability::Batched, &tasks).unwrap();
        let world = World::new(&[]);
        let mut ctx = world.ctx.clone();
        ctx.ports = Arc::new(Ports {
            kvdb: store,
            connections: Arc::new(Links),
            settings: Arc::new(Tuning),
            clock: Arc::new(SystemClock),
        });
        let examples = crate::script::host::TABLES
            .iter()
            .flat_map(|table| table.iter())
            .flat_map(|function| {
                function
                    .examples
                    .iter()
                    .map(move |one| (function.path, one))
            });
        let tables = crate::script::host::TABLES.to_vec();
        let engines: [&dyn Engine; 2] = [&LuaEngine::new(tables.clone()), &RhaiEngine::new(tables)];
        let mut wrong = Vec::new();
        let mut n_run = 0;
        for (path, example) in examples {
            for (file, code) in as_services(example) {
                let set = sources(&[(file, &code)]);
                let engine = engines.iter().find(|engine| {
                    let endings = engine.language().endings;
                    endings.iter().any(|ending| file.ends_with(ending))
                });
                let loaded = engine.unwrap().load(&set, file);
                let service = loaded
                    .unwrap_or_else(|faults| panic!("{path}: {code}: {faults:?}"))
                    .services;
                let answer = service[0]
                    .call(&world.core, ctx.clone(), Value::Map(Map::new()))
                    .await;
                let got = answer.map(|answer| {
                    let got = answer.value.as_map().and_then(|map| map.get("r")).cloned();
                    serde_json::Value::from(&got.unwrap_or_default())
                });
                let wanted: serde_json::Value = serde_json::from_str(example.result).unwrap();
                if got.as_ref().ok() != Some(&wanted) {
                    wrong.push(format!("{path}: {code}: {got:?}, not {wanted}"));
                }
                n_run += 1;
            }
        }
        assert_eq!(wrong, Vec::<String>::new());
        assert!(n_run > 100, "only {n_run}");
        std::fs::remove_dir_all(&dir).unwrap();
    });
}

#[test]
fn a_trace_goes_through_all_calls_in_whatever_language() {
    on_core(async {
        let world = World::new(&[
            (
                "scripts/low.lua",
                "return service { name = 'low', input = { 'n:int', 'pin!' }, handle = function(ctx)\n  error('broken')\nend }",
            ),
            (
                "scripts/mid.rhai",
                "service(#{ name: \"mid\" });\nfn handle(ctx) {\n    ctx.invoke(\"low\", #{ n: 7, pin: \"1234\" });\n}",
            ),
            (
                "scripts/top.lua",
                "return service { name = 'top', handle = function(ctx)
  local ok, e = pcall(function()
    ctx:invoke('mid')
  end)
  error(e)
end }",
            ),
        ]);
        let fault = world.call("top", Value::Map(Map::new())).await.unwrap_err();
        let block = fault.block();
        let trace = block.lines().find(|line| line.contains("trace: ")).unwrap();
        assert_eq!(
            trace.trim(),
            "= trace: scripts/low.lua:2 handle, scripts/mid.rhai:3 handle, scripts/top.lua:3, scripts/top.lua:2 handle",
            "{block}"
        );
        // What failed was given this, whatever the first call was given.
        assert!(block.contains(r#"input: {"n":7,"pin":"***"}"#), "{block}");
    });
}

#[test]
fn services_invoke_each_other_across_languages() {
    on_core(async {
        let world = World::new(&[
            (
                "scripts/sum.rhai",
                "service(#{ name: \"sum\", input: [\"a:int\", \"b:int\"], output: [\"sum:int\", \"by\"] });
fn handle(ctx) {
    let input = ctx.request.input;
    ctx.response.payload.sum = input.a + input.b;
    ctx.response.payload.by = ctx.service;
}",
            ),
            (
                "scripts/twice.lua",
                "return service { name = 'twice', input = { 'n:int' }, handle = function(ctx)
  local n = ctx.request.input.n
  ctx.response.payload = ctx:invoke('sum', { a = n, b = n })
end }",
            ),
            (
                "scripts/four.rhai",
                "service(#{ name: \"four\", input: [\"n:int\"] });
fn handle(ctx) {
    let half = ctx.invoke(\"twice\", #{ n: ctx.request.input.n });
    ctx.response.payload = ctx.invoke(\"twice\", #{ n: half.sum });
}",
            ),
            (
                "scripts/fails.lua",
                "return service { name = 'fails', handle = function(ctx) ctx.fail { status = 409, code = 'TAKEN', message = 'taken' } end }",
            ),
            (
                "scripts/catches.rhai",
                "service(#{ name: \"catches\" });
fn handle(ctx) {
    try { ctx.invoke(\"fails\"); } catch (e) { ctx.response.payload.r = `${e.code} ${e.status} ${e.message}`; }
}",
            ),
        ]);
        let big = 4_503_599_627_370_497_i64;
        let answer = world.call("four", map(&[("n", Value::Int(big))])).await;
        let answer = answer.unwrap_or_else(|fault| panic!("{}", fault.block()));
        let wanted = map(&[("sum", Value::Int(big * 4)), ("by", Value::text("sum"))]);
        assert_eq!(
            serde_json::Value::from(&answer.value),
            serde_json::Value::from(&wanted)
        );
        assert_eq!(
            world.payload("catches").await,
            map(&[("r", Value::text("TAKEN 409 taken"))])
        );
    });
}

#[test]
fn twins_of_a_module_are_told_apart_by_the_language_that_asks() {
    on_core(async {
        let world = World::new(&[
            (
                "scripts/twin.lua",
                "return { say = function() return 'lua' end }",
            ),
            ("scripts/twin.rhai", "fn say() { \"rhai\" }"),
            (
                "scripts/a.lua",
                "local twin = require 'twin'
return service { name = 'a', handle = function(ctx) ctx.response.payload.r = twin.say() end }",
            ),
            (
                "scripts/b.rhai",
                "import \"twin\" as twin;
service(#{ name: \"b\" });
fn handle(ctx) { ctx.response.payload.r = twin::say(); }",
            ),
        ]);
        assert_eq!(world.payload("a").await, map(&[("r", Value::text("lua"))]));
        assert_eq!(world.payload("b").await, map(&[("r", Value::text("rhai"))]));
    });
}

/// A service in each language that calls itself three times, whatever comes of it.
const TREES: [(&str, &str); 2] = [
    (
        "scripts/tree.lua",
        "return service { name = 'tree', handle = function(ctx) for i = 1, 3 do pcall(function() ctx:invoke('tree') end) end end }",
    ),
    (
        "scripts/tree.rhai",
        "service(#{ name: \"tree\" });
fn handle(ctx) { for i in 0..3 { try { ctx.invoke(\"tree\"); } catch { } } }",
    ),
];

#[test]
fn a_tree_of_short_calls_gives_way_and_ends_at_its_deadline() {
    for tree in TREES {
        on_core(async {
            let mut world = World::new(&[tree]);
            world.ctx.deadline = Instant::now() + Duration::from_millis(300);
            let turns = std::cell::Cell::new(0);
            let others = async {
                loop {
                    turns.set(turns.get() + 1);
                    tokio::task::yield_now().await;
                }
            };
            let began = Instant::now();
            tokio::select! {
                _ended = world.call("tree", Value::Map(Map::new())) => {}
                () = others => {}
            }
            assert!(began.elapsed() < Duration::from_millis(1_300), "{}", tree.0);
            assert!(turns.get() > 10, "{}: {} turns", tree.0, turns.get());
        });
    }
}

#[test]
fn one_message_has_a_hundred_calls_under_way_at_most() {
    let lua = "return service { name = 'fan', handle = function(ctx)
  local one = function() return ctx:invoke('fan') end
  if ctx.request.input.stop then return end
  parallel { one, one, one, one, one, one }
end }";
    let rhai = "service(#{ name: \"fan\" });
fn handle(ctx) { parallel([1, 2, 3, 4, 5, 6], |x| ctx.invoke(\"fan\")); }";
    // Sixty-four services deep is more than a call may go; a debug build needs room for it.
    let deep = std::thread::Builder::new().stack_size(64 << 20);
    let ran = deep.spawn(move || {
        for (path, text) in [("scripts/fan.lua", lua), ("scripts/fan.rhai", rhai)] {
            on_core(async {
                let mut world = World::new(&[(path, text)]);
                world.ctx.limits.depth = 64;
                let fault = world.fault("fan").await;
                assert_eq!(fault.code(), Code::TooNested, "{}", fault.block());
                let wanted = "more than 100 calls are under way for one message";
                assert_eq!(fault.message(), wanted, "{path}");
                let left = &world.ctx.request.under_way;
                assert_eq!(left.load(std::sync::atomic::Ordering::SeqCst), 0, "{path}");
            });
        }
    });
    ran.unwrap().join().unwrap();
}

#[test]
fn what_a_branch_began_ends_with_it_in_whatever_service_it_is() {
    let sleeps = "return service { name = 'sleeps', handle = function(ctx)
  parallel { function() ctx.time.sleep(20) end, function() ctx:invoke('waits') end }
end }";
    let waits = "return service { name = 'waits', handle = function(ctx) ctx.time.sleep(20) end }";
    let gives_up = "return service { name = 'gives-up', handle = function(ctx)
  local ok = pcall(parallel, { function() ctx:invoke('sleeps') end, function()
    ctx.time.sleep(0.05)
    error('no')
  end })
  local one = function() ctx:invoke('sleeps') end
  parallel { one, one, function() ctx.time.sleep(0.05) ctx.fail { message = tostring(ok) } end }
end }";
    on_core(async {
        let world = World::new(&[
            ("scripts/sleeps.lua", sleeps),
            ("scripts/waits.lua", waits),
            ("scripts/gives_up.lua", gives_up),
        ]);
        let began = Instant::now();
        let fault = world.fault("gives-up").await;
        assert_eq!(fault.message(), "false");
        assert!(began.elapsed().as_secs() < 15, "nothing waits");
        let left = &world.ctx.request.under_way;
        assert_eq!(left.load(std::sync::atomic::Ordering::SeqCst), 0);
        // So does a call that nobody waits for.
        let call = world.call("sleeps", Value::Null);
        let late = tokio::time::timeout(Duration::from_millis(50), call).await;
        assert!(late.is_err());
        assert_eq!(left.load(std::sync::atomic::Ordering::SeqCst), 0);
    });
}

#[test]
fn sleeping_takes_time_and_no_processor_and_never_passes_the_deadline() {
    on_core(async {
        let world = World::new(&[
            (
                "scripts/a.lua",
                "return service { name = 'a', handle = function(ctx)
  ctx.time.sleep(0.05)
  local ok, e = pcall(ctx.time.sleep, '10m')
  ctx.response.payload = { code = e.code, message = e.message, left = ctx.time.left() > 20 }
end }",
            ),
            (
                "scripts/b.rhai",
                "service(#{ name: \"b\" });
fn handle(ctx) {
    ctx.time.sleep(0.05);
    try { ctx.time.sleep(\"10m\"); } catch (e) {
        ctx.response.payload = #{ code: e.code, message: e.message, left: ctx.time.left() > 20 };
    }
}",
            ),
        ]);
        for name in ["a", "b"] {
            drop(world.call(name, Value::Null).await);
            let (begun, used) = (Instant::now(), cpu());
            let value = world.payload(name).await;
            let used = cpu().saturating_sub(used);
            assert!(begun.elapsed().as_millis() >= 50, "{name}");
            assert!(used.as_millis() < 20, "{name} used {used:?}");
            let map = value.as_map().unwrap();
            assert_eq!(map.get("code"), Some(&Value::text("KL-S302")), "{name}");
            assert_eq!(map.get("left"), Some(&Value::Bool(true)), "{name}");
            let message = map.get("message").and_then(Value::as_str).unwrap();
            let start = "10m would end after the deadline, which is in ";
            assert!(message.starts_with(start), "{name}: {message}");
        }
    });
}

#[test]
fn a_failure_names_the_fields_at_fault() {
    on_core(async {
        let world = World::new(&[
            (
                "scripts/a.lua",
                "return service { name = 'a', handle = function(ctx)
  ctx.fail { status = 400, message = 'no', errors = { { pointer = '/a~1b/0', message = 'is missing' } } }
end }",
            ),
            (
                "scripts/b.rhai",
                "service(#{ name: \"b\" });
fn handle(ctx) {
    ctx.fail(#{ status: 400, message: \"no\", errors: [#{ pointer: \"/a~1b/0\", message: \"is missing\" }] });
}",
            ),
            (
                "scripts/c.lua",
                "return service { name = 'c', handle = function(ctx)
  ctx.fail { status = 400, errors = { 'is missing' } }
end }",
            ),
        ]);
        for name in ["a", "b"] {
            let fault = world.fault(name).await;
            let told = fault.told().errors;
            assert_eq!(told.len(), 1, "{name}");
            assert_eq!(told[0].pointer(), "/a~1b/0", "{name}");
            assert_eq!(told[0].detail, "is missing", "{name}");
        }
        let fault = world.fault("c").await;
        assert_eq!(fault.code(), Code::ScriptArgument);
        assert!(fault.message().contains("list of tables"), "{fault}");
    });
}
