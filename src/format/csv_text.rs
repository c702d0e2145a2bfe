//! CSV text to rows and back (RFC 4180), for channels and for scripts.
//!
//! Spreadsheets run cells that begin like a formula, so such texts are written after an apostrophe;
//! numbers are not touched.

use std::collections::{HashMap, HashSet};
use std::io::Read as _;

use csv::StringRecord;

use crate::base::{Code, Fault, Map, Text, Value};

/// How many cells a document may have.
const MAX_CELLS: usize = 1_000_000;

/// The mark that some programs put before UTF-8 text.
pub(crate) const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// A row after the last, which a quote that is never closed swallows.
const END: &[u8] = b"\n\0\n";

/// The characters with a meaning.
#[derive(Clone, Copy)]
pub(crate) struct Marks {
    /// What stands between cells.
    pub(crate) delimiter: u8,
    /// What stands around cells that hold one of the two.
    pub(crate) quote: u8,
}

impl Default for Marks {
    fn default() -> Self {
        Self {
            delimiter: b',',
            quote: b'"',
        }
    }
}

/// Reads rows as maps of texts; no text is no rows.
pub(crate) fn read(bytes: &[u8]) -> Result<Vec<Value>, Fault> {
    let mut header = None;
    let mut rows = Vec::new();
    each_row(bytes, Marks::default(), |row| {
        let Some(header) = &header else {
            no_doubles(row)?;
            header = Some(row.clone());
            return Ok(());
        };
        let pairs = header.iter().zip(row);
        let row = pairs.map(|(name, cell)| (Text::from(name), Value::text(cell)));
        rows.push(Value::Map(row.collect()));
        Ok(())
    })?;
    Ok(rows)
}

/// Hands over each row, the header among them. All must be as long as the first; empty lines do not count.
pub(crate) fn each_row(
    bytes: &[u8],
    marks: Marks,
    mut take: impl FnMut(&StringRecord) -> Result<(), Fault>,
) -> Result<(), Fault> {
    let bytes = bytes.strip_prefix(BYTE_ORDER_MARK).unwrap_or(bytes);
    let mut reader = csv::ReaderBuilder::new()
        .has_headers(false)
        .flexible(true)
        .delimiter(marks.delimiter)
        .quote(marks.quote)
        .from_reader(bytes.chain(END));
    let mut row = StringRecord::new();
    let (mut width, mut cells) = (None, 0);
    while reader
        .read_record(&mut row)
        .map_err(|error| unreadable(bytes, &error))?
    {
        // The line end of the last row may be the one we added.
        if reader.position().byte() > bytes.len() as u64 + 1 {
            let ended = row.len() == 1 && row.get(0) == Some("\0");
            let unclosed = "a quote in this row is never closed";
            return if ended {
                Ok(())
            } else {
                Err(malformed(bytes, row.position(), unclosed))
            };
        }
        let width = *width.get_or_insert(row.len());
        if row.len() != width {
            let message = format!("a row of {} cells under {width} columns", row.len());
            return Err(malformed(bytes, row.position(), &message));
        }
        cells += width;
        bounded(cells)?;
        take(&row)?;
    }
    Ok(())
}

/// Refuses more cells than a document may have.
fn bounded(cells: usize) -> Result<(), Fault> {
    if cells <= MAX_CELLS {
        return Ok(());
    }
    let message = format!("the CSV has more than {MAX_CELLS} cells");
    Err(Fault::new(Code::TooDeep, message))
}

/// Refuses a header that names a column twice.
pub(crate) fn no_doubles<'a>(header: impl IntoIterator<Item = &'a str>) -> Result<(), Fault> {
    let mut seen = HashSet::new();
    match header.into_iter().find(|name| !seen.insert(*name)) {
        None => Ok(()),
        Some(name) => Err(Fault::new(
            Code::DuplicateKey,
            format!("the column `{}` is given twice", name.escape_debug()),
        )),
    }
}

