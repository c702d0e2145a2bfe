//! Packages: what was deployed, byte for byte, one row for each deployment.

use sqlx::sqlite::SqliteConnection;
use sqlx::{Row as _, SqliteExecutor};

use crate::store::revision::Stamp;

/// A package that is about to be recorded.
#[derive(Clone, Debug)]
pub(crate) struct NewPackage {
    /// The name it came by, such as `linuxjournal.zip`.
    pub(crate) name: String,
    /// The SHA-256 of the bytes, as lower-case hex.
    pub(crate) sha256: String,
    /// The bytes as they came.
    pub(crate) bytes: Vec<u8>,
}

/// Adds a package and returns its number.
pub(in crate::store) async fn insert(
    connection: &mut SqliteConnection,
    package: &NewPackage,
    stamp: &Stamp,
) -> Result<i64, sqlx::Error> {
    let row = sqlx::query(
        "INSERT INTO package (name, sha256, bytes, at, author, origin)
         VALUES (?, ?, ?, ?, ?, ?) RETURNING id",
    )
    .bind(&package.name)
    .bind(&package.sha256)
    .bind(&package.bytes)
    .bind(&stamp.at)
    .bind(&stamp.author)
    .bind(&stamp.origin)
    .fetch_one(connection)
    .await?;
    row.try_get("id")
}

/// Lets go of all packages but the newest `keep`.
pub(in crate::store) async fn retain(
    executor: impl SqliteExecutor<'_>,
    keep: u32,
) -> Result<(), sqlx::Error> {
    sqlx::query("DELETE FROM package WHERE id <= (SELECT max(id) FROM package) - ?")
        .bind(keep)
        .execute(executor)
        .await
        .map(drop)
}
