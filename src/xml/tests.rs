//! The corpus of good and bad XML, and what the tree answers about the good.

use super::*;
use crate::base::{Code, Text, Value};

fn read(bytes: &[u8]) -> Result<Node, Fault> {
    parse(bytes, None, &Limits::default())
}

fn doc(text: &str) -> Node {
    read(text.as_bytes()).unwrap_or_else(|error| panic!("{text}: {error}"))
}

#[track_caller]
fn refused(text: &str, code: Code) -> Fault {
    match read(text.as_bytes()) {
        Ok(_) => panic!("accepted: {text}"),
        Err(error) => {
            let start: String = text.chars().take(60).collect();
            assert_eq!(error.code(), code, "{start}: {error:?}");
            // The scan, not the parser behind it, must have refused it.
            assert_eq!(error.detail_text(), None, "{start}: {error:?}");
            error
        }
    }
}

const MALFORMED: &[&str] = &[
    // documents
    "",
    "   ",
    "a",
    "a<b/>",
    "<a/>b",
    "<a/><b/>",
    "<a/>&#32;",
    "<a/><![CDATA[ ]]>",
    "<![CDATA[ ]]><a/>",
    "<!-- only -->",
    "<?only it?>",
    "\u{FEFF}\u{FEFF}<a/>",
    "<a/>\0",
    // tags
    "<a>",
    "<a",
    "<",
    "</a>",
    "<a></b>",
    "<a></A>",
    "<a></a",
    "<a></a b='1'>",
    "<a><b></a></b>",
    "< a/>",
    "<a / >",
    "<a/ >",
    "<a></ a>",
    "<1a/>",
    "<-a/>",
    "<.a/>",
    "<a!/>",
    "<a><!b/></a>",
    "<a\u{B7}b><a\u{B7}b/>",
    "<\u{B7}a/>",
    // attributes
    "<a b/>",
    "<a b=/>",
    "<a b=c/>",
    "<a b='c/>",
    "<a b='c\"/>",
    "<a b='<'/>",
    "<a b='&'/>",
    "<a b='1'c='2'/>",
    "<a b='1' b='2'/>",
    "<a 'b'/>",
    "<a b=\u{A0}'1'/>",
    "<a b='\u{1}'/>",
    "<a b='&#1;'/>",
    // references
    "<a>&</a>",
    "<a>& b</a>",
    "<a>&amp</a>",
    "<a>&;</a>",
    "<a>&nbsp;</a>",
    "<a>&AMP;</a>",
    "<a>&#;</a>",
    "<a>&#x;</a>",
    "<a>&#X41;</a>",
    "<a>&#0;</a>",
    "<a>&#8;</a>",
    "<a>&#xD800;</a>",
    "<a>&#xFFFE;</a>",
    "<a>&#x110000;</a>",
    "<a>&#99999999999999999999;</a>",
    "<a>&#+65;</a>",
    "<a>&# 65;</a>",
    "<a>&amp ;</a>",
    "<a>&#12a;</a>",
    // characters
    "<a>\u{0}</a>",
    "<a>\u{8}</a>",
    "<a>\u{C}</a>",
    "<a>\u{1F}</a>",
    "<a>\u{FFFE}</a>",
    "<a>\u{FFFF}</a>",
    "<!-- \u{1} --><a/>",
    "<?p \u{1}?><a/>",
    "<a><![CDATA[\u{1}]]></a>",
    "<a>]]></a>",
    "<a>]]]></a>",
    // comments, CDATA, instructions
    "<!-- a -- b --><a/>",
    "<!-- a ---><a/>",
    "<!---><a/>",
    "<!- a --><a/>",
    "<!-- a",
    "<a><![CDATA[b</a>",
    "<a><![CDATA[b]]</a>",
    "<a><![cdata[b]]></a>",
    "<a><! [CDATA[b]]></a>",
    "<? p?><a/>",
    "<?p <a/>",
    "<?p+ b?><a/>",
    "<?a:b c?><a/>",
    "<?XML version='1.0'?><a/>",
    "<a><?xml version='1.0'?></a>",
    " <?xml version='1.0'?><a/>",
    "<?p?><?xml version='1.0'?><a/>",
    "<a/><?xml version='1.0'?>",
    // the XML declaration
    "<?xml?><a/>",
    "<?xml ?><a/>",
    "<?xml version='1.1'?><a/>",
    "<?xml version='1.'?><a/>",
    "<?xml version='2.0'?><a/>",
    "<?xml version=1.0?><a/>",
    "<?xml version='1.0\"?><a/>",
    "<?xml VERSION='1.0'?><a/>",
    "<?xml encoding='utf-8'?><a/>",
    "<?xml encoding='utf-8' version='1.0'?><a/>",
    "<?xml version='1.0' standalone='yes' encoding='utf-8'?><a/>",
    "<?xml version='1.0' standalone='YES'?><a/>",
    "<?xml version='1.0' version='1.0'?><a/>",
    "<?xml version='1.0'encoding='utf-8'?><a/>",
    "<?xml version='1.0' ><a/>",
    "<?xml version='1.0' other='x'?><a/>",
    "<?xml version='1&#46;0'?><a/>",
    // namespaces
    "<p:a/>",
    "<a p:b='1'/>",
    "<a><p:b xmlns:p='urn:p'/><p:c/></a>",
    "<a xmlns:p=''/>",
    "<a xmlns:xml='urn:x'/>",
    "<a xmlns:xmlns='urn:x'/>",
    "<a xmlns:p='http://www.w3.org/XML/1998/namespace'/>",
    "<a xmlns='http://www.w3.org/XML/1998/namespace'/>",
    "<a xmlns:p='http://www.w3.org/2000/xmlns/'/>",
    "<a xmlns='http://www.w3.org/2000/xmlns/'/>",
    "<xmlns:a/>",
    "<:a/>",
    "<a:/>",
    "<a:b:c xmlns:a='urn:a'/>",
    "<a :b='1'/>",
    "<a xmlns:='urn:a'/>",
    "<a xmlns:1='urn:a'/>",
    "<a xmlns:p='urn:p' xmlns:p='urn:q'/>",
    "<a xmlns:p='u' xmlns:q='u' p:b='1' q:b='2'/>",
    "<a xmlns:p='u' xmlns:q='&#117;' p:b='1' q:b='2'/>",
    "<a xmlns='u' xmlns='v'/>",
];

