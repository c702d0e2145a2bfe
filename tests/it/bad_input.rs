//! Bad input through the binary: every channel answers it in its own format, with the correlation id and without secrets.
#![expect(
    clippy::panic,
    reason = "tests may be plain, and stop at the first surprise"
)]

use crate::support::{Raw, Reply, TestServer, eventually};

const CID: &str = "cid-of-this-test";
const SOAP11: &str = "http://schemas.xmlsoap.org/soap/envelope/";
const SOAP12: &str = "http://www.w3.org/2003/05/soap-envelope";
/// Words that would show the inside of the server.
const LEAKS: &[&str] = &[
    "traceback",
    "scripts/",
    ".lua",
    ".rs:",
    "panicked",
    "/tmp/",
    "/home/",
    "s3cr3t",
];

/// How a client speaks to channels of one format.
struct Wire {
    /// The format and the first segment of its paths.
    format: &'static str,
    /// The headers it sends.
    headers: &'static str,
    /// The media type of faults.
    faults: &'static str,
    /// A body that the service accepts.
    good: &'static str,
    /// Bodies that cannot be read, with the code of the answer.
    malformed: &'static [(&'static str, &'static str)],
    /// A body with two values of the wrong type.
    wrong: &'static str,
    /// Where the answer says they are.
    places: &'static [&'static str],
}

