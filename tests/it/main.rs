//! The integration tests: one binary, one file for each feature.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::print_stderr,
    clippy::too_many_lines,
    reason = "tests may stop at the first surprise, show their figures, and walk a long list in one go"
)]

mod attacks;
mod bad_input;
mod budgets;
mod cli;
mod config;
mod deploy;
mod dev;
mod diagnostics;
mod editors;
mod http;
mod jobs;
mod outgoing;
mod process;
mod redis_down;
mod reload;
mod repl;
mod scenario;
mod support;
mod survive;
mod testing;
mod tidy;