#[test]
fn what_is_not_well_formed_is_refused_with_its_place() {
    for text in MALFORMED {
        let error = refused(text, Code::Malformed);
        assert!(error.message().contains("at line "), "{text}: {error}");
    }
    assert!(MALFORMED.len() > 120);
}

#[test]
fn the_place_is_that_of_their_text() {
    let error = refused("<a>\n  <ß>é & x</ß>\n</a>", Code::Malformed);
    let expected = "XML not well-formed at line 2, column 8: `&` must be written `&amp;`";
    assert_eq!(error.message(), expected);
    let error = refused("<a>\n<b>\n</c></a>", Code::Malformed);
    let expected = "XML not well-formed at line 3, column 1: `</c>` where `</b>` is expected";
    assert_eq!(error.message(), expected);
}

#[test]
fn what_is_well_formed_is_read() {
    // Document, and the text of its root.
    let good: &[(&str, &str)] = &[
        ("<a/>", ""),
        ("\u{FEFF}<a/>", ""),
        ("<?xml version='1.0'?><a>b</a>", "b"),
        (
            "<?xml version = \"1.0\" encoding\n=\t'UTF-8' standalone='no' ?>\n<a>b</a>\n",
            "b",
        ),
        ("<!-- a --><?p?><a>b</a><!-- - -->\n<?p q?>", "b"),
        ("<a >b</a >", "b"),
        ("<a\n/>", ""),
        ("<_a.-1>x</_a.-1>", "x"),
        ("<\u{e9}l\u{e9}ment>x</\u{e9}l\u{e9}ment>", "x"),
        ("<a>&lt;&gt;&amp;&quot;&apos;</a>", "<>&\"'"),
        ("<a>&#65;&#x42;&#x1F600;&#9;</a>", "AB\u{1F600}\t"),
        ("<a>a\r\nb\rc</a>", "a\nb\nc"),
        ("<a>a&#13;b</a>", "a\rb"),
        ("<a>]] ></a>", "]] >"),
        (
            "<a><![CDATA[<b>&amp;]]]]><![CDATA[></b>]]></a>",
            "<b>&amp;]]></b>",
        ),
        ("<a>ad<!-- -->min</a>", "admin"),
        ("<a>ad<?p?>min</a>", "admin"),
        ("<a>ad<![CDATA[min]]></a>", "admin"),
        ("<a><![CDATA[]]>admin<![CDATA[]]></a>", "admin"),
        ("<a>&#97;d<!-- --><![CDATA[mi]]>n</a>", "admin"),
        ("<a b='>' c=\"'\" d='\"'/>", ""),
        ("<a xmlns='u'><b xmlns=''>x</b></a>", "x"),
        ("<p:a xmlns:p='u'>x</p:a>", "x"),
        ("<a xmlns:p='u' p:b='1' b='2'/>", ""),
        ("<a xmlns:p='u' xmlns='u' p:b='1' b='2'/>", ""),
        (
            "<a xmlns:xml='http://www.w3.org/XML/1998/namespace' xml:lang='en'/>",
            "",
        ),
        ("<a xmlns:p='u' xmlns:q='u'/>", ""),
        (
            "<a>\u{85}\u{2028}\u{FFFD}\u{EFFF}</a>",
            "\u{85}\u{2028}\u{FFFD}\u{EFFF}",
        ),
        ("<xml>x</xml>", "x"),
        ("<?xml-stylesheet href='http://127.0.0.1:1/'?><a>x</a>", "x"),
        (
            "<a xmlns:xi='http://www.w3.org/2001/XInclude'><xi:include href='file:///etc/passwd'/>x</a>",
            "x",
        ),
    ];
    for (text, expected) in good {
        assert_eq!(doc(text).root().text(), *expected, "{text}");
    }
}

