//! `xml`: reading, querying and building XML, and the methods of its nodes.
//!
//! Queries are XPath 1.0 from the node they are asked of; prefixes mean what the map of namespaces
//! says. Elements come back as nodes, texts and attributes as texts.

use crate::base::{Code, Fault, Handle, Text, Value};
use crate::contract::{Arg, Args, Effect, Example, HostCall, HostFn, Receiver, Type};
use crate::script::host::data;
use crate::xml::{self, Limits, Node, XPathResult};

/// The class of a node.
const NODE: Type = Type::Object("xml.node");

const EXPRESSION: Arg = Arg {
    name: "expression",
    ty: Type::Text,
    optional: false,
};
const MAYBE_EXPRESSION: Arg = Arg {
    name: "expression",
    ty: Type::Text,
    optional: true,
};
const NAMESPACES: Arg = Arg {
    name: "namespaces",
    ty: Type::Map,
    optional: true,
};

/// The host functions of this namespace.
pub(crate) const TABLE: &[HostFn] = &[
    HostFn {
        path: "xml.parse",
        receiver: Receiver::Library,
        args: &[Arg {
            name: "text",
            ty: Type::Text,
            optional: false,
        }],
        returns: NODE,
        effect: Effect::Pure,
        doc: "Reads XML and returns its document node. A DOCTYPE, input that is not well-formed \
              and input beyond the limits is an error.",
        examples: &[Example {
            lua: r#"xml.parse("<a><b>1</b></a>"):text("a/b")"#,
            rhai: r#"xml.parse("<a><b>1</b></a>").text("a/b")"#,
            result: r#""1""#,
        }],
        call: HostCall::Now(|_call, args| parse(args)),
    },
    HostFn {
        path: "xml.build",
        receiver: Receiver::Library,
        args: &[
            Arg {
                name: "root",
                ty: Type::Any,
                optional: false,
            },
            Arg {
                name: "value",
                ty: Type::Any,
                optional: true,
            },
            Arg {
                name: "options",
                ty: Type::Map,
                optional: true,
            },
        ],
        returns: Type::Text,
        effect: Effect::Pure,
        doc: "Builds an XML document and returns it as text: from a root name, a value and options \
              (`namespace`), or from the description of the root element. A description has \
              `name`, `namespace`, `attributes` and `content`: a scalar, a description, a node, or \
              a list of these. Keys of a value come in the order of the script language; where \
              order matters, describe the elements.",
        examples: &[
            Example {
                lua: r#"xml.parse(xml.build("order", { id = 7 })):text("order/id")"#,
                rhai: r#"xml.parse(xml.build("order", #{ id: 7 })).text("order/id")"#,
                result: r#""7""#,
            },
            Example {
                lua: r#"xml.parse(xml.build { name = "a", attributes = { x = 1 }, content = { "b & c" } }):text()"#,
                rhai: r#"xml.parse(xml.build(#{ name: "a", attributes: #{ x: 1 }, content: ["b & c"] })).text()"#,
                result: r#""b & c""#,
            },
            Example {
                lua: r#"xml.build { name = "p", content = { "rate ", { name = "b", content = "1.22" }, " ]]> <&" } }"#,
                rhai: r#"xml.build(#{ name: "p", content: ["rate ", #{ name: "b", content: "1.22" }, " ]]> <&"] })"#,
                result: r#""<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<p>rate <b>1.22</b> ]]&gt; &lt;&amp;</p>""#,
            },
            Example {
                lua: r#"xml.parse(xml.build { name = "m:order", namespace = "urn:m", attributes = { id = 7 }, content = { { name = "m:line", content = "x" } } }):text("//m:line", { m = "urn:m" })"#,
                rhai: r#"xml.parse(xml.build(#{ name: "m:order", namespace: "urn:m", attributes: #{ id: 7 }, content: [#{ name: "m:line", content: "x" }] })).text("//m:line", #{ m: "urn:m" })"#,
                result: r#""x""#,
            },
        ],
        call: HostCall::Now(|_call, args| build(args)),
    },
    HostFn {
        path: "xml.node.each",
        receiver: Receiver::Method,
        args: &[EXPRESSION, NAMESPACES],
        returns: Type::Each,
        effect: Effect::Pure,
        doc: "Returns all matches of an XPath expression, for a loop: elements as nodes, texts and \
              attributes as texts.",
        examples: &[Example {
            lua: r#"(function() local all = "" for b in xml.parse("<a><b>1</b><b>2</b></a>"):each("//b") do all ..= b:text() end return all end)()"#,
            rhai: r#"{ let all = ""; for b in xml.parse("<a><b>1</b><b>2</b></a>").each("//b") { all += b.text(); } all }"#,
            result: r#""12""#,
        }],
        call: HostCall::Now(|_call, args| each(args)),
    },
    HostFn {
        path: "xml.node.text",
        receiver: Receiver::Method,
        args: &[MAYBE_EXPRESSION, NAMESPACES],
        returns: Type::Text,
        effect: Effect::Pure,
        doc: "Returns the text of the first match of an XPath expression, or nothing when there is \
              none; without an expression, all text of the node.",
        examples: &[
            Example {
                lua: r#"xml.parse("<a><b>x</b><b>y</b></a>"):text("//b[2]")"#,
                rhai: r#"xml.parse("<a><b>x</b><b>y</b></a>").text("//b[2]")"#,
                result: r#""y""#,
            },
            Example {
                lua: r#"xml.parse("<a>ad<!-- -->min</a>"):text()"#,
                rhai: r#"xml.parse("<a>ad<!-- -->min</a>").text()"#,
                result: r#""admin""#,
            },
        ],
        call: HostCall::Now(|_call, args| text(args)),
    },
    HostFn {
        path: "xml.node.all",
        receiver: Receiver::Method,
        args: &[EXPRESSION, NAMESPACES],
        returns: Type::List,
        effect: Effect::Pure,
        doc: "Returns all matches of an XPath expression as a list: elements as nodes, texts and \
              attributes as texts.",
        examples: &[Example {
            lua: r#"xml.parse("<a><b>1</b><b>2</b></a>"):all("//b/text()")"#,
            rhai: r#"xml.parse("<a><b>1</b><b>2</b></a>").all("//b/text()")"#,
            result: r#"["1","2"]"#,
        }],
        call: HostCall::Now(|_call, args| each(args)),
    },
    HostFn {
        path: "xml.node.xpath",
        receiver: Receiver::Method,
        args: &[EXPRESSION, NAMESPACES],
        returns: Type::Any,
        effect: Effect::Pure,
        doc: "Returns what an XPath expression gives: a number, a text, a truth value, or the list \
              of its matches.",
        examples: &[Example {
            lua: r#"xml.parse("<a><b/><b/></a>"):xpath("count(//b)")"#,
            rhai: r#"xml.parse("<a><b/><b/></a>").xpath("count(//b)")"#,
            result: "2",
        }],
        call: HostCall::Now(|_call, args| xpath(args)),
    },
    HostFn {
        path: "xml.node.node",
        receiver: Receiver::Method,
        args: &[EXPRESSION, NAMESPACES],
        returns: NODE,
        effect: Effect::Pure,
        doc: "Returns the first element that an XPath expression matches, or nothing.",
        examples: &[Example {
            lua: r#"xml.parse("<a><b c='1'/></a>"):node("//b"):name()"#,
            rhai: r#"xml.parse("<a><b c='1'/></a>").node("//b").name()"#,
            result: r#""b""#,
        }],
        call: HostCall::Now(|_call, args| node(args)),
    },
    HostFn {
        path: "xml.node.attr",
        receiver: Receiver::Method,
        args: &[
            Arg {
                name: "name",
                ty: Type::Text,
                optional: false,
            },
            NAMESPACES,
        ],
        returns: Type::Text,
        effect: Effect::Pure,
        doc: "Returns the value of an attribute, or nothing. A prefix in the name means what the \
              map of namespaces says. Of a document, it is an attribute of the root element.",
        examples: &[Example {
            lua: r#"xml.parse("<a x='1'/>"):attr("x")"#,
            rhai: r#"xml.parse("<a x='1'/>").attr("x")"#,
            result: r#""1""#,
        }],
        call: HostCall::Now(|_call, args| attr(args)),
    },
    HostFn {
        path: "xml.node.name",
        receiver: Receiver::Method,
        args: &[],
        returns: Type::Text,
        effect: Effect::Pure,
        doc: "Returns the name without its prefix. Of a document, it is that of the root element.",
        examples: &[Example {
            lua: r#"xml.parse("<p:a xmlns:p='urn:p'/>"):name()"#,
            rhai: r#"xml.parse("<p:a xmlns:p='urn:p'/>").name()"#,
            result: r#""a""#,
        }],
        call: HostCall::Now(|_call, args| Ok(element(args)?.name().into())),
    },
    HostFn {
        path: "xml.node.namespace",
        receiver: Receiver::Method,
        args: &[],
        returns: Type::Text,
        effect: Effect::Pure,
        doc: "Returns the namespace, an empty text when there is none. Of a document, it is that \
              of the root element.",
        examples: &[Example {
            lua: r#"xml.parse("<a xmlns='urn:p'/>"):namespace()"#,
            rhai: r#"xml.parse("<a xmlns='urn:p'/>").namespace()"#,
            result: r#""urn:p""#,
        }],
        call: HostCall::Now(|_call, args| Ok(element(args)?.namespace().into())),
    },
    HostFn {
        path: "xml.node.children",
        receiver: Receiver::Method,
        args: &[],
        returns: Type::List,
        effect: Effect::Pure,
        doc: "Returns the elements directly within, as nodes. Of a document, they are those of the \
              root element.",
        examples: &[Example {
            lua: r#"xml.parse("<a><b/><c/></a>"):children()[2]:name()"#,
            rhai: r#"xml.parse("<a><b/><c/></a>").children()[1].name()"#,
            result: r#""c""#,
        }],
        call: HostCall::Now(|_call, args| children(args)),
    },
    HostFn {
        path: "xml.node.value",
        receiver: Receiver::Method,
        args: &[],
        returns: Type::Any,
        effect: Effect::Pure,
        doc: "Returns the content as a plain value: an element with elements becomes a map, a \
              repeated name a list, any other element its text. Attributes and namespaces play no \
              part.",
        examples: &[Example {
            lua: r#"xml.parse("<a><b>1</b><b>2</b><c>x</c></a>"):value()"#,
            rhai: r#"xml.parse("<a><b>1</b><b>2</b><c>x</c></a>").value()"#,
            result: r#"{"b":["1","2"],"c":"x"}"#,
        }],
        call: HostCall::Now(|_call, args| Ok(receiver(args)?.0.to_value())),
    },
    HostFn {
        path: "xml.node.tostring",
        receiver: Receiver::Method,
        args: &[],
        returns: Type::Text,
        effect: Effect::Pure,
        doc: "Returns the node as XML text, with the namespaces declared that it needs. Comments \
              and instructions are not kept.",
        examples: &[Example {
            lua: r#"xml.parse("<a><b>1</b></a>"):node("//b"):tostring()"#,
            rhai: r#"xml.parse("<a><b>1</b></a>").node("//b").tostring()"#,
            result: r#""<b>1</b>""#,
        }],
        call: HostCall::Now(|_call, args| Ok(receiver(args)?.0.to_xml().into())),
    },
];

