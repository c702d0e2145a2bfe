//! The reference scenario through the binary, as a user would drive it: embedded store and real Redis.

use crate::support::{Redis, Reply, TestServer, eventually};

const INPUT: &str = r#"{"year":2013,"month":9,"day":3}"#;
const ANSWER: &str = r#"{"response":{"rate":"1.22"}}"#;
const KEY_SET: &str = "Key linuxjournal:rates:2013:09:03 set to 1.22";
const WSSE: &str =
    "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-secext-1.0.xsd";
const WSU: &str =
    "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-utility-1.0.xsd";
const PROFILE: &str =
    "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-username-token-profile-1.0";

/// In which language the service that answers is written.
#[derive(Clone, Copy)]
enum Language {
    Lua,
    Rhai,
}

impl Language {
    fn path(self, client: u32) -> String {
        match self {
            Self::Lua => format!("/client{client}/get-rate"),
            Self::Rhai => format!("/rhai/client{client}/get-rate"),
        }
    }
}

fn json(server: &TestServer, body: &str) -> Reply {
    json_in(server, Language::Lua, body)
}

fn json_in(server: &TestServer, language: Language, body: &str) -> Reply {
    server
        .curl(&language.path(1))
        .header("X-API-Key: demo-1")
        .args(&["-d", body])
        .send()
}

fn xml(server: &TestServer, body: &str) -> Reply {
    xml_in(server, Language::Lua, body)
}

fn xml_in(server: &TestServer, language: Language, body: &str) -> Reply {
    server
        .curl(&language.path(2))
        .args(&["-u", "client2:demo-2", "-d", body])
        .send()
}

/// A token with the password in clear.
fn text_token(password: &str) -> String {
    format!(
        "<wsse:Username>client3</wsse:Username><wsse:Password Type=\"{PROFILE}#PasswordText\">{password}</wsse:Password>"
    )
}

/// A token with the digest of nonce, moment and password.
fn digest_token(password: &str) -> String {
    use base64::Engine as _;
    let base64 = base64::engine::general_purpose::STANDARD;
    let nonce = uuid::Uuid::new_v4().into_bytes();
    let created = chrono::Utc::now().format("%Y-%m-%dT%H:%M:%SZ").to_string();
    let mut secret = nonce.to_vec();
    secret.extend(created.as_bytes());
    secret.extend(password.as_bytes());
    let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA1_FOR_LEGACY_USE_ONLY, &secret);
    format!(
        "<wsse:Username>client3</wsse:Username><wsse:Password Type=\"{PROFILE}#PasswordDigest\">{}</wsse:Password>\
         <wsse:Nonce>{}</wsse:Nonce><wsu:Created xmlns:wsu=\"{WSU}\">{created}</wsu:Created>",
        base64.encode(digest),
        base64.encode(nonce)
    )
}

fn envelope(namespace: &str, token: &str) -> String {
    format!(
        "<e:Envelope xmlns:e=\"{namespace}\"><e:Header><wsse:Security xmlns:wsse=\"{WSSE}\"><wsse:UsernameToken>{token}\
         </wsse:UsernameToken></wsse:Security></e:Header><e:Body><getRate xmlns=\"urn:linuxjournal:rates\">\
         <year>2013</year><month>9</month><day>3</day></getRate></e:Body></e:Envelope>"
    )
}

fn soap11(server: &TestServer, token: &str) -> Reply {
    soap11_in(server, Language::Lua, token)
}

fn soap11_in(server: &TestServer, language: Language, token: &str) -> Reply {
    let body = envelope("http://schemas.xmlsoap.org/soap/envelope/", token);
    let call = server
        .curl(&language.path(3))
        .header("SOAPAction: get-rates")
        .header("Content-Type: text/xml");
    call.data(&body).send()
}

fn soap12(server: &TestServer, token: &str) -> Reply {
    soap12_in(server, Language::Lua, token)
}

fn soap12_in(server: &TestServer, language: Language, token: &str) -> Reply {
    let body = envelope("http://www.w3.org/2003/05/soap-envelope", token);
    let kind = "Content-Type: application/soap+xml; charset=utf-8; action=\"get-rates\"";
    server
        .curl(&language.path(3))
        .header(kind)
        .data(&body)
        .send()
}

