//! What running the tests gave.

use std::time::Duration;

use serde_json::{Value as Json, json};

use crate::base::{Fault, Place};
use crate::testing::covered::Covered;
use crate::testing::junit;

/// What running the tests gave.
#[derive(Debug, Default)]
pub(crate) struct Report {
    /// The files, in the order of their paths.
    pub(crate) files: Vec<FileReport>,
    /// How long everything took.
    pub(crate) elapsed: Duration,
    /// How much of the scripts ran, if that was asked for.
    pub(crate) covered: Option<Covered>,
}

/// What the tests of one file gave.
#[derive(Debug, Default)]
pub(crate) struct FileReport {
    /// The path relative to the project.
    pub(crate) path: String,
    /// What it holds: `4 cases × 5 exposures`.
    pub(crate) holds: String,
    /// Its tests, in order.
    pub(crate) tests: Vec<TestReport>,
}

/// What one test gave.
#[derive(Debug, Default)]
pub(crate) struct TestReport {
    /// What it shows.
    pub(crate) name: String,
    /// The exposure of a case.
    pub(crate) exposure: Option<&'static str>,
    /// Where it stands.
    pub(crate) place: Option<Place>,
    /// How long it took.
    pub(crate) elapsed: Duration,
    /// What is wrong; nothing when it passed.
    pub(crate) faults: Vec<Fault>,
}

impl Report {
    /// Walks all tests.
    pub(crate) fn tests(&self) -> impl Iterator<Item = (&FileReport, &TestReport)> {
        let files = self.files.iter();
        files.flat_map(|file| file.tests.iter().map(move |test| (file, test)))
    }

    /// Returns how many tests ran.
    pub(crate) fn count(&self) -> usize {
        self.tests().count()
    }

    /// Returns how many tests failed.
    pub(crate) fn failed(&self) -> usize {
        self.tests().filter(|(_, test)| test.failed()).count()
    }

    /// Returns it for programs: an object for each test.
    pub(crate) fn document(&self) -> Json {
        let tests: Vec<Json> = self
            .tests()
            .map(|(file, test)| of_test(file, test))
            .collect();
        json!({
            "tests": tests,
            "run": self.count(),
            "failed": self.failed(),
            "elapsed_ms": millis(self.elapsed),
            "coverage": self.covered.as_ref().map(Covered::document),
        })
    }

    /// Returns it in the format of `JUnit`.
    pub(crate) fn junit(&self) -> String {
        junit::write(self)
    }

    /// Returns it for people.
    pub(crate) fn text(&self) -> String {
        let width = self
            .files
            .iter()
            .map(|file| file.path.len())
            .max()
            .unwrap_or(0);
        let holds = self.files.iter().map(|file| file.holds.chars().count());
        let holds = holds.max().unwrap_or(0);
        let mut lines = Vec::new();
        for file in &self.files {
            lines.push(file.heading(width, holds));
            lines.extend(file.failures());
        }
        let covered = self.covered.iter();
        lines.extend(covered.map(|covered| format!("\n{}", covered.text())));
        lines.push(self.total());
        lines.join("\n")
    }
}

impl Report {
    fn total(&self) -> String {
        let outcome = match self.failed() {
            0 => "all passed".to_owned(),
            failed => format!("{failed} failed"),
        };
        let (count, elapsed) = (self.count(), self.elapsed.as_millis());
        let covered = self.covered.as_ref().map(|covered| {
            let percent = covered.percent();
            format!(" · coverage {percent} % of lines (scripts/)")
        });
        format!(
            "{count} run, {outcome}, {elapsed} ms{}",
            covered.unwrap_or_default()
        )
    }
}

impl FileReport {
    fn heading(&self, width: usize, holds: usize) -> String {
        let failed = self.tests.iter().filter(|test| test.failed()).count();
        let passed = self.tests.len() - failed;
        let (path, own) = (&self.path, &self.holds);
        let outcome = match (passed, failed) {
            (passed, 0) => format!("{passed} passed"),
            (0, failed) => format!("{failed} FAILED"),
            (passed, failed) => format!("{passed} passed, {failed} FAILED"),
        };
        format!("{path:width$}   {own:holds$}   {outcome}")
    }

    /// Shows what failed. Where a case fails alike through several exposures, it is shown once.
    fn failures(&self) -> Vec<String> {
        let mut shown: Vec<(&str, String, Vec<&str>, String)> = Vec::new();
        for test in self.tests.iter().filter(|test| test.failed()) {
            let blocks: Vec<String> = test.faults.iter().map(block).collect();
            let text = blocks.join("\n");
            let place = test
                .place
                .as_ref()
                .map(ToString::to_string)
                .unwrap_or_default();
            let known = shown
                .iter_mut()
                .find(|(name, _, _, own)| *name == test.name && *own == text);
            match known {
                Some((_, _, exposures, _)) => exposures.extend(test.exposure),
                None => shown.push((&test.name, place, test.exposure.into_iter().collect(), text)),
            }
        }
        let lines = shown.into_iter().map(|(name, place, exposures, text)| {
            let exposures = match exposures.join(", ") {
                exposures if exposures.is_empty() => exposures,
                exposures => format!(" ({exposures})"),
            };
            let heading = format!("  {name}{exposures}   {place}");
            let text = text.lines().map(|line| format!("    {line}"));
            [heading.trim_end().to_owned()]
                .into_iter()
                .chain(text)
                .collect::<Vec<_>>()
                .join("\n")
        });
        lines.collect()
    }
}

impl TestReport {
    /// Tells whether it failed.
    pub(crate) fn failed(&self) -> bool {
        !self.faults.is_empty()
    }
}

/// Returns what people see of a fault: its block and what belongs to it.
pub(super) fn block(fault: &Fault) -> String {
    match fault.detail_text() {
        Some(detail) => format!("{}\n{detail}", fault.block()),
        None => fault.block(),
    }
}

fn of_test(file: &FileReport, test: &TestReport) -> Json {
    let faults: Vec<Json> = test
        .faults
        .iter()
        .map(|fault| {
            json!({
                "code": fault.code_text(),
                "message": fault.message(),
                "hint": fault.hint_text(),
                "place": fault.place(),
                "block": block(fault),
            })
        })
        .collect();
    json!({
        "file": file.path,
        "name": test.name,
        "exposure": test.exposure,
        "place": test.place,
        "passed": !test.failed(),
        "elapsed_ms": millis(test.elapsed),
        "faults": faults,
    })
}

/// Returns milliseconds with three digits behind the point.
fn millis(elapsed: Duration) -> f64 {
    let micros = u32::try_from(elapsed.as_micros()).unwrap_or(u32::MAX);
    f64::from(micros) / 1000.0
}
