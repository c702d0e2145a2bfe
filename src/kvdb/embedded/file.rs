//! The file behind the embedded store: one table, key → what it holds.

use std::fs::OpenOptions;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

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

/// Opens the database, at start and again after a failure.
pub(in crate::kvdb) type Opener = Box<dyn Fn() -> Result<Database, Fault> + Send>;

/// The file behind the embedded store.
pub(in crate::kvdb) struct File {
    opener: Opener,
    /// `None` after a failure: a database that failed once refuses everything until it is opened
    /// again, so a disk that was full for a while would never be written to again.
    database: Option<Database>,
}

impl File {
    /// Opens the file, or makes it, readable by its owner only.
    pub(super) fn open(path: &Path) -> Result<Self, Fault> {
        let path = path.to_owned();
        Self::by(Box::new(move || open(&path)))
    }

    /// Opens the database.
    pub(in crate::kvdb) fn by(opener: Opener) -> Result<Self, Fault> {
        let database = Some(opener()?);
        Ok(Self { opener, database })
    }

    /// Hands out everything it holds.
    pub(super) fn load(&self, each: impl FnMut(Bytes, Data, u64)) -> Result<(), Fault> {
        self.database
            .as_ref()
            .map_or(Ok(()), |database| load(database, each))
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

fn load(database: &Database, mut each: impl FnMut(Bytes, Data, u64)) -> Result<(), Fault> {
    let failed = |error: redb::Error| fault::storage("cannot read its file", error);
    let read = database
        .begin_read()
        .map_err(|error| failed(error.into()))?;
    let table = match read.open_table(KEYS) {
        Ok(table) => table,
        Err(TableError::TableDoesNotExist(_)) => return Ok(()),
        Err(error) => return Err(failed(error.into())),
    };
    for row in table.iter().map_err(|error| failed(error.into()))? {
        let (key, value) = row.map_err(|error| failed(error.into()))?;
        let key = Bytes::copy_from_slice(key.value());
        let (data, expires) = Data::decode(value.value())
            .ok_or_else(|| fault::storage("has a damaged entry in its file", format!("{key:?}")))?;
        each(key, data, expires);
    }
    Ok(())
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
