//! Everything that is measured, ready to start: Kladka, OpenResty, the hand-written servers, Redis.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::rc::Rc;
use std::time::{Duration, Instant};

use crate::proc::Running;

/// The key every peer must find.
pub(crate) const KEY: &str = "linuxjournal:rates:2013:09:03";
/// The body every call sends.
pub(crate) const BODY: &str = r#"{"year":2013,"month":9,"day":3}"#;

/// A server under measurement.
pub(crate) struct Peer {
    /// Its name in the table.
    pub(crate) name: &'static str,
    /// The process whose tree is measured.
    pub(crate) process: Rc<Running>,
    /// Where the call goes.
    pub(crate) url: String,
    /// The body of the call.
    pub(crate) body: String,
    /// Whether calls go to Redis.
    pub(crate) uses_redis: bool,
}

impl Peer {
    /// A peer that is asked for the rate and has nothing to do with Redis.
    pub(crate) fn new(name: &'static str, process: impl Into<Rc<Running>>, url: String) -> Self {
        let (process, body) = (process.into(), BODY.to_owned());
        Self {
            name,
            process,
            url,
            body,
            uses_redis: false,
        }
    }

    /// The same with another body.
    pub(crate) fn sent(self, body: &str) -> Self {
        Self {
            body: body.to_owned(),
            ..self
        }
    }

    /// The same, its use of Redis measured.
    pub(crate) fn with_redis(self, uses_redis: bool) -> Self {
        Self { uses_redis, ..self }
    }
}

/// Returns a port that was free a moment ago.
pub(crate) fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .port()
}

/// Returns a fresh directory for this run.
pub(crate) fn fresh_dir(name: &str) -> PathBuf {
    let dir = std::env::temp_dir().join(format!("kladka-bench-{}-{name}", std::process::id()));
    fs::remove_dir_all(&dir).ok();
    fs::create_dir_all(&dir).unwrap();
    dir
}

/// Waits until a port accepts.
pub(crate) fn wait_for(port: u16) {
    let deadline = Instant::now() + Duration::from_secs(10);
    while TcpStream::connect(("127.0.0.1", port)).is_err() {
        assert!(Instant::now() < deadline, "nothing listens on {port}");
        std::thread::park_timeout(Duration::from_millis(2));
    }
}

/// Starts a redis-server on processor 1 with the key in it.
pub(crate) fn redis() -> (Running, u16) {
    let port = free_port();
    let dir = fresh_dir("redis");
    let port_text = port.to_string();
    let arguments = [
        "--port",
        &port_text,
        "--bind",
        "127.0.0.1",
        "--save",
        "",
        "--appendonly",
        "no",
        "--dir",
        dir.to_str().unwrap(),
    ];
    let running = Running::pinned(1, "redis-server", &arguments, &[]);
    wait_for(port);
    let mut connection = TcpStream::connect(("127.0.0.1", port)).unwrap();
    connection
        .write_all(format!("SET {KEY} 1.22\r\n").as_bytes())
        .unwrap();
    let mut reply = [0; 5];
    connection.read_exact(&mut reply).unwrap();
    assert_eq!(&reply, b"+OK\r\n");
    (running, port)
}

/// Starts one of the hand-written servers.
pub(crate) fn handmade(name: &'static str, kind: &str, redis_port: u16) -> Peer {
    let port = free_port();
    let own = std::env::current_exe().unwrap();
    let process = Running::pinned(
        0,
        own.to_str().unwrap(),
        &[kind, &port.to_string(), &redis_port.to_string()],
        &[],
    );
    wait_for(port);
    let url = format!("http://127.0.0.1:{port}/client1/get-rate");
    Peer::new(name, process, url).with_redis(kind == "serve-redis")
}

/// The binary under measurement.
pub(crate) fn kladka() -> &'static str {
    env!("CARGO_BIN_EXE_kladka")
}

/// Makes a project as `kladka init` does with these arguments.
pub(crate) fn project(name: &str, arguments: &[&str]) -> PathBuf {
    let dir = fresh_dir(name).join("project");
    let made = Command::new(kladka())
        .arg("init")
        .arg(&dir)
        .args(arguments)
        .output()
        .unwrap();
    assert!(
        made.status.success(),
        "{}",
        String::from_utf8_lossy(&made.stderr)
    );
    dir
}

/// Starts Kladka on a project with one core on processor 0, and waits for its endpoints.
pub(crate) fn kladka_on(project: &Path, kvdb: &str) -> (Running, serde_json::Value) {
    let endpoints = project.join("data/endpoints.json");
    fs::remove_file(&endpoints).ok();
    let variables = [
        ("KLADKA_LISTEN_SERVICES", "127.0.0.1:0"),
        ("KLADKA_LISTEN_ADMIN", "127.0.0.1:0"),
        ("KLADKA_LIMITS_CORES", "1"),
        ("KLADKA_KVDB_URL", kvdb),
        ("KLADKA_CLIENT1_KEY", "demo-one"),
        ("TREASURY_URL", "http://127.0.0.1:9"),
    ];
    let process = Running::pinned(
        0,
        kladka(),
        &["start", "--project", project.to_str().unwrap()],
        &variables,
    );
    let deadline = Instant::now() + Duration::from_mins(1);
    loop {
        let text = fs::read_to_string(&endpoints).unwrap_or_default();
        if let Ok(endpoints) = serde_json::from_str(&text) {
            return (process, endpoints);
        }
        assert!(Instant::now() < deadline, "kladka did not start");
        std::thread::park_timeout(Duration::from_millis(1));
    }
}

