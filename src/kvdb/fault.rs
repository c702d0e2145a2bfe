//! The faults of commands, worded once for both stores.

use crate::base::{Code, Fault};
use crate::kvdb::{KEY_LIMIT, VALUE_LIMIT};

/// Wrong number of arguments.
pub(super) fn arity(name: &str) -> Fault {
    command(name, "wrong number of arguments")
}

/// An option that the command does not have, or that contradicts another.
pub(super) fn syntax(name: &str) -> Fault {
    command(name, "syntax error")
}

/// An argument or a stored value that must be an integer and is none.
pub(super) fn not_an_integer(name: &str) -> Fault {
    command(name, "value is not an integer or out of range")
}

/// A score that is no number.
pub(super) fn not_a_number(name: &str) -> Fault {
    command(name, "value is not a valid float")
}

/// Any other complaint about a command.
pub(super) fn command(name: &str, what: &str) -> Fault {
    Fault::new(Code::KeyCommand, format!("`{name}`: {what}"))
}

/// A command that the table does not list.
pub(super) fn unknown(name: &str) -> Fault {
    Fault::new(Code::KeyCommand, format!("there is no command `{name}`"))
}

/// A key that holds something the command cannot work on.
pub(super) fn wrong_type(name: &str, key: &[u8]) -> Fault {
    Fault::new(
        Code::KeyType,
        format!(
            "key '{}' holds another kind of value than `{name}` works on",
            shown(key)
        ),
    )
    .hint("Delete the key first, or use another one.")
}

/// A key that is too long.
pub(super) fn long_key(name: &str, key: &[u8]) -> Fault {
    Fault::new(
        Code::KeyLimit,
        format!(
            "`{name}`: key '{}…' has {} bytes, at most {KEY_LIMIT} are allowed",
            shown(key),
            key.len()
        ),
    )
}

/// A value that is too long.
pub(super) fn long_value(name: &str, length: usize) -> Fault {
    Fault::new(
        Code::KeyLimit,
        format!("`{name}`: value has {length} bytes, at most {VALUE_LIMIT} are allowed"),
    )
}

/// A store that reached its memory limit.
pub(super) fn full(name: &str) -> Fault {
    Fault::new(
        Code::KeyStoreFull,
        format!("`{name}`: the key/value store is full"),
    )
    .hint("Delete keys, give them a time to live, or raise the store's memory limit.")
}

/// A store that does not answer.
pub(super) fn down(detail: impl Into<String>) -> Fault {
    Fault::new(
        Code::KeyStoreDown,
        "the key/value store cannot be reached or does not answer",
    )
    .detail(detail)
}

/// The embedded store's file failed.
pub(super) fn storage(what: &str, error: impl std::fmt::Display) -> Fault {
    Fault::new(Code::Storage, format!("the key/value store {what}")).detail(error.to_string())
}

/// Returns the beginning of a key, fit for a message.
fn shown(key: &[u8]) -> String {
    String::from_utf8_lossy(key)
        .chars()
        .take(60)
        .flat_map(char::escape_default)
        .collect()
}
