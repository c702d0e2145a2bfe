//! The only place that prints: data on stdout, talk on stderr.
#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "this is where printing happens"
)]

use std::io::{self, ErrorKind, IsTerminal as _, Write as _};
use std::process::ExitCode;

use serde_json::Value as Json;

use crate::base::Exit;
use crate::cli::Failure;
use crate::telemetry::escaped;

/// How a command prints.
#[derive(Clone, Copy)]
pub(super) struct Out {
    /// One JSON document instead of text for people.
    pub(super) json: bool,
}

/// Prints data: as it is, but on a terminal without what would steer it.
pub(super) fn data(text: &str) {
    if io::stdout().is_terminal() {
        print(&escaped(text, true));
    } else {
        print(text);
    }
}

/// Prints a line on stdout. Who reads it may have seen enough, as `head` does.
fn print(line: &str) {
    match writeln!(io::stdout(), "{line}") {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => println!("{line}"),
        _ => {}
    }
}

impl Out {
    /// Prints talk.
    pub(super) fn talk(self, text: &str) {
        if !self.json {
            eprintln!("{}", escaped(text, true));
        }
    }

    /// Prints a document: as JSON if asked for, else through `text`.
    pub(super) fn document(self, document: &Json, text: impl FnOnce(&Json) -> String) {
        let shown = if self.json {
            pretty(document)
        } else {
            escaped(&text(document), true)
        };
        if !shown.is_empty() {
            print(shown.trim_end());
        }
    }

    /// Prints a failure and returns its exit code.
    pub(super) fn failure(self, failure: &Failure) -> ExitCode {
        if self.json {
            print(&pretty(&serde_json::json!({ "error": failure.document })));
        } else {
            self.talk(&failure.block);
        }
        code(failure.exit)
    }
}

/// Returns the process's exit code.
pub(super) fn code(exit: Exit) -> ExitCode {
    ExitCode::from(exit as u8)
}

/// Prints one line of talk whatever was asked for: used by servers.
pub(super) fn notice(text: &str) {
    eprintln!("{}", escaped(text, true));
}

fn pretty(document: &Json) -> String {
    serde_json::to_string_pretty(document).unwrap_or_default()
}

/// Prints a document in one line.
pub(super) fn one_line(document: &Json) {
    print(&document.to_string());
}

/// Lays rows out in columns under their headings; a column is as wide as its widest cell.
pub(super) fn table(headings: &[&str], rows: &[Vec<String>]) -> String {
    let heading: Vec<String> = headings.iter().map(|text| (*text).to_owned()).collect();
    let all: Vec<&Vec<String>> = std::iter::once(&heading).chain(rows).collect();
    let width = |column: usize| {
        all.iter()
            .filter_map(|row| row.get(column))
            .map(|cell| cell.chars().count())
            .max()
            .unwrap_or(0)
    };
    let widths: Vec<usize> = (0..headings.len()).map(width).collect();
    let line = |row: &&Vec<String>| {
        let cells = row
            .iter()
            .zip(&widths)
            .map(|(cell, width)| format!("{cell:width$}"));
        cells.collect::<Vec<_>>().join("  ").trim_end().to_owned()
    };
    all.iter().map(line).collect::<Vec<_>>().join("\n")
}

/// Returns a field of a document as a table cell; `–` when it is absent.
pub(super) fn cell(row: &Json, field: &str) -> String {
    match row.pointer(&format!("/{}", field.replace('.', "/"))) {
        None | Some(Json::Null) => "–".to_owned(),
        Some(Json::String(text)) if text.is_empty() => "–".to_owned(),
        Some(Json::String(text)) => text.clone(),
        Some(Json::Array(list)) if list.is_empty() => "–".to_owned(),
        Some(Json::Array(list)) => list
            .iter()
            .map(|item| {
                item.as_str()
                    .map_or_else(|| item.to_string(), str::to_owned)
            })
            .collect::<Vec<_>>()
            .join(" "),
        Some(other) => other.to_string(),
    }
}

/// Returns a moment as this machine's clocks show it, or the cell as it is when it holds no moment.
pub(super) fn local(moment: &str) -> String {
    chrono::DateTime::parse_from_rfc3339(moment).map_or_else(
        |_no_moment| moment.to_owned(),
        |at| {
            let here = at.with_timezone(&chrono::Local);
            here.format("%Y-%m-%d %H:%M:%S").to_string()
        },
    )
}

/// Lays out the list under `field` as a table of the given (heading, field) columns; moments are local.
pub(super) fn listing(document: &Json, field: &str, columns: &[(&str, &str)]) -> String {
    let rows = document
        .get(field)
        .and_then(Json::as_array)
        .map(Vec::as_slice)
        .unwrap_or_default();
    let cells: Vec<Vec<String>> = rows
        .iter()
        .map(|row| {
            columns
                .iter()
                .map(|(_, field)| local(&cell(row, field)))
                .collect()
        })
        .collect();
    let headings: Vec<&str> = columns.iter().map(|(heading, _)| *heading).collect();
    table(&headings, &cells)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_as_wide_as_their_widest_cell() {
        let document = serde_json::json!({"jobs": [{"name": "refresh-rates", "next": null}, {"name": "a", "next": "now"}]});
        let text = listing(&document, "jobs", &[("NAME", "name"), ("NEXT", "next")]);
        assert_eq!(
            text,
            "NAME           NEXT\nrefresh-rates  –\na              now"
        );
    }
}
