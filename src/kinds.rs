//! The three lists, in display order: kinds, formats, script languages.

use std::sync::Arc;

use crate::base::Fault;
use crate::connect::http::{HttpChannel, HttpOutgoing};
use crate::contract::{AnyKind, Engine, FormatMaker, HostFn, Of};
use crate::format::csv::CsvFormat;
use crate::format::form::FormFormat;
use crate::format::json::JsonFormat;
use crate::format::raw::RawFormat;
use crate::format::soap::SoapFormat;
use crate::format::xml::XmlFormat;
use crate::schedule::Job;
use crate::script::lua::{LuaEngine, LuaSession};
use crate::script::rhai::{RhaiEngine, RhaiSession};
use crate::script::{Api, Ground, Session, host};
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

/// All host functions: those of the namespaces and those of the kinds.
pub(crate) fn tables() -> Vec<&'static [HostFn]> {
    let own = host::TABLES.iter().copied();
    own.chain(KINDS.iter().map(|kind| kind.ops())).collect()
}

/// The script languages, each with all host functions.
pub(crate) fn engines() -> Vec<Arc<dyn Engine>> {
    engines_with(&tables().into())
}

/// The script languages with an API of their own.
pub(crate) fn engines_with(api: &Api) -> Vec<Arc<dyn Engine>> {
    vec![
        Arc::new(LuaEngine::new(api.clone())),
        Arc::new(RhaiEngine::new(api.clone())),
    ]
}

/// Begins a conversation in a language of a name.
pub(crate) fn session(language: &str, ground: &Ground) -> Option<Result<Box<dyn Session>, Fault>> {
    match language {
        "lua" => Some(LuaSession::open(ground).map(|it| Box::new(it) as Box<dyn Session>)),
        "rhai" => Some(Ok(Box::new(RhaiSession::open(ground)))),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use std::any::Any;

    use super::*;
    use crate::base::{Handle, Map, Object, Value};
    use crate::contract::{Args, Effect, Receiver, Type};

    struct Peer;

    impl Object for Peer {
        fn class(&self) -> &'static str {
            "outgoing.http"
        }
        fn name(&self) -> Option<&str> {
            Some("peer")
        }
        fn as_any(&self) -> &dyn Any {
            self
        }
    }

    /// A function that reaches something, or changes it, must be known to `uses`; else a declared list would not bind it.
    #[test]
    fn every_function_with_an_effect_is_bound_by_the_list_of_uses() {
        let tables = host::TABLES.iter().copied();
        let tables = tables.chain(KINDS.iter().map(|kind| kind.ops()));
        let mut n_bound = 0;
        for function in tables.flatten() {
            let mut args = Vec::new();
            if function.receiver == Receiver::Method {
                args.push(Value::Handle(Handle::new(Peer)));
            }
            args.extend(function.args.iter().map(|arg| match arg.ty {
                Type::Int => Value::Int(1),
                Type::Map => Value::Map(Map::new()),
                _ => Value::text("a"),
            }));
            let used = host::uses::of(function, &Args::new(args)).unwrap();
            let reaches = matches!(function.effect, Effect::Write | Effect::Network);
            if reaches || function.path.starts_with("kvdb.") {
                assert!(!used.is_empty(), "{}", function.path);
                n_bound += 1;
            } else {
                assert_eq!(used, [], "{}", function.path);
            }
        }
        assert!(n_bound > 30, "{n_bound}");
    }
}
