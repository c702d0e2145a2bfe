//! `kladka repl`: reads lines from a terminal or a pipe, and prints what the conversation says.

use std::cell::RefCell;
use std::io::{BufRead as _, IsTerminal as _};
use std::process::ExitCode;
use std::rc::Rc;
use std::sync::Arc;

use serde_json::{Value as Json, json};
use tokio::runtime::LocalRuntime;
use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::base::{BoxFuture, Code, Fault};
use crate::cli::args::{Global, Lang, ReplArgs};
use crate::cli::client::Client;
use crate::cli::out::{self, Out};
use crate::cli::terminal::{Read, Terminal};
use crate::cli::{DONE, Ended, Failure, test};
use crate::config::Project;
use crate::repl::{Remote, Said, Start, Talk, fault_of};
use crate::telemetry::init_brief_logging;

/// How much stack a conversation has: what it holds may be nested as deep as scripts can make it. Only what is touched
/// takes memory.
const STACK: usize = 256 << 20;

pub(super) fn run(global: &Global, args: &ReplArgs, out: Out) -> Ended {
    let failed = |error: std::io::Error| {
        Fault::new(Code::Internal, "the REPL cannot be started").detail(error.to_string())
    };
    let thread = std::thread::Builder::new().stack_size(STACK);
    std::thread::scope(|scope| {
        let talking = thread.spawn_scoped(scope, || talk(global, args, out));
        let talking = talking.map_err(failed)?;
        let panicked = |_panic| Fault::new(Code::Internal, "the REPL failed unexpectedly");
        talking.join().map_err(panicked)?
    })
}

fn talk(global: &Global, args: &ReplArgs, out: Out) -> Ended {
    init_brief_logging();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build_local(tokio::runtime::LocalOptions::default());
    let runtime = runtime.map_err(|error| {
        Fault::new(Code::Internal, "the REPL cannot be started").detail(error.to_string())
    })?;
    let client = args.live.then(|| Client::new(global)).transpose()?;
    let remote = client.map(|client| Arc::new(client) as Arc<dyn Remote>);
    let directory = match &remote {
        None => Project::open(&global.project)?,
        // Somebody may talk with a server from anywhere; a project adds its modules.
        Some(_) => Project::at(&global.project),
    };
    let start = Start {
        directory,
        remote,
        language: args.lang.map(name),
        write: args.write,
    };
    let begun = runtime.block_on(Talk::begin(start));
    let talk = Rc::new(RefCell::new(begun.map_err(test::joined)?));
    for fault in talk.borrow().faults() {
        out.talk(&fault.block());
    }
    if std::io::stdin().is_terminal() && std::io::stdout().is_terminal() && !out.json {
        let place = if args.live {
            "the running server"
        } else {
            "the project"
        };
        return interactive(&runtime, &talk, place, out);
    }
    piped(&runtime, &talk, out)
}

fn name(lang: Lang) -> &'static str {
    match lang {
        Lang::Lua => "lua",
        Lang::Rhai => "rhai",
    }
}

/// Asks the server as the other commands do.
impl Remote for Client {
    fn ask(&self, operation: &'static str, input: Json) -> BoxFuture<'static, Result<Json, Fault>> {
        let sent = self.send(operation, &input);
        Box::pin(async move {
            match sent.await? {
                (status, answer) if status < 400 => Ok(answer),
                (status, problem) => Err(fault_of(status, &problem)),
            }
        })
    }
}

/// Talks with a person, until they leave.
fn interactive(runtime: &LocalRuntime, talk: &Rc<RefCell<Talk>>, place: &str, out: Out) -> Ended {
    let mut terminal = Terminal::open(Rc::clone(talk))?;
    let interrupts = runtime.block_on(async { signal(SignalKind::interrupt()) });
    let mut interrupts = interrupts.map_err(|error| {
        Fault::new(Code::Internal, "signals cannot be waited for").detail(error.to_string())
    })?;
    let writes = if talk.borrow().writes() {
        "lines may change things"
    } else {
        "read-only"
    };
    out.talk(&format!(
        "kladka repl · {place} · {writes} · `:help` tells more, Ctrl-D leaves"
    ));
    loop {
        let text = match terminal.read()? {
            Read::Text(text) => text,
            Read::Nothing => continue,
            Read::End => return Ok(DONE),
        };
        let mut talk = talk.borrow_mut();
        match runtime.block_on(take(&mut talk, &text, &mut interrupts)) {
            Some(Said::Quit) => return Ok(DONE),
            Some(said) => drop(show(said, out)),
            None => out.talk("interrupted"),
        }
    }
}

/// Takes a text; nothing when it is interrupted.
async fn take(talk: &mut Talk, text: &str, interrupts: &mut Signal) -> Option<Said> {
    // What came while nothing ran is over.
    while futures_util::FutureExt::now_or_never(interrupts.recv())
        .flatten()
        .is_some()
    {}
    tokio::select! {
        said = talk.take(text) => Some(said),
        _ = interrupts.recv() => None,
    }
}

/// Takes what stands in a pipe or a file. Ends as the first text ended that failed.
fn piped(runtime: &LocalRuntime, talk: &Rc<RefCell<Talk>>, out: Out) -> Ended {
    let mut first = None;
    let mut text = String::new();
    let mut lines = std::io::stdin().lock().lines();
    let mut talk = talk.borrow_mut();
    loop {
        let line = lines.next().transpose().map_err(|error| {
            let message = format!("the input cannot be read: {error}");
            Fault::new(Code::BadArguments, message)
        })?;
        let ended = line.is_none();
        if let Some(line) = line {
            if !text.is_empty() {
                text.push('\n');
            }
            text.push_str(&line);
            if talk.is_incomplete(&text) {
                continue;
            }
        }
        if ended && text.is_empty() {
            break;
        }
        let said = runtime.block_on(talk.take(&std::mem::take(&mut text)));
        if matches!(said, Said::Quit) {
            break;
        }
        first = first.or(show(said, out));
    }
    Ok(first.unwrap_or(DONE))
}

/// Prints what was said; returns the exit code of what failed.
fn show(said: Said, out: Out) -> Option<ExitCode> {
    match said {
        Said::Value(outcome) if out.json => out::one_line(&json!({ "value": outcome.json })),
        Said::Value(outcome) => outcome.text.iter().for_each(|text| out::data(text)),
        Said::Told(_, document) if out.json => out::one_line(&document),
        Said::Told(text, _) => out::data(&text),
        Said::Failed(fault) => return Some(failed(fault, out)),
        Said::Nothing | Said::Quit => {}
    }
    None
}

fn failed(fault: Fault, out: Out) -> ExitCode {
    let failure = Failure::from(fault);
    if out.json {
        out::one_line(&json!({ "error": failure.document }));
        return out::code(failure.exit);
    }
    out.failure(&failure)
}
