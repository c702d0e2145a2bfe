//! The integration tests: one binary, one file for each feature.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "tests may stop at the first surprise"
)]
#![expect(
    clippy::print_stderr,
    reason = "a failed test shows the log of its server"
)]

mod bad_input;
mod budgets;
mod cli;
mod config;
mod jobs;
mod process;
mod deploy;
mod reload;
mod http;
mod outgoing;
mod redis_down;
mod scenario;
mod support;
mod survive;
mod tidy;