fn unreadable(bytes: &[u8], error: &csv::Error) -> Fault {
    let what = match error.kind() {
        csv::ErrorKind::Utf8 { .. } => "not UTF-8",
        _ => "not readable",
    };
    malformed(bytes, error.position(), what)
}

/// Makes the fault of a row. Its position is where the one before ended, which may be some line ends earlier.
fn malformed(bytes: &[u8], at: Option<&csv::Position>, what: &str) -> Fault {
    let at = at.map_or(0, csv::Position::byte);
    let at = usize::try_from(at).unwrap_or(usize::MAX).min(bytes.len());
    let (before, rest) = bytes.split_at(at);
    let between = rest.iter().take_while(|byte| matches!(byte, b'\r' | b'\n'));
    let line_ends = before.iter().chain(between).filter(|byte| **byte == b'\n');
    let line = line_ends.count() + 1;
    Fault::new(Code::Malformed, format!("CSV, line {line}: {what}"))
}

/// How rows are written.
#[derive(Default)]
pub(crate) struct Layout<'a> {
    /// The characters with a meaning.
    pub(crate) marks: Marks,
    /// The columns of rows of names, in order; empty for all names, as they appear.
    pub(crate) columns: Vec<&'a str>,
    /// What the header calls the columns; without it there is none.
    pub(crate) header: Header<'a>,
    /// Which cells get quotes.
    pub(crate) quotes: Quotes,
    /// What becomes of texts that a spreadsheet would run.
    pub(crate) formulas: Formulas,
}

/// The first row.
#[derive(Default)]
pub(crate) enum Header<'a> {
    /// There is none.
    Absent,
    /// It has the names of the columns.
    #[default]
    Names,
    /// It has these names.
    Given(Vec<&'a str>),
}

/// Which cells get quotes.
#[derive(Clone, Copy, Default)]
pub(crate) enum Quotes {
    /// Those that need them.
    #[default]
    Needed,
    /// All.
    Always,
}

/// What becomes of texts that a spreadsheet would run as a formula.
#[derive(Clone, Copy, Default, PartialEq)]
pub(crate) enum Formulas {
    /// They get an apostrophe.
    #[default]
    Disarmed,
    /// They stay as they are.
    Kept,
}

/// Writes a list of maps, one map, or a map of one list, with the columns given or all, as they appear.
pub(crate) fn write(value: &Value, columns: &[&str]) -> Result<Vec<u8>, Fault> {
    let layout = Layout {
        columns: columns.to_vec(),
        ..Layout::default()
    };
    write_rows(&rows(value)?, &layout)
}

/// Writes rows, each a map or a list of cells.
pub(crate) fn write_rows(rows: &[&Value], layout: &Layout<'_>) -> Result<Vec<u8>, Fault> {
    let columns = match layout.columns.as_slice() {
        [] => names(rows),
        given => given.to_vec(),
    };
    // Each row gets all columns, also those that it does not have.
    bounded(columns.len().saturating_mul(rows.len()))?;
    let mut writer = csv::WriterBuilder::new()
        .terminator(csv::Terminator::CRLF)
        .delimiter(layout.marks.delimiter)
        .quote(layout.marks.quote)
        .quote_style(match layout.quotes {
            Quotes::Needed => csv::QuoteStyle::Necessary,
            Quotes::Always => csv::QuoteStyle::Always,
        })
        .flexible(true)
        .from_writer(Vec::new());
    let unwritable = |error: csv::Error| refused(error.to_string());
    match &layout.header {
        Header::Names if !columns.is_empty() => {
            writer.write_record(&columns).map_err(unwritable)?;
        }
        Header::Given(names) => writer.write_record(names).map_err(unwritable)?,
        Header::Names | Header::Absent => {}
    }
    for (index, row) in rows.iter().enumerate() {
        let cells = cells(row, &columns, layout.formulas);
        let cells = cells.map_err(|why| refused(format!("row {}: {why}", index + 1)))?;
        if !cells.is_empty() {
            writer.write_record(&cells).map_err(unwritable)?;
        }
    }
    let written = writer.into_inner();
    written.map_err(|error| refused(error.to_string()))
}

