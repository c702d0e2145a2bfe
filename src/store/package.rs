//! Packages: what was deployed, byte for byte, one row for each deployment.

use serde::Serialize;
use sqlx::sqlite::{SqliteConnection, SqliteRow};
use sqlx::{Row as _, SqliteExecutor};

use crate::base::Fault;
use crate::store::Store;
use crate::store::db::failed;
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

/// A package on record, without its bytes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct PackageRow {
    /// Its number; grows with every deployment.
    pub(crate) id: i64,
    /// The name it came by.
    pub(crate) name: String,
    /// The SHA-256 of its bytes.
    pub(crate) sha256: String,
    /// How many bytes it has.
    pub(crate) size: i64,
    /// When it was deployed.
    pub(crate) at: String,
    /// Who deployed it.
    pub(crate) author: String,
    /// By which way it came.
    pub(crate) origin: String,
}

impl Store {
    /// Returns the packages on record, newest first.
    pub(crate) async fn packages(&self, limit: u32) -> Result<Vec<PackageRow>, Fault> {
        let rows = sqlx::query(
            "SELECT id, name, sha256, length(bytes) AS size, at, author, origin
             FROM package ORDER BY id DESC LIMIT ?",
        )
        .bind(limit)
        .fetch_all(&self.reader)
        .await;
        let rows = rows.map_err(|error| failed("read the packages", &error))?;
        let read: Result<_, sqlx::Error> = rows.iter().map(package_row).collect();
        read.map_err(|error| failed("read the packages", &error))
    }

    /// Returns the bytes of a package.
    pub(crate) async fn package_bytes(&self, id: i64) -> Result<Option<Vec<u8>>, Fault> {
        sqlx::query_scalar("SELECT bytes FROM package WHERE id = ?")
            .bind(id)
            .fetch_optional(&self.reader)
            .await
            .map_err(|error| failed("read the package", &error))
    }
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

fn package_row(row: &SqliteRow) -> Result<PackageRow, sqlx::Error> {
    Ok(PackageRow {
        id: row.try_get("id")?,
        name: row.try_get("name")?,
        sha256: row.try_get("sha256")?,
        size: row.try_get("size")?,
        at: row.try_get("at")?,
        author: row.try_get("author")?,
        origin: row.try_get("origin")?,
    })
}
