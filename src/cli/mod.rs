//! The command line: a client of the admin API. Only `dev`, `start`, `init`, `check`, `test`, `repl` and `config validate`
//! work on files.

mod args;
mod check;
mod client;
mod config;
mod dev;
mod doctor;
mod explain;
mod init;
mod job;
mod keyboard;
mod last;
mod objects;
mod out;
mod repl;
mod server;
mod service;
mod stubs;
mod terminal;
mod test;

use std::process::ExitCode;

use clap::Parser as _;

use crate::base::{Code, Exit, Fault};
use args::{Command, Global};
use out::Out;

/// Why a command failed.
struct Failure {
    exit: Exit,
    /// The block for people.
    block: String,
    /// The same for programs.
    document: serde_json::Value,
}

impl From<Fault> for Failure {
    fn from(fault: Fault) -> Self {
        let document = serde_json::to_value(&fault).unwrap_or_default();
        let detail = fault
            .detail_text()
            .map(|detail| format!("\n   = detail: {detail}"))
            .unwrap_or_default();
        Self {
            exit: fault.code().exit(),
            block: fault.block() + detail.as_str(),
            document,
        }
    }
}

/// How a command that did not fail ends.
type Ended = Result<ExitCode, Failure>;

const DONE: ExitCode = ExitCode::SUCCESS;

/// Runs work on a project's files, without a server.
fn offline<T>(work: impl Future<Output = Result<T, Fault>>) -> Result<T, Fault> {
    let runtime = tokio::runtime::Builder::new_current_thread().build();
    let runtime = runtime
        .map_err(|error| Fault::new(Code::Internal, format!("cannot start threads: {error}")))?;
    runtime.block_on(work)
}

/// Runs the command line and returns the exit code.
pub fn main() -> ExitCode {
    let line = args::CommandLine::parse();
    let out = Out {
        json: line.global.json,
    };
    match run(&line.global, line.command, out) {
        Ok(code) => code,
        Err(failure) => out.failure(&failure),
    }
}

fn run(global: &Global, command: Command, out: Out) -> Ended {
    match command {
        Command::Dev => server::dev(global, out),
        Command::Start => server::start(global),
        Command::Stop => server::stop(global, out),
        Command::Status => server::status(global, out),
        Command::Init {
            dir,
            template,
            lang,
        } => init::run(&dir, template, lang, out),
        Command::Doctor => doctor::run(global, out),
        Command::Check {
            paths,
            fix,
            strict,
            format,
        } => {
            let wish = check::Wish {
                fix,
                strict,
                format,
            };
            check::run(global, &paths, wish, out)
        }
        Command::Stubs => stubs::run(global, out),
        Command::Explain { code } => explain::run(&code, out),
        Command::Test(args) => test::run(global, &args, out),
        Command::Repl(args) => repl::run(global, &args, out),
        Command::Version => {
            let version = serde_json::json!({ "version": env!("CARGO_PKG_VERSION") });
            out.document(&version, |_| {
                concat!("kladka ", env!("CARGO_PKG_VERSION")).to_owned()
            });
            Ok(DONE)
        }
        Command::Deploy { files } => service::deploy(global, &files, out),
        Command::Service(command) => service::run(global, command, out),
        Command::Channel(command) => objects::channel(global, command, out),
        Command::Outgoing(command) => objects::outgoing(global, command, out),
        Command::Job(command) => job::run(global, command, out),
        Command::Config(command) => config::run(global, command, out),
        Command::Enmasse { export, import } => config::enmasse(global, export, import, out),
    }
}
