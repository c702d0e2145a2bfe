//! Revisions: which text each service had, since when, by whom. Written in one transaction per
//! swap.

use serde::Serialize;
use sqlx::sqlite::{SqliteConnection, SqliteRow};
use sqlx::{Connection as _, Row as _};

use crate::base::Fault;
use crate::store::Store;
use crate::store::db::failed;
use crate::store::file_write::{self, FileWrite};
use crate::store::package::{self, NewPackage};

/// When, by whom and by which way a change came.
#[derive(Clone, Debug, Default)]
pub(crate) struct Stamp {
    /// The moment, as RFC 3339.
    pub(crate) at: String,
    /// Who: a user's name, or empty.
    pub(crate) author: String,
    /// By which way: `file`, `pickup`, `api`, `rollback`, …
    pub(crate) origin: String,
}

/// The text of one file, with its path and digest.
#[derive(Clone, Debug)]
pub(crate) struct FileText {
    /// Path relative to the project.
    pub(crate) path: String,
    /// The SHA-256 of the text.
    pub(crate) sha256: String,
    /// The text.
    pub(crate) text: String,
}

/// A revision that is about to be recorded.
#[derive(Clone, Debug)]
pub(crate) struct NewRevision {
    /// The service.
    pub(crate) service: String,
    /// The revision, from 1.
    pub(crate) revision: u32,
    /// The digest over its file and the modules it uses.
    pub(crate) digest: String,
    /// The language it is written in.
    pub(crate) language: &'static str,
    /// The file that defines it.
    pub(crate) file: FileText,
    /// The modules it uses.
    pub(crate) modules: Vec<FileText>,
}

/// All that one swap changes.
#[derive(Clone, Debug, Default)]
pub(crate) struct Recording {
    /// The package it came in; `None` for an edit, a rollback or a deletion.
    pub(crate) package: Option<NewPackage>,
    /// The new revisions.
    pub(crate) revisions: Vec<NewRevision>,
    /// The services that went.
    pub(crate) removed: Vec<String>,
    /// The files it writes.
    pub(crate) writes: Vec<FileWrite>,
    /// When and by whom.
    pub(crate) stamp: Stamp,
}

/// How much history is kept.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Keep {
    /// Revisions of each service.
    pub(crate) revisions: u32,
    /// Packages.
    pub(crate) packages: u32,
}

/// A revision on record, without its text.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct RevisionRow {
    /// The service.
    pub(crate) service: String,
    /// The revision.
    pub(crate) revision: u32,
    /// The file that defined it.
    pub(crate) path: String,
    /// The SHA-256 of the file.
    pub(crate) sha256: String,
    /// The digest over the file and the modules it used.
    #[serde(skip)]
    pub(crate) digest: String,
    /// The language.
    pub(crate) language: String,
    /// The package it came in.
    pub(crate) package: Option<i64>,
    /// Since when.
    pub(crate) at: String,
    /// By whom.
    pub(crate) author: String,
    /// By which way.
    pub(crate) origin: String,
    /// `live`, `old` or `removed`.
    pub(crate) state: String,
}

impl Store {
    /// Records a swap whole or not at all; returns the number of its package.
    pub(crate) async fn record(
        &self,
        recording: &Recording,
        keep: Keep,
    ) -> Result<Option<i64>, Fault> {
        let storing = |error: sqlx::Error| {
            failed("record the deployment", &error)
                .hint("Check the free space of the data directory.")
        };
        let mut connection = self.writer.acquire().await.map_err(storing)?;
        let mut transaction = connection.begin().await.map_err(storing)?;
        let package = write(&mut transaction, recording, keep)
            .await
            .map_err(storing)?;
        transaction.commit().await.map_err(storing)?;
        Ok(package)
    }

    /// Returns the newest revision of every service that ever was.
    pub(crate) async fn newest_revisions(&self) -> Result<Vec<RevisionRow>, Fault> {
        let rows = sqlx::query(
            "SELECT r.* FROM revision r
             JOIN (SELECT service, max(revision) AS newest FROM revision GROUP BY service) n
               ON n.service = r.service AND n.newest = r.revision",
        )
        .fetch_all(&self.reader)
        .await;
        collect(rows)
    }

    /// Returns the revisions of a service, newest first.
    pub(crate) async fn revisions(&self, service: &str) -> Result<Vec<RevisionRow>, Fault> {
        let rows = sqlx::query("SELECT * FROM revision WHERE service = ? ORDER BY revision DESC")
            .bind(service)
            .fetch_all(&self.reader)
            .await;
        collect(rows)
    }

