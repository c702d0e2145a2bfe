//! Findings as SARIF 2.1.0, which code hosts show beside the line.

use std::collections::BTreeMap;

use serde_json::{Value as Json, json};

use crate::check::{Checked, Finding};

/// Returns the document.
pub(crate) fn sarif(checked: &Checked) -> Json {
    let codes = checked.findings.iter();
    let rules: BTreeMap<&str, &str> = codes
        .map(|it| (it.fault.code().as_str(), it.fault.code().title()))
        .collect();
    let rules: Vec<Json> = rules
        .iter()
        .map(|(id, title)| json!({ "id": id, "shortDescription": { "text": title } }))
        .collect();
    let results: Vec<Json> = checked.findings.iter().map(result).collect();
    json!({
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [{
            "tool": { "driver": {
                "name": "kladka",
                "version": env!("CARGO_PKG_VERSION"),
                "rules": rules,
            } },
            "columnKind": "unicodeCodePoints",
            "results": results,
        }],
    })
}

fn result(finding: &Finding) -> Json {
    let fault = &finding.fault;
    let hint = fault
        .hint_text()
        .map_or(String::new(), |hint| format!(". {hint}"));
    let mut result = json!({
        "ruleId": fault.code().as_str(),
        "level": finding.severity.word(),
        "message": { "text": format!("{}{hint}", fault.message()) },
        "properties": { "diagnostic": finding.block() },
    });
    if let (Some(place), Some(result)) = (fault.place(), result.as_object_mut()) {
        let mut region = serde_json::Map::new();
        if place.line > 0 {
            region.insert("startLine".to_owned(), json!(place.line));
        }
        if place.column > 0 {
            let width = fault.snippet().map_or(1, |snippet| snippet.width.max(1));
            region.insert("startColumn".to_owned(), json!(place.column));
            region.insert("endColumn".to_owned(), json!(place.column + width));
        }
        let mut physical = json!({ "artifactLocation": { "uri": &*place.path } });
        if let (Some(physical), false) = (physical.as_object_mut(), region.is_empty()) {
            physical.insert("region".to_owned(), Json::Object(region));
        }
        let locations = json!([{ "physicalLocation": physical }]);
        result.insert("locations".to_owned(), locations);
    }
    result
}
