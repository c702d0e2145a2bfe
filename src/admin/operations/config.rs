//! `kladka.config.*`.

use std::sync::Arc;

use serde::Deserialize;
use serde_json::json;

use crate::admin::Parts;
use crate::admin::configuration::{ExportFormat, Selection, joined};
use crate::admin::native::operation;
use crate::contract::Native;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Export {
    #[serde(default)]
    format: ExportFormat,
}

pub(super) fn operations(parts: &Arc<Parts>) -> Vec<Arc<dyn Native>> {
    let (plan, apply, export) = (Arc::clone(parts), Arc::clone(parts), Arc::clone(parts));
    vec![
        operation(
            "kladka.config.plan",
            "Returns what applying files would change.",
            move |selection: Selection| {
                let parts = Arc::clone(&plan);
                async move { parts.configuration.plan(&selection).await.map_err(joined) }
            },
        ),
        operation(
            "kladka.config.apply",
            "Applies files, in one transaction.",
            move |selection: Selection| {
                let parts = Arc::clone(&apply);
                async move {
                    parts
                        .configuration
                        .apply(&selection, "api")
                        .await
                        .map_err(joined)
                }
            },
        ),
        operation(
            "kladka.config.export",
            "Returns all objects as text.",
            move |input: Export| {
                let parts = Arc::clone(&export);
                async move { Ok(json!({ "text": parts.configuration.export(input.format).await? })) }
            },
        ),
    ]
}
