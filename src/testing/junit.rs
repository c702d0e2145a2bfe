//! The report in the format of `JUnit`, for continuous integration.

use std::time::Duration;

use crate::testing::report::{FileReport, Report, TestReport, block};
use crate::xml::Writer;

/// Writes a report.
pub(super) fn write(report: &Report) -> String {
    let mut writer = Writer::with_declaration();
    writer.start("testsuites").attribute("name", "kladka");
    counts(&mut writer, report.count(), report.failed(), report.elapsed);
    for file in &report.files {
        suite(&mut writer, file);
    }
    let mut text = writer.finish();
    text.push('\n');
    text
}

fn suite(writer: &mut Writer, file: &FileReport) {
    let failed = file.tests.iter().filter(|test| test.failed()).count();
    let elapsed = file.tests.iter().map(|test| test.elapsed).sum();
    writer.start("testsuite").attribute("name", &file.path);
    counts(writer, file.tests.len(), failed, elapsed);
    for test in &file.tests {
        case(writer, &file.path, test);
    }
    writer.end();
}

fn counts(writer: &mut Writer, tests: usize, failed: usize, elapsed: Duration) {
    writer.attribute("tests", &tests.to_string());
    writer.attribute("failures", &failed.to_string());
    writer.attribute("errors", "0").attribute("skipped", "0");
    writer.attribute("time", &seconds(elapsed));
}

fn case(writer: &mut Writer, path: &str, test: &TestReport) {
    let name = match test.exposure {
        Some(exposure) => format!("{} [{exposure}]", test.name),
        None => test.name.clone(),
    };
    writer.start("testcase").attribute("name", &name);
    writer.attribute("classname", path).attribute("file", path);
    if let Some(place) = test.place.as_ref().filter(|place| place.line > 0) {
        writer.attribute("line", &place.line.to_string());
    }
    writer.attribute("time", &seconds(test.elapsed));
    // A case has one failure, whatever is wrong with it.
    if let Some(first) = test.faults.first() {
        writer.start("failure");
        writer.attribute("type", first.code_text());
        writer.attribute("message", first.message());
        let blocks: Vec<String> = test.faults.iter().map(block).collect();
        writer.text(&blocks.join("\n")).end();
    }
    writer.end();
}

fn seconds(elapsed: Duration) -> String {
    format!("{:.3}", elapsed.as_secs_f64())
}
