//! `kladka check`: mistakes of scripts and configuration, found before they run.

use std::path::{Path, PathBuf};

use serde_json::{Value as Json, json};

use crate::base::{Code, Exit, Fault};
use crate::check::{self, Checked, Finding, Severity};
use crate::cli::args::{CheckFormat, Global};
use crate::cli::out::{Out, code};
use crate::cli::{DONE, Ended, offline};
use crate::config::{Environment, Project};

/// Documents that are asked for by name are written as such.
const PROGRAMS: Out = Out { json: true };

/// What is asked for beside the places.
#[derive(Clone, Copy)]
pub(super) struct Wish {
    pub(super) fix: bool,
    pub(super) strict: bool,
    pub(super) format: CheckFormat,
}

pub(super) fn run(global: &Global, paths: &[PathBuf], wish: Wish, out: Out) -> Ended {
    let project = Project::open(&global.project)?;
    let wanted = relative(&project, paths)?;
    let mut checked = look(&project, &wanted)?;
    if wish.fix {
        let count = check::apply(&project, &checked.findings)?;
        if count > 0 {
            let names = if count == 1 { "name" } else { "names" };
            out.talk(&format!("mended {count} {names}"));
            checked = look(&project, &wanted)?;
        }
    }
    let format = match wish.format {
        CheckFormat::Text if out.json => CheckFormat::Json,
        format => format,
    };
    show(&checked, format, out);
    let fails = |finding: &Finding| match finding.severity {
        Severity::Error => true,
        Severity::Warning => wish.strict,
        Severity::Note => false,
    };
    let failed = checked.findings.iter().any(fails);
    Ok(if failed { code(Exit::Invalid) } else { DONE })
}

/// Checks the whole project, for names are looked up in all of it, and keeps what was asked for.
fn look(project: &Project, wanted: &[PathBuf]) -> Result<Checked, Fault> {
    let mut checked = offline(check::check(project, Environment::of_process()))?;
    if !wanted.is_empty() {
        checked.findings.retain(|finding| {
            let place = finding.fault.place();
            place.is_none_or(|place| {
                wanted
                    .iter()
                    .any(|it| Path::new(&*place.path).starts_with(it))
            })
        });
    }
    Ok(checked)
}

/// Returns paths relative to the project; each must be there.
fn relative(project: &Project, paths: &[PathBuf]) -> Result<Vec<PathBuf>, Fault> {
    let root = project.root();
    let relative = paths.iter().map(|path| {
        let known = path
            .canonicalize()
            .or_else(|_elsewhere| root.join(path).canonicalize());
        let known = known.ok();
        let below = known.as_ref().and_then(|path| path.strip_prefix(root).ok());
        below.map(Path::to_path_buf).ok_or_else(|| {
            let message = format!("{} is not in this project", path.display());
            Fault::new(Code::BadArguments, message)
        })
    });
    relative.collect()
}

fn show(checked: &Checked, format: CheckFormat, out: Out) {
    match format {
        CheckFormat::Text => {
            for finding in &checked.findings {
                out.talk(&finding.block());
                out.talk("");
            }
            out.document(&Json::Null, |_| summary(checked));
        }
        CheckFormat::Json => PROGRAMS.document(&document(checked), |_| String::new()),
        CheckFormat::Sarif => PROGRAMS.document(&check::sarif(checked), |_| String::new()),
    }
}

fn document(checked: &Checked) -> Json {
    let findings: Vec<Json> = checked.findings.iter().map(finding).collect();
    json!({ "scripts": checked.scripts, "objects": checked.objects, "findings": findings })
}

fn finding(finding: &Finding) -> Json {
    let mut document = json!(finding.fault);
    if let Some(document) = document.as_object_mut() {
        document.insert("severity".to_owned(), json!(finding.severity.word()));
        document.insert("diagnostic".to_owned(), json!(finding.block()));
        if let Some(fix) = &finding.fix {
            document.insert("fix".to_owned(), json!(fix.with));
        }
    }
    document
}

fn summary(checked: &Checked) -> String {
    let count = |severity| {
        let all = checked.findings.iter();
        all.filter(|finding| finding.severity == severity).count()
    };
    let mut found = Vec::new();
    for severity in [Severity::Error, Severity::Warning, Severity::Note] {
        match count(severity) {
            0 => {}
            1 => found.push(format!("1 {}", severity.word())),
            many => found.push(format!("{many} {}s", severity.word())),
        }
    }
    let found = if found.is_empty() {
        "nothing to complain about".to_owned()
    } else {
        found.join(", ")
    };
    let mendable = checked
        .findings
        .iter()
        .filter(|it| it.fix.is_some())
        .count();
    let hint = if mendable > 0 {
        format!(" · `kladka check --fix` mends {mendable}")
    } else {
        String::new()
    };
    let (scripts, objects) = (checked.scripts, checked.objects);
    format!("{scripts} scripts, {objects} objects: {found}{hint}")
}
