//! `kladka service …` and `kladka deploy`.

use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use base64::Engine as _;
use serde_json::{Value as Json, json};

use crate::base::{Code, Exit, Fault};
use crate::cli::args::{Global, ServiceCommand};
use crate::cli::client::Client;
use crate::cli::last;
use crate::cli::out::{self, Out, cell, code, listing};
use crate::cli::{DONE, Ended};

pub(super) fn run(global: &Global, command: ServiceCommand, out: Out) -> Ended {
    let client = Client::new(global)?;
    match command {
        ServiceCommand::List => list(&client, out),
        ServiceCommand::Show { name } => show(&client, &name, out),
        ServiceCommand::Last { name } => {
            let story = client.call("kladka.service.last", &json!({ "name": name }))?;
            if story.is_null() {
                let reached = name.as_deref().unwrap_or("a service");
                let message = format!("no message has reached {reached} yet");
                return Err(Fault::new(Code::UnknownObject, message).into());
            }
            out.document(&story, last::text);
            Ok(DONE)
        }
        ServiceCommand::Invoke {
            name,
            payload,
            pairs,
        } => invoke(&client, &name, &payload, &pairs, out),
        ServiceCommand::Reload { name, .. } => {
            let names: Vec<String> = name.into_iter().collect();
            let done = client.call("kladka.service.reload", &json!({ "names": names }))?;
            Ok(report(&done, out))
        }
        ServiceCommand::History { name } => history(&client, &name, out),
        ServiceCommand::Rollback { name, revision } => {
            let input = json!({ "name": name, "revision": revision_number(revision)? });
            Ok(report(
                &client.call("kladka.service.rollback", &input)?,
                out,
            ))
        }
        ServiceCommand::Delete { name, force } => {
            let input = json!({ "name": name, "force": force });
            Ok(report(&client.call("kladka.service.delete", &input)?, out))
        }
    }
}

/// Deploys files.
pub(super) fn deploy(global: &Global, files: &[PathBuf], out: Out) -> Ended {
    let client = Client::new(global)?;
    let files: Vec<Json> = files
        .iter()
        .map(|path| packed(path))
        .collect::<Result<_, _>>()?;
    let done = client.call("kladka.service.deploy", &json!({ "files": files }))?;
    Ok(report(&done, out))
}

fn packed(path: &Path) -> Result<Json, Fault> {
    let unreadable = |why: String| {
        Fault::new(
            Code::BadArguments,
            format!("cannot read {}: {why}", path.display()),
        )
    };
    let bytes = std::fs::read(path).map_err(|error| unreadable(error.to_string()))?;
    let name = path
        .file_name()
        .and_then(|name| name.to_str())
        .ok_or_else(|| unreadable("no file name".into()))?;
    Ok(json!({ "name": name, "content": base64::engine::general_purpose::STANDARD.encode(bytes) }))
}

fn list(client: &Client, out: Out) -> Ended {
    let services = client.call("kladka.service.list", &json!({}))?;
    let columns = [
        ("NAME", "name"),
        ("REV", "revision"),
        ("LANG", "language"),
        ("STATE", "state"),
        ("EXPOSED AS", "exposed"),
        ("CALLS", "calls"),
        ("FILE", "path"),
    ];
    out.document(&services, |services| {
        listing(&numbered(services, "services"), "services", &columns)
    });
    diagnostics(&services, out);
    Ok(DONE)
}

fn show(client: &Client, name: &str, out: Out) -> Ended {
    let service = client.call("kladka.service.show", &json!({ "name": name }))?;
    out.document(&service, |service| {
        let fields = [
            "name", "doc", "revision", "language", "state", "path", "exposed", "input", "output",
            "timeout", "threads", "uses",
        ];
        let line = |field: &&str| format!("{field:10} {}", cell(service, field));
        fields.iter().map(line).collect::<Vec<_>>().join("\n")
    });
    diagnostics(&service, out);
    Ok(DONE)
}

/// Prints the diagnostics of an answer.
fn diagnostics(answer: &Json, out: Out) {
    let faults = answer.get("faults").and_then(Json::as_array);
    for fault in faults.into_iter().flatten() {
        out.talk(&cell(fault, "diagnostic"));
    }
}

fn invoke(client: &Client, name: &str, payload: &str, pairs: &[String], out: Out) -> Ended {
    let mut payload = read_payload(payload)?;
    for pair in pairs {
        add_pair(&mut payload, pair)?;
    }
    let answer = client.call(
        "kladka.service.invoke",
        &json!({ "name": name, "payload": payload }),
    )?;
    let output = answer.get("output").cloned().unwrap_or_default();
    let nothing = output.is_null() || output.as_object().is_some_and(serde_json::Map::is_empty);
    if out.json {
        out.document(&answer, |_| String::new());
    } else if let Some(text) = output.as_str() {
        out::data(text);
    } else if !nothing {
        out::data(&output.to_string());
    }
    let (ms, revision, cid) = (
        cell(&answer, "elapsed_ms"),
        cell(&answer, "revision"),
        cell(&answer, "cid"),
    );
    out.talk(&format!("  ok · {ms} ms · r{revision} · cid {cid}"));
    Ok(DONE)
}

