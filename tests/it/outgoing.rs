//! Outgoing connections through the binary, against a peer of our own: addresses that change, retries, credentials.
#![expect(
    clippy::format_push_string,
    reason = "tests may be plain, and stop at the first surprise"
)]

use std::time::{Duration, Instant};

use crate::support::{Does, Gate, Peer, Reply, TestServer, eventually};

const SCRIPT: &str = r#"
local function calls(method)
  return service { name = method, handle = function(ctx)
    local peer = ctx.outgoing.http[ctx.request.input.to or "peer"]
    local answer = peer[method](peer, { path = ctx.request.input.path or "/x" })
    ctx.response.payload = { status = answer.status, text = answer.text }
  end }
end
return {
  calls("get"), calls("post"), calls("put"),
  service { name = "host", handle = function(ctx)
    local other = ctx.request.input.other
    local tried = {
      { path = other .. "/x" },
      { path = "//" .. other:gsub("http://", "") .. "/x" },
      { path = "/{p}", params = { p = "/" .. other .. "/x" } },
      { path = "@" .. other:gsub("http://", "") .. "/x" },
      { path = "/../../x" },
      { headers = { Host = other } },
      { headers = { host = other } },
      { url = other },
      { host = other },
      { query = { ["\r\nHost"] = other } },
    }
    local refused = 0
    for _, request in tried do
      if not pcall(function() return ctx.outgoing.http["peer"]:get(request) end) then
        refused += 1
      end
    end
    ctx.response.payload = { refused = refused }
  end },
  service { name = "many", handle = function(ctx)
    local function ask() return ctx.outgoing.http["gate"]:get { path = "/x" }.status end
    local function asks() return { parallel { ask, ask, ask, ask, ask } } end
    ctx.response.payload = { parallel { asks, asks, asks } }
  end },
}
"#;

/// Writes the objects: one connection `peer` with an address and more keys.
fn objects(url: &str, more: &str) -> String {
    let mut text = format!(
        "version: 1\nsecurity:\n  - {{ name: basic, type: basic, username: u, password: p }}\n  \
         - {{ name: key, type: api_key, header: X-Key, key: k }}\n\
         outgoing:\n  http:\n    - {{ name: peer, url: {url}{more} }}\n    \
         - {{ name: as.basic, url: {url}, security: basic }}\n    - {{ name: as.key, url: {url}, security: key }}\n\
         channels:\n"
    );
    for name in ["get", "post", "put", "host"] {
        text += &format!(
            "  - {{ name: {name}, service: {name}, http: {{ path: /{name} }}, wrap: none, security: none }}\n"
        );
    }
    text
}

/// The tests together may keep a machine busy.
const PATIENT: &[&str] = &["--max-time", "60"];

fn server(url: &str, more: &str) -> TestServer {
    let project = TestServer::project("blank");
    project.write("config/objects.yaml", objects(url, more));
    project.write("scripts/calls.lua", SCRIPT);
    project.start()
}

fn call(server: &TestServer, path: &str) -> Reply {
    server.curl(path).send()
}

fn said(reply: &Reply) -> Option<String> {
    let text = (reply.status == 200).then(|| reply.json()["text"].clone())?;
    text.as_str().map(str::to_owned)
}

#[test]
fn an_edited_address_counts_for_the_next_call_also_while_nobody_is_there() {
    let (one, two) = (Peer::saying("one"), Peer::saying("two"));
    let server = server(&one.url(), "");
    let revisions = || -> Vec<_> {
        let listed = server.kladka(&["service", "list", "--json"]).out;
        let listed: serde_json::Value = serde_json::from_str(&listed).unwrap();
        let services = listed["services"].as_array().unwrap();
        services
            .iter()
            .map(|service| service["revision"].clone())
            .collect()
    };
    let before_all = revisions();
    assert_eq!(said(&call(&server, "/get")).as_deref(), Some("one"));

    server.write("config/objects.yaml", objects(&two.url(), ""));
    eventually("the second peer is called", || {
        (said(&call(&server, "/get")).as_deref() == Some("two")).then_some(())
    });
    let before = one.seen().len();
    assert_eq!(said(&call(&server, "/get")).as_deref(), Some("two"));
    assert_eq!(
        one.seen().len(),
        before,
        "nobody calls the first one any more"
    );

    // The third peer is not there yet: its address counts all the same, and calls fail.
    let place = Peer::saying("").address();
    server.write(
        "config/objects.yaml",
        objects(&format!("http://{place}"), ""),
    );
    let reply = eventually("the third peer is called", || {
        let reply = call(&server, "/get");
        (reply.status != 200).then_some(reply)
    });
    assert_eq!(reply.status, 502, "{}", reply.body);
    assert!(reply.body.contains("KL-O101"), "{}", reply.body);
    assert!(!reply.body.contains(&place.to_string()), "{}", reply.body);

    // It comes: the very next call gets through. It goes and comes back: so does the next one.
    for text in ["three", "three again"] {
        let _three = Peer::start_at(place, move |_| Does::Answer(200, "text/plain", text.into()));
        assert_eq!(said(&call(&server, "/get")).as_deref(), Some(text));
        assert_eq!(said(&call(&server, "/get")).as_deref(), Some(text));
    }
    assert_eq!(revisions(), before_all, "no script was reloaded");
}

