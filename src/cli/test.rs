//! `kladka test`: runs the project's tests, with no server.

use crate::base::{Exit, Faults};
use crate::cli::args::{Global, TestArgs};
use crate::cli::out::{Out, code};
use crate::cli::{DONE, Ended, Failure};
use crate::config::Project;
use crate::testing::{Golden, Selection};

pub(super) fn run(global: &Global, args: &TestArgs, out: Out) -> Ended {
    let project = Project::open(&global.project)?;
    once(&project, args, out)
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
    };
    let report = crate::testing::run(project.clone(), &selection).map_err(joined)?;
    out.document(&report.document(), |_| report.text());
    Ok(if report.failed() == 0 {
        DONE
    } else {
        code(Exit::Invalid)
    })
}

/// Makes one failure of what keeps all tests from running; the first fault decides how the command ends.
fn joined(faults: Faults) -> Failure {
    let mut failures = faults.0.into_iter().map(Failure::from);
    let Some(mut first) = failures.next() else {
        return Failure {
            exit: Exit::Unexpected,
            block: String::new(),
            document: serde_json::Value::Null,
        };
    };
    for failure in failures {
        first.block.push_str("\n\n");
        first.block.push_str(&failure.block);
    }
    first
}
