//! The three lists, in display order: kinds, formats, script languages.

use std::sync::Arc;

use crate::connect::http::{HttpChannel, HttpOutgoing};
use crate::contract::{AnyKind, Engine, FormatMaker, HostFn, Of};
use crate::format::csv::CsvFormat;
use crate::format::form::FormFormat;
use crate::format::json::JsonFormat;
use crate::format::raw::RawFormat;
use crate::format::soap::SoapFormat;
use crate::format::xml::XmlFormat;
use crate::schedule::Job;
use crate::script::host;
use crate::script::lua::LuaEngine;
use crate::script::rhai::RhaiEngine;
use crate::security::{ApiKey, Basic, Wss};

/// Everything an operator can name.
pub(crate) const KINDS: &[&dyn AnyKind] = &[
    &Of::<ApiKey>::NEW,
    &Of::<Basic>::NEW,
    &Of::<Wss>::NEW,
    &Of::<HttpOutgoing>::NEW,
    &Of::<HttpChannel>::NEW,
    &Of::<Job>::NEW,
];

/// How messages are written.
pub(crate) const FORMATS: &[&dyn FormatMaker] = &[
    &JsonFormat,
    &XmlFormat,
    &SoapFormat,
    &CsvFormat,
    &FormFormat,
    &RawFormat,
];

/// The script languages, each with all host functions: those of the namespaces and those of the kinds.
pub(crate) fn engines() -> Vec<Arc<dyn Engine>> {
    let tables: Vec<&'static [HostFn]> = host::TABLES
        .iter()
        .copied()
        .chain(KINDS.iter().map(|kind| kind.ops()))
        .collect();
    vec![
        Arc::new(LuaEngine::new(tables.clone())),
        Arc::new(RhaiEngine::new(tables)),
    ]
}
