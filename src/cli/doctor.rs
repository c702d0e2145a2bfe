//! `kladka doctor`: looks at everything a server needs and says what to do.

use serde_json::{Value as Json, json};

use crate::base::{Exit, Fault};
use crate::cli::args::Global;
use crate::cli::client::Client;
use crate::cli::out::{Out, cell, code, listing};
use crate::cli::{DONE, Ended, Failure};
use crate::config::{Environment, Project, ServerConfig};
use crate::server::{check_ports, validate};

struct Check {
    name: &'static str,
    outcome: Result<String, String>,
}

pub(super) fn run(global: &Global, out: Out) -> Ended {
    let environment = Environment::of_process();
    let project = Project::open(&global.project)?;
    let checks = [
        settings(&project, &environment),
        objects(&project, &environment),
        server(global),
        ports(&project, &environment, global),
    ];
    let rows: Vec<_> = checks
        .iter()
        .map(|check| match &check.outcome {
            Ok(text) => json!({ "check": check.name, "state": "ok", "text": text }),
            Err(text) => json!({ "check": check.name, "state": "FAILED", "text": text }),
        })
        .collect();
    let report = json!({ "checks": rows });
    out.document(&report, |report| {
        listing(
            report,
            "checks",
            &[("CHECK", "check"), ("STATE", "state"), ("WHAT", "text")],
        )
    });
    let failed = checks.iter().any(|check| check.outcome.is_err());
    Ok(if failed { code(Exit::Invalid) } else { DONE })
}

fn settings(project: &Project, environment: &Environment) -> Check {
    let outcome = ServerConfig::load(project, environment)
        .map(|_| "config/server.toml reads well".to_owned());
    Check {
        name: "settings",
        outcome: outcome.map_err(|fault| said(&fault)),
    }
}

fn objects(project: &Project, environment: &Environment) -> Check {
    let outcome = match validate(project, environment.clone()) {
        Ok((count, warnings)) => Ok(format!("{count} objects, {} warnings", warnings.len())),
        Err(faults) => Err(format!(
            "{} errors: run `kladka config validate`",
            faults.0.len()
        )),
    };
    Check {
        name: "objects",
        outcome,
    }
}

fn server(global: &Global) -> Check {
    let status = Client::new(global)
        .map_err(Failure::from)
        .and_then(|client| client.call("kladka.server.status", &json!({})));
    let outcome = match status {
        Ok(status)
            if status
                .get("version")
                .is_some_and(|version| version != env!("CARGO_PKG_VERSION")) =>
        {
            Err("a server of another version runs: restart it".to_owned())
        }
        Ok(status) => {
            let text = format!(
                "runs as process {}, state {}",
                cell(&status, "pid"),
                cell(&status, "state")
            );
            let degraded = status.get("state").is_some_and(|state| state == "degraded");
            if degraded {
                Err(text + wrong(&status).as_str())
            } else {
                Ok(text)
            }
        }
        Err(failure) if failure.exit == Exit::Unreachable => Ok("does not run".to_owned()),
        Err(failure) => Err(failure.block),
    };
    Check {
        name: "server",
        outcome,
    }
}

/// Returns the first thing that is wrong, and where the rest is.
fn wrong(status: &Json) -> String {
    let (object, message) = (
        cell(status, "degraded.0.object"),
        cell(status, "degraded.0.message"),
    );
    format!(": {object}: {message}. See `kladka status` for all, /readyz?verbose for the places.")
}

fn ports(project: &Project, environment: &Environment, global: &Global) -> Check {
    let running = Client::new(global)
        .is_ok_and(|client| client.call("kladka.server.status", &json!({})).is_ok());
    let outcome = match ServerConfig::load(project, environment) {
        Ok(_) if running => Ok("in use by this server".to_owned()),
        Ok(config) => check_ports(&config)
            .map(|()| "free".to_owned())
            .map_err(|fault| said(&fault)),
        Err(_) => Err("unknown until the settings read well".to_owned()),
    };
    Check {
        name: "ports",
        outcome,
    }
}

fn said(fault: &Fault) -> String {
    match fault.hint_text() {
        Some(hint) => format!("{fault}. {hint}"),
        None => fault.to_string(),
    }
}
