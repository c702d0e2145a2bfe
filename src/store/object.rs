//! Objects: read, written in one ordered line of revisions, and their past.
//!
//! Every write first advances the one row of `config_head`, so the order of revisions is the order
//! of commits and whoever reads "all changes after N" can never miss one that commits late.

use aws_lc_rs::digest;
use sqlx::{Sqlite, Transaction};

use crate::base::{Cid, Code, Fault};
use crate::contract::{ObjectId, StoredObject};
use crate::store::Store;
use crate::store::db::failed;
use crate::store::dialect::sqlite::NOW;
use crate::store::row::object_id;

/// One write: all of its changes become visible together, or none.
#[derive(Debug)]
pub(crate) struct WriteRequest {
    /// The revision the writer looked at; `None` to write whatever the present one is.
    pub(crate) expect_rev: Option<i64>,
    /// Who writes.
    pub(crate) author: String,
    /// How it came in, such as `config apply`.
    pub(crate) source_note: String,
    /// The correlation id of the request that writes.
    pub(crate) cid: Cid,
    /// The changes, in order.
    pub(crate) changes: Vec<Change>,
}

/// One change of one object.
#[derive(Clone, Debug)]
pub(crate) enum Change {
    /// Creates or replaces it.
    Put {
        /// Which object.
        id: ObjectId,
        /// Whether it is switched on.
        enabled: bool,
        /// The spec as written.
        body: serde_json::Value,
        /// Where it was written: `config/objects.yaml:23`.
        source: String,
    },
    /// Removes it; one that does not exist stays so.
    Delete {
        /// Which object.
        id: ObjectId,
    },
}

type ObjectRow = (String, String, i64, i64, bool, String, String);

impl Store {
    /// Returns all objects, by kind and name.
    pub(crate) async fn objects(&self) -> Result<Vec<StoredObject>, Fault> {
        let rows: Vec<ObjectRow> = sqlx::query_as(
            "SELECT kind, name, version, rev, enabled, body, source FROM object ORDER BY kind, name",
        )
        .fetch_all(&self.reader)
        .await
        .map_err(|error| failed("read the objects", &error))?;
        rows.into_iter().map(stored).collect()
    }

    /// Returns the present configuration revision.
    pub(crate) async fn head(&self) -> Result<i64, Fault> {
        sqlx::query_scalar("SELECT rev FROM config_head WHERE id = 1")
            .fetch_one(&self.reader)
            .await
            .map_err(|error| failed("read the configuration revision", &error))
    }

    /// Writes all changes in one transaction and returns the new revision once it is on disk.
    ///
    /// Puts that change nothing make no version; when nothing at all changes, the revision stays.
    pub(crate) async fn write(&self, request: WriteRequest) -> Result<i64, Fault> {
        let write = |error| failed("write the objects", &error);
        let mut transaction = self.begin().await?;
        let rev: i64 =
            sqlx::query_scalar("UPDATE config_head SET rev = rev + 1 WHERE id = 1 RETURNING rev")
                .fetch_one(&mut *transaction)
                .await
                .map_err(write)?;
        if let Some(expected) = request.expect_rev.filter(|expected| *expected != rev - 1) {
            return Err(stale(rev - 1, expected));
        }
        let at: i64 = sqlx::query_scalar(NOW)
            .fetch_one(&mut *transaction)
            .await
            .map_err(write)?;
        let mut changed = false;
        for change in &request.changes {
            changed |= apply(&mut transaction, &request, change, rev, at)
                .await
                .map_err(write)?;
        }
        if !changed {
            return Ok(rev - 1);
        }
        transaction.commit().await.map_err(write)?;
        Ok(rev)
    }
}

/// Applies one change and tells whether it changed anything.
async fn apply(
    transaction: &mut Transaction<'static, Sqlite>,
    request: &WriteRequest,
    change: &Change,
    rev: i64,
    at: i64,
) -> Result<bool, sqlx::Error> {
    let (id, enabled, body, source) = match change {
        Change::Put {
            id,
            enabled,
            body,
            source,
        } => (id, *enabled, Some(body.to_string()), source.as_str()),
        Change::Delete { id } => (id, false, None, ""),
    };
    let version = match &body {
        Some(body) => put(transaction, id, enabled, body, source, rev).await?,
        None => delete(transaction, id).await?,
    };
    let Some(version) = version else {
        return Ok(false);
    };
    sqlx::query(
        "INSERT INTO object_version \
         (kind, name, version, rev, at, author, note, cid, enabled, body, source) \
         VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
    )
    .bind(&id.kind)
    .bind(id.name.as_str())
    .bind(version)
    .bind(rev)
    .bind(at)
    .bind(&request.author)
    .bind(&request.source_note)
    .bind(request.cid.as_str())
    .bind(enabled)
    .bind(body)
    .bind(source)
    .execute(&mut **transaction)
    .await?;
    Ok(true)
}