#[test]
fn a_doctype_is_refused_on_its_token() {
    let bad = [
        "<!DOCTYPE a><a/>",
        "<?xml version='1.0'?>\n<!-- c --><!DOCTYPE a SYSTEM 'file:///etc/passwd'><a/>",
        "<!DOCTYPE a [<!ENTITY b 'c'><!ENTITY d '&b;&b;'>]><a>&d;</a>",
        "<!DOCTYPE a [<!ENTITY % p SYSTEM 'http://127.0.0.1:1/'>%p;]><a/>",
        "<!DOCTYPE",
        "<a><!DOCTYPE b></a>",
        "<a/><!DOCTYPE a>",
    ];
    for text in bad {
        refused(text, Code::Doctype);
    }
    let error = refused("<?xml version='1.0'?>\n <!DOCTYPE a><a/>", Code::Doctype);
    assert!(error.message().contains("line 2, column 2"), "{error}");
    refused("<!doctype a><a/>", Code::Malformed);
}

fn numbered(n: usize, make: impl Fn(usize) -> String) -> String {
    (0..n).map(make).collect::<Vec<_>>().concat()
}

type Make<'a> = &'a dyn Fn(usize) -> String;

#[test]
fn limits_hold_and_one_below_passes() {
    let nested = |n: usize| format!("{}{}", "<a>".repeat(n), "</a>".repeat(n));
    let attributes = |n: usize| {
        let all = numbered(n, |i| format!(" b{i}='1'"));
        format!("<a{all}/>")
    };
    let value = |n: usize| format!("<a b='{}'/>", "x".repeat(n));
    let name = |n: usize| format!("<{}/>", "x".repeat(n));
    let children = |n: usize| format!("<a>{}</a>", "<b/>".repeat(n));
    let bindings = |n: usize| {
        let all = numbered(n, |i| format!(" xmlns:p{i}='u'"));
        format!("<a{all}><b{}/></a>", all.replace("xmlns:p", "xmlns:q"))
    };
    let table: &[(Make<'_>, usize, usize)] = &[
        (&nested, 100, 101),
        (&attributes, 256, 257),
        (&value, 64 << 10, (64 << 10) + 1),
        (&name, 1024, 1025),
        (&children, 50_000, 50_001),
        (&bindings, 120, 128),
    ];
    for (make, good, bad) in table {
        let text = make(*good);
        doc(&text);
        refused(&make(*bad), Code::TooDeep);
    }
}

#[test]
fn a_document_has_at_most_a_million_nodes() {
    let limits = Limits {
        nodes: 9,
        ..Limits::default()
    };
    assert_eq!(Limits::default().nodes, 1_000_000);
    let counted = |text: &str| parse(text.as_bytes(), None, &limits);
    assert!(counted("<a b='1'>c<!-- --><?p?><d/>e<f/>g</a>").is_ok());
    let error = counted("<a b='1'>c<!-- --><?p?><d/>e<f/>g<h/></a>").unwrap_err();
    assert_eq!(error.code(), Code::TooDeep);
}

#[test]
fn hostile_sizes_end_quickly_and_without_a_deep_stack() {
    // A small stack: an implementation that recursed over any of these would end the process.
    let work = || {
        let tags = "<a>".repeat(1_000_000);
        refused(&tags, Code::TooDeep);
        refused(&format!("<a b='{}'/>", "x".repeat(1 << 20)), Code::TooDeep);
        refused(&format!("<{}/>", "x".repeat(1 << 20)), Code::TooDeep);
        doc(&format!("<!--{}--><a/>", "x".repeat(1 << 20)));
        doc(&format!("<a><![CDATA[{}]]></a>", "x".repeat(1 << 20)));
        doc(&format!("<?p {}?><a/>", "x".repeat(1 << 20)));
        doc(&format!("<a>{}</a>", "<!-- -->x".repeat(20_000)));
        doc(&format!("<a>{}</a>", "<p:b xmlns:p='u'/>".repeat(10_000)));
        let nested = format!("{}x{}", "<a>".repeat(100), "</a>".repeat(100));
        let node = doc(&nested);
        assert_eq!(node.text(), "x");
        assert_eq!(node.to_xml(), nested);
        drop(node.to_value());
        drop(node);
    };
    let thread = std::thread::Builder::new()
        .stack_size(512 << 10)
        .spawn(work);
    thread.unwrap().join().unwrap();
}

/// Name, bytes, the charset of the transport, and the root's text or the code.
type Case<'a> = (&'a str, Vec<u8>, Option<&'a str>, Result<&'a str, Code>);

