//! `kladka test`: runs the project's tests, with no server.

use std::path::Path;

use futures_util::future::select_all;
use tokio::signal::unix::{SignalKind, signal};

use crate::base::{Code, Exit, Fault, Faults};
use crate::cli::args::{Global, TestArgs};
use crate::cli::out::{Out, code};
use crate::cli::{DONE, Ended, Failure};
use crate::config::Project;
use crate::server::FileWatch;
use crate::testing::{Golden, Selection};

/// What a change of which runs the tests again.
const WATCHED: &[&str] = &["scripts", "stdlib", "config", "tests"];

pub(super) fn run(global: &Global, args: &TestArgs, out: Out) -> Ended {
    let project = Project::open(&global.project)?;
    if args.watch {
        return again(&project, args, out);
    }
    once(&project, args, out)
}

/// Runs the tests whenever something is saved, until Ctrl-C; ends as the last run did.
fn again(project: &Project, args: &TestArgs, out: Out) -> Ended {
    let failed =
        |error: std::io::Error| Fault::new(Code::Internal, format!("cannot watch: {error}"));
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    let runtime = runtime.map_err(failed)?;
    let mut watches = watches(project.root())?;
    let stop = runtime.block_on(async { signal(SignalKind::interrupt()) });
    let mut stop = stop.map_err(failed)?;
    loop {
        let ended = match once(project, args, out) {
            Ok(code) => code,
            Err(failure) => out.failure(&failure),
        };
        out.talk("Waiting for changes; Ctrl-C ends.");
        let saved = select_all(watches.iter_mut().map(|watch| Box::pin(watch.next())));
        let stopped = runtime.block_on(async {
            tokio::select! {
                _ = stop.recv() => true,
                _ = saved => false,
            }
        });
        if stopped {
            return Ok(ended);
        }
    }
}

fn watches(project: &Path) -> Result<Vec<FileWatch>, Fault> {
    let dirs = WATCHED.iter().map(|name| project.join(name));
    let dirs = dirs.filter(|dir| dir.is_dir());
    dirs.map(|dir| FileWatch::new(&dir)).collect()
}

/// Runs the tests once and shows what came of it.
fn once(project: &Project, args: &TestArgs, out: Out) -> Ended {
    let selection = Selection {
        filter: args.filter.clone(),
        golden: if args.update {
            Golden::Update
        } else {
            Golden::Compare
        },
        coverage: args.cov,
    };
    let report = crate::testing::run(project.clone(), &selection).map_err(joined)?;
    out.document(&report.document(), |_| report.text());
    if let Some(file) = &args.junit {
        std::fs::write(file, report.junit()).map_err(|error| {
            let message = format!("cannot write {}: {error}", file.display());
            Fault::new(Code::Storage, message)
        })?;
    }
    Ok(if report.failed() == 0 {
        DONE
    } else {
        code(Exit::Invalid)
    })
}

/// Makes one failure of what keeps all tests from running; the first fault decides how the command ends.
pub(super) fn joined(faults: Faults) -> Failure {
    let mut failures = faults.0.into_iter().map(Failure::from);
    let nothing = || Fault::new(Code::Internal, "the tests did not run");
    let mut first = failures.next().unwrap_or_else(|| nothing().into());
    let mut more = Vec::new();
    for failure in failures {
        first.block.push_str("\n\n");
        first.block.push_str(&failure.block);
        more.push(failure.document);
    }
    if let Some(document) = first.document.as_object_mut() {
        document.insert("more".to_owned(), more.into());
    }
    first
}
