//! What each format does with messages, answers and faults.

use std::sync::Arc;

use bytes::Bytes;

use crate::base::ServiceName;
use crate::base::{Cid, Code, Fault, FieldError, Inbound, Map, Meta, Place, Reply, Segment, Value};
use crate::contract::{Answer, Declaration, Field, Format, FormatMaker, FormatOptions, Ty, Wrap};
use crate::format::csv::CsvFormat;
use crate::format::form::FormFormat;
use crate::format::json::JsonFormat;
use crate::format::json_read;
use crate::format::json_tests::written;
use crate::format::raw::RawFormat;

fn inbound(body: &[u8], content_type: Option<&str>) -> Inbound {
    let mut meta = Meta::default();
    if let Some(value) = content_type {
        meta.headers.insert("content-type", value.parse().unwrap());
    }
    Inbound {
        cid: Cid::accept("c1").unwrap(),
        meta: Arc::new(meta),
        body: Bytes::copy_from_slice(body),
    }
}

fn declaration(output: Option<&[&str]>) -> Declaration {
    let field = |name: &&str| Field {
        name: (*name).into(),
        ty: Ty::Text,
        optional: true,
        default: None,
        sensitive: false,
        constraint: None,
        doc: String::new(),
    };
    let fields = |names: &[&str]| names.iter().map(field).collect();
    Declaration {
        name: ServiceName::new("test.service").unwrap(),
        doc: String::new(),
        input: None,
        output: output.map(fields),
        timeout: None,
        cpu: None,
        uses: None,
        place: Place::new("scripts/a.lua", 1, 1),
        language: "lua",
    }
}

fn make(maker: &dyn FormatMaker, options: &FormatOptions) -> Arc<dyn Format> {
    maker.make(options).unwrap()
}

fn strict() -> FormatOptions {
    FormatOptions {
        strict: true,
        ..FormatOptions::default()
    }
}

fn encode(format: &dyn Format, answer: Answer) -> Result<Reply, Fault> {
    format.encode(&declaration(None), answer, &inbound(b"", None))
}

fn value(json: &str) -> Value {
    json_read::read(json.as_bytes()).unwrap()
}

fn answer(json: &str) -> Answer {
    Answer {
        value: value(json),
        ..Answer::default()
    }
}

fn decoded(format: &dyn Format, body: &[u8], content_type: Option<&str>) -> Result<Value, Fault> {
    format
        .decode(&inbound(body, content_type))
        .map(|decoded| decoded.value)
}

