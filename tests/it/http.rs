//! HTTP through the binary: TLS, both versions, routing, formats, and values that keep every digit.

use crate::support::{Does, Peer, Raw, Reply, TempDir, TestServer, eventually};

const SCRIPT: &str = r#"
local NAMESPACES = {
  m = "http://schemas.microsoft.com/ado/2007/08/dataservices/metadata",
  d = "http://schemas.microsoft.com/ado/2007/08/dataservices",
}
return {
  service { name = "echo", cpu = "long", handle = function(ctx)
    ctx.response.payload = ctx.request.input
  end },
  service { name = "merge", input = { "id:int", "q?", "tags:text[]?" }, output = { "id:int", "q?", "tags:text[]?" },
    handle = function(ctx) ctx.response.payload = ctx.request.input end },
  service { name = "params", handle = function(ctx)
    ctx.response.payload = { input = ctx.request.input, params = ctx.request.http.params }
  end },
  service { name = "literal", handle = function(ctx) ctx.response.payload = { literal = true } end },
  service { name = "exact", input = { "m:int", "n:int", "price:decimal" }, output = { "m:int", "n:int", "price:decimal" },
    handle = function(ctx)
      local input = ctx.request.input
      ctx.response.payload = { n = input.n, m = input.m, price = input.price }
    end },
  service { name = "chosen", handle = function(ctx)
    ctx.response.status = 202
    ctx.response.headers = { ["X-Chosen"] = "yes", Location = "/elsewhere" }
    ctx.response.content_type = "text/x-chosen; charset=utf-8"
    ctx.response.payload = "chosen text"
  end },
  service { name = "headers", handle = function(ctx)
    local case = ctx.request.input.case
    if case == "same" then
      ctx.response.headers["X-One"] = "first"
      ctx.response.headers["x-one"] = ctx.response.headers["X-ONE"] .. ", second"
    elseif case == "twice" then
      ctx.response.headers = { ["X-One"] = "first", ["x-one"] = "second" }
    else
      ctx.response.headers[case] = "7"
    end
    ctx.response.payload = {}
  end },
  service { name = "returns", handle = function(ctx) return { rate = "1.22" } end },
  service { name = "rows", input = { "rows:Row[]" }, models = { Row = { "day:date", "rate:decimal" } },
    output = { "day:date", "rate:decimal" },
    handle = function(ctx) ctx.response.payload = ctx.request.input.rows end },
  service { name = "upper", handle = function(ctx) ctx.response.payload = string.upper(ctx.request.raw) end },
  service { name = "feed", cpu = "long", handle = function(ctx)
    local feed = ctx.outgoing.http["peer"]:get { path = "/feed" }:xml()
    local rows, last = 0, nil
    for row in feed:each("//m:properties", NAMESPACES) do
      rows += 1
      last = row:text("d:RATE", NAMESPACES)
    end
    ctx.response.payload = {
      rows = rows,
      last = last,
      counted = feed:xpath("count(//m:properties)", NAMESPACES),
      some = feed:text("//m:properties[d:RATE='1.22'][1]/d:RATE/text()", NAMESPACES),
    }
  end },
}
"#;

const CHANNELS: &str = "
  - { name: echo, service: echo, http: { path: /echo }, wrap: none, security: none }
  - { name: wrapped, service: echo, http: { path: /wrapped, methods: [GET, POST] }, wrap: answer, security: none }
  - { name: strict, service: echo, http: { path: /strict }, strict: true, security: none }
  - { name: strict.xml, service: echo, http: { path: /strict.xml }, format: xml, strict: true, security: none }
  - { name: params, service: params, http: { path: '/owned/{id}' }, wrap: none, security: none }
  - { name: merge, service: merge, http: { path: '/items/{id}' }, wrap: none, security: none }
  - { name: literal, service: literal, http: { path: /items/new }, wrap: none, security: none }
  - { name: exact, service: exact, http: { path: /exact }, wrap: none, security: none }
  - { name: exact.xml, service: exact, http: { path: /exact.xml }, format: xml, security: none }
  - { name: chosen, service: chosen, http: { path: /chosen }, security: none }
  - { name: headers, service: headers, http: { path: /headers }, wrap: none, security: none }
  - { name: returns, service: returns, http: { path: /returns }, security: none }
  - { name: form, service: echo, http: { path: /form }, format: form, security: none }
  - { name: csv, service: rows, http: { path: /csv }, format: csv, security: none }
  - { name: raw, service: upper, http: { path: /raw }, format: raw, security: none }
  - { name: feed, service: feed, http: { path: /feed }, wrap: none, security: none }
