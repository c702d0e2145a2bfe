//! Tests that a panic in a host function is a fault of its call alone, in both languages, wherever it happens.

use crate::base::*;
use crate::script::tests::world::*;

/// The kinds of host functions that panic.
const PANICS: &[&str] = &[
    "probe.panic()",
    "probe.either(\"panics\")",
    "probe.either(\"panics later\")",
    "probe.waiting(\"at once\")",
    "probe.waiting(\"later\")",
];

/// Where they are called from, in Lua and in Rhai; `P` stands for the call.
const PLACES: &[(&str, &str)] = &[
    ("P", "P;"),
    ("pcall(function() P end)", "try { P; } catch { }"),
    (
        "while true do pcall(function() P end) end",
        "loop { try { P; } catch { } }",
    ),
    (
        "xpcall(function() P end, function() P end)",
        "try { P; } catch { P; }",
    ),
    (
        "parallel { function() P end, function() ctx.time.sleep('2ms') end }",
        "parallel([1, 2], |n| { if n == 1 { P; } else { ctx.time.sleep(\"2ms\"); } });",
    ),
    (
        "parallel { function() pcall(function() P end) end, function() while true do ctx.time.sleep('1ms') end end }",
        "parallel([1, 2], |n| { if n == 1 { try { P; } catch { } } else { loop { ctx.time.sleep(\"1ms\"); } } });",
    ),
];

fn service(name: &str, file: &str, code: &str) -> String {
    if file.contains(".lua") {
        return format!(
            "return service {{ name = '{name}', handle = function(ctx)\n{code}\nctx.response.payload.r = 'went on' end }}"
        );
    }
    format!(
        "service(#{{ name: \"{name}\" }});\nfn handle(ctx) {{\n{code}\nctx.response.payload.r = \"went on\"; }}"
    )
}

/// Sleeps while the other panics, then answers.
const NEIGHBOUR: [(&str, &str); 2] = [
    ("scripts/n.lua", "ctx.time.sleep('4ms')"),
    ("scripts/n.rhai", "ctx.time.sleep(\"4ms\");"),
];

#[test]
fn a_panic_in_a_host_function_ends_its_call_and_no_other() {
    let fine = map(&[("r", Value::text("went on"))]);
    on_core(async {
        for (lua, rhai) in PLACES {
            for panic in PANICS {
                for (file, code) in [("scripts/t.lua", lua), ("scripts/t.rhai", rhai)] {
                    let case = format!("{file}: {}", code.replace('P', panic));
                    let mut files = vec![(file, service("t", file, &code.replace('P', panic)))];
                    for (file, code) in NEIGHBOUR {
                        files.push((file, service(file, file, code).replace("scripts/", "")));
                    }
                    let files: Vec<(&str, &str)> = files
                        .iter()
                        .map(|(path, text)| (*path, text.as_str()))
                        .collect();
                    let world = World::new(&files);
                    for _ in 0..2 {
                        let (panicked, lua, rhai) = tokio::join!(
                            world.fault("t"),
                            world.payload("n.lua"),
                            world.payload("n.rhai")
                        );
                        assert_eq!(
                            panicked.code(),
                            Code::Internal,
                            "{case}: {}",
                            panicked.block()
                        );
                        assert!(
                            panicked.message().starts_with("host function 'probe."),
                            "{case}"
                        );
                        assert_eq!([&lua, &rhai], [&fine, &fine], "{case}");
                    }
                }
            }
        }
    });
}

#[test]
fn who_invokes_a_service_that_panics_may_go_on() {
    on_core(async {
        for (file, code) in [
            (
                "scripts/t.lua",
                "local ok, e = pcall(function() ctx:invoke('p') end) ctx.response.payload.code = e.code",
            ),
            (
                "scripts/t.rhai",
                "try { ctx.invoke(\"p\"); } catch (e) { ctx.response.payload.code = e.code; }",
            ),
        ] {
            for panicking in ["scripts/p.lua", "scripts/p.rhai"] {
                let world = World::new(&[
                    (file, &service("t", file, code)),
                    (
                        panicking,
                        &service("p", panicking, "probe.panic()")
                            .replace("panic()\n", "panic();\n"),
                    ),
                ]);
                let wanted = map(&[
                    ("code", Value::text("KL-X500")),
                    ("r", Value::text("went on")),
                ]);
                let got = world.payload("t").await;
                let sorted = |value: &Value| serde_json::Value::from(value).to_string();
                assert_eq!(sorted(&got), sorted(&wanted), "{file} {panicking}");
            }
        }
    });
}