fn parse(mut args: Args) -> Result<Value, Fault> {
    let read = match args.take(0) {
        Value::Bytes(bytes) => xml::parse(&bytes, None, &Limits::default()),
        other => {
            let text = Args::new(vec![other]).text(0, "text")?;
            let text = text.strip_prefix('\u{FEFF}').unwrap_or(&text);
            xml::parse_text(text.to_owned(), &Limits::default())
        }
    };
    let node = read.map_err(|fault| data::in_script("xml.parse", &fault))?;
    Ok(Value::Handle(Handle::new(node)))
}

fn build(mut args: Args) -> Result<Value, Fault> {
    let built = match args.take(0) {
        Value::Map(description) => {
            if args.len() > 1 {
                let fault = wrong("a description of the root has its content within".to_owned());
                return Err(fault.hint("Give it as `content`."));
            }
            xml::build::from_description(&description)
        }
        root => {
            let root = Args::new(vec![root]).text(0, "root")?;
            let options = args.map(2, "options")?;
            data::known(&options, &["namespace"])?;
            let namespace = data::text_option(&options, "namespace")?.unwrap_or_default();
            xml::build::from_value(&root, &namespace, &args.take(1))
        }
    };
    built
        .map(Value::from)
        .map_err(|fault| data::in_script("xml.build", &fault))
}

