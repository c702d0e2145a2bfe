//! What differs between databases: schema and the statements that are not common SQL.

pub(crate) mod sqlite;