fn answers_everywhere(server: &TestServer) {
    let reply = json(server, INPUT);
    assert_eq!(
        (reply.status, reply.body.replace(' ', "").trim()),
        (200, ANSWER)
    );
    assert!(reply.header("x-correlation-id").is_some(), "{}", reply.head);

    let reply = xml(
        server,
        "<request><year>2013</year><month>9</month><day>3</day></request>",
    );
    assert_eq!(reply.status, 200, "{}", reply.body);
    assert!(
        reply
            .body
            .ends_with("<response><rate>1.22</rate></response>"),
        "{}",
        reply.body
    );

    for token in [text_token("demo-3"), digest_token("demo-3")] {
        for (reply, namespace) in [
            (
                soap11(server, &token),
                "http://schemas.xmlsoap.org/soap/envelope/",
            ),
            // A nonce serves once.
            (
                soap12(
                    server,
                    &if token.contains("Nonce") {
                        digest_token("demo-3")
                    } else {
                        token.clone()
                    },
                ),
                "http://www.w3.org/2003/05/soap-envelope",
            ),
        ] {
            assert_eq!(reply.status, 200, "{}", reply.body);
            assert!(reply.body.contains(namespace), "{}", reply.body);
            assert!(
                reply.body.contains("getRateResponse") && reply.body.contains("<rate>1.22</rate>"),
                "{}",
                reply.body
            );
        }
    }
}

fn refuses_in_the_channels_own_format(server: &TestServer) {
    let reply = server.curl("/client1/get-rate").data(INPUT).send();
    assert_eq!(
        (reply.status, reply.header("content-type")),
        (401, Some("application/problem+json"))
    );
    assert_eq!(
        reply
            .header("www-authenticate")
            .map(|text| text.starts_with("ApiKey realm=")),
        Some(true),
        "{}",
        reply.head
    );

    let reply = server
        .curl("/client2/get-rate")
        .args(&["-u", "client2:wrong"])
        .data("<request/>")
        .send();
    assert_eq!(
        (reply.status, reply.header("content-type")),
        (401, Some("application/problem+xml; charset=utf-8"))
    );
    assert_eq!(
        reply
            .header("www-authenticate")
            .map(|text| text.starts_with("Basic realm=")),
        Some(true),
        "{}",
        reply.head
    );

    for reply in [
        soap11(server, &text_token("wrong")),
        soap12(server, &digest_token("wrong")),
    ] {
        assert_eq!(reply.status, 401, "{}", reply.body);
        assert!(reply.body.contains(":Fault>"), "{}", reply.body);
        let challenge = reply.header("www-authenticate").unwrap_or_default();
        assert!(
            challenge.starts_with("WSSE realm=") && challenge.contains("profile=\"UsernameToken\""),
            "{challenge}"
        );
    }
}

