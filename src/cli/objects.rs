//! `kladka channel …` and `kladka outgoing …`.

use serde_json::{Value as Json, json};

use crate::cli::args::{ChannelCommand, Global, OutgoingCommand};
use crate::cli::client::Client;
use crate::cli::out::{Out, cell, listing};
use crate::cli::{DONE, Ended};

pub(super) fn channel(global: &Global, command: ChannelCommand, out: Out) -> Ended {
    let client = Client::new(global)?;
    match command {
        ChannelCommand::List => {
            let columns = [
                ("NAME", "name"),
                ("KIND", "kind"),
                ("PATH", "path"),
                ("FORMAT", "format"),
                ("SECURITY", "security"),
                ("SERVICE", "service"),
                ("STATE", "state"),
                ("CALLS", "calls"),
            ];
            let channels = client.call("kladka.channel.list", &json!({}))?;
            out.document(&channels, |channels| {
                listing(channels, "channels", &columns)
            });
            reasons(&channels, "channels", out);
        }
        ChannelCommand::Show { name } => {
            let channel = client.call("kladka.channel.show", &json!({ "name": name }))?;
            out.document(&channel, |channel| {
                serde_json::to_string_pretty(channel).unwrap_or_default()
            });
        }
    }
    Ok(DONE)
}

pub(super) fn outgoing(global: &Global, command: OutgoingCommand, out: Out) -> Ended {
    let client = Client::new(global)?;
    match command {
        OutgoingCommand::List => {
            let columns = [
                ("NAME", "name"),
                ("KIND", "kind"),
                ("ADDRESS", "address"),
                ("STATE", "state"),
            ];
            let connections = client.call("kladka.outgoing.list", &json!({}))?;
            out.document(&connections, |connections| {
                listing(connections, "outgoing", &columns)
            });
            reasons(&connections, "outgoing", out);
        }
        OutgoingCommand::Ping { name } => {
            let pong = client.call("kladka.outgoing.ping", &json!({ "name": name }))?;
            out.document(&pong, |pong| {
                format!(
                    "{name} answered {} in {} ms",
                    cell(pong, "status"),
                    cell(pong, "elapsed_ms")
                )
            });
        }
    }
    Ok(DONE)
}

/// Prints why objects of a list are degraded.
fn reasons(document: &Json, list: &str, out: Out) {
    let rows = document.get(list).and_then(Json::as_array);
    let faults = rows
        .into_iter()
        .flatten()
        .filter_map(|row| row.get("fault"));
    for fault in faults {
        out.talk(&cell(fault, "diagnostic"));
    }
}
