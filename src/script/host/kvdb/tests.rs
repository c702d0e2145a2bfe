//! What scripts get from `ctx.kvdb`, on a real embedded store.

use std::path::PathBuf;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Instant;

use super::TABLE;
use crate::base::{Cid, Code, Fault, Handle, Map, Place, ServiceName, SystemClock, Value};
use crate::contract::{
    Args, Call, Connections, Core, Ctx, Declaration, Entry, HostCall, KeyValue, Limits, Ports,
    Services, Settings, Started,
};
use crate::kvdb::{Durability, open};
use crate::tasks::Tasks;

/// A server without anything but a store.
struct Bare;

impl Connections for Bare {
    fn outgoing(&self, kind: &str, name: &str) -> Result<Handle, Fault> {
        Err(Fault::new(
            Code::UnknownConnection,
            format!("{kind} {name}"),
        ))
    }
}

impl Settings for Bare {
    fn file(&self, _name: &str) -> Option<Value> {
        None
    }
}

impl Services for Bare {
    fn find(&self, _name: &str) -> Option<Arc<Entry>> {
        None
    }
    fn names(&self) -> Vec<ServiceName> {
        Vec::new()
    }
}

struct Script {
    call: Rc<Call>,
    dir: PathBuf,
}

impl Drop for Script {
    fn drop(&mut self) {
        drop(std::fs::remove_dir_all(&self.dir));
    }
}

impl Script {
    fn new() -> Self {
        let dir = std::env::temp_dir().join(format!("kladka-host-kvdb-{}", Cid::fresh()));
        std::fs::create_dir_all(&dir).unwrap();
        let kvdb = open("embedded", &dir, Durability::Batched, &Tasks::default()).unwrap();
        let call = Rc::new(call(kvdb));
        Self { call, dir }
    }

    fn run(&self, name: &str, args: Vec<Value>) -> Result<Value, Fault> {
        let path = format!("kvdb.{name}");
        let function = TABLE.iter().find(|function| function.path == path).unwrap();
        let HostCall::Either(run) = function.call else {
            panic!("{path} waits, or never does");
        };
        match run(&self.call, Args::new(args)) {
            Started::Done(result) => result,
            Started::Later(_) => panic!("{path}: the embedded store answers at once"),
        }
    }

    /// Runs a function with arguments written as a JSON list; returns the result as JSON, or the
    /// fault's code.
    fn ask(&self, name: &str, args: &str) -> String {
        let args: Vec<serde_json::Value> = serde_json::from_str(args).unwrap();
        match self.run(name, args.iter().map(Value::from).collect()) {
            Ok(value) => serde_json::Value::from(&value).to_string(),
            Err(fault) => fault.code().to_string(),
        }
    }
}

fn call(kvdb: Arc<dyn KeyValue>) -> Call {
    let ports = Ports {
        kvdb,
        connections: Arc::new(Bare),
        settings: Arc::new(Bare),
        clock: Arc::new(SystemClock),
    };
    let ctx = Ctx {
        cid: Cid::fresh(),
        caller: Arc::default(),
        channel: None,
        job: None,
        request: Arc::default(),
        deadline: Instant::now(),
        depth: 0,
        limits: Limits::default(),
        ports: Arc::new(ports),
        services: Arc::new(Bare),
    };
    Call {
        core: Rc::new(Core::new(0)),
        ctx,
        service: Arc::new(declaration()),
        log_used: 0.into(),
        outgoing_used: 0.into(),
        outgoing_turns: tokio::sync::Semaphore::new(6),
    }
}

fn declaration() -> Declaration {
    Declaration {
        name: ServiceName::new("test").unwrap(),
        doc: String::new(),
        input: None,
        output: None,
        timeout: None,
        cpu: None,
        uses: None,
        place: Place::new("scripts/test.lua", 1, 1),
        language: "lua",
    }
}

