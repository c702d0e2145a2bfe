//! What is no XPath 1.0, or more than we have, and how it is told.

use super::{doc, names};
use crate::base::Code;
use crate::xml::xpath::evaluate;

/// Expression and what is told.
const WRONG: &[(&str, &str)] = &[
    ("", "ends where a step is expected"),
    ("  ", "ends where a step is expected"),
    ("//", "ends where a step is expected"),
    ("r/", "ends where a step is expected"),
    ("//[", "`[` stands where a step is expected"),
    ("r//", "a step is expected"),
    ("/r/[1]", "`[` stands"),
    ("///r", "`/` stands"),
    (".[1]", "`[` stands where its end is expected"),
    ("..[1]", "`[` stands where its end is expected"),
    ("r[", "ends where a step is expected"),
    ("r[]", "`]` stands where a step is expected"),
    ("r[1", "ends where `]` is expected"),
    ("r]", "`]` stands where its end is expected"),
    ("(r", "ends where `)` is expected"),
    ("r)", "`)` stands where its end is expected"),
    ("()", "`)` stands"),
    ("count(r", "ends where `,` or `)` is expected"),
    ("concat('a',)", "`)` stands"),
    ("'open", "lacks its closing '"),
    ("\"open", "lacks its closing \""),
    ("r r", "an operator is expected in the place of `r`"),
    ("1 r", "an operator is expected in the place of `r`"),
    ("r 1", "`1` stands where its end is expected"),
    ("1 and", "ends where a step is expected"),
    ("or or", "ends where a step is expected"),
    ("r |", "ends where a step is expected"),
    ("= 1", "`=` stands"),
    ("r !", "`!` means nothing"),
    ("r & 'x'", "`&` means nothing"),
    ("r#", "`#` means nothing"),
    ("@", "ends where a step is expected"),
    ("@@a", "`@` stands"),
    ("child::", "ends where a step is expected"),
    ("child::child::a", "`child::` stands"),
    ("@child::a", "`child::` stands"),
    ("sideways::a", "there is no axis `sideways`"),
    ("namespace::*", "the namespace axis is not supported"),
    ("a:", "`:` means nothing"),
    ("a :b", "`:` means nothing"),
    ("text(1)", "`1` stands where `)` is expected"),
    ("node('x')", "`'x'` stands where `)` is expected"),
    ("no-such()", "there is no function `no-such`"),
    ("start-with('a', 'b')", "but `starts-with`"),
    ("p:f()", "there is no function `p:f`"),
    ("$x", "there is no variable `$x`"),
    ("//a[. = $x]", "there is no variable `$x`"),
    ("position(1)", "`position` takes 0 arguments, not 1"),
    ("contains('a')", "`contains` takes 2 arguments, not 1"),
    (
        "substring('a')",
        "`substring` takes 2 to 3 arguments, not 1",
    ),
    ("concat('a')", "`concat` takes 2 or more arguments, not 1"),
    ("string(1, 2)", "`string` takes 0 to 1 arguments, not 2"),
    ("count(1)", "`count` takes nodes"),
    ("count('a')", "`count` takes nodes"),
    ("sum(true())", "`sum` takes nodes"),
    ("name(string(.))", "`name` takes nodes"),
    ("1 | r", "`|` stands between nodes only"),
    ("r | 'a'", "`|` stands between nodes only"),
    ("'a'/b", "`[` and `/` stand behind nodes only"),
    ("'a'[1]", "`[` and `/` stand behind nodes only"),
    ("(1)[1]", "`[` and `/` stand behind nodes only"),
    ("string(.)//b", "`[` and `/` stand behind nodes only"),
    ("(r = 1)/b", "`[` and `/` stand behind nodes only"),
];

#[test]
fn what_is_wrong_is_told() {
    let node = doc("<r/>");
    for (expression, why) in WRONG {
        let error = evaluate(&node, expression, &[]).unwrap_err();
        assert_eq!(error.code(), Code::ScriptArgument, "{expression}");
        let start = format!("XPath `{expression}` not understood: ");
        assert!(error.message().starts_with(&start), "{error}");
        assert!(error.message().contains(why), "{expression}: {error}");
    }
}

#[test]
fn a_prefix_without_a_namespace_is_named() {
    let node = doc("<r xmlns:x='u'/>");
    let known = names(&[("p", "u")]);
    for expression in [
        "x:y",
        "//p:a[. = 'q:b']/x:y",
        "@x:*",
        "//*[x:a]",
        "count(x:b)",
    ] {
        let error = evaluate(&node, expression, &known).unwrap_err();
        assert!(error.message().starts_with("prefix `x` of"), "{error}");
        assert!(error.hint_text().is_some());
    }
    for expression in ["p:a", "@xml:lang", "'x:y'", "child::p:*"] {
        assert!(evaluate(&node, expression, &known).is_ok(), "{expression}");
    }
    // The same expression means something else with other namespaces.
    let node = doc("<r><a xmlns='u'/><a xmlns='v'/></r>");
    let count = |uri: &str| super::show(&node, "name(//p:a/..)", &names(&[("p", uri)]));
    assert_eq!(
        (count("u"), count("w"), count("v")),
        ("'r'".into(), "''".into(), "'r'".into())
    );
}
