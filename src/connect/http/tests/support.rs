//! What the tests of this folder share: routes to services that answer at once.

use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::sync::Semaphore;

use crate::base::{
    ByteSize, Fault, Inbound, LocalBoxFuture, Millis, ObjectName, Place, Reply, ServiceName, Text,
    Value,
};
use crate::connect::http::{
    Fallback, HttpLimits, Router, Shared, State, Threads, accept, start_cores,
};
use crate::contract::{
    Answer, Binding, ChannelPlan, Core, Ctx, Declaration, Decoded, Dispatch, Entry, Format,
    FormatMaker, FormatOptions, HttpBinding, Limits, Service,
};
use crate::gateway::{Gateway, Route};
use crate::net::ServerTls;
use crate::security::tests::{Keys, ports};
use crate::service::Registry;
use crate::tasks::Tasks;

/// A format that passes text through and writes faults as their code.
pub(crate) struct Plain(pub(crate) &'static str);

impl Format for Plain {
    fn name(&self) -> &'static str {
        self.0
    }

    fn decode(&self, inbound: &Inbound) -> Result<Decoded, Fault> {
        let text = String::from_utf8_lossy(&inbound.body);
        Ok(Decoded {
            value: Value::text(text),
            soap: None,
        })
    }

    fn encode(&self, _: &Declaration, answer: Answer, _: &Inbound) -> Result<Reply, Fault> {
        Ok(Reply {
            status: answer.status.unwrap_or(200),
            headers: answer.headers,
            media_type: Text::new("text/plain"),
            body: String::from(answer.value.to_text().unwrap_or_default()).into(),
        })
    }

    fn fault(&self, fault: &Fault, _: &Inbound) -> Reply {
        Reply {
            status: fault.status(),
            headers: fault.headers().to_vec(),
            media_type: Text::new(format!("application/{}", self.0)),
            body: format!("{} {}", fault.code_text(), fault.message()).into(),
        }
    }
}

/// Makes a plan of a channel to the service `svc`; methods are separated by spaces.
pub(crate) fn plan(name: &str, path: &str, methods: &str) -> ChannelPlan {
    ChannelPlan {
        name: ObjectName::new(name).unwrap(),
        service: ServiceName::new("svc").unwrap(),
        format: Arc::new(Plain("plain")),
        guard: None,
        rate_limit: None,
        timeout: Millis::seconds(5),
        body_limit: ByteSize(1 << 20),
        binding: Binding::Http(HttpBinding {
            path: path.to_owned(),
            methods: methods
                .split_whitespace()
                .map(|m| m.parse().unwrap())
                .collect(),
        }),
    }
}

/// Makes a route of such a plan.
pub(crate) fn route(name: &str, path: &str, methods: &str) -> Route {
    Route::new(
        Arc::new(plan(name, path, methods)),
        true,
        &Registry::default(),
    )
}

/// Makes the formats that answers without a channel need.
pub(crate) struct Maker(pub(crate) &'static str);

impl FormatMaker for Maker {
    fn name(&self) -> &'static str {
        self.0
    }

    fn make(&self, _: &FormatOptions) -> Result<Arc<dyn Format>, Fault> {
        Ok(Arc::new(Plain(self.0)))
    }
}

/// What the test's services do.
#[derive(Clone, Copy)]
enum Does {
    /// Gives back parameters and body.
    Echo,
    /// Waits until the test lets it go on.
    Hold,
    /// Answers with so many bytes.
    Big(usize),
    /// Answers with a header HTTP cannot carry.
    BadHeader,
}

struct Fixed {
    does: Does,
    declaration: Arc<Declaration>,
    seen: Arc<Seen>,
}

/// What the services saw, and the gate of those that wait.
pub(crate) struct Seen {
    /// Calls that began.
    pub(crate) calls: AtomicUsize,
    /// Calls that were dropped before they ended.
    pub(crate) cancelled: AtomicUsize,
    /// Lets one waiting call go on for each permit.
    pub(crate) gate: Semaphore,
}

struct Ends<'a>(&'a Seen, bool);

impl Drop for Ends<'_> {
    fn drop(&mut self) {
        self.0
            .cancelled
            .fetch_add(usize::from(!self.1), Ordering::SeqCst);
    }
}

impl Service for Fixed {
    fn declaration(&self) -> &Arc<Declaration> {
        &self.declaration
    }

    fn call<'a>(
        &'a self,
        _core: &'a Rc<Core>,
        ctx: Ctx,
        input: Value,
    ) -> LocalBoxFuture<'a, Result<Answer, Fault>> {
        Box::pin(async move {
            self.seen.calls.fetch_add(1, Ordering::SeqCst);
            let mut ends = Ends(&self.seen, false);
            let mut answer = Answer::default();
            let params = ctx.request.meta.params.iter();
            let params: Vec<_> = params.map(|(n, v)| format!("{n}={v};")).collect();
            let params = params.concat();
            answer.value = Value::text(format!("{params}{}", input.as_str().unwrap_or_default()));
            match self.does {
                Does::Echo => {}
                Does::Hold => self.seen.gate.acquire().await.unwrap().forget(),
                Does::Big(length) => answer.value = Value::text("x".repeat(length)),
                Does::BadHeader => {
                    answer
                        .headers
                        .push((Text::new("x"), Text::new("a\r\nSet-Cookie: b")));
                }
            }
            ends.1 = true;
            Ok(answer)
        })
    }
}