fn each(args: Args) -> Result<Value, Fault> {
    let (node, mut args) = receiver(args)?;
    let expression = args.text(1, "expression")?;
    match query(&node, &expression, &mut args)? {
        XPathResult::Nodes(nodes) => Ok(Value::List(nodes.into_iter().map(item).collect())),
        _ => Err(
            wrong(format!("XPath `{expression}` gives a value, not nodes"))
                .hint("Use `xpath` for numbers, texts and truth values."),
        ),
    }
}

fn text(args: Args) -> Result<Value, Fault> {
    let (node, mut args) = receiver(args)?;
    if args.get(1).is_none() {
        return Ok(node.text().into());
    }
    let expression = args.text(1, "expression")?;
    let result = query(&node, &expression, &mut args)?;
    Ok(match result {
        XPathResult::Nodes(nodes) => nodes.first().map_or(Value::Null, |node| node.text().into()),
        scalar => value(scalar).to_text().map_or(Value::Null, Value::Text),
    })
}

fn xpath(args: Args) -> Result<Value, Fault> {
    let (node, mut args) = receiver(args)?;
    let expression = args.text(1, "expression")?;
    query(&node, &expression, &mut args).map(value)
}

fn node(args: Args) -> Result<Value, Fault> {
    let (node, mut args) = receiver(args)?;
    let expression = args.text(1, "expression")?;
    match query(&node, &expression, &mut args)? {
        XPathResult::Nodes(nodes) => {
            let found = nodes.into_iter().find(Node::is_element);
            Ok(found.map_or(Value::Null, |node| Value::Handle(Handle::new(node))))
        }
        _ => Err(wrong(format!(
            "XPath `{expression}` gives a value, not nodes"
        ))),
    }
}

