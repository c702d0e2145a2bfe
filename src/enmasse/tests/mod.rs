//! What enmasse promises, over small kinds with the field names of the real ones.
#![expect(clippy::needless_raw_string_hashes, reason = "expect-test writes them")]

mod errors;
mod kinds;
mod overlays;
mod plans;
mod round_trip;
