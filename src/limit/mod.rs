//! Token buckets, per channel and caller.