fn refused(what: String) -> Fault {
    Fault::new(Code::OutputRejected, what)
}

fn rows(value: &Value) -> Result<Vec<&Value>, Fault> {
    let rows = match value {
        Value::Null => Vec::new(),
        Value::Map(map) => match (map.len(), map.iter().next()) {
            (1, Some((_, Value::List(list)))) => list.iter().collect(),
            _ => vec![value],
        },
        Value::List(list) => list.iter().collect(),
        other => {
            let kind = other.kind();
            let message = format!("a CSV answer is a list of rows, got {kind}");
            return Err(refused(message));
        }
    };
    match rows.iter().find(|row| row.as_map().is_none()) {
        None => Ok(rows),
        Some(other) => {
            let kind = other.kind();
            Err(refused(format!("a row of CSV is named values, got {kind}")))
        }
    }
}

/// Returns all names of rows, as they appear.
pub(crate) fn names<'a>(rows: &[&'a Value]) -> Vec<&'a str> {
    let mut seen = HashSet::new();
    let maps = rows.iter().filter_map(|row| row.as_map());
    let all = maps.flat_map(Map::names);
    all.filter(|name| seen.insert(*name)).collect()
}

fn cells(row: &Value, columns: &[&str], formulas: Formulas) -> Result<Vec<Text>, String> {
    match row {
        Value::Map(map) => {
            let values = Lookup::of(map);
            let columns = columns.iter();
            let cells =
                columns.map(|name| cell(|| format!("column `{name}`"), values.get(name), formulas));
            cells.collect()
        }
        Value::List(list) if columns.is_empty() || columns.len() == list.len() => list
            .iter()
            .enumerate()
            .map(|(index, value)| cell(|| format!("cell {}", index + 1), Some(value), formulas))
            .collect(),
        Value::List(list) => {
            let width = columns.len();
            Err(format!("{} cells under {width} columns", list.len()))
        }
        other => Err(format!(
            "a row of CSV is named values or a list, got {}",
            other.kind()
        )),
    }
}

/// The values of a row by their names.
enum Lookup<'a> {
    /// Few are found faster by walking.
    Few(&'a Map),
    /// For many, a walk for each would be too many steps.
    Many(HashMap<&'a str, &'a Value>),
}

impl<'a> Lookup<'a> {
    fn of(map: &'a Map) -> Self {
        if map.len() <= 32 {
            return Self::Few(map);
        }
        let pairs = map.iter();
        Self::Many(pairs.map(|(name, value)| (name.as_str(), value)).collect())
    }

    fn get(&self, name: &str) -> Option<&'a Value> {
        match self {
            Self::Few(map) => map.get(name),
            Self::Many(values) => values.get(name).copied(),
        }
    }
}

fn cell(
    place: impl Fn() -> String,
    value: Option<&Value>,
    formulas: Formulas,
) -> Result<Text, String> {
    let Some(value) = value else {
        return Ok(Text::default());
    };
    let text = value.to_text();
    let kind = value.kind();
    let text = text.ok_or_else(|| format!("{} holds a {kind}, a cell is one value", place()))?;
    let text_runs = matches!(value, Value::Text(_)) && runs_as_formula(&text);
    if text_runs && formulas == Formulas::Disarmed {
        return Ok(Text::from(format!("'{text}")));
    }
    Ok(text)
}

/// Tells whether a spreadsheet would run a text; numbers such as `-1.22` it only shows.
fn runs_as_formula(text: &str) -> bool {
    text.starts_with(['=', '+', '-', '@', '\t', '\r']) && text.parse::<f64>().is_err()
}