fn unknown_and_missing_dates(server: &TestServer) {
    let reply = json(server, r#"{"year":1999,"month":1,"day":1}"#);
    assert_eq!(
        (reply.status, reply.body.trim()),
        (200, r#"{"response":{}}"#)
    );
    // No day of the calendar is a mistake of the service.
    for input in [
        r#"{"year":2013,"month":100,"day":3}"#,
        r#"{"year":2013,"month":-1,"day":3}"#,
        r#"{"year":9007199254740993,"month":9,"day":3}"#,
        r#"{"year":2013,"month":9007199254740993,"day":9223372036854775807}"#,
    ] {
        let reply = json(server, input);
        let answer = (reply.status, reply.body.trim());
        assert_eq!(answer, (200, r#"{"response":{}}"#), "{input}");
    }
    // Whoever says that JSON comes must send some.
    let nothing = server.curl("/client1/get-rate").header("X-API-Key: demo-1");
    let nothing = nothing.header("Content-Type: application/json");
    assert_eq!(nothing.args(&["-X", "POST"]).send().status, 400);
    // No input means today; nothing is cached for today.
    assert_eq!(json(server, "{}").body.trim(), r#"{"response":{}}"#);
    let reply = json(server, r#"{"year":"x","month":"y"}"#);
    assert_eq!(reply.status, 400);
    let pointers: Vec<_> = reply.json()["errors"]
        .as_array()
        .unwrap()
        .iter()
        .map(|error| error["pointer"].clone())
        .collect();
    assert_eq!(pointers, ["/year", "/month"]);
}

fn commands(server: &TestServer) {
    let before = server.log().count(KEY_SET);
    let invoked = server.kladka(&[
        "service",
        "invoke",
        "linuxjournal.update-cache",
        "--payload",
        r#"{"year":2013,"month":9}"#,
    ]);
    assert_eq!(
        (invoked.code, invoked.out.as_str()),
        (0, ""),
        "{}",
        invoked.err
    );
    eventually("the key is set again", || {
        (server.log().count(KEY_SET) > before).then_some(())
    });
    let line = server.log().wait(KEY_SET);
    assert!(line.contains("cid="), "{line}");

    let invoked = server.kladka(&[
        "service",
        "invoke",
        "linuxjournal.update-cache",
        "--payload",
        "{}",
    ]);
    assert_eq!(
        (invoked.code, invoked.out.as_str()),
        (0, ""),
        "{}",
        invoked.err
    );
    server.log().wait("No rates for");

    let invoked = server.kladka(&[
        "service",
        "invoke",
        "linuxjournal.get-rate",
        "--payload",
        INPUT,
    ]);
    assert_eq!(
        (invoked.code, invoked.out.trim()),
        (0, r#"{"rate":"1.22"}"#),
        "{}",
        invoked.err
    );

    let ran = server.kladka(&["job", "run", "refresh-rates", "--wait"]);
    assert_eq!(ran.code, 0, "{}{}", ran.out, ran.err);
    let history = server.kladka(&["job", "history", "refresh-rates", "--json"]);
    let runs: serde_json::Value = serde_json::from_str(&history.out).unwrap();
    assert_eq!(runs["runs"][0]["state"], "done", "{}", history.out);
}

fn edit_break_and_fix(server: &TestServer) {
    let path = "scripts/linuxjournal/get_rate.lua";
    let good = server.read(path);
    let line = "ctx.response.payload.rate = ctx.kvdb:get(rates.key(year, month, day))";
    server.write(
        path,
        good.replace(line, "ctx.response.payload.rate = \"edited\""),
    );
    eventually("the edit is live", || {
        json(server, INPUT).body.contains("edited").then_some(())
    });

    server.write(path, "return service {\n  name = \n}\n");
    server.log().wait("KL-S100");
    let reply = json(server, INPUT);
    assert_eq!(reply.status, 200);
    assert!(
        reply.body.contains("edited"),
        "the last good revision serves: {}",
        reply.body
    );
    let reloaded = server.kladka(&["service", "reload", "--all", "--wait"]);
    assert_eq!(reloaded.code, 4, "{}{}", reloaded.out, reloaded.err);
    assert!(
        reloaded.err.contains("scripts/linuxjournal/get_rate.lua:"),
        "{}",
        reloaded.err
    );
    let verbose = server.admin("/readyz?verbose").send();
    assert!(
        verbose.body.contains("scripts/linuxjournal/get_rate.lua"),
        "{}",
        verbose.body
    );

    server.write(path, &good);
    eventually("the fix is live", || {
        json(server, INPUT).body.contains("1.22").then_some(())
    });
    let reloaded = server.kladka(&["service", "reload", "--all", "--wait"]);
    assert_eq!(reloaded.code, 0, "{}{}", reloaded.out, reloaded.err);
}

fn survives(server: &mut TestServer) {
    assert_eq!(server.terminate(), 0);
    server.start_again();
    answers_everywhere(server);
    server.kill();
    server.start_again();
    answers_everywhere(server);
}

fn whole_scenario(mut server: TestServer) {
    let line = server.log().wait(KEY_SET);
    assert!(line.contains("cid="), "{line}");
    answers_everywhere(&server);
    refuses_in_the_channels_own_format(&server);
    unknown_and_missing_dates(&server);
    commands(&server);
    edit_break_and_fix(&server);
    survives(&mut server);
}

#[test]
fn the_whole_scenario_on_the_embedded_store() {
    whole_scenario(TestServer::dev());
}

#[test]
fn the_whole_scenario_on_redis() {
    let redis = Redis::start();
    whole_scenario(
        TestServer::project("rates")
            .with("KLADKA_KVDB_URL", &redis.url())
            .start(),
    );
}

#[test]
fn without_the_demo_credentials_a_channel_answers_503_and_never_unprotected() {
    let server = TestServer::project("rates").production().start();
    for path in [
        "/client1/get-rate",
        "/client2/get-rate",
        "/client3/get-rate",
    ] {
        let reply = server.curl(path).header("X-API-Key: ").data(INPUT).send();
        assert_eq!(reply.status, 503, "{path}: {}", reply.body);
    }
    let server = TestServer::project("rates")
        .production()
        .with("KLADKA_CLIENT1_KEY", "demo-1");
    let refused = server.refuses_to_start();
    assert_eq!(refused.code, 8, "{}", refused.err);
    assert!(refused.err.contains("KL-C210"), "{}", refused.err);
}

#[test]
fn in_production_the_credentials_come_from_the_environment() {
    let server = TestServer::project("rates")
        .production()
        .with("KLADKA_CLIENT1_KEY", "a-key-of-ours")
        .start();
    let reply = server
        .curl("/client1/get-rate")
        .header("X-API-Key: a-key-of-ours")
        .data(INPUT)
        .send();
    assert_eq!(
        (reply.status, reply.body.trim()),
        (200, r#"{"response":{}}"#)
    );
}

/// Answers of the two languages, each without what differs from message to message.
fn answers(server: &TestServer, language: Language) -> Vec<(u16, Option<String>, String)> {
    let known = "<request><year>2013</year><month>9</month><day>3</day></request>";
    let replies = [
        json_in(server, language, INPUT),
        json_in(server, language, "{}"),
        json_in(server, language, r#"{"year":1999,"month":1,"day":1}"#),
        json_in(server, language, r#"{"year":"x"}"#),
        json_in(server, language, "{"),
        xml_in(server, language, known),
        xml_in(server, language, "<request/>"),
        xml_in(server, language, "<request><year>x</year></request>"),
        soap11_in(server, language, &text_token("demo-3")),
        soap12_in(server, language, &text_token("demo-3")),
        soap11_in(server, language, &digest_token("wrong")),
    ];
    let replies = replies.into_iter().map(|reply| {
        let cid = reply
            .header("x-correlation-id")
            .unwrap_or_default()
            .to_owned();
        let media_type = reply.header("content-type").map(ToOwned::to_owned);
        (reply.status, media_type, reply.body.replace(&cid, "CID"))
    });
    replies.collect()
}

/// Starts the project of the repository, which has the scenario in both languages.
fn in_both_languages() -> TestServer {
    let project = TestServer::project("rates");
    for path in [
        "config/objects.yaml",
        "scripts/rhai/linuxjournal/get_rate.rhai",
        "scripts/rhai/linuxjournal/rates.rhai",
        "scripts/rhai/linuxjournal/update_cache.rhai",
    ] {
        project.write(path, std::fs::read(path).unwrap());
    }
    project.start()
}

#[test]
fn a_project_made_in_rhai_answers_at_the_same_addresses() {
    let server = TestServer::project_in("rates", "rhai").start();
    server.log().wait(KEY_SET);
    assert!(!server.read("config/objects.yaml").contains("rhai"));
    let reply = json(&server, INPUT);
    assert_eq!(reply.body.replace(' ', "").trim(), ANSWER);
    let reply = soap12(&server, &text_token("demo-3"));
    assert_eq!(reply.status, 200, "{}", reply.body);
    let shown = server.kladka(&["service", "show", "linuxjournal.get-rate"]);
    assert!(shown.out.contains("get_rate.rhai"), "{}", shown.out);
}

#[test]
fn the_scenario_in_rhai_answers_byte_by_byte_as_in_lua() {
    let server = in_both_languages();
    server.log().wait(KEY_SET);
    let (lua, rhai) = (
        answers(&server, Language::Lua),
        answers(&server, Language::Rhai),
    );
    assert_eq!(lua[0].2.replace(' ', "").trim(), ANSWER);
    assert_eq!(lua, rhai);

    let update = "linuxjournal.rhai.update-cache";
    let before = server.log().count(KEY_SET);
    let payload = r#"{"year":2013,"month":9}"#;
    let invoked = server.kladka(&["service", "invoke", update, "--payload", payload]);
    assert_eq!(
        (invoked.code, invoked.out.as_str()),
        (0, ""),
        "{}",
        invoked.err
    );
    eventually("Rhai sets the key", || {
        (server.log().count(KEY_SET) > before).then_some(())
    });
    let none = server.log().count("No rates for");
    let invoked = server.kladka(&["service", "invoke", update, "--payload", "{}"]);
    assert_eq!(invoked.code, 0, "{}", invoked.err);
    eventually("Rhai finds no rates", || {
        (server.log().count("No rates for") > none).then_some(())
    });

    // Editing a plain module swaps its users.
    let path = "scripts/rhai/linuxjournal/rates.rhai";
    let good = server.read(path);
    server.write(
        path,
        good.replace("\"linuxjournal:rates:\"", "\"elsewhere:\""),
    );
    eventually("the edited module is live", || {
        let reply = json_in(&server, Language::Rhai, INPUT);
        (reply.body.trim() == r#"{"response":{}}"#).then_some(())
    });
    server.write(path, "fn key( {");
    let reloaded = server.kladka(&["service", "reload", "--all", "--wait"]);
    assert_eq!(reloaded.code, 4, "{}{}", reloaded.out, reloaded.err);
    assert!(
        reloaded
            .err
            .contains("scripts/rhai/linuxjournal/rates.rhai:1:"),
        "{}",
        reloaded.err
    );
    server.write(path, &good);
    eventually("the module is as it was", || {
        json_in(&server, Language::Rhai, INPUT)
            .body
            .contains("1.22")
            .then_some(())
    });
}
