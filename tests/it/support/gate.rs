//! A peer that answers only when told: it keeps a call going for as long as a test needs.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

/// How many calls came, and how many may be answered.
type Counts = Arc<(Mutex<(usize, usize)>, Condvar)>;

/// A peer behind a gate.
pub(crate) struct Gate {
    address: SocketAddr,
    counts: Counts,
}

impl Gate {
    /// Starts a peer that answers nothing yet.
    pub(crate) fn closed() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let counts = Counts::default();
        let own = Arc::clone(&counts);
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let counts = Arc::clone(&own);
                std::thread::spawn(move || answer(&stream, &counts));
            }
        });
        Self { address, counts }
    }

    /// Returns its URL.
    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Waits until `count` calls came.
    pub(crate) fn wait_for(&self, count: usize) {
        let guard = self.counts.0.lock().unwrap();
        let waiting = |counts: &mut (usize, usize)| counts.0 < count;
        let (counts, _) = self
            .counts
            .1
            .wait_timeout_while(guard, Duration::from_secs(20), waiting)
            .unwrap();
        assert!(counts.0 >= count, "{} of {count} calls came", counts.0);
    }

    /// Returns how many calls came.
    pub(crate) fn came(&self) -> usize {
        self.counts.0.lock().unwrap().0
    }

    /// Lets `count` more calls be answered.
    pub(crate) fn release(&self, count: usize) {
        self.counts.0.lock().unwrap().1 += count;
        self.counts.1.notify_all();
    }
}

fn answer(mut stream: &TcpStream, counts: &Counts) {
    let head = BufReader::new(stream)
        .lines()
        .map_while(Result::ok)
        .take_while(|line| !line.is_empty());
    if head.count() == 0 {
        return;
    }
    let mut guard = counts.0.lock().unwrap();
    guard.0 += 1;
    counts.1.notify_all();
    let mut guard = counts.1.wait_while(guard, |counts| counts.1 == 0).unwrap();
    guard.1 -= 1;
    drop(guard);
    // A caller that gave up does not wait for this.
    stream
        .write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok")
        .ok();
}
