//! The integration tests: one binary, one file for each feature.
#![expect(clippy::tests_outside_test_module, reason = "integration tests")]

mod scenario;
mod support;
mod tidy;
