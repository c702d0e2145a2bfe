//! What enmasse promises, over small kinds with the field names of the real ones.
#![expect(clippy::needless_raw_string_hashes, reason = "expect-test writes them")]

mod errors;
mod kinds;
mod overlays;
mod plans;
mod round_trip;

use crate::enmasse::{Counts, Files, Plan, Prune, SourceText};

/// Makes the texts of one file that stands alone.
fn one(path: &str, text: impl Into<String>) -> Files {
    Files {
        base: vec![SourceText {
            path: path.into(),
            text: text.into(),
        }],
        overlays: Vec::new(),
    }
}

/// Tells whether applying a plan would change nothing.
fn changes_nothing(plan: &Plan, prune: Prune) -> bool {
    let Counts {
        add,
        change,
        remove,
        ..
    } = plan.counts(prune);
    (add, change, remove) == (0, 0, 0)
}