#[test]
#[expect(clippy::too_many_lines, reason = "a table")]
fn only_known_encodings_are_read() {
    let utf16 = |text: &str, big: bool, mark: bool| -> Vec<u8> {
        let units = mark
            .then_some(0xFEFF)
            .into_iter()
            .chain(text.encode_utf16());
        units
            .flat_map(|unit| {
                if big {
                    unit.to_be_bytes()
                } else {
                    unit.to_le_bytes()
                }
            })
            .collect()
    };
    let utf32: Vec<u8> = "\u{FEFF}<a/>"
        .chars()
        .flat_map(|c| u32::from(c).to_be_bytes())
        .collect();
    let latin = |name: &str| {
        [
            format!("<?xml version='1.0' encoding='{name}'?><a>").as_bytes(),
            b"\xE9\x80</a>",
        ]
        .concat()
    };
    let declared = "<?xml version='1.0' encoding='UTF-16'?><a>\u{e9}</a>";
    let (good, media, bad) = (Ok("\u{e9}"), Err(Code::MediaType), Err(Code::Malformed));
    let table: Vec<Case<'_>> = vec![
        ("utf-8", "<a>\u{e9}</a>".into(), None, good),
        (
            "utf-8 by transport",
            "<a>\u{e9}</a>".into(),
            Some("UTF-8"),
            good,
        ),
        (
            "utf-8 with mark",
            "\u{FEFF}<a>\u{e9}</a>".into(),
            Some("utf-8"),
            good,
        ),
        ("utf-16 le", utf16("<a>\u{e9}</a>", false, true), None, good),
        (
            "utf-16 be",
            utf16("<a>\u{e9}</a>", true, true),
            Some("utf-16"),
            good,
        ),
        ("utf-16 declared", utf16(declared, true, true), None, good),
        (
            "utf-16 bare",
            utf16("<a>\u{e9}</a>", true, false),
            None,
            media,
        ),
        (
            "utf-16 le bare",
            utf16("<a>\u{e9}</a>", false, false),
            None,
            media,
        ),
        (
            "utf-16 promised",
            "<a>\u{e9}</a>".into(),
            Some("utf-16"),
            media,
        ),
        (
            "utf-16 odd",
            [utf16("<a/>", false, true), vec![b'x']].concat(),
            None,
            bad,
        ),
        (
            "utf-16 lone",
            utf16("<a/>", false, true)
                .into_iter()
                .chain([0x00, 0xD8])
                .collect(),
            None,
            bad,
        ),
        (
            "utf-16 declares utf-8",
            utf16(&declared.replace("16", "8"), true, true),
            None,
            bad,
        ),
        ("utf-8 declares utf-16", declared.into(), None, media),
        ("utf-32", utf32, None, media),
        (
            "utf-7",
            "<?xml version='1.0' encoding='UTF-7'?><a/>".into(),
            None,
            media,
        ),
        ("ebcdic", vec![0x4C, 0x6F, 0xA7, 0x94, 0x93], None, media),
        (
            "latin-1 declared",
            latin("ISO-8859-1"),
            None,
            Ok("\u{e9}\u{80}"),
        ),
        (
            "latin-1 agreed",
            latin("ISO-8859-1"),
            Some("iso-8859-1"),
            Ok("\u{e9}\u{80}"),
        ),
        (
            "latin-1 against utf-8",
            latin("ISO-8859-1"),
            Some("utf-8"),
            bad,
        ),
        (
            "windows-1252",
            latin("windows-1252"),
            None,
            Ok("\u{e9}\u{20AC}"),
        ),
        ("ascii with more", latin("US-ASCII"), None, bad),
        ("koi8", latin("KOI8-R"), None, media),
        ("shift-jis", "<a/>".into(), Some("Shift_JIS"), media),
        (
            "mark against declaration",
            "\u{FEFF}<?xml version='1.0' encoding='ISO-8859-1'?><a/>".into(),
            None,
            bad,
        ),
        (
            "mark against transport",
            utf16("<a/>", true, true),
            Some("utf-8"),
            bad,
        ),
        ("not utf-8", b"<a>\xE9</a>".to_vec(), None, bad),
        ("overlong", b"<a>\xC0\xBCb/></a>".to_vec(), None, bad),
        ("surrogate", b"<a>\xED\xA0\x80</a>".to_vec(), None, bad),
    ];
    for (case, bytes, charset, expected) in table {
        let got = parse(&bytes, charset, &Limits::default());
        match expected {
            Ok(text) => assert_eq!(got.unwrap().root().text(), text, "{case}"),
            Err(code) => assert_eq!(got.unwrap_err().code(), code, "{case}"),
        }
    }
}

