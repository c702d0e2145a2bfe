//! Bytes to values and back, one file for each format.
