//! Tests that nothing leaks: for each channel that a script might leave something in, what others see is what they see
//! in a fresh world. Others are the next call of the same service, a second service of its file, and one in the other
//! language.

use crate::base::*;
use crate::script::tests::world::*;

/// Ways to leave something, divided by `;;`, and to look for it, in both languages. What is left may be refused.
struct Channel {
    name: &'static str,
    lua: (&'static str, &'static str),
    rhai: (&'static str, &'static str),
}

const CHANNELS: &[Channel] = &[
    Channel {
        name: "globals",
        lua: (
            "mark = 'left' ;; _G.mark = 'left' ;; rawset(_G, 'mark', 'left')",
            "local ok, seen = pcall(function() return mark end) return ok and seen",
        ),
        rhai: (
            "let mark = \"left\"; ;; global::MARK = \"left\";",
            "is_def_var(\"mark\")",
        ),
    },
    Channel {
        name: "metatables of texts",
        lua: (
            "getmetatable('').__index = { upper = function() return 'left' end }",
            "return ('a'):upper()",
        ),
        rhai: (
            "let text = \"a\"; text.to_upper = \"left\";",
            "\"a\".to_upper()",
        ),
    },
    Channel {
        name: "libraries",
        lua: (
            "json.encode = print ;; rawset(json, 'encode', print) ;; rawset(string, 'upper', print) ;; string.upper = print",
            "return json.encode({ a = 1 }) .. string.upper('a')",
        ),
        rhai: (
            "let json = \"left\"; json.encode = \"left\";",
            "json.encode(#{ a: 1 })",
        ),
    },
    Channel {
        name: "host functions",
        lua: (
            "ctx.kvdb.get = print ;; rawset(ctx.kvdb, 'get', print) ;; setmetatable(ctx.kvdb, {})",
            "return ctx.kvdb:get('absent') == nil",
        ),
        rhai: (
            "ctx.kvdb.get = \"left\"; ;; ctx.kvdb = \"left\";",
            "ctx.kvdb.get(\"absent\") == ()",
        ),
    },
    Channel {
        name: "the context",
        lua: (
            "rawset(ctx, 'mark', 'left') ;; rawset(ctx.request, 'mark', 'left') ;; ctx.cid = 'left'",
            "return tostring(rawget(ctx, 'mark')) .. tostring(rawget(ctx.request, 'mark')) .. ctx.cid",
        ),
        rhai: ("ctx.cid = \"left\"; ;; ctx.mark = \"left\";", "ctx.cid"),
    },
    Channel {
        name: "the input",
        lua: (
            "ctx.request.input.mark = 'left'",
            "return tostring(ctx.request.input.mark)",
        ),
        rhai: (
            "ctx.request.input.mark = \"left\";",
            "let seen = ctx.request.input; seen.mark == ()",
        ),
    },
    Channel {
        name: "headers of the request",
        lua: (
            "rawset(ctx.request.headers, 'x-mark', 'left') ;; ctx.request.headers['x-mark'] = 'left'",
            "return tostring(ctx.request.headers['x-mark'])",
        ),
        rhai: (
            "ctx.request.headers[\"x-mark\"] = \"left\";",
            "ctx.request.headers[\"x-mark\"] == ()",
        ),
    },
    Channel {
        name: "the answer",
        lua: (
            "ctx.response.payload.mark = 'left' ctx.response.status = 201 ctx.response.headers['x-mark'] = 'left'",
            "local r = ctx.response return tostring(r.payload.mark) .. tostring(r.status) .. tostring(r.headers['x-mark'])",
        ),
        rhai: (
            "ctx.response.payload.mark = \"left\"; ctx.response.status = 201; ctx.response.headers[\"x-mark\"] = \"left\";",
            "let r = ctx.response; [r.payload.mark, r.status, r.headers[\"x-mark\"]]",
        ),
    },
    Channel {
        name: "settings",
        lua: (
            "local rates = ctx.config.rates rates.limit = 99 rates.mark = 'left' ;; ctx.config.rates = 'left'",
            "return ctx.config.rates.limit .. tostring(ctx.config.rates.mark)",
        ),
        rhai: (
            "let rates = ctx.config.rates; rates.limit = 99; ;; ctx.config.rates.limit = 99;",
            "ctx.config.rates.limit",
        ),
    },
    Channel {
        name: "modules",
        lua: (
            "state.list[1] = 'left' ;; rawset(state, 'mark', 'left') ;; table.insert(state.list, 'left') ;; setmetatable(state, { __index = { mark = 'left' } })",
            "return tostring(state.list[1]) .. #state.list .. tostring(state.mark)",
        ),
        rhai: (
            "state::LIST.push(\"left\"); ;; state::LIST[0] = \"left\";",
            "[state::LIST[0], state::LIST.len]",
        ),
    },
    Channel {
        name: "constants of the file",
        lua: (
            "FIXED[1] = 'left' ;; rawset(FIXED, 1, 'left')",
            "return FIXED[1]",
        ),
        rhai: (
            "let own = global::FIXED; own[0] = \"left\"; ;; global::FIXED[0] = \"left\";",
            "global::FIXED[0]",
        ),
    },
    Channel {
        name: "null and empty lists",
        lua: (
            "json.null.mark = 'left' ;; getmetatable(json.parse('[]')).__index = { mark = 'left' }",
            "return tostring(json.parse('[]').mark) .. tostring(pcall(function() return json.null.mark end))",
        ),
        rhai: (
            "let nothing = (); nothing.mark = \"left\";",
            "json.parse(\"[]\").len",
        ),
    },
    Channel {
        name: "errors",
        lua: (
            "local _, e = pcall(ctx.fail, 'clean') e.message = 'left'",
            "local _, e = pcall(ctx.fail, 'clean') return e.message",
        ),
        rhai: (
            "try { ctx.fail(\"clean\"); } catch (e) { e.message = \"left\"; }",
            "let seen = \"\"; try { ctx.fail(\"clean\"); } catch (e) { seen = e.message; } seen",
        ),
    },
    Channel {
        name: "objects of the server",
        lua: (
            "probe.node().text = print ;; rawset(probe.node(), 'text', print) ;; getmetatable(probe.node()).__index = print",
            "return probe.node():text()",
        ),
        rhai: (
            "let node = probe.node(); node.text = \"left\";",
            "probe.node().text()",
        ),
    },
];

