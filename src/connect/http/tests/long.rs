//! Calls that take long run on threads of their own: real scripts on a real data plane.
#![expect(
    clippy::disallowed_methods,
    reason = "each test waits for what it spawned"
)]

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use super::support::{Maker, WAIT};
use super::until;
use crate::base::{Caller, Cid, Code, Fault, Map, ServiceName, Value};
use crate::connect::http::{Fallback, HttpLimits, Shared, Threads, start_cores};
use crate::contract::{
    Answer, Ctx, Dispatch, Effect, Engine, Entry, FormatMaker, Handover, HostCall, HostFn,
    Invocation, Limits, Placement, Receiver, Request, Services as _, Source, SourceSet, Type,
};
use crate::gateway::Gateway;
use crate::script::lua::LuaEngine;
use crate::script::rhai::RhaiEngine;
use crate::security::tests::{Keys, ports};
use crate::service::Registry;
use crate::tasks::Tasks;

/// Calls of `probe.begin` minus calls that ended or were cancelled since.
static HELD: AtomicUsize = AtomicUsize::new(0);

struct Held;

impl Drop for Held {
    fn drop(&mut self) {
        HELD.fetch_sub(1, Ordering::SeqCst);
    }
}

const PROBE: &[HostFn] = &[
    HostFn {
        path: "probe.spot",
        receiver: Receiver::Library,
        args: &[],
        returns: Type::Text,
        effect: Effect::Read,
        doc: "",
        examples: &[],
        call: HostCall::Now(|_, _| {
            let thread = std::thread::current();
            Ok(Value::text(thread.name().unwrap_or_default()))
        }),
    },
    HostFn {
        path: "probe.burn",
        receiver: Receiver::Library,
        args: &[],
        returns: Type::Nothing,
        effect: Effect::Pure,
        doc: "",
        examples: &[],
        call: HostCall::Now(|_, _| {
            let until = thread_cpu() + Duration::from_millis(3);
            while thread_cpu() < until {}
            Ok(Value::Null)
        }),
    },
    HostFn {
        path: "probe.hold",
        receiver: Receiver::Library,
        args: &[],
        returns: Type::Nothing,
        effect: Effect::Read,
        doc: "",
        examples: &[],
        call: HostCall::Wait(|_, _| {
            Box::pin(async {
                HELD.fetch_add(1, Ordering::SeqCst);
                let _held = Held;
                std::future::pending().await
            })
        }),
    },
];

/// Returns the processor time of this thread; on a busy machine the clock on the wall runs faster.
fn thread_cpu() -> Duration {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap();
    Duration::from_nanos(text.split_whitespace().next().unwrap().parse().unwrap())
}

/// A data plane with one core, one thread for long calls or none, and the services of some scripts.
struct Plane {
    dispatch: Dispatch,
    shared: Arc<Shared>,
    threads: Vec<std::thread::JoinHandle<()>>,
}

impl Plane {
    fn start(long: usize, scripts: &[&str]) -> Self {
        let registry = Arc::new(Registry::default());
        registry.swap(entries(scripts));
        let gateway = Gateway {
            registry,
            ports: Arc::new(ports(chrono::Utc::now(), Keys::default())),
            limits: Limits::default(),
            open: false,
            stories: None,
        };
        let makers: [&dyn FormatMaker; 3] = [&Maker("json"), &Maker("xml"), &Maker("soap")];
        let shared = Arc::new(Shared::new(
            Arc::new(gateway),
            Fallback::new(&makers).unwrap(),
            HttpLimits::default(),
            None,
            crate::script::sweep,
            Tasks::default(),
        ));
        let (dispatch, threads) = start_cores(Threads { cores: 1, long }, &shared).unwrap();
        Self {
            dispatch,
            shared,
            threads,
        }
    }

    fn ctx(&self) -> Ctx {
        let gateway = &self.shared.gateway;
        Ctx {
            cid: Cid::accept("cid-7").unwrap(),
            caller: Arc::new(Caller::default()),
            channel: None,
            job: None,
            request: Arc::new(Request::default()),
            deadline: Instant::now() + WAIT,
            depth: 0,
            limits: gateway.limits,
            ports: Arc::clone(&gateway.ports),
            services: gateway.registry.load(),
        }
    }

    async fn call(&self, service: &str) -> Result<Answer, Fault> {
        self.dispatch.invoke(self.invocation(service)).await
    }

    fn invocation(&self, service: &str) -> Invocation {
        Invocation {
            ctx: self.ctx(),
            service: ServiceName::new(service).unwrap(),
            input: Value::Map(Map::new()),
        }
    }

    async fn text(&self, service: &str) -> String {
        let value = self.call(service).await.unwrap().value;
        let Value::Map(map) = value else {
            panic!("{value:?}")
        };
        let text = map.get("r").and_then(Value::as_str);
        text.unwrap_or_default().to_owned()
    }

    fn placement(&self, service: &str) -> Placement {
        let services = self.shared.gateway.registry.load();
        services.find(service).unwrap().service.placement()
    }

