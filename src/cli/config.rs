//! `kladka config …` and its alias `enmasse`.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use serde_json::{Value as Json, json};

use crate::base::{Code, Exit, Fault};
use crate::cli::args::{ConfigCommand, ExportFormat, Global, PlanSource};
use crate::cli::client::Client;
use crate::cli::out::{self, Out, cell, code};
use crate::cli::{DONE, Ended, Failure};
use crate::config::{Environment, Project};
use crate::server::validate;

pub(super) fn run(global: &Global, command: ConfigCommand, out: Out) -> Ended {
    match command {
        ConfigCommand::Validate => offline(global, out),
        ConfigCommand::Plan { source, fail_on } => plan(global, &source, &fail_on, out),
        ConfigCommand::Apply { source, rev } => apply(global, &source, rev, out),
        ConfigCommand::Export { format } => export(global, format, out),
    }
}

/// The alias of old.
pub(super) fn enmasse(
    global: &Global,
    to_stdout: bool,
    import: Option<PathBuf>,
    out: Out,
) -> Ended {
    match import {
        Some(file) if !to_stdout => apply(
            global,
            &PlanSource {
                files: vec![file],
                prune: false,
            },
            None,
            out,
        ),
        _ => export(global, ExportFormat::Yaml, out),
    }
}

fn offline(global: &Global, out: Out) -> Ended {
    let project = Project::open(&global.project)?;
    let checked = validate(&project, Environment::of_process());
    let faults = match &checked {
        Ok(_) => Vec::new(),
        Err(faults) => faults.0.iter().map(|fault| json!(fault)).collect(),
    };
    let (objects, warnings) = checked
        .as_ref()
        .map_or((0, &[][..]), |(objects, warnings)| {
            (*objects, warnings.as_slice())
        });
    let report = json!({ "valid": faults.is_empty(), "objects": objects, "errors": faults, "warnings": warnings });
    for warning in warnings {
        out.talk(&warning.block().replacen("error", "warning", 1));
    }
    for fault in checked
        .as_ref()
        .err()
        .into_iter()
        .flat_map(|faults| &faults.0)
    {
        out.talk(&fault.block());
    }
    let valid = faults.is_empty();
    out.document(&report, |_| {
        if valid {
            format!("{objects} objects, no errors")
        } else {
            String::new()
        }
    });
    Ok(if valid { DONE } else { code(Exit::Invalid) })
}

fn plan(global: &Global, source: &PlanSource, fail_on: &[String], out: Out) -> Ended {
    let plan = Client::new(global)?.call("kladka.config.plan", &selection(source)?)?;
    out.document(&plan, |plan| cell(plan, "text"));
    warn(&plan, out);
    let counts = plan.get("counts").cloned().unwrap_or_default();
    let count = |name: &str| counts.get(name).and_then(Json::as_u64).unwrap_or_default();
    let found = |what: &String| match what.as_str() {
        "drift" => count("unmanaged") > 0,
        other => count(other) > 0,
    };
    Ok(if fail_on.iter().any(found) {
        code(Exit::Difference)
    } else {
        DONE
    })
}

fn apply(global: &Global, source: &PlanSource, rev: Option<i64>, out: Out) -> Ended {
    let mut input = selection(source)?;
    if let (Some(input), Some(rev)) = (input.as_object_mut(), rev) {
        input.insert("expect_rev".to_owned(), json!(rev));
    }
    let applied = Client::new(global)?.call("kladka.config.apply", &input)?;
    out.document(&applied, |applied| cell(applied, "text"));
    warn(&applied, out);
    let degraded = applied
        .get("degraded")
        .and_then(Json::as_array)
        .map(Vec::as_slice)
        .unwrap_or_default();
    for object in degraded {
        out.talk(&cell(object, "diagnostic"));
    }
    Ok(if degraded.is_empty() {
        DONE
    } else {
        code(Exit::Partial)
    })
}

fn warn(answer: &Json, out: Out) {
    for warning in answer
        .get("warnings")
        .and_then(Json::as_array)
        .into_iter()
        .flatten()
    {
        out.talk(&cell(warning, "diagnostic").replacen("error", "warning", 1));
    }
}

fn export(global: &Global, format: ExportFormat, out: Out) -> Result<ExitCode, Failure> {
    let format = match format {
        ExportFormat::Yaml if !out.json => "yaml",
        ExportFormat::Yaml | ExportFormat::Json => "json",
    };
    let export = Client::new(global)?.call("kladka.config.export", &json!({ "format": format }))?;
    out::data(cell(&export, "text").trim_end());
    let secrets = export.get("secrets").and_then(Json::as_array);
    for secret in secrets.into_iter().flatten() {
        let (name, field) = (cell(secret, "name"), cell(secret, "field"));
        out.talk(&format!(
            "left out: set the secret {name} ({field}) where this is applied"
        ));
    }
    Ok(DONE)
}

fn selection(source: &PlanSource) -> Result<Json, Fault> {
    let files: Vec<Json> = source
        .files
        .iter()
        .map(|path| text(path))
        .collect::<Result<_, _>>()?;
    Ok(json!({ "files": files, "prune": source.prune }))
}

fn text(path: &Path) -> Result<Json, Fault> {
    let text = std::fs::read_to_string(path);
    let text = text.map_err(|error| {
        Fault::new(
            Code::BadArguments,
            format!("cannot read {}: {error}", path.display()),
        )
    })?;
    Ok(json!({ "path": path, "text": text }))
}
