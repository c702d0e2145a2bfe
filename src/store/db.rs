//! Opens the database, brings its schema up to date, and hands out connections.

use std::path::Path;
use std::time::Duration;

use sqlx::sqlite::{
    SqliteConnectOptions, SqliteJournalMode, SqlitePool, SqlitePoolOptions, SqliteSynchronous,
};
use sqlx::{Connection as _, Executor as _, Sqlite, Transaction};

use crate::base::{Code, Fault};
use crate::store::dialect::sqlite::{BEGIN, MIGRATIONS, QUICK_CHECK};

/// The database. Cheap to clone; one writer at a time, readers beside it.
#[derive(Clone)]
pub(crate) struct Store {
    /// One connection, so that writers queue here and never meet `SQLITE_BUSY`.
    pub(in crate::store) writer: SqlitePool,
    /// Connections that only read.
    pub(in crate::store) reader: SqlitePool,
}

impl Store {
    /// Opens or creates the database file and brings its schema up to date.
    pub(crate) async fn open(path: &Path) -> Result<Self, Fault> {
        let options = SqliteConnectOptions::new()
            .filename(path)
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            // An acknowledged write survives a power cut.
            .synchronous(SqliteSynchronous::Full)
            .foreign_keys(true)
            .busy_timeout(Duration::from_secs(5));
        let writer = SqlitePoolOptions::new()
            .max_connections(1)
            .connect_with(options.clone())
            .await;
        let writer = writer.map_err(|error| unusable(path, &error.to_string()))?;
        check(path, &writer).await?;
        migrate(&writer).await?;
        let reader = SqlitePoolOptions::new()
            .max_connections(4)
            .connect_lazy_with(options.read_only(true));
        Ok(Self { writer, reader })
    }

    /// Starts a transaction that writes; dropping it rolls it back.
    pub(in crate::store) async fn begin(&self) -> Result<Transaction<'static, Sqlite>, Fault> {
        self.writer
            .begin_with(BEGIN)
            .await
            .map_err(|error| failed("start a transaction", &error))
    }

    /// Closes all connections; the write-ahead log is folded into the file.
    pub(crate) async fn close(&self) {
        self.reader.close().await;
        self.writer.close().await;
    }
}

/// Looks for damage before anything is built on it.
async fn check(path: &Path, pool: &SqlitePool) -> Result<(), Fault> {
    let report: Vec<String> = sqlx::query_scalar(QUICK_CHECK)
        .fetch_all(pool)
        .await
        .map_err(|error| unusable(path, &error.to_string()))?;
    if report == ["ok"] {
        return Ok(());
    }
    Err(unusable(path, &report.join("; ")))
}

fn unusable(path: &Path, detail: &str) -> Fault {
    let message = format!("the database {} cannot be used", path.display());
    Fault::new(Code::Storage, message)
        .hint("Look at the detail in the log; if the file is damaged, restore a backup.")
        .detail(detail)
}

async fn migrate(pool: &SqlitePool) -> Result<(), Fault> {
    let steps = |error| failed("update the schema", &error);
    let mut connection = pool.acquire().await.map_err(steps)?;
    let taken: i64 = sqlx::query_scalar("PRAGMA user_version")
        .fetch_one(&mut *connection)
        .await
        .map_err(steps)?;
    let taken = usize::try_from(taken).unwrap_or(usize::MAX);
    if taken > MIGRATIONS.len() {
        return Err(
            Fault::new(Code::Storage, "the database was written by a newer version")
                .hint("Start the version that wrote it, or restore a backup."),
        );
    }
    for (index, step) in MIGRATIONS.iter().enumerate().skip(taken) {
        let mut transaction = connection.begin().await.map_err(steps)?;
        transaction.execute(*step).await.map_err(steps)?;
        // A pragma takes no bind parameter; the number is our own.
        let mark = sqlx::AssertSqlSafe(format!("PRAGMA user_version = {}", index + 1));
        transaction.execute(mark).await.map_err(steps)?;
        transaction.commit().await.map_err(steps)?;
    }
    Ok(())
}

/// Makes the fault of a failed statement; the database's own words go to the log only.
pub(in crate::store) fn failed(doing: &str, error: &sqlx::Error) -> Fault {
    Fault::new(Code::Storage, format!("cannot {doing}")).detail(error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_database_opens_twice_and_refuses_a_newer_schema() {
        let dir = std::env::temp_dir().join(format!("kladka-store-{}", uuid::Uuid::now_v7()));
        std::fs::create_dir_all(&dir).unwrap();
        let path = dir.join("kladka.db");
        Store::open(&path).await.unwrap().close().await;
        let store = Store::open(&path).await.unwrap();
        store
            .writer
            .execute("PRAGMA user_version = 999")
            .await
            .unwrap();
        store.close().await;
        assert_eq!(
            Store::open(&path).await.err().unwrap().code(),
            Code::Storage
        );
        std::fs::remove_dir_all(&dir).unwrap();
    }
}
