//! How much of the project's scripts ran.

use serde_json::{Value as Json, json};

use crate::script::Coverage;

/// How much of the scripts ran.
#[derive(Debug, Default)]
pub(crate) struct Covered {
    files: Vec<CoveredFile>,
}

/// How much of a file ran.
#[derive(Debug)]
struct CoveredFile {
    path: String,
    /// How many lines hold something to run.
    lines: usize,
    /// Those that did not.
    missed: Vec<u32>,
}

impl Covered {
    /// Reads what was noted of the files below `scripts/`.
    pub(super) fn new(coverage: &Coverage) -> Self {
        let files = coverage.files().into_iter();
        let own = files.filter(|(path, _)| path.starts_with("scripts/"));
        let files = own.map(|(path, lines)| CoveredFile {
            path: path.to_string(),
            lines: lines.len(),
            missed: lines
                .iter()
                .filter(|(_, hits)| **hits == 0)
                .map(|(line, _)| *line)
                .collect(),
        });
        Self {
            files: files.collect(),
        }
    }

    /// Returns how much of all lines ran, in percent.
    pub(super) fn percent(&self) -> usize {
        let lines = self.files.iter().map(|file| file.lines).sum();
        let missed: usize = self.files.iter().map(|file| file.missed.len()).sum();
        percent(lines, missed)
    }

    /// Returns it for people.
    pub(super) fn text(&self) -> String {
        let width = self
            .files
            .iter()
            .map(|file| file.path.len())
            .max()
            .unwrap_or(0);
        let lines = self.files.iter().map(|file| {
            let (path, percent) = (&file.path, percent(file.lines, file.missed.len()));
            let missed = ranges(&file.missed);
            let missed = match missed.as_str() {
                "" => String::new(),
                missed => format!("   not run: {missed}"),
            };
            format!("{path:width$}   {percent:3} %{missed}\n")
        });
        lines.collect()
    }

    /// Returns it for programs.
    pub(super) fn document(&self) -> Json {
        let files = self.files.iter().map(|file| {
            json!({
                "file": file.path,
                "lines": file.lines,
                "percent": percent(file.lines, file.missed.len()),
                "missed": file.missed,
            })
        });
        json!({ "percent": self.percent(), "files": files.collect::<Vec<_>>() })
    }
}

fn percent(lines: usize, missed: usize) -> usize {
    (lines - missed) * 100 / lines.max(1)
}

/// Returns `7-9, 14` for 7, 8, 9 and 14.
fn ranges(lines: &[u32]) -> String {
    let mut ranges: Vec<(u32, u32)> = Vec::new();
    for line in lines {
        match ranges.last_mut() {
            Some((_, last)) if *last + 1 == *line => *last = *line,
            _ => ranges.push((*line, *line)),
        }
    }
    let shown = ranges.into_iter().map(|(first, last)| {
        if first == last {
            return first.to_string();
        }
        format!("{first}-{last}")
    });
    shown.collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_that_did_not_run_are_told_as_ranges() {
        let coverage = Coverage::default();
        for (line, hits) in [(1, 1), (2, 0), (3, 0), (7, 0), (9, 2)] {
            coverage.note("scripts/a.lua", line, hits);
        }
        coverage.note("scripts/a.lua", 7, 0);
        coverage.note("tests/a_test.lua", 1, 0);
        let mark = coverage.mark("scripts/b.rhai", 4);
        coverage.hit(mark);
        let covered = Covered::new(&coverage);
        assert_eq!(
            covered.text(),
            "scripts/a.lua     40 %   not run: 2-3, 7\nscripts/b.rhai   100 %\n"
        );
        assert_eq!(covered.percent(), 50);
    }
}
