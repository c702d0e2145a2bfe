//! Tables of declarations, of input and of output.

use crate::base::{Code, Fault, Place, ServiceName, Text, Value};
use crate::contract::{Answer, Declaration, Field, Ty};
use crate::format::{json_read, json_write};
use crate::sio::{bind, check, check_answer, declare, parse_field};

fn json(text: &str) -> Value {
    json_read::read(text.as_bytes()).unwrap()
}

fn shown(value: &Value) -> String {
    let mut out = Vec::new();
    json_write::write(&mut out, value).unwrap();
    String::from_utf8(out).unwrap()
}

/// Declares a service of a JSON text without its name.
fn declared(body: &str) -> Declaration {
    let text = format!(
        r#"{{"name":"test.service"{}{body}}}"#,
        if body.is_empty() { "" } else { "," }
    );
    declare(&json(&text), Place::new("a.lua", 3, 1), "lua")
        .unwrap_or_else(|f| panic!("{body}: {f:?}"))
}

fn problems(body: &str) -> Vec<String> {
    let faults = declare(&json(body), Place::new("a.lua", 3, 1), "lua").expect_err(body);
    faults
        .iter()
        .map(|fault| {
            assert_eq!(fault.code(), Code::BadDeclaration);
            assert_eq!(
                fault.place().map(ToString::to_string).as_deref(),
                Some("a.lua:3:1")
            );
            let hint = fault
                .hint_text()
                .map(|hint| format!(" {hint}"))
                .unwrap_or_default();
            format!("{}{hint}", fault.message())
        })
        .collect()
}

