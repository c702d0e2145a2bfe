//! Tables of declarations that are understood, and of those that are not.

use crate::base::{Code, Place, Text, Value};
use crate::contract::{Field, Ty};
use crate::sio::declare;
use crate::sio::field;
use crate::sio::models::Models;
use crate::sio::tests::{declared, input, json};

fn parse_field(text: &str) -> Result<Field, String> {
    field::parse(text, &mut Models::default())
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

/// A declaration with one problem, and the problem.
const SINGLE: &[(&str, &str)] = &[
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
];

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
        "`output`: must be a list of fields such as \"year:int?\", got text",
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
    for (body, wanted) in SINGLE {
        assert_eq!(problems(body), [*wanted]);
    }
    assert_eq!(
        problems("[]"),
        ["`service` takes a table of named values, got list"]
    );
}

#[test]
fn the_list_of_uses_is_read() {
    let read = |uses: &str| declared(&format!(r#""uses": {uses}"#)).uses;
    let grants = read(r#"["outgoing.http:treasury.gov", "kvdb:linuxjournal:*"]"#).unwrap();
    let grants: Vec<(&str, &str)> = grants
        .grants
        .iter()
        .map(|grant| (grant.family.as_str(), grant.pattern.as_str()))
        .collect();
    assert_eq!(
        grants,
        [
            ("outgoing.http", "treasury.gov"),
            ("kvdb", "linuxjournal:*")
        ]
    );
    assert_eq!(read("[]").unwrap().grants.len(), 0);
    assert_eq!(read("{}").unwrap().grants.len(), 0);
    assert!(read("null").is_none());
}

#[test]
fn an_entry_of_uses_that_is_wrong_says_why() {
    let forms = "The entries are `outgoing.KIND:NAME`, `kvdb:KEY`, `service:NAME` and `config:FILE`; a `*` stands for any text.";
    let star = "The only special sign is `*`, which stands for any text.";
    for (uses, problem, hint) in [
        (
            r#""kvdb:*""#,
            "`uses` must be a list of texts, got text",
            forms,
        ),
        ("[7]", "`uses` holds int, not a text", forms),
        (r#"["kvdb"]"#, "'kvdb' in `uses` names no family", forms),
        (r#"["kvdb:"]"#, "'kvdb:' in `uses` names nothing", forms),
        (
            r#"["kvbd:a"]"#,
            "'kvbd:a' in `uses` has an unknown family",
            "Did you mean `kvdb:a`?",
        ),
        (
            r#"["outgoing.:a"]"#,
            "'outgoing.:a' in `uses` has an unknown family",
            "Did you mean `outgoing.http:a`?",
        ),
        (
            r#"["kvdb:a b"]"#,
            "'kvdb:a b' in `uses` holds the sign ` `",
            star,
        ),
        (
            r#"["kvdb:a?"]"#,
            "'kvdb:a?' in `uses` holds the sign `?`",
            star,
        ),
    ] {
        let found = problems(&format!(r#"{{"name": "a", "uses": {uses}}}"#));
        assert_eq!(found, [format!("{problem} {hint}")], "{uses}");
    }
}