/// Creates or replaces an object and returns its new version; `None` when it is as it was.
async fn put(
    transaction: &mut Transaction<'static, Sqlite>,
    id: &ObjectId,
    enabled: bool,
    body: &str,
    source: &str,
    rev: i64,
) -> Result<Option<i64>, sqlx::Error> {
    let sha256 = sha256(body);
    let unchanged: Option<i64> = sqlx::query_scalar(
        "SELECT version FROM object WHERE kind = ? AND name = ? AND sha256 = ? AND enabled = ?",
    )
    .bind(&id.kind)
    .bind(id.name.as_str())
    .bind(&sha256)
    .bind(enabled)
    .fetch_optional(&mut **transaction)
    .await?;
    if unchanged.is_some() {
        return Ok(None);
    }
    let version = next_version(transaction, id).await?;
    sqlx::query(
        "INSERT INTO object (kind, name, version, rev, enabled, body, source, sha256) \
         VALUES (?, ?, ?, ?, ?, ?, ?, ?) \
         ON CONFLICT (kind, name) DO UPDATE SET version = excluded.version, rev = excluded.rev, \
         enabled = excluded.enabled, body = excluded.body, source = excluded.source, \
         sha256 = excluded.sha256",
    )
    .bind(&id.kind)
    .bind(id.name.as_str())
    .bind(version)
    .bind(rev)
    .bind(enabled)
    .bind(body)
    .bind(source)
    .bind(sha256)
    .execute(&mut **transaction)
    .await?;
    Ok(Some(version))
}

/// Removes an object and returns the version that says so; `None` when there was none.
async fn delete(
    transaction: &mut Transaction<'static, Sqlite>,
    id: &ObjectId,
) -> Result<Option<i64>, sqlx::Error> {
    let gone = sqlx::query("DELETE FROM object WHERE kind = ? AND name = ?")
        .bind(&id.kind)
        .bind(id.name.as_str())
        .execute(&mut **transaction)
        .await?;
    if gone.rows_affected() == 0 {
        return Ok(None);
    }
    next_version(transaction, id).await.map(Some)
}

async fn next_version(
    transaction: &mut Transaction<'static, Sqlite>,
    id: &ObjectId,
) -> Result<i64, sqlx::Error> {
    sqlx::query_scalar(
        "SELECT COALESCE(MAX(version), 0) + 1 FROM object_version WHERE kind = ? AND name = ?",
    )
    .bind(&id.kind)
    .bind(id.name.as_str())
    .fetch_one(&mut **transaction)
    .await
}

fn sha256(text: &str) -> String {
    let digest = digest::digest(&digest::SHA256, text.as_bytes());
    let halves = digest
        .as_ref()
        .iter()
        .flat_map(|byte| [byte >> 4, byte & 15]);
    halves
        .filter_map(|half| char::from_digit(half.into(), 16))
        .collect()
}

fn stale(present: i64, expected: i64) -> Fault {
    Fault::new(
        Code::ConfigStale,
        format!("the configuration is at revision {present}, not {expected}"),
    )
    .hint("Read it again, look at what changed, and repeat the change.")
}

fn stored(row: ObjectRow) -> Result<StoredObject, Fault> {
    let (kind, name, version, rev, enabled, body, source) = row;
    let id = object_id(kind, &name)?;
    let body = json(&id, &body)?;
    Ok(StoredObject {
        id,
        version,
        rev,
        enabled,
        body,
        source,
    })
}

fn json(id: &ObjectId, text: &str) -> Result<serde_json::Value, Fault> {
    serde_json::from_str(text).map_err(|error| {
        Fault::new(Code::Storage, format!("the stored {id} cannot be read"))
            .detail(error.to_string())
    })
}