    /// Closes it and waits until all its threads have ended.
    async fn joined(self) {
        self.shared.tasks.soft.cancel();
        let Self {
            threads, dispatch, ..
        } = self;
        let join = move || {
            for thread in threads {
                thread.join().unwrap();
            }
        };
        let joined = tokio::task::spawn_blocking(join);
        tokio::time::timeout(WAIT, joined).await.unwrap().unwrap();
        drop(dispatch);
    }
}

/// Loads scripts; those in Rhai begin with `service(`.
fn entries(scripts: &[&str]) -> Vec<Arc<Entry>> {
    let mut tables = crate::script::host::TABLES.to_vec();
    tables.push(PROBE);
    let engines: [&dyn Engine; 2] = [&LuaEngine::new(tables.clone()), &RhaiEngine::new(tables)];
    let mut set = SourceSet::default();
    for (number, text) in scripts.iter().enumerate() {
        let ending = if text.starts_with("service(") {
            "rhai"
        } else {
            "lua"
        };
        let path = format!("scripts/s{number}.{ending}");
        let source = Source {
            path: path.clone(),
            module: format!("s{number}"),
            text: (*text).to_owned(),
            sha256: String::new(),
        };
        set.by_path.insert(path, Arc::new(source));
    }
    let set = Arc::new(set);
    let mut all = Vec::new();
    for path in set.by_path.keys() {
        let engine = engines[usize::from(path.ends_with("rhai"))];
        let loaded = engine.load(&set, path);
        let loaded = loaded.unwrap_or_else(|faults| panic!("{faults:#?}"));
        all.extend(loaded.services.into_iter().map(|service| {
            Arc::new(Entry {
                service,
                revision: 1,
                path: path.clone(),
                direct: Arc::default(),
            })
        }));
    }
    all
}

/// Computes for half a second.
const BUSY: &str = "return service { name = 'busy', cpu = 'long', handle = function(ctx)
    local from = os.clock()
    while os.clock() - from < 0.5 do end
    ctx.response.payload.r = probe.spot()
end }";
const QUICK: &str = "return service { name = 'quick', handle = function(ctx)
    ctx.response.payload.r = probe.spot()
end }";

#[tokio::test]
async fn a_long_call_does_not_delay_its_neighbours() {
    // A busy machine may spoil a measurement, not three of them.
    let mut medians = Vec::new();
    for _ in 0..3 {
        let plane = Arc::new(Plane::start(1, &[BUSY, QUICK]));
        assert_eq!(plane.text("quick").await, "core-0");
        let busy = Arc::clone(&plane);
        let busy = tokio::spawn(async move { busy.text("busy").await });
        let mut waits = Vec::new();
        while !busy.is_finished() {
            let begun = Instant::now();
            plane.text("quick").await;
            waits.push(begun.elapsed());
        }
        assert_eq!(busy.await.unwrap(), "long-0");
        waits.sort();
        medians.push(waits[waits.len() / 2]);
    }
    let best = medians.iter().min().unwrap();
    assert!(*best < Duration::from_millis(5), "medians {medians:?}");
}

#[tokio::test]
async fn without_such_threads_long_calls_run_beside_the_others() {
    let plane = Plane::start(0, &[BUSY]);
    assert_eq!(plane.text("busy").await, "core-0");
    plane.joined().await;
}

/// Holds its core for 30 ms of processor time, giving way in between, and answers where.
const HEAVY: &str = "return service { name = 'heavy', handle = function(ctx)
    for i = 1, 10 do probe.burn() end
    ctx.response.payload.r = probe.spot()
end }";

const HEAVY_RHAI: &str = "service(#{ name: \"heavy\" });
fn handle(ctx) {
    for i in 0..10 { probe.burn(); }
    ctx.response.payload.r = probe.spot();
}";

#[tokio::test]
async fn a_service_that_holds_its_core_again_and_again_moves() {
    for heavy in [HEAVY, HEAVY_RHAI] {
        let plane = Plane::start(1, &[heavy]);
        assert_eq!(plane.placement("heavy"), Placement::Shared);
        let mut calls = 0;
        while plane.placement("heavy") == Placement::Shared {
            assert_eq!(plane.text("heavy").await, "core-0");
            calls += 1;
            assert!(calls < 100, "it never moves");
        }
        assert!(calls >= 4, "moved after {calls}");
        assert_eq!(plane.text("heavy").await, "long-0");
        let again = entries(&[heavy]);
        assert_eq!(again[0].service.placement(), Placement::Shared);
        plane.joined().await;
    }
}

