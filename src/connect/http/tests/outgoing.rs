//! Outgoing connections against real peers: good, slow, broken and hostile ones.

use std::cell::Cell;
use std::rc::Rc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use crate::base::{
    Caller, Cid, Clock, Code, Fault, Handle, Map, ObjectName, Place, ServiceName, SystemClock,
    Value,
};
use crate::connect::http::HttpOutgoing;
use crate::connect::http::outgoing::ping_outgoing;
use crate::contract::{
    AnyKind as _, Args, Call, Core, Ctx, Declaration, Env, Guard, HostCall, Kind as _, Limits,
    Live, Of, Request, Started,
};
use crate::security::tests::{Keys, guard_of, ports};
use crate::security::{ApiKey, Basic};
use crate::service::Registry;

/// A peer that answers each connection's requests with the given bytes, and keeps what it was sent.
struct Peer {
    address: std::net::SocketAddr,
    requests: Arc<Mutex<Vec<String>>>,
    connections: Arc<AtomicUsize>,
}

impl Peer {
    /// Answers the n-th request with what the function says; nothing means silence.
    async fn start(answer: fn(usize) -> Vec<u8>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let peer = Self {
            address: listener.local_addr().unwrap(),
            requests: Arc::default(),
            connections: Arc::default(),
        };
        let (requests, connections) = (Arc::clone(&peer.requests), Arc::clone(&peer.connections));
        tokio::task::spawn_local(async move {
            while let Ok((stream, _)) = listener.accept().await {
                connections.fetch_add(1, SeqCst);
                tokio::task::spawn_local(serve(stream, Arc::clone(&requests), answer));
            }
        });
        peer
    }

    fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    fn requests(&self) -> Vec<String> {
        self.requests.lock().unwrap().clone()
    }

    fn last(&self) -> String {
        self.requests().pop().unwrap()
    }
}

async fn serve(
    mut stream: TcpStream,
    requests: Arc<Mutex<Vec<String>>>,
    answer: fn(usize) -> Vec<u8>,
) {
    while let Some(request) = request(&mut stream).await {
        let number = {
            let mut requests = requests.lock().unwrap();
            requests.push(request);
            requests.len()
        };
        let bytes = answer(number);
        if bytes.is_empty() {
            return std::future::pending().await;
        }
        if stream.write_all(&bytes).await.is_err() || !bytes.starts_with(b"HTTP/1.1") {
            return;
        }
    }
}

/// Reads one request with the body its length announces.
async fn request(stream: &mut TcpStream) -> Option<String> {
    let mut bytes = Vec::new();
    loop {
        let text = String::from_utf8_lossy(&bytes).into_owned();
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let length = head
                .lines()
                .find_map(|line| line.strip_prefix("content-length: "));
            if body.len() >= length.map_or(0, |length| length.parse().unwrap()) {
                return Some(text);
            }
        }
        let mut part = [0; 4096];
        match stream.read(&mut part).await {
            Ok(0) | Err(_) => return None,
            Ok(length) => bytes.extend_from_slice(&part[..length]),
        }
    }
}

fn ok(body: &str) -> Vec<u8> {
    answer(200, "text/plain", body)
}

fn answer(status: u16, media_type: &str, body: &str) -> Vec<u8> {
    let length = body.len();
    format!("HTTP/1.1 {status} X\r\nContent-Type: {media_type}\r\nContent-Length: {length}\r\n\r\n{body}")
        .into_bytes()
}

#[expect(
    clippy::needless_pass_by_value,
    reason = "tests write the value in place"
)]
fn start(spec: serde_json::Value) -> Result<Handle, Fault> {
    let kind = Of::<HttpOutgoing>::NEW;
    let spec = kind
        .normal(&spec)
        .map_err(|faults| faults.0.into_iter().next().unwrap())?;
    let guards = |name: &str| -> Option<Arc<dyn Guard>> {
        match name {
            "basic" => Some(guard_of::<Basic>(
                serde_json::json!({"username": "u", "password": "p"}),
            )),
            "key" => Some(guard_of::<ApiKey>(
                serde_json::json!({"header": "X-Key", "key": "k1"}),
            )),
            "unset" => Some(guard_of::<ApiKey>(serde_json::json!({"header": "X-Key"}))),
            _ => None,
        }
    };
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let env = Env {
        guards: &guards,
        formats: &[],
        clock,
        project: std::path::Path::new("."),
    };
    match kind.start(&ObjectName::new("peer").unwrap(), &spec, &env)? {
        Live::Outgoing(handle) => Ok(handle),
        _ => panic!("not an outgoing connection"),
    }
}

