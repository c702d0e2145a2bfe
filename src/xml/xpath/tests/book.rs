//! What the XPath 1.0 recommendation says, worked out by hand: its examples, and where another
//! implementation goes its own way.

use super::{doc, show, table};
use crate::xml::xpath::evaluate;
use crate::xml::xpath::query::XPathResult;

/// Of the kind that chapter 2 of the recommendation speaks of.
const BOOK: &str = "<doc><chapter><title>Introduction</title><para>a</para>\
    <para type='warning'>b</para><section><para>c</para></section><section><para>d</para><olist>\
    <item>e</item><item>f</item></olist></section></chapter><chapter><para type='warning'>g</para>\
    </chapter><appendix><title>Rest</title><para type='warning'>h</para>\
    <para type='warning'>i</para><para>j</para></appendix></doc>";

/// Where one stands, the way in full and abbreviated, what it leads to.
#[rustfmt::skip]
const WAYS: &[(&str, &str, &str, &str)] = &[
    ("//chapter", "child::para", "para", "{para:4 para:5}"),
    ("//chapter", "child::*", "*", "{title:3 para:4 para:5 section:6 section:8}"),
    ("//title", "child::text()", "text()", "{title:3/'Introduction'}"),
    ("//title", "child::node()", "node()", "{title:3/'Introduction'}"),
    ("//para[2]", "attribute::type", "@type", "{para:5/@type}"),
    ("//para[2]", "attribute::*", "@*", "{para:5/@type}"),
    ("//chapter", "descendant::para", ".//para", "{para:4 para:5 para:7 para:9}"),
    ("//item", "ancestor::section", "../..", "{section:8}"),
    ("//section", "ancestor-or-self::section", ".", "{section:6}"),
    ("//olist", "descendant-or-self::item", ".//item", "{item:11 item:12}"),
    ("//para", "self::para", ".", "{para:4}"),
    ("//olist", "self::para", "./self::para", "{}"),
    ("/doc", "child::chapter/descendant::para", "chapter//para", "{para:4 para:5 para:7 para:9 para:14}"),
    ("/doc", "child::*/child::para", "*/para", "{para:4 para:5 para:14 para:17 para:18 para:19}"),
    ("//item", "/descendant::item", "//item", "{item:11 item:12}"),
    ("//item", "/descendant::olist/child::item", "//olist/item", "{item:11 item:12}"),
    ("//chapter", "child::para[position()=1]", "para[1]", "{para:4}"),
    ("//chapter", "child::para[position()=last()]", "para[last()]", "{para:5}"),
    ("//chapter", "child::para[position()=last()-1]", "para[last()-1]", "{para:4}"),
    ("//chapter", "child::para[position()>1]", "para[position()>1]", "{para:5}"),
    ("//chapter", "following-sibling::chapter[position()=1]", "../chapter[2]", "{chapter:13}"),
    ("//appendix", "preceding-sibling::chapter[position()=1]", "../chapter[last()]", "{chapter:13}"),
    ("//item", "/descendant::para[position()=6]", "(//para)[6]", "{para:17}"),
    ("//item", "/child::doc/child::chapter[position()=1]/child::section[position()=2]", "/doc/chapter[1]/section[2]", "{section:8}"),
    ("//appendix", "child::para[attribute::type=\"warning\"]", "para[@type='warning']", "{para:17 para:18}"),
    ("//appendix", "child::para[attribute::type='warning'][position()=2]", "para[@type='warning'][2]", "{para:18}"),
    ("//appendix", "child::para[position()=3][attribute::type='warning']", "para[3][@type='warning']", "{}"),
    ("/doc", "child::chapter[child::title='Introduction']", "chapter[title='Introduction']", "{chapter:2}"),
    ("/doc", "child::chapter[child::title]", "chapter[title]", "{chapter:2}"),
    ("/doc", "child::*[self::chapter or self::appendix]", "chapter | appendix", "{chapter:2 chapter:13 appendix:15}"),
    ("/doc", "child::*[self::chapter or self::appendix][position()=last()]", "(appendix | chapter)[last()]", "{appendix:15}"),
    // `//` is no axis: what follows counts among its siblings.
    ("//chapter", "descendant::para[1]", "(.//para)[1]", "{para:4}"),
    ("//chapter", "descendant-or-self::node()/child::para[1]", ".//para[1]", "{para:4 para:7 para:9}"),
    // An axis counts in its own direction, brackets count in that of the document.
    ("//item[2]", "preceding::para[1]", "../../para", "{para:9}"),
    ("//item[2]", "(preceding::para)[1]", "//chapter/para[1][. = 'a']", "{para:4}"),
    ("//item[2]", "ancestor::*[1]", "..", "{olist:10}"),
    ("//item[2]", "(ancestor::*)[1]", "/*", "{doc:1}"),
];