fn attr(args: Args) -> Result<Value, Fault> {
    let (node, mut args) = receiver(args)?;
    let node = or_root(node);
    let name = args.text(1, "name")?;
    let namespaces = namespaces(&mut args)?;
    let (namespace, local) = match name.split_once(':') {
        None => (None, name.as_str()),
        Some((prefix, local)) => {
            let known = namespaces.iter().find(|(own, _)| own == prefix);
            let known = known.ok_or_else(|| undeclared(prefix, &name))?;
            (Some(known.1.as_str()), local)
        }
    };
    Ok(node
        .attribute(local, namespace)
        .map_or(Value::Null, Value::from))
}

fn children(args: Args) -> Result<Value, Fault> {
    let node = element(args)?;
    Ok(Value::List(node.children().map(item).collect()))
}

/// Takes the object a method was called on.
fn receiver(mut args: Args) -> Result<(Node, Args), Fault> {
    let handle = args.handle(0, "self")?;
    let node = handle.downcast::<Node>().cloned();
    Ok((
        node.ok_or_else(|| wrong("this is not an XML node".to_owned()))?,
        args,
    ))
}

/// Takes the element a method was called on: for a document, its root.
fn element(args: Args) -> Result<Node, Fault> {
    receiver(args).map(|(node, _)| or_root(node))
}

fn or_root(node: Node) -> Node {
    if node.parent().is_none() {
        node.root()
    } else {
        node
    }
}

fn query(node: &Node, expression: &str, args: &mut Args) -> Result<XPathResult, Fault> {
    let namespaces = namespaces(args)?;
    node.xpath(expression, &namespaces)
}

/// Takes the map of namespaces, the argument after the expression.
fn namespaces(args: &mut Args) -> Result<Vec<(Text, Text)>, Fault> {
    let map = args.map(2, "namespaces")?;
    map.into_iter()
        .map(|(prefix, uri)| match uri {
            Value::Text(uri) => Ok((prefix, uri)),
            other => {
                let kind = other.kind();
                Err(wrong(format!(
                    "namespace of prefix `{prefix}` must be a text, got {kind}"
                )))
            }
        })
        .collect()
}

