//! Tables of input and of output, for every type.

use crate::base::{Code, Fault, Place, ServiceName, Text, Value};
use crate::contract::{Answer, Declaration};
use crate::format::{json_read, json_write};
use crate::sio::{bind, check, check_answer, declare};

pub(super) fn json(text: &str) -> Value {
    json_read::read(text.as_bytes()).unwrap()
}

pub(super) fn shown(value: &Value) -> String {
    let mut out = Vec::new();
    json_write::write(&mut out, value).unwrap();
    String::from_utf8(out).unwrap()
}

/// Declares a service of a JSON text without its name.
pub(super) fn declared(body: &str) -> Declaration {
    let text = format!(
        r#"{{"name":"test.service"{}{body}}}"#,
        if body.is_empty() { "" } else { "," }
    );
    declare(&json(&text), Place::new("a.lua", 3, 1), "lua")
        .unwrap_or_else(|f| panic!("{body}: {f:?}"))
}

pub(super) fn input(fields: &str, message: &str) -> Result<String, Fault> {
    let declaration = declared(&format!(r#""input":[{fields}]"#));
    bind(&declaration, json(message), &[]).map(|value| shown(&value))
}

fn output(fields: &str, payload: Value) -> Result<String, Fault> {
    let declaration = declared(&format!(r#""output":[{fields}]"#));
    check(&declaration, payload).map(|value| shown(&value))
}

// Input.

/// Type, message value, bound value.
const GOOD_INPUT: &[(&str, &str, &str)] = &[
    ("text", r#""a""#, r#""a""#),
    ("text", r#""""#, r#""""#),
    ("int", "3", "3"),
    ("int", r#""3""#, "3"),
    ("int", r#"" -3 ""#, "-3"),
    ("int", "3.0", "3"),
    ("int", "9007199254740993", "9007199254740993"),
    ("int", r#""9007199254740993""#, "9007199254740993"),
    ("int", "9007199254740993.0", "9007199254740993"),
    ("int", "9223372036854775807", "9223372036854775807"),
    ("int", "-9223372036854775808", "-9223372036854775808"),
    ("int", "18446744073709551615", "18446744073709551615"),
    ("int", r#""18446744073709551615""#, "18446744073709551615"),
    ("float", "1.5", "1.5"),
    ("float", "3", "3.0"),
    ("float", r#""1e3""#, "1000.0"),
    ("float", "1.2345678901234567890", "1.2345678901234567"),
    ("decimal", r#""1.220""#, r#""1.220""#),
    ("decimal", "1.22", r#""1.22""#),
    ("decimal", "7", r#""7""#),
    (
        "decimal",
        "18446744073709551616",
        r#""18446744073709551616""#,
    ),
    (
        "decimal",
        "1.2345678901234567890",
        r#""1.2345678901234567890""#,
    ),
    (
        "decimal",
        r#""79228162514264337593543950335""#,
        r#""79228162514264337593543950335""#,
    ),
    ("bool", "true", "true"),
    ("bool", r#""false""#, "false"),
    ("bool", r#""TRUE""#, "true"),
    ("bool", r#""1""#, "true"),
    ("bool", r#""0""#, "false"),
    ("date", r#""2013-09-03""#, r#""2013-09-03""#),
    (
        "datetime",
        r#""2013-09-03T10:00:00Z""#,
        r#""2013-09-03T10:00:00+00:00""#,
    ),
    (
        "datetime",
        r#""2013-09-03T10:00:00.5+02:00""#,
        r#""2013-09-03T10:00:00.500+02:00""#,
    ),
    (
        "uuid",
        r#""67E55044-10B1-426F-9247-BB680E5FE0C8""#,
        r#""67e55044-10b1-426f-9247-bb680e5fe0c8""#,
    ),
    ("bytes", r#""/wA=""#, r#""/wA=""#),
    ("bytes", r#""_wA""#, r#""/wA=""#),
    ("map", r#"{"b":1,"a":[2]}"#, r#"{"b":1,"a":[2]}"#),
    ("map", r#""""#, "{}"),
    ("any", r#"[1,"x",{}]"#, r#"[1,"x",{}]"#),
    ("enum(a|b)", r#""b""#, r#""b""#),
    ("int[]", r#"[1,"2"]"#, "[1,2]"),
    ("int[]", r#""7""#, "[7]"),
    ("int[]", "[]", "[]"),
    ("int[]", r#""""#, "[]"),
    ("text[]", r#""""#, r#"[""]"#),
    ("int[][]", "[[1],[2,3]]", "[[1],[2,3]]"),
    ("int(1900..2100)", "1900", "1900"),
    ("int(1900..2100)", "\"2100\"", "2100"),
    ("decimal(0..)", "0", r#""0""#),
    ("float(0.5..)", "0.5", "0.5"),
    ("text(/^[A-Z]{3}$/)", r#""USD""#, r#""USD""#),
    ("text(/a|ab/)", r#""ab""#, r#""ab""#),
    ("text(..4)", r#""żółć""#, r#""żółć""#),
    ("text[](1..2)", r#"["a","b"]"#, r#"["a","b"]"#),
    ("bytes(2..2)", r#""/wA=""#, r#""/wA=""#),
];

/// Type, message value, code, pointer below the field.
const BAD_INPUT: &[(&str, &str, Code, &str)] = &[
    ("text", "3", Code::InputType, ""),
    ("text", "true", Code::InputType, ""),
    ("text", "[]", Code::InputType, ""),
    ("int", r#""sept""#, Code::InputType, ""),
    ("int", r#""""#, Code::InputType, ""),
    ("int", r#""3.0""#, Code::InputType, ""),
    ("int", r#""1_000""#, Code::InputType, ""),
    ("int", "1.5", Code::InputType, ""),
    ("int", "1e20", Code::InputType, ""),
    ("int", "true", Code::InputType, ""),
    ("int", "18446744073709551616", Code::InputType, ""),
    ("int", r#""18446744073709551616""#, Code::InputType, ""),
    ("int", "[1]", Code::InputType, ""),
    ("float", r#""NaN""#, Code::InputType, ""),
    ("float", r#""inf""#, Code::InputType, ""),
    ("float", r#""1e999""#, Code::InputType, ""),
    ("float", "9007199254740993", Code::InputType, ""),
    ("decimal", r#""1,22""#, Code::InputType, ""),
    ("decimal", r#""1e3""#, Code::InputType, ""),
    ("decimal", r#""1_0""#, Code::InputType, ""),
    ("decimal", r#"".5""#, Code::InputType, ""),
    (
        "decimal",
        r#""0.12345678901234567890123456789""#,
        Code::InputType,
        "",
    ),
    ("decimal", "1e300", Code::InputType, ""),
    ("bool", "1", Code::InputType, ""),
    ("bool", r#""yes""#, Code::InputType, ""),
    ("date", r#""2013-9-3""#, Code::InputType, ""),
    ("date", r#""2013-09- 3""#, Code::InputType, ""),
    ("date", r#""+201-09-03""#, Code::InputType, ""),
    ("date", r#""2013-02-30""#, Code::InputType, ""),
    ("date", r#""2013-09-03T00:00:00Z""#, Code::InputType, ""),
    ("datetime", r#""2013-09-03T10:00:00""#, Code::InputType, ""),
    ("uuid", r#""67e55044""#, Code::InputType, ""),
    ("bytes", r#""*""#, Code::InputType, ""),
    ("map", "[]", Code::InputType, ""),
    ("map", r#""a""#, Code::InputType, ""),
    ("enum(a|b)", r#""c""#, Code::InputConstraint, ""),
    ("enum(a|b)", "1", Code::InputType, ""),
    ("int[]", r#"[1,"x"]"#, Code::InputType, "/1"),
    ("int[]", "[null]", Code::InputType, "/0"),
    ("any[][]", "[[null],null]", Code::InputType, "/1"),
    ("int[][]", r#"[[1],[2,"x"]]"#, Code::InputType, "/1/1"),
    ("int(1900..2100)", "1899", Code::InputConstraint, ""),
    (
        "int(1900..2100)",
        "18446744073709551615",
        Code::InputConstraint,
        "",
    ),
    ("decimal(0..)", r#""-0.01""#, Code::InputConstraint, ""),
    ("float(..0.5)", "0.6", Code::InputConstraint, ""),
    ("text(/^[A-Z]{3}$/)", r#""USDX""#, Code::InputConstraint, ""),
    ("text(/[A-Z]{3}/)", r#""USDX""#, Code::InputConstraint, ""),
    ("text(/[A-Z]{3}/)", r#""USD\n""#, Code::InputConstraint, ""),
    ("text(1..3)", r#""żółć""#, Code::InputConstraint, ""),
    ("text(1..3)", r#""""#, Code::InputConstraint, ""),
    ("text[](1..2)", "[]", Code::InputConstraint, ""),
    ("bytes(..1)", r#""/wA=""#, Code::InputConstraint, ""),
];

#[test]
fn every_type_binds_what_fits_it() {
    for (ty, message, expected) in GOOD_INPUT {
        let bound = input(
            &json_text(&format!("a:{ty}")),
            &format!(r#"{{"a":{message}}}"#),
        );
        let bound = bound.unwrap_or_else(|fault| panic!("{ty} {message}: {fault:?}"));
        assert_eq!(bound, format!(r#"{{"a":{expected}}}"#), "{ty} {message}");
    }
}

fn json_text(text: &str) -> String {
    shown(&Value::text(text))
}

#[test]
fn every_type_refuses_what_does_not_fit_it() {
    for (ty, message, code, below) in BAD_INPUT {
        let bound = input(
            &json_text(&format!("a:{ty}")),
            &format!(r#"{{"a":{message}}}"#),
        );
        let fault = bound.expect_err(&format!("{ty} {message}"));
        let [error] = fault.field_errors() else {
            panic!("{ty} {message}: {fault:?}")
        };
        assert_eq!(
            (error.code, error.pointer()),
            (*code, format!("/a{below}")),
            "{ty} {message}"
        );
        assert_eq!(
            (fault.code(), fault.status()),
            (*code, 400),
            "{ty} {message}"
        );
    }
}

#[test]
fn all_problems_of_a_message_are_told_at_once() {
    let declaration = declared(
        r#""input":["year:int","month:int(1..12)","day:int","lines:Line[]"],"models":{"Line":["sku","amount:decimal(0..)","to:Address?"],"Address":["zip"]}"#,
    );
    let message =
        r#"{"year":"x","month":13,"lines":[{"sku":"a","amount":1},{"amount":"-1","to":{}},7]}"#;
    let fault = bind(&declaration, json(message), &[]).unwrap_err();
    let told: Vec<(String, Code)> = fault
        .field_errors()
        .iter()
        .map(|e| (e.pointer(), e.code))
        .collect();
    let expected = [
        ("/year", Code::InputType),
        ("/month", Code::InputConstraint),
        ("/day", Code::InputMissing),
        ("/lines/1/sku", Code::InputMissing),
        ("/lines/1/amount", Code::InputConstraint),
        ("/lines/1/to/zip", Code::InputMissing),
        ("/lines/2", Code::InputType),
    ];
    assert_eq!(
        told,
        expected.map(|(pointer, code)| (pointer.to_owned(), code))
    );
    assert_eq!((fault.code(), fault.status()), (Code::InputRejected, 400));
    assert_eq!(fault.message(), "the input has 7 problems");
    assert_eq!(
        fault.field_errors().first().map(|e| e.detail.as_str()),
        Some("must be a whole number of 64 bits, got text `x`")
    );
}

#[test]
fn a_single_problem_gives_the_fault_its_code_and_text() {
    let fault = input(r#""month:int""#, r#"{"month":"sept"}"#).unwrap_err();
    assert_eq!(
        fault.to_string(),
        "KL-I101: input `/month` must be a whole number of 64 bits, got text `sept`"
    );
    assert_eq!(
        input(r#""a""#, "{}").unwrap_err().to_string(),
        "KL-I102: input `/a` is required"
    );
    let fault = input(r#""pin:int!""#, r#"{"pin":"secret"}"#).unwrap_err();
    assert_eq!(
        fault.message(),
        "input `/pin` must be a whole number of 64 bits, got text"
    );
}

#[test]
fn a_sensitive_field_hides_all_that_is_in_it() {
    let declaration =
        declared(r#""input":["card:Card!"],"models":{"Card":["pin:int","old:int[]"]}"#);
    let message = json(r#"{"card":{"pin":"secret","old":[1,"secret"]}}"#);
    let fault = bind(&declaration, message, &[]).unwrap_err();
    assert_eq!(fault.field_errors().len(), 2);
    assert!(!format!("{fault:?}").contains("secret"), "{fault:?}");
}

#[test]
fn many_problems_do_not_make_a_long_answer() {
    let many = vec![r#""x""#; 5_000].join(",");
    let fault = input(r#""a:int[]""#, &format!(r#"{{"a":[{many}]}}"#)).unwrap_err();
    assert_eq!(fault.field_errors().len(), 100);
    assert_eq!(fault.message(), "the input has 5000 problems");
}

#[test]
fn input_comes_in_the_declared_order_without_the_undeclared() {
    assert_eq!(
        input(r#""a?","b:int?","c?""#, r#"{"c":"3","x":1,"b":"2"}"#).unwrap(),
        r#"{"b":2,"c":"3"}"#
    );
    assert_eq!(input(r#""a:int=7","b?""#, "null").unwrap(), r#"{"a":7}"#);
    assert_eq!(
        input(r#""a:int?=7""#, r#"{"a":null}"#).unwrap(),
        r#"{"a":7}"#
    );
    assert_eq!(
        input(r#""a:int?","b:date?""#, r#"{"a":"","b":" "}"#).unwrap(),
        "{}"
    );
    assert_eq!(input(r#""a?""#, r#"{"a":""}"#).unwrap(), r#"{"a":""}"#);
    for message in ["[]", "3", r#""a""#, "true"] {
        let fault = input(r#""a?""#, message).unwrap_err();
        assert_eq!(fault.code(), Code::InputType, "{message}");
    }
    assert_eq!(
        input(r#""rows:int[]""#, "[1,2]").unwrap(),
        r#"{"rows":[1,2]}"#
    );
}

#[test]
fn parameters_fill_what_the_body_lacks_and_the_path_wins_over_the_query() {
    let declaration = declared(r#""input":["id:int","tag:text[]?","b?","c?"]"#);
    let params = [
        ("id", "7"),
        ("id", "8"),
        ("tag", "x"),
        ("tag", "y"),
        ("b", "1"),
        ("c", "2"),
        ("d", "3"),
    ];
    let params = params.map(|(name, value)| (Text::from(name), Text::from(value)));
    let bound = bind(&declaration, json(r#"{"b":"body","c":null}"#), &params).unwrap();
    assert_eq!(
        shown(&bound),
        r#"{"id":7,"tag":["x","y"],"b":"body","c":"2"}"#
    );
    let bare = declared("");
    let bound = bind(&bare, json(r#"{"b":"body","c":null}"#), &params).unwrap();
    assert_eq!(
        shown(&bound),
        r#"{"b":"body","c":"2","id":["7","8"],"tag":["x","y"],"d":"3"}"#
    );
    assert_eq!(shown(&bind(&bare, Value::Null, &[]).unwrap()), "{}");
    assert_eq!(shown(&bind(&bare, json("[1]"), &params).unwrap()), "[1]");
}

// Output.

#[test]
fn output_becomes_what_was_declared() {
    for (ty, payload, expected) in [
        ("text", json(r#""1.22""#), r#""1.22""#),
        ("text", json("3"), r#""3""#),
        ("text", Value::Float(3.0), r#""3""#),
        ("text", Value::Float(1.22), r#""1.22""#),
        ("text", json("true"), r#""true""#),
        ("text", Value::Decimal("1.20".parse().unwrap()), r#""1.20""#),
        ("text", Value::Uint(u64::MAX), r#""18446744073709551615""#),
        ("text", Value::Bytes("ż".into()), r#""ż""#),
        ("int", Value::Float(3.0), "3"),
        ("int", json(r#""3""#), "3"),
        ("int", Value::Uint(u64::MAX), "18446744073709551615"),
        ("float", json("3"), "3.0"),
        ("decimal", Value::Float(1.22), r#""1.22""#),
        ("decimal", json("3"), r#""3""#),
        ("decimal", json(r#""1.220""#), r#""1.220""#),
        ("bool", json("true"), "true"),
        ("date", json(r#""2013-09-03""#), r#""2013-09-03""#),
        (
            "uuid",
            json(r#""67E5504410B1426F9247BB680E5FE0C8""#),
            r#""67e55044-10b1-426f-9247-bb680e5fe0c8""#,
        ),
        ("bytes", json(r#""Kladka""#), r#""S2xhZGth""#),
        ("int[]", json("{}"), "[]"),
        ("int[]", json("[1,2.0]"), "[1,2]"),
        ("map", json(r#"{"b":1,"a":2}"#), r#"{"b":1,"a":2}"#),
        ("any", json("[1]"), "[1]"),
    ] {
        let kept = format!("{payload:?}");
        let map = [(Text::from("a"), payload)].into_iter().collect();
        let checked = output(&json_text(&format!("a:{ty}")), Value::Map(map));
        let checked = checked.unwrap_or_else(|fault| panic!("{ty} {kept}: {fault:?}"));
        assert_eq!(checked, format!(r#"{{"a":{expected}}}"#), "{ty} {kept}");
    }
}

#[test]
fn output_comes_in_the_declared_order_and_the_absent_is_left_out() {
    let fields = r#""a?","b:int?","c=x""#;
    assert_eq!(
        output(fields, json(r#"{"c":"3","b":2,"a":null}"#)).unwrap(),
        r#"{"b":2,"c":"3"}"#
    );
    assert_eq!(output(fields, Value::Null).unwrap(), r#"{"c":"x"}"#);
    assert_eq!(output(fields, json("{}")).unwrap(), r#"{"c":"x"}"#);
    assert_eq!(
        output(fields, json(r#"[{"b":1,"a":"x"},{}]"#)).unwrap(),
        r#"[{"a":"x","b":1,"c":"x"},{"c":"x"}]"#
    );
    assert_eq!(output(fields, json("[]")).unwrap(), "[]");
    let free = declared("");
    assert_eq!(shown(&check(&free, json("[1,{}]")).unwrap()), "[1,{}]");
}

#[test]
fn output_that_breaks_the_declaration_is_our_fault_and_says_why_in_the_log() {
    for (fields, payload, detail) in [
        (
            r#""rate?""#,
            r#"{"raet":"1.22"}"#,
            "output `/raet` is not declared, did you mean `rate`?",
        ),
        (r#""rate""#, "{}", "output `/rate` is required"),
        (
            r#""rates:text[]""#,
            r#"{"rates":["1.22",null]}"#,
            "output `/rates/1` must be a text, got null",
        ),
        (
            r#""rate:decimal""#,
            r#"{"rate":"abc"}"#,
            "output `/rate` must be an exact decimal number such as 1.22, got text `abc`",
        ),
        (
            r#""a:int(..3)""#,
            r#"{"a":4}"#,
            "output `/a` must be at most 3, got int `4`",
        ),
        (
            r#""a:int""#,
            r#"[{"a":1},{"a":"x"}]"#,
            "output `/1/a` must be a whole number of 64 bits, got text `x`",
        ),
        (
            r#""a?""#,
            "3",
            "output `the payload` must hold named values, got int",
        ),
        (
            r#""a?""#,
            "[3]",
            "output `/0` must hold named values, got int",
        ),
        (
            r#""a:int[]""#,
            r#"{"a":3}"#,
            "output `/a` must be a list of int, got int `3`",
        ),
        (
            r#""a:int","b:int""#,
            r#"{"a":"x","c":1}"#,
            "output `/a` must be a whole number of 64 bits, got text `x`; output `/b` is required; output `/c` is not declared, did you mean `a`?",
        ),
    ] {
        let fault = output(fields, json(payload)).expect_err(payload);
        assert_eq!(fault.detail_text(), Some(detail));
        assert_eq!((fault.code(), fault.status()), (Code::OutputRejected, 500));
        assert_eq!(
            fault.message(),
            "the answer of 'test.service' does not fit its declared output"
        );
        assert!(fault.field_errors().is_empty());
    }
}

#[test]
fn a_text_with_a_media_type_of_its_own_is_not_checked() {
    let declaration = declared(r#""output":["rate"]"#);
    let answer = |media_type| Answer {
        value: Value::text("<a/>"),
        media_type,
        ..Answer::default()
    };
    let checked = check_answer(&declaration, answer(Some("text/xml".into()))).unwrap();
    assert_eq!(checked.value, Value::text("<a/>"));
    assert!(check_answer(&declaration, answer(None)).is_err());
}

#[test]
fn the_name_of_a_service_is_kept() {
    assert_eq!(declared("").name, ServiceName::new("test.service").unwrap());
}
