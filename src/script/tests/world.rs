//! The world of the engines' tests: real cores, little ports of our own, services in any language.

use std::any::Any;
use std::cell::Cell;
use std::collections::HashMap;
use std::rc::Rc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use bytes::Bytes;

use crate::base::*;
use crate::contract::*;
use crate::script::lua::LuaEngine;
use crate::script::rhai::RhaiEngine;

pub(crate) const fn host(
    path: &'static str,
    receiver: Receiver,
    returns: Type,
    effect: Effect,
    call: HostCall,
) -> HostFn {
    const ANY: &[Arg] = &[Arg {
        name: "values",
        ty: Type::Rest,
        optional: true,
    }];
    HostFn {
        path,
        receiver,
        args: ANY,
        returns,
        effect,
        doc: "",
        examples: &[],
        call,
    }
}

pub(crate) struct Node(String);
impl Object for Node {
    fn class(&self) -> &'static str {
        "test.node"
    }
    fn as_any(&self) -> &dyn Any {
        self
    }
}
pub(crate) struct Peer;
impl Object for Peer {
    fn class(&self) -> &'static str {
        "outgoing.http"
    }
    fn name(&self) -> Option<&str> {
        Some("treasury.gov")
    }
    fn as_any(&self) -> &dyn Any {
        self
    }
}

thread_local! {
    /// Calls of `probe.ask` under way, and how many there were at most.
    pub(crate) static OPEN: Cell<usize> = const { Cell::new(0) };
    pub(crate) static MOST_OPEN: Cell<usize> = const { Cell::new(0) };
}

pub(crate) const TABLE: &[HostFn] = &[
    host(
        "kvdb.get",
        Receiver::Ctx,
        Type::Any,
        Effect::Read,
        HostCall::Wait(|call, mut args| {
            Box::pin(async move {
                let key = args.text(0, "key")?;
                let args = vec![Bytes::copy_from_slice(key.as_bytes())];
                match call.ctx.ports.kvdb.run(Command { name: "get", args }) {
                    Running::Done(reply) => Ok(text(reply?)),
                    Running::Later(later) => Ok(text(later.await?)),
                }
            })
        }),
    ),
    host(
        "kvdb.set",
        Receiver::Ctx,
        Type::Nothing,
        Effect::Write,
        HostCall::Wait(|call, mut args| {
            Box::pin(async move {
                let (key, value) = (args.text(0, "key")?, args.text(1, "value")?);
                let args = [key, value]
                    .iter()
                    .map(|a| Bytes::copy_from_slice(a.as_bytes()))
                    .collect();
                match call.ctx.ports.kvdb.run(Command { name: "set", args }) {
                    Running::Done(reply) => Ok(text(reply?)),
                    Running::Later(later) => Ok(text(later.await?)),
                }
            })
        }),
    ),
    host(
        "time.nap",
        Receiver::Ctx,
        Type::Any,
        Effect::Read,
        HostCall::Wait(|_, mut args| {
            Box::pin(async move {
                let ms = args.int(0, "ms")?;
                tokio::time::sleep(Duration::from_millis(ms.unsigned_abs())).await;
                Ok(args.take(1))
            })
        }),
    ),
    host(
        "time.spin",
        Receiver::Ctx,
        Type::Nothing,
        Effect::Read,
        HostCall::Now(|_, mut args| {
            let until = cpu() + Duration::from_millis(args.int(0, "ms")?.unsigned_abs());
            while cpu() < until {}
            Ok(Value::Null)
        }),
    ),
    host(
        "probe.echo",
        Receiver::Library,
        Type::Any,
        Effect::Pure,
        HostCall::Now(|_, mut args| Ok(args.take(0))),
    ),
    host(
        "probe.kind",
        Receiver::Library,
        Type::Text,
        Effect::Pure,
        HostCall::Now(|_, mut args| Ok(Value::text(args.take(0).kind()))),
    ),
    host(
        "probe.nodes",
        Receiver::Library,
        Type::Each,
        Effect::Pure,
        HostCall::Now(|_, _| {
            let node = |text: &str| Value::Handle(Handle::new(Node(text.into())));
            Ok(Value::List(vec![node("a"), node("b"), node("c")]))
        }),
    ),
    host(
        "probe.gapped",
        Receiver::Library,
        Type::List,
        Effect::Pure,
        HostCall::Now(|_, _| Ok(Value::List(vec![Value::Null, Value::Int(2)]))),
    ),
    host(
        "probe.node",
        Receiver::Library,
        Type::Object("test.node"),
        Effect::Pure,
        HostCall::Now(|_, _| Ok(Value::Handle(Handle::new(Node("n".into()))))),
    ),
    host(
        "probe.either",
        Receiver::Library,
        Type::Any,
        Effect::Pure,
        HostCall::Either(|_, mut args| match args.text(0, "when").as_deref() {
            Ok("now") => Started::Done(Ok(args.take(1))),
            Ok("later") => Started::Later(Box::pin(async move {
                tokio::time::sleep(Duration::from_millis(1)).await;
                Ok(args.take(1))
            })),
            Ok("fails later") => Started::Later(Box::pin(async {
                tokio::time::sleep(Duration::from_millis(1)).await;
                Err(Fault::new(Code::KeyStoreDown, "later"))
            })),
            Ok("panics later") => Started::Later(Box::pin(async { panic!("a bug of ours") })),
            Ok("panics") => panic!("a bug of ours"),
            _ => Started::Done(Err(Fault::new(Code::KeyStoreDown, "now"))),
        }),
    ),
    host(
        "probe.ask",
        Receiver::Library,
        Type::Nothing,
        Effect::Network,
        HostCall::Wait(|_, _| {
            Box::pin(async {
                OPEN.set(OPEN.get() + 1);
                MOST_OPEN.set(MOST_OPEN.get().max(OPEN.get()));
                tokio::time::sleep(Duration::from_millis(1)).await;
                OPEN.set(OPEN.get() - 1);
                Ok(Value::Null)
            })
        }),
    ),
    host(
        "probe.panic",
        Receiver::Library,
        Type::Nothing,
        Effect::Pure,
        HostCall::Now(|_, _| panic!("a bug of ours")),
    ),
    host(
        "probe.waiting",
        Receiver::Library,
        Type::Nothing,
        Effect::Pure,
        HostCall::Wait(|_, mut args| match args.text(0, "when").as_deref() {
            Ok("at once") => panic!("a bug of ours"),
            _ => Box::pin(async {
                tokio::time::sleep(Duration::from_millis(1)).await;
                panic!("a bug of ours")
            }),
        }),
    ),
    host(
        "test.node.text",
        Receiver::Method,
        Type::Text,
        Effect::Pure,
        HostCall::Now(|_, mut args| {
            let node = args.handle(0, "node")?;
            Ok(Value::text(&node.downcast::<Node>().unwrap().0))
        }),
    ),
    HostFn {
        path: "test.node.size",
        receiver: Receiver::Method,
        args: &[],
        returns: Type::Int,
        effect: Effect::Pure,
        doc: "Property: how long its text is.",
        examples: &[],
        call: HostCall::Now(|_, mut args| {
            let node = args.handle(0, "node")?;
            let size = node.downcast::<Node>().unwrap().0.len();
            Ok(Value::Int(i64::try_from(size).unwrap()))
        }),
    },
    host(
        "outgoing.http.get",
        Receiver::Method,
        Type::Any,
        Effect::Network,
        HostCall::Now(|_, _| Ok(Value::text("pong"))),
    ),
];

