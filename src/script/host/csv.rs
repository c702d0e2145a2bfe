//! `csv`: CSV texts to rows and back, by the same reader and writer as the channels.

use std::collections::HashMap;
use std::rc::Rc;

use bytes::Bytes;
use encoding_rs::{Encoding, UTF_8};

use crate::base::{Fault, Map, Text, Value};
use crate::contract::{Args, Call, Effect, Example, HostCall, HostFn, Receiver, Type};
use crate::format::csv_text::{self, Formulas, Header, Layout, Marks, Quotes};
use crate::script::host::data::{self, arg, optional};

/// The options of both functions, and those of `encode` alone.
const SHARED: &[&str] = &[
    "columns",
    "delimiter",
    "encoding",
    "header",
    "names",
    "quote",
];
const WRITING: &[&str] = &["bom", "formulas", "quote_all"];

/// The functions of `csv`.
pub(crate) const TABLE: &[HostFn] = &[
    HostFn {
        path: "csv.parse",
        receiver: Receiver::Library,
        args: &[arg("text", Type::Text), optional("options", Type::Map)],
        returns: Type::List,
        effect: Effect::Pure,
        doc: "Reads a CSV text whose first row names the columns; rows are tables, every cell is a text. \
              Options: `header = false` when the first row is data (rows are lists, or tables if \
              `columns` names them); `columns`, those that must be there, and no others; `names`, a table \
              from names in the file to names in the rows; `delimiter`; `quote`; `encoding`, such as \
              `windows-1250`.",
        examples: &[
            Example {
                lua: r#"csv.parse("day,rate\n3,1.22\n")[1].rate"#,
                rhai: r#"csv.parse("day,rate\n3,1.22\n")[0].rate"#,
                result: r#""1.22""#,
            },
            Example {
                lua: r#"csv.parse("3;'a;b'", { header = false, delimiter = ";", quote = "'" })"#,
                rhai: r#"csv.parse("3;'a;b'", #{ header: false, delimiter: ";", quote: "'" })"#,
                result: r#"[["3","a;b"]]"#,
            },
            Example {
                lua: r#"csv.parse("Dzień,Kurs,x\n3,1.22,-\n", { names = { Kurs = "rate" }, columns = { "rate" } })"#,
                rhai: r#"csv.parse("Dzień,Kurs,x\n3,1.22,-\n", #{ names: #{ Kurs: "rate" }, columns: ["rate"] })"#,
                result: r#"[{"rate":"1.22"}]"#,
            },
        ],
        call: HostCall::Now(parse),
    },
    HostFn {
        path: "csv.encode",
        receiver: Receiver::Library,
        args: &[arg("rows", Type::List), optional("options", Type::Map)],
        returns: Type::Text,
        effect: Effect::Pure,
        doc: "Returns rows, tables or lists, as CSV text. Options: `columns`, which ones and in which order; \
              `header = false` for none; `names`, `delimiter`, `quote` and `encoding` as in `parse`; \
              `quote_all`; `bom`, the mark that spreadsheets want before UTF-8. Texts that a spreadsheet would \
              run as a formula get an apostrophe unless `formulas = true`.",
        examples: &[
            Example {
                lua: r#"csv.encode({ { day = 3, rate = "1.22" } }, { columns = { "day", "rate" } })"#,
                rhai: r#"csv.encode([#{ day: 3, rate: "1.22" }], #{ columns: ["day", "rate"] })"#,
                result: r#""day,rate\r\n3,1.22\r\n""#,
            },
            Example {
                lua: r#"csv.encode({ { 3, 'say "a"' } }, { header = false, delimiter = ";" })"#,
                rhai: r#"csv.encode([[3, "say \"a\""]], #{ header: false, delimiter: ";" })"#,
                result: r#""3;\"say \"\"a\"\"\"\r\n""#,
            },
        ],
        call: HostCall::Now(encode),
    },
];

/// What both functions are told about the file.
struct Options {
    map: Map,
    marks: Marks,
    header: bool,
    columns: Vec<Text>,
    /// From names in the file to names in the rows.
    names: Map,
    encoding: Option<&'static Encoding>,
}

impl Options {
    fn take(args: &mut Args, known: &[&str]) -> Result<Self, Fault> {
        let map = args.map(1, "options")?;
        data::known(&map, known)?;
        let defaults = Marks::default();
        let marks = Marks {
            delimiter: mark(&map, "delimiter")?.unwrap_or(defaults.delimiter),
            quote: mark(&map, "quote")?.unwrap_or(defaults.quote),
        };
        if marks.delimiter == marks.quote {
            return Err(data::refused("`delimiter` and `quote` are the same"));
        }
        Ok(Self {
            marks,
            header: data::flag(&map, "header", true)?,
            columns: texts(map.get("columns"))?,
            names: names(map.get("names"))?,
            encoding: encoding(&map)?,
            map,
        })
    }