fn service(name: &str, does: Does, seen: &Arc<Seen>) -> Arc<Entry> {
    let declaration = Declaration {
        name: ServiceName::new(name).unwrap(),
        doc: String::new(),
        input: None,
        output: None,
        timeout: None,
        cpu: None,
        uses: None,
        place: Place::new("test", 0, 0),
        language: "native",
    };
    let service = Fixed {
        does,
        declaration: Arc::new(declaration),
        seen: Arc::clone(seen),
    };
    Arc::new(Entry {
        service: Arc::new(service),
        revision: 1,
        path: "test".into(),
        direct: Arc::default(),
    })
}

/// A real data plane on a free port.
pub(crate) struct TestServer {
    pub(crate) address: SocketAddr,
    pub(crate) shared: Arc<Shared>,
    pub(crate) dispatch: Dispatch,
    pub(crate) seen: Arc<Seen>,
    threads: Vec<JoinHandle<()>>,
}

impl TestServer {
    /// Starts it with channels at `/echo`, `/echo/{id}`, `/hold`, `/big` and `/bad-header`.
    pub(crate) fn start(limits: HttpLimits, tls: Option<Arc<ServerTls>>) -> Self {
        let seen = Arc::new(Seen {
            calls: AtomicUsize::new(0),
            cancelled: AtomicUsize::new(0),
            gate: Semaphore::new(0),
        });
        let registry = Arc::new(Registry::default());
        registry.swap(vec![
            service("svc", Does::Echo, &seen),
            service("hold", Does::Hold, &seen),
            service("big", Does::Big(32 << 20), &seen),
            service("bad-header", Does::BadHeader, &seen),
        ]);
        let ports = Arc::new(ports(chrono::Utc::now(), Keys::default()));
        let call_limits = Limits {
            output: 64 << 20,
            ..Limits::default()
        };
        let gateway = Gateway {
            registry: Arc::clone(&registry),
            ports,
            limits: call_limits,
            open: false,
            stories: None,
        };
        let makers: [&dyn FormatMaker; 3] = [&Maker("json"), &Maker("xml"), &Maker("soap")];
        let fallback = Fallback::new(&makers).unwrap();
        let shared = Shared::new(
            Arc::new(gateway),
            fallback,
            limits,
            tls,
            |_core| (),
            Tasks::default(),
        );
        let shared = Arc::new(shared);
        shared.routes.store(Arc::new(router(&registry)));
        shared.set_state(State::Ready);
        let (dispatch, threads) = start_cores(Threads { cores: 2, long: 0 }, &shared).unwrap();
        let listener = crate::net::listen("127.0.0.1:0".parse().unwrap()).unwrap();
        let address = accept(listener, dispatch.clone(), &shared).unwrap();
        Self {
            address,
            shared,
            dispatch,
            seen,
            threads,
        }
    }

    /// Returns an address on it.
    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// Opens a bare connection.
    pub(crate) async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.address).await.unwrap()
    }

    /// Sends bytes on a connection of their own and returns all that comes back until it is closed.
    pub(crate) async fn raw(&self, bytes: &[u8]) -> String {
        let mut stream = self.connect().await;
        stream.write_all(bytes).await.unwrap();
        rest(&mut stream).await
    }

    /// Waits until the cores have ended.
    pub(crate) async fn joined(self) {
        let threads = self.threads;
        let join = move || {
            for thread in threads {
                thread.join().unwrap();
            }
        };
        let joined = tokio::task::spawn_blocking(join);
        tokio::time::timeout(WAIT, joined)
            .await
            .expect("the cores end")
            .unwrap();
    }
}

impl Drop for Seen {
    fn drop(&mut self) {
        self.gate.close();
    }
}

/// Longer than anything here takes.
pub(crate) const WAIT: Duration = Duration::from_secs(20);

/// Reads until the other side closes; a reset counts as that.
pub(crate) async fn rest(stream: &mut (impl AsyncRead + Unpin)) -> String {
    let mut bytes = Vec::new();
    let read = async {
        let mut part = [0; 4096];
        while let Ok(length @ 1..) = stream.read(&mut part).await {
            bytes.extend_from_slice(&part[..length]);
        }
    };
    tokio::time::timeout(WAIT, read)
        .await
        .expect("the connection is closed");
    String::from_utf8_lossy(&bytes).into_owned()
}

/// Waits for a condition.
pub(crate) async fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let wait = async {
        while !holds() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(WAIT, wait)
        .await
        .unwrap_or_else(|_| panic!("never: {what}"));
}

/// Runs something beside the test.
#[expect(
    clippy::disallowed_methods,
    reason = "the test waits for it, or is over"
)]
pub(crate) fn beside<T: Send + 'static>(
    future: impl Future<Output = T> + Send + 'static,
) -> tokio::task::JoinHandle<T> {
    tokio::spawn(future)
}

/// Routes to each of the test services.
fn router(registry: &Registry) -> Router {
    let mut router = Router::default();
    for (name, path, methods, service) in [
        ("echo", "/echo", "GET POST", "svc"),
        ("one", "/echo/{id}", "GET POST", "svc"),
        ("hold", "/hold", "", "hold"),
        ("big", "/big", "GET", "big"),
        ("bad-header", "/bad-header", "GET", "bad-header"),
    ] {
        let mut plan = plan(name, path, methods);
        plan.service = ServiceName::new(service).unwrap();
        let route = Route::new(Arc::new(plan), true, registry);
        router.add(Arc::new(route)).unwrap();
    }
    router
}
