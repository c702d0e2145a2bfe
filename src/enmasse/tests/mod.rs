//! What enmasse promises, over small kinds with the field names of the real ones.

mod errors;
mod kinds;
mod overlays;
mod plans;
mod round_trip;
