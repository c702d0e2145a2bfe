//! CSV text to rows and back (RFC 4180): a header row names the columns.
//!
//! Spreadsheets run cells that begin like a formula, so such texts are written after an apostrophe;
//! numbers are not touched.

use std::collections::HashSet;

use crate::base::{Code, Fault, Map, Text, Value};

/// How many cells a document may have.
const MAX_CELLS: usize = 1_000_000;

/// The mark that some programs put before UTF-8 text.
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// Reads rows as maps of texts; no text is no rows.
pub(crate) fn read(bytes: &[u8]) -> Result<Vec<Value>, Fault> {
    let bytes = bytes.strip_prefix(BYTE_ORDER_MARK).unwrap_or(bytes);
    let mut reader = csv::ReaderBuilder::new()
        .has_headers(true)
        .from_reader(bytes);
    let header = reader.headers().map_err(|error| malformed(&error))?.clone();
    no_doubles(&header)?;
    let mut rows = Vec::new();
    let mut cells = 0;
    for record in reader.records() {
        let record = record.map_err(|error| malformed(&error))?;
        cells += record.len();
        if cells > MAX_CELLS {
            let message = format!("the CSV has more than {MAX_CELLS} cells");
            return Err(Fault::new(Code::TooDeep, message));
        }
        let pairs = header.iter().zip(&record);
        let row = pairs.map(|(name, cell)| (Text::from(name), Value::text(cell)));
        rows.push(Value::Map(row.collect()));
    }
    Ok(rows)
}

fn no_doubles(header: &csv::StringRecord) -> Result<(), Fault> {
    let mut names: Vec<&str> = header.iter().collect();
    names.sort_unstable();
    let double = names.windows(2).find(|pair| pair.first() == pair.last());
    match double.and_then(<[&str]>::first) {
        None => Ok(()),
        Some(name) => Err(Fault::new(
            Code::DuplicateKey,
            format!("the column `{}` is given twice", name.escape_debug()),
        )),
    }
}

fn malformed(error: &csv::Error) -> Fault {
    let line = error.position().map_or(0, csv::Position::line);
    let what = match error.kind() {
        csv::ErrorKind::Utf8 { .. } => "not UTF-8".to_owned(),
        csv::ErrorKind::UnequalLengths {
            expected_len, len, ..
        } => {
            format!("a row of {len} cells under {expected_len} columns")
        }
        _ => "not readable".to_owned(),
    };
    Fault::new(Code::Malformed, format!("CSV, line {line}: {what}"))
}

/// Writes a list of maps, one map, or a map of one list. No columns given: all names, as they appear.
pub(crate) fn write(value: &Value, columns: &[&str]) -> Result<Vec<u8>, Fault> {
    let rows = rows(value)?;
    let columns = match columns {
        [] => names(&rows),
        declared => declared.to_vec(),
    };
    if columns.is_empty() {
        return Ok(Vec::new());
    }
    let mut writer = csv::WriterBuilder::new()
        .terminator(csv::Terminator::CRLF)
        .from_writer(Vec::new());
    let unwritable = |error: csv::Error| refused(error.to_string());
    writer.write_record(&columns).map_err(unwritable)?;
    for row in rows {
        let cells = columns.iter().map(|name| cell(name, row.get(name)));
        let cells = cells.collect::<Result<Vec<Text>, Fault>>()?;
        writer.write_record(&cells).map_err(unwritable)?;
    }
    let written = writer.into_inner();
    written.map_err(|error| refused(error.to_string()))
}

fn refused(what: String) -> Fault {
    Fault::new(Code::OutputRejected, what)
}

fn rows(value: &Value) -> Result<Vec<&Map>, Fault> {
    match value {
        Value::Null => Ok(Vec::new()),
        Value::Map(map) => match (map.len(), map.iter().next()) {
            (1, Some((_, Value::List(list)))) => list.iter().map(row).collect(),
            _ => Ok(vec![map]),
        },
        Value::List(list) => list.iter().map(row).collect(),
        other => Err(refused(format!(
            "a CSV answer is a list of rows, got {}",
            other.kind()
        ))),
    }
}

fn row(value: &Value) -> Result<&Map, Fault> {
    let refused = || {
        refused(format!(
            "a row of CSV is named values, got {}",
            value.kind()
        ))
    };
    value.as_map().ok_or_else(refused)
}

fn names<'a>(rows: &[&'a Map]) -> Vec<&'a str> {
    let mut seen = HashSet::new();
    let all = rows.iter().flat_map(|row| row.names());
    all.filter(|name| seen.insert(*name)).collect()
}

fn cell(name: &str, value: Option<&Value>) -> Result<Text, Fault> {
    let Some(value) = value else {
        return Ok(Text::default());
    };
    let text = value.to_text();
    let text = text.ok_or_else(|| {
        refused(format!(
            "column `{name}` holds a {}, a cell is one value",
            value.kind()
        ))
    })?;
    Ok(match value {
        Value::Text(_) if runs_as_formula(&text) => Text::from(format!("'{text}")),
        _ => text,
    })
}

/// Tells whether a spreadsheet would run a text; numbers such as `-1.22` it only shows.
fn runs_as_formula(text: &str) -> bool {
    text.starts_with(['=', '+', '-', '@', '\t', '\r']) && text.parse::<f64>().is_err()
}
