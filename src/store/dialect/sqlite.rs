//! SQLite: the schema, in numbered steps.

/// The schema, step by step; `PRAGMA user_version` counts the steps taken.
pub(crate) const MIGRATIONS: &[&str] = &[
    include_str!("../../../migrations/sqlite/0001_objects.sql"),
    include_str!("../../../migrations/sqlite/0002_deploy.sql"),
    include_str!("../../../migrations/sqlite/0003_jobs.sql"),
    include_str!("../../../migrations/sqlite/0004_file_writes.sql"),
];

/// Starts a transaction that writes. It takes the write lock at once, so that what it reads stays true.
pub(crate) const BEGIN: &str = "BEGIN IMMEDIATE";

/// The time of day of the database, in milliseconds.
pub(crate) const NOW: &str = "SELECT CAST(unixepoch('subsec') * 1000 AS INTEGER)";

/// Answers one row `ok`, or the damages found.
pub(crate) const QUICK_CHECK: &str = "PRAGMA quick_check";
