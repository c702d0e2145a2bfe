//! `kladka.config.*`.

use std::sync::Arc;

use serde::Deserialize;

use crate::admin::Parts;
use crate::admin::configuration::{ExportFormat, Selection, joined};
use crate::admin::native::operation;
use crate::contract::{Effect, Native};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Export {
    #[serde(default)]
    format: ExportFormat,
}

pub(super) fn operations(parts: &Arc<Parts>) -> Vec<Arc<dyn Native>> {
    vec![
        operation(
            "kladka.config.plan",
            "Returns what applying files would change.",
            Effect::Read,
            parts,
            |parts, selection: Selection| async move {
                parts.configuration.plan(&selection).await.map_err(joined)
            },
        ),
        operation(
            "kladka.config.apply",
            "Applies files, in one transaction.",
            Effect::Write,
            parts,
            |parts, selection: Selection| async move {
                let applied = parts.configuration.apply(&selection, "api").await;
                applied.map_err(joined)
            },
        ),
        operation(
            "kladka.config.export",
            "Returns all objects as text, and the secrets that the text leaves out.",
            Effect::Read,
            parts,
            |parts, input: Export| async move { parts.configuration.export(input.format).await },
        ),
    ]
}
