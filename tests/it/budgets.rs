//! What one call may use, through the binary: the call over its budget fails, and nobody else waits for it.
//!
//! The server has one core, so that everything here shares it.
#![expect(
    clippy::panic,
    clippy::unchecked_time_subtraction,
    reason = "tests may be plain, and stop at the first surprise"
)]

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use crate::support::{Does, Peer, Raw, Reply, TestServer, eventually};

/// What a call may take beyond its budget. The debug build is slow, and the machine may be busy.
const GRACE: Duration = Duration::from_millis(300);
const CPU: Duration = Duration::from_millis(250);

const SCRIPT: &str = r#"
local function endless(name, handle)
  return service { name = name, handle = handle }
end
return {
  endless("loop.plain", function() while true do end end),
  endless("loop.pcall", function() while true do pcall(function() while true do end end) end end),
  endless("loop.sort", function()
    local list = table.create(100, 1)
    table.sort(list, function() while true do end end)
  end),
  endless("loop.gsub", function() return (("x"):gsub(".", function() while true do end end)) end),
  endless("loop.pattern", function()
    local text = string.rep("a", 30000)
    return text:match(".-.-.-.-.-.-b")
  end),
  endless("loop.metamethod", function()
    local t = setmetatable({}, { __index = function() while true do end end })
    return t.x
  end),
  endless("loop.host", function()
    local list = {}
    for i = 1, 30000 do list[i] = { a = i } end
    while true do json.encode(list) end
  end),
  service { name = "hog", cpu = "2s", handle = function()
    local all = {}
    while true do all[#all + 1] = string.rep("x", 1000000 + #all) end
  end },
  service { name = "hog.caught", handle = function()
    local all = {}
    while true do pcall(function() all[#all + 1] = string.rep("x", 1000000 + #all) end) end
  end },
  service { name = "large", handle = function(ctx)
    local part = string.rep("x", 1000000)
    local all = {}
    for i = 1, 17 do all[i] = part end
    ctx.response.payload = { parts = all }
  end },
  service { name = "recursion", handle = function(ctx)
    return ctx:invoke("recursion", {})
  end },
  service { name = "many", handle = function(ctx)
    for i = 1, 60 do ctx.outgoing.http["peer"]:get { path = "/fast" } end
  end },
  service { name = "waits", handle = function(ctx)
    ctx.outgoing.http["peer"]:get { path = "/silent" }
  end },
  service { name = "ok", handle = function(ctx) ctx.response.payload = { fine = true } end },
}
"#;

const LOOPS: &[&str] = &[
    "plain",
    "pcall",
    "sort",
    "gsub",
    "pattern",
    "metamethod",
    "host",
];

fn peer() -> Peer {
    Peer::start(|seen| match &*seen.target {
        "/silent" => Does::Waits,
        _ => Does::Answer(200, "text/plain", b"ok".to_vec()),
    })
}

fn server(peer: &Peer) -> TestServer {
    let services = [
        "loop.plain",
        "loop.pcall",
        "loop.sort",
        "loop.gsub",
        "loop.pattern",
        "loop.metamethod",
        "loop.host",
        "hog",
        "hog.caught",
        "large",
        "recursion",
        "many",
        "waits",
        "ok",
    ];
    let mut text = format!(
        "version: 1\noutgoing:\n  http:\n    - {{ name: peer, url: {}, timeout: {{ total: 20s }} }}\nchannels:\n",
        peer.url()
    );
    for name in services {
        for format in ["json", "xml", "soap"] {
            text.extend([format!(
                "  - {{ name: {format}.{name}, service: {name}, http: {{ path: /{format}/{name} }}, format: {format}, security: none }}\n"
            )]);
        }
    }
    text += "  - { name: short, service: waits, http: { path: /short }, security: none, timeout: 200ms }\n";
    let project = TestServer::project("blank")
        .with("KLADKA_LIMITS_CORES", "1")
        .with("KLADKA_LIMITS_SCRIPT_CPU", "250ms")
        .production();
    project.write("config/objects.yaml", text);
    project.write("scripts/budgets.lua", SCRIPT);
    project.start()
}

/// Calls on a connection of its own.
fn call(server: &TestServer, path: &str) -> Reply {
    begin(server, path)
        .reply()
        .unwrap_or_else(|| panic!("no answer to {path}"))
}

fn begin(server: &TestServer, path: &str) -> Raw {
    let mut raw = Raw::connect(server);
    let body = if path.starts_with("/soap") {
        "<e:Envelope xmlns:e=\"http://schemas.xmlsoap.org/soap/envelope/\"><e:Body><x/></e:Body></e:Envelope>"
    } else {
        ""
    };
    let (length, kind) = (body.len(), "Content-Type: text/xml");
    raw.send(format!(
        "POST {path} HTTP/1.1\r\nHost: x\r\n{kind}\r\nContent-Length: {length}\r\n\r\n{body}"
    ));
    raw
}

fn is_fault(reply: &Reply, status: u16, code: &str) {
    assert_eq!(reply.status, status, "{} {}", reply.head, reply.body);
    assert!(reply.body.contains(code), "{code}, not {}", reply.body);
    let cid = reply.header("x-correlation-id").unwrap();
    assert!(reply.body.contains(cid), "{}", reply.body);
    assert!(!reply.body.contains("scripts/"), "{}", reply.body);
}

/// Returns the median of what calls of `ok` on new connections take.
fn median_wait(server: &TestServer, calls: usize) -> Duration {
    let one = |_| {
        let started = Instant::now();
        assert_eq!(call(server, "/json/ok").status, 200);
        started.elapsed()
    };
    let mut waits: Vec<Duration> = (0..calls).map(one).collect();
    waits.sort_unstable();
    waits[calls / 2]
}

/// Checks that the median wait is short. A busy machine may spoil a round, but not all of them.
fn is_short(what: &str, mut round: impl FnMut() -> Duration) {
    let mut medians = Vec::new();
    while medians.len() < 5 {
        medians.push(round());
        if medians
            .last()
            .is_some_and(|last| *last < Duration::from_millis(20))
        {
            return;
        }
    }
    panic!("{what}: the medians of five rounds are {medians:?}");
}

#[test]
fn an_endless_loop_fails_within_its_budget_in_the_format_of_the_channel() {
    let peer = peer();
    let server = server(&peer);
    for name in LOOPS {
        for (format, kind) in [
            ("json", "application/problem+json"),
            ("xml", "application/problem+xml"),
            ("soap", "text/xml"),
        ] {
            // Time of the processor, not of the clock: other tests run beside this one.
            let before = server.cpu();
            let reply = call(&server, &format!("/{format}/loop.{name}"));
            let took = server.cpu() - before;
            is_fault(&reply, 504, "KL-S301");
            assert!(
                reply.header("content-type").unwrap().starts_with(kind),
                "{}",
                reply.head
            );
            assert!(took < CPU + GRACE, "{name} took {took:?}");
        }
    }
}

#[test]
fn others_are_served_while_loops_follow_each_other_without_a_pause() {
    let peer = peer();
    let server = server(&peer);
    median_wait(&server, 10);
    for name in LOOPS {
        // Where a loop cannot give way (`sort`, `gsub`, …) the first call holds the core; later ones run apart.
        call(&server, &format!("/json/loop.{name}"));
        is_short(name, || {
            let done = AtomicBool::new(false);
            std::thread::scope(|scope| {
                let looping = scope.spawn(|| {
                    let mut loops = 0;
                    while !done.load(Ordering::Relaxed) {
                        let reply = call(&server, &format!("/json/loop.{name}"));
                        is_fault(&reply, 504, "KL-S301");
                        loops += 1;
                    }
                    loops
                });
                let median = median_wait(&server, 100);
                done.store(true, Ordering::Relaxed);
                assert!(looping.join().unwrap() > 0);
                median
            })
        });
    }
}

#[test]
fn a_memory_hog_fails_alone() {
    let peer = peer();
    let server = server(&peer);
    for format in ["json", "xml", "soap"] {
        is_fault(&call(&server, &format!("/{format}/hog")), 500, "KL-S303");
        assert_eq!(call(&server, "/json/ok").status, 200);
    }
    // Who goes on after the error runs into one budget or the other, and no further.
    let before = server.cpu();
    let reply = call(&server, "/json/hog.caught");
    match reply.status {
        500 => is_fault(&reply, 500, "KL-S303"),
        _ => is_fault(&reply, 504, "KL-S301"),
    }
    assert!(server.cpu() - before < CPU + GRACE);
    assert_eq!(call(&server, "/json/ok").status, 200);
}

#[test]
fn output_nesting_and_outgoing_calls_are_counted() {
    let peer = peer();
    let server = server(&peer);
    is_fault(&call(&server, "/json/large"), 500, "KL-S304");
    is_fault(&call(&server, "/json/recursion"), 500, "KL-S305");
    is_fault(&call(&server, "/json/many"), 500, "KL-S306");
    assert_eq!(peer.seen().len(), 50);
    assert_eq!(call(&server, "/json/ok").status, 200);
}

#[test]
fn a_script_that_waits_blocks_nobody_and_ends_with_its_deadline_or_its_client() {
    let peer = peer();
    let server = server(&peer);
    let waiting: Vec<Raw> = (0..5).map(|_| begin(&server, "/json/waits")).collect();
    peer.wait_seen(5);
    is_short("five calls that wait", || median_wait(&server, 100));
    // The clients go; so do the calls they waited for.
    assert_eq!(peer.left(), 0);
    drop(waiting);
    eventually("the abandoned calls are cancelled", || {
        (peer.left() == 5).then_some(())
    });

    let started = Instant::now();
    let reply = call(&server, "/short");
    let took = started.elapsed();
    is_fault(&reply, 504, "KL-S302");
    assert!(took >= Duration::from_millis(200), "{took:?}");
    // A busy machine may delay the answer, but the peer would never have given one.
    assert!(took < Duration::from_secs(5), "{took:?}");
}
