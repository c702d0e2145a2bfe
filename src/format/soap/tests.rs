//! Golden SOAP exchanges: success and each kind of fault, in both versions.

use expect_test::expect;

use super::*;
use crate::base::{Cid, FieldError, Meta, Segment};

const V11: &str = "http://schemas.xmlsoap.org/soap/envelope/";
const V12: &str = "http://www.w3.org/2003/05/soap-envelope";
const NS: &str = "urn:linuxjournal:rates";
const REQUEST: &str =
    "<getRate xmlns='urn:linuxjournal:rates'><year>2013</year><month>9</month></getRate>";

fn channel() -> Arc<dyn Format> {
    let soap = SoapOptions {
        action: "get-rates".to_owned(),
        operation: "getRate".to_owned(),
        namespace: NS.to_owned(),
        ..SoapOptions::default()
    };
    make(soap)
}

fn make(soap: SoapOptions) -> Arc<dyn Format> {
    SoapFormat
        .make(&FormatOptions {
            soap,
            ..FormatOptions::default()
        })
        .unwrap()
}

fn inbound(headers: &[(&str, &str)], body: &str) -> Inbound {
    let mut meta = Meta::default();
    for (name, value) in headers {
        let name = http::HeaderName::from_bytes(name.as_bytes()).unwrap();
        meta.headers.insert(name, value.parse().unwrap());
    }
    Inbound {
        cid: cid(),
        meta: Arc::new(meta),
        body: Bytes::from(body.to_owned()),
    }
}

fn cid() -> Cid {
    Cid::accept("cid-1").unwrap()
}

fn envelope(namespace: &str, header: &str, body: &str) -> String {
    format!("<s:Envelope xmlns:s='{namespace}'>{header}<s:Body>{body}</s:Body></s:Envelope>")
}

fn v11(body: &str) -> Inbound {
    let headers = [
        ("content-type", "text/xml; charset=utf-8"),
        ("soapaction", "\"get-rates\""),
    ];
    inbound(&headers, body)
}

fn v12(body: &str) -> Inbound {
    inbound(
        &[(
            "content-type",
            "application/soap+xml; charset=utf-8; action=\"get-rates\"",
        )],
        body,
    )
}

fn declaration() -> Declaration {
    Declaration {
        name: crate::base::ServiceName::new("linuxjournal.get-rate").unwrap(),
        doc: String::new(),
        input: None,
        output: None,
        timeout: None,
        cpu: None,
        uses: None,
        place: crate::base::Place::new("scripts/a.lua", 1, 1),
        language: "lua",
    }
}

fn answer(inbound: &Inbound) -> Reply {
    let mut map = Map::new();
    map.set("rate", "1.22");
    map.set("no", Value::Null);
    let answer = Answer {
        value: map.into(),
        ..Answer::default()
    };
    channel().encode(&declaration(), answer, inbound).unwrap()
}

fn shown(reply: &Reply) -> String {
    let body = std::str::from_utf8(&reply.body).unwrap();
    // Whatever we send must pass our own strict reader.
    xml::parse(&reply.body, Some("utf-8"), &xml::Limits::default()).unwrap();
    let body = body.replace("><", ">\n<");
    let headers: String = reply
        .headers
        .iter()
        .fold(String::new(), |all, (name, value)| {
            all + name.as_str() + ": " + value.as_str() + "\n"
        });
    format!("{} {}\n{headers}{body}\n", reply.status, reply.media_type)
}

/// Decodes a message that must fail and shows the answer.
fn failed(inbound: &Inbound) -> String {
    let channel = channel();
    let fault = channel.decode(inbound).unwrap_err();
    shown(&channel.fault(&fault, inbound))
}

fn code_of(inbound: &Inbound) -> Code {
    channel()
        .decode(inbound)
        .err()
        .map_or_else(|| panic!("accepted"), |fault| fault.code())
}

fn input_of(inbound: &Inbound) -> String {
    let decoded = channel().decode(inbound).unwrap();
    let soap = decoded.soap.unwrap();
    format!(
        "{:?} {} {}",
        soap.version,
        soap.operation,
        serde_json::Value::from(&decoded.value)
    )
}

