//! What columns hold, as the types the program uses.

use chrono::{DateTime, SecondsFormat, Utc};

use crate::base::{Code, Fault, ObjectName};
use crate::contract::ObjectId;

/// Returns the moment of a column of milliseconds.
pub(in crate::store) fn moment(millis: i64) -> Result<DateTime<Utc>, Fault> {
    DateTime::from_timestamp_millis(millis).ok_or_else(|| strange("moment", &millis.to_string()))
}

/// Returns the moment of a column of milliseconds that may be empty.
pub(in crate::store) fn maybe_moment(millis: Option<i64>) -> Result<Option<DateTime<Utc>>, Fault> {
    millis.map(moment).transpose()
}

/// Returns the name of an object.
pub(in crate::store) fn object_name(text: &str) -> Result<ObjectName, Fault> {
    ObjectName::new(text).ok_or_else(|| strange("name", text))
}

/// Returns the identity of an object.
pub(in crate::store) fn object_id(kind: String, name: &str) -> Result<ObjectId, Fault> {
    let name = object_name(name)?;
    Ok(ObjectId { kind, name })
}

/// Makes the fault of a column that holds what we never write.
pub(in crate::store) fn strange(what: &str, text: &str) -> Fault {
    Fault::new(
        Code::Storage,
        format!("the database holds a strange {what}"),
    )
    .detail(format!("{text:?}"))
}

/// Writes a moment as RFC 3339 with milliseconds.
pub(crate) fn iso<S: serde::Serializer>(at: &DateTime<Utc>, to: S) -> Result<S::Ok, S::Error> {
    to.collect_str(&at.to_rfc3339_opts(SecondsFormat::Millis, true))
}

/// Writes a moment that may be absent.
#[expect(
    clippy::ref_option,
    reason = "serde hands over a reference to the field"
)]
pub(crate) fn maybe_iso<S: serde::Serializer>(
    at: &Option<DateTime<Utc>>,
    to: S,
) -> Result<S::Ok, S::Error> {
    match at {
        Some(at) => iso(at, to),
        None => to.serialize_none(),
    }
}
