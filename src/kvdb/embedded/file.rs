//! The file behind the embedded store: one table, key → what it holds.

use std::fs::OpenOptions;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use bytes::Bytes;
use redb::{Builder, Database, DatabaseError, ReadableDatabase as _, ReadableTable as _};
use redb::{TableDefinition, TableError};

use crate::base::{Code, Fault};
use crate::kvdb::embedded::data::Data;
use crate::kvdb::fault;

const KEYS: TableDefinition<'_, &[u8], &[u8]> = TableDefinition::new("keys");
/// All data is in memory anyway; the file needs no large cache.
const CACHE: usize = 4 << 20;

/// The file behind the embedded store.
pub(super) struct File(Database);

impl File {
    /// Opens the file, or makes it, readable by its owner only.
    pub(super) fn open(path: &Path) -> Result<Self, Fault> {
        let mut options = OpenOptions::new();
        options
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600);
        let cannot = |error: &dyn std::fmt::Display| {
            fault::storage(&format!("cannot open {}", path.display()), error)
        };
        let file = options.open(path).map_err(|error| cannot(&error))?;
        let backend = redb::backends::FileBackend::new(file).map_err(|error| cannot(&error))?;
        let database = Builder::new()
            .set_cache_size(CACHE)
            .create_with_backend(backend);
        database.map(Self).map_err(|error| match error {
            DatabaseError::DatabaseAlreadyOpen => Fault::new(
                Code::DataLocked,
                format!("{} is in use by another process", path.display()),
            ),
            error => cannot(&error),
        })
    }

    /// Hands out everything it holds.
    pub(super) fn load(&self, mut each: impl FnMut(Bytes, Data, u64)) -> Result<(), Fault> {
        let failed = |error: redb::Error| fault::storage("cannot read its file", error);
        let read = self.0.begin_read().map_err(|error| failed(error.into()))?;
        let table = match read.open_table(KEYS) {
            Ok(table) => table,
            Err(TableError::TableDoesNotExist(_)) => return Ok(()),
            Err(error) => return Err(failed(error.into())),
        };
        for row in table.iter().map_err(|error| failed(error.into()))? {
            let (key, value) = row.map_err(|error| failed(error.into()))?;
            let key = Bytes::copy_from_slice(key.value());
            let (data, expires) = Data::decode(value.value()).ok_or_else(|| {
                fault::storage("has a damaged entry in its file", format!("{key:?}"))
            })?;
            each(key, data, expires);
        }
        Ok(())
    }

    /// Writes changes and returns when they are on disk, all or none.
    pub(super) fn commit(&self, changes: &[(Bytes, Option<Vec<u8>>)]) -> Result<(), Fault> {
        self.write(changes)
            .map_err(|error| fault::storage("cannot write its file", error))
    }

    fn write(&self, changes: &[(Bytes, Option<Vec<u8>>)]) -> Result<(), redb::Error> {
        let write = self.0.begin_write()?;
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
}
