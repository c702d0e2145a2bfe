//! The data plane over real sockets: what peers get, and how long they may take.

mod long;
mod outgoing;
pub(super) mod support;

use std::sync::Arc;
use std::sync::atomic::Ordering::SeqCst;
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use crate::base::{Caller, Cid, Code, ServiceName, Value};
use crate::connect::http::tests::support::{TestServer, WAIT, beside, rest, until};
use crate::connect::http::{HttpLimits, State, Timeouts};
use crate::contract::{Ctx, Invocation, Request};

fn start() -> TestServer {
    TestServer::start(HttpLimits::default(), None)
}

/// Limits under which one kind of slowness is found out soon, and no other.
fn hasty(change: impl FnOnce(&mut Timeouts)) -> HttpLimits {
    let mut limits = HttpLimits::default();
    change(&mut limits.timeouts);
    limits
}

const SOON: Duration = Duration::from_millis(150);

fn status(answer: &str) -> &str {
    answer.split(' ').nth(1).unwrap_or("nothing")
}

fn client() -> reqwest::Client {
    client_of(|builder| builder)
}

fn client_of(
    change: impl FnOnce(reqwest::ClientBuilder) -> reqwest::ClientBuilder,
) -> reqwest::Client {
    change(reqwest::Client::builder().no_proxy().timeout(WAIT))
        .build()
        .unwrap()
}

#[tokio::test]
async fn a_request_comes_back_with_its_correlation_id_and_no_server_header() {
    let server = start();
    let ask = |cid: &'static str| {
        let url = server.url("/echo/a%2Fb?x=1&y=%C5%BC+z");
        client()
            .post(url)
            .header("x-correlation-id", cid)
            .body("body")
            .send()
    };
    let answer = ask("abc-1").await.unwrap();
    assert_eq!(answer.headers()["x-correlation-id"], "abc-1");
    assert!(!answer.headers().contains_key("server"));
    assert_eq!(answer.headers()["content-type"], "text/plain");
    assert_eq!(answer.text().await.unwrap(), "id=a/b;x=1;y=ż z;body");
    let answer = ask("has a space").await.unwrap();
    assert_eq!(
        answer.headers()["x-correlation-id"].len(),
        24,
        "not sane: replaced"
    );
    let fresh = server
        .raw(b"GET /no HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
        .await;
    assert!(fresh.contains("x-correlation-id: "), "{fresh}");
}

#[tokio::test]
async fn load_balancers_are_told_the_state() {
    let server = start();
    for (state, expected) in [
        (State::Starting, 503),
        (State::Ready, 200),
        (State::Draining, 404),
    ] {
        server.shared.set_state(state);
        let answer = client().get(server.url("/-/ready")).send().await.unwrap();
        assert_eq!(answer.status(), expected);
        assert!(answer.headers().contains_key("x-correlation-id"));
    }
}

#[tokio::test]
async fn an_unknown_path_is_answered_in_the_format_the_request_looks_like() {
    let server = start();
    for (headers, expected) in [
        ("", "application/json"),
        ("Content-Type: text/plain\r\n", "application/json"),
        (
            "Content-Type: text/xml; charset=utf-8\r\n",
            "application/xml",
        ),
        ("Content-Type: application/atom+xml\r\n", "application/xml"),
        ("Content-Type: application/soap+xml\r\n", "application/soap"),
        (
            "Content-Type: text/xml\r\nSOAPAction: \"\"\r\n",
            "application/soap",
        ),
    ] {
        let request =
            format!("POST /none HTTP/1.1\r\nHost: a\r\nConnection: close\r\n{headers}\r\n");
        let answer = server.raw(request.as_bytes()).await;
        assert_eq!(status(&answer), "404", "{answer}");
        assert!(
            answer.contains(&format!("content-type: {expected}\r\n")),
            "{headers}: {answer}"
        );
        assert!(answer.contains("KL-H404"), "{answer}");
    }
}

