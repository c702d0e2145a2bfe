//! `csv`: CSV texts to rows and back, by the same reader and writer as the channels.

use std::rc::Rc;

use crate::base::{Fault, Value};
use crate::contract::{Arg, Args, Call, Effect, Example, HostCall, HostFn, Receiver, Type};
use crate::format::csv_text;
use crate::script::host::data;

/// The functions of `csv`.
pub(crate) const TABLE: &[HostFn] = &[
    HostFn {
        path: "csv.parse",
        receiver: Receiver::Library,
        args: &[Arg {
            name: "text",
            ty: Type::Text,
            optional: false,
        }],
        returns: Type::List,
        effect: Effect::Pure,
        doc: "Reads a CSV text whose first row names the columns. Every cell is a text.",
        examples: &[Example {
            lua: r#"csv.parse("day,rate\n3,1.22\n")[1].rate"#,
            rhai: r#"csv.parse("day,rate\n3,1.22\n")[0].rate"#,
            result: r#""1.22""#,
        }],
        call: HostCall::Now(parse),
    },
    HostFn {
        path: "csv.encode",
        receiver: Receiver::Library,
        args: &[
            Arg {
                name: "rows",
                ty: Type::List,
                optional: false,
            },
            Arg {
                name: "columns",
                ty: Type::List,
                optional: true,
            },
        ],
        returns: Type::Text,
        effect: Effect::Pure,
        doc: "Returns rows as CSV text. Give the columns to set their order. Texts that a spreadsheet \
              would run as a formula get an apostrophe.",
        examples: &[Example {
            lua: r#"csv.encode({ { day = 3, rate = "1.22" } }, { "day", "rate" })"#,
            rhai: r#"csv.encode([#{ day: 3, rate: "1.22" }], ["day", "rate"])"#,
            result: r#""day,rate\r\n3,1.22\r\n""#,
        }],
        call: HostCall::Now(encode),
    },
];

fn parse(_call: &Rc<Call>, mut args: Args) -> Result<Value, Fault> {
    let text = data::bytes(&mut args, 0, "text")?;
    csv_text::read(&text)
        .map(Value::List)
        .map_err(|fault| data::in_script("csv.parse", &fault))
}

fn encode(_call: &Rc<Call>, mut args: Args) -> Result<Value, Fault> {
    let rows = args.take(0);
    let given = match args.take(1) {
        Value::List(columns) => columns,
        Value::Null => Vec::new(),
        other => {
            let kind = other.kind();
            return Err(data::refused(format!(
                "argument `columns` must be a list of texts, got {kind}"
            )));
        }
    };
    let columns: Option<Vec<&str>> = given.iter().map(Value::as_str).collect();
    let columns =
        columns.ok_or_else(|| data::refused("argument `columns` must hold texts only"))?;
    let bytes =
        csv_text::write(&rows, &columns).map_err(|fault| data::in_script("csv.encode", &fault))?;
    String::from_utf8(bytes)
        .map(Value::from)
        .map_err(|_ignored| data::refused("csv.encode: the rows hold bytes that are not text"))
}
