//! What the tests of the guards share: messages and the ports behind them.

use std::collections::HashSet;
use std::sync::{Arc, Mutex};

use chrono::{DateTime, Utc};

use crate::base::{
    BoxFuture, Cid, Clock, Fault, Handle, HttpMeta, Inbound, Meta, ObjectName, SystemClock, Value,
};
use crate::contract::{
    AnyKind as _, Command, Connections, Env, Guard, KeyValue, Kind, KvReply, Live, Of, Ports,
    Running, Settings,
};

/// Starts a guard of a body.
#[expect(
    clippy::needless_pass_by_value,
    reason = "tests write the value in place"
)]
pub(crate) fn guard_of<K: Kind>(body: serde_json::Value) -> Arc<dyn Guard> {
    let kind = Of::<K>::NEW;
    let body = kind.normal(&body).unwrap();
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let env = Env {
        guards: &|_| None,
        formats: &[],
        clock,
        project: std::path::Path::new("."),
    };
    match kind
        .start(&ObjectName::new("own").unwrap(), &body, &env)
        .unwrap()
    {
        Live::Guard(guard) => guard,
        _ => panic!("not a guard"),
    }
}

/// Makes a message with headers.
pub(crate) fn message(headers: &[(&'static str, &str)], body: &str, secure: bool) -> Inbound {
    let mut meta = Meta {
        http: Some(HttpMeta {
            secure,
            ..HttpMeta::default()
        }),
        ..Meta::default()
    };
    for (name, value) in headers {
        meta.headers.append(*name, value.parse().unwrap());
    }
    Inbound {
        cid: Cid::fresh(),
        meta: Arc::new(meta),
        body: body.to_owned().into(),
    }
}

/// A clock that stands still.
struct Fixed(DateTime<Utc>);

impl Clock for Fixed {
    fn now(&self) -> DateTime<Utc> {
        self.0
    }
}

/// Remembers keys set with `NX`; or does not answer at all.
#[derive(Default)]
pub(crate) struct Keys {
    pub(crate) seen: Mutex<HashSet<bytes::Bytes>>,
    pub(crate) down: bool,
}

impl KeyValue for Keys {
    fn run(&self, command: Command) -> Running {
        assert_eq!(command.name, "set");
        let text: Vec<&[u8]> = command.args.iter().map(|arg| &**arg).collect();
        assert!(matches!(text[..], [_, _, b"NX", b"PX", _]), "{text:?}");
        Running::Done(if self.down {
            Err(Fault::new(crate::base::Code::KeyStoreDown, "gone"))
        } else if self.seen.lock().unwrap().insert(command.args[0].clone()) {
            Ok(KvReply::Ok)
        } else {
            Ok(KvReply::Nil)
        })
    }

    fn sync(&self) -> BoxFuture<'_, Result<(), Fault>> {
        Box::pin(std::future::ready(Ok(())))
    }
}

/// Nothing there.
struct Nothing;

impl Connections for Nothing {
    fn outgoing(&self, _kind: &str, name: &str) -> Result<Handle, Fault> {
        Err(Fault::new(crate::base::Code::UnknownConnection, name))
    }
}

impl Settings for Nothing {
    fn file(&self, _name: &str) -> Option<Value> {
        None
    }
}

/// Makes ports whose clock stands at `now`.
pub(crate) fn ports(now: DateTime<Utc>, keys: Keys) -> Ports {
    Ports {
        kvdb: Arc::new(keys),
        connections: Arc::new(Nothing),
        settings: Arc::new(Nothing),
        clock: Arc::new(Fixed(now)),
    }
}