";

fn project(peer: &str) -> TestServer {
    let project = TestServer::project("blank");
    let objects = format!(
        "version: 1\noutgoing:\n  http:\n    - {{ name: peer, url: {peer} }}\nchannels:{CHANNELS}"
    );
    project.write("config/objects.yaml", objects);
    project.write("scripts/http.lua", SCRIPT);
    project
}

fn server() -> TestServer {
    project("http://127.0.0.1:1").start()
}

fn post(server: &TestServer, path: &str, kind: &str, body: &str) -> Reply {
    server
        .curl(path)
        .header(&format!("Content-Type: {kind}"))
        .data(body)
        .send()
}

/// Writes a new certificate for this machine and its key.
fn write_certificate(dir: &TempDir) {
    let names = vec!["localhost".to_owned(), "127.0.0.1".to_owned()];
    let made = rcgen::generate_simple_self_signed(names).unwrap();
    std::fs::write(dir.path().join("key.pem"), made.signing_key.serialize_pem()).unwrap();
    std::fs::write(dir.path().join("cert.pem"), made.cert.pem()).unwrap();
}

#[test]
fn a_query_does_not_replace_a_part_of_the_path() {
    let server = server();
    let reply = server.curl("/owned/1?id=2&other=3").send();
    assert_eq!(
        reply.body,
        r#"{"input":{"id":"1","other":"3"},"params":{"id":"1","other":"3"}}"#
    );
}

#[test]
fn tls_speaks_both_versions_and_takes_a_renewed_certificate() {
    let dir = TempDir::new();
    write_certificate(&dir);
    let path = |name: &str| dir.path().join(name).to_string_lossy().into_owned();
    let server = project("http://127.0.0.1:1")
        .with("KLADKA_TLS_CERTIFICATE", &path("cert.pem"))
        .with("KLADKA_TLS_KEY", &path("key.pem"))
        .start();
    assert!(
        server.endpoint("services").starts_with("https://"),
        "{}",
        server.endpoint("services")
    );
    let trusting = |arguments: &[&str]| {
        let call = server
            .curl("/echo")
            .args(&["--cacert", &path("trusted.pem")]);
        call.args(arguments).data("{\"a\":1}").try_send()
    };
    std::fs::copy(path("cert.pem"), path("trusted.pem")).unwrap();
    for (arguments, version) in [
        (&["--http1.1"], "HTTP/1.1 200"),
        (&["--http2"], "HTTP/2 200"),
    ] {
        let reply = trusting(arguments).unwrap();
        assert!(reply.head.starts_with(version), "{}", reply.head);
        assert_eq!(reply.json()["a"], 1);
    }
    // TLS before 1.2 is refused.
    assert!(trusting(&["--tls-max", "1.1"]).is_err());

    write_certificate(&dir);
    std::fs::copy(path("cert.pem"), path("trusted.pem")).unwrap();
    eventually("the renewed certificate is shown", || trusting(&[]).ok());
    // A broken one is not taken; the last good one stays.
    std::fs::write(path("cert.pem"), "nonsense").unwrap();
    server.log().wait("Certificate not reloaded.");
    assert_eq!(trusting(&[]).unwrap().status, 200);
    let ready = server.admin("/readyz?verbose").send();
    assert_eq!(ready.status, 200);
    assert!(
        ready
            .body
            .contains("[degraded] certificate\nerror[KL-N005]"),
        "{}",
        ready.body
    );
    let (status, doctor) = (server.kladka(&["status"]), server.kladka(&["doctor"]));
    assert!(
        status.out.contains("degraded   certificate: "),
        "{}",
        status.out
    );
    assert!(
        doctor.out.contains("holds no certificate"),
        "{}",
        doctor.out
    );
    // The next look at the files says nothing new; the one after that finds them mended.
    write_certificate(&dir);
    std::fs::copy(path("cert.pem"), path("trusted.pem")).unwrap();
    eventually("the renewed certificate is shown", || trusting(&[]).ok());
    let ready = server.admin("/readyz?verbose").send().body;
    assert!(ready.contains("[ok] certificate"), "{ready}");
}