#[test]
fn a_request_of_either_version_is_answered_in_its_version() {
    let one = v11(&envelope(V11, "", REQUEST));
    assert_eq!(input_of(&one), r#"V11 getRate {"year":"2013","month":"9"}"#);
    expect![[r#"
        200 text/xml; charset=utf-8
        <?xml version="1.0" encoding="UTF-8"?>
        <soap:Envelope xmlns:soap="http://schemas.xmlsoap.org/soap/envelope/">
        <soap:Body>
        <getRateResponse xmlns="urn:linuxjournal:rates">
        <rate>1.22</rate>
        </getRateResponse>
        </soap:Body>
        </soap:Envelope>
    "#]]
    .assert_eq(&shown(&answer(&one)));
    let two = v12(&envelope(V12, "", REQUEST));
    assert_eq!(input_of(&two), r#"V12 getRate {"year":"2013","month":"9"}"#);
    expect![[r#"
        200 application/soap+xml; charset=utf-8
        <?xml version="1.0" encoding="UTF-8"?>
        <soap:Envelope xmlns:soap="http://www.w3.org/2003/05/soap-envelope">
        <soap:Body>
        <getRateResponse xmlns="urn:linuxjournal:rates">
        <rate>1.22</rate>
        </getRateResponse>
        </soap:Body>
        </soap:Envelope>
    "#]]
    .assert_eq(&shown(&answer(&two)));
}

#[test]
fn the_operation_is_found_by_action_or_element() {
    let good = r#"V11 getRate {"year":"2013","month":"9"}"#;
    let body = envelope(V11, "", REQUEST);
    let actions = [
        "get-rates",
        "\"get-rates\"",
        "",
        "\"\"",
        "getRate",
        "\"urn:linuxjournal:rates/getRate\"",
        "urn:linuxjournal:rates#getRate",
    ];
    for action in actions {
        let message = inbound(
            &[("content-type", "text/xml"), ("soapaction", action)],
            &body,
        );
        assert_eq!(input_of(&message), good, "{action}");
    }
    // What `curl -d` sends, what sends nothing, and an element in no namespace.
    let form = ("content-type", "application/x-www-form-urlencoded");
    assert_eq!(
        input_of(&inbound(&[form, ("soapaction", "get-rates")], &body)),
        good
    );
    assert_eq!(input_of(&inbound(&[], &body)), good);
    let bare = envelope(
        V11,
        "",
        "<getRate><year>2013</year><month>9</month></getRate>",
    );
    assert_eq!(input_of(&v11(&bare)), good);
    // SOAP 1.2 with the header of 1.1.
    let mixed = inbound(
        &[form, ("soapaction", "get-rates")],
        &envelope(V12, "", REQUEST),
    );
    assert_eq!(input_of(&mixed), good.replace("V11", "V12"));
    // An operation without input.
    assert_eq!(
        input_of(&v11(&envelope(V11, "", "<getRate/>"))),
        "V11 getRate {}"
    );
    assert_eq!(input_of(&v11(&envelope(V11, "", " "))), "V11 getRate {}");
}

#[test]
fn a_channel_without_an_operation_takes_the_element_s_name() {
    let format = make(SoapOptions {
        namespace: NS.to_owned(),
        ..SoapOptions::default()
    });
    let message = inbound(&[("soapaction", "anything")], &envelope(V11, "", REQUEST));
    assert_eq!(
        format.decode(&message).unwrap().soap.unwrap().operation,
        "getRate"
    );
    let reply = format
        .encode(&declaration(), Answer::default(), &message)
        .unwrap();
    assert!(shown(&reply).contains("<getRateResponse xmlns=\"urn:linuxjournal:rates\"/>"));
}

#[test]
#[expect(clippy::too_many_lines, reason = "a table")]
fn what_is_no_soap_message_is_the_caller_s_fault() {
    let cases: &[(&str, String, Code)] = &[
        ("empty", String::new(), Code::NotSoap),
        ("not xml", "{\"year\":2013}".into(), Code::Malformed),
        (
            "broken",
            envelope(V11, "", "<getRate>&</getRate>"),
            Code::Malformed,
        ),
        (
            "doctype",
            format!("<!DOCTYPE a>{}", envelope(V11, "", REQUEST)),
            Code::Doctype,
        ),
        (
            "instruction",
            format!("<?p?>{}", envelope(V11, "", REQUEST)),
            Code::NotSoap,
        ),
        (
            "instruction within",
            envelope(V11, "", "<getRate><?p?></getRate>"),
            Code::NotSoap,
        ),
        ("other root", REQUEST.into(), Code::NotSoap),
        (
            "no namespace",
            "<Envelope><Body/></Envelope>".into(),
            Code::SoapVersion,
        ),
        (
            "other namespace",
            envelope("urn:x", "", REQUEST),
            Code::SoapVersion,
        ),
        (
            "no body",
            format!("<s:Envelope xmlns:s='{V11}'><s:Header/></s:Envelope>"),
            Code::NotSoap,
        ),
        (
            "empty envelope",
            format!("<s:Envelope xmlns:s='{V11}'/>"),
            Code::NotSoap,
        ),
        (
            "two bodies",
            envelope(V11, "<s:Body/>", REQUEST),
            Code::NotSoap,
        ),
        (
            "two headers",
            envelope(V11, "<s:Header/><s:Header/>", REQUEST),
            Code::NotSoap,
        ),
        (
            "header behind",
            format!(
                "<s:Envelope xmlns:s='{V11}'><s:Body>{REQUEST}</s:Body><s:Header/></s:Envelope>"
            ),
            Code::NotSoap,
        ),
        (
            "foreign part",
            envelope(V11, "<x/>", REQUEST),
            Code::NotSoap,
        ),
        (
            "body of 1.2",
            format!("<s:Envelope xmlns:s='{V11}'><b:Body xmlns:b='{V12}'/></s:Envelope>"),
            Code::NotSoap,
        ),
        ("text", envelope(V11, "", "2013"), Code::NotSoap),
        (
            "two elements",
            envelope(V11, "", "<getRate/><getRate/>"),
            Code::NotSoap,
        ),
        (
            "other element",
            envelope(V11, "", "<getRates/>"),
            Code::SoapAction,
        ),
        (
            "other namespace of it",
            envelope(V11, "", "<getRate xmlns='urn:y'/>"),
            Code::SoapAction,
        ),
        (
            "attachment",
            envelope(
                V11,
                "",
                "<getRate><f><i:Include xmlns:i='http://www.w3.org/2004/08/xop/include' href='http://127.0.0.1:1/'/></f></getRate>",
            ),
            Code::NotSoap,
        ),
    ];
    for (case, body, code) in cases {
        let message = v11(body);
        assert_eq!(code_of(&message), *code, "{case}");
        let shown = failed(&message);
        assert!(shown.starts_with("500 text/xml"), "{case}: {shown}");
        let blame = if *code == Code::SoapVersion {
            "VersionMismatch"
        } else {
            "Client"
        };
        assert!(
            shown.contains(&format!("<faultcode>soap:{blame}<")),
            "{case}: {shown}"
        );
        let body = body.replace(V12, "@").replace(V11, V12).replace('@', V11);
        let status = if *code == Code::SoapVersion {
            "500"
        } else {
            "400"
        };
        let shown = failed(&v12(&body));
        assert!(
            shown.starts_with(&format!("{status} application/soap+xml")),
            "{case}: {shown}"
        );
    }
}

#[test]
fn a_malformed_message_shows_line_and_column() {
    let broken = |namespace| envelope(namespace, "", "\n<getRate>1 & 2</getRate>");
    expect![[r#"
        500 text/xml; charset=utf-8
        <?xml version="1.0" encoding="UTF-8"?>
        <soap:Envelope xmlns:soap="http://schemas.xmlsoap.org/soap/envelope/">
        <soap:Body>
        <soap:Fault>
        <faultcode>soap:Client</faultcode>
        <faultstring>XML not well-formed at line 2, column 12: `&amp;` must be written `&amp;amp;`</faultstring>
        <detail>
        <error xmlns="urn:kladka:1">
        <code>KL-I100</code>
        <cid>cid-1</cid>
        </error>
        </detail>
        </soap:Fault>
        </soap:Body>
        </soap:Envelope>
    "#]]
    .assert_eq(&failed(&v11(&broken(V11))));
    expect![[r#"
        400 application/soap+xml; charset=utf-8
        <?xml version="1.0" encoding="UTF-8"?>
        <soap:Envelope xmlns:soap="http://www.w3.org/2003/05/soap-envelope">
        <soap:Body>
        <soap:Fault>
        <soap:Code>
        <soap:Value>soap:Sender</soap:Value>
        </soap:Code>
        <soap:Reason>
        <soap:Text xml:lang="en">XML not well-formed at line 2, column 12: `&amp;` must be written `&amp;amp;`</soap:Text>
        </soap:Reason>
        <soap:Detail>
        <error xmlns="urn:kladka:1">
        <code>KL-I100</code>
        <cid>cid-1</cid>
        </error>
        </soap:Detail>
        </soap:Fault>
        </soap:Body>
        </soap:Envelope>
    "#]]
    .assert_eq(&failed(&v12(&broken(V12))));
}

#[test]
fn an_action_that_speaks_of_something_else_is_refused() {
    let body = envelope(V11, "", REQUEST);
    let other = inbound(
        &[("content-type", "text/xml"), ("soapaction", "delete-all")],
        &body,
    );
    assert_eq!(code_of(&other), Code::SoapAction);
    let spoofed = v11(&envelope(
        V11,
        "",
        "<deleteAll xmlns='urn:linuxjournal:rates'/>",
    ));
    let fault = channel().decode(&spoofed).err().unwrap();
    assert_eq!(
        fault.message(),
        "action `get-rates` and body element `{urn:linuxjournal:rates}deleteAll` do not belong together"
    );
    assert_eq!(
        code_of(&inbound(&[], &envelope(V11, "", ""))),
        Code::SoapAction
    );
}

#[test]
fn an_unknown_version_is_told_which_are_known() {
    let body = envelope("http://www.w3.org/2001/12/soap-envelope", "", REQUEST);
    expect![[r#"
        500 text/xml; charset=utf-8
        <?xml version="1.0" encoding="UTF-8"?>
        <soap:Envelope xmlns:soap="http://schemas.xmlsoap.org/soap/envelope/">
        <soap:Header>
        <up:Upgrade xmlns:up="http://www.w3.org/2003/05/soap-envelope">
        <up:SupportedEnvelope qname="own:Envelope" xmlns:own="http://schemas.xmlsoap.org/soap/envelope/"/>
        <up:SupportedEnvelope qname="own:Envelope" xmlns:own="http://www.w3.org/2003/05/soap-envelope"/>
        </up:Upgrade>
        </soap:Header>
        <soap:Body>
        <soap:Fault>
        <faultcode>soap:VersionMismatch</faultcode>
        <faultstring>envelope namespace `http://www.w3.org/2001/12/soap-envelope` is not that of SOAP 1.1 or 1.2</faultstring>
        <detail>
        <error xmlns="urn:kladka:1">
        <code>KL-I111</code>
        <cid>cid-1</cid>
        </error>
        </detail>
        </soap:Fault>
        </soap:Body>
        </soap:Envelope>
    "#]]
    .assert_eq(&failed(&inbound(&[], &body)));
    let only = make(SoapOptions {
        version: vec!["1.1".to_owned()],
        ..SoapOptions::default()
    });
    let message = v12(&envelope(V12, "", REQUEST));
    let fault = only.decode(&message).err().unwrap();
    let shown = shown(&only.fault(&fault, &message));
    assert!(shown.starts_with("500 application/soap+xml"), "{shown}");
    assert_eq!(shown.matches("SupportedEnvelope").count(), 1, "{shown}");
}

#[test]
fn a_header_that_must_be_understood_is_named() {
    let header = |namespace: &str, must: &str| {
        let header =
            format!("<s:Header><t:Trans xmlns:t='urn:t' s:mustUnderstand='{must}'/></s:Header>");
        envelope(namespace, &header, REQUEST)
    };
    expect![[r#"
        500 text/xml; charset=utf-8
        <?xml version="1.0" encoding="UTF-8"?>
        <soap:Envelope xmlns:soap="http://schemas.xmlsoap.org/soap/envelope/">
        <soap:Body>
        <soap:Fault>
        <faultcode>soap:MustUnderstand</faultcode>
        <faultstring>header `{urn:t}Trans` must be understood but is not</faultstring>
        <detail>
        <error xmlns="urn:kladka:1">
        <code>KL-I112</code>
        <cid>cid-1</cid>
        </error>
        </detail>
        </soap:Fault>
        </soap:Body>
        </soap:Envelope>
    "#]]
    .assert_eq(&failed(&v11(&header(V11, "1"))));
    expect![[r#"
        500 application/soap+xml; charset=utf-8
        <?xml version="1.0" encoding="UTF-8"?>
        <soap:Envelope xmlns:soap="http://www.w3.org/2003/05/soap-envelope">
        <soap:Header>
        <soap:NotUnderstood qname="h:Trans" xmlns:h="urn:t"/>
        </soap:Header>
        <soap:Body>
        <soap:Fault>
        <soap:Code>
        <soap:Value>soap:MustUnderstand</soap:Value>
        </soap:Code>
        <soap:Reason>
        <soap:Text xml:lang="en">header `{urn:t}Trans` must be understood but is not</soap:Text>
        </soap:Reason>
        <soap:Detail>
        <error xmlns="urn:kladka:1">
        <code>KL-I112</code>
        <cid>cid-1</cid>
        </error>
        </soap:Detail>
        </soap:Fault>
        </soap:Body>
        </soap:Envelope>
    "#]]
    .assert_eq(&failed(&v12(&header(V12, "true"))));
    assert!(channel().decode(&v11(&header(V11, "0"))).is_ok());
}

#[test]
fn headers_for_others_and_for_security_pass() {
    let wsse = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-secext-1.0.xsd";
    let good = [
        (
            V11,
            format!("<h:Security xmlns:h='{wsse}' s:mustUnderstand='1'/>"),
        ),
        (
            V11,
            "<h:x xmlns:h='urn:h' s:mustUnderstand='1' s:actor='urn:someone'/>".to_owned(),
        ),
        (
            V12,
            "<h:x xmlns:h='urn:h' s:mustUnderstand='true' s:role='urn:someone'/>".to_owned(),
        ),
        (
            V12,
            format!("<h:x xmlns:h='urn:h' s:mustUnderstand='1' s:role='{V12}/role/none'/>"),
        ),
        (V12, "<h:x xmlns:h='urn:h' mustUnderstand='1'/>".to_owned()),
    ];
    for (namespace, header) in good {
        let body = envelope(
            namespace,
            &format!("<s:Header>{header}</s:Header>"),
            REQUEST,
        );
        assert!(channel().decode(&inbound(&[], &body)).is_ok(), "{header}");
    }
    let bad = [
        (
            V11,
            "s:actor='http://schemas.xmlsoap.org/soap/actor/next'".to_owned(),
        ),
        (V11, "s:actor=''".to_owned()),
        (V12, format!("s:role='{V12}/role/next'")),
        (V12, format!("s:role='{V12}/role/ultimateReceiver'")),
    ];
    for (namespace, role) in bad {
        let header =
            format!("<s:Header><h:x xmlns:h='urn:h' s:mustUnderstand='1' {role}/></s:Header>");
        assert_eq!(
            code_of(&inbound(&[], &envelope(namespace, &header, REQUEST))),
            Code::MustUnderstand
        );
    }
}

#[test]
fn a_media_type_of_the_other_version_is_refused() {
    let cases = [
        (V11, "application/soap+xml", "415 text/xml"),
        (V12, "text/xml", "415 application/soap+xml"),
        (V11, "application/json", "415 text/xml"),
        (V12, "application/json", "415 application/soap+xml"),
        (
            V11,
            "multipart/related; type=\"application/xop+xml\"",
            "415 text/xml",
        ),
        (V11, "text/xml; charset=koi8-r", "415 text/xml"),
    ];
    for (namespace, kind, expected) in cases {
        let message = inbound(&[("content-type", kind)], &envelope(namespace, "", REQUEST));
        assert_eq!(code_of(&message), Code::MediaType, "{kind}");
        let shown = failed(&message);
        assert!(shown.starts_with(expected), "{kind}: {shown}");
    }
    let neutral = inbound(
        &[("content-type", "application/xml")],
        &envelope(V12, "", REQUEST),
    );
    assert!(channel().decode(&neutral).is_ok());
}

#[test]
fn the_version_is_known_even_when_nothing_can_be_read() {
    let utf16: Vec<u8> = envelope(V12, "", "")
        .encode_utf16()
        .flat_map(u16::to_le_bytes)
        .collect();
    let utf16 = Inbound {
        body: utf16.into(),
        ..inbound(&[], "")
    };
    let cases = [
        (
            inbound(&[], &format!("<s:Envelope xmlns:s='{V12}'><")),
            SoapVersion::V12,
        ),
        (
            inbound(&[], &format!("<!DOCTYPE a><s:Envelope xmlns:s=\"{V12}\">")),
            SoapVersion::V12,
        ),
        (
            inbound(&[], &format!("<s:Envelope s xmlns:s='{V12}'")),
            SoapVersion::V12,
        ),
        (utf16, SoapVersion::V12),
        (v12("{"), SoapVersion::V12),
        (v11("{"), SoapVersion::V11),
        (inbound(&[], ""), SoapVersion::V11),
        // The envelope wins over what it mentions and over the media type.
        (
            inbound(&[], &format!("<!-- {V12} -->{}", envelope(V11, "", ""))),
            SoapVersion::V11,
        ),
        (v12(&envelope(V11, "", "")), SoapVersion::V11),
    ];
    for (message, expected) in cases {
        assert_eq!(version::of_caller(&message), expected, "{message:?}");
    }
}

#[test]
fn each_fault_has_its_status_and_blame_in_both_versions() {
    let table = [
        (Code::Unauthorized, 401, "Client", 401, "Sender"),
        (Code::Forbidden, 403, "Client", 403, "Sender"),
        (Code::NoChannel, 404, "Client", 404, "Sender"),
        (Code::WrongMethod, 405, "Client", 405, "Sender"),
        (Code::BodyTooLarge, 413, "Client", 413, "Sender"),
        (Code::RateLimited, 429, "Client", 429, "Sender"),
        (Code::Overloaded, 503, "Server", 503, "Receiver"),
        (Code::CpuBudget, 504, "Server", 504, "Receiver"),
        (Code::InputType, 500, "Client", 400, "Sender"),
        (Code::SoapAction, 500, "Client", 400, "Sender"),
        (Code::ScriptError, 500, "Server", 500, "Receiver"),
        (Code::MemoryBudget, 500, "Server", 500, "Receiver"),
        (
            Code::SoapVersion,
            500,
            "VersionMismatch",
            500,
            "VersionMismatch",
        ),
        (
            Code::MustUnderstand,
            500,
            "MustUnderstand",
            500,
            "MustUnderstand",
        ),
    ];
    let (one, two) = (
        v11(&envelope(V11, "", REQUEST)),
        v12(&envelope(V12, "", REQUEST)),
    );
    for (code, status_one, blame_one, status_two, blame_two) in table {
        let fault = Fault::new(code, "it went wrong").detail("private: 10.0.0.1");
        let shown_one = shown(&channel().fault(&fault, &one));
        assert!(
            shown_one.starts_with(&status_one.to_string()),
            "{code}: {shown_one}"
        );
        assert!(
            shown_one.contains(&format!("<faultcode>soap:{blame_one}<")),
            "{code}: {shown_one}"
        );
        let shown_two = shown(&channel().fault(&fault, &two));
        assert!(
            shown_two.starts_with(&status_two.to_string()),
            "{code}: {shown_two}"
        );
        assert!(
            shown_two.contains(&format!("<soap:Value>soap:{blame_two}<")),
            "{code}: {shown_two}"
        );
        assert!(
            !shown_one.contains("private") && !shown_two.contains("private"),
            "{code}"
        );
    }
}

#[test]
fn what_a_script_chose_keeps_the_statuses_of_soap() {
    let fault =
        Fault::new(Code::ScriptFailed, "no rate <today>").chosen(Some(404), Some("NO-RATE".into()));
    let one = shown(&channel().fault(&fault, &v11(&envelope(V11, "", REQUEST))));
    assert!(
        one.starts_with("500 ") && one.contains("soap:Client") && one.contains("<code>NO-RATE<"),
        "{one}"
    );
    assert!(
        one.contains("<faultstring>no rate &lt;today&gt;</faultstring>"),
        "{one}"
    );
    let two = shown(&channel().fault(&fault, &v12(&envelope(V12, "", REQUEST))));
    assert!(
        two.starts_with("400 ") && two.contains("soap:Sender"),
        "{two}"
    );
}

#[test]
fn a_challenge_for_ws_security_and_wrong_fields_are_told_in_its_words() {
    let challenge = r#"WSSE realm="rates", profile="UsernameToken""#;
    let fault =
        Fault::new(Code::Unauthorized, "not authenticated").header("WWW-Authenticate", challenge);
    expect![[r#"
        401 text/xml; charset=utf-8
        WWW-Authenticate: WSSE realm="rates", profile="UsernameToken"
        <?xml version="1.0" encoding="UTF-8"?>
        <soap:Envelope xmlns:soap="http://schemas.xmlsoap.org/soap/envelope/">
        <soap:Body>
        <soap:Fault>
        <faultcode xmlns:wsse="http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-secext-1.0.xsd">wsse:FailedAuthentication</faultcode>
        <faultstring>not authenticated</faultstring>
        <detail>
        <error xmlns="urn:kladka:1">
        <code>KL-A401</code>
        <cid>cid-1</cid>
        </error>
        </detail>
        </soap:Fault>
        </soap:Body>
        </soap:Envelope>
    "#]]
    .assert_eq(&shown(&channel().fault(&fault, &v11(&envelope(V11, "", REQUEST)))));
    let error = |name: &str, code| FieldError {
        path: vec![Segment::Name(name.into()), Segment::Index(1)],
        code,
        detail: "`x` is not an int".to_owned(),
    };
    let errors = vec![
        error("year", Code::InputType),
        error("month", Code::InputMissing),
    ];
    let fault = Fault::new(Code::InputRejected, "2 inputs are not acceptable").errors(errors);
    expect![[r#"
        400 application/soap+xml; charset=utf-8
        <?xml version="1.0" encoding="UTF-8"?>
        <soap:Envelope xmlns:soap="http://www.w3.org/2003/05/soap-envelope">
        <soap:Body>
        <soap:Fault>
        <soap:Code>
        <soap:Value>soap:Sender</soap:Value>
        </soap:Code>
        <soap:Reason>
        <soap:Text xml:lang="en">2 inputs are not acceptable</soap:Text>
        </soap:Reason>
        <soap:Detail>
        <error xmlns="urn:kladka:1">
        <code>KL-I104</code>
        <cid>cid-1</cid>
        <field pointer="/getRate/year[2]" code="KL-I101">`x` is not an int</field>
        <field pointer="/getRate/month[2]" code="KL-I102">`x` is not an int</field>
        </error>
        </soap:Detail>
        </soap:Fault>
        </soap:Body>
        </soap:Envelope>
    "#]]
    .assert_eq(&shown(
        &channel().fault(&fault, &v12(&envelope(V12, "", REQUEST))),
    ));
}

#[test]
fn wrong_options_are_refused() {
    let bad = [
        SoapOptions {
            version: vec![],
            ..SoapOptions::default()
        },
        SoapOptions {
            version: vec!["1.3".to_owned()],
            ..SoapOptions::default()
        },
        SoapOptions {
            operation: "a b".to_owned(),
            ..SoapOptions::default()
        },
    ];
    for soap in bad {
        let made = SoapFormat.make(&FormatOptions {
            soap,
            ..FormatOptions::default()
        });
        assert_eq!(made.err().unwrap().code(), Code::ConfigConstraint);
    }
}
