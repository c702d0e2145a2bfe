//! The integration tests: one binary, one file for each feature.
#![expect(clippy::unwrap_used, reason = "tests may stop at the first surprise")]

mod bad_input;
mod budgets;
mod cli;
mod config;
mod jobs;
mod process;
mod deploy;
mod reload;
mod scenario;
mod support;
mod survive;
mod tidy;
