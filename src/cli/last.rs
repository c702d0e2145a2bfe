//! Shows what happened to a message beside the code it hit: each line of a script with the host calls it made.

use std::collections::BTreeMap;

use serde_json::Value as Json;

use crate::base::shortened;
use crate::cli::out::{cell, local};

/// The widest line of a script that notes stand beside; beside wider ones they move to the right.
const CODE: usize = 76;
/// How much of what a call was given is shown, and of what it returned, in characters.
const GIVEN: usize = 64;
const RETURNED: usize = 40;

/// Returns the text for people.
pub(super) fn text(story: &Json) -> String {
    let mut lines = vec![heading(story), format!("  input {}", cell(story, "input"))];
    let notes = Notes::of(story);
    for source in list(story, "sources") {
        lines.push(String::new());
        lines.extend(notes.beside(source));
    }
    lines.extend(notes.elsewhere());
    let more = story.get("more_steps").and_then(Json::as_u64).unwrap_or(0);
    if more > 0 {
        lines.push(format!("  … and {more} host calls more"));
    }
    if let Some(block) = story.get("diagnostic").and_then(Json::as_str) {
        lines.push(String::new());
        lines.push(block.to_owned());
    }
    lines.join("\n")
}

fn heading(story: &Json) -> String {
    let status = match story.get("status").and_then(Json::as_u64) {
        None => "under way".to_owned(),
        Some(0) => "given up by the caller".to_owned(),
        Some(status) => match story.get("code").and_then(Json::as_str) {
            Some(code) => format!("{status} {code}"),
            None => status.to_string(),
        },
    };
    let took = match story.get("elapsed_ms").and_then(Json::as_f64) {
        Some(took) => format!(" · {took} ms"),
        None => String::new(),
    };
    format!(
        "{} r{} · {} · {status}{took} · {} · cid {}",
        cell(story, "service"),
        cell(story, "revision"),
        cell(story, "way"),
        local(&cell(story, "at")),
        cell(story, "cid"),
    )
}

/// What stands beside the lines of scripts.
struct Notes<'a> {
    /// By file and line.
    by_line: BTreeMap<(&'a str, u64), Vec<String>>,
    /// Of calls whose line is not known.
    placeless: Vec<String>,
}

impl<'a> Notes<'a> {
    fn of(story: &'a Json) -> Self {
        let mut groups: Vec<Vec<&Json>> = Vec::new();
        for step in list(story, "steps") {
            let same = |group: &&mut Vec<&Json>| {
                let first = group.first();
                first.is_some_and(|first| {
                    ["path", "line", "call", "service"]
                        .iter()
                        .all(|field| first.get(field) == step.get(field))
                })
            };
            match groups.iter_mut().find(same) {
                Some(group) => group.push(step),
                None => groups.push(vec![step]),
            }
        }
        let mut notes = Self {
            by_line: BTreeMap::new(),
            placeless: Vec::new(),
        };
        for group in &groups {
            let note = note(story, group);
            let first = group.first();
            let path = first.and_then(|step| step.get("path")?.as_str());
            let line = first.and_then(|step| step.get("line")?.as_u64());
            match path.zip(line) {
                Some(place) => notes.by_line.entry(place).or_default().push(note),
                None => notes.placeless.push(note),
            }
        }
        if let Some((path, line)) = failed_at(story) {
            let note = format!("✗ {}", cell(story, "code"));
            notes.by_line.entry((path, line)).or_default().push(note);
        }
        notes
    }

    /// Returns the lines of a file, with their notes on the right.
    fn beside(&self, source: &Json) -> Vec<String> {
        let path = source
            .get("path")
            .and_then(Json::as_str)
            .unwrap_or_default();
        let lines: Vec<(u64, &str)> = list(source, "lines").filter_map(numbered).collect();
        let width = lines.iter().map(|(_, text)| text.chars().count());
        let width = width.filter(|width| *width <= CODE).max().unwrap_or(0);
        let gutter = lines
            .last()
            .map_or(0, |(number, _)| number.to_string().len());
        let mut shown = vec![format!("{path}")];
        let mut before = None;
        for (number, text) in lines {
            if before.is_some_and(|before| before + 1 < number) {
                shown.push(format!("{:gutter$} ⋮", ""));
            }
            before = Some(number);
            let own = self.by_line.get(&(path, number));
            let mut own = own.into_iter().flatten();
            shown.push(match own.next() {
                Some(note) => format!("{number:gutter$} | {text:width$}  ← {note}"),
                None => format!("{number:gutter$} | {text}").trim_end().to_owned(),
            });
            shown.extend(own.map(|note| format!("{:gutter$} | {:width$}  ← {note}", "", "")));
        }
        shown
    }

    fn elsewhere(&self) -> Vec<String> {
        let notes = self.placeless.iter();
        notes.map(|note| format!("  · {note}")).collect()
    }
}

/// Says what calls of one line did, as `kvdb.get("a") → "1" 0.1 ms`.
fn note(story: &Json, group: &[&Json]) -> String {
    let (Some(first), Some(last)) = (group.first(), group.last()) else {
        return String::new();
    };
    let result = match (last.get("fault"), last.get("result")) {
        (Some(Json::String(fault)), _) => format!("✗ {}", shortened(fault, GIVEN + RETURNED)),
        (_, Some(Json::String(result))) if result.is_empty() => "ok".to_owned(),
        (_, Some(Json::String(result))) => shortened(result, RETURNED),
        _ => "…".to_owned(),
    };
    let took: f64 = group
        .iter()
        .filter_map(|step| step.get("elapsed_ms")?.as_f64())
        .sum();
    let times = match group.len() {
        1 => String::new(),
        count => format!("  ×{count}"),
    };
    let service = cell(first, "service");
    let by = if service == cell(story, "service") {
        String::new()
    } else {
        format!("  by {service}")
    };
    let (call, given) = (cell(first, "call"), cell(first, "given"));
    let given = if given == "–" {
        String::new()
    } else {
        shortened(&given, GIVEN)
    };
    format!("{call}({given}) → {result}{times}  {took:.1} ms{by}")
}

/// Returns file and line of a place, which reads `path:line` or `path:line:column`.
fn failed_at(story: &Json) -> Option<(&str, u64)> {
    let place = story.get("failed_at")?.as_str()?;
    let mut parts = place.split(':');
    let path = parts.next()?;
    Some((path, parts.next()?.parse().ok()?))
}

fn list<'a>(document: &'a Json, field: &str) -> impl Iterator<Item = &'a Json> {
    let list = document.get(field).and_then(Json::as_array);
    list.into_iter().flatten()
}

fn numbered(line: &Json) -> Option<(u64, &str)> {
    Some((line.get(0)?.as_u64()?, line.get(1)?.as_str()?))
}