    /// Returns a text by its SHA-256.
    pub(crate) async fn source_text(&self, sha256: &str) -> Result<Option<String>, Fault> {
        sqlx::query_scalar("SELECT text FROM source_text WHERE sha256 = ?")
            .bind(sha256)
            .fetch_optional(&self.reader)
            .await
            .map_err(|error| failed("read a source", &error))
    }

    /// Returns the last text that served under a path, as a service's file or as a module.
    pub(crate) async fn last_good_text(&self, path: &str) -> Result<Option<String>, Fault> {
        sqlx::query_scalar(
            "SELECT t.text FROM source_text t JOIN (
                 SELECT sha256, at FROM revision WHERE path = ?1
                 UNION ALL
                 SELECT m.sha256, r.at FROM revision_module m
                     JOIN revision r ON r.service = m.service AND r.revision = m.revision
                     WHERE m.path = ?1
             ) f ON f.sha256 = t.sha256 ORDER BY f.at DESC LIMIT 1",
        )
        .bind(path)
        .fetch_optional(&self.reader)
        .await
        .map_err(|error| failed("read the last good source", &error))
    }
}

async fn write(
    connection: &mut SqliteConnection,
    recording: &Recording,
    keep: Keep,
) -> Result<Option<i64>, sqlx::Error> {
    file_write::replace(connection, &recording.writes).await?;
    let package = match &recording.package {
        Some(package) => Some(package::insert(connection, package, &recording.stamp).await?),
        None => None,
    };
    for service in &recording.removed {
        retire(connection, service, "removed").await?;
    }
    for revision in &recording.revisions {
        retire(connection, &revision.service, "old").await?;
        insert(connection, revision, package, &recording.stamp).await?;
        forget_oldest(connection, &revision.service, keep.revisions).await?;
    }
    if package.is_some() {
        package::retain(&mut *connection, keep.packages).await?;
    }
    if !recording.revisions.is_empty() {
        forget_texts(connection).await?;
    }
    Ok(package)
}

/// Marks the live revision of a service as `old` or `removed`.
async fn retire(
    connection: &mut SqliteConnection,
    service: &str,
    state: &str,
) -> Result<(), sqlx::Error> {
    sqlx::query("UPDATE revision SET state = ? WHERE service = ? AND state <> 'old'")
        .bind(state)
        .bind(service)
        .execute(connection)
        .await
        .map(drop)
}

async fn insert(
    connection: &mut SqliteConnection,
    new: &NewRevision,
    package: Option<i64>,
    stamp: &Stamp,
) -> Result<(), sqlx::Error> {
    insert_text(connection, &new.file).await?;
    sqlx::query(
        "INSERT INTO revision
           (service, revision, path, sha256, digest, language, package, at, author, origin, state)
         VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 'live')",
    )
    .bind(&new.service)
    .bind(new.revision)
    .bind(&new.file.path)
    .bind(&new.file.sha256)
    .bind(&new.digest)
    .bind(new.language)
    .bind(package)
    .bind(&stamp.at)
    .bind(&stamp.author)
    .bind(&stamp.origin)
    .execute(&mut *connection)
    .await?;
    for module in &new.modules {
        insert_text(connection, module).await?;
        sqlx::query(
            "INSERT INTO revision_module (service, revision, path, sha256) VALUES (?, ?, ?, ?)",
        )
        .bind(&new.service)
        .bind(new.revision)
        .bind(&module.path)
        .bind(&module.sha256)
        .execute(&mut *connection)
        .await?;
    }
    Ok(())
}

async fn insert_text(
    connection: &mut SqliteConnection,
    file: &FileText,
) -> Result<(), sqlx::Error> {
    sqlx::query("INSERT INTO source_text (sha256, text) VALUES (?, ?) ON CONFLICT DO NOTHING")
        .bind(&file.sha256)
        .bind(&file.text)
        .execute(connection)
        .await
        .map(drop)
}

async fn forget_oldest(
    connection: &mut SqliteConnection,
    service: &str,
    keep: u32,
) -> Result<(), sqlx::Error> {
    sqlx::query(
        "DELETE FROM revision WHERE service = ?1 AND revision <=
             (SELECT max(revision) FROM revision WHERE service = ?1) - ?2",
    )
    .bind(service)
    .bind(keep)
    .execute(connection)
    .await
    .map(drop)
}

/// Lets go of texts that no revision on record uses.
async fn forget_texts(connection: &mut SqliteConnection) -> Result<(), sqlx::Error> {
    sqlx::query(
        "DELETE FROM source_text WHERE
             NOT EXISTS (SELECT 1 FROM revision r WHERE r.sha256 = source_text.sha256)
             AND NOT EXISTS (SELECT 1 FROM revision_module m WHERE m.sha256 = source_text.sha256)",
    )
    .execute(connection)
    .await
    .map(drop)
}