/// A service on a core asks one on threads for long calls, and that one a third, in Lua.
const ELSEWHERE_RHAI: &[&str] = &[
    "service(#{ name: \"asks\" });
fn handle(ctx) { ctx.response.payload.r = probe.spot() + \" \" + ctx.invoke(\"long\").r; }",
    "service(#{ name: \"long\", cpu: \"long\", output: [\"r\"] });
fn handle(ctx) { ctx.response.payload.r = probe.spot() + \" \" + ctx.invoke(\"where\").r; }",
    "return service { name = 'where', handle = function(ctx)
    ctx.response.payload.r = probe.spot() .. ' ' .. ctx.cid
end }",
    "service(#{ name: \"deep\", cpu: \"long\" });\nfn handle(ctx) { ctx.invoke(\"deep\"); }",
    "service(#{ name: \"sleepy\", cpu: \"long\", timeout: \"50ms\" });\nfn handle(ctx) { loop { } }",
];

#[tokio::test]
async fn a_call_in_rhai_elsewhere_keeps_what_it_is() {
    let plane = Plane::start(1, ELSEWHERE_RHAI);
    assert_eq!(plane.placement("long"), Placement::Long);
    assert_eq!(plane.text("asks").await, "core-0 long-0 long-0 cid-7");
    let fault = plane.call("deep").await.unwrap_err();
    assert_eq!(fault.code(), Code::TooNested);
    let fault = plane.call("sleepy").await.unwrap_err();
    assert_eq!(fault.code(), Code::WallBudget);
    plane.joined().await;
}

#[tokio::test]
async fn a_call_elsewhere_keeps_what_it_is() {
    let all =
        "local function where(ctx) ctx.response.payload.r = probe.spot() .. ' ' .. ctx.cid end
return {
    service { name = 'asks', handle = function(ctx)
        ctx.response.payload.r = probe.spot() .. ' ' .. ctx:invoke('long').r
    end },
    service { name = 'long', cpu = 'long', output = { 'r' }, handle = function(ctx)
        ctx.response.payload.r = probe.spot() .. ' ' .. ctx:invoke('where').r
    end },
    service { name = 'where', handle = where },
    service { name = 'fails', cpu = 'long', handle = function(ctx)
        local nothing
        return nothing.field
    end },
    service { name = 'deep', cpu = 'long', handle = function(ctx) ctx:invoke('deep') end },
    service { name = 'sleepy', cpu = 'long', timeout = '50ms', handle = function(ctx)
        while true do end
    end },
}";
    let plane = Plane::start(1, &[all]);
    assert_eq!(plane.text("asks").await, "core-0 long-0 long-0 cid-7");
    let fault = plane.call("fails").await.unwrap_err();
    let place = fault.place().unwrap();
    assert_eq!(
        (&*place.path, place.line),
        ("scripts/s0.lua", 12),
        "{fault:?}"
    );
    let fault = plane.call("deep").await.unwrap_err();
    assert_eq!(fault.code(), Code::TooNested);
    assert!(fault.message().contains("16 deep"), "{fault}");
    let fault = plane.call("sleepy").await.unwrap_err();
    assert_eq!(fault.code(), Code::WallBudget);
    plane.joined().await;
}

#[tokio::test]
async fn the_budget_of_a_long_call_is_kept() {
    let lua = "return service { name = 'spins', cpu = '11s', handle = function()
        while true do end
    end }";
    let rhai = "service(#{ name: \"spins\", cpu: \"11s\" });\nfn handle(ctx) { loop { } }";
    for spins in [lua, rhai] {
        let plane = Plane::start(1, &[spins]);
        let services = plane.shared.gateway.registry.load();
        let entry = services.find("spins").unwrap();
        assert_eq!(entry.service.placement(), Placement::Long);
        // As a core hands it over, but with a budget that a test can wait for.
        let mut ctx = plane.ctx();
        ctx.limits.cpu_ms = 100;
        let handover = Handover {
            ctx,
            service: Arc::clone(&entry.service),
            input: Value::Map(Map::new()),
        };
        let fault = plane.dispatch.hand_over(handover).await.unwrap_err();
        assert_eq!((fault.code(), fault.status()), (Code::CpuBudget, 504));
        plane.joined().await;
    }
}

#[tokio::test]
async fn who_stops_waiting_cancels_a_long_call() {
    let lua = "return service { name = 'holds', cpu = 'long', handle = function()
        probe.hold()
    end }";
    let rhai = "service(#{ name: \"holds\", cpu: \"long\" });\nfn handle(ctx) { probe.hold(); }";
    for holds in [lua, rhai] {
        let plane = Arc::new(Plane::start(1, &[holds, QUICK]));
        let held = Arc::clone(&plane);
        let call = tokio::spawn(async move { held.call("holds").await });
        until("the call began", || HELD.load(Ordering::SeqCst) == 1).await;
        call.abort();
        until("the call is gone", || HELD.load(Ordering::SeqCst) == 0).await;
        assert!(call.await.unwrap_err().is_cancelled());
        assert_eq!(plane.text("quick").await, "core-0");
    }
}

#[tokio::test]
async fn a_long_call_that_runs_is_finished_when_the_server_closes() {
    let plane = Plane::start(1, &[BUSY]);
    let (invocation, dispatch) = (plane.invocation("busy"), plane.dispatch.clone());
    let call = tokio::spawn(async move { dispatch.invoke(invocation).await });
    // What comes after it on the one core finds it under way.
    tokio::task::yield_now().await;
    plane.call("none").await.unwrap_err();
    plane.joined().await;
    assert!(call.await.unwrap().is_ok());
}