#[test]
fn only_calls_that_do_no_harm_twice_are_tried_again() {
    let peer = Peer::start(|seen| {
        let wanted = if seen.target == "/down" { 503 } else { 200 };
        Does::Answer(wanted, "text/plain", b"x".to_vec())
    });
    let retry = ", retry: { attempts: 3, backoff: 10ms..20ms, when: [503] }";
    let server = server(&peer.url(), retry);
    for (method, tries) in [("get", 3), ("put", 3), ("post", 1)] {
        let before = peer.seen().len();
        let reply = call(&server, &format!("/{method}?path=/down"));
        assert_eq!(reply.json()["status"], 503, "{}", reply.body);
        assert_eq!(peer.seen().len() - before, tries, "{method}");
        assert_eq!(call(&server, &format!("/{method}")).json()["status"], 200);
        assert_eq!(peer.seen().len() - before, tries + 1, "{method}");
    }
}

#[test]
fn one_call_has_six_outgoing_calls_under_way_and_the_rest_wait_their_turn() {
    let (peer, gate) = (Peer::saying("ok"), Gate::closed());
    let project = TestServer::project("blank");
    let more = format!(
        "\n    - {{ name: gate, url: {}, timeout: {{ total: 60s }} }}\nchannels:\n  - {{ name: many, service: many, http: {{ path: /many }}, wrap: none, timeout: 60s, security: none }}\n",
        gate.url()
    );
    project.write(
        "config/objects.yaml",
        objects(&peer.url(), "").replace("\nchannels:\n", &more),
    );
    project.write("scripts/calls.lua", SCRIPT);
    let server = project.with("KLADKA_LIMITS_CORES", "1").start();
    std::thread::scope(|scope| {
        let many = scope.spawn(|| server.curl("/many").args(PATIENT).send());
        for answered in 0..=9 {
            gate.wait_for(answered + 6);
            // The same core has been to another peer and back since: whatever may begin has begun.
            assert_eq!(said(&call(&server, "/get")).as_deref(), Some("ok"));
            assert_eq!(gate.came(), answered + 6);
            gate.release(1);
        }
        gate.release(5);
        let reply = many.join().unwrap();
        let five = "[200,200,200,200,200]";
        assert_eq!(reply.body, format!("[{five},{five},{five}]"));
    });
}

#[test]
fn a_silent_peer_is_given_up_after_the_timeout() {
    let peer = Peer::start(|_| Does::Waits);
    let server = server(&peer.url(), ", timeout: { total: 200ms }");
    let started = Instant::now();
    let reply = call(&server, "/get");
    let took = started.elapsed();
    assert_eq!(reply.status, 504, "{}", reply.body);
    assert!(reply.body.contains("KL-O102"), "{}", reply.body);
    assert!(
        took >= Duration::from_millis(200) && took < Duration::from_secs(5),
        "{took:?}"
    );
    eventually("the connection is closed", || {
        (peer.left() == 1).then_some(())
    });
}

#[test]
fn credentials_and_the_correlation_id_are_sent() {
    let peer = Peer::saying("ok");
    let server = server(&peer.url(), "");
    let with_cid = |path: &str| {
        server
            .curl(path)
            .header("X-Correlation-ID: cid-to-pass-on-1")
            .send()
    };
    for path in ["/get?to=as.basic", "/get?to=as.key", "/post"] {
        assert_eq!(with_cid(path).status, 200);
    }
    let seen = peer.seen();
    assert_eq!(seen[0].header("authorization"), Some("Basic dTpw"));
    assert_eq!(
        (seen[1].header("x-key"), seen[1].header("authorization")),
        (Some("k"), None)
    );
    assert_eq!(
        (seen[2].header("x-key"), seen[2].header("authorization")),
        (None, None)
    );
    for request in &seen {
        assert_eq!(request.header("x-correlation-id"), Some("cid-to-pass-on-1"));
        assert_eq!(request.header("host"), Some(&*peer.address().to_string()));
    }
    assert_eq!(seen[2].method, "POST");
}

#[test]
fn a_script_cannot_choose_the_host() {
    let (peer, other) = (Peer::saying("mine"), Peer::saying("stolen"));
    let server = server(&peer.url(), "");
    let reply = call(&server, &format!("/host?other={}", other.url()));
    assert_eq!(reply.status, 200, "{}", reply.body);
    assert!(other.seen().is_empty(), "{:?}", other.seen());
    // Whatever was not refused went to the connection's own host.
    for request in peer.seen() {
        assert_eq!(request.header("host"), Some(&*peer.address().to_string()));
    }
    let refused = reply.json()["refused"].as_u64().unwrap();
    assert_eq!(refused + peer.seen().len() as u64, 10, "{}", reply.body);
    assert!(refused >= 6, "{}: {:?}", reply.body, peer.seen());
}