#[test]
fn the_examples_of_the_recommendation_lead_where_it_says() {
    let node = doc(BOOK);
    for (at, full, short, expected) in WAYS {
        let Ok(XPathResult::Nodes(found)) = evaluate(&node, at, &[]) else {
            panic!("{at}")
        };
        assert_eq!(show(&found[0], full, &[]), *expected, "{full}");
        assert_eq!(show(&found[0], short, &[]), *expected, "{short}");
    }
}

/// Beyond the table: what the other implementation does in its own way, or not at all.
const BY_THE_BOOK: &[(&str, &str)] = &[
    ("/", "{/}"),
    ("//f/ancestor::node()", "{/ r:1 e:10 a:11}"),
    ("/r/..", "{/}"),
    ("/..", "{}"),
    ("/self::node()", "{/}"),
    ("/descendant-or-self::node()[1]", "{/}"),
    ("//f/ancestor::node()[last()]", "{/}"),
    ("name(/)", "''"),
    ("/ancestor-or-self::node()", "{/}"),
    (
        "//comment() | //processing-instruction() | //processing-instruction('x')",
        "{}",
    ),
    // What follows an attribute are the children of its element, too.
    ("//e/@n/following::*", "{a:11 f:12}"),
    ("//e/@n/following::*[1]", "{a:11}"),
    ("//a[1]/@n/following::node()[1]", "{b:3 f:12}"),
    ("//e/@n/preceding::*[1]", "{d:9}"),
    ("//e/@n/preceding::node()[4]", "{b:8}"),
    (
        "(//e/@n | //e | //f)/descendant-or-self::node()",
        "{e:10 e:10/@n a:11 f:12 f:12/'5'}",
    ),
    ("//f/../../../..", "{/}"),
    (".", "{/}"),
    ("r", "{r:1}"),
    ("./r", "{r:1}"),
    ("self::node()/r/e", "{e:10}"),
    // Numbers have as many digits as tell them apart, and never an exponent.
    ("string(0.1 + 0.2)", "'0.30000000000000004'"),
    ("string(1 div 3)", "'0.3333333333333333'"),
    ("string(1000000000000000000000)", "'1000000000000000000000'"),
    ("string(0.0000001)", "'0.0000001'"),
    ("string(123456789012345680)", "'123456789012345680'"),
    ("string(-0 * 1)", "'0'"),
    ("number('1e3')", "NaN"),
    ("number('inf')", "NaN"),
    ("number('\u{a0}1')", "NaN"),
    ("number('\t\r\n 1 ')", "1"),
    ("number('--')", "NaN"),
    ("number('-')", "NaN"),
    ("number('1.2.3')", "NaN"),
    ("round(0.49999999999999994)", "0"),
    ("round(-0.5)", "0"),
    ("1 div round(-0.5)", "-Infinity"),
    ("1 div round(-0.2)", "-Infinity"),
    ("round(4503599627370497)", "4503599627370497"),
    ("round(-1.5)", "-1"),
    ("substring('12345', 1 div 0)", "''"),
    ("substring('12345', -1 div 0, 1 div 0)", "''"),
    ("substring('a\u{10ffff}b', 2, 1)", "'\u{10ffff}'"),
    ("string-length('a\u{10ffff}b')", "3"),
    ("translate('a\u{10ffff}b', '\u{10ffff}', 'é')", "'aéb'"),
    ("normalize-space('\u{a0} a\t\r\nb ')", "'\u{a0} a b'"),
    // Names and operators, numbers and dots.
    ("1.div 2.", "0.5"),
    ("1div 2", "0.5"),
    (".5+.5", "1"),
    ("count(//*[1])*2", "14"),
    ("count(*)*count(//*)", "12"),
    ("//r/child :: a[1] / attribute :: n", "{a:2/@n}"),
    ("\t//a\n[ @n\r=\"2\" ] ", "{a:7}"),
    ("//*[self::text or self::b][1]", "{b:3 b:6 b:8}"),
    ("//text", "{}"),
    ("/node", "{}"),
    ("count", "{}"),
    ("(r)/a[1]", "{a:2}"),
    ("(r/a)[1]/b[2]/text()", "{b:4/'y'}"),
    ("id('x')/b", "{}"),
    ("//a[(1)]", "{a:2 a:11}"),
    ("//a[position()=1]", "{a:2 a:11}"),
    ("//a[position()=0]", "{}"),
    ("//a[99999999999999999999]", "{}"),
    ("//a[last() div 2]", "{a:2}"),
    ("(//a | //a/b)[3]/..", "{a:2}"),
];

#[test]
fn the_specification_decides() {
    let node = doc(table::TREE);
    for (expression, expected) in BY_THE_BOOK {
        assert_eq!(show(&node, expression, &[]), *expected, "{expression}");
    }
}
