//! Makes the stored objects live.