#[tokio::test]
async fn methods_are_answered_as_the_channel_says() {
    let server = start();
    let ask = |method: &'static str, path: &'static str| {
        client()
            .request(method.parse().unwrap(), server.url(path))
            .send()
    };
    let answer = ask("DELETE", "/echo").await.unwrap();
    assert_eq!(answer.status(), 405);
    assert_eq!(answer.headers()["allow"], "GET, HEAD, OPTIONS, POST");
    assert_eq!(
        answer.headers()["content-type"],
        "application/plain",
        "the channel's format"
    );
    let answer = ask("OPTIONS", "/echo").await.unwrap();
    assert_eq!(
        (answer.status().as_u16(), &answer.headers()["allow"]),
        (204, &"GET, HEAD, OPTIONS, POST".parse().unwrap())
    );
    let answer = ask("HEAD", "/echo/abc").await.unwrap();
    assert_eq!(answer.headers()["content-length"], "7");
    assert_eq!(answer.text().await.unwrap(), "");
    assert_eq!(ask("TRACE", "/hold").await.unwrap().status(), 405);
}

#[tokio::test]
async fn what_is_too_large_is_refused_before_it_is_read() {
    let server = start();
    let long = "a".repeat(9 << 10);
    let uri = format!("GET /echo?{long} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
    let answer = server.raw(uri.as_bytes()).await;
    assert!(
        status(&answer) == "414" && answer.contains("KL-H414"),
        "{answer}"
    );
    let headers = format!("x: {}\r\n", "a".repeat(1000)).repeat(40);
    let head = format!("GET /echo HTTP/1.1\r\nHost: a\r\nConnection: close\r\n{headers}\r\n");
    let answer = server.raw(head.as_bytes()).await;
    assert!(
        status(&answer) == "431" && answer.contains("KL-H431"),
        "{answer}"
    );
    let many = "x: 1\r\n".repeat(150);
    let head = format!("GET /echo HTTP/1.1\r\nHost: a\r\n{many}\r\n");
    assert_eq!(status(&server.raw(head.as_bytes()).await), "431");
    let announced = b"POST /echo HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 1048577\r\n\r\n";
    let answer = server.raw(announced).await;
    assert!(
        status(&answer) == "413" && answer.contains("KL-H413"),
        "no 100, at once: {answer}"
    );
    assert!(answer.contains("connection: close"), "{answer}");
    let exactly = client()
        .post(server.url("/echo"))
        .body("x".repeat(1 << 20))
        .send()
        .await
        .unwrap();
    assert_eq!(exactly.status(), 200);
    assert_eq!(exactly.bytes().await.unwrap().len(), 1 << 20);
    assert_eq!(server.seen.calls.load(SeqCst), 1);
}

#[tokio::test]
async fn a_chunked_body_is_cut_at_the_limit() {
    let server = start();
    let mut stream = server.connect().await;
    let head = "POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";
    stream.write_all(head.as_bytes()).await.unwrap();
    let chunk = format!("10000\r\n{}\r\n", "x".repeat(0x1_0000));
    for _ in 0..16 {
        stream.write_all(chunk.as_bytes()).await.unwrap();
    }
    stream.write_all(b"1\r\nx\r\n").await.unwrap();
    let answer = rest(&mut stream).await;
    assert!(
        status(&answer) == "413" && answer.contains("KL-H413"),
        "{answer}"
    );
    assert_eq!(server.seen.calls.load(SeqCst), 0);
}

#[tokio::test]
#[expect(clippy::too_many_lines, reason = "a table")]
async fn requests_that_can_be_read_in_two_ways_never_reach_a_service() {
    let server = start();
    let smuggled = "GET /echo/smuggled HTTP/1.1\r\nHost: a\r\n\r\n";
    let post = |headers: &str, body: &str| {
        format!("POST /echo HTTP/1.1\r\nHost: a\r\n{headers}\r\n{body}")
    };
    for (name, request) in [
        (
            "te not chunked last",
            post("Transfer-Encoding: chunked, identity\r\n", smuggled),
        ),
        (
            "te unknown",
            post("Transfer-Encoding: xchunked\r\n", smuggled),
        ),
        (
            "te on 1.0",
            post("Transfer-Encoding: chunked\r\n", smuggled).replace("1.1", "1.0"),
        ),
        (
            "two lengths",
            post("Content-Length: 5\r\nContent-Length: 6\r\n", smuggled),
        ),
        ("length list", post("Content-Length: 5,5\r\n", smuggled)),
        ("length sign", post("Content-Length: +5\r\n", smuggled)),
        ("length hex", post("Content-Length: 0x5\r\n", smuggled)),
        ("length negative", post("Content-Length: -1\r\n", smuggled)),
        ("length empty", post("Content-Length: \r\n", smuggled)),
        (
            "space before colon",
            post("Content-Length : 5\r\n", smuggled),
        ),
        ("folded header", post("X: a\r\n b\r\n", smuggled)),
        ("nul in header", post("X: a\0b\r\n", smuggled)),
        (
            "no host",
            "GET /echo HTTP/1.1\r\nConnection: close\r\n\r\n".to_owned(),
        ),
        (
            "two hosts",
            "GET /echo HTTP/1.1\r\nHost: a\r\nHost: b\r\nConnection: close\r\n\r\n".to_owned(),
        ),
        (
            "host with a path",
            "GET /echo HTTP/1.1\r\nHost: a/b\r\nConnection: close\r\n\r\n".to_owned(),
        ),
        (
            "host with a user",
            "GET /echo HTTP/1.1\r\nHost: b@a\r\nConnection: close\r\n\r\n".to_owned(),
        ),
        (
            "host with a space",
            "GET /echo HTTP/1.1\r\nHost: a b\r\nConnection: close\r\n\r\n".to_owned(),
        ),
        (
            "other authority",
            "GET http://b/echo HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n".to_owned(),
        ),
        ("no version", "GET /echo\r\n\r\n".to_owned()),
        (
            "version 3",
            "GET /echo HTTP/3.0\r\nHost: a\r\n\r\n".to_owned(),
        ),
        (
            "dots",
            "GET /echo/%2e%2e/x HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n".to_owned(),
        ),
        (
            "encoded slash",
            "GET /echo%2Fx HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n".to_owned(),
        ),
        (
            "bad chunk size",
            post(
                "Transfer-Encoding: chunked\r\nConnection: close\r\n",
                "zz\r\n\r\n",
            ),
        ),
        (
            "chunk overflow",
            post(
                "Transfer-Encoding: chunked\r\nConnection: close\r\n",
                "fffffffffffffffff\r\n",
            ),
        ),
    ] {
        let answer = server.raw(request.as_bytes()).await;
        assert_eq!(status(&answer), "400", "{name}: {answer}");
        assert_eq!(answer.matches("HTTP/1.1 ").count(), 1, "{name}: {answer}");
        assert_eq!(server.seen.calls.load(SeqCst), 0, "{name}");
    }
}

#[tokio::test]
async fn heads_that_others_may_read_otherwise_are_refused_and_nothing_behind_them_is_run() {
    let server = start();
    for headers in [
        "Content-Length: 4\r\nTransfer-Encoding: chunked\r\n",
        "Transfer-Encoding: chunked\r\nContent-Length: 4\r\n",
        "Content-Length: 5\n",
        "X: y\nTransfer-Encoding: chunked\r\n",
    ] {
        let before = server.seen.calls.load(SeqCst);
        let request = format!(
            "POST /echo HTTP/1.1\r\nHost: a\r\n{headers}\r\n0\r\n\r\nGET /echo/smuggled HTTP/1.1\r\nHost: a\r\n\r\n"
        );
        let answer = server.raw(request.as_bytes()).await;
        assert_eq!(answer.matches("HTTP/1.1 ").count(), 1, "{answer}");
        assert_eq!(status(&answer), "400", "{headers:?}: {answer}");
        assert!(answer.contains("KL-H400"), "{answer}");
        assert_eq!(server.seen.calls.load(SeqCst), before, "{headers:?}");
    }
}

#[tokio::test]
async fn a_body_that_nobody_reads_is_never_taken_for_a_head() {
    let server = start();
    let body = "{\n  \"a\": 1\n}\n".repeat(1000);
    let length = body.len();
    for (line, expected) in [
        ("POST /nowhere", "404"),
        ("PUT /echo", "405"),
        ("POST /-/ready", "200"),
    ] {
        let request = format!(
            "{line} HTTP/1.1\r\nHost: a\r\nContent-Length: {length}\r\n\r\n{body}GET /echo/next HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
        );
        let answer = server.raw(request.as_bytes()).await;
        assert_eq!(status(&answer), expected, "{line}: {answer}");
        assert!(!answer.contains(" 400 "), "{line}: {answer}");
    }
}

#[tokio::test]
async fn a_request_cut_anywhere_behind_another_is_read_whole() {
    let server = start();
    let one = "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\na\n\nb";
    let last =
        "POST /echo HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: 4\r\n\r\na\n\nb";
    for cut in 0..last.len() {
        let mut stream = server.connect().await;
        let (head, tail) = last.split_at(cut);
        stream
            .write_all(format!("{one}{head}").as_bytes())
            .await
            .unwrap();
        tokio::task::yield_now().await;
        stream.write_all(tail.as_bytes()).await.unwrap();
        let answer = rest(&mut stream).await;
        assert_eq!(answer.matches("HTTP/1.1 200").count(), 2, "{cut}: {answer}");
    }
}

#[tokio::test]
async fn a_refused_head_waits_for_the_answers_before_it() {
    let server = start();
    let good = "GET /echo/good HTTP/1.1\r\nHost: a\r\n\r\n";
    let bad = "GET /echo/bad HTTP/1.1\nHost: a\r\n\r\n";
    let answer = server.raw(format!("{good}{good}{bad}").as_bytes()).await;
    let parts = answer.split("HTTP/1.1 ").skip(1);
    let order: Vec<_> = parts.map(|one| one.get(..3).unwrap()).collect();
    assert_eq!(order, ["200", "200", "400"], "{answer}");
}

#[tokio::test]
async fn who_waits_for_an_answer_after_sending_no_more_is_let_go_with_it() {
    let server = start();
    let began = Instant::now();
    for coding in [
        "Content-Length: 2\r\n\r\nab",
        "Transfer-Encoding: chunked\r\n\r\n2\r\nab\r\n0\r\n\r\n",
    ] {
        let calls = server.seen.calls.load(SeqCst);
        let mut stream = server.connect().await;
        let request = format!("POST /hold HTTP/1.1\r\nHost: a\r\n{coding}");
        stream.write_all(request.as_bytes()).await.unwrap();
        stream.shutdown().await.unwrap();
        until("the call runs", || server.seen.calls.load(SeqCst) > calls).await;
        server.seen.gate.add_permits(1);
        let answer = rest(&mut stream).await;
        assert_eq!(status(&answer), "200", "{coding}: {answer}");
    }
    // Far less than the time after which a peer counts as gone.
    assert!(
        began.elapsed() < Timeouts::default().gone,
        "{:?}",
        began.elapsed()
    );
}

#[tokio::test]
async fn a_head_behind_chunks_or_behind_another_protocols_word_is_looked_at_too() {
    let server = start();
    let bad = "GET /echo/bad HTTP/1.1\nHost: a\r\n\r\n";
    let chunked = "POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n\n\n\r\n0\r\n\r\n";
    let word = "PRI /-/ready HTTP/1.1\r\nHost: a\r\n\r\n";
    for first in [chunked, word] {
        let before = server.seen.calls.load(SeqCst);
        let answer = server.raw(format!("{first}{bad}").as_bytes()).await;
        assert_eq!(answer.matches("HTTP/1.1 400").count(), 1, "{answer}");
        assert!(!answer.contains("id=bad"), "{answer}");
        assert!(server.seen.calls.load(SeqCst) - before <= 1, "{answer}");
    }
}

#[tokio::test]
async fn who_sends_no_more_still_gets_the_answers() {
    let server = start();
    let post = "POST /echo HTTP/1.1\r\nHost: a\r\n";
    let sized = format!("{post}Content-Length: 2\r\n\r\nab");
    let chunked = format!("{post}Transfer-Encoding: chunked\r\n\r\n2\r\nab\r\n0\r\n\r\n");
    for request in [sized, chunked].iter().cycle().take(50) {
        let mut stream = server.connect().await;
        let request = request.repeat(3);
        stream.write_all(request.as_bytes()).await.unwrap();
        stream.shutdown().await.unwrap();
        let answer = rest(&mut stream).await;
        assert_eq!(answer.matches("HTTP/1.1 200").count(), 3, "{answer}");
    }
}

#[tokio::test]
async fn trailers_that_only_heads_may_have_are_refused() {
    let server = start();
    for (trailer, expected) in [
        ("X-Sum: 1", "200"),
        ("Content-Length: 5", "400"),
        ("Host: b", "400"),
    ] {
        let request = format!(
            "POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n2\r\nab\r\n0\r\n{trailer}\r\n\r\n"
        );
        let answer = server.raw(request.as_bytes()).await;
        assert_eq!(status(&answer), expected, "{trailer}: {answer}");
    }
}

#[tokio::test]
async fn pipelined_requests_are_answered_in_order() {
    let server = start();
    let many = (0..100).map(|n| format!("GET /echo/{n} HTTP/1.1\r\nHost: a\r\n\r\n"));
    let mut requests = many.collect::<Vec<_>>().concat();
    requests.push_str("GET /echo/last HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
    let answer = server.raw(requests.as_bytes()).await;
    let ids: Vec<_> = answer
        .split("id=")
        .skip(1)
        .map(|part| part.split(';').next().unwrap())
        .collect();
    let expected: Vec<_> = (0..100)
        .map(|n| n.to_string())
        .chain(["last".to_owned()])
        .collect();
    assert_eq!(ids, expected);
}

/// Sends bytes, then nothing, and returns what came and after how long the connection was closed.
async fn stall(server: &TestServer, bytes: &[u8]) -> (String, Duration) {
    let mut stream = server.connect().await;
    stream.write_all(bytes).await.unwrap();
    let since = Instant::now();
    let answer = rest(&mut stream).await;
    until("the connection is let go", || {
        server.shared.connections() == 0
    })
    .await;
    (answer, since.elapsed())
}

/// Checks that a peer was told that its head came too slowly.
fn is_late(answer: &str) {
    let whole = status(answer) == "408" && answer.ends_with("KL-H408 the head came too slowly");
    assert!(whole && answer.contains("connection: close"), "{answer}");
    assert_eq!(answer.matches("HTTP/1.1 ").count(), 1, "{answer}");
}

#[tokio::test]
async fn silent_and_slow_heads_are_cut() {
    let server = TestServer::start(hasty(|t| t.head = SOON), None);
    for (bytes, told) in [
        (&b""[..], false),
        (b"G", true),
        (b"P", true),
        (b"GET /echo HTTP/1.1\r\nHost", true),
        (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", false),
    ] {
        let (answer, after) = stall(&server, bytes).await;
        assert_eq!(answer.starts_with("HTTP"), told, "{answer}");
        if told {
            is_late(&answer);
        }
        assert!(after >= SOON / 2, "{after:?}");
    }
}

#[tokio::test]
async fn a_slow_head_is_cut_on_an_old_connection_too() {
    let server = TestServer::start(hasty(|t| t.head = SOON), None);
    let mut stream = server.connect().await;
    stream
        .write_all(b"GET /echo HTTP/1.1\r\nHost: a\r\n\r\n")
        .await
        .unwrap();
    let mut part = [0; 1024];
    assert!(stream.read(&mut part).await.unwrap() > 0);
    stream.write_all(b"GET /ec").await.unwrap();
    is_late(&rest(&mut stream).await);
}

#[tokio::test]
async fn an_idle_connection_is_closed() {
    let server = TestServer::start(hasty(|t| t.idle = SOON), None);
    let (answer, after) = stall(&server, b"GET /echo HTTP/1.1\r\nHost: a\r\n\r\n").await;
    assert_eq!(status(&answer), "200");
    assert!(after >= SOON, "{after:?}");
}

#[tokio::test]
async fn a_slow_body_gets_408() {
    let server = TestServer::start(hasty(|t| t.body = SOON), None);
    for head in [
        "Content-Length: 10\r\n\r\nabc",
        "Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n",
    ] {
        let request = format!("POST /echo HTTP/1.1\r\nHost: a\r\n{head}");
        let (answer, after) = stall(&server, request.as_bytes()).await;
        assert!(
            status(&answer) == "408" && answer.contains("KL-H408"),
            "{answer}"
        );
        assert!(after >= SOON, "{after:?}");
    }
    assert_eq!(server.seen.calls.load(SeqCst), 0);
}

#[tokio::test]
async fn an_answer_that_nobody_takes_is_given_up() {
    let server = TestServer::start(hasty(|t| t.send = SOON), None);
    let mut stream = server.connect().await;
    stream
        .write_all(b"GET /big HTTP/1.1\r\nHost: a\r\n\r\n")
        .await
        .unwrap();
    until("the call began", || server.seen.calls.load(SeqCst) == 1).await;
    until("the connection is let go", || {
        server.shared.connections() == 0
    })
    .await;
}

#[tokio::test]
async fn a_request_that_takes_long_is_not_cut() {
    let server = TestServer::start(
        hasty(|t| (t.head, t.idle, t.send) = (SOON, SOON, SOON)),
        None,
    );
    let held = beside(client().get(server.url("/hold")).send());
    until("the call began", || server.seen.calls.load(SeqCst) == 1).await;
    // Several silent connections come and go meanwhile: longer than any of the limits.
    for _ in 0..3 {
        let mut silent = server.connect().await;
        rest(&mut silent).await;
    }
    server.seen.gate.add_permits(1);
    assert_eq!(held.await.unwrap().unwrap().status(), 200);
}

#[tokio::test]
async fn a_caller_that_goes_away_cancels_its_call() {
    let server = start();
    let mut stream = server.connect().await;
    stream
        .write_all(b"GET /hold HTTP/1.1\r\nHost: a\r\n\r\n")
        .await
        .unwrap();
    until("the call began", || server.seen.calls.load(SeqCst) == 1).await;
    drop(stream);
    until("the call is dropped", || {
        server.seen.cancelled.load(SeqCst) == 1
    })
    .await;
    until("its place is free", || server.shared.in_flight() == 0).await;
}

#[tokio::test]
async fn http2_with_prior_knowledge_shares_one_connection() {
    let server = TestServer::start(HttpLimits::default(), None);
    let client = client_of(reqwest::ClientBuilder::http2_prior_knowledge);
    let asks = (0..50).map(|n| {
        let asked = client
            .post(server.url(&format!("/echo/{n}")))
            .body("x".repeat(n))
            .send();
        async move {
            let answer = asked.await.unwrap();
            assert_eq!(answer.version(), reqwest::Version::HTTP_2);
            assert_eq!(
                answer.text().await.unwrap(),
                format!("id={n};{}", "x".repeat(n))
            );
        }
    });
    // The first one alone opens the connection that the others share.
    client.get(server.url("/echo")).send().await.unwrap();
    futures_util::future::join_all(asks).await;
    let refused = client.delete(server.url("/echo")).send().await.unwrap();
    assert_eq!(refused.status(), 405);
    let head = client.head(server.url("/echo/abc")).send().await.unwrap();
    assert_eq!(head.headers()["content-length"], "7");
    assert_eq!(server.shared.connections(), 1);
}

#[tokio::test]
async fn an_idle_connection_of_http2_is_closed() {
    let server = TestServer::start(hasty(|t| t.idle = SOON), None);
    let client = client_of(reqwest::ClientBuilder::http2_prior_knowledge);
    let answer = client.get(server.url("/echo")).send().await.unwrap();
    assert_eq!(answer.version(), reqwest::Version::HTTP_2);
    until("the idle connection is closed", || {
        server.shared.connections() == 0
    })
    .await;
}

#[tokio::test]
async fn too_many_connections_are_refused_and_too_many_requests_told_to_wait() {
    let limits = HttpLimits {
        connections: 2,
        in_flight: 1,
        ..HttpLimits::default()
    };
    let server = TestServer::start(limits, None);
    let held = beside(client().get(server.url("/hold")).send());
    until("the call began", || server.seen.calls.load(SeqCst) == 1).await;
    let ask = b"GET /echo HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";
    let answer = server.raw(ask).await;
    assert!(
        status(&answer) == "503" && answer.contains("KL-H503"),
        "{answer}"
    );
    assert!(answer.contains("retry-after: 1"), "{answer}");
    until("it is closed", || server.shared.connections() == 1).await;
    let second = server.connect().await;
    until("both are open", || server.shared.connections() == 2).await;
    assert_eq!(status(&rest(&mut server.connect().await).await), "503");
    drop(second);
    until("one is left", || server.shared.connections() == 1).await;
    server.seen.gate.add_permits(1);
    assert_eq!(held.await.unwrap().unwrap().status(), 200);
}

/// Sends a request on a connection that comes from an address of this machine.
async fn from_address(server: &TestServer, address: &str) -> String {
    let socket = tokio::net::TcpSocket::new_v4().unwrap();
    socket
        .bind(format!("{address}:0").parse().unwrap())
        .unwrap();
    let mut stream = socket.connect(server.address).await.unwrap();
    let ask = b"GET /echo HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";
    stream.write_all(ask).await.unwrap();
    rest(&mut stream).await
}

#[tokio::test]
async fn one_address_cannot_take_the_connections_of_others() {
    let limits = HttpLimits {
        connections_per_address: 2,
        ..HttpLimits::default()
    };
    let server = TestServer::start(limits, None);
    let held = [server.connect().await, server.connect().await];
    until("both are open", || server.shared.connections() == 2).await;
    for _ in 0..100 {
        let answer = from_address(&server, "127.0.0.1").await;
        assert!(
            status(&answer) == "503" && answer.contains("retry-after: 1"),
            "{answer}"
        );
        assert!(
            answer.ends_with("KL-H503 too many connections at once"),
            "{answer}"
        );
    }
    assert_eq!(server.shared.refused(), 100);
    assert_eq!(status(&from_address(&server, "127.0.0.2").await), "200");
    drop(held);
    until("they are let go", || server.shared.connections() == 0).await;
    assert_eq!(status(&from_address(&server, "127.0.0.1").await), "200");
}

#[tokio::test]
async fn a_header_that_http_cannot_carry_is_a_fault_not_an_injection() {
    let server = start();
    let answer = client()
        .get(server.url("/bad-header"))
        .send()
        .await
        .unwrap();
    assert_eq!(answer.status(), 500);
    assert!(!answer.headers().contains_key("set-cookie"));
    assert!(answer.text().await.unwrap().starts_with("KL-S110"));
}

#[tokio::test]
async fn closing_finishes_what_runs_and_ends_the_rest() {
    let server = start();
    let mut idle = server.connect().await;
    idle.write_all(b"GET /echo HTTP/1.1\r\nHost: a\r\n\r\n")
        .await
        .unwrap();
    assert!(idle.read(&mut [0; 1024]).await.unwrap() > 0);
    let mut silent = server.connect().await;
    let multiplexed = client_of(reqwest::ClientBuilder::http2_prior_knowledge);
    let held: Vec<_> = (0..40)
        .map(|n| {
            let client = if n % 2 == 0 {
                client()
            } else {
                multiplexed.clone()
            };
            beside(client.get(server.url("/hold")).send())
        })
        .collect();
    until("all calls began", || server.seen.calls.load(SeqCst) == 41).await;
    server.shared.set_state(State::Draining);
    let last = client().get(server.url("/echo")).send().await.unwrap();
    assert_eq!(last.status(), 200, "draining serves on");
    assert_eq!(last.headers()["connection"], "close");
    server.shared.tasks.soft.cancel();
    assert_eq!(rest(&mut idle).await, "");
    let since = Instant::now();
    assert_eq!(rest(&mut silent).await, "");
    assert!(
        since.elapsed() < Duration::from_secs(5),
        "not the whole time for a head"
    );
    until("nobody is accepted any more", || {
        std::net::TcpStream::connect(server.address).is_err()
    })
    .await;
    server.seen.gate.add_permits(40);
    for answer in held {
        assert_eq!(answer.await.unwrap().unwrap().status(), 200);
    }
    server.joined().await;
}

#[tokio::test]
async fn under_load_no_request_fails_while_the_server_drains() {
    let server = start();
    let clients: Vec<_> = (0..20)
        .map(|n| {
            let client = match n % 2 {
                0 => client(),
                _ => client_of(reqwest::ClientBuilder::http2_prior_knowledge),
            };
            let (url, ready) = (server.url(&format!("/echo/{n}")), server.url("/-/ready"));
            beside(async move {
                let mut served = 0;
                // Like a load balancer: whoever is told to stop sends nothing more.
                while client.get(&ready).send().await.unwrap().status() == 200 {
                    let answer = client.post(&url).body("x").send().await.unwrap();
                    assert_eq!(answer.text().await.unwrap(), format!("id={n};x"));
                    served += 1;
                }
                served
            })
        })
        .collect();
    until("all are busy", || server.seen.calls.load(SeqCst) > 400).await;
    server.shared.set_state(State::Draining);
    let mut served = 0;
    for client in clients {
        served += client.await.unwrap();
    }
    assert_eq!(served, server.seen.calls.load(SeqCst));
    server.shared.tasks.soft.cancel();
    server.joined().await;
}

#[tokio::test]
async fn a_connection_that_was_just_opened_still_gets_its_first_answer_when_closing() {
    let server = start();
    let mut stream = server.connect().await;
    until("it is served", || server.shared.connections() == 1).await;
    server.shared.set_state(State::Draining);
    server.shared.tasks.soft.cancel();
    stream
        .write_all(b"GET /echo/x HTTP/1.1\r\nHost: a\r\n\r\n")
        .await
        .unwrap();
    let answer = rest(&mut stream).await;
    assert!(
        answer.contains("id=x;") && answer.contains("connection: close"),
        "{answer}"
    );
    server.joined().await;
}

#[tokio::test]
async fn after_the_grace_everything_is_dropped() {
    let server = start();
    let held = beside(client().get(server.url("/hold")).send());
    until("the call began", || server.seen.calls.load(SeqCst) == 1).await;
    server.shared.tasks.soft.cancel();
    server.shared.tasks.hard.cancel();
    assert!(held.await.unwrap().is_err());
    server.joined().await;
}

fn invocation(server: &TestServer, service: &str, input: &str) -> Invocation {
    let gateway = &server.shared.gateway;
    let ctx = Ctx {
        cid: Cid::fresh(),
        caller: Arc::new(Caller::default()),
        channel: None,
        job: None,
        request: Arc::new(Request::default()),
        deadline: Instant::now() + WAIT,
        depth: 0,
        limits: gateway.limits,
        ports: Arc::clone(&gateway.ports),
        services: gateway.registry.load(),
    };
    Invocation {
        ctx,
        service: ServiceName::new(service).unwrap(),
        input: Value::text(input),
    }
}

#[tokio::test]
async fn the_control_plane_calls_services_and_a_caller_that_stops_waiting_cancels() {
    let server = start();
    let answer = server
        .dispatch
        .invoke(invocation(&server, "svc", "hello"))
        .await
        .unwrap();
    assert_eq!(answer.value, Value::text("hello"));
    let missing = server
        .dispatch
        .invoke(invocation(&server, "svd", ""))
        .await
        .unwrap_err();
    assert_eq!(missing.code(), Code::UnknownService);
    let held = beside({
        let (dispatch, call) = (server.dispatch.clone(), invocation(&server, "hold", ""));
        async move { dispatch.invoke(call).await }
    });
    until("the call began", || server.seen.calls.load(SeqCst) == 2).await;
    held.abort();
    until("the call is dropped", || {
        server.seen.cancelled.load(SeqCst) == 1
    })
    .await;
}

mod tls {
    use super::*;
    use crate::net::ServerTls;

    struct Files(std::path::PathBuf);

    impl Drop for Files {
        fn drop(&mut self) {
            std::fs::remove_dir_all(&self.0).unwrap();
        }
    }

    impl Files {
        fn new() -> Self {
            let path = std::env::temp_dir().join(format!("kladka-http-{}", uuid::Uuid::new_v4()));
            std::fs::create_dir_all(&path).unwrap();
            Self(path)
        }

        /// Writes a new certificate and returns it.
        fn renew(&self) -> reqwest::Certificate {
            let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
            std::fs::write(self.0.join("cert.pem"), made.cert.pem()).unwrap();
            std::fs::write(self.0.join("key.pem"), made.signing_key.serialize_pem()).unwrap();
            reqwest::Certificate::from_pem(made.cert.pem().as_bytes()).unwrap()
        }

        fn load(&self) -> Arc<ServerTls> {
            let (certificate, key) = (self.0.join("cert.pem"), self.0.join("key.pem"));
            Arc::new(ServerTls::load(&certificate, &key).unwrap())
        }
    }

    async fn version(
        server: &TestServer,
        trusted: &reqwest::Certificate,
        old: bool,
    ) -> Option<reqwest::Version> {
        let client = client_of(|builder| {
            let builder = builder.tls_certs_only([trusted.clone()]);
            if old { builder.http1_only() } else { builder }
        });
        let url = format!("https://localhost:{}/echo", server.address.port());
        let answer = client.get(url).send().await.ok()?;
        assert_eq!(answer.status(), 200);
        Some(answer.version())
    }

    #[tokio::test]
    async fn the_client_chooses_the_version_and_a_renewed_certificate_is_served_at_once() {
        let files = Files::new();
        let first = files.renew();
        let tls = files.load();
        let server = TestServer::start(HttpLimits::default(), Some(Arc::clone(&tls)));
        assert_eq!(
            version(&server, &first, false).await,
            Some(reqwest::Version::HTTP_2)
        );
        assert_eq!(
            version(&server, &first, true).await,
            Some(reqwest::Version::HTTP_11)
        );
        let second = files.renew();
        assert_eq!(
            version(&server, &second, false).await,
            None,
            "not loaded yet"
        );
        assert_eq!(format!("{:?}", tls.reload()), "Renewed");
        assert_eq!(
            version(&server, &second, false).await,
            Some(reqwest::Version::HTTP_2)
        );
        assert_eq!(version(&server, &first, false).await, None);
    }

    #[tokio::test]
    async fn a_stalled_handshake_is_cut() {
        let files = Files::new();
        files.renew();
        let server = TestServer::start(hasty(|t| t.head = SOON), Some(files.load()));
        for bytes in [&b""[..], b"\x16\x03\x01\x02\x00"] {
            let (answer, after) = stall(&server, bytes).await;
            assert!(!answer.starts_with("HTTP"), "{answer}");
            assert!(after >= SOON / 2, "{after:?}");
        }
    }
}