const STEPS: &[(&str, &str, &str)] = &[
    ("get", r#"["k"]"#, "null"),
    ("set", r#"["k", "v"]"#, "true"),
    ("get", r#"["k", null]"#, r#""v""#),
    ("set", r#"["k", 3.0, {"nx": true}]"#, "false"),
    ("set", r#"["k", 3.0, {"xx": true, "nx": false}]"#, "true"),
    ("get", r#"["k"]"#, r#""3""#),
    ("incr", r#"["k"]"#, "4"),
    ("incr", r#"["k", 2.0]"#, "6"),
    ("decr", r#"["k"]"#, "5"),
    ("decr", r#"["k", 10]"#, "-5"),
    ("set", r#"["k", true, {"get": true}]"#, r#""-5""#),
    ("set", r#"["new", 1, {"get": true}]"#, "null"),
    ("get", r#"["k"]"#, r#""true""#),
    ("set", r#"["k", 1.5, {"ttl": "2m"}]"#, "true"),
    ("ttl", r#"["k"]"#, "120"),
    ("set", r#"["k", 1, {"ttl": 60.4}]"#, "true"),
    ("ttl", r#"["k"]"#, "60"),
    ("set", r#"["k", 2, {"keepttl": true}]"#, "true"),
    ("ttl", r#"["k"]"#, "60"),
    ("expire", r#"["k", "1h", {"gt": true}]"#, "1"),
    ("ttl", r#"["k"]"#, "3600"),
    ("expire", r#"["k", 10]"#, "1"),
    ("ttl", r#"["k"]"#, "10"),
    ("ttl", r#"["none"]"#, "-2"),
    ("exists", r#"["k", "none", "k"]"#, "2"),
    ("mset", r#"[{"a": 1, "b": "2"}]"#, "true"),
    ("mset", r#"["c", 3]"#, "true"),
    ("mget", r#"["a", "none", "c"]"#, r#"["1",null,"3"]"#),
    ("mget", r#"[["a", "b"]]"#, r#"["1","2"]"#),
    ("delete", r#"["a", "none"]"#, "1"),
    ("delete", r#"[["b", "c"]]"#, "2"),
    ("hset", r#"["h", {"f": 1, "g": "x"}]"#, "2"),
    ("hset", r#"["h", "f", 2, "i", 3]"#, "1"),
    ("hget", r#"["h", "f"]"#, r#""2""#),
    ("hgetall", r#"["h"]"#, r#"{"f":"2","g":"x","i":"3"}"#),
    ("hgetall", r#"["none"]"#, "{}"),
    ("hdel", r#"["h", ["f", "g"]]"#, "2"),
    ("rpush", r#"["l", "a", ["b", "c"]]"#, "3"),
    ("lpush", r#"["l", 0]"#, "4"),
    ("lrange", r#"["l"]"#, r#"["0","a","b","c"]"#),
    ("lrange", r#"["l", 1, 2]"#, r#"["a","b"]"#),
    ("lrange", r#"["l", -1.0]"#, r#"["c"]"#),
    ("llen", r#"["l"]"#, "4"),
    ("lpop", r#"["l", null]"#, r#""0""#),
    ("rpop", r#"["l", 2]"#, r#"["c","b"]"#),
    ("sadd", r#"["s", "b", "a"]"#, "2"),
    ("srem", r#"["s", "b"]"#, "1"),
    ("smembers", r#"["s"]"#, r#"["a"]"#),
    ("zadd", r#"["z", 1, "a", 2.5, "b"]"#, "2"),
    ("zadd", r#"["z", 3, "a", {"xx": true, "ch": true}]"#, "1"),
    ("zadd", r#"["z", 1, "a", {"incr": true}]"#, r#""4""#),
    ("zrange", r#"["z"]"#, r#"["b","a"]"#),
    (
        "zrange",
        r#"["z", 0, -1, {"withscores": true, "rev": true}]"#,
        r#"[{"member":"a","score":4},{"member":"b","score":2.5}]"#,
    ),
    (
        "zrange",
        r#"["z", "(2.5", "+inf", {"byscore": true, "limit": [0, 5]}]"#,
        r#"["a"]"#,
    ),
    ("zrem", r#"["z", "a", "b"]"#, "2"),
    (
        "scan",
        r#"["0", {"match": "s", "count": 1000}]"#,
        r#"{"cursor":"0","keys":["s"]}"#,
    ),
    (
        "scan",
        r#"[null, {"match": "nothing", "count": 1000}]"#,
        r#"{"cursor":"0","keys":[]}"#,
    ),
    // Mistakes.
    ("get", "[]", "KL-S102"),
    ("get", r#"[{"a": 1}]"#, "KL-K100"),
    ("set", r#"["k"]"#, "KL-S102"),
    ("set", r#"["k", {"a": 1}]"#, "KL-S102"),
    ("set", r#"["k", 1, {"tll": 5}]"#, "KL-S102"),
    ("set", r#"["k", 1, {"ttl": "soon"}]"#, "KL-S102"),
    ("set", r#"["k", 1, {"ttl": 0}]"#, "KL-K100"),
    ("set", r#"["k", 1, {"nx": "yes"}]"#, "KL-S102"),
    ("set", r#"["k", 1, {"nx": true, "xx": true}]"#, "KL-K100"),
    ("expire", r#"["k"]"#, "KL-S102"),
    ("incr", r#"["k", "x"]"#, "KL-S102"),
    ("rpush", r#"["k", "x"]"#, "KL-K101"),
    ("rpush", r#"["k"]"#, "KL-K100"),
    ("rpush", r#"["k", "a", null, "b"]"#, "KL-S102"),
    ("zrange", r#"["z", 0, -1, {"limit": 5}]"#, "KL-S102"),
    ("hset", r#"["h", "f"]"#, "KL-K100"),
];

#[tokio::test]
async fn scripts_get_what_they_expect() {
    let script = Script::new();
    for (name, args, wanted) in STEPS {
        assert_eq!(script.ask(name, args), *wanted, "{name} {args}");
    }
}

#[tokio::test]
async fn bytes_that_are_no_text_come_back_as_bytes() {
    let script = Script::new();
    let raw = Value::Bytes(bytes::Bytes::from_static(b"\xff\0"));
    script.run("set", vec!["k".into(), raw.clone()]).unwrap();
    assert_eq!(script.run("get", vec!["k".into()]).unwrap(), raw);
}

#[tokio::test]
async fn a_misspelt_option_is_named() {
    let script = Script::new();
    let mut options = Map::new();
    options.set("tll", 5);
    let fault = script
        .run("set", vec!["k".into(), "v".into(), options.into()])
        .unwrap_err();
    assert_eq!(fault.message(), "there is no option `tll`");
    assert_eq!(fault.hint_text(), Some("Did you mean `ttl`?"));
}

#[test]
fn every_function_of_the_contract_is_there_and_explained() {
    let contract = "get set delete exists expire ttl incr decr mget mset hget hset hgetall hdel lpush \
                    rpush lpop rpop lrange llen sadd srem smembers zadd zrange scan";
    for name in contract.split_whitespace() {
        let path = format!("kvdb.{name}");
        assert!(TABLE.iter().any(|function| function.path == path), "{path}");
    }
    for function in TABLE {
        assert!(function.doc.ends_with('.'), "{}", function.path);
        assert!(!function.examples.is_empty(), "{}", function.path);
        for example in function.examples {
            let result: Result<serde_json::Value, _> = serde_json::from_str(example.result);
            assert!(result.is_ok(), "{}: {}", function.path, example.result);
            let name = function.path.strip_prefix("kvdb.").unwrap();
            assert!(
                example.lua.contains(&format!("ctx.kvdb:{name}(")),
                "{}",
                example.lua
            );
            assert!(
                example.rhai.contains(&format!("ctx.kvdb.{name}(")),
                "{}",
                example.rhai
            );
        }
    }
}

#[tokio::test]
async fn a_reply_that_is_there_needs_no_wait() {
    let script = Script::new();
    // `run` fails when it must wait.
    assert_eq!(script.run("get", vec!["k".into()]).unwrap(), Value::Null);
}