/// Two services in each language that leave something when they are told to, and look for it else.
fn files(channel: &Channel) -> Vec<(&'static str, String)> {
    let ((lua_leave, lua_look), (rhai_leave, rhai_look)) = (channel.lua, channel.rhai);
    let each =
        |leave: &str, one: fn(&str) -> String| leave.split(";;").map(one).collect::<String>();
    // What is refused does not keep the next from being tried.
    let lua_leave = each(lua_leave, |one| format!("pcall(function() {one} end) "));
    let rhai_leave = each(rhai_leave, |one| format!("try {{ {one} }} catch {{ }} "));
    let lua = |name| {
        format!(
            "service {{ name = '{name}', handle = function(ctx)
  if ctx.request.input.leave then {lua_leave} return end
  local seen = (function() {lua_look} end)()
  ctx.response.payload = {{ seen = seen }}
end }}"
        )
    };
    let lua = format!(
        "local state = require 'state'\nlocal FIXED = table.freeze {{ 'clean' }}\nreturn {{ {}, {} }}",
        lua("lua.one"),
        lua("lua.two")
    );
    let rhai = format!(
        "import \"state\" as state;\nconst FIXED = [\"clean\"];
service(#{{ name: \"rhai.one\" }});\nservice(#{{ name: \"rhai.two\" }});
fn look(ctx) {{ {rhai_look} }}
fn handle(ctx) {{
    let input = ctx.request.input;
    if input.leave == true {{ {rhai_leave} return; }}
    let seen = look(ctx);
    ctx.response.payload = #{{ seen: seen }};
}}"
    );
    vec![
        ("scripts/both.lua", lua),
        ("scripts/both.rhai", rhai),
        (
            "scripts/state.lua",
            "return { list = { 1, 2, 3 } }".to_owned(),
        ),
        (
            "scripts/state.rhai",
            "export const LIST = [1, 2, 3];".to_owned(),
        ),
    ]
}

const SERVICES: [&str; 4] = ["lua.one", "lua.two", "rhai.one", "rhai.two"];

fn world(channel: &Channel) -> World {
    let files = files(channel);
    let files: Vec<(&str, &str)> = files
        .iter()
        .map(|(path, text)| (*path, text.as_str()))
        .collect();
    World::new(&files)
}

/// Returns what each service sees.
async fn seen(world: &World) -> Vec<String> {
    let mut seen = Vec::new();
    for name in SERVICES {
        let answer = world.call(name, Value::Map(Map::new())).await;
        let answer = answer.unwrap_or_else(|fault| panic!("{name}: {}", fault.block()));
        let told = (answer.value, answer.status, answer.headers);
        seen.push(format!("{name}: {told:?}"));
    }
    seen
}

#[test]
fn what_a_call_leaves_is_seen_by_no_other_call_service_or_language() {
    on_core(async {
        for channel in CHANNELS {
            let fresh = seen(&world(channel)).await;
            for leaver in SERVICES {
                let world = world(channel);
                for _ in 0..2 {
                    let input = map(&[("leave", Value::Bool(true))]);
                    // Refused or not, it is done.
                    drop(world.call(leaver, input).await);
                }
                assert_eq!(seen(&world).await, fresh, "{}: {leaver}", channel.name);
            }
        }
    });
}

