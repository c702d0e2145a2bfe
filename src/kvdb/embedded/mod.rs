//! The embedded store: structures in memory, changed keys written to a file in groups.

mod data;
pub(super) mod file;
mod glob;
pub(super) mod hashes;
pub(super) mod keys;
pub(super) mod lists;
mod op;
pub(super) mod sets;
mod shard;
mod space;
pub(super) mod texts;
mod writer;
pub(super) mod zsets;

use std::path::Path;
use std::sync::Arc;

use crate::base::{BoxFuture, ByteSize, Clock, Fault};
use crate::contract::{Command, KeyValue, Running};
use crate::kvdb::command::{Access, Rule, check};
use crate::kvdb::{Durability, fault};

use file::File;
use op::{Op, Reply};
use shard::Shard;
use space::Space;
use writer::Writer;

/// How the embedded store runs a command.
#[derive(Clone, Copy)]
pub(super) enum Handler {
    /// Reads the shard of the first argument.
    One(fn(&Shard, &Op<'_>) -> Reply),
    /// Changes the shard of the first argument.
    Write(fn(&mut Shard, &Op<'_>) -> Reply),
    /// Locks what it needs itself.
    All(fn(&Space, &Op<'_>) -> Reply),
}

/// The embedded store.
pub(super) struct Embedded {
    space: Arc<Space>,
    /// Writes to the file; `None` where nothing lasts.
    writer: Option<Writer>,
    durability: Durability,
    memory: usize,
    clock: Arc<dyn Clock>,
}

impl Embedded {
    /// Opens the store, reading all of its file.
    pub(super) fn open(
        path: &Path,
        durability: Durability,
        memory: ByteSize,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, Fault> {
        Self::on(File::open(path)?, durability, memory, clock)
    }

    /// Opens the store on a file.
    pub(super) fn on(
        mut file: File,
        durability: Durability,
        memory: ByteSize,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, Fault> {
        let space = Arc::new(Space::new());
        let loaded = file.load(|key, data, expires| {
            space.write(&key, |shard| shard.put(&key, data, expires));
        })?;
        file.compact(loaded);
        // What was just read is on disk already.
        drop(space.take_dirty());
        let writer = Writer::start(Arc::clone(&space), file, Arc::clone(&clock))?;
        Ok(Self {
            space,
            writer: Some(writer),
            durability,
            memory: memory.as_usize(),
            clock,
        })
    }

    /// Makes an empty store whose content goes with it.
    pub(super) fn in_memory(memory: ByteSize, clock: Arc<dyn Clock>) -> Self {
        Self {
            space: Arc::new(Space::new()),
            writer: None,
            durability: Durability::Batched,
            memory: memory.as_usize(),
            clock,
        }
    }

    /// Tells about how much memory all keys take.
    #[cfg(test)]
    pub(super) fn used(&self) -> usize {
        self.space.used()
    }

    /// Tells how many commits were made.
    #[cfg(test)]
    pub(super) fn commits(&self) -> u64 {
        self.writer.as_ref().map_or(0, Writer::commits)
    }

    fn execute(&self, rule: &Rule, command: &Command) -> Reply {
        let op = Op {
            name: rule.name,
            args: &command.args,
            clock: &*self.clock,
        };
        if rule.access == Access::Store && self.space.used() > self.memory {
            return Err(fault::full(rule.name));
        }
        let shardless = || fault::unknown(rule.name);
        match rule.handler {
            Handler::One(run) => {
                let reply = self.space.read(op.key()?, |shard| run(shard, &op));
                reply.ok_or_else(shardless)?
            }
            Handler::Write(run) => {
                let reply = self.space.write(op.key()?, |shard| run(shard, &op));
                reply.ok_or_else(shardless)?
            }
            Handler::All(run) => run(&self.space, &op),
        }
    }
}

impl KeyValue for Embedded {
    fn run(&self, command: Command) -> Running {
        let rule = match check(&command) {
            Ok(rule) => rule,
            Err(fault) => return Running::Done(Err(fault)),
        };
        if rule.access == Access::Read {
            return Running::Done(self.execute(rule, &command));
        }
        let before = self.space.changes();
        let reply = self.execute(rule, &command);
        let Some(writer) = self
            .writer
            .as_ref()
            .filter(|_| self.space.changes() != before)
        else {
            return Running::Done(reply);
        };
        match self.durability {
            Durability::Batched => {
                writer.changed();
                Running::Done(reply)
            }
            Durability::Always => {
                let saved = writer.save();
                Running::Later(Box::pin(async move {
                    saved.await?;
                    reply
                }))
            }
        }
    }

    fn sync(&self) -> BoxFuture<'_, Result<(), Fault>> {
        match &self.writer {
            Some(writer) => Box::pin(writer.save()),
            None => Box::pin(std::future::ready(Ok(()))),
        }
    }
}