fn read_payload(payload: &str) -> Result<Json, Fault> {
    let bad = |why: String| Fault::new(Code::BadArguments, format!("--payload: {why}"));
    let text = match payload.strip_prefix('@') {
        Some(path) => {
            std::fs::read_to_string(path).map_err(|error| bad(format!("{path}: {error}")))?
        }
        None if payload == "-" => {
            let mut text = String::new();
            std::io::stdin()
                .read_to_string(&mut text)
                .map_err(|error| bad(error.to_string()))?;
            text
        }
        None => payload.to_owned(),
    };
    serde_json::from_str(&text).map_err(|error| bad(format!("not JSON: {error}")))
}

fn add_pair(payload: &mut Json, pair: &str) -> Result<(), Fault> {
    let bad = || {
        Fault::new(
            Code::BadArguments,
            format!("-p {pair}: write name=text or name:=json"),
        )
    };
    let (name, value) = match pair.split_once(":=") {
        Some((name, text)) => (name, serde_json::from_str(text).map_err(|_not_json| bad())?),
        None => pair
            .split_once('=')
            .map(|(name, text)| (name, json!(text)))
            .ok_or_else(bad)?,
    };
    payload
        .as_object_mut()
        .ok_or_else(bad)?
        .insert(name.to_owned(), value);
    Ok(())
}

fn history(client: &Client, name: &str, out: Out) -> Ended {
    let history = client.call("kladka.service.history", &json!({ "name": name }))?;
    let columns = [
        ("REV", "revision"),
        ("AT", "at"),
        ("BY", "origin"),
        ("PACKAGE", "package"),
        ("SHA-256", "short"),
        ("FILE", "path"),
    ];
    out.document(&history, |history| {
        listing(&numbered(history, "revisions"), "revisions", &columns)
    });
    Ok(DONE)
}

/// Writes revisions as people say them (`r3`), and enough of a checksum to tell two apart.
fn numbered(document: &Json, list: &str) -> Json {
    let mut shown = document.clone();
    let rows = shown.get_mut(list).and_then(Json::as_array_mut);
    for row in rows.into_iter().flatten().filter_map(Json::as_object_mut) {
        if let Some(number) = row.get("revision").and_then(Json::as_u64) {
            row.insert("revision".to_owned(), json!(format!("r{number}")));
        }
        if let Some(sum) = row.get("sha256").and_then(Json::as_str) {
            let short = sum.get(..12).unwrap_or(sum).to_owned();
            row.insert("short".to_owned(), json!(short));
        }
    }
    shown
}

fn revision_number(text: Option<String>) -> Result<Option<u32>, Fault> {
    let Some(text) = text else { return Ok(None) };
    let number = text.strip_prefix('r').unwrap_or(&text).parse().ok();
    let bad = || {
        Fault::new(Code::BadArguments, format!("{text:?} is not a revision")).hint("Write r3 or 3.")
    };
    number.ok_or_else(bad).map(Some)
}

/// Prints one line for each service of a report, and the diagnostics; exit 4 when something failed.
fn report(report: &Json, out: Out) -> ExitCode {
    out.document(report, |report| {
        let lines = report
            .get("services")
            .and_then(Json::as_array)
            .into_iter()
            .flatten();
        lines.map(report_line).collect::<Vec<_>>().join("\n")
    });
    let faults = report
        .get("faults")
        .and_then(Json::as_array)
        .map(Vec::as_slice)
        .unwrap_or_default();
    diagnostics(report, out);
    let lines = report.get("services").and_then(Json::as_array);
    let failed = |line: &Json| {
        line.get("outcome")
            .is_some_and(|outcome| outcome == "failed")
    };
    let refused = report.get("applied") == Some(&Json::Bool(false));
    if refused {
        out.talk("nothing changed");
    }
    let broken = !faults.is_empty() || lines.is_some_and(|lines| lines.iter().any(failed));
    if refused && broken || lines.is_some_and(|lines| lines.iter().any(failed)) {
        code(Exit::Invalid)
    } else {
        DONE
    }
}

pub(super) fn report_line(line: &Json) -> String {
    let revision = |field: &str| {
        line.get(field)
            .and_then(Json::as_u64)
            .map(|number| format!("r{number}"))
    };
    let change = match (revision("old"), revision("new")) {
        (Some(old), Some(new)) if old != new => format!("{old} → {new}"),
        (Some(old), None) => format!("{old} → –"),
        (None, Some(new)) => format!("new {new}"),
        (old, _) => old.unwrap_or_default(),
    };
    format!(
        "{:32} {change:12} {:8} {} ms",
        cell(line, "name"),
        cell(line, "outcome"),
        cell(line, "elapsed_ms")
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pairs_are_text_unless_marked_as_json() {
        let mut payload = json!({});
        add_pair(&mut payload, "year=2013").unwrap();
        add_pair(&mut payload, "month:=9").unwrap();
        assert_eq!(payload, json!({"year": "2013", "month": 9}));
        assert!(add_pair(&mut payload, "day").is_err());
        assert!(add_pair(&mut payload, "day:=x").is_err());
    }

    #[test]
    fn a_report_names_old_and_new() {
        let line = json!({"name": "a.b", "old": 7, "new": 8, "outcome": "ok", "elapsed_ms": 12});
        assert!(report_line(&line).starts_with("a.b"));
        assert!(report_line(&line).contains("r7 → r8"));
    }
}
