//! The pipeline: a message in, an outcome out.