fn collect(rows: Result<Vec<SqliteRow>, sqlx::Error>) -> Result<Vec<RevisionRow>, Fault> {
    rows.and_then(|rows| rows.iter().map(revision_row).collect())
        .map_err(|error| failed("read the revisions", &error))
}

fn revision_row(row: &SqliteRow) -> Result<RevisionRow, sqlx::Error> {
    Ok(RevisionRow {
        service: row.try_get("service")?,
        revision: row.try_get("revision")?,
        path: row.try_get("path")?,
        sha256: row.try_get("sha256")?,
        digest: row.try_get("digest")?,
        language: row.try_get("language")?,
        package: row.try_get("package")?,
        at: row.try_get("at")?,
        author: row.try_get("author")?,
        origin: row.try_get("origin")?,
        state: row.try_get("state")?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEEP: Keep = Keep {
        revisions: 3,
        packages: 2,
    };

    fn file(path: &str, text: &str) -> FileText {
        FileText {
            path: path.into(),
            sha256: format!("sha-of-{text}"),
            text: text.into(),
        }
    }

    fn swap(revision: u32, text: &str, module: &str) -> Recording {
        Recording {
            package: Some(NewPackage {
                name: "a.mini".into(),
                sha256: "x".into(),
                bytes: text.as_bytes().to_vec(),
            }),
            revisions: vec![NewRevision {
                service: "a".into(),
                revision,
                digest: format!("{text}+{module}"),
                language: "mini",
                file: file("scripts/a.mini", text),
                modules: vec![file("scripts/m.mini", module)],
            }],
            removed: vec![],
            writes: vec![],
            stamp: Stamp {
                at: format!("2026-01-01T00:00:{revision:02}Z"),
                ..Stamp::default()
            },
        }
    }

    async fn open() -> (Store, std::path::PathBuf) {
        let dir = std::env::temp_dir().join(format!("kladka-revision-{}", uuid::Uuid::now_v7()));
        std::fs::create_dir_all(&dir).unwrap();
        (Store::open(&dir.join("kladka.db")).await.unwrap(), dir)
    }

    #[tokio::test]
    async fn history_is_bounded_and_unused_texts_go() {
        let (store, dir) = open().await;
        for revision in 1..=5 {
            let recording = swap(revision, &format!("t{revision}"), "m");
            let package = store.record(&recording, KEEP).await.unwrap();
            assert_eq!(package, Some(i64::from(revision)));
        }
        let rows = store.revisions("a").await.unwrap();
        let seen: Vec<_> = rows
            .iter()
            .map(|r| (r.revision, r.state.as_str()))
            .collect();
        assert_eq!(seen, [(5, "live"), (4, "old"), (3, "old")]);
        let packages = store.packages().await;
        let ids: Vec<i64> = packages.iter().map(|row| row.id).collect();
        assert_eq!(ids, [5, 4]);
        assert_eq!(
            rows.last().unwrap().package,
            None,
            "its package is forgotten"
        );
        assert_eq!(store.package_bytes(5).await.unwrap(), b"t5");
        assert_eq!(store.source_text("sha-of-t2").await.unwrap(), None);
        assert!(store.source_text("sha-of-t3").await.unwrap().is_some());
        std::fs::remove_dir_all(dir).unwrap();
    }

    #[tokio::test]
    async fn a_failed_recording_leaves_nothing() {
        let (store, dir) = open().await;
        store.record(&swap(1, "one", "m"), KEEP).await.unwrap();
        let mut twice = swap(2, "two", "m");
        twice.revisions.push(twice.revisions[0].clone());
        assert!(store.record(&twice, KEEP).await.is_err());
        let newest = store.newest_revisions().await.unwrap();
        assert_eq!((newest[0].revision, newest[0].state.as_str()), (1, "live"));
        assert_eq!(store.packages().await.len(), 1);
        std::fs::remove_dir_all(dir).unwrap();
    }

    #[tokio::test]
    async fn the_last_good_text_of_a_file_and_of_a_module_is_found() {
        let (store, dir) = open().await;
        store.record(&swap(1, "one", "m1"), KEEP).await.unwrap();
        store.record(&swap(2, "two", "m2"), KEEP).await.unwrap();
        let text = |path| store.last_good_text(path);
        assert_eq!(text("scripts/a.mini").await.unwrap().unwrap(), "two");
        assert_eq!(text("scripts/m.mini").await.unwrap().unwrap(), "m2");
        assert_eq!(text("scripts/x.mini").await.unwrap(), None);
        std::fs::remove_dir_all(dir).unwrap();
    }
}