    /// Returns the names in the rows by the names in the file.
    fn inner(&self) -> HashMap<&str, &str> {
        let pairs = self.names.iter();
        pairs
            .filter_map(|(outer, inner)| Some((outer.as_str(), inner.as_str()?)))
            .collect()
    }

    /// Returns the names in the file by the names in the rows; of several the first.
    fn outer(&self) -> HashMap<&str, &str> {
        let pairs = self.names.iter().rev();
        pairs
            .filter_map(|(outer, inner)| Some((inner.as_str()?, outer.as_str())))
            .collect()
    }
}

/// Reads an option that is one character.
fn mark(map: &Map, name: &str) -> Result<Option<u8>, Fault> {
    let Some(text) = data::text_option(map, name)? else {
        return Ok(None);
    };
    match text.as_bytes() {
        [byte] if byte.is_ascii() && !matches!(byte, b'\n' | b'\r' | 0) => Ok(Some(*byte)),
        _ => Err(data::refused(format!(
            "option `{name}` must be one ASCII character, got `{}`",
            text.escape_debug()
        ))),
    }
}

fn texts(value: Option<&Value>) -> Result<Vec<Text>, Fault> {
    let list = match value {
        None | Some(Value::Null) => return Ok(Vec::new()),
        Some(Value::List(list)) => list.as_slice(),
        Some(Value::Map(map)) if map.is_empty() => &[],
        Some(other) => {
            let kind = other.kind();
            let message = format!("option `columns` must be a list of texts, got {kind}");
            return Err(data::refused(message));
        }
    };
    let texts = list.iter().map(|name| name.as_str().map(Text::from));
    let texts: Option<Vec<Text>> = texts.collect();
    texts.ok_or_else(|| data::refused("option `columns` must hold texts only"))
}

fn names(value: Option<&Value>) -> Result<Map, Fault> {
    match value {
        None | Some(Value::Null) => Ok(Map::new()),
        Some(Value::Map(map)) if map.iter().all(|(_, name)| name.as_str().is_some()) => {
            Ok(map.clone())
        }
        Some(_) => Err(data::refused(
            "option `names` must be a table from names in the file to names in the rows",
        )),
    }
}

fn encoding(map: &Map) -> Result<Option<&'static Encoding>, Fault> {
    let Some(label) = data::text_option(map, "encoding")? else {
        return Ok(None);
    };
    let found = Encoding::for_label(label.as_bytes());
    found.map(Some).ok_or_else(|| {
        data::refused(format!("there is no encoding `{}`", label.escape_debug()))
            .hint("Use a name such as `utf-8`, `windows-1250` or `iso-8859-2`.")
    })
}

fn parse(_call: &Rc<Call>, mut args: Args) -> Result<Value, Fault> {
    let text = data::bytes(&mut args, 0, "text")?;
    let options = Options::take(&mut args, SHARED)?;
    let text = decoded(text, options.encoding)?;
    rows(&text, &options)
        .map(Value::List)
        .map_err(|fault| data::in_script("csv.parse", &fault))
}

/// Returns the text as UTF-8: from the encoding given, or from the one its byte order mark tells.
fn decoded(text: Bytes, given: Option<&'static Encoding>) -> Result<Bytes, Fault> {
    let marked = Encoding::for_bom(&text).map(|(encoding, _)| encoding);
    match marked.or(given) {
        None => Ok(text),
        Some(encoding) if encoding == UTF_8 => Ok(text),
        Some(encoding) => {
            let (decoded, _, malformed) = encoding.decode(&text);
            if malformed {
                let name = encoding.name();
                return Err(data::refused(format!("csv.parse: the text is not {name}")));
            }
            Ok(Bytes::from(decoded.into_owned()))
        }
    }
}

fn rows(text: &[u8], options: &Options) -> Result<Vec<Value>, Fault> {
    // What each row becomes: known when the first one is.
    let mut shape: Option<Shape> = None;
    let mut rows = Vec::new();
    csv_text::each_row(text, options.marks, |row| {
        if let Some(shape) = &shape {
            rows.push(shape.row(row));
            return Ok(());
        }
        let made = Shape::of(row, options)?;
        if !options.header {
            rows.push(made.row(row));
        }
        shape = Some(made);
        Ok(())
    })?;
    Ok(rows)
}

/// What a row becomes.
enum Shape {
    /// A list of its cells.
    List,
    /// Named cells, by their position.
    Named(Vec<(usize, Text)>),
}