fn names(pairs: &[(&str, &str)]) -> Vec<(Text, Text)> {
    pairs
        .iter()
        .map(|(prefix, uri)| (Text::new(prefix), Text::new(uri)))
        .collect()
}

fn texts(node: &Node, expression: &str, namespaces: &[(Text, Text)]) -> Vec<String> {
    match node.xpath(expression, namespaces).unwrap() {
        XPathResult::Nodes(nodes) => nodes.iter().map(Node::text).collect(),
        other => panic!("{expression} gives {other:?}"),
    }
}

#[test]
fn xpath_selects_by_namespace_position_and_predicate() {
    let node = doc(
        "<r xmlns:p='u'><p:a i='1'>x</p:a><a>y</a><p:a i='2'>z<b>w</b></p:a><div><mod>k</mod></div><and>j</and></r>",
    );
    let ns = names(&[("q", "u")]);
    let table: &[(&str, &[&str])] = &[
        ("//q:a", &["x", "zw"]),
        ("//q:*", &["x", "zw"]),
        ("r/a", &["y"]),
        ("//q:a[2]/b", &["w"]),
        ("//q:a[@i='2']/text()", &["z"]),
        ("//@i", &["1", "2"]),
        ("//q:a[last()]/@i", &["2"]),
        ("//*[not(*)]", &["x", "y", "w", "k", "j"]),
        ("//b/..", &["zw"]),
        ("//b/ancestor::q:a/preceding-sibling::*", &["x", "y"]),
        ("/r/none", &[]),
        ("//a | //b", &["y", "w"]),
        ("//q:a[contains(., 'z')]/@i", &["2"]),
        ("//*[local-name()='b']", &["w"]),
        ("//@*[. = '1:2']", &[]),
        ("r/div/mod | //and", &["k", "j"]),
    ];
    for (expression, expected) in table {
        assert_eq!(texts(&node, expression, &ns), *expected, "{expression}");
    }
}

#[test]
fn xpath_gives_numbers_texts_and_truth() {
    let node = doc("<r><a>1</a><a>2.5</a></r>");
    let value = |expression: &str| node.xpath(expression, &[]).unwrap();
    assert!(matches!(value("sum(//a)"), XPathResult::Number(n) if (n - 3.5).abs() < 1e-9));
    assert!(matches!(value("count(//a) = 2"), XPathResult::Bool(true)));
    assert!(matches!(value("concat(//a[1], '-')"), XPathResult::Text(text) if text == "1-"));
    assert!(matches!(value("number('x')"), XPathResult::Number(n) if n.is_nan()));
}

