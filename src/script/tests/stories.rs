//! Tests of stories: each host call becomes a step with its line, in both languages alike, and no secret is told.

use std::sync::Arc;

use crate::base::*;
use crate::contract::Request;
use crate::script::tests::world::*;

/// Runs service `t` with an input in each language and returns the stories. The body stands at line 3.
async fn stories(declared: &str, lua: &str, rhai: &str, input: Value) -> Vec<Arc<Story>> {
    let lua = format!(
        "return service {{ name = 't', {},\nhandle = function(ctx)\n{lua} end }}",
        declared
            .replace('[', "{")
            .replace(']', "}")
            .replace(':', "=")
    );
    let rhai = format!("service(#{{ name: \"t\", {declared} }});\nfn handle(ctx) {{\n{rhai} }}");
    let lua = lua.replace('@', ":");
    let rhai = rhai.replace('@', ":");
    let mut told = Vec::new();
    for (path, text) in [("scripts/t.lua", lua), ("scripts/t.rhai", rhai)] {
        let mut world = World::new(&[(path, &text), ("scripts/other.lua", OTHER)]);
        let stories = Stories::default();
        let teller = stories.begin(Opening {
            cid: world.ctx.cid.clone(),
            service: ServiceName::new("t").unwrap(),
            place: Place::new(path, 1, 0),
            revision: 1,
            way: "api".to_owned(),
            at: chrono::DateTime::default(),
            input: String::new(),
        });
        world.ctx.request = Arc::new(Request {
            story: Some(Arc::clone(teller.story())),
            ..Request::default()
        });
        let answer = world.call("t", input.clone()).await;
        let status = answer.as_ref().map_or_else(Fault::status, |_| 200);
        teller.end(status, answer.as_ref().err());
        told.push(Arc::clone(teller.story()));
    }
    told
}

const OTHER: &str = "return service { name = 'other', handle = function(ctx)
ctx.kvdb:set('of-other', 'x') end }";

/// Shows the steps as `service@depth line call(given) = result`.
fn steps(story: &Story) -> Vec<String> {
    let (steps, _) = story.steps();
    let shown = steps.into_iter().map(|step| {
        let result = match step.result.expect("it has ended") {
            Ok(text) => text,
            Err(text) => format!("!{text}"),
        };
        let line = step.place.map_or(0, |place| place.line);
        let (service, depth) = (step.service, step.depth);
        format!(
            "{service}@{depth} {line} {}({}) = {result}",
            step.call, step.given
        )
    });
    shown.collect()
}

#[test]
fn every_call_that_reaches_something_is_a_step_with_its_line() {
    on_core(async {
        let told = stories(
            "input: [\"key\"]",
            "ctx.kvdb:set(ctx.request.input.key, 'v')
json.parse('{}')
local r = ctx.kvdb:get(ctx.request.input.key)
ctx:invoke('other', { a = 1 })
ctx.outgoing.http['treasury.gov']:get({ headers = { Authorization = 'Bearer x' } })",
            "ctx.kvdb.set(ctx.request.input.key, \"v\");
json.parse(\"{}\");
let r = ctx.kvdb.get(ctx.request.input.key);
ctx.invoke(\"other\", #{ a: 1 });
ctx.outgoing.http[\"treasury.gov\"].get(#{ headers: #{ Authorization: \"Bearer x\" } });",
            map(&[("key", Value::text("k"))]),
        )
        .await;
        for story in told {
            assert_eq!(
                steps(&story),
                [
                    "t@1 3 kvdb.set(\"k\", \"v\") = ",
                    "t@1 5 kvdb.get(\"k\") = \"v\"",
                    "t@1 6 invoke(\"other\", {\"a\":1}) = {}",
                    "other@2 2 kvdb.set(\"of-other\", \"x\") = ",
                    "t@1 7 outgoing.http[\"treasury.gov\"].get({\"headers\":{\"Authorization\":***}}) = \"pong\"",
                ],
                "{:?}",
                story.end()
            );
            let own = story.opening.place.path.to_string();
            assert!(story.source(&own).unwrap().contains("kvdb"));
            assert!(
                story
                    .source("scripts/other.lua")
                    .unwrap()
                    .contains("of-other")
            );
        }
    });
}

#[test]
fn what_is_sensitive_is_told_nowhere() {
    on_core(async {
        let told = stories(
            "input: [\"pin@text!\"], output: [\"receipt@text!\"]",
            "ctx.kvdb:set('pin/' .. ctx.request.input.pin, 'R-1')
ctx.response.payload.receipt = ctx.kvdb:get('pin/' .. ctx.request.input.pin)",
            "ctx.kvdb.set(\"pin/\" + ctx.request.input.pin, \"R-1\");
ctx.response.payload.receipt = ctx.kvdb.get(\"pin/\" + ctx.request.input.pin);",
            map(&[("pin", Value::text("4711"))]),
        )
        .await;
        for story in told {
            let shown = format!("{story:?}").replace(&format!("{:?}", story.source("")), "");
            let steps = steps(&story);
            assert_eq!(
                steps[0], "t@1 3 kvdb.set(\"pin/***\", \"***\") = ",
                "{shown}"
            );
            assert_eq!(steps[1], "t@1 4 kvdb.get(\"pin/***\") = \"***\"");
        }
    });
}

#[test]
fn a_call_that_fails_tells_why() {
    on_core(async {
        let told = stories(
            "input: [\"pin@text!\"]",
            "ctx.kvdb:get({})",
            "ctx.kvdb.set(\"a\", #{});",
            map(&[("pin", Value::text("4711"))]),
        )
        .await;
        for story in &told {
            let end = story.end().unwrap();
            assert_eq!(end.code.as_deref(), Some("KL-S102"), "{end:?}");
            assert_eq!(end.place.unwrap().line, 3);
            assert!(steps(story)[0].contains("!KL-S102"), "{:?}", steps(story));
        }
    });
}
