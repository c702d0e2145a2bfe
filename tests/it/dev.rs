//! `kladka dev` as a person uses it: keys on a terminal, the last request beside its code, calls to paste.

use crate::support::TestServer;

const CARD: &str = r#"service(#{ name: "card", input: ["pin:text!", "month:int"] });

fn handle(ctx) {
    let month = ctx.request.input.month;
    let code = ctx.request.input.pin;
    ctx.kvdb.set("card/" + code, month);
    for n in 0..3 { ctx.log.info("turn"); }
    ctx.kvbd.get("x");
}
"#;

#[test]
fn a_failed_request_is_shown_beside_its_code_without_its_secrets() {
    let server = TestServer::project("blank");
    server.write("scripts/card.rhai", CARD);
    server.write("config/objects.yaml", "version: 1\nchannels:\n  - { name: c, service: card, http: { path: /c }, format: json, security: none }\n");
    let server = server.start();
    let nothing = server.kladka(&["service", "last"]);
    assert_eq!(
        (nothing.code, nothing.out.as_str()),
        (5, ""),
        "{}",
        nothing.err
    );
    assert_eq!(
        server
            .curl("/c")
            .header("Authorization: Bearer b-4712")
            .data(r#"{"pin":"4711","month":9}"#)
            .send()
            .status,
        500
    );
    let last = server.kladka(&["service", "last", "card"]);
    assert_eq!(last.code, 0, "{}", last.err);
    let shown = &last.out;
    for text in [
        "card r1 · channel c (json) · 500 KL-S101 · ",
        "  input {\"pin\":\"***\",\"month\":9}",
        "scripts/card.rhai",
        "3 | fn handle(ctx) {",
        "← kvdb.set(\"card/***\", 9) → true  ",
        "← log.info(\"turn\") → ok  ×3  ",
        "← ✗ KL-S101",
        "error[KL-S101]: ctx has no field 'kvbd'",
    ] {
        assert!(shown.contains(text), "{text:?} in\n{shown}");
    }
    let document = server.kladka(&["service", "last", "--json"]);
    let both = format!("{shown}{}", document.out);
    assert!(!both.contains("4711") && !both.contains("4712"), "{both}");
    assert_eq!(server.kladka(&["service", "last", "other"]).code, 5);
}

#[test]
fn a_server_in_production_records_nothing_of_messages() {
    let server = TestServer::project("blank").production().start();
    let last = server.kladka(&["service", "last"]);
    assert_eq!(last.code, 5, "{}", last.err);
    assert!(last.err.contains("in `kladka dev` only"), "{}", last.err);
}