impl Shape {
    fn of(first: &csv::StringRecord, options: &Options) -> Result<Self, Fault> {
        if options.header {
            let inner = options.inner();
            let name = |outer| inner.get(outer).copied().unwrap_or(outer);
            let header: Vec<&str> = first.iter().map(name).collect();
            csv_text::no_doubles(header.iter().copied())?;
            return Self::named(&header, options);
        }
        if options.columns.is_empty() {
            return Ok(Self::List);
        }
        if options.columns.len() != first.len() {
            return Err(data::refused(format!(
                "the rows have {} cells, and {} columns are named",
                first.len(),
                options.columns.len()
            )));
        }
        Ok(Self::Named(
            options.columns.iter().cloned().enumerate().collect(),
        ))
    }

    fn named(header: &[&str], options: &Options) -> Result<Self, Fault> {
        if options.columns.is_empty() {
            let all = header.iter().map(|name| Text::from(*name));
            return Ok(Self::Named(all.enumerate().collect()));
        }
        let places = header.iter().enumerate();
        let places: HashMap<&str, usize> = places.map(|(index, name)| (*name, index)).collect();
        let find = |column: &Text| {
            let index = places.get(column.as_str()).copied();
            let index = index.ok_or_else(|| {
                let outer = options.outer();
                let outer = outer.get(column.as_str()).copied().unwrap_or(column);
                let outer = outer.escape_debug();
                let fault = data::refused(format!("the header lacks the column `{outer}`"));
                fault.hint(format!("It has {}.", header.join(", ").escape_debug()))
            })?;
            Ok((index, column.clone()))
        };
        let columns: Result<_, Fault> = options.columns.iter().map(find).collect();
        columns.map(Self::Named)
    }

    fn row(&self, row: &csv::StringRecord) -> Value {
        match self {
            Self::List => Value::List(row.iter().map(Value::text).collect()),
            Self::Named(columns) => Value::Map(
                columns
                    .iter()
                    .map(|(index, name)| {
                        (
                            name.clone(),
                            Value::text(row.get(*index).unwrap_or_default()),
                        )
                    })
                    .collect(),
            ),
        }
    }
}

fn encode(_call: &Rc<Call>, mut args: Args) -> Result<Value, Fault> {
    let rows = match args.take(0) {
        Value::List(rows) => rows,
        Value::Map(map) if map.is_empty() => Vec::new(),
        other => {
            let kind = other.kind();
            let message = format!("argument `rows` must be a list of rows, got {kind}");
            return Err(data::refused(message));
        }
    };
    let options = Options::take(&mut args, &[SHARED, WRITING].concat())?;
    let rows: Vec<&Value> = rows.iter().collect();
    let layout = layout(&rows, &options)?;
    let written = csv_text::write_rows(&rows, &layout)
        .map_err(|fault| data::in_script("csv.encode", &fault))?;
    let text = String::from_utf8(written)
        .map_err(|_ignored| data::refused("csv.encode: the rows hold bytes that are not text"))?;
    encoded(text, &options)
}

fn layout<'a>(rows: &[&'a Value], options: &'a Options) -> Result<Layout<'a>, Fault> {
    let columns: Vec<&str> = if options.columns.is_empty() {
        csv_text::names(rows)
    } else {
        options.columns.iter().map(Text::as_str).collect()
    };
    let header = match (options.header, columns.is_empty()) {
        (false, _) => Header::Absent,
        (true, false) => {
            let outer = options.outer();
            let name = |inner: &&'a str| outer.get(inner).copied().unwrap_or(inner);
            Header::Given(columns.iter().map(name).collect())
        }
        (true, true) if rows.is_empty() => Header::Absent,
        (true, true) => {
            let fault = data::refused("csv.encode: rows that are lists do not name their columns");
            return Err(fault.hint("Give `columns`, or `header = false`."));
        }
    };
    let flag = |name| data::flag(&options.map, name, false);
    Ok(Layout {
        marks: options.marks,
        columns,
        header,
        quotes: if flag("quote_all")? {
            Quotes::Always
        } else {
            Quotes::Needed
        },
        formulas: if flag("formulas")? {
            Formulas::Kept
        } else {
            Formulas::Disarmed
        },
    })
}

fn encoded(text: String, options: &Options) -> Result<Value, Fault> {
    let bom = data::flag(&options.map, "bom", false)?;
    match options.encoding.filter(|encoding| *encoding != UTF_8) {
        None if bom => Ok(Value::from(format!("\u{feff}{text}"))),
        None => Ok(Value::from(text)),
        Some(_) if bom => Err(data::refused("`bom` goes with UTF-8 alone")),
        Some(encoding) => {
            let (bytes, written, unmappable) = encoding.encode(&text);
            let name = encoding.name();
            if unmappable || written != encoding {
                return Err(data::refused(format!(
                    "csv.encode: {name} cannot hold all of this text"
                )));
            }
            Ok(Value::Bytes(bytes.into_owned().into()))
        }
    }
}
