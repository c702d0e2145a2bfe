//! Loads, checks, swaps and records the scripts.
