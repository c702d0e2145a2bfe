//! A small HTTP server of our own: the other end of outgoing connections.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use super::eventually;

/// A running peer; it ends with the test.
pub(crate) struct Peer {
    address: SocketAddr,
    shared: Arc<Shared>,
}

/// A request as it came.
#[derive(Clone, Debug, Default)]
pub(crate) struct Seen {
    /// The method.
    pub(crate) method: String,
    /// Path and query, as they came.
    pub(crate) target: String,
    /// The headers, names in lower case.
    pub(crate) headers: Vec<(String, String)>,
    /// The body.
    pub(crate) body: Vec<u8>,
}

/// What the peer does with a request.
pub(crate) enum Does {
    /// It answers with a status, a media type and a body.
    Answer(u16, &'static str, Vec<u8>),
    /// It never answers.
    Waits,
}

type Handler = dyn Fn(&Seen) -> Does + Send + Sync;

struct Shared {
    handler: Box<Handler>,
    stopped: AtomicBool,
    seen: Mutex<Vec<Seen>>,
    open: Mutex<Vec<TcpStream>>,
    left: Mutex<usize>,
}

impl Seen {
    /// Returns a header's value.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|(own, _)| own == name);
        found.map(|(_, value)| value.as_str())
    }
}

impl Peer {
    /// Starts a peer on a port of its own.
    pub(crate) fn start(handler: impl Fn(&Seen) -> Does + Send + Sync + 'static) -> Self {
        Self::start_at("127.0.0.1:0".parse().unwrap(), handler)
    }

    /// Starts a peer that answers every request with a text.
    pub(crate) fn saying(text: &'static str) -> Self {
        Self::start(move |_| Does::Answer(200, "text/plain", text.into()))
    }

    /// Starts a peer at an address.
    pub(crate) fn start_at(
        address: SocketAddr,
        handler: impl Fn(&Seen) -> Does + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind(address).unwrap();
        let address = listener.local_addr().unwrap();
        let shared = Arc::new(Shared {
            handler: Box::new(handler),
            stopped: AtomicBool::new(false),
            seen: Mutex::default(),
            open: Mutex::default(),
            left: Mutex::default(),
        });
        let own = Arc::clone(&shared);
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                if own.stopped.load(Ordering::SeqCst) {
                    break;
                }
                own.open.lock().unwrap().push(stream.try_clone().unwrap());
                let own = Arc::clone(&own);
                std::thread::spawn(move || {
                    own.serve(stream);
                    *own.left.lock().unwrap() += 1;
                });
            }
        });
        Self { address, shared }
    }

    /// Returns its address.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Returns its URL, without a slash at the end.
    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Returns all requests so far.
    pub(crate) fn seen(&self) -> Vec<Seen> {
        self.shared.seen.lock().unwrap().clone()
    }

    /// Waits until it has seen a number of requests.
    pub(crate) fn wait_seen(&self, count: usize) {
        eventually(&format!("the peer sees {count} requests"), || {
            (self.seen().len() >= count).then_some(())
        });
    }

    /// Returns how many connections the other side has closed.
    pub(crate) fn left(&self) -> usize {
        *self.shared.left.lock().unwrap()
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        self.shared.stopped.store(true, Ordering::SeqCst);
        // Wakes the listener, which then closes.
        drop(TcpStream::connect(self.address));
        for stream in self.shared.open.lock().unwrap().drain(..) {
            stream.shutdown(Shutdown::Both).ok();
        }
        let closed = || TcpStream::connect(self.address).is_err().then_some(());
        if !std::thread::panicking() {
            eventually("the peer's port is closed", closed);
        }
    }
}

impl Shared {
    fn serve(&self, stream: TcpStream) {
        let mut writer = stream.try_clone().unwrap();
        let mut reader = BufReader::new(stream);
        while let Some(seen) = read(&mut reader) {
            self.seen.lock().unwrap().push(seen.clone());
            let Does::Answer(status, kind, body) = (self.handler)(&seen) else {
                // Until the other side gives up.
                reader.read_to_end(&mut Vec::new()).ok();
                return;
            };
            let head = format!(
                "HTTP/1.1 {status} Word\r\nContent-Type: {kind}\r\nContent-Length: {}\r\n\r\n",
                body.len()
            );
            let sent = writer
                .write_all(head.as_bytes())
                .and_then(|()| writer.write_all(&body));
            if sent.is_err() {
                return;
            }
        }
    }
}

fn read(reader: &mut BufReader<TcpStream>) -> Option<Seen> {
    let mut line = || {
        let mut text = String::new();
        let length = reader.read_line(&mut text).unwrap_or_default();
        (length > 0).then(|| text.trim_end().to_owned())
    };
    let first = line()?;
    let mut words = first.split(' ');
    let mut seen = Seen {
        method: words.next()?.to_owned(),
        target: words.next()?.to_owned(),
        ..Seen::default()
    };
    loop {
        let text = line()?;
        let Some((name, value)) = text.split_once(':') else {
            break;
        };
        let pair = (name.to_ascii_lowercase(), value.trim().to_owned());
        seen.headers.push(pair);
    }
    let length = seen.header("content-length").unwrap_or("0");
    seen.body.resize(length.parse().ok()?, 0);
    reader.read_exact(&mut seen.body).ok()?;
    Some(seen)
}
