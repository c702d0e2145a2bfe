//! Redis goes away and comes back: calls that need it fail soon and clearly, all others notice nothing.

use std::time::{Duration, Instant};

use crate::support::{Redis, Reply, TestServer, eventually};

const SCRIPT: &str = r#"
return {
  service { name = "kv", handle = function(ctx)
    ctx.response.payload = { count = ctx.kvdb:incr("count") }
  end },
  service { name = "plain", handle = function(ctx) ctx.response.payload = { fine = true } end },
}
"#;
const OBJECTS: &str = "version: 1\nchannels:\n  \
    - { name: kv, service: kv, http: { path: /kv }, security: none }\n  \
    - { name: kv.xml, service: kv, http: { path: /kv.xml }, format: xml, security: none }\n  \
    - { name: plain, service: plain, http: { path: /plain }, security: none }\n";
/// A command's own limit is one second; the rest is for the way there and a busy machine.
const SOON: Duration = Duration::from_millis(1_500);

fn server(redis: &Redis) -> TestServer {
    let project = TestServer::project("blank").with("KLADKA_KVDB_URL", &redis.url());
    project.write("config/objects.yaml", OBJECTS);
    project.write("scripts/kv.lua", SCRIPT);
    let server = project.start();
    assert_eq!(timed(&server, "/kv").0.status, 200);
    server
}

fn timed(server: &TestServer, path: &str) -> (Reply, Duration) {
    let started = Instant::now();
    let reply = server.curl(path).send();
    (reply, started.elapsed())
}

fn fails_soon(server: &TestServer) {
    for path in ["/kv", "/kv.xml", "/kv"] {
        let (reply, took) = timed(server, path);
        assert_eq!(reply.status, 503, "{}", reply.body);
        assert!(reply.body.contains("KL-K201"), "{}", reply.body);
        assert!(!reply.body.contains("127.0.0.1"), "{}", reply.body);
        assert!(took < SOON, "{path} took {took:?}");
    }
}

fn others_notice_nothing(server: &TestServer) {
    for _ in 0..5 {
        let (reply, took) = timed(server, "/plain");
        assert_eq!(reply.status, 200, "{}", reply.body);
        assert!(took < Duration::from_millis(300), "{took:?}");
    }
}

/// Each core has a connection of its own, so several calls must succeed in a row.
fn recovers(server: &TestServer) {
    eventually("the key/value store answers again on all cores", || {
        let fine = (0..6).all(|_| timed(server, "/kv").0.status == 200);
        fine.then_some(())
    });
}

#[test]
fn a_frozen_redis_costs_only_those_who_need_it_and_is_used_again_when_it_thaws() {
    let redis = Redis::start();
    let server = server(&redis);
    redis.freeze();
    std::thread::scope(|scope| {
        let failing = scope.spawn(|| fails_soon(&server));
        others_notice_nothing(&server);
        failing.join().unwrap();
    });
    redis.thaw();
    recovers(&server);
}

#[test]
fn a_killed_redis_is_used_again_when_it_is_back() {
    let mut redis = Redis::start();
    let server = server(&redis);
    redis.kill();
    fails_soon(&server);
    others_notice_nothing(&server);
    redis.start_again();
    recovers(&server);
    let lines = server.log().count("panicked");
    assert_eq!(lines, 0);
}
