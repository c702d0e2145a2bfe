//! What tests look at that the program only writes so far: past versions of objects, and packages.

use chrono::{DateTime, Utc};
use sqlx::sqlite::SqliteRow;
use sqlx::{Row as _, SqlitePool};

use crate::base::Fault;
use crate::contract::{ObjectId, StoredObject};
use crate::store::Store;
use crate::store::row::{moment, object_id};

/// One version of an object's past.
#[derive(Debug)]
pub(crate) struct ObjectVersion {
    pub(crate) id: ObjectId,
    pub(crate) version: i64,
    pub(crate) rev: i64,
    pub(crate) at: DateTime<Utc>,
    pub(crate) author: String,
    pub(crate) cid: String,
    /// `None` when this version deleted the object.
    pub(crate) body: Option<serde_json::Value>,
}

/// A package on record, without its bytes.
#[derive(Debug)]
pub(crate) struct PackageRow {
    pub(crate) id: i64,
    pub(crate) name: String,
    pub(crate) sha256: String,
    pub(crate) origin: String,
}

impl Store {
    /// Returns one object.
    pub(crate) async fn object(&self, id: &ObjectId) -> Result<Option<StoredObject>, Fault> {
        let objects = self.objects().await?;
        Ok(objects.into_iter().find(|object| object.id == *id))
    }

    /// Returns every version of an object, newest first.
    pub(crate) async fn object_history(&self, id: &ObjectId) -> Vec<ObjectVersion> {
        let mut all = versions(&self.reader).await;
        all.retain(|version| version.id == *id);
        all.sort_by_key(|version| -version.version);
        all
    }

    /// Returns all changes after a revision, oldest first.
    pub(crate) async fn changes_since(&self, rev: i64) -> Vec<ObjectVersion> {
        let mut all = versions(&self.reader).await;
        all.retain(|version| version.rev > rev);
        all
    }

    /// Returns all packages on record, newest first.
    pub(crate) async fn packages(&self) -> Vec<PackageRow> {
        let query = sqlx::query("SELECT * FROM package ORDER BY id DESC");
        let rows = query.fetch_all(&self.reader).await.unwrap();
        rows.iter().map(package).collect()
    }

    /// Returns the bytes of a package.
    pub(crate) async fn package_bytes(&self, id: i64) -> Option<Vec<u8>> {
        let query = sqlx::query_scalar("SELECT bytes FROM package WHERE id = ?");
        query.bind(id).fetch_optional(&self.reader).await.unwrap()
    }

    /// Lets the database grow no more until it is opened again.
    pub(crate) async fn fill(&self) {
        let pages: i64 = sqlx::query_scalar("PRAGMA page_count")
            .fetch_one(&self.writer)
            .await
            .unwrap();
        let limit = sqlx::AssertSqlSafe(format!("PRAGMA max_page_count = {pages}"));
        sqlx::query(limit).execute(&self.writer).await.unwrap();
    }
}

async fn versions(pool: &SqlitePool) -> Vec<ObjectVersion> {
    let query = sqlx::query("SELECT * FROM object_version ORDER BY rev, kind, name, version");
    let rows = query.fetch_all(pool).await.unwrap();
    rows.iter().map(version).collect()
}

fn version(row: &SqliteRow) -> ObjectVersion {
    let body: Option<String> = row.get("body");
    ObjectVersion {
        id: object_id(row.get("kind"), row.get("name")).unwrap(),
        version: row.get("version"),
        rev: row.get("rev"),
        at: moment(row.get("at")).unwrap(),
        author: row.get("author"),
        cid: row.get("cid"),
        body: body.map(|text| serde_json::from_str(&text).unwrap()),
    }
}

fn package(row: &SqliteRow) -> PackageRow {
    PackageRow {
        id: row.get("id"),
        name: row.get("name"),
        sha256: row.get("sha256"),
        origin: row.get("origin"),
    }
}
