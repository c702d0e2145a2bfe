//! A plan as text for people: one line for each change, aligned, and a summary.

use serde_json::Value;

use crate::enmasse::plan::{Counts, FieldChange, Plan, PlanEntry, Prune, Step};

/// Renders a plan. Objects that stay the same are not shown.
pub(crate) fn render(plan: &Plan, prune: Prune) -> String {
    let rows: Vec<Row> = plan
        .entries
        .iter()
        .flat_map(|entry| rows(entry, prune))
        .collect();
    let widths = [
        widest(&rows, |row| &row.kind),
        widest(&rows, |row| &row.name),
        widest(&rows, |row| &row.what),
    ];
    let mut lines: Vec<String> = rows.iter().map(|row| row.line(widths)).collect();
    lines.push(summary(plan.counts(prune)));
    lines.join("\n") + "\n"
}

struct Row {
    sign: char,
    kind: String,
    name: String,
    what: String,
    place: String,
}

impl Row {
    fn line(&self, [kind, name, what]: [usize; 3]) -> String {
        let padded = format!(
            "{} {:kind$}  {:name$}  {:what$}  {}",
            self.sign, self.kind, self.name, self.what, self.place
        );
        padded.trim_end().to_owned()
    }
}

fn widest(rows: &[Row], column: fn(&Row) -> &String) -> usize {
    let widths = rows.iter().map(|row| column(row).chars().count());
    // One long value must not push all places off the screen.
    widths.filter(|width| *width <= 60).max().unwrap_or(0)
}

fn rows(entry: &PlanEntry, prune: Prune) -> Vec<Row> {
    let row = |sign, what: String, place: &str| Row {
        sign,
        kind: entry.id.kind.clone(),
        name: entry.id.name.to_string(),
        what,
        place: place.to_owned(),
    };
    match &entry.step {
        Step::Same => Vec::new(),
        Step::Add => vec![row('+', String::new(), &entry.source)],
        Step::Change { fields } => fields
            .iter()
            .map(|field| row('~', change(field), &field.place))
            .collect(),
        Step::Replaced { by } => vec![row('-', format!("replaced by {by}"), &entry.source)],
        Step::Unmanaged { prunable: true } if prune == Prune::Remove => {
            vec![row('-', "in no file any more".to_owned(), &entry.source)]
        }
        Step::Unmanaged { prunable } => {
            let what = format!("exists on the server only ({})", entry.source);
            let place = match prunable {
                true => "unmanaged, kept; --prune would remove",
                false => "unmanaged, kept",
            };
            vec![row('!', what, place)]
        }
    }
}

fn change(field: &FieldChange) -> String {
    format!(
        "{}  {} → {}",
        field.field,
        shown(field.old.as_ref()),
        shown(field.new.as_ref())
    )
}

fn shown(value: Option<&Value>) -> String {
    match value {
        None => "(none)".to_owned(),
        Some(Value::String(text)) if text.is_empty() => "''".to_owned(),
        // A text must not break the line or colour the terminal.
        Some(Value::String(text)) if text.chars().any(char::is_control) => format!("{text:?}"),
        Some(Value::String(text)) => text.clone(),
        Some(other) => other.to_string(),
    }
}

fn summary(counts: Counts) -> String {
    let Counts {
        change,
        add,
        remove,
        unmanaged,
    } = counts;
    format!("{change} to change, {add} to add, {remove} to remove, {unmanaged} unmanaged.")
}