fn call(core: &Rc<Core>, outgoing: u32) -> Rc<Call> {
    let declaration = Declaration {
        name: ServiceName::new("s").unwrap(),
        doc: String::new(),
        input: None,
        output: None,
        timeout: None,
        cpu: None,
        uses: None,
        place: Place::new("test", 0, 0),
        language: "native",
    };
    let ctx = Ctx {
        cid: Cid::accept("cid-7").unwrap(),
        caller: Arc::new(Caller::default()),
        channel: None,
        job: None,
        request: Arc::new(Request::default()),
        deadline: Instant::now() + Duration::from_secs(20),
        depth: 0,
        limits: Limits {
            outgoing,
            ..Limits::default()
        },
        ports: Arc::new(ports(chrono::Utc::now(), Keys::default())),
        services: Registry::default().load(),
    };
    Rc::new(Call {
        core: Rc::clone(core),
        ctx,
        service: Arc::new(declaration),
        log_used: Cell::new(0),
        outgoing_used: Cell::new(0),
        outgoing_turns: tokio::sync::Semaphore::new(6),
    })
}

/// Calls a host function as a script does.
async fn host(call: &Rc<Call>, path: &str, args: Vec<Value>) -> Result<Value, Fault> {
    let found = HttpOutgoing::OPS.iter().find(|op| op.path == path).unwrap();
    let args = Args::new(args);
    crate::script::host::admit(call, found, &args)?;
    match found.call {
        HostCall::Now(function) => function(call, args),
        HostCall::Wait(function) => function(Rc::clone(call), args).await,
        HostCall::Either(function) => match function(call, args) {
            Started::Done(result) => result,
            Started::Later(future) => future.await,
        },
    }
}

struct Script {
    call: Rc<Call>,
    handle: Handle,
}

impl Script {
    fn new(spec: serde_json::Value) -> Self {
        let handle = start(spec).unwrap_or_else(|fault| panic!("{fault}"));
        Self {
            call: call(&Rc::new(Core::new(0)), 50),
            handle,
        }
    }

    async fn send(&self, op: &str, request: serde_json::Value) -> Result<Value, Fault> {
        let args = vec![Value::Handle(self.handle.clone()), Value::from(&request)];
        host(&self.call, &format!("outgoing.http.{op}"), args).await
    }

    async fn get(&self, request: serde_json::Value) -> Result<Value, Fault> {
        self.send("get", request).await
    }

    async fn read(&self, response: &Value, what: &str) -> Result<Value, Fault> {
        host(
            &self.call,
            &format!("http.response.{what}"),
            vec![response.clone()],
        )
        .await
    }
}

use serde_json::json;

/// Runs a test on a core-like runtime.
fn on_core(test: impl Future<Output = ()>) {
    let mut builder = tokio::runtime::Builder::new_current_thread();
    builder
        .enable_all()
        .build_local(tokio::runtime::LocalOptions::default())
        .unwrap()
        .block_on(async {
            tokio::time::timeout(Duration::from_secs(30), test)
                .await
                .expect("the test ends");
        });
}

