//! The file behind the embedded store: one table, key → what it holds.

use std::fs::{self, OpenOptions};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::time::Instant;

use bytes::Bytes;
use redb::backends::FileBackend;
use redb::{Builder, Database, DatabaseError, ReadableDatabase as _, ReadableTable as _};
use redb::{TableDefinition, TableError};

use crate::base::{Code, Fault};
use crate::kvdb::embedded::data::Data;
use crate::kvdb::fault;

const KEYS: TableDefinition<'_, &[u8], &[u8]> = TableDefinition::new("keys");
/// All data is in memory anyway; the file needs no large cache.
const CACHE: usize = 4 << 20;
/// A smaller file is not worth compacting.
const SMALL: u64 = 16 << 20;
/// With more data than this, compacting would keep the start waiting for more than some seconds.
const LARGE: u64 = 128 << 20;

/// Opens the database, at start and again after a failure.
pub(in crate::kvdb) type Opener = Box<dyn Fn() -> Result<Database, Fault> + Send>;

/// The file behind the embedded store.
pub(in crate::kvdb) struct File {
    opener: Opener,
    /// `None` after a failure: a database that failed once refuses everything until it is opened
    /// again, so a disk that was full for a while would never be written to again.
    database: Option<Database>,
    /// Bytes of the file as it was found at start.
    size: u64,
}

impl File {
    /// Opens the file, or makes it, readable by its owner only.
    pub(super) fn open(path: &Path) -> Result<Self, Fault> {
        let own = path.to_owned();
        let mut file = Self::by(Box::new(move || open(&own)))?;
        file.size = fs::metadata(path).map_or(0, |metadata| metadata.len());
        Ok(file)
    }

    /// Opens the database.
    pub(in crate::kvdb) fn by(opener: Opener) -> Result<Self, Fault> {
        let database = Some(opener()?);
        Ok(Self {
            opener,
            database,
            size: 0,
        })
    }

    /// Hands out everything it holds, and returns how many bytes that is.
    pub(super) fn load(&self, each: impl FnMut(Bytes, Data, u64)) -> Result<u64, Fault> {
        self.database
            .as_ref()
            .map_or(Ok(0), |database| load(database, each))
    }

    /// Gives the disk back what the file does not need, when that is worth the wait. Call it at
    /// start, with what was loaded: the database grows with its load and shrinks little by itself.
    pub(super) fn compact(&mut self, data: u64) {
        if !is_worth_compacting(self.size, data) {
            return;
        }
        let Some(mut database) = self.database.take() else {
            return;
        };
        let began = Instant::now();
        match database.compact() {
            Ok(_) => self.database = Some(database),
            // What it holds is as it was; the next commit opens it again.
            Err(error) => {
                return tracing::warn!(%error, "Cannot compact the key/value store.");
            }
        }
        let elapsed_ms = began.elapsed().as_millis();
        tracing::info!(elapsed_ms, "Compacted the key/value store.");
    }

    /// Writes changes and returns when they are on disk, all or none.
    pub(super) fn commit(&mut self, changes: &[(Bytes, Option<Vec<u8>>)]) -> Result<(), Fault> {
        let database = match self.database.take() {
            Some(database) => database,
            None => (self.opener)()?,
        };
        write(&database, changes)
            .map_err(|error| fault::storage("cannot write its file", error))?;
        self.database = Some(database);
        Ok(())
    }
}

/// Tells whether most of a file is free. A compacted file is at most about twice its data, so it is
/// not compacted again at each start.
fn is_worth_compacting(size: u64, data: u64) -> bool {
    size > SMALL && data <= LARGE && size / 4 > data
}

fn open(path: &Path) -> Result<Database, Fault> {
    let cannot = |error: &dyn std::fmt::Display| {
        fault::storage(&format!("cannot open {}", path.display()), error)
    };
    let mut options = OpenOptions::new();
    options
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600);
    let file = options.open(path).map_err(|error| cannot(&error))?;
    let backend = FileBackend::new(file).map_err(|error| cannot(&error))?;
    let database = Builder::new()
        .set_cache_size(CACHE)
        .create_with_backend(backend);
    database.map_err(|error| match error {
        DatabaseError::DatabaseAlreadyOpen => Fault::new(
            Code::DataLocked,
            format!("{} is in use by another process", path.display()),
        ),
        error => cannot(&error),
    })
}

fn load(database: &Database, mut each: impl FnMut(Bytes, Data, u64)) -> Result<u64, Fault> {
    let failed = |error: redb::Error| fault::storage("cannot read its file", error);
    let read = database
        .begin_read()
        .map_err(|error| failed(error.into()))?;
    let table = match read.open_table(KEYS) {
        Ok(table) => table,
        Err(TableError::TableDoesNotExist(_)) => return Ok(0),
        Err(error) => return Err(failed(error.into())),
    };
    let mut bytes = 0;
    for row in table.iter().map_err(|error| failed(error.into()))? {
        let (key, value) = row.map_err(|error| failed(error.into()))?;
        bytes += key.value().len() + value.value().len();
        let key = Bytes::copy_from_slice(key.value());
        let (data, expires) = Data::decode(value.value())
            .ok_or_else(|| fault::storage("has a damaged entry in its file", format!("{key:?}")))?;
        each(key, data, expires);
    }
    Ok(bytes as u64)
}

fn write(database: &Database, changes: &[(Bytes, Option<Vec<u8>>)]) -> Result<(), redb::Error> {
    let write = database.begin_write()?;
    {
        let mut table = write.open_table(KEYS)?;
        for (key, image) in changes {
            match image {
                Some(image) => drop(table.insert(&**key, image.as_slice())?),
                None => drop(table.remove(&**key)?),
            }
        }
    }
    write.commit()?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_file_that_is_mostly_free_and_quickly_compacted_is_worth_it() {
        const MIB: u64 = 1 << 20;
        for (size, data, worth) in [
            (16, 0, false),
            (17, 4, true),
            (17, 5, false),
            (600, 128, true),
            (600, 129, false),
        ] {
            assert_eq!(
                is_worth_compacting(size * MIB, data * MIB),
                worth,
                "{size} {data}"
            );
        }
    }
}
