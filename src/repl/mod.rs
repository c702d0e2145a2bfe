//! `kladka repl`: a conversation with a project, or with a running server.
//!
//! `talk` takes what is typed: a text of a script language, or a `command`. The languages' own sessions run the texts,
//! in a `world` that is the project's or, over `live`, the server's. `complete` knows what may come next, from what
//! the editor files are made of; `doc` shows the same to people.

mod command;
mod complete;
mod doc;
mod live;
mod talk;
mod world;

pub(crate) use complete::{Words, complete};
pub(crate) use live::{Remote, fault_of};
pub(crate) use talk::{Said, Start, Talk};
