//! Expressions that ask for more work than there is time, and large ones that do not.

use std::fmt::Write as _;

use super::doc;
use crate::base::Fault;
use crate::xml::xpath::query::{XPathResult, evaluate_within};
use crate::xml::{Node, xpath};

/// A tenth of what an expression may take, so that the tests are quick in a slow build, too.
const STEPS: usize = xpath::budget::STEPS / 10;

/// A document of 2.5 MB: 5,000 elements in a row, each with a child, an attribute and some text.
fn large() -> Node {
    let mut text = "<r>".to_owned();
    let filler = "lorem ipsum dolor sit amet ".repeat(17);
    for at in 0..5_000 {
        write!(text, "<a n='{at}'><b>{at}</b>{filler}</a>").unwrap();
    }
    text.push_str("</r>");
    assert!(text.len() > 2_400_000);
    doc(&text)
}

fn ask(node: &Node, expression: &str) -> Result<XPathResult, Fault> {
    evaluate_within(STEPS, node, expression, &[])
}

#[track_caller]
fn stopped(node: &Node, expression: &str) {
    let Err(error) = ask(node, expression) else {
        panic!("{expression} was not stopped")
    };
    let why = error.message();
    assert!(
        why.ends_with("takes too much work on this document"),
        "{why}"
    );
    assert!(error.hint_text().is_some());
}

/// A document of few nodes that one may ask for much text, in the attribute `t`.
fn wordy() -> Node {
    let words = "7 up ".repeat(12_000);
    doc(&format!("<r t='{words}'>{}</r>", "<a/>".repeat(2_000)))
}

#[test]
fn what_reads_too_much_text_is_stopped() {
    let node = wordy();
    let texts = format!("concat({})", vec!["/r/@t"; 400].join(","));
    for expression in [
        "//a[contains(/r/@t, 'x')]",
        "//a[starts-with(concat(/r/@t, 'x'), 'x')]",
        "//a[starts-with(/r/@t, string(/r/@t))]/x",
        "//a[string-length(/r/@t) = 1]",
        "//a[normalize-space(/r/@t) = 'x']",
        "//a[translate(/r/@t, 'abc', 'xyz') = 'x']",
        "//a[translate('x', /r/@t, '') = '']",
        "//a[substring(/r/@t, 7) = 'x']",
        "//a[substring-before(/r/@t, 'x') = 'x']",
        "//a[substring-after(/r/@t, 'x') = 'x']",
        "//a[string(/r/@t) != string(/r/@t)]",
        "//a[/r/@t != /r/@t]",
        "//a[/r/@t = (. | /r/@t)[1]]",
        "//a[number(/r/@t) = 1]",
        "//a[/r/@t + 1 = 1]",
        "//a[/r/@t > /r/@t]",
        "//a[sum(/r/@t) = 1]",
        "//a[position() < 50][id(/r/@t)]",
        "//a[position() < 50][id(string(/r/@t))]",
        &texts,
    ] {
        stopped(&node, expression);
    }
}

#[test]
fn what_takes_too_much_work_is_stopped() {
    let node = large();
    let many = vec!["//node()"; 300].join("|");
    for expression in [
        "//a[count(//a) = 1]",
        "//a[count(//a[count(//a) > 1]) > 1]",
        "//*[//*[//*[//*]]]",
        "//*[preceding::*[preceding::*]]",
        "//*[following::*[following::*]]",
        "preceding::*[preceding::*] | //*[preceding::*[preceding::*]]",
        "//a[following-sibling::a[last()]]",
        "//a/preceding-sibling::a[last()]",
        "//a[position() = last()]/preceding::a[following::a[1] and preceding::a[last()]]",
        "//a[. = //a]",
        "//a[//a != .]",
        "//a[@n < //a/@n]",
        "//a[//a/@n = //b]",
        "//@n[../../a/@n = .]",
        &many,
        // An expression that is long, at every node.
        &format!("//node()[{}]", vec!["1 = 2"; 400].join(" or ")),
        &format!("//node()[concat({})]", vec!["1 div 3"; 300].join(",")),
    ] {
        stopped(&node, expression);
    }
}

