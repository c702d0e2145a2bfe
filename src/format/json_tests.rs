//! A corpus of JSON documents, and round trips of values.

use bytes::Bytes;
use proptest::prelude::*;

use crate::base::{Code, Handle, Map, Object, Text, Value};
use crate::format::{json_read, json_write};

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

pub(super) fn written(value: &Value) -> String {
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
    for bytes in NO_TEXT {
        refused(bytes, Code::Malformed);
    }
    for text in DOUBLES {
        refused(text.as_bytes(), Code::DuplicateKey);
    }
    for text in ["", " ", "\n", "{}{}", "{}\n{}", "[] x", "1,", "nulll"] {
        refused(text.as_bytes(), Code::Malformed);
        count += 1;
    }
    count += NO_TEXT.len() + DOUBLES.len();
    assert!(count >= 250, "{count} documents");
}

#[test]
fn depth_and_size_are_capped_before_they_cost() {
    let nested = |n: usize| ["[", "]"].map(|text| text.repeat(n)).concat();
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
    impl Object for Thing {
        fn class(&self) -> &'static str {
            "thing"
        }
        fn as_any(&self) -> &dyn std::any::Any {
            self
        }
    }
    let deep = (0..70).fold(Value::Null, |inner, _| Value::List(vec![inner]));
    let handle = Value::Handle(Handle::new(Thing));
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
    map.push("date".into(), Value::Date("2013-09-03".parse().unwrap()));
    let moment = "2013-09-03T10:00:00+02:00".parse().unwrap();
    map.push("datetime".into(), Value::DateTime(moment));
    map.push(
        "uuid".into(),
        Value::Uuid("67e5504410b1426f9247bb680e5fe0c8".parse().unwrap()),
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
    fn a_text_ends_where_a_walk_byte_by_byte_ends_it(bytes in proptest::collection::vec(prop_oneof![
        any::<u8>(), Just(b'"'), Just(b'\\'), Just(0x1f), Just(0x20), Just(b'!'), 0x80_u8..=0xff
    ], 0..40), at in 0_usize..40) {
        let mut bytes: Vec<u8> = bytes.into_iter().map(|byte| match byte {
            b'"' | b'\\' | 0..=0x1f => b'x',
            other => other,
        }).collect();
        prop_assert_eq!(json_read::plain_length(&bytes), bytes.len());
        for special in [b'"', b'\\', 0, 0x1f] {
            if let Some(byte) = bytes.get_mut(at) {
                *byte = special;
                prop_assert_eq!(json_read::plain_length(&bytes), at);
            }
        }
    }

    #[test]
    fn a_name_given_twice_is_found_among_any(names in proptest::collection::hash_set("[a-z]{0,5}", 1..40), at in any::<proptest::sample::Index>()) {
        let names: Vec<String> = names.into_iter().collect();
        let text = |names: &[String]| {
            let members: Vec<String> = names.iter().map(|name| format!("{name:?}:1")).collect();
            format!("{{{}}}", members.join(","))
        };
        prop_assert!(json_read::read(text(&names).as_bytes()).is_ok());
        let doubled = [names.clone(), vec![at.get(&names).clone()]].concat();
        let fault = json_read::read(text(&doubled).as_bytes()).unwrap_err();
        prop_assert_eq!(fault.code(), Code::DuplicateKey);
    }

    #[test]
    fn bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..64)) {
        drop(json_read::read(&bytes));
    }
}
