//! `kladka job …`.

use serde_json::{Value as Json, json};

use crate::base::Exit;
use crate::cli::args::{Global, JobCommand};
use crate::cli::client::Client;
use crate::cli::out::{Out, cell, code, listing};
use crate::cli::{DONE, Ended};

pub(super) fn run(global: &Global, command: JobCommand, out: Out) -> Ended {
    let client = Client::new(global)?;
    match command {
        JobCommand::List => show(&client, "kladka.job.list", &json!({}), out, list),
        JobCommand::Run { name, wait } => start(&client, &name, wait, out),
        JobCommand::Next { name, count } => {
            let input = json!({ "name": name, "n": count });
            show(&client, "kladka.job.next", &input, out, |answer| {
                upcoming(answer)
            })
        }
        JobCommand::Pause { name, note } => {
            let input = json!({ "name": name, "note": note });
            show(&client, "kladka.job.pause", &input, out, |_| {
                format!("{name} is paused")
            })
        }
        JobCommand::Resume { name } => {
            let input = json!({ "name": name });
            show(&client, "kladka.job.resume", &input, out, |_| {
                format!("{name} fires again")
            })
        }
        JobCommand::History { name, count } => show(
            &client,
            "kladka.job.history",
            &json!({ "name": name, "limit": count }),
            out,
            runs,
        ),
    }
}

fn show(
    client: &Client,
    operation: &str,
    input: &Json,
    out: Out,
    text: impl FnOnce(&Json) -> String,
) -> Ended {
    let answer = client.call(operation, input)?;
    out.document(&answer, text);
    Ok(DONE)
}

/// Shows moments by the clock of the job's zone: that is what its timetable speaks of.
fn upcoming(answer: &Json) -> String {
    let zone = cell(answer, "timezone");
    let times = answer.get("next").and_then(Json::as_array);
    let line = |time: &Json| {
        let text = time.as_str().unwrap_or_default();
        chrono::DateTime::parse_from_rfc3339(text).map_or_else(
            |_no_moment| text.to_owned(),
            |at| format!("{} {zone}", at.format("%a %Y-%m-%d %H:%M:%S %:z")),
        )
    };
    match times {
        Some(times) if !times.is_empty() => times.iter().map(line).collect::<Vec<_>>().join("\n"),
        _ => "never again".to_owned(),
    }
}

fn list(answer: &Json) -> String {
    let columns = [
        ("NAME", "name"),
        ("SERVICE", "service"),
        ("SCHEDULE", "schedule"),
        ("ZONE", "timezone"),
        ("STATE", "state"),
        ("NEXT", "next_fire"),
        ("LAST", "last_run.state"),
        ("NOTE", "note"),
    ];
    listing(answer, "jobs", &columns)
}

fn runs(answer: &Json) -> String {
    let columns = [
        ("FIRE TIME", "fire_time"),
        ("TRIGGER", "trigger"),
        ("STATE", "state"),
        ("MS", "elapsed_ms"),
        ("CID", "cid"),
        ("ERROR", "fault_message"),
    ];
    listing(answer, "runs", &columns)
}

fn start(client: &Client, name: &str, wait: bool, out: Out) -> Ended {
    let run = client.call("kladka.job.run", &json!({ "name": name, "wait": wait }))?;
    out.document(&run, |run| {
        format!(
            "{name} {} · {} ms · cid {}",
            cell(run, "state"),
            cell(run, "elapsed_ms"),
            cell(run, "cid")
        )
    });
    let failed = matches!(
        run.get("state").and_then(Json::as_str),
        Some("failed" | "timed_out" | "lost" | "cancelled")
    );
    if failed {
        out.talk(&format!(
            "error[{}]: {}",
            cell(&run, "fault_code"),
            cell(&run, "fault_message")
        ));
        return Ok(code(Exit::Unexpected));
    }
    Ok(DONE)
}
