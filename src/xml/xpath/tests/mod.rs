//! What XPath answers: a table made with another implementation, what the specification says, what
//! is refused, and the hostile.

mod book;
mod hostile;
mod refused;
mod table;

use crate::base::Text;
use crate::xml::xpath::query::XPathResult;
use crate::xml::xpath::{evaluate, number};
use crate::xml::{Limits, Node, parse_text};

fn doc(text: &str) -> Node {
    parse_text(text.to_owned(), &Limits::default()).unwrap()
}

fn names(pairs: &[(&str, &str)]) -> Vec<(Text, Text)> {
    let pairs = pairs.iter();
    pairs
        .map(|(prefix, uri)| (Text::new(prefix), Text::new(uri)))
        .collect()
}

/// Evaluates an expression and shows what it gave: `{a:1 b:2/@c}` for nodes, elements by name and
/// number, other nodes behind their parent.
fn show(node: &Node, expression: &str, namespaces: &[(Text, Text)]) -> String {
    match evaluate(node, expression, namespaces) {
        Ok(XPathResult::Nodes(nodes)) => {
            let labels: Vec<String> = nodes.iter().map(label).collect();
            format!("{{{}}}", labels.join(" "))
        }
        Ok(XPathResult::Text(text)) => format!("'{text}'"),
        Ok(XPathResult::Number(number)) => number::show(number),
        Ok(XPathResult::Bool(truth)) => truth.to_string(),
        Err(fault) => panic!("{expression}: {fault}"),
    }
}

fn label(node: &Node) -> String {
    let Some(parent) = node.parent() else {
        return "/".to_owned();
    };
    if node.is_element() {
        let place = node.place();
        let before = (1..=place).filter(|&at| node.at_place(at).is_element());
        return format!("{}:{}", written_name(node), before.count());
    }
    if node.name().is_empty() {
        return format!("{}/'{}'", label(&parent), node.text());
    }
    format!("{}/@{}", label(&parent), written_name(node))
}

/// Returns the name as the document writes it.
fn written_name(node: &Node) -> String {
    match evaluate(node, "name()", &[]) {
        Ok(XPathResult::Text(name)) => name.to_string(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_path_starts_at_the_node_asked() {
    let node = doc(table::TREE);
    let Ok(XPathResult::Nodes(found)) = evaluate(&node, "//e/a | //@n | //b/text()", &[]) else {
        panic!()
    };
    let from = |wanted: &str| found.iter().find(|node| label(node) == wanted).unwrap();
    let table = [
        ("a:11", "f", "{f:12}"),
        ("a:11", ".", "{a:11}"),
        ("a:11", "../@n", "{e:10/@n}"),
        ("a:11", "//c", "{c:5}"),
        ("a:11", "@n + position() + last()", "6"),
        ("a:11/@n", "..", "{a:11}"),
        ("a:11/@n", "string()", "'4'"),
        ("a:11/@n", ". * 2", "8"),
        ("a:11/@n", "name()", "'n'"),
        ("a:11/@n", ".", "{a:11/@n}"),
        ("b:4/'y'", "../..", "{a:2}"),
        ("b:4/'y'", ".", "{b:4/'y'}"),
        ("b:4/'y'", "string-length()", "1"),
    ];
    for (at, expression, expected) in table {
        assert_eq!(
            show(from(at), expression, &[]),
            expected,
            "{at} {expression}"
        );
    }
}

#[test]
fn any_expression_gives_an_answer_and_no_panic() {
    let pieces = [
        "a",
        "b",
        "*",
        "/",
        "//",
        "..",
        ".",
        "@n",
        "[",
        "]",
        "(",
        ")",
        "1",
        "2",
        "'x'",
        " ",
        "-",
        "|",
        "=",
        "!=",
        "<",
        "+",
        " div ",
        " mod ",
        " and ",
        "::",
        "child::",
        "ancestor::",
        "preceding::",
        "following-sibling::",
        "last()",
        "position()",
        "count(",
        "string(",
        "substring(",
        ",",
        "text()",
        "p:",
        "$",
        "\u{e9}",
        "node()",
        "not(",
        "sum(",
        "id(",
    ];
    let node = doc(table::TREE);
    let strategy = proptest::collection::vec(proptest::sample::select(pieces.to_vec()), 0..12);
    proptest::proptest!(|(parts in strategy)| {
        drop(evaluate(&node, &parts.concat(), &[]));
    });
}
