//! The two key/value stores behind one trait: embedded and Redis.