const WIRES: &[Wire] = &[
    Wire {
        format: "json",
        headers: "Content-Type: application/json\r\n",
        faults: "application/problem+json",
        good: r#"{"year":1,"day":"2013-09-03"}"#,
        malformed: &[
            (r#"{"year":"#, "KL-I100"),
            ("{\"year\":1}{}", "KL-I100"),
            ("{\"year\":NaN}", "KL-I100"),
            ("\u{feff}{}", "KL-I100"),
            (r#"{"year":1,"ye\u0061r":2}"#, "KL-I108"),
            (r#"{"year":1e400}"#, "KL-I100"),
            (r#"{"year":"\ud800"}"#, "KL-I100"),
        ],
        wrong: r#"{"year":"x","day":"2013-99-99"}"#,
        places: &[r#""pointer":"/year""#, r#""pointer":"/day""#],
    },
    Wire {
        format: "xml",
        headers: "Content-Type: application/xml\r\n",
        faults: "application/problem+xml",
        good: "<r><year>1</year><day>2013-09-03</day></r>",
        malformed: &[
            ("<r><year></r>", "KL-I100"),
            ("{\"year\":1}", "KL-I100"),
            ("<r a=\"1\" a=\"2\"/>", "KL-I100"),
            ("<r>&undefined;</r>", "KL-I100"),
            (LAUGHS, "KL-I106"),
            ("<!DOCTYPE r SYSTEM \"file:///etc/passwd\"><r/>", "KL-I106"),
        ],
        wrong: "<r><year>x</year><day>2013-99-99</day></r>",
        places: &["<pointer>/r/year</pointer>", "<pointer>/r/day</pointer>"],
    },
    Wire {
        format: "soap11",
        headers: "Content-Type: text/xml; charset=utf-8\r\nSOAPAction: \"do-it\"\r\n",
        faults: "text/xml",
        good: concat!(
            "<e:Envelope xmlns:e=\"http://schemas.xmlsoap.org/soap/envelope/\"><e:Body><doIt xmlns=\"urn:bad\">",
            "<year>1</year><day>2013-09-03</day></doIt></e:Body></e:Envelope>"
        ),
        malformed: &[
            ("<e:Envelope", "KL-I100"),
            ("<r/>", "KL-I110"),
            ("{}", "KL-I100"),
            (LAUGHS, "KL-I106"),
            (
                "<e:Envelope xmlns:e=\"http://schemas.xmlsoap.org/soap/envelope/\"/>",
                "KL-I110",
            ),
        ],
        wrong: concat!(
            "<e:Envelope xmlns:e=\"http://schemas.xmlsoap.org/soap/envelope/\"><e:Body><doIt xmlns=\"urn:bad\">",
            "<year>x</year><day>2013-99-99</day></doIt></e:Body></e:Envelope>"
        ),
        places: &["pointer=\"/doIt/year\"", "pointer=\"/doIt/day\""],
    },
    Wire {
        format: "soap12",
        headers: "Content-Type: application/soap+xml; charset=utf-8; action=\"do-it\"\r\n",
        faults: "application/soap+xml",
        good: concat!(
            "<e:Envelope xmlns:e=\"http://www.w3.org/2003/05/soap-envelope\"><e:Body><doIt xmlns=\"urn:bad\">",
            "<year>1</year><day>2013-09-03</day></doIt></e:Body></e:Envelope>"
        ),
        malformed: &[
            ("<e:Envelope", "KL-I100"),
            ("<r/>", "KL-I110"),
            (LAUGHS, "KL-I106"),
        ],
        wrong: concat!(
            "<e:Envelope xmlns:e=\"http://www.w3.org/2003/05/soap-envelope\"><e:Body><doIt xmlns=\"urn:bad\">",
            "<year>x</year><day>2013-99-99</day></doIt></e:Body></e:Envelope>"
        ),
        places: &["pointer=\"/doIt/year\"", "pointer=\"/doIt/day\""],
    },
    Wire {
        format: "form",
        headers: "Content-Type: application/x-www-form-urlencoded\r\n",
        faults: "application/problem+json",
        good: "year=1&day=2013-09-03",
        malformed: &[
            ("year=%ff", "KL-I100"),
            ("year=%zz", "KL-I100"),
            ("year=1&year=2&day=2013-09-03", "KL-I101"),
        ],
        wrong: "year=x&day=2013-99-99",
        places: &[r#""pointer":"/year""#, r#""pointer":"/day""#],
    },
    Wire {
        format: "csv",
        headers: "Content-Type: text/csv\r\n",
        faults: "application/problem+json",
        good: "year,day\n1,2013-09-03\n",
        malformed: &[
            ("year,day\n1\n", "KL-I100"),
            ("year,year\n1,2\n", "KL-I108"),
        ],
        wrong: "year,day\nx,2013-99-99\n",
        places: &[r#""pointer":"/rows/0/year""#, r#""pointer":"/rows/0/day""#],
    },
    Wire {
        format: "raw",
        headers: "Content-Type: text/plain\r\n",
        faults: "application/problem+json",
        good: "anything",
        malformed: &[],
        wrong: "",
        places: &[],
    },
];

const LAUGHS: &str = concat!(
    "<!DOCTYPE r [<!ENTITY a \"ha\"><!ENTITY b \"&a;&a;&a;&a;&a;&a;&a;&a;\"><!ENTITY c \"&b;&b;&b;&b;&b;&b;&b;&b;\">",
    "<!ENTITY d \"&c;&c;&c;&c;&c;&c;&c;&c;\">]><r>&d;&d;&d;&d;</r>"
);

const SIGNED: &str = concat!(
    "<e:Header><w:Security xmlns:w=\"http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-secext-1.0.xsd\">",
    "<d:Signature xmlns:d=\"http://www.w3.org/2000/09/xmldsig#\"/></w:Security></e:Header><e:Body>"
);

const SCRIPT: &str = r#"
local function typed(name, input, answer)
  return service { name = name, input = input, output = { "year:int?" },
    models = { Row = { "year:int", "day:date" } },
    handle = function(ctx) ctx.response.payload.year = answer end }
end
return {
  typed("bad.typed", { "year:int", "day:date" }, 1),
  typed("bad.rows", { "rows:Row[]" }, 2),
  service { name = "bad.raw", handle = function(ctx) ctx.response.payload = "taken" end },
  service { name = "bad.broken", handle = function(ctx)
    local s3cr3t = nil
    return s3cr3t.field
  end },
  service { name = "bad.ways", input = { "way:int" }, handle = function(ctx)
    local way = ctx.request.input.way
    if way == 1 then error("boom") end
    if way == 2 then error("boom", 2) end
    if way == 3 then local _, e = pcall(error, "boom") error(e) end
    if way == 4 then local _, e = pcall(function() error("boom") end) error(e) end
    if way == 5 then assert(false) end
    if way == 6 then error({ message = "boom" }) end
    if way == 7 then return undefined_function() end
    if way == 8 then ctx.kvdb:get({}) end
    if way == 9 then ctx:invoke("no.such.service") end
    if way == 10 then ctx.outgoing.http["no.such.peer"]:get() end
    if way == 11 then local function deep(n) return 1 + deep(n + 1) end deep(1) end
    if way == 12 then return string.rep("x", 1e12) end
    if way == 13 then return json.parse("{") end
    if way == 14 then ctx.response.payload.undeclared = function() end end
    if way == 15 then ctx.response.headers = { ["X\r\nY"] = "a" } end
    if way == 16 then ctx.response.status = 99 end
    if way == 17 then return require "no.such.module" end
    if way == 18 then ctx.kvbd:get("k") end
    if way == 19 then ctx:invoke("bad.typed", { year = "x" }) end
    if way == 20 then ctx.fail { status = 503, code = "NO-RATE", message = "come back later" } end
  end },
}
"#;

/// Where each format has a channel: the end of its path and its options.
const CHANNELS: &[(&str, &str, &str)] = &[
    ("typed", "", "security: none"),
    ("small", "body_limit: 1KiB", "security: none"),
    ("off", "enabled: false", "security: none"),
    ("basic", "", "security: bad.basic"),
    ("key", "", "security: bad.key"),
    ("unset", "", "security: bad.unset"),
    (
        "limited",
        "rate_limit: { limit: 1, per: 1h, by: channel }",
        "security: none",
    ),
    ("broken", "", "security: none"),
    ("ways", "", "security: none"),
];

fn objects() -> String {
    let mut text = "version: 1\nsecurity:\n  - { name: bad.basic, type: basic, username: u, password: s3cr3t, realm: bad }\n  \
        - { name: bad.key, type: api_key, header: X-Key, key: s3cr3t }\n  \
        - { name: bad.unset, type: api_key, header: X-Key, key: \"${env.BAD_UNSET_KEY}\" }\n  \
        - { name: bad.wss, type: wss, username: u, password: s3cr3t }\nchannels:\n"
        .to_owned();
    for wire in WIRES {
        let (name, soap) = match wire.format {
            "soap11" | "soap12" => (
                "soap",
                "\n    soap: { action: do-it, operation: doIt, namespace: \"urn:bad\" }",
            ),
            other => (other, ""),
        };
        let wss = wire
            .format
            .starts_with("soap")
            .then_some(("wss", "", "security: bad.wss"));
        for (end, option, security) in CHANNELS.iter().copied().chain(wss) {
            let service = match (end, name) {
                ("broken", _) => "bad.broken",
                ("ways", _) => "bad.ways",
                (_, "csv") => "bad.rows",
                (_, "raw") => "bad.raw",
                _ => "bad.typed",
            };
            let path = format!("/{}/{end}", wire.format);
            text.extend([format!(
                "  - name: {}.{end}\n    service: {service}\n    http: {{ path: {path}, methods: [POST] }}\n    format: {name}{soap}\n    {security}\n",
                wire.format
            )]);
            if !option.is_empty() {
                text.extend(["    ", option, "\n"]);
            }
        }
    }
    text
}

fn project() -> TestServer {
    let project = TestServer::project("blank");
    project.write("config/objects.yaml", objects());
    project.write("scripts/bad.lua", SCRIPT);
    project
}

fn server() -> TestServer {
    project().production().start()
}

impl Wire {
    fn post(&self, server: &TestServer, end: &str, more: &str, body: &str) -> Reply {
        let length = body.len();
        let head = format!("{more}Content-Length: {length}\r\n");
        self.send(server, "POST", end, &head, body)
    }

    fn send(&self, server: &TestServer, method: &str, end: &str, more: &str, body: &str) -> Reply {
        let (format, headers) = (self.format, self.headers);
        let head = format!(
            "{method} /{format}/{end} HTTP/1.1\r\nHost: test\r\nX-Correlation-ID: {CID}\r\n{headers}{more}\r\n"
        );
        let mut raw = Raw::connect(server);
        let reply = raw.send(head).send(body).reply();
        reply.unwrap_or_else(|| panic!("no answer to {method} /{format}/{end} {body}"))
    }

    /// Returns the status that the format makes of a fault: SOAP has its own.
    fn status(&self, status: u16) -> u16 {
        if self.format == "soap11" && status == 400 {
            500
        } else {
            status
        }
    }

    fn check(&self, what: &str, reply: &Reply, status: u16, code: &str) {
        let what = format!("{} {what}: {} {}", self.format, reply.head, reply.body);
        assert_eq!(reply.status, self.status(status), "{what}");
        is_own_fault(&what, reply, self.faults, code);
    }
}

/// Checks what all faults have: the format, the code, the correlation id, and nothing of the inside.
fn is_own_fault(what: &str, reply: &Reply, media_type: &str, code: &str) {
    let given = reply.header("content-type").unwrap_or_default();
    assert_eq!(given.split(';').next(), Some(media_type), "{what}");
    assert_eq!(reply.header("x-correlation-id"), Some(CID), "{what}");
    assert!(reply.body.contains(CID), "{what}");
    assert!(reply.body.contains(code), "{code}, not {what}");
    for leak in LEAKS {
        assert!(!reply.body.contains(leak), "{leak:?} shows in {what}");
    }
    if media_type.contains("xml") {
        let soap = match media_type {
            "text/xml" => Some(SOAP11),
            "application/soap+xml" => Some(SOAP12),
            _ => None,
        };
        if let Some(namespace) = soap {
            assert!(reply.body.contains(namespace), "{what}");
            assert!(reply.body.contains(":Fault>"), "{what}");
        }
    } else {
        assert_eq!(reply.json()["status"], reply.status, "{what}");
    }
}

#[test]
fn a_body_that_cannot_be_used_is_refused_in_the_format_of_the_channel() {
    let server = server();
    for wire in WIRES {
        let reply = wire.post(&server, "typed", "", wire.good);
        assert_eq!(reply.status, 200, "{} {}", wire.format, reply.body);
        for (body, code) in wire.malformed {
            let reply = wire.post(&server, "typed", "", body);
            wire.check(body, &reply, 400, code);
        }
        if !wire.places.is_empty() {
            let reply = wire.post(&server, "typed", "", wire.wrong);
            wire.check("wrong types", &reply, 400, "KL-I104");
            for place in wire.places {
                assert!(reply.body.contains(place), "{place}: {}", reply.body);
            }
        }
        let reply = wire.post(&server, "broken", "", wire.good);
        wire.check("a script that fails", &reply, 500, "KL-S101");
    }
}

#[test]
fn however_a_script_fails_its_place_stays_in_the_log() {
    let server = server();
    let wire = WIRES.iter().find(|wire| wire.format == "json").unwrap();
    for way in 1..=16 {
        let reply = wire.post(&server, "ways", "", &format!("{{\"way\":{way}}}"));
        let what = format!("way {way}: {} {}", reply.head, reply.body);
        assert!(reply.status >= 500, "{what}");
        is_own_fault(&what, &reply, wire.faults, "KL-");
        let line = server.log().wait("Message failed.");
        assert!(line.contains(CID), "{line}");
    }
    // A module that is not there is the script's failure, not the caller's; the hint names where modules stand.
    let reply = wire.post(&server, "ways", "", "{\"way\":17}");
    assert_eq!(
        (reply.status, &reply.json()["code"]),
        (500, &"KL-S103".into())
    );
    // The log has what the client has not.
    assert!(server.log().count("scripts/bad.lua:") >= 10);
}

/// Returns the body of a message to `ways`, in the four formats that have faults of their own shape.
fn way(format: &str, way: u32) -> String {
    let soap = |namespace: &str| {
        format!(
            "<e:Envelope xmlns:e=\"{namespace}\"><e:Body><doIt xmlns=\"urn:bad\"><way>{way}</way></doIt></e:Body></e:Envelope>"
        )
    };
    match format {
        "json" => format!("{{\"way\":{way}}}"),
        "xml" => format!("<r><way>{way}</way></r>"),
        "soap11" => soap(SOAP11),
        _ => soap(SOAP12),
    }
}

#[test]
fn in_dev_a_client_sees_where_a_script_failed() {
    let server = project().start();
    for wire in WIRES
        .iter()
        .filter(|wire| ["json", "xml", "soap11", "soap12"].contains(&wire.format))
    {
        let format = wire.format;
        let body = wire.post(&server, "ways", "", &way(format, 18)).body;
        assert!(body.contains("diagnostic"), "{format}: {body}");
        assert!(body.contains("scripts/bad.lua:"), "{format}: {body}");
        let refused = wire.post(&server, "ways", "", "no such thing").body;
        assert!(!refused.contains("diagnostic"), "{format}: {refused}");
    }
}

#[test]
fn of_a_failure_of_ours_a_client_reads_code_title_and_correlation_id_alone() {
    let server = server();
    let wire = |format: &str| WIRES.iter().find(|wire| wire.format == format).unwrap();
    for number in 1..=19 {
        let ask = |format: &str| wire(format).post(&server, "ways", "", &way(format, number));
        let problem = ask("json");
        let json = problem.json();
        let names: Vec<_> = json.as_object().unwrap().keys().collect();
        let expected = ["type", "title", "status", "instance", "code", "cid"];
        assert_eq!(names, expected, "way {number}: {}", problem.body);
        let (code, status) = (json["code"].as_str().unwrap(), problem.status);
        let (kind, title) = (
            code.trim_start_matches("KL-"),
            json["title"].as_str().unwrap(),
        );
        let xml = ask("xml").body;
        let told = format!(
            "<problem xmlns=\"urn:ietf:rfc:7807\"><type>urn:kladka:error:{kind}</type><title>{title}</title>\
             <status>{status}</status><instance>urn:cid:{CID}</instance><code>{code}</code><cid>{CID}</cid></problem>"
        );
        assert!(xml.ends_with(&told), "way {number}: {xml}");
        let own =
            format!("<error xmlns=\"urn:kladka:1\"><code>{code}</code><cid>{CID}</cid></error>");
        for (format, told) in [
            (
                "soap11",
                format!("<faultstring>{title}</faultstring><detail>{own}</detail>"),
            ),
            (
                "soap12",
                format!(
                    "<soap:Text xml:lang=\"en\">{title}</soap:Text></soap:Reason><soap:Detail>{own}</soap:Detail>"
                ),
            ),
        ] {
            let body = ask(format).body;
            assert!(body.contains(&told), "way {number}: {body}");
        }
    }
    // The log and the command line say what to do.
    server.log().wait("ctx.kvbd:get(\"k\")");
    server.log().wait("= help: Did you mean `kvdb`?");
    let payload = ["service", "invoke", "bad.ways", "--payload", "{\"way\":18}"];
    let invoked = server.kladka(&payload);
    assert!(
        invoked.err.contains("Did you mean `kvdb`?"),
        "{}",
        invoked.err
    );
    assert!(invoked.err.contains("scripts/bad.lua:"), "{}", invoked.err);
    // What a service says on purpose is for its clients.
    for format in ["json", "xml", "soap11", "soap12"] {
        let reply = wire(format).post(&server, "ways", "", &way(format, 20));
        assert!(reply.body.contains("come back later"), "{}", reply.body);
        assert!(reply.body.contains("NO-RATE"), "{}", reply.body);
    }
}

#[test]
fn nesting_without_end_is_refused_before_it_costs_anything() {
    let server = server();
    let wire = |format: &str| WIRES.iter().find(|wire| wire.format == format).unwrap();
    let soap = |namespace: &str, inner: &str| {
        format!("<e:Envelope xmlns:e=\"{namespace}\"><e:Body>{inner}</e:Body></e:Envelope>")
    };
    let open = "<a>".repeat(30_000);
    for (format, body) in [
        ("json", "[".repeat(100_000)),
        ("json", "{\"a\":".repeat(50_000)),
        ("json", format!("{}1{}", "[".repeat(65), "]".repeat(65))),
        ("xml", open.clone()),
        (
            "xml",
            format!("{}{}", "<a>".repeat(101), "</a>".repeat(101)),
        ),
        ("soap11", soap(SOAP11, &open)),
        ("soap12", soap(SOAP12, &open)),
    ] {
        let reply = wire(format).post(&server, "typed", "", &body);
        wire(format).check("deep", &reply, 400, "KL-I107");
    }
}

#[test]
fn a_body_over_the_limit_is_refused_announced_or_not() {
    let server = server();
    for wire in WIRES {
        // Not a byte of the body is sent: the announcement is enough.
        let reply = wire.send(&server, "POST", "small", "Content-Length: 1025\r\n", "");
        wire.check("announced", &reply, 413, "KL-H413");
        let chunk = format!("200\r\n{}\r\n", "x".repeat(512));
        let body = format!("{chunk}{chunk}{chunk}");
        let chunked = "Transfer-Encoding: chunked\r\n";
        let reply = wire.send(&server, "POST", "small", chunked, &body);
        wire.check("chunked", &reply, 413, "KL-H413");
        let expect = "Content-Length: 1025\r\nExpect: 100-continue\r\n";
        let reply = wire.send(&server, "POST", "small", expect, "");
        wire.check("expected", &reply, 413, "KL-H413");
    }
}

#[test]
fn who_may_not_is_told_in_the_format_of_the_channel() {
    let server = server();
    for wire in WIRES {
        let wrong = "Authorization: Basic dTp3cm9uZw==\r\n";
        for header in [
            "",
            wrong,
            "Authorization: Basic =\r\n",
            "Authorization: Bearer x\r\n",
        ] {
            let reply = wire.post(&server, "basic", header, wire.good);
            wire.check("basic", &reply, 401, "KL-A");
            let challenge = reply.header("www-authenticate").unwrap_or_default();
            assert!(challenge.starts_with("Basic realm="), "{challenge}");
        }
        let right = "Authorization: Basic dTpzM2NyM3Q=\r\n";
        assert_eq!(wire.post(&server, "basic", right, wire.good).status, 200);
        for header in ["", "X-Key: wrong\r\n", "X-Key: s3cr3t\r\nX-Key: s3cr3t\r\n"] {
            let reply = wire.post(&server, "key", header, wire.good);
            wire.check("key", &reply, 401, "KL-A");
            let challenge = reply.header("www-authenticate").unwrap_or_default();
            assert!(challenge.starts_with("ApiKey realm="), "{challenge}");
        }
        assert_eq!(
            wire.post(&server, "key", "X-Key: s3cr3t\r\n", wire.good)
                .status,
            200
        );
        for header in ["", "X-Key: \r\n", "X-Key: s3cr3t\r\n"] {
            let reply = wire.post(&server, "unset", header, wire.good);
            wire.check("unset", &reply, 503, "KL-A");
        }
        if wire.format.starts_with("soap") {
            let reply = wire.post(&server, "wss", "", wire.good);
            wire.check("wss", &reply, 401, "KL-A");
            let challenge = reply.header("www-authenticate").unwrap_or_default();
            assert!(challenge.starts_with("WSSE realm="), "{challenge}");
            let signed = wire.good.replace("<e:Body>", SIGNED);
            let reply = wire.post(&server, "wss", "", &signed);
            wire.check("signed", &reply, 401, "KL-A402");
            assert!(
                reply.body.contains(">wsse:InvalidSecurity<"),
                "{}",
                reply.body
            );
        }
        assert_eq!(wire.post(&server, "limited", "", wire.good).status, 200);
        let reply = wire.post(&server, "limited", "", wire.good);
        wire.check("limited", &reply, 429, "KL-L429");
        let after = reply.header("retry-after").unwrap_or_default();
        assert!(
            after.parse::<u32>().is_ok_and(|seconds| seconds > 3_000),
            "{after}"
        );
    }
}

#[test]
fn an_address_without_a_channel_is_answered_in_what_the_request_looks_like() {
    let server = server();
    for wire in WIRES {
        for end in [
            "nothing",
            "typed/",
            "typed/x",
            "TYPED",
            "nothing?typed",
            "/typed",
            "typed.",
            "typed;x=1",
            "typed%5c",
            "%252e%252e/typed",
        ] {
            let reply = wire.post(&server, end, "", wire.good);
            wire.check(end, &reply, 404, "KL-H404");
        }
        let reply = wire.post(&server, "off", "", wire.good);
        wire.check("inactive", &reply, 404, "KL-H410");
        for method in ["GET", "PUT", "DELETE", "TRACE", "get", "BREW"] {
            let reply = wire.send(&server, method, "typed", "", "");
            wire.check(method, &reply, 405, "KL-H405");
            assert_eq!(
                reply.header("allow"),
                Some("OPTIONS, POST"),
                "{}",
                reply.head
            );
        }
        // What can be read in two ways is refused, not repaired.
        for end in [
            "../json/typed",
            "%2e%2e/json/typed",
            "typed%00",
            "typed%ff",
            "%2ftyped",
            "typed%",
            "./typed",
            "typed%2f",
            "typed/..",
            "x%2f..%2ftyped",
            "typed%c0%af",
            "%c0%ae%c0%ae/typed",
            "typed%ed%a0%80",
        ] {
            let reply = wire.post(&server, end, "", wire.good);
            wire.check(end, &reply, 400, "KL-H400");
        }
        let long = format!("typed?{}", "x".repeat(9_000));
        let reply = wire.post(&server, &long, "", wire.good);
        wire.check("a long address", &reply, 414, "KL-H414");
        let fat = format!("X-Fat: {}\r\n", "x".repeat(33_000));
        let reply = wire.post(&server, "typed", &fat, wire.good);
        wire.check("fat headers", &reply, 431, "KL-H431");
        let reply = wire.post(&server, "typed", "Host: other\r\n", wire.good);
        wire.check("two hosts", &reply, 400, "KL-H400");
    }
}

/// Heads whose end, or the end of their body, could be read in two ways.
const FRAMING: &[&str] = &[
    "Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
    "Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n",
    "Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
    "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n",
    "Content-Length: 0\r\nContent-Length: 1\r\n\r\n",
    "Content-Length: +0\r\n\r\n",
    "Content-Length: 0x0\r\n\r\n",
    "Content-Length: -1\r\n\r\n",
    "Content-Length: \r\n\r\n",
    "Content-Length: 0,0\r\n\r\n",
    "Transfer-Encoding: chunked\r\n\r\nzz\r\n\r\n",
    "Transfer-Encoding: chunked\r\n\r\nfffffffffffffffff\r\n\r\n",
    "X-A: a\r\n folded\r\nContent-Length: 0\r\n\r\n",
    "X-A: a\0b\r\nContent-Length: 0\r\n\r\n",
    "X A: a\r\nContent-Length: 0\r\n\r\n",
    "X-A\r\nContent-Length: 0\r\n\r\n",
    ": a\r\nContent-Length: 0\r\n\r\n",
];

#[test]
fn framing_that_could_hide_a_request_ends_the_connection() {
    let server = server();
    let smuggled = "POST /raw/limited HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n\r\nx";
    let head = "POST /raw/typed HTTP/1.1\r\nHost: x\r\n";
    for text in FRAMING {
        let mut raw = Raw::connect(&server);
        let reply = raw.send(format!("{head}{text}{smuggled}")).reply();
        let reply = reply.unwrap_or_else(|| panic!("no answer to {text:?}"));
        assert_eq!(reply.status, 400, "{text:?}: {} {}", reply.head, reply.body);
        let cid = reply.header("x-correlation-id");
        assert!(
            cid.is_some_and(|cid| reply.body.contains(cid)),
            "{text:?}: {}",
            reply.head
        );
        assert!(raw.is_closed(), "{text:?}: the connection goes on");
    }
    for line in [
        "GET /raw/typed",
        "GET  /raw/typed HTTP/1.1",
        "GET /raw/typed HTTP/3.0",
        "\u{1}\u{2}",
    ] {
        let mut raw = Raw::connect(&server);
        let reply = raw
            .send(format!("{line}\r\nHost: x\r\n\r\n{smuggled}"))
            .reply();
        let reply = reply.unwrap_or_else(|| panic!("no answer to {line:?}"));
        assert!(
            matches!(reply.status, 400 | 505),
            "{line:?}: {}",
            reply.head
        );
        assert!(raw.is_closed(), "{line:?}: the connection goes on");
    }
    // hyper reads both lengths as chunked and closes, which RFC 9112 allows; nothing after it is served.
    for text in [
        "Content-Length: 0\r\nTransfer-Encoding: chunked",
        "Transfer-Encoding: chunked\r\nContent-Length: 90",
    ] {
        let mut raw = Raw::connect(&server);
        raw.send(format!("{head}{text}\r\n\r\n0\r\n\r\n{smuggled}"));
        assert!(
            raw.reply()
                .is_some_and(|reply| matches!(reply.status, 200 | 400))
        );
        assert!(raw.is_closed(), "{text:?}: the connection goes on");
    }
    // The smuggled request takes the only token of this channel: nobody has.
    let raw = WIRES.iter().find(|wire| wire.format == "raw").unwrap();
    assert_eq!(raw.post(&server, "limited", "", "x").status, 200);
}

#[test]
fn too_much_of_a_head_is_refused_with_a_correlation_id() {
    let server = server();
    let many: Vec<_> = (0..150)
        .map(|number| format!("X-{number}: a\r\n"))
        .collect();
    let many = many.concat();
    for (request, status) in [
        (
            format!("GET /{} HTTP/1.1\r\nHost: x\r\n\r\n", "x".repeat(20_000)),
            414,
        ),
        (
            format!("GET /{} HTTP/1.1\r\nHost: x\r\n\r\n", "x".repeat(70_000)),
            414,
        ),
        (
            format!("GET /{} HTTP/1.1\r\nHost: x\r\n\r\n", "x".repeat(300_000)),
            414,
        ),
        (
            format!(
                "GET / HTTP/1.1\r\nHost: x\r\nX: {}\r\n\r\n",
                "x".repeat(8_200)
            ),
            431,
        ),
        (format!("GET / HTTP/1.1\r\nHost: x\r\n{many}\r\n"), 431),
        (
            format!(
                "GET / HTTP/1.1\r\nHost: x\r\nX: {}\r\n\r\n",
                "x".repeat(300_000)
            ),
            431,
        ),
    ] {
        let mut raw = Raw::connect(&server);
        let reply = raw.send(request).reply().unwrap();
        assert_eq!(reply.status, status, "{}", reply.head);
        let line = if status == 414 {
            "414 URI Too Long"
        } else {
            "431 Request Header Fields Too Large"
        };
        assert!(
            reply.head.starts_with(&format!("HTTP/1.1 {line}")),
            "{}",
            reply.head
        );
        let media_type = reply.header("content-type");
        assert_eq!(
            media_type,
            Some("application/problem+json"),
            "{}",
            reply.head
        );
        assert_eq!(reply.json()["status"], status);
        let cid = reply.header("x-correlation-id");
        assert!(
            cid.is_some_and(|cid| reply.body.contains(cid)),
            "{}",
            reply.head
        );
    }
}

#[test]
fn a_head_that_does_not_end_is_told_so_and_its_connection_closed() {
    let server = project()
        .with("KLADKA_LIMITS_HEADER_TIMEOUT", "300ms")
        .start();
    let mut raw = Raw::connect(&server);
    let reply = raw.send("GET /raw/typed HTTP/1.1\r\nHo").reply().unwrap();
    assert_eq!(
        (reply.status, &reply.json()["code"]),
        (408, &"KL-H408".into())
    );
    let cid = reply.header("x-correlation-id").unwrap();
    assert_eq!(reply.json()["cid"], cid);
    assert!(raw.is_closed());
    assert!(
        Raw::connect(&server).is_closed(),
        "nothing was asked, nothing is answered"
    );
}

#[test]
fn connections_too_many_are_told_so_and_others_are_served() {
    let server = project()
        .with("KLADKA_LIMITS_CONNECTIONS_PER_ADDRESS", "2")
        .start();
    let request = "POST /raw/typed HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n\r\nx";
    let mut held = [Raw::connect(&server), Raw::connect(&server)];
    for raw in &mut held {
        assert_eq!(raw.send(request).reply().unwrap().status, 200);
    }
    for _ in 0..20 {
        let mut raw = Raw::connect(&server);
        let reply = raw.send(request).reply().expect("an answer");
        assert_eq!(
            (reply.status, &reply.json()["code"]),
            (503, &"KL-H503".into())
        );
        assert_eq!(reply.header("retry-after"), Some("1"), "{}", reply.head);
        let cid = reply.header("x-correlation-id").unwrap();
        assert_eq!(reply.json()["cid"], cid);
        assert!(raw.is_closed());
    }
    for raw in &mut held {
        assert_eq!(raw.send(request).reply().unwrap().status, 200);
    }
    let metrics = server.admin("/metrics").send().body;
    assert!(
        metrics.contains("kladka_connections_refused_total 20"),
        "{metrics}"
    );
    drop(held);
    eventually("a place is free", || {
        let reply = Raw::connect(&server).send(request).reply()?;
        (reply.status == 200).then_some(())
    });
}

#[test]
fn a_refused_request_does_not_change_the_next_on_its_connection() {
    let server = server();
    let mut raw = Raw::connect(&server);
    for round in 0..20 {
        let bad = round % 2 == 0;
        let body = if bad {
            "{\"year\":"
        } else {
            r#"{"year":1,"day":"2013-09-03"}"#
        };
        let length = body.len();
        let reply = raw
            .send(format!(
                "POST /json/typed HTTP/1.1\r\nHost: x\r\nContent-Length: {length}\r\n\r\n{body}"
            ))
            .reply()
            .unwrap();
        assert_eq!(reply.status, if bad { 400 } else { 200 }, "{}", reply.body);
    }
}