#[test]
#[expect(clippy::too_many_lines, reason = "one story")]
fn a_call_says_what_the_script_and_the_connection_said() {
    on_core(async {
        let peer =
            Peer::start(|_| answer(201, "application/json", r#"{"rate": 9007199254740993}"#)).await;
        let script = Script::new(json!({
            "url": format!("{}/base", peer.url()), "path": "/feed/{id}", "query": {"a": "1", "b": "2"},
            "headers": {"X-Own": "yes"}, "security": "basic"
        }));
        let request =
            json!({"params": {"id": "x/y"}, "query": {"b": [3, 4]}, "headers": {"Accept": "*/*"}});
        let response = script.get(request).await.unwrap();
        let sent = peer.last();
        assert!(
            sent.starts_with("GET /base/feed/x%2Fy?a=1&b=3&b=4 HTTP/1.1\r\n"),
            "{sent}"
        );
        for header in [
            "x-own: yes",
            "accept: */*",
            "authorization: Basic dTpw",
            "x-correlation-id: cid-7",
        ] {
            assert!(
                sent.contains(&format!("\r\n{header}\r\n")),
                "{header}: {sent}"
            );
        }
        assert_eq!(
            script.read(&response, "status").await.unwrap(),
            Value::Int(201)
        );
        let headers = script.read(&response, "headers").await.unwrap();
        assert_eq!(
            headers
                .as_map()
                .unwrap()
                .get("content-type")
                .unwrap()
                .as_str(),
            Some("application/json")
        );
        let json = script.read(&response, "json").await.unwrap();
        assert_eq!(
            json.as_map().unwrap().get("rate"),
            Some(&Value::Int(9_007_199_254_740_993))
        );
        script
            .send("post", json!({"path": "/x", "body": {"a": [1, "b"]}}))
            .await
            .unwrap();
        let sent = peer.last();
        assert!(
            sent.starts_with("POST /base/x?a=1&b=2 HTTP/1.1\r\n"),
            "{sent}"
        );
        assert!(
            sent.contains("content-type: application/json\r\n")
                && sent.ends_with(r#"{"a":[1,"b"]}"#),
            "{sent}"
        );
        script
            .send(
                "send",
                json!({"method": "DELETE", "path": "/x", "body": "text"}),
            )
            .await
            .unwrap();
        assert!(peer.last().starts_with("DELETE /base/x") && peer.last().ends_with("\r\n\r\ntext"));
        assert_eq!(peer.connections.load(SeqCst), 1, "the connection is kept");
    });
}

#[test]
fn an_api_key_is_sent_and_one_that_is_not_set_stops_the_call() {
    on_core(async {
        let peer = Peer::start(|_| ok("")).await;
        let script = Script::new(json!({"url": peer.url(), "security": "key"}));
        script.get(json!({})).await.unwrap();
        assert!(peer.last().contains("\r\nx-key: k1\r\n"));
        let own = script
            .get(json!({"headers": {"X-Key": "other"}}))
            .await
            .unwrap_err();
        assert_eq!(own.code(), Code::OutgoingArgument);
        let script = Script::new(json!({"url": peer.url(), "security": "unset"}));
        assert_eq!(
            script.get(json!({})).await.unwrap_err().code(),
            Code::GuardUnavailable
        );
        assert_eq!(peer.requests().len(), 1);
        let gone = start(json!({"url": peer.url(), "security": "gone"})).unwrap_err();
        assert_eq!(gone.code(), Code::ConfigReference);
    });
}

#[test]
fn a_script_may_prove_itself_only_where_the_connection_has_no_security() {
    on_core(async {
        let peer = Peer::start(|_| ok("")).await;
        let own = json!({"headers": {"Authorization": "Bearer t"}});
        let script = Script::new(json!({"url": peer.url()}));
        script.get(own.clone()).await.unwrap();
        assert!(peer.last().contains("\r\nauthorization: Bearer t\r\n"));
        let script = Script::new(json!({"url": peer.url(), "security": "basic"}));
        let refused = script.get(own).await.unwrap_err();
        assert_eq!(
            refused.message(),
            "header 'Authorization' is set by the connection"
        );
        assert_eq!(peer.requests().len(), 1);
    });
}

#[test]
fn what_a_script_must_not_say_is_never_sent() {
    on_core(async {
        let peer = Peer::start(|_| ok("")).await;
        let script = Script::new(json!({"url": peer.url()}));
        for request in [
            json!({"path": "http://169.254.169.254/"}),
            json!({"path": "//evil/"}),
            json!({"path": "/../x"}),
            json!({"path": "/x\r\nHost: evil"}),
            json!({"path": 7}),
            json!({"url": "http://evil"}),
            json!({"headers": {"Host": "evil"}}),
            json!({"headers": {"Content-Length": "0"}}),
            json!({"headers": {"X": "a\r\nY: b"}}),
            json!({"headers": {"X\r\nY": "b"}}),
            json!({"query": {"a": {"b": 1}}}),
            json!({"body": "a", "json": {}}),
            json!({"timeout": 0}),
            json!({"timeout": "soon"}),
            json!({"method": "GET"}),
        ] {
            let fault = script.get(request.clone()).await.expect_err("refused");
            assert_eq!(fault.code(), Code::OutgoingArgument, "{request}");
        }
        for method in ["CONNECT", "get", "GET /x", ""] {
            let fault = script
                .send("send", json!({"method": method}))
                .await
                .unwrap_err();
            assert_eq!(fault.code(), Code::OutgoingArgument, "{method}");
        }
        assert!(peer.requests().is_empty());
        let misspelt = script.get(json!({"qeury": {}})).await.unwrap_err();
        assert_eq!(misspelt.hint_text(), Some("Did you mean `query`?"));
    });
}

#[test]
fn a_redirect_is_an_answer_and_is_not_followed() {
    on_core(async {
        let peer = Peer::start(|_| {
            b"HTTP/1.1 302 Found\r\nLocation: http://169.254.169.254/\r\nContent-Length: 0\r\n\r\n"
                .to_vec()
        })
        .await;
        let script = Script::new(json!({"url": peer.url()}));
        let response = script.get(json!({})).await.unwrap();
        assert_eq!(
            script.read(&response, "status").await.unwrap(),
            Value::Int(302)
        );
        assert_eq!(peer.requests().len(), 1);
    });
}

#[test]
fn link_local_addresses_are_refused_however_they_are_written() {
    for url in [
        "http://169.254.169.254/",
        "http://2852039166/",
        "http://0xa9fea9fe/",
        "http://0251.0376.0251.0376/",
        "http://[::ffff:169.254.169.254]/",
        "http://[fe80::1]/",
        "file:///etc/passwd",
        "gopher://h/",
        "unix:/run/x",
        "http://user:pass@h/",
        "http://h/?x=1",
    ] {
        assert_eq!(
            start(json!({"url": url})).unwrap_err().code(),
            Code::ConfigConstraint,
            "{url}"
        );
    }
}

#[test]
fn only_idempotent_calls_are_tried_again_and_only_when_it_may_help() {
    on_core(async {
        let retry = json!({"attempts": 3, "backoff": "1ms..2ms"});
        let flaky = |number: usize| {
            if number < 3 {
                answer(503, "text/plain", "")
            } else {
                ok("done")
            }
        };
        let peer = Peer::start(flaky).await;
        let script = Script::new(json!({"url": peer.url(), "retry": retry}));
        let response = script.get(json!({})).await.unwrap();
        assert_eq!(
            script.read(&response, "text").await.unwrap(),
            Value::text("done")
        );
        assert_eq!(peer.requests().len(), 3);
        let peer = Peer::start(flaky).await;
        let script = Script::new(json!({"url": peer.url(), "retry": retry}));
        let response = script.send("post", json!({})).await.unwrap();
        assert_eq!(
            script.read(&response, "status").await.unwrap(),
            Value::Int(503)
        );
        assert_eq!(peer.requests().len(), 1, "a POST may have done its work");
        let peer = Peer::start(|_| answer(500, "text/plain", "")).await;
        let script = Script::new(json!({"url": peer.url(), "retry": retry}));
        script.get(json!({})).await.unwrap();
        assert_eq!(peer.requests().len(), 1, "500 is not in the list");
    });
}

#[test]
fn a_peer_that_is_gone_slow_or_hostile_is_a_clear_fault_in_time() {
    on_core(async {
        let gone = TcpListener::bind("127.0.0.1:0")
            .await
            .unwrap()
            .local_addr()
            .unwrap();
        let script = Script::new(json!({"url": format!("http://{gone}")}));
        let fault = script.get(json!({})).await.unwrap_err();
        assert_eq!(
            (fault.code(), fault.message()),
            (
                Code::OutgoingFailed,
                "no connection to 'peer': it is refused"
            )
        );
        assert!(
            fault
                .hint_text()
                .unwrap()
                .contains("kladka outgoing ping peer")
        );
        let silent = Peer::start(|_| Vec::new()).await;
        let script = Script::new(json!({"url": silent.url(), "timeout": {"total": "100ms"}}));
        let fault = script.get(json!({})).await.unwrap_err();
        assert_eq!(fault.code(), Code::OutgoingTimeout);
        let script = Script::new(json!({"url": silent.url()}));
        let fault = script.get(json!({"timeout": 0.1})).await.unwrap_err();
        assert_eq!(fault.message(), "'peer' did not answer within 100ms");
        let stalls =
            Peer::start(|_| b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nabc".to_vec()).await;
        let script = Script::new(json!({"url": stalls.url(), "timeout": {"total": "100ms"}}));
        assert_eq!(
            script.get(json!({})).await.unwrap_err().code(),
            Code::OutgoingTimeout
        );
        let no_http = Peer::start(|_| b"SSH-2.0-OpenSSH\r\n".to_vec()).await;
        let script = Script::new(json!({"url": no_http.url()}));
        assert_eq!(
            script.get(json!({})).await.unwrap_err().code(),
            Code::OutgoingFailed
        );
        let endless = Peer::start(|_| {
            [b"HTTP/1.1 200 OK\r\n".to_vec(), b"a: b\r\n".repeat(200_000)].concat()
        })
        .await;
        let script = Script::new(json!({"url": endless.url()}));
        assert_eq!(
            script.get(json!({})).await.unwrap_err().code(),
            Code::OutgoingFailed
        );
    });
}

#[test]
fn an_answer_beyond_the_limit_is_given_up() {
    on_core(async {
        let announced =
            Peer::start(|_| b"HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\n\r\n".to_vec())
                .await;
        let chunked = Peer::start(|_| {
            let head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n".to_vec();
            [
                head,
                b"400\r\n".to_vec(),
                vec![b'x'; 1024],
                b"\r\n400\r\n".to_vec(),
                vec![b'x'; 1024],
                b"\r\n".to_vec(),
            ]
            .concat()
        })
        .await;
        let bomb = Peer::start(|_| {
            use std::io::Write as _;
            let mut zipped = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
            zipped.write_all(&vec![0; 1 << 20]).unwrap();
            let zipped = zipped.finish().unwrap();
            let head = format!(
                "HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: {}\r\n\r\n",
                zipped.len()
            );
            [head.into_bytes(), zipped].concat()
        })
        .await;
        for (peer, limit) in [(announced, "16MiB"), (chunked, "1KiB"), (bomb, "64KiB")] {
            let script = Script::new(json!({"url": peer.url(), "response_limit": limit}));
            assert_eq!(
                script.get(json!({})).await.unwrap_err().code(),
                Code::OutgoingTooLarge,
                "{limit}"
            );
        }
    });
}

#[test]
fn an_edited_address_is_called_at_once_and_old_clients_are_let_go() {
    on_core(async {
        let (first, second) = (
            Peer::start(|_| ok("1")).await,
            Peer::start(|_| ok("2")).await,
        );
        let mut script = Script::new(json!({"url": first.url()}));
        for (peer, expected) in [(&first, "1"), (&second, "2"), (&first, "1")] {
            // What the runtime does on an edit: the name leads to a new handle, the old one is dropped.
            script.handle = start(json!({"url": peer.url()})).unwrap();
            let response = script.get(json!({})).await.unwrap();
            assert_eq!(
                script.read(&response, "text").await.unwrap(),
                Value::text(expected)
            );
        }
        let clients = script
            .call
            .core
            .local::<crate::connect::http::client::Clients>();
        assert!(clients.len() <= 2, "{}", clients.len());
        script.handle = start(json!({"url": "http://127.0.0.1:1"})).unwrap();
        assert_eq!(
            script.get(json!({})).await.unwrap_err().code(),
            Code::OutgoingFailed,
            "also while it is down"
        );
    });
}

#[test]
fn one_invocation_makes_so_many_calls_and_no_more() {
    on_core(async {
        let peer = Peer::start(|_| ok("")).await;
        let mut script = Script::new(json!({"url": peer.url()}));
        script.call = call(&Rc::new(Core::new(0)), 2);
        assert!(script.get(json!({})).await.is_ok());
        assert!(script.get(json!({})).await.is_ok());
        assert_eq!(
            script.get(json!({})).await.unwrap_err().code(),
            Code::TooManyCalls
        );
        assert_eq!(peer.requests().len(), 2);
    });
}

#[test]
fn a_ping_dials_and_tells_the_status() {
    on_core(async {
        let peer = Peer::start(|_| answer(404, "text/plain", "")).await;
        let spec = json!({"url": peer.url(), "path": "/feed", "ping": {"path": "/health"}});
        let script = Script::new(spec);
        let pong = ping_outgoing(script.handle.clone(), Cid::fresh())
            .await
            .unwrap();
        let pong: Map = pong.as_map().unwrap().clone();
        assert_eq!(
            (pong.get("ok"), pong.get("status")),
            (Some(&Value::Bool(true)), Some(&Value::Int(404)))
        );
        assert!(peer.last().starts_with("GET /health HTTP/1.1"));
        assert!(
            host(
                &script.call,
                "outgoing.http.ping",
                vec![Value::Handle(script.handle.clone())]
            )
            .await
            .is_ok()
        );
        let down = start(json!({"url": "http://127.0.0.1:1"})).unwrap();
        assert_eq!(
            ping_outgoing(down, Cid::fresh()).await.unwrap_err().code(),
            Code::OutgoingFailed
        );
    });
}

#[test]
fn a_certificate_is_checked_unless_the_connection_says_otherwise() {
    on_core(async {
        let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        let dir = std::env::temp_dir().join(format!("kladka-out-{}", uuid::Uuid::new_v4()));
        std::fs::create_dir_all(&dir).unwrap();
        let (cert, key) = (dir.join("cert.pem"), dir.join("key.pem"));
        std::fs::write(&cert, made.cert.pem()).unwrap();
        std::fs::write(&key, made.signing_key.serialize_pem()).unwrap();
        let tls = crate::net::ServerTls::load(&cert, &key).unwrap();
        let server = crate::connect::http::tests::support::TestServer::start(
            crate::connect::http::HttpLimits::default(),
            Some(Arc::new(tls)),
        );
        let url = format!("https://localhost:{}/echo", server.address.port());
        let fault = Script::new(json!({"url": url}))
            .get(json!({}))
            .await
            .unwrap_err();
        assert!(fault.message().contains("certificate"), "{fault:?}");
        for tls in [
            json!({"verify": false}),
            json!({"ca_file": cert.to_str().unwrap()}),
        ] {
            let script = Script::new(json!({"url": url, "tls": tls}));
            let response = script.get(json!({})).await.unwrap();
            assert_eq!(
                script.read(&response, "status").await.unwrap(),
                Value::Int(200)
            );
        }
        std::fs::remove_dir_all(dir).unwrap();
    });
}

#[test]
fn every_problem_of_a_spec_is_told_and_the_example_has_none() {
    let kind = Of::<HttpOutgoing>::NEW;
    let example = serde_json::from_str(HttpOutgoing::EXAMPLE).unwrap();
    let once = kind.normal(&example).unwrap();
    assert_eq!(kind.normal(&once).unwrap(), once);
    let faults = kind.normal(&json!({
        "url": "ftp://h", "path": "x", "ping": {"path": "//"}, "headers": {"a b": "c"},
        "retry": {"attempts": 0, "backoff": "5s", "when": [200]},
        "timeout": {"connect": "0s"}, "response_limit": "0B"
    }));
    assert_eq!(faults.unwrap_err().0.len(), 9);
}
