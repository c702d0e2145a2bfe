//! The corpus of JSON documents, round trips, and what each format does with messages, answers and faults.

use std::sync::Arc;

use bytes::Bytes;
use proptest::prelude::*;

use crate::base::{Cid, Code, Fault, FieldError, Inbound, Map, Meta, Place, Reply, Segment, Value};
use crate::base::{ServiceName, Text};
use crate::contract::{Answer, Declaration, Format, FormatMaker, FormatOptions, Wrap};
use crate::format::csv::CsvFormat;
use crate::format::form::FormFormat;
use crate::format::json::JsonFormat;
use crate::format::raw::RawFormat;
use crate::format::{json_read, json_write};
use crate::sio;

/// Values in any spelling, and how they are written back.
const VALUES: &[(&str, &str)] = &[
    ("null", "null"),
    ("true", "true"),
    ("false", "false"),
    ("0", "0"),
    ("-0", "0"),
    ("1", "1"),
    ("-1", "-1"),
    ("9007199254740993", "9007199254740993"),
    ("9223372036854775807", "9223372036854775807"),
    ("-9223372036854775808", "-9223372036854775808"),
    ("9223372036854775808", "9223372036854775808"),
    ("18446744073709551615", "18446744073709551615"),
    ("18446744073709551616", r#""18446744073709551616""#),
    ("-9223372036854775809", r#""-9223372036854775809""#),
    (
        "79228162514264337593543950335",
        r#""79228162514264337593543950335""#,
    ),
    ("1.22", "1.22"),
    ("1.50", "1.5"),
    ("0.1", "0.1"),
    ("-0.0", "-0.0"),
    ("3.0", "3.0"),
    ("0.30000000000000004", "0.30000000000000004"),
    ("3.141592653589793", "3.141592653589793"),
    ("1.2345678901234567890", r#""1.2345678901234567890""#),
    ("9007199254740993.0", r#""9007199254740993.0""#),
    ("1e2", "100.0"),
    ("1E+2", "100.0"),
    ("1e-2", "0.01"),
    ("1.5e300", "1.5e300"),
    ("2.2250738585072014e-308", "2.2250738585072014e-308"),
    ("5e-324", "5e-324"),
    ("1e-400", "0.0"),
    (r#""""#, r#""""#),
    (r#""a""#, r#""a""#),
    (r#""a b""#, r#""a b""#),
    (r#""żółć""#, r#""żółć""#),
    (r#""日本語""#, r#""日本語""#),
    (r#""😀""#, r#""😀""#),
    (r#""\u0061""#, r#""a""#),
    (r#""\u017c""#, r#""ż""#),
    (r#""\uD83D\uDE00""#, r#""😀""#),
    (r#""\ud83d\ude00""#, r#""😀""#),
    (r#""\"\\\/""#, r#""\"\\/""#),
    (r#""\b\f\n\r\t""#, r#""\b\f\n\r\t""#),
    (r#""\u0000""#, r#""\u0000""#),
    (r#""\u001f""#, r#""\u001f""#),
    (r#""\u007f""#, "\"\u{7f}\""),
    (r#""\u2028""#, "\"\u{2028}\""),
    (r#""\uFFFF""#, "\"\u{ffff}\""),
    ("\"\u{202e}\"", "\"\u{202e}\""),
    (
        r#""a text that is too long to live inside the value itself""#,
        r#""a text that is too long to live inside the value itself""#,
    ),
    (
        r#""a text that is too long to live inside, \u0061nd escaped""#,
        r#""a text that is too long to live inside, and escaped""#,
    ),
    ("[]", "[]"),
    ("[ ]", "[]"),
    ("{}", "{}"),
    ("{ }", "{}"),
    ("[[]]", "[[]]"),
    ("[1,2,3]", "[1,2,3]"),
    ("[ 1 , 2 ]", "[1,2]"),
    ("[1,\"2\",null,{}]", "[1,\"2\",null,{}]"),
    (r#"{"b":1,"a":2}"#, r#"{"b":1,"a":2}"#),
    (r#"{"a":{"a":{"a":1}}}"#, r#"{"a":{"a":{"a":1}}}"#),
    (r#"{"":0}"#, r#"{"":0}"#),
    (r#"{"a":1,"A":2}"#, r#"{"a":1,"A":2}"#),
    (
        r#"{"__proto__":1,"constructor":2,"$ref":"x"}"#,
        r#"{"__proto__":1,"constructor":2,"$ref":"x"}"#,
    ),
    (r#"{"a\u0000b":1}"#, r#"{"a\u0000b":1}"#),
    ("{\"a\"\t:\r\n1}", r#"{"a":1}"#),
];

/// Where a value may stand: text before, text after, and the same as it is written back.
const PLACES: &[(&str, &str, &str, &str)] = &[
    ("", "", "", ""),
    (" \t\r\n", " \n", "", ""),
    ("[", "]", "[", "]"),
    ("[0, ", " ,0 ]", "[0,", ",0]"),
    (r#"{"x" : "#, "}", r#"{"x":"#, "}"),
];

/// What is not a value, wherever it stands.
const NO_VALUES: &[&str] = &[
    "nul",
    "nulL",
    "NULL",
    "True",
    "tru",
    "fals",
    "undefined",
    "NaN",
    "-NaN",
    "Infinity",
    "-Infinity",
    "inf",
    "+1",
    "01",
    "-01",
    "00",
    "1.",
    ".1",
    "-.1",
    "-",
    "--1",
    "1e",
    "1e+",
    "1E-",
    "1.e1",
    "0x10",
    "1_000",
    "1a",
    "0e",
    "1.2.3",
    "１",
    "1 2",
    "'a'",
    "a",
    "\"",
    "\"a",
    "\"\\\"",
    "\"\\x41\"",
    "\"\\a\"",
    "\"\\'\"",
    "\"\\u\"",
    "\"\\u12\"",
    "\"\\u12G4\"",
    "\"\\U0041\"",
    "\"\t\"",
    "\"\n\"",
    "\"\u{0}\"",
    "\"\u{1f}\"",
    "[",
    "]",
    "[1",
    "[1,",
    "[,1]",
    "[1,,2]",
    "[1 2]",
    "[1,]",
    "[1;2]",
    "[1]]",
    "{",
    "}",
    "{\"a\"",
    "{\"a\":",
    "{\"a\":1",
    "{\"a\":1,",
    "{\"a\":1,}",
    "{\"a\" 1}",
    "{\"a\":}",
    "{:1}",
    "{a:1}",
    "{'a':1}",
    "{1:1}",
    "{null:1}",
    "{\"a\":1 \"b\":2}",
    "{\"a\":1;}",
    "{,}",
    "{\"a\",1}",
    "[}",
    "{]",
    "// a\n1",
    "/* a */1",
    "1//",
    "# a\n1",
    "\u{a0}1",
    "1\u{a0}",
    "\u{c}1",
    "\u{b}1",
    "\u{feff}1",
    "<a/>",
    "1e400",
    "-1e400",
    "1E1000000",
    "79228162514264337593543950336",
    "-79228162514264337593543950336",
    "\"\\ud800\"",
    "\"\\udc00\"",
    "\"\\ud800\\ud800\"",
    "\"\\ud800a\"",
    "\"\\ud800\\n\"",
    "\"\\udc00\\ud800\"",
    "\"\\ud83d\\u0041\"",
];

/// Bytes that are no text.
const NO_TEXT: &[&[u8]] = &[
    b"\"\xff\"",
    b"\"\xc0\xaf\"",
    b"\"\xe0\x80\xaf\"",
    b"\"\xed\xa0\x80\"",
    b"\"\xf4\xbf\xbf\xbf\"",
    b"\"\xc3\"",
    b"\"\xf0\x9f\x98\"",
    b"\x80",
    b"{\"\xff\":1}",
    b"[\xff]",
    b"\xef\xbb\xbf{}",
    b"\xff\xfe[\0]\0",
    b"\xfe\xff\0[\0]",
    b"[\0]\0",
    b"\0",
    b"\xef\xbb",
];

/// Names given twice.
const DOUBLES: &[&str] = &[
    r#"{"a":1,"a":1}"#,
    r#"{"a":1,"a":2}"#,
    r#"{"a":1,"\u0061":2}"#,
    r#"{"b":{"a":1,"a":2}}"#,
    r#"[{"a":1,"b":2,"a":3}]"#,
    r#"{"":1,"":2}"#,
    r#"{"\u0000":1,"\u0000":2}"#,
];

fn written(value: &Value) -> String {
    let mut out = Vec::new();
    json_write::write(&mut out, value).unwrap();
    String::from_utf8(out).unwrap()
}

fn refused(bytes: &[u8], code: Code) {
    let shown = String::from_utf8_lossy(bytes);
    match json_read::read(bytes) {
        Ok(value) => panic!("accepted {shown} as {value:?}"),
        Err(fault) => {
            assert_eq!(fault.code(), code, "{shown}");
            assert_eq!(fault.status(), 400, "{shown}");
            assert!(fault.message().contains("line "), "{fault}");
        }
    }
}

#[test]
fn a_corpus_of_documents_is_read_or_refused_as_the_table_says() {
    let mut count = 0;
    for (value, canonical) in VALUES {
        for (before, after, open, close) in PLACES {
            let document = format!("{before}{value}{after}");
            let read = json_read::read(document.as_bytes());
            let read = read.unwrap_or_else(|fault| panic!("{document}: {fault}"));
            assert_eq!(
                written(&read),
                format!("{open}{canonical}{close}"),
                "{document}"
            );
            count += 1;
        }
    }
    for bad in NO_VALUES {
        for (before, after, ..) in PLACES {
            refused(format!("{before}{bad}{after}").as_bytes(), Code::Malformed);
            count += 1;
        }
    }
    NO_TEXT
        .iter()
        .for_each(|bytes| refused(bytes, Code::Malformed));
    DOUBLES
        .iter()
        .for_each(|text| refused(text.as_bytes(), Code::DuplicateKey));
    for text in ["", " ", "\n", "{}{}", "{}\n{}", "[] x", "1,", "nulll"] {
        refused(text.as_bytes(), Code::Malformed);
        count += 1;
    }
    count += NO_TEXT.len() + DOUBLES.len();
    assert!(count >= 250, "{count} documents");
}

#[test]
fn depth_and_size_are_capped_before_they_cost() {
    let nested = |n: usize| "[".repeat(n) + &"]".repeat(n);
    assert!(json_read::read(nested(64).as_bytes()).is_ok());
    refused(nested(65).as_bytes(), Code::TooDeep);
    let start = std::time::Instant::now();
    refused("[".repeat(100_000).as_bytes(), Code::TooDeep);
    refused(r#"{"a":"#.repeat(50_000).as_bytes(), Code::TooDeep);
    refused("9".repeat(1 << 20).as_bytes(), Code::Malformed);
    refused(
        format!("1e{}", "9".repeat(1 << 20)).as_bytes(),
        Code::Malformed,
    );
    assert!(start.elapsed().as_millis() < 2_000, "{:?}", start.elapsed());
    refused(
        format!("[{}1]", "1,".repeat(1_000_000)).as_bytes(),
        Code::TooDeep,
    );
}

#[test]
fn many_names_are_searched_for_doubles_too() {
    let mut names: Vec<String> = (0..5_000).map(|n| format!("\"k{n}\":1")).collect();
    let document = |names: &[String]| format!("{{{}}}", names.join(","));
    let read = json_read::read(document(&names).as_bytes()).unwrap();
    assert_eq!(read.as_map().map(Map::len), Some(5_000));
    names.push("\"k\\u0037\":1".to_owned());
    refused(document(&names).as_bytes(), Code::DuplicateKey);
}

#[test]
fn a_refusal_names_line_and_column() {
    for (text, message) in [
        (
            "{\"a\":1,\n \"ż\":x}",
            "JSON, line 2, column 6: expected a value, found `x`",
        ),
        (
            "[1",
            "JSON, line 1, column 3: expected `,` or `]`, found the end",
        ),
        (
            "{\"a\":1,\n\"a\":2}",
            "JSON, line 2, column 1: the name `a` is given twice",
        ),
        (
            "01",
            "JSON, line 1, column 1: a number must not begin with 0",
        ),
    ] {
        let fault = json_read::read(text.as_bytes()).unwrap_err();
        assert_eq!(fault.message(), message);
    }
}

#[test]
fn what_json_cannot_hold_is_not_written() {
    struct Thing;
    impl crate::base::Object for Thing {
        fn class(&self) -> &'static str {
            "thing"
        }
        fn as_any(&self) -> &dyn std::any::Any {
            self
        }
    }
    let deep = (0..70).fold(Value::Null, |inner, _| Value::List(vec![inner]));
    let handle = Value::Handle(crate::base::Handle::new(Thing));
    for value in [
        f64::NAN.into_value(),
        f64::INFINITY.into_value(),
        deep,
        handle,
    ] {
        let fault = json_write::write(&mut Vec::new(), &value).unwrap_err();
        assert_eq!(fault.code(), Code::OutputRejected);
    }
}

trait IntoValue {
    fn into_value(self) -> Value;
}

impl IntoValue for f64 {
    fn into_value(self) -> Value {
        Value::Float(self)
    }
}

#[test]
fn exact_types_are_written_as_texts() {
    let mut map = Map::new();
    map.push("decimal".into(), Value::Decimal("1.220".parse().unwrap()));
    map.push(
        "date".into(),
        Value::Date(sio::date_of("2013-09-03").unwrap()),
    );
    let moment = sio::datetime_of("2013-09-03T10:00:00+02:00").unwrap();
    map.push("datetime".into(), Value::DateTime(moment));
    map.push(
        "uuid".into(),
        Value::Uuid(sio::uuid_of("67e5504410b1426f9247bb680e5fe0c8").unwrap()),
    );
    map.push(
        "bytes".into(),
        Value::Bytes(Bytes::from_static(b"\xff\x00")),
    );
    let expected = r#"{"decimal":"1.220","date":"2013-09-03","datetime":"2013-09-03T10:00:00+02:00","uuid":"67e55044-10b1-426f-9247-bb680e5fe0c8","bytes":"/wA="}"#;
    assert_eq!(written(&Value::Map(map)), expected);
}

fn json_value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::Bool),
        any::<i64>().prop_map(Value::Int),
        (i64::MAX as u64 + 1..).prop_map(Value::Uint),
        any::<f64>()
            .prop_filter("finite", |n| n.is_finite())
            .prop_map(Value::Float),
        any::<String>().prop_map(Value::from),
    ];
    leaf.prop_recursive(5, 60, 20, |inner| {
        let names = proptest::collection::btree_map(any::<String>(), inner.clone(), 0..20);
        prop_oneof![
            proptest::collection::vec(inner, 0..20).prop_map(Value::List),
            names.prop_map(|map| Value::Map(
                map.into_iter()
                    .map(|(name, value)| (Text::from(name), value))
                    .collect()
            )),
        ]
    })
}

proptest! {
    #[test]
    fn what_is_written_reads_back_the_same(value in json_value()) {
        prop_assert_eq!(json_read::read(written(&value).as_bytes()).unwrap(), value);
    }

    #[test]
    fn what_is_written_is_json_to_others(value in json_value()) {
        let text = written(&value);
        prop_assert!(serde_json::from_str::<serde_json::Value>(&text).is_ok(), "{}", text);
    }

    #[test]
    fn texts_are_accepted_or_refused_as_by_others(text in r#"[\[\]{}",:0-9eE+.a\\u \-]{0,24}"#) {
        let other = serde_json::from_str::<serde_json::Value>(&text).is_ok();
        match json_read::read(text.as_bytes()) {
            Ok(_) => prop_assert!(other, "accepted {}", text),
            Err(fault) if fault.code() == Code::DuplicateKey => prop_assert!(other),
            Err(fault) => prop_assert!(
                !other || fault.message().ends_with("a number too large to be exact"),
                "refused {}: {}", text, fault
            ),
        }
    }

    #[test]
    fn bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..64)) {
        drop(json_read::read(&bytes));
    }
}

// What formats do.

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
    let fields = |texts: &[&str]| {
        texts
            .iter()
            .map(|text| sio::parse_field(text).unwrap())
            .collect()
    };
    Declaration {
        name: ServiceName::new("test.service").unwrap(),
        doc: String::new(),
        input: None,
        output: output.map(fields),
        timeout: None,
        cpu: None,
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
    let declared = declaration(Some(&["c?", "a?"]));
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