pub(crate) fn text(reply: KvReply) -> Value {
    match reply {
        KvReply::Data(data) => Value::text(std::str::from_utf8(&data).unwrap()),
        _ => Value::Null,
    }
}

/// A key/value store that answers later, so that calls interleave; "down" keys fail.
#[derive(Default)]
pub(crate) struct Store {
    pub(crate) data: Mutex<HashMap<Bytes, Bytes>>,
    pub(crate) asked: AtomicUsize,
}

impl KeyValue for Store {
    fn run(&self, command: Command) -> Running {
        self.asked.fetch_add(1, Ordering::SeqCst);
        let key = command.args.first().cloned().unwrap_or_default();
        if key.starts_with(b"down") {
            let fault = Fault::new(Code::KeyStoreDown, "the key/value store does not answer");
            return Running::Done(Err(fault));
        }
        let mut data = self.data.lock().unwrap();
        let reply = match command.name {
            "set" => {
                data.insert(key, command.args.get(1).cloned().unwrap());
                KvReply::Ok
            }
            _ => data
                .get(&key)
                .map_or(KvReply::Nil, |value| KvReply::Data(value.clone())),
        };
        Running::Later(Box::pin(async move {
            tokio::time::sleep(Duration::from_millis(2)).await;
            Ok(reply)
        }))
    }
    fn sync(&self) -> BoxFuture<'_, Result<(), Fault>> {
        Box::pin(async { Ok(()) })
    }
}

pub(crate) struct Links;
impl Connections for Links {
    fn outgoing(&self, kind: &str, name: &str) -> Result<Handle, Fault> {
        match (kind, name) {
            ("http", "treasury.gov") => Ok(Handle::new(Peer)),
            _ => Err(Fault::new(
                Code::UnknownConnection,
                format!("there is no outgoing {kind} connection named '{name}'"),
            )
            .hint("Did you mean `treasury.gov`?")),
        }
    }
}

pub(crate) struct Tuning;
impl Settings for Tuning {
    fn file(&self, name: &str) -> Option<Value> {
        let mut map = Map::new();
        map.set("limit", 7);
        (name == "rates").then_some(Value::Map(map))
    }
}

#[derive(Default)]
pub(crate) struct All(pub(crate) Mutex<HashMap<String, Arc<Entry>>>);
impl Services for All {
    fn find(&self, name: &str) -> Option<Arc<Entry>> {
        self.0.lock().unwrap().get(name).cloned()
    }
    fn names(&self) -> Vec<ServiceName> {
        self.0
            .lock()
            .unwrap()
            .keys()
            .filter_map(|name| ServiceName::new(name))
            .collect()
    }
}

