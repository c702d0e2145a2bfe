//! Tests of the script API that need no script.

mod libraries;