/// Raises the scenario's rate limit: it is counted as before, but no call of the measurement meets it.
pub(crate) fn unbound(project: &Path) {
    let path = project.join("config/objects.yaml");
    let text = fs::read_to_string(&path).unwrap();
    fs::write(path, text.replace("limit: 20000,", "limit: 4000000000,")).unwrap();
}

/// Starts Kladka with the scenario in a language and the key in its store.
pub(crate) fn kladka_peer(name: &'static str, language: &str, kvdb: &str) -> Peer {
    let store = kvdb.split(':').next().unwrap();
    let project = project(
        &format!("{language}-{store}"),
        &["--template", "rates", "--lang", language],
    );
    unbound(&project);
    let seed = format!(
        "return service {{ name = \"bench.seed\", handle = function(ctx) ctx.kvdb:set(\"{KEY}\", \"1.22\") end }}\n"
    );
    fs::write(project.join("scripts/seed.lua"), seed).unwrap();
    let (process, endpoints) = kladka_on(&project, kvdb);
    let seeded = Command::new(kladka())
        .arg("--project")
        .arg(&project)
        .args(["service", "invoke", "bench.seed"])
        .output()
        .unwrap();
    assert!(
        seeded.status.success(),
        "{}",
        String::from_utf8_lossy(&seeded.stderr)
    );
    let url = format!(
        "{}/client1/get-rate",
        endpoints["services"].as_str().unwrap()
    );
    Peer::new(name, process, url).with_redis(kvdb.starts_with("redis"))
}

/// Starts OpenResty's modules in Debian's nginx with one worker: key check, JSON in and out, store as given.
pub(crate) fn openresty(name: &'static str, redis_port: Option<u16>) -> Peer {
    let port = free_port();
    let dir = fresh_dir(&format!("nginx-{port}"));
    let read = match redis_port {
        Some(redis_port) => format!(
            r#"local redis = require("nginx.redis"):new()
            redis:set_timeout(1000)
            local ok, err = redis:connect("127.0.0.1", {redis_port})
            if not ok then ngx.status = 503 ngx.say(err) return end
            local rate = redis:get(key)
            redis:set_keepalive(10000, 64)
            if rate == ngx.null then rate = nil end"#
        ),
        None => "local rate = ngx.shared.rates:get(key)".to_owned(),
    };
    let config = format!(
        r#"load_module /usr/share/nginx/modules/ndk_http_module.so;
load_module /usr/share/nginx/modules/ngx_http_lua_module.so;
worker_processes 1; daemon off; master_process on; pid {dir}/pid; error_log {dir}/error.log warn; user root;
events {{ worker_connections 512; }}
http {{
  access_log off; keepalive_requests 1000000000; client_body_temp_path {dir}/body; proxy_temp_path {dir}/proxy;
  fastcgi_temp_path {dir}/fastcgi; uwsgi_temp_path {dir}/uwsgi; scgi_temp_path {dir}/scgi;
  lua_shared_dict rates 1m; client_body_buffer_size 1m;
  init_by_lua_block {{ cjson = require "cjson"; ngx.shared.rates:set("{KEY}", "1.22") }}
  server {{
    listen 127.0.0.1:{port};
    location /client1/get-rate {{ content_by_lua_block {{
      if ngx.var.http_x_api_key ~= "demo-one" then ngx.status = 401 return end
      ngx.req.read_body()
      local input = cjson.decode(ngx.req.get_body_data())
      local key = string.format("linuxjournal:rates:%d:%02d:%02d", input.year, input.month, input.day)
      {read}
      ngx.header["Content-Type"] = "application/json"
      ngx.print(cjson.encode({{ response = {{ rate = rate }} }}))
    }} }}
    location /echo {{ content_by_lua_block {{
      ngx.req.read_body()
      local document = cjson.decode(ngx.req.get_body_data())
      ngx.header["Content-Type"] = "application/json"
      ngx.print(cjson.encode(document))
    }} }}
  }}
}}
"#,
        dir = dir.display()
    );
    let path = dir.join("nginx.conf");
    fs::write(&path, config).unwrap();
    let process = Running::pinned(
        0,
        "nginx",
        &["-c", path.to_str().unwrap(), "-p", dir.to_str().unwrap()],
        &[],
    );
    wait_for(port);
    let url = format!("http://127.0.0.1:{port}/client1/get-rate");
    Peer::new(name, process, url).with_redis(redis_port.is_some())
}