/// The test above notices what does leak: the key/value store is there for that.
#[test]
fn what_does_leak_is_noticed() {
    on_core(async {
        let store = Channel {
            name: "the store",
            lua: (
                "ctx.kvdb:set('mark', 'left')",
                "return tostring(ctx.kvdb:get('mark'))",
            ),
            rhai: (
                "ctx.kvdb.set(\"mark\", \"left\");",
                "ctx.kvdb.get(\"mark\") == ()",
            ),
        };
        let fresh = seen(&world(&store)).await;
        for leaver in SERVICES {
            let world = world(&store);
            let input = map(&[("leave", Value::Bool(true))]);
            world.call(leaver, input).await.unwrap();
            let found = seen(&world).await;
            for (found, fresh) in found.iter().zip(&fresh) {
                assert_ne!(found, fresh, "{leaver}");
            }
        }
    });
}

#[test]
fn a_payload_is_a_copy_on_either_side_of_a_call() {
    on_core(async {
        let world = World::new(&[
            (
                "scripts/takes.lua",
                "return service { name = 'takes.lua', handle = function(ctx)
  local input = ctx.request.input
  input.list[1] = 'left'
  input.mark = 'left'
  ctx.response.payload = input
  input.later = 'x'
end }",
            ),
            (
                "scripts/takes.rhai",
                "service(#{ name: \"takes.rhai\" });
fn handle(ctx) {
    ctx.request.input.list[0] = \"left\";
    let input = ctx.request.input;
    input.list[0] = \"left\";
    input.mark = \"left\";
    ctx.response.payload = input;
}",
            ),
            (
                "scripts/gives.lua",
                "return service { name = 'gives.lua', handle = function(ctx)
  local own, seen = { list = { 'clean' } }, {}
  for i, name in { 'takes.lua', 'takes.rhai' } do
    local answer = ctx:invoke(name, own)
    answer.list[2] = 'mine'
    seen[i] = own.list[1] .. #own.list .. tostring(own.mark) .. answer.list[1]
  end
  ctx.response.payload.r = seen
end }",
            ),
            (
                "scripts/gives.rhai",
                "service(#{ name: \"gives.rhai\" });
fn handle(ctx) {
    let own = #{ list: [\"clean\"] };
    let seen = [];
    for name in [\"takes.lua\", \"takes.rhai\"] {
        let answer = ctx.invoke(name, own);
        answer.list.push(\"mine\");
        let mark = if own.mark == () { \"nil\" } else { own.mark };
        seen.push(own.list[0] + own.list.len + mark + answer.list[0]);
    }
    ctx.response.payload.r = seen;
}",
            ),
        ]);
        let wanted = Value::List(vec![Value::text("clean1nilleft"); 2]);
        for name in ["gives.lua", "gives.rhai"] {
            assert_eq!(
                world.payload(name).await,
                map(&[("r", wanted.clone())]),
                "{name}"
            );
        }
    });
}

#[test]
fn what_a_script_kept_of_a_call_works_for_the_call_that_runs_and_for_no_other() {
    on_core(async {
        let world = World::new(&[(
            "scripts/keeps.lua",
            "local kept
return service { name = 'keeps', handle = function(ctx)
  if not kept then
    kept = { ctx = ctx, answer = function() ctx.response.payload.r = 'from the past' end,
      set = ctx.kvdb.set, link = ctx.outgoing.http['treasury.gov'], log = ctx.log, branch = function() return ctx.service end }
    ctx.response.payload.r = 'first'
    return
  end
  -- The answer of the first call is gone; nobody gets what is written there.
  kept.answer()
  kept.set('mark', 'second')
  local one, two = parallel { kept.branch, kept.branch }
  ctx.response.payload.rest = table.concat({ ctx.kvdb:get('mark'), kept.link:get(), one, two }, ' ')
end }",
        )]);
        let first = map(&[("r", Value::text("first"))]);
        assert_eq!(world.payload("keeps").await, first);
        let second = map(&[("rest", Value::text("second pong keeps keeps"))]);
        assert_eq!(world.payload("keeps").await, second);
    });
}

#[test]
fn random_numbers_of_one_service_tell_nothing_of_anothers() {
    on_core(async {
        let mut texts = std::collections::BTreeSet::new();
        for _ in 0..2 {
            let draw = "function(ctx) ctx.response.payload.r = string.format('%d %d', math.random(2^30), math.random(2^30)) end";
            let file = format!(
                "return {{ service {{ name = 'one', handle = {draw} }}, service {{ name = 'two', handle = {draw} }} }}"
            );
            let world = World::new(&[("scripts/draws.lua", &file)]);
            for name in ["one", "two"] {
                texts.insert(format!("{:?}", world.payload(name).await));
            }
        }
        assert_eq!(texts.len(), 4, "{texts:?}");
    });
}
