//! The files that a deployment is about to write: recorded with it, forgotten once they stand.
//!
//! The commit is the moment at which a deployment has happened. A process that is killed before all
//! its files stand leaves here what the next start has to finish.

use sqlx::Row as _;
use sqlx::sqlite::{SqliteConnection, SqliteRow};

use crate::base::Fault;
use crate::store::Store;
use crate::store::db::failed;

/// A file to write or remove.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct FileWrite {
    /// Path relative to the project.
    pub(crate) path: String,
    /// The SHA-256 of what stands there before; `None` when nothing does.
    pub(crate) old_sha256: Option<String>,
    /// What shall stand there; `None` removes the file.
    pub(crate) bytes: Option<Vec<u8>>,
}

impl Store {
    /// Returns the files that a killed process may not have written.
    pub(crate) async fn file_writes(&self) -> Result<Vec<FileWrite>, Fault> {
        let rows = sqlx::query("SELECT path, old_sha256, bytes FROM file_write ORDER BY path")
            .fetch_all(&self.reader)
            .await;
        rows.and_then(|rows| rows.iter().map(file_write).collect())
            .map_err(|error| failed("read the files of a deployment", &error))
    }

    /// Forgets the files once they stand, or once they are put back.
    pub(crate) async fn forget_file_writes(&self) -> Result<(), Fault> {
        sqlx::query("DELETE FROM file_write")
            .execute(&self.writer)
            .await
            .map(drop)
            .map_err(|error| failed("forget the files of a deployment", &error))
    }
}

/// Records the files of a change in place of those of an earlier one: that one is done.
pub(in crate::store) async fn replace(
    connection: &mut SqliteConnection,
    writes: &[FileWrite],
) -> Result<(), sqlx::Error> {
    sqlx::query("DELETE FROM file_write")
        .execute(&mut *connection)
        .await?;
    for write in writes {
        sqlx::query("INSERT INTO file_write (path, old_sha256, bytes) VALUES (?, ?, ?)")
            .bind(&write.path)
            .bind(&write.old_sha256)
            .bind(&write.bytes)
            .execute(&mut *connection)
            .await?;
    }
    Ok(())
}

fn file_write(row: &SqliteRow) -> Result<FileWrite, sqlx::Error> {
    Ok(FileWrite {
        path: row.try_get("path")?,
        old_sha256: row.try_get("old_sha256")?,
        bytes: row.try_get("bytes")?,
    })
}