#[test]
fn what_is_linear_is_answered() {
    let node = large();
    let count = |expression: &str| match ask(&node, &format!("count({expression})")) {
        Ok(XPathResult::Number(count)) => count.to_string(),
        other => panic!("{expression}: {other:?}"),
    };
    let table = [
        ("//*//*//*//*", "0"),
        ("//*//*//*", "5000"),
        ("//*", "10001"),
        ("//*//node()", "20000"),
        ("//a[1]", "1"),
        ("//b[1]", "5000"),
        ("//*/ancestor::*", "5001"),
        ("//*/ancestor-or-self::node()", "10002"),
        ("//a/following-sibling::a", "4999"),
        ("//a/preceding-sibling::a", "4999"),
        ("//a/following-sibling::a[1]", "4999"),
        ("//a/preceding-sibling::a[1]", "4999"),
        ("//a/preceding-sibling::*[2]", "4998"),
        ("//*/following::*", "9998"),
        ("//*/preceding::*", "9998"),
        ("//a/following::a[1]", "4999"),
        ("//b/preceding::b[1]", "4999"),
        ("//a[following-sibling::*[1]]", "4999"),
        ("//a[preceding-sibling::*[1]/b]", "4999"),
        ("//node() | //node() | //@*", "25001"),
        ("//@n/..//@n", "5000"),
        ("//a[@n > 2500]", "2499"),
        ("//a[contains(., 'dolor')]", "5000"),
        ("//a[b = @n]/b/text()", "5000"),
    ];
    for (expression, expected) in table {
        assert_eq!(count(expression), expected, "{expression}");
    }
    // Sets are compared by their texts and extremes, not pair by pair.
    for (expression, expected) in [
        ("//b = //a", false),
        ("//b = //@n", true),
        ("//b != //a", true),
        ("//b > //@n", true),
        ("//b > //b[last()][. = 9999]", false),
        ("contains(/, 'consectetur')", false),
    ] {
        let got = ask(&node, expression);
        assert!(
            matches!(got, Ok(XPathResult::Bool(truth)) if truth == expected),
            "{expression}: {got:?}"
        );
    }
}

#[test]
fn odd_expressions_end_on_a_small_stack() {
    let node = doc("<r><a>1</a></r>");
    let brackets = |n: usize| format!("{}1{}", "(".repeat(n), ")".repeat(n));
    let predicates = |n: usize| format!("{}{}", "r[".repeat(n), "a]".repeat(n).replace("aa", "a"));
    let calls = |n: usize| format!("{}1{}", "not(".repeat(n), ")".repeat(n));
    let good = [
        brackets(64),
        predicates(64).replace("]a", "]"),
        calls(64),
        "-".repeat(4_000) + "1",
        format!("1{}", " + 1".repeat(1_000)),
        format!("1{}", "=1".repeat(2_000)),
        format!("r{}", "|r".repeat(2_000)),
        format!("r{}", "/..".repeat(1_300)),
        format!("r{}", "[1]".repeat(1_300)),
        format!("'{}'", "x".repeat(4_000)),
        "9".repeat(4_000),
        format!("0.{}1", "0".repeat(4_000)),
        format!("string({})", "9".repeat(4_000)),
        format!("string({} * {0})", "9".repeat(300)),
        "string(0.1 div 1000000000000000000000000)".to_owned(),
        "substring('abc', -99999999999999999999, 999999999999999999999)".to_owned(),
        "//a[99999999999999999999999]".to_owned(),
    ];
    let bad = [
        brackets(65),
        brackets(2_000),
        "(".repeat(4_000),
        predicates(65).replace("]a", "]"),
        "r[".repeat(2_000),
        calls(65),
        "not(".repeat(1_000),
        "//".repeat(2_000),
        "a".repeat(64 << 10),
        format!("r{}", " or r".repeat(13 << 10)),
    ];
    let work = move || {
        for expression in good {
            let start: String = expression.chars().take(40).collect();
            let got = ask(&node, &expression);
            assert!(got.is_ok(), "{start}: {got:?}");
        }
        for expression in bad {
            let start: String = expression.chars().take(40).collect();
            assert!(ask(&node, &expression).is_err(), "{start}");
        }
    };
    let thread = std::thread::Builder::new().stack_size(1 << 20).spawn(work);
    thread.unwrap().join().unwrap();
}

#[test]
fn a_query_of_all_its_steps_ends() {
    let node = large();
    let expression = "//a[contains(string(/), 'x')]";
    let error = xpath::evaluate(&node, expression, &[]).unwrap_err();
    assert!(error.message().contains("too much work"), "{error}");
}