fn item(node: Node) -> Value {
    if node.is_element() || node.parent().is_none() {
        Value::Handle(Handle::new(node))
    } else {
        node.text().into()
    }
}

fn value(result: XPathResult) -> Value {
    match result {
        XPathResult::Nodes(nodes) => Value::List(nodes.into_iter().map(item).collect()),
        XPathResult::Text(text) => Value::Text(text),
        XPathResult::Bool(truth) => truth.into(),
        XPathResult::Number(number) => number_value(number),
    }
}

/// Whole numbers count as integers; what is no number is nothing.
#[expect(
    clippy::cast_possible_truncation,
    reason = "the guard keeps to whole numbers within ±2^53"
)]
fn number_value(number: f64) -> Value {
    if !number.is_finite() {
        return Value::Null;
    }
    if number.fract() == 0.0 && number.abs() <= 9_007_199_254_740_992.0 {
        return Value::Int(number as i64);
    }
    Value::Float(number)
}

fn undeclared(prefix: &str, expression: &str) -> Fault {
    wrong(format!(
        "prefix `{prefix}` of `{expression}` is not in the map of namespaces"
    ))
    .hint(format!(
        "Add `{prefix}` to the map that is given after the expression."
    ))
}

fn wrong(message: String) -> Fault {
    Fault::new(Code::ScriptArgument, message)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::Map;

    /// Calls a function with a document as the object and further arguments.
    fn on(
        function: fn(Args) -> Result<Value, Fault>,
        document: &str,
        more: &[Value],
    ) -> Result<Value, Fault> {
        let document = parse(Args::new(vec![document.into()]))?;
        let mut values = vec![document];
        values.extend(more.iter().cloned());
        function(Args::new(values))
    }

    fn map(pairs: &[(&str, Value)]) -> Value {
        Value::Map(
            pairs
                .iter()
                .map(|(name, value)| (Text::new(name), value.clone()))
                .collect(),
        )
    }

    fn json(value: &Value) -> String {
        serde_json::Value::from(value).to_string()
    }

    const ROWS: &str = "<f xmlns:d='urn:d'><row><d:x>1</d:x><y u='2' d:u='3'/></row><row/></f>";

    #[test]
    fn rows_are_walked_and_asked_by_name() {
        let ns = map(&[("n", "urn:d".into())]);
        let rows = on(each, ROWS, &["//row".into()]).unwrap();
        let Value::List(rows) = rows else { panic!() };
        let cell =
            |row: &Value| text(Args::new(vec![row.clone(), "n:x".into(), ns.clone()])).unwrap();
        assert_eq!(
            rows.iter().map(cell).collect::<Vec<_>>(),
            ["1".into(), Value::Null]
        );
    }

    #[test]
    fn each_kind_of_result_has_its_value() {
        let ns = map(&[("n", "urn:d".into())]);
        let give = |function, expression: &str| {
            on(function, ROWS, &[expression.into(), ns.clone()]).unwrap()
        };
        assert_eq!(give(xpath, "count(//row)"), Value::Int(2));
        assert_eq!(give(xpath, "1 div 2"), Value::Float(0.5));
        assert_eq!(give(xpath, "0 div 0"), Value::Null);
        assert_eq!(give(xpath, "//row = 1"), Value::Bool(true));
        assert_eq!(give(xpath, "string(//y/@u)"), "2".into());
        assert_eq!(json(&give(xpath, "//@*")), r#"["2","3"]"#);
        assert_eq!(json(&give(each, "//n:x/text()")), r#"["1"]"#);
        assert_eq!(give(text, "count(//row)"), "2".into());
        assert_eq!(give(text, "//n:none"), Value::Null);
        assert_eq!(give(text, "//y"), "".into());
        assert_eq!(give(node, "//n:none"), Value::Null);
        assert!(matches!(give(node, "//y"), Value::Handle(_)));
        assert_eq!(on(text, ROWS, &[]).unwrap(), "1".into());
        assert_eq!(on(attr, "<a x='1'/>", &["x".into()]).unwrap(), "1".into());
        assert_eq!(on(attr, "<a x='1'/>", &["y".into()]).unwrap(), Value::Null);
        let y = give(node, "//y");
        let name = |name: &str| attr(Args::new(vec![y.clone(), name.into(), ns.clone()]));
        assert_eq!(
            (name("u").unwrap(), name("n:u").unwrap()),
            ("2".into(), "3".into())
        );
    }

    #[test]
    fn wrong_use_is_told_by_name() {
        let fails =
            |function, more: &[Value]| on(function, ROWS, more).unwrap_err().message().to_owned();
        assert!(fails(each, &["count(//row)".into()]).contains("gives a value, not nodes"));
        assert!(fails(each, &["//n:x".into()]).contains("prefix `n`"));
        assert!(fails(attr, &["n:u".into()]).contains("prefix `n`"));
        assert!(fails(each, &["//[".into()]).contains("`//[`"));
        assert!(fails(each, &["//n:x".into(), map(&[("n", 1.into())])]).contains("must be a text"));
        assert!(fails(each, &[]).contains("`expression`"));
        let error = parse(Args::new(vec!["<a>".into()])).unwrap_err();
        // Not the status 400 of a caller's bad message.
        assert_eq!(error.code(), Code::ScriptArgument);
        assert!(
            error
                .message()
                .starts_with("xml.parse: XML not well-formed at line 1"),
            "{error}"
        );
    }

    #[test]
    fn documents_are_built_from_values_and_descriptions() {
        let built = |values: Vec<Value>| {
            build(Args::new(values)).map(|text| text.to_text().unwrap().to_string())
        };
        let head = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n";
        let value = map(&[
            ("id", 7.into()),
            ("tag", vec!["a".into(), "<".into()].into()),
        ]);
        let options = map(&[("namespace", "urn:o".into())]);
        let text = built(vec!["order".into(), value, options]).unwrap();
        assert_eq!(
            text,
            format!("{head}<order xmlns=\"urn:o\"><id>7</id><tag>a</tag><tag>&lt;</tag></order>")
        );
        let part = parse(Args::new(vec!["<q:z xmlns:q='urn:q'>1</q:z>".into()])).unwrap();
        let inner = map(&[
            ("name", "p:b".into()),
            ("content", vec!["x & y".into(), part].into()),
        ]);
        let outer = map(&[
            ("name", "p:a".into()),
            ("namespace", "urn:p".into()),
            ("attributes", map(&[("k", "\"1\"".into())])),
            ("content", vec![inner, map(&[("name", "c".into())])].into()),
        ]);
        let expected = "<p:a xmlns:p=\"urn:p\" k=\"&quot;1&quot;\">\
            <p:b>x &amp; y<q:z xmlns:q=\"urn:q\">1</q:z></p:b><c/></p:a>";
        assert_eq!(built(vec![outer]).unwrap(), format!("{head}{expected}"));
        let bad = [
            vec![map(&[])],
            vec![map(&[("name", "a b".into())])],
            vec![map(&[("name", "q:a".into())])],
            vec![map(&[("name", "a".into()), ("colour", "red".into())])],
            vec![map(&[
                ("name", "a".into()),
                ("attributes", map(&[("b", Map::new().into())])),
            ])],
            vec![map(&[("name", "a".into()), ("content", "\u{1}".into())])],
            vec!["1".into(), Value::Null],
            vec!["a".into(), Value::Null, map(&[("ns", "x".into())])],
        ];
        for values in bad {
            let shown = format!("{values:?}");
            assert!(built(values).is_err(), "{shown}");
        }
    }

    #[test]
    fn every_function_is_documented_and_named_once() {
        for (index, function) in TABLE.iter().enumerate() {
            assert!(function.path.starts_with("xml."), "{}", function.path);
            assert!(
                function.doc.ends_with('.') && !function.examples.is_empty(),
                "{}",
                function.path
            );
            assert!(
                TABLE
                    .iter()
                    .skip(index + 1)
                    .all(|other| other.path != function.path)
            );
            let results = function.examples.iter().map(|example| example.result);
            assert!(
                results
                    .map(serde_json::from_str::<serde_json::Value>)
                    .all(|json| json.is_ok())
            );
        }
    }
}