#[test]
fn http2_without_tls_and_many_requests_on_one_connection() {
    let server = server();
    let reply = server
        .curl("/echo")
        .args(&["--http2-prior-knowledge"])
        .data("{\"a\":1}")
        .send();
    assert!(reply.head.starts_with("HTTP/2 200"), "{}", reply.head);
    assert_eq!(reply.json()["a"], 1);
    assert!(reply.header("x-correlation-id").is_some());
    let reply = server
        .curl("/nothing")
        .args(&["--http2-prior-knowledge"])
        .send();
    assert_eq!(
        (reply.status, reply.json()["code"].as_str()),
        (404, Some("KL-H404"))
    );

    let mut raw = Raw::connect(&server);
    let request = |number: u32| {
        let body = format!("{{\"number\":{number}}}");
        format!(
            "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        )
    };
    for number in 0..10 {
        let reply = raw.send(request(number)).reply().unwrap();
        assert_eq!(reply.json()["number"], number);
    }
    // All at once: answered in order.
    raw.send((0..100).map(request).collect::<String>());
    for number in 0..100 {
        assert_eq!(raw.reply().unwrap().json()["number"], number);
    }
    let reply = raw
        .send("GET /items/new HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        .reply();
    assert_eq!(reply.unwrap().status, 200);
    assert!(raw.is_closed());
}

#[test]
fn a_literal_goes_before_a_parameter_and_path_and_query_are_input() {
    let server = server();
    let get = |path: &str| server.curl(path).send();
    assert_eq!(get("/items/new").json()["literal"], true);
    assert_eq!(
        get("/items/7?q=x%20y&tags=a&tags=b").body,
        r#"{"id":7,"q":"x y","tags":["a","b"]}"#
    );
    // The path goes before the query, the body before both.
    assert_eq!(get("/items/7?id=8").json()["id"], 7);
    assert_eq!(
        post(
            &server,
            "/items/7?q=query",
            "application/json",
            r#"{"q":"body"}"#
        )
        .json()["q"],
        "body"
    );
    let reply = get("/items/seven");
    assert_eq!(
        (reply.status, &reply.json()["errors"][0]["pointer"]),
        (400, &"/id".into())
    );
    assert_eq!(get("/items/7/8").status, 404);
    assert_eq!(get("/items/a%2Fb").json()["errors"][0]["pointer"], "/id");
    for path in ["/items/..%2F7", "/items/a%2f%2e%2e%2fb", "/items/a%2F."] {
        assert_eq!(get(path).json()["code"], "KL-H400", "{path}");
    }
}

#[test]
fn head_and_options_answer_without_a_body() {
    let server = server();
    let reply = server.curl("/items/7").args(&["--head"]).send();
    assert_eq!(
        (reply.status, reply.header("content-length"), &*reply.body),
        (200, Some("8"), "")
    );
    let reply = server.curl("/wrapped").args(&["-X", "OPTIONS"]).send();
    assert_eq!(
        (reply.status, reply.header("allow")),
        (204, Some("GET, HEAD, OPTIONS, POST")),
        "{}",
        reply.head
    );
    let reply = server.curl("/wrapped").args(&["-X", "DELETE"]).send();
    assert_eq!(
        (reply.status, reply.header("allow")),
        (405, Some("GET, HEAD, OPTIONS, POST")),
        "{}",
        reply.head
    );
}

#[test]
fn each_format_goes_there_and_back() {
    let server = server();
    let form = "application/x-www-form-urlencoded";
    let reply = post(&server, "/form", form, "a=1+2&b=%C5%BC&b=2");
    assert_eq!(
        (reply.status, &*reply.body),
        (200, r#"{"a":"1 2","b":["ż","2"]}"#),
        "{}",
        reply.head
    );
    assert_eq!(reply.header("content-type"), Some("application/json"));

    let table = "day,rate\r\n2013-09-03,1.10\r\n2013-09-04,1.20\r\n";
    let reply = post(&server, "/csv", "text/csv", table);
    assert_eq!((reply.status, &*reply.body), (200, table));
    assert_eq!(
        reply.header("content-type"),
        Some("text/csv; charset=utf-8")
    );

    let reply = post(&server, "/raw", "text/plain", "any text");
    assert_eq!((reply.status, &*reply.body), (200, "ANY TEXT"));

    assert_eq!(
        post(&server, "/echo", form, r#"{"a":1}"#).body,
        r#"{"a":1}"#
    );
    assert_eq!(
        post(&server, "/wrapped", form, r#"{"a":1}"#).body,
        r#"{"answer":{"a":1}}"#
    );

    for (path, kind, status) in [
        ("/strict", "application/json", 200),
        ("/strict", "application/json; charset=utf-8", 200),
        ("/strict", form, 415),
        ("/strict", "application/json; charset=utf-16", 415),
        ("/strict.xml", form, 415),
    ] {
        let reply = post(&server, path, kind, r#"{"a":1}"#);
        assert_eq!(reply.status, status, "{path} {kind}: {}", reply.body);
    }
    let reply = post(&server, "/strict.xml", form, "<a/>");
    assert!(
        reply
            .header("content-type")
            .unwrap()
            .starts_with("application/problem+xml"),
        "{}",
        reply.head
    );

    let reply = server.curl("/chosen").send();
    assert_eq!((reply.status, &*reply.body), (202, "chosen text"));
    assert_eq!(
        reply.header("content-type"),
        Some("text/x-chosen; charset=utf-8")
    );
    assert_eq!(
        (reply.header("x-chosen"), reply.header("location")),
        (Some("yes"), Some("/elsewhere"))
    );
}

#[test]
fn the_case_of_a_header_never_makes_two_and_those_of_the_server_are_its_own() {
    let server = server();
    let ask = |case: &str| server.curl(&format!("/headers?case={case}")).send();
    let reply = ask("same");
    assert_eq!(
        reply.header("x-one"),
        Some("first, second"),
        "{}",
        reply.head
    );
    assert_eq!(reply.head.to_lowercase().matches("x-one:").count(), 1);
    for case in [
        "twice",
        "Content-Type",
        "content-type",
        "Content-Length",
        "content-length",
        "Transfer-Encoding",
        "CONNECTION",
        "Keep-Alive",
        "Upgrade",
        "Trailer",
        "TE",
        "X-Correlation-Id",
    ] {
        let reply = ask(case);
        assert_eq!(reply.status, 500, "{case}: {}", reply.head);
        assert_eq!(reply.json()["code"], "KL-S110", "{case}");
        let head = reply.head.to_lowercase();
        for name in ["content-type:", "content-length:", "x-correlation-id:"] {
            assert_eq!(head.matches(name).count(), 1, "{case}: {head}");
        }
    }
}

#[test]
fn a_service_that_returns_its_answer_is_told_where_it_belongs() {
    let server = server();
    let reply = server.curl("/returns").send();
    assert_eq!(
        (reply.status, &reply.json()["code"]),
        (500, &"KL-S110".into())
    );
    server
        .log()
        .wait("= help: Set `ctx.response.payload` to answer");
    let invoked = server.kladka(&["service", "invoke", "returns", "--payload", "{}"]);
    assert!(
        invoked
            .err
            .contains("`handle` returned a table, which nobody gets"),
        "{}",
        invoked.err
    );
    assert!(invoked.err.contains("scripts/http.lua:"), "{}", invoked.err);
}

#[test]
fn no_digit_is_lost() {
    let server = server();
    let body = r#"{"m":-9223372036854775808,"n":9007199254740993,"price":"1.10"}"#;
    for path in ["/echo", "/exact"] {
        assert_eq!(
            post(&server, path, "application/json", body).body,
            body,
            "{path}"
        );
    }
    let most = r#"{"i":9223372036854775807,"u":18446744073709551615}"#;
    assert_eq!(post(&server, "/echo", "application/json", most).body, most);
    for price in ["1.25", "1.00000000000000000001", "0.1234567890123456789"] {
        let body = format!("{{\"m\":2,\"n\":1,\"price\":{price}}}");
        let reply = post(&server, "/exact", "application/json", &body);
        assert_eq!(reply.json()["price"], price, "{}", reply.body);
    }
    let xml = "<r><n>9007199254740993</n><m>-9007199254740993</m><price>1.10</price></r>";
    let reply = post(&server, "/exact.xml", "text/xml", xml);
    let answer =
        "<response><m>-9007199254740993</m><n>9007199254740993</n><price>1.10</price></response>";
    assert!(reply.body.ends_with(answer), "{}", reply.body);
    // What does not fit is refused, never rounded.
    for (path, body) in [
        ("/exact", r#"{"n":18446744073709551616,"m":1,"price":"1"}"#),
        ("/exact", r#"{"n":1.5,"m":1,"price":"1"}"#),
        ("/echo", r#"{"n":1e400}"#),
    ] {
        assert_eq!(
            post(&server, path, "application/json", body).status,
            400,
            "{body}"
        );
    }
}

#[test]
fn a_null_in_a_list_comes_back_at_its_place() {
    let server = server();
    for body in [
        "[1,null]",
        "[null]",
        "[null,1]",
        r#"{"a":[1,null,3]}"#,
        r#"[[null,"x"],{"b":[]},null]"#,
    ] {
        let reply = post(&server, "/echo", "application/json", body);
        assert_eq!((reply.status, &*reply.body), (200, body));
    }
    let declared = post(
        &server,
        "/items/1",
        "application/json",
        r#"{"tags":["a",null]}"#,
    );
    assert_eq!(declared.status, 400, "{}", declared.body);
    assert_eq!(declared.json()["errors"][0]["pointer"], "/tags/1");
}

#[test]
fn a_megabyte_of_json_comes_back_as_it_went() {
    let server = server();
    let rows: Vec<_> = (0..20_000)
        .map(|number| serde_json::json!({"number": number, "text": format!("row {number} żółw"), "half": 0.5}))
        .collect();
    let body = serde_json::json!({ "rows": rows }).to_string();
    assert!(body.len() > 1_000_000);
    let mut raw = Raw::connect(&server);
    raw.send(format!(
        "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: {}\r\n\r\n",
        body.len()
    ));
    let reply = raw.send(&body).reply().unwrap();
    assert_eq!(reply.status, 200, "{}", reply.body);
    let sent: serde_json::Value = serde_json::from_str(&body).unwrap();
    assert!(
        reply.json() == sent,
        "{}",
        reply.body.get(..200).unwrap_or_default()
    );
}

#[test]
fn a_large_feed_is_fetched_and_queried() {
    let recording =
        std::fs::read_to_string("tests/fixtures/treasury/real-long-term-2013-09.xml").unwrap();
    let (head, rest) = recording.split_once("<entry").unwrap();
    let (entries, tail) = rest.rsplit_once("</entry>").unwrap();
    let block = format!("<entry{entries}</entry>");
    let count = 800_000 / block.len() + 1;
    let feed = format!("{head}{}{tail}", block.repeat(count));
    assert!(feed.len() > 800_000);
    let rows = block.matches("<entry").count() * count;
    let last = block
        .rsplit("RATE")
        .nth(1)
        .unwrap()
        .split(['>', '<'])
        .nth(1)
        .unwrap()
        .to_owned();
    let peer =
        Peer::start(move |_| Does::Answer(200, "application/xml", feed.clone().into_bytes()));
    let server = project(&peer.url()).start();
    let reply = server
        .curl("/feed")
        .header("X-Correlation-ID: cid-of-the-feed")
        .send();
    assert_eq!(reply.status, 200, "{}", reply.body);
    let answer = serde_json::json!({"counted": rows, "last": last, "rows": rows, "some": "1.22"});
    assert_eq!(reply.json(), answer);
    assert_eq!(
        peer.seen()[0].header("x-correlation-id"),
        Some("cid-of-the-feed")
    );
}
