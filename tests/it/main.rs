//! The integration tests: one binary, one file for each feature.
#![expect(clippy::unwrap_used, reason = "tests may stop at the first surprise")]

mod bad_input;
mod budgets;
mod http;
mod outgoing;
mod redis_down;
mod scenario;
mod support;
mod tidy;
