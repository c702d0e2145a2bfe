//! Security definitions: who sent a message. One file for each kind.
//!
//! What they share stands here: a comparison that takes constant time, and the one answer to every refusal.

mod api_key;
mod basic;
mod wss;

pub(crate) use api_key::ApiKey;
pub(crate) use basic::Basic;
pub(crate) use wss::Wss;

use aws_lc_rs::constant_time::verify_slices_are_equal;

use crate::base::{Code, Fault, Faults};

/// A credential to compare with: how long comparing takes tells neither its content nor its length.
struct Expected(Vec<u8>);

impl Expected {
    fn new(credential: &[u8]) -> Self {
        Self(credential.to_vec())
    }

    /// Tells whether `given` is the credential, in constant time.
    fn is(&self, given: &[u8]) -> bool {
        let same_length = given.len() == self.0.len();
        // Something as long is compared in any case.
        let compared = if same_length { given } else { &self.0 };
        verify_slices_are_equal(&self.0, compared).is_ok() && same_length
    }
}

/// Returns the one answer to every refusal, whatever its cause.
fn refused(challenge: &str) -> Fault {
    Fault::new(Code::Unauthorized, "the message is not authenticated")
        .header("WWW-Authenticate", challenge)
}

/// Returns the answer of a definition whose credential was never set: it lets nobody in.
fn unset(name: &str) -> Fault {
    Fault::new(
        Code::GuardUnavailable,
        format!("security definition '{name}' has no credential"),
    )
    .hint("Set its credential; until then nobody is let in.")
}

/// Adds a problem when a text cannot stand between quotes in a header.
fn check_quotable(field: &str, text: &str, faults: &mut Faults) {
    if text.contains(['"', '\\']) || text.chars().any(char::is_control) {
        faults.push(Fault::new(
            Code::ConfigConstraint,
            format!("{field} {text:?} must not hold quotes, backslashes or control characters"),
        ));
    }
}

/// Returns the realm of a challenge: the one given, else the name of the definition.
fn realm<'a>(given: &'a str, name: &'a str) -> &'a str {
    if given.is_empty() { name } else { given }
}

#[cfg(test)]
pub(crate) mod tests;