#[test]
fn texts_are_whole_for_xpath_too() {
    let node = doc("<r><a>ad<!-- -->m<![CDATA[i]]>n</a><!-- x --><b/></r>");
    assert_eq!(texts(&node, "//a/text()", &[]), ["admin"]);
    assert_eq!(texts(&node, "//a[text()='admin']", &[]), ["admin"]);
    assert_eq!(texts(&node, "//comment()", &[]), [""; 0]);
}

#[test]
fn a_bad_expression_is_named() {
    let node = doc("<r/>");
    for expression in ["//[", "r/", "no-such-function()", "'open", "//a[", "$x"] {
        let error = node.xpath(expression, &[]).unwrap_err();
        assert_eq!(error.code(), Code::ScriptArgument, "{expression}");
        assert!(error.message().contains(expression), "{error}");
    }
    let error = node
        .xpath("//p:a[. = 'q:b']/x:y", &names(&[("p", "u")]))
        .unwrap_err();
    assert!(error.message().starts_with("prefix `x`"), "{error}");
    assert!(
        node.xpath("child::r/self::r[. = 'x:y' or . = \"z:'\"]", &[])
            .is_ok()
    );
    assert!(node.xpath(&"a".repeat(5000), &[]).is_err());
    assert!(node.xpath(&"(".repeat(2000), &[]).is_err());
}

#[test]
fn a_node_knows_its_place() {
    let node = doc("<r xmlns='u'>\n <a x='1' p:x='2' xmlns:p='v'>\n  <b/></a></r>");
    let root = node.root();
    let a = root.children().next().unwrap();
    let b = a.children().next().unwrap();
    assert_eq!((root.line(), a.line(), b.line()), (1, 2, 3));
    assert_eq!((b.name(), b.namespace()), ("b", "u"));
    assert_eq!(a.attribute("x", None), Some("1"));
    assert_eq!(a.attribute("x", Some("v")), Some("2"));
    assert_eq!(a.attribute("x", Some("u")), None);
    assert_eq!(b.parent().unwrap().name(), "a");
    assert_eq!(root.parent().unwrap().name(), "");
    assert!(node.parent().is_none());
    let XPathResult::Nodes(found) = b.xpath("../@x", &[]).unwrap() else {
        panic!()
    };
    assert_eq!((found[0].line(), found[0].name()), (2, "x"));
}

#[test]
fn a_part_is_written_so_that_it_can_stand_alone() {
    let node =
        doc("<p:r xmlns:p='u' xmlns='v'><a p:x='1 &lt; &quot;2&quot;'>t &amp; u<p:b/></a></p:r>");
    let a = node.root().children().next().unwrap();
    let expected = "<a xmlns:p=\"u\" xmlns=\"v\" p:x=\"1 &lt; &quot;2&quot;\">t &amp; u<p:b/></a>";
    assert_eq!(a.to_xml(), expected);
    let again = doc(&a.to_xml());
    assert_eq!(again.root().namespace(), "v");
    assert_eq!(again.root().attribute("x", Some("u")), Some("1 < \"2\""));
}

#[test]
fn what_is_read_survives_writing_and_reading() {
    let texts = [
        "<a b=\"\t\n\r'\">\r\n &lt;]]&gt;</a>",
        "<a xmlns=\"u\"><b xmlns=\"\"/></a>",
        "<a b=\"&#9;&#10;&#13;\">&#13;</a>",
    ];
    for text in texts {
        let text = text.replace("]]>", "]]&gt;");
        let once = doc(&text);
        let again = doc(&once.to_xml());
        assert_eq!(once.text(), again.text(), "{text}");
        assert_eq!(once.to_xml(), again.to_xml(), "{text}");
        assert_eq!(
            once.root().attribute("b", None),
            again.root().attribute("b", None),
            "{text}"
        );
    }
}

fn json(value: &Value) -> String {
    serde_json::Value::from(value).to_string()
}

