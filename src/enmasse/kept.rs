//! Keeps stored secrets that an export left out: the file is applied where it was exported.
//!
//! An export writes `${secret.NAME}` for a secret that is stored in clear, NAME being made of the object and the
//! field. Where exactly this stands in that field, no such secret is set, and the stored object has a value of its
//! own there, the file means that value. Nothing else is kept: any other reference, also one to the environment, is
//! the wish to take the value from there, and a stored one may be the very thing to be replaced.

use crate::config::interpolate::{Variables, is_bare_placeholder};
use crate::config::schema::secrets_of;
use crate::contract::StoredObject;
use crate::enmasse::catalog::Catalog;
use crate::enmasse::conform::dotted;
use crate::enmasse::export::secret_name;
use crate::enmasse::wanted::{Wanted, WantedSet};

/// Puts the stored value into each secret field whose file leaves it out.
pub(crate) fn keep_secrets(
    set: &mut WantedSet,
    stored: &[StoredObject],
    catalog: &Catalog<'_>,
    variables: &dyn Variables,
) {
    for wanted in &mut set.objects {
        if let Some(stored) = stored.iter().find(|stored| stored.id == wanted.id) {
            keep(wanted, stored, catalog, variables);
        }
    }
}

fn keep(
    wanted: &mut Wanted,
    stored: &StoredObject,
    catalog: &Catalog<'_>,
    variables: &dyn Variables,
) {
    for (pointer, text) in secrets_of(catalog.schema(&wanted.id.kind), &wanted.body) {
        let name = secret_name(wanted.id.name.as_str(), &dotted(&pointer));
        let left_out = text == format!("${{secret.{name}}}");
        if !left_out || variables.secret(&name).is_some() {
            continue;
        }
        let value = stored.body.pointer(&pointer).filter(|value| {
            let text = value.as_str().unwrap_or_default();
            !text.is_empty() && !is_bare_placeholder(text)
        });
        if let (Some(value), Some(slot)) = (value, wanted.body.pointer_mut(&pointer)) {
            *slot = value.clone();
        }
    }
}