/// All languages.
pub(crate) fn engines() -> Vec<Arc<dyn Engine>> {
    let mut tables = crate::script::host::TABLES.to_vec();
    tables.push(TABLE);
    vec![
        Arc::new(LuaEngine::new(tables.clone())),
        Arc::new(RhaiEngine::new(tables)),
    ]
}

/// Makes a set of files.
pub(crate) fn sources(files: &[(&str, &str)]) -> Arc<SourceSet> {
    let mut set = SourceSet::default();
    for (path, text) in files {
        let below = path
            .trim_start_matches("scripts/")
            .trim_start_matches("stdlib/");
        let (module, _) = below.rsplit_once('.').unwrap();
        let module = module.replace('/', ".");
        let source = Source {
            path: (*path).into(),
            module: module.clone(),
            text: (*text).into(),
            sha256: String::new(),
        };
        set.by_path.insert((*path).into(), Arc::new(source));
        set.by_module
            .entry(module)
            .or_default()
            .push((*path).into());
    }
    Arc::new(set)
}

/// Loads a file of a set with the engine of its language.
pub(crate) fn load_from(set: &Arc<SourceSet>, path: &str) -> Result<Loaded, Vec<Fault>> {
    let (_, ending) = path.rsplit_once('.').unwrap();
    let engines = engines();
    let engine = engines
        .iter()
        .find(|one| one.language().endings.contains(&ending));
    engine.unwrap().load(set, path)
}

/// Loads the first of some files.
pub(crate) fn load(files: &[(&str, &str)]) -> Result<Loaded, Vec<Fault>> {
    load_from(&sources(files), files[0].0)
}

pub(crate) struct World {
    pub(crate) core: Rc<Core>,
    pub(crate) ctx: Ctx,
    pub(crate) all: Arc<All>,
    pub(crate) store: Arc<Store>,
}

impl World {
    pub(crate) fn new(files: &[(&str, &str)]) -> Self {
        let all = Arc::new(All::default());
        let store = Arc::new(Store::default());
        let ctx = Ctx {
            cid: Cid::accept("cid-1").unwrap(),
            caller: Arc::new(Caller {
                security: "client1".into(),
                name: "alice".into(),
            }),
            channel: None,
            job: None,
            request: Arc::default(),
            deadline: Instant::now() + Duration::from_secs(30),
            depth: 0,
            limits: Limits {
                cpu_ms: 3000,
                ..Limits::default()
            },
            ports: Arc::new(Ports {
                kvdb: Arc::clone(&store) as Arc<dyn KeyValue>,
                connections: Arc::new(Links),
                settings: Arc::new(Tuning),
                clock: Arc::new(SystemClock),
            }),
            services: Arc::clone(&all) as Arc<dyn Services>,
        };
        let world = Self {
            core: Rc::new(Core::new(0)),
            ctx,
            all,
            store,
        };
        world.deploy(files);
        world
    }

    pub(crate) fn deploy(&self, files: &[(&str, &str)]) {
        let set = sources(files);
        for (path, _) in files {
            let loaded = load_from(&set, path).unwrap_or_else(|faults| panic!("{faults:#?}"));
            for service in loaded.services {
                let name = service.declaration().name.as_str().to_owned();
                let entry = Entry {
                    service,
                    revision: 1,
                    path: (*path).into(),
                    direct: Arc::default(),
                };
                self.all.0.lock().unwrap().insert(name, Arc::new(entry));
            }
        }
    }

    pub(crate) async fn call(&self, name: &str, input: Value) -> Result<Answer, Fault> {
        let entry = self.ctx.services.find(name).unwrap();
        crate::service::call(&self.core, self.ctx.clone(), &entry, input).await
    }

    pub(crate) async fn payload(&self, name: &str) -> Value {
        self.call(name, Value::Map(Map::new())).await.unwrap().value
    }

    /// Makes the VM of service `t`, so that a deadline measures its call alone.
    pub(crate) async fn payload_ready(&self) {
        let short = Duration::from_millis(400);
        drop(tokio::time::timeout(short, self.call("t", Value::Map(Map::new()))).await);
    }

    pub(crate) async fn fault(&self, name: &str) -> Fault {
        self.call(name, Value::Map(Map::new())).await.unwrap_err()
    }
}

/// Runs a test on a local runtime, as a core does.
pub(crate) fn on_core<T>(test: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build_local(tokio::runtime::LocalOptions::default())
        .unwrap()
        .block_on(test)
}

pub(crate) fn map(pairs: &[(&str, Value)]) -> Value {
    Value::Map(
        pairs
            .iter()
            .map(|(name, value)| (Text::new(name), value.clone()))
            .collect(),
    )
}

/// The processor time of this thread: other work on the machine must not fail a test.
pub(crate) fn cpu() -> Duration {
    crate::script::meter::thread_cpu().expect("Linux tells")
}
