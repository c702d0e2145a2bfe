//! SQLite: the schema, in numbered steps.

/// The schema, step by step; `PRAGMA user_version` counts the steps taken.
pub(crate) const MIGRATIONS: &[&str] = &[
    include_str!("../../../migrations/sqlite/0001_objects.sql"),
    include_str!("../../../migrations/sqlite/0002_deploy.sql"),
    include_str!("../../../migrations/sqlite/0003_jobs.sql"),
];