fn input(fields: &str, message: &str) -> Result<String, Fault> {
    let declaration = declared(&format!(r#""input":[{fields}]"#));
    bind(&declaration, json(message), &[]).map(|value| shown(&value))
}

fn output(fields: &str, payload: Value) -> Result<String, Fault> {
    let declaration = declared(&format!(r#""output":[{fields}]"#));
    check(&declaration, payload).map(|value| shown(&value))
}

// Declarations.

#[test]
fn a_field_string_is_read_part_by_part() {
    let all = parse_field("rate:decimal(0..10.5)?=1.22!").unwrap();
    assert_eq!(all.name, "rate");
    assert_eq!(all.ty, Ty::Decimal);
    assert!(all.optional && all.sensitive && all.constraint.is_some());
    assert_eq!(all.default, Some(Value::Decimal("1.22".parse().unwrap())));
    let plain = parse_field("rate").unwrap();
    assert_eq!(
        (plain.ty, plain.optional, plain.sensitive),
        (Ty::Text, false, false)
    );
    for (text, ty, optional) in [
        ("a?", Ty::Text, true),
        ("a:int", Ty::Int, false),
        ("a : int ?", Ty::Int, true),
        ("a:float?", Ty::Float, true),
        ("a:bool=true", Ty::Bool, true),
        ("a:date", Ty::Date, false),
        ("a:datetime", Ty::DateTime, false),
        ("a:uuid!", Ty::Uuid, false),
        ("a:bytes(..10)", Ty::Bytes, false),
        ("a:map", Ty::Map, false),
        ("a:any", Ty::Any, false),
        (
            "a:enum(x|y z)",
            Ty::Enum(vec!["x".into(), "y z".into()]),
            false,
        ),
        ("a:int[]", Ty::List(Box::new(Ty::Int)), false),
        (
            "a:int[][](1..3)?",
            Ty::List(Box::new(Ty::List(Box::new(Ty::Int)))),
            true,
        ),
    ] {
        let field = parse_field(text).unwrap_or_else(|problem| panic!("{text}: {problem}"));
        assert_eq!((field.ty, field.optional), (ty, optional), "{text}");
    }
    // Signs inside a pattern are its own; only `/)` ends it.
    let field = parse_field(r"a(/^x?=![)(]\/$/)?").unwrap();
    assert!(field.optional && field.default.is_none() && !field.sensitive);
}

#[test]
fn a_field_string_that_is_wrong_says_why() {
    for (text, wanted) in [
        ("", "is not a name"),
        ("1a", "is not a name"),
        ("a b", "is not a name"),
        ("a:", "a type must follow"),
        ("a:intt", "did you mean `int`?"),
        ("a:Adress", "there is no type or model `Adress`"),
        ("a:enum", "enum needs its texts"),
        ("a:enum()", "not empty"),
        ("a:enum(x|x)", "twice"),
        ("a:enum(x", "not closed"),
        ("a:int(", "not closed"),
        ("a:int(5)", "neither a range"),
        ("a:int(..)", "bounds nothing"),
        ("a:int(3..1)", "is empty"),
        ("a:int(a..b)", "is not a number"),
        ("a:text(-1..)", "not a whole number"),
        ("a:bool(1..2)", "cannot have bounds"),
        ("a:int(/x/)", "only text can have a pattern"),
        ("a:text(/[/)", "not usable"),
        ("a:text(/x)", "not closed"),
        ("a:int(1..2)[]", "put the bounded value into a model"),
        ("a:int[][][][][]", "at most 4"),
        ("a:int=x", "the default must be a whole number"),
        ("a:int(1..3)=9", "the default must be between 1 and 3"),
        ("a:enum(x|y)=z", "the default must be one of x, y"),
        ("a:date=2013-13-01", "the default must be a date"),
        ("a:int!?", "`!` comes last"),
        ("a:int!=3", "`!` comes last"),
        ("a:int??", "is not understood"),
        ("a:int x", "is not understood"),
    ] {
        let problem = parse_field(text).expect_err(text);
        assert!(problem.contains(wanted), "{text}: {problem}");
    }
}

#[test]
fn a_declaration_is_read_whole() {
    let declaration = declared(
        r#""doc":" Rates. ","timeout":"30s","cpu":"long","handle":null,
           "input":["year:int?",{"name":"address","type":"Address[]","doc":"Where."}],
           "output":["rate?"],"models":{"Address":["street","zip?","country:Country"],"Country":["code(2..2)"]}"#,
    );
    assert_eq!(declaration.name.as_str(), "test.service");
    assert_eq!(declaration.doc, "Rates.");
    assert_eq!(declaration.timeout.map(|millis| millis.0), Some(30_000));
    assert_eq!(declaration.cpu.map(|millis| millis.0), Some(10_000));
    let input = declaration.input.unwrap();
    let Some(Field {
        ty: Ty::List(inner),
        doc,
        ..
    }) = input.get(1)
    else {
        panic!("{input:?}")
    };
    assert_eq!(doc, "Where.");
    let Ty::Model(model) = inner.as_ref() else {
        panic!("{inner:?}")
    };
    assert_eq!(
        model
            .fields
            .iter()
            .map(|f| f.name.as_str())
            .collect::<Vec<_>>(),
        ["street", "zip", "country"]
    );
    assert!(matches!(
        model.fields.get(2).map(|field| &field.ty),
        Some(Ty::Model(_))
    ));
    let bare = declared("");
    assert!(bare.input.is_none() && bare.output.is_none() && bare.timeout.is_none());
    assert_eq!(declared(r#""input":{}"#).input, Some(Vec::new()));
}

#[test]
fn the_spelling_of_two_lists_is_read() {
    let declaration = declared(
        r#""input_required":["a","b:int"],"input_optional":["c"],"output_optional":["rate"]"#,
    );
    let names = |fields: Option<Vec<Field>>| -> Vec<(Text, bool)> {
        fields
            .unwrap()
            .into_iter()
            .map(|field| (field.name, field.optional))
            .collect()
    };
    let expected = [("a".into(), false), ("b".into(), false), ("c".into(), true)];
    assert_eq!(names(declaration.input), expected);
    assert_eq!(names(declaration.output), [("rate".into(), true)]);
}

#[test]
fn the_long_form_means_the_same_as_the_string() {
    for (long, short) in [
        (
            r#"{"name":"a","type":"int","optional":true,"min":1,"max":12}"#,
            "a:int(1..12)?",
        ),
        (r#"{"name":"a","type":"int(1..12)"}"#, "a:int(1..12)"),
        (r#"{"name":"a","max":40,"sensitive":true}"#, "a:text(..40)!"),
        (
            r#"{"name":"a","pattern":"^[A-Z]{3}$"}"#,
            "a:text(/^[A-Z]{3}$/)",
        ),
        (
            r#"{"name":"a","type":"enum","values":["x","y"],"default":"x"}"#,
            "a:enum(x|y)?=x",
        ),
        (
            r#"{"name":"a","type":"decimal","min":0.5}"#,
            "a:decimal(0.5..)",
        ),
        (r#"{"name":"a","type":"int","default":3}"#, "a:int=3"),
        (r#"{"name":"a","type":"text[]","min":1}"#, "a:text[](1..)"),
    ] {
        let declaration = declared(&format!(r#""input":[{long}]"#));
        assert_eq!(
            declaration.input,
            Some(vec![parse_field(short).unwrap()]),
            "{long}"
        );
    }
    let nested =
        r#"{"name":"lines","type":"map[]","fields":["sku",{"name":"price","type":"decimal"}]}"#;
    assert_eq!(
        input(nested, r#"{"lines":[{"price":"1.5","sku":"a","x":1}]}"#).unwrap(),
        r#"{"lines":[{"sku":"a","price":"1.5"}]}"#
    );
}

#[test]
fn every_problem_of_a_declaration_is_told() {
    let found = problems(
        r#"{"nmae":"a","input":["year:intt","day:int(3..1)","x","x",7],"output":"rate","timeout":30,
            "cpu":"fast","models":{"A":["b:B"],"B":["a:A"],"int":["x"],"C":[],"D":["x:Nothing"]}}"#,
    );
    for wanted in [
        "a service has no key `nmae` Did you mean `name`?",
        "the service has no `name`",
        "`input`: field `year:intt`: there is no type or model `intt`, did you mean `int`?",
        "`input`: field `day:int(3..1)`: the range 3..1 is empty",
        "`input`: field `x` is declared twice",
        "`input`: a field must be a text or a table, got int",
        "`output`: must be a list of fields, got text",
        "`timeout` must be a duration with its unit, such as \"30s\", got int",
        "`cpu` must be a duration such as \"30s\", got \"fast\"",
        "model `B`: field `a:A`: the model `A` holds itself: A → B → A",
        "no model can be named `int`, it is a built-in type",
        "model `C`: it has no fields",
        "model `D`: field `x:Nothing`: there is no type or model `Nothing`",
    ] {
        assert!(
            found.iter().any(|problem| problem == wanted),
            "{wanted}\nnot in {found:#?}"
        );
    }
    for (body, wanted) in [
        (
            r#"{"name":"a b"}"#,
            "'a b' is not a name for a service: use 1 to 128 of A-Z a-z 0-9 . _ -",
        ),
        (
            r#"{"name":"kladka.object.list"}"#,
            "the name 'kladka.object.list' is not free: `kladka.` is for the server's own",
        ),
        (r#"{"name":7}"#, "`name` must be a text, got int"),
        (
            r#"{"name":"a","input":[],"input_optional":["b"]}"#,
            "give `input` or `input_optional`, not both",
        ),
        (
            r#"{"name":"a","timeout":"0s"}"#,
            "`timeout` must be a duration such as \"30s\", got \"0s\"",
        ),
        (
            r#"{"name":"a","input":[{"name":"b","typ":"int"}]}"#,
            "`input`: field `b`: unknown key `typ`, did you mean `type`?",
        ),
        (
            r#"{"name":"a","input":[{"type":"int"}]}"#,
            "`input`: a field in long form needs `name`",
        ),
        (
            r#"{"name":"a","input":[{"name":"b","optional":1}]}"#,
            "`input`: field `b`: `optional` must be true or false, got int",
        ),
        (
            r#"{"name":"a","input":["b:Adress"],"models":{"Address":["c"]}}"#,
            "`input`: field `b:Adress`: there is no type or model `Adress`, did you mean `Address`?",
        ),
    ] {
        assert_eq!(problems(body), [wanted]);
    }
    assert_eq!(
        problems("[]"),
        ["`service` takes a table of named values, got list"]
    );
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
