//! The two key/value stores behind [`KeyValue`]: one embedded in the server, one a real Redis.
//!
//! [`command::TABLE`] says which commands exist and what they take; both stores check against it
//! before anything else, so that a bad command gets the same answer from both. `docs/kvdb.md` has
//! the promises.

mod command;
mod embedded;
mod fault;
mod number;
mod redis;
pub(crate) mod told;
#[cfg(test)]
mod tests;

use std::path::Path;
use std::sync::Arc;

use crate::base::{ByteSize, Clock, Code, Fault, SystemClock};
use crate::contract::KeyValue;
use crate::tasks::Tasks;

use embedded::Embedded;
use redis::Redis;

/// The longest key.
pub(crate) const KEY_LIMIT: usize = 512;
/// The longest value, field or member.
pub(crate) const VALUE_LIMIT: usize = 1 << 20;
/// What the embedded store may hold unless its URL says more.
const MEMORY: ByteSize = ByteSize(512 << 20);
/// The name of the embedded store's file in the data directory.
const FILE: &str = "kvdb.redb";

/// When a change of the embedded store is on disk. Redis has its own setting.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Durability {
    /// At most a tenth of a second after the answer; one commit for all changes of that time.
    #[default]
    Batched,
    /// Before the answer.
    Always,
}

impl Durability {
    /// Reads the word of the configuration.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        match text {
            "batched" => Some(Self::Batched),
            "always" => Some(Self::Always),
            _ => None,
        }
    }
}

/// Opens the store that `url` names: `embedded`, `embedded:?memory=256MiB`, `redis://…`,
/// `rediss://…`, `redis+sentinel://…` or `redis+cluster://…`.
///
/// The embedded store reads its file from `data_dir`; Redis is dialled at the first command.
pub(crate) fn open(
    url: &str,
    data_dir: &Path,
    durability: Durability,
    tasks: &Tasks,
) -> Result<Arc<dyn KeyValue>, Fault> {
    if let Some(options) = url.strip_prefix("embedded") {
        let memory = memory_option(options)?;
        let clock = Arc::new(SystemClock);
        let store = Embedded::open(&data_dir.join(FILE), durability, memory, clock)?;
        return Ok(Arc::new(store));
    }
    Ok(Arc::new(Redis::open(url, tasks)?))
}

/// Makes an empty embedded store whose content goes with it: that of one test.
pub(crate) fn in_memory(clock: Arc<dyn Clock>) -> Arc<dyn KeyValue> {
    Arc::new(Embedded::in_memory(MEMORY, clock))
}

fn memory_option(options: &str) -> Result<ByteSize, Fault> {
    match options.trim_start_matches([':', '/']).strip_prefix('?') {
        None if options.trim_start_matches([':', '/']).is_empty() => Ok(MEMORY),
        Some(query) => query
            .strip_prefix("memory=")
            .and_then(ByteSize::parse)
            .ok_or_else(|| bad_url(&format!("embedded{options}"))),
        None => Err(bad_url(&format!("embedded{options}"))),
    }
}

/// Refuses a URL. It may hold a password, so the message names its scheme only.
fn bad_url(url: &str) -> Fault {
    let scheme = url.split(':').next().unwrap_or_default();
    Fault::new(
        Code::ConfigConstraint,
        format!("key/value store address not understood: '{scheme}:…'"),
    )
    .hint(
        "Write `embedded`, `embedded:?memory=256MiB`, `redis://host:port/0`, \
         `redis+sentinel://host:port,host:port/service` or `redis+cluster://host:port,host:port`.",
    )
}