#[test]
fn elements_become_maps_lists_and_texts() {
    let table = [
        (
            "<r><year>2013</year><month>9</month></r>",
            r#"{"year":"2013","month":"9"}"#,
        ),
        ("<r>\n <b>2</b>\n <a/>\n</r>", r#"{"b":"2","a":""}"#),
        (
            "<r><a>1</a><b>x</b><a>2</a></r>",
            r#"{"a":["1","2"],"b":"x"}"#,
        ),
        (
            "<r><i><n>1</n></i><i><n>2</n></i></r>",
            r#"{"i":[{"n":"1"},{"n":"2"}]}"#,
        ),
        ("<r>text</r>", r#""text""#),
        ("<r/>", r#""""#),
        (
            "<p:r xmlns:p='u' x='1'><p:a y='2'>b</p:a></p:r>",
            r#"{"a":"b"}"#,
        ),
        ("<r><a>ad<!-- -->min</a></r>", r#"{"a":"admin"}"#),
        (
            "<r xmlns:i='http://www.w3.org/2001/XMLSchema-instance'><a i:nil='true'/><b/></r>",
            r#"{"a":null,"b":""}"#,
        ),
        ("<r><a> x </a></r>", r#"{"a":" x "}"#),
    ];
    for (text, expected) in table {
        assert_eq!(json(&doc(text).to_value()), expected, "{text}");
    }
}

#[test]
fn many_names_do_not_cost_their_square() {
    let all = numbered(50_000, |i| format!("<n{i}/>"));
    let value = doc(&format!("<r>{all}</r>")).to_value();
    assert_eq!(value.as_map().unwrap().len(), 50_000);
}

#[test]
fn values_become_elements() {
    let value = serde_json::json!({
        "rate": "1.22", "n": 3, "no": null, "tags": ["a", "b & c"], "none": [],
        "sub": {"x": true, "y": {}}, "grid": [[1, 2], [3]], "gap": [null, 1],
    });
    let mut writer = Writer::new();
    writer.start("r");
    write_content(&mut writer, &Value::from(&value)).unwrap();
    writer.end();
    let expected = "<r><rate>1.22</rate><n>3</n><tags>a</tags><tags>b &amp; c</tags>\
        <sub><x>true</x><y/></sub><grid><item>1</item><item>2</item></grid><grid><item>3</item></grid>\
        <gap xmlns:xsi=\"http://www.w3.org/2001/XMLSchema-instance\" xsi:nil=\"true\"/><gap>1</gap></r>";
    let written = writer.finish();
    assert_eq!(written, expected);
    let read = doc(&written).to_value();
    let gap = read.as_map().and_then(|map| map.get("gap"));
    assert_eq!(gap, Some(&Value::List(vec![Value::Null, "1".into()])));
}

#[test]
fn what_xml_cannot_carry_is_refused() {
    let deep = (0..200).fold(Value::from(1), |value, _| {
        let mut map = crate::base::Map::new();
        map.set("a", value);
        map.into()
    });
    let named = |name: &str, value: Value| {
        let mut map = crate::base::Map::new();
        map.set(name, value);
        Value::from(map)
    };
    let bad = [
        named("1a", 1.into()),
        named("a b", 1.into()),
        named("p:a", 1.into()),
        named("", 1.into()),
        named("a", "\u{1}".into()),
        named("a", Value::Handle(crate::base::Handle::new(doc("<a/>")))),
        deep,
    ];
    for value in bad {
        let error = write_content(&mut Writer::new(), &value).unwrap_err();
        assert_eq!(error.code(), Code::OutputRejected, "{error}");
    }
}

#[test]
fn the_root_shows_even_when_the_rest_is_broken() {
    let peek = |text: &str| peek_root(text.as_bytes(), None);
    let pair = |one: &str, other: &str| Some((one.to_owned(), other.to_owned()));
    assert_eq!(
        peek("<?xml version='1.0'?><!-- c --><?p?> <p:a xmlns:p='u'><b"),
        pair("u", "a")
    );
    assert_eq!(peek("<a>&</a>"), pair("", "a"));
    assert_eq!(peek("<!DOCTYPE a><a/>"), None);
    assert_eq!(peek("{}"), None);
    assert_eq!(peek(""), None);
}

const ADO: &str = "http://schemas.microsoft.com/ado/2007/08/dataservices";

fn feed() -> String {
    let path = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/tests/fixtures/treasury/real-long-term-2013-09.xml"
    );
    std::fs::read_to_string(path).unwrap()
}

fn rates(text: &str) -> Vec<(String, String)> {
    let metadata = format!("{ADO}/metadata");
    let ns = names(&[("m", &metadata), ("d", ADO)]);
    let XPathResult::Nodes(rows) = doc(text).xpath("//m:properties", &ns).unwrap() else {
        panic!()
    };
    let cell = |row: &Node, name: &str| texts(row, name, &ns).remove(0);
    rows.iter()
        .map(|row| (cell(row, "d:QUOTE_DATE"), cell(row, "d:RATE")))
        .collect()
}

#[test]
fn the_treasury_feed_is_read_in_all_its_shapes() {
    let plain = feed();
    let expected = rates(&plain);
    assert_eq!(expected.len(), plain.matches("<m:properties>").count());
    assert_eq!(
        expected[0],
        ("2013-09-03T00:00:00".to_owned(), "1.22".to_owned())
    );
    let pre = plain
        .replace("<feed ", "<pre ")
        .replace("</feed>", "</pre>");
    let local = plain
        .replace(&format!(" xmlns:d=\"{ADO}\""), "")
        .replace(&format!(" xmlns:m=\"{ADO}/metadata\""), "")
        .replace(
            "<m:properties>",
            &format!("<m:properties xmlns:m=\"{ADO}/metadata\">"),
        )
        .replace(" m:type=", &format!(" xmlns:m=\"{ADO}/metadata\" m:type="))
        .replace("<d:", &format!("<d:@ xmlns:d=\"{ADO}\" "))
        .replace("<content type=\"application/xml\">", "<content>");
    // `<d:@ xmlns:d="…" RATE …>` → `<d:RATE xmlns:d="…" …>`
    let marker = format!(" xmlns:d=\"{ADO}\" ");
    let moved = local.split("<d:@").map(|part| {
        let Some(rest) = part.strip_prefix(&marker) else {
            return part.to_owned();
        };
        let end = rest.find([' ', '>', '/']).unwrap();
        let (name, tail) = rest.split_at(end);
        format!("<d:{name}{}{tail}", marker.trim_end())
    });
    let local = moved.collect::<Vec<_>>().concat();
    let more = plain.replace(
        "<d:RATE ",
        "<d:EXTRAPOLATION_FACTOR m:type=\"Edm.Double\">9</d:EXTRAPOLATION_FACTOR><d:RATE_TYPE>x</d:RATE_TYPE><d:RATE ",
    );
    for (shape, text) in [("pre", pre), ("local", local), ("more", more)] {
        assert_ne!(text, plain, "{shape}");
        assert_eq!(rates(&text), expected, "{shape}");
    }
}

#[test]
fn a_feed_of_two_and_a_half_megabytes_is_read_and_queried() {
    let plain = feed();
    let (head, rest) = plain.split_once("<entry>").unwrap();
    let (entries, tail) = rest.rsplit_once("</entry>").unwrap();
    let block = format!("<entry>{entries}</entry>");
    let text = format!("{head}{}{tail}", block.repeat(2_500_000 / block.len() + 1));
    assert!(text.len() > 2_500_000);
    let rows = plain.matches("<m:properties>").count() * text.matches(&block).count();
    assert_eq!(rates(&text).len(), rows);
    let metadata = format!("{ADO}/metadata");
    let ns = names(&[("m", &metadata), ("d", ADO)]);
    assert_eq!(
        texts(&doc(&text), "//m:properties/d:*/text()", &ns).len(),
        rows * 3
    );
}

#[test]
fn nodes_cross_threads() {
    fn assert_send_sync<T: Send + Sync + 'static>() {}
    assert_send_sync::<Node>();
}

#[test]
fn any_bytes_give_an_answer_and_no_panic() {
    let pieces = [
        "<a",
        ">",
        "</a>",
        "/>",
        "<!--",
        "-->",
        "<![CDATA[",
        "]]>",
        "&amp;",
        "&",
        "=",
        "'x'",
        " b",
        "<?p",
        "?>",
        "x",
        "\u{e9}",
        "<!DOCTYPE",
        ":",
        "xmlns",
    ];
    let strategy = proptest::collection::vec(proptest::sample::select(pieces.to_vec()), 0..24);
    proptest::proptest!(|(parts in strategy, bytes in proptest::collection::vec(0u8.., 0..64))| {
        let text = parts.concat();
        // Whatever the scan lets through, the parser behind it must take too, and writing it must read back.
        match read(text.as_bytes()) {
            Ok(node) => assert_eq!(doc(&node.to_xml()).text(), node.root().text()),
            Err(error) => assert_eq!(error.detail_text(), None, "{text}: {error:?}"),
        }
        drop(read(&bytes));
    });
}