#[test]
fn the_wrapper_of_json_is_an_option() {
    for (wrap, body) in [
        ("response", r#"{"response":{"rate":"1.22"}}"#),
        ("none", r#"{"rate":"1.22"}"#),
        ("a\"b", r#"{"a\"b":{"rate":"1.22"}}"#),
    ] {
        let options = FormatOptions {
            wrap: Wrap(wrap.to_owned()),
            ..FormatOptions::default()
        };
        let reply = encode(&*make(&JsonFormat, &options), answer(r#"{"rate":"1.22"}"#)).unwrap();
        assert_eq!(reply.body, body);
        assert_eq!(
            (reply.status, reply.media_type.as_str()),
            (200, "application/json")
        );
    }
    let wrap = Wrap(String::new());
    let options = FormatOptions {
        wrap,
        ..FormatOptions::default()
    };
    assert!(JsonFormat.make(&options).is_err());
}

#[test]
fn an_empty_body_is_no_input_and_the_media_type_counts_only_when_strict() {
    let (lenient, strict) = (
        make(&JsonFormat, &FormatOptions::default()),
        make(&JsonFormat, &strict()),
    );
    assert_eq!(decoded(&*lenient, b"", None).unwrap(), Value::Null);
    assert_eq!(decoded(&*strict, b"", None).unwrap(), Value::Null);
    for good in [
        "application/json",
        "application/json; charset=UTF-8",
        "application/x+json",
    ] {
        assert!(decoded(&*strict, b"{}", Some(good)).is_ok(), "{good}");
    }
    for bad in [
        "text/json",
        "application/x-www-form-urlencoded",
        "application/json; charset=utf-16",
    ] {
        let fault = decoded(&*strict, b"{}", Some(bad)).unwrap_err();
        assert_eq!(
            (fault.code(), fault.status()),
            (Code::MediaType, 415),
            "{bad}"
        );
    }
    assert!(decoded(&*strict, b"{}", None).is_err());
    assert!(decoded(&*lenient, b"{}", Some("application/x-www-form-urlencoded")).is_ok());
    let charset = "application/json; charset=\"UTF-16\"";
    assert_eq!(
        decoded(&*lenient, b"{}", Some(charset)).unwrap_err().code(),
        Code::MediaType
    );
}

#[test]
fn an_answer_may_choose_status_media_type_and_headers() {
    let json = make(&JsonFormat, &FormatOptions::default());
    let mut own = answer("{}");
    own.status = Some(201);
    own.media_type = Some("application/x+json".into());
    own.headers = vec![("Location".into(), "/a".into())];
    let reply = encode(&*json, own).unwrap();
    assert_eq!(
        (reply.status, reply.media_type.as_str()),
        (201, "application/x+json")
    );
    assert_eq!(reply.headers, [("Location".into(), "/a".into())]);
    let mut text = answer(r#""<a/>""#);
    text.media_type = Some("text/xml".into());
    assert_eq!(encode(&*json, text).unwrap().body, "<a/>");
    let mut bare = answer("{}");
    bare.status = Some(204);
    let reply = encode(&*json, bare).unwrap();
    assert!(reply.body.is_empty() && reply.media_type.is_empty());
}

#[test]
fn an_answer_cannot_smuggle_headers_or_break_the_frame() {
    let json = make(&JsonFormat, &FormatOptions::default());
    let header = |name: &str, value: &str| Answer {
        headers: vec![(name.into(), value.into())],
        ..Answer::default()
    };
    let media = |text: &str| Answer {
        media_type: Some(text.into()),
        ..Answer::default()
    };
    let status = |status| Answer {
        status: Some(status),
        ..Answer::default()
    };
    for bad in [
        header("X-A", "a\r\nX-B: b"),
        header("X-A\r\nX-B", "b"),
        header("X A", "b"),
        header("", "b"),
        header("Content-Length", "0"),
        header("Transfer-Encoding", "chunked"),
        header("content-type", "text/plain"),
        header("X-Correlation-ID", "forged"),
        header("X-A", &"a".repeat(40_000)),
        media("text/plain\r\nX-B: b"),
        media("text"),
        media("/"),
        status(99),
        status(101),
        status(600),
    ] {
        let shown = format!("{bad:.100?}");
        let fault = encode(&*json, bad).expect_err(&shown);
        assert_eq!(
            (fault.code(), fault.status()),
            (Code::OutputRejected, 500),
            "{shown}"
        );
    }
}

#[test]
fn a_fault_is_a_problem_that_shows_no_private_detail() {
    let path = vec![Segment::Name("month".into())];
    let error = FieldError {
        path,
        code: Code::InputType,
        detail: "must be a whole number".into(),
    };
    let fault = Fault::new(Code::InputType, "input `/month` must be a whole number")
        .hint("Send a number.")
        .detail("secret")
        .header("WWW-Authenticate", "Basic")
        .errors(vec![error]);
    for maker in [
        &JsonFormat as &dyn FormatMaker,
        &FormFormat,
        &CsvFormat,
        &RawFormat,
    ] {
        let format = make(maker, &FormatOptions::default());
        let reply = format.fault(&fault, &inbound(b"", None));
        assert_eq!(reply.media_type, "application/problem+json");
        assert_eq!(reply.status, 400);
        assert_eq!(reply.headers, [("WWW-Authenticate".into(), "Basic".into())]);
        let body = std::str::from_utf8(&reply.body).unwrap();
        let expected = concat!(
            r#"{"type":"urn:kladka:error:I101","title":"Wrong type","status":400,"#,
            r#""detail":"input `/month` must be a whole number","instance":"urn:cid:c1","#,
            r#""code":"KL-I101","cid":"c1","hint":"Send a number.","#,
            r#""errors":[{"pointer":"/month","code":"KL-I101","detail":"must be a whole number"}]}"#
        );
        assert_eq!(body, expected, "{}", maker.name());
    }
}

#[test]
fn a_form_is_read_strictly_and_answered_as_json() {
    let form = make(&FormFormat, &FormatOptions::default());
    let read = |body: &[u8]| decoded(&*form, body, None).map(|value| written(&value));
    assert_eq!(read(b"").unwrap(), "null");
    assert_eq!(
        read(b"a=1&b=x+y%20%C5%BC&a=2&c&&=d").unwrap(),
        r#"{"a":["1","2"],"b":"x y ż","c":"","":"d"}"#
    );
    assert_eq!(read(b"a=%ff").unwrap_err().code(), Code::Malformed);
    for (body, sign) in [
        (&b"a=%zz"[..], "`%zz`"),
        (b"a=1%", "`%`"),
        (b"a=%4", "`%4`"),
        (b"b=%41&%4g=1", "`%4g`"),
        (b"a=%+41", "`% 4`"),
        (b"a=%\xff\n", "`%\u{fffd}\\n`"),
    ] {
        let fault = read(body).unwrap_err();
        assert_eq!(fault.code(), Code::Malformed, "{sign}");
        assert!(fault.message().contains(sign), "{sign}: {fault}");
    }
    let many = "a=1&".repeat(1_001);
    assert_eq!(read(many.as_bytes()).unwrap_err().code(), Code::TooDeep);
    let reply = encode(&*form, answer(r#"{"rate":"1.22"}"#)).unwrap();
    assert_eq!(reply.body, r#"{"rate":"1.22"}"#);
    let strict = make(&FormFormat, &strict());
    assert!(decoded(&*strict, b"a=1", Some("application/x-www-form-urlencoded")).is_ok());
    assert!(decoded(&*strict, b"a=1", Some("text/plain")).is_err());
}

#[test]
fn csv_is_a_list_of_rows_both_ways() {
    let csv = make(&CsvFormat, &FormatOptions::default());
    let read = |body: &[u8]| decoded(&*csv, body, None).map(|value| written(&value));
    assert_eq!(read(b"").unwrap(), "[]");
    assert_eq!(read(b"a,b\n").unwrap(), "[]");
    let text = "\u{feff}a,b\r\n1,\"x, \"\"y\"\"\"\r\n2,\n";
    assert_eq!(
        read(text.as_bytes()).unwrap(),
        r#"[{"a":"1","b":"x, \"y\""},{"a":"2","b":""}]"#
    );
    for (bad, code) in [
        (&b"a,a\n1,2"[..], Code::DuplicateKey),
        (b"a,b\n1", Code::Malformed),
        (b"a\n\xff", Code::Malformed),
    ] {
        assert_eq!(read(bad).unwrap_err().code(), code);
    }
    let rows = r#"[{"a":1,"b":"x, \"y\""},{"b":null,"c":true}]"#;
    let reply = encode(&*csv, answer(rows)).unwrap();
    assert_eq!(reply.body, "a,b,c\r\n1,\"x, \"\"y\"\"\",\r\n,,true\r\n");
    assert_eq!(reply.media_type, "text/csv; charset=utf-8");
    let declared = declaration(Some(&["c", "a"]));
    let reply = csv
        .encode(&declared, answer(r#"[{"a":1}]"#), &inbound(b"", None))
        .unwrap();
    assert_eq!(reply.body, "c,a\r\n,1\r\n");
    assert_eq!(
        encode(&*csv, answer(r#"{"rows":[{"a":1}]}"#)).unwrap().body,
        "a\r\n1\r\n"
    );
    assert_eq!(encode(&*csv, answer("[]")).unwrap().body, "");
    for bad in ["[1]", r#"[{"a":[1]}]"#, "3"] {
        assert_eq!(
            encode(&*csv, answer(bad)).unwrap_err().code(),
            Code::OutputRejected,
            "{bad}"
        );
    }
}

#[test]
fn a_spreadsheet_runs_no_cell_of_ours() {
    let csv = make(&CsvFormat, &FormatOptions::default());
    for (cell, expected) in [
        ("=1+1", "'=1+1"),
        ("+cmd", "'+cmd"),
        ("-cmd", "'-cmd"),
        ("@a", "'@a"),
        ("\t=1", "'\t=1"),
        ("-1.22", "-1.22"),
        ("a=b", "a=b"),
    ] {
        let mut row = Map::new();
        row.set("a", cell);
        let answer = Answer {
            value: Value::List(vec![row.into()]),
            ..Answer::default()
        };
        let body = encode(&*csv, answer).unwrap().body;
        assert_eq!(body, format!("a\r\n{expected}\r\n"));
    }
}

#[test]
fn raw_bodies_pass_as_they_are() {
    let raw = make(&RawFormat, &FormatOptions::default());
    assert_eq!(decoded(&*raw, b"", None).unwrap(), Value::Null);
    assert_eq!(
        decoded(&*raw, "ż".as_bytes(), None).unwrap(),
        Value::text("ż")
    );
    let bytes = Value::Bytes(Bytes::from_static(b"\xff"));
    assert_eq!(decoded(&*raw, b"\xff", None).unwrap(), bytes);
    let binary = Some("application/octet-stream");
    assert_eq!(
        decoded(&*raw, b"a", binary).unwrap(),
        Value::Bytes(Bytes::from_static(b"a"))
    );
    let reply = encode(&*raw, answer(r#""ż""#)).unwrap();
    assert_eq!(
        (reply.body, reply.media_type.as_str()),
        (Bytes::from("ż"), "text/plain; charset=utf-8")
    );
    let own = Answer {
        value: bytes,
        ..Answer::default()
    };
    let reply = encode(&*raw, own).unwrap();
    assert_eq!(
        (&reply.body[..], reply.media_type.as_str()),
        (&b"\xff"[..], "application/octet-stream")
    );
    let reply = encode(&*raw, Answer::default()).unwrap();
    assert!(reply.body.is_empty() && reply.media_type.is_empty());
    assert_eq!(
        encode(&*raw, answer("{}")).unwrap_err().code(),
        Code::OutputRejected
    );
}
