//! `kladka dev`, `start`, `stop`, `status`.

use std::fs::File;
use std::time::Duration;

use serde_json::{Value as Json, json};

use crate::base::{Code, Fault};
use crate::cli::args::Global;
use crate::cli::client::{Client, data_dir};
use crate::cli::dev;
use crate::cli::keyboard::Keyboard;
use crate::cli::out::{Out, cell, notice};
use crate::cli::{DONE, Ended};
use crate::config::{Environment, Project};
use crate::server::{Mode, Server, Signals};

/// Runs the project for development.
pub(super) fn dev(global: &Global, out: Out) -> Ended {
    run(global, Mode::Dev, async |server: Server| {
        // Before the terminal is set otherwise: none of them may end the process without putting it back.
        let signals = Signals::listen()?;
        let terminal = if out.json { None } else { Keyboard::attach()? };
        let keys = terminal.as_ref().map(|_| dev::KEYS);
        notice(&server.greeting(keys));
        let console = server.console();
        let serving = server.run_until_stopped(signals);
        let answering = dev::answer(&console, &global.project, terminal, out);
        tokio::select! {
            () = serving => Ok(()),
            never = answering => match never {},
        }
    })
}

/// Runs the server in the foreground.
pub(super) fn start(global: &Global) -> Ended {
    run(global, Mode::Start, async |server: Server| {
        let signals = Signals::listen()?;
        notice(&server.greeting(None));
        server.run_until_stopped(signals).await;
        Ok(())
    })
}

fn run(global: &Global, mode: Mode, serve: impl AsyncFnOnce(Server) -> Result<(), Fault>) -> Ended {
    let project = Project::open(&global.project)?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build();
    let runtime = runtime
        .map_err(|error| Fault::new(Code::Internal, format!("cannot start threads: {error}")))?;
    runtime.block_on(async {
        let server = Server::start(mode, project, Environment::of_process()).await?;
        serve(server).await
    })?;
    // Whatever is left holds nothing that must be finished.
    runtime.shutdown_timeout(Duration::from_secs(1));
    Ok(DONE)
}

/// Stops the server and waits until it let go of its data directory.
pub(super) fn stop(global: &Global, out: Out) -> Ended {
    let client = Client::new(global)?;
    let answer = client.call("kladka.server.stop", &json!({}))?;
    let lock = data_dir(global, &Environment::of_process())?.join("lock");
    let (sender, receiver) = std::sync::mpsc::channel();
    std::thread::spawn(move || sender.send(File::open(lock).and_then(|file| file.lock_shared())));
    match receiver.recv_timeout(Duration::from_mins(1)) {
        Ok(_released) => {
            out.document(&answer, |answer| {
                format!("stopped (process {})", cell(answer, "pid"))
            });
            Ok(DONE)
        }
        Err(_late) => {
            Err(Fault::new(Code::WaitTimeout, "the server still finishes what runs").into())
        }
    }
}

/// Shows how the server is doing.
pub(super) fn status(global: &Global, out: Out) -> Ended {
    let status = Client::new(global)?.call("kladka.server.status", &json!({}))?;
    out.document(&status, |status| {
        let fields = [
            "state",
            "mode",
            "version",
            "pid",
            "uptime",
            "services",
            "channels",
            "jobs",
            "kvdb",
            "rev",
            "endpoints",
        ];
        let mut lines: Vec<String> = fields.iter().map(|field| line(status, field)).collect();
        let degraded = status
            .get("degraded")
            .and_then(Json::as_array)
            .into_iter()
            .flatten();
        lines.extend(degraded.map(|item| {
            format!(
                "degraded   {}: {}",
                cell(item, "object"),
                cell(item, "message")
            )
        }));
        lines.join("\n")
    });
    Ok(DONE)
}

fn line(status: &Json, field: &str) -> String {
    let shown = match status.get(field).and_then(Json::as_object) {
        Some(map) => map
            .iter()
            .map(|(_, text)| text.as_str().unwrap_or_default())
            .collect::<Vec<_>>()
            .join(" "),
        None => cell(status, field),
    };
    format!("{field:10} {shown}")
}
