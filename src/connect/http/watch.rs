//! What a connection is waiting for, and until when: the facts by which slow and silent peers are cut.
//!
//! A connection task polls hyper and then one timer. The timer is moved only when the next moment to look came
//! nearer, so that a busy connection does not touch it for every request.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::task::Waker;
use std::time::{Duration, Instant};

use crate::base::Code;
use crate::connect::http::framing::Framing;

/// How long a peer may take for each part of an exchange.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Timeouts {
    /// For the TLS handshake, and again for the head of a request from its first byte on; a new connection has as
    /// long for its first request.
    pub(crate) head: Duration,
    /// For the body of a request.
    pub(crate) body: Duration,
    /// For the next request on a connection.
    pub(crate) idle: Duration,
    /// For taking the next part of an answer.
    pub(crate) send: Duration,
    /// For an answer to a peer that said it sends no more: it may wait for the answer, or be gone.
    pub(crate) gone: Duration,
    /// After closing began, for the first request of a connection that has sent none.
    pub(crate) last: Duration,
}

impl Default for Timeouts {
    fn default() -> Self {
        Self {
            head: Duration::from_secs(10),
            body: Duration::from_secs(30),
            idle: Duration::from_secs(75),
            send: Duration::from_secs(30),
            gone: Duration::from_secs(5),
            last: Duration::from_secs(1),
        }
    }
}

/// The code and the message with which a head is refused.
pub(super) type Refusal = (Code, &'static str);

/// The state of one connection. Shared by its task, its socket and its requests, all on one core.
pub(super) struct Watch {
    timeouts: Timeouts,
    opened: Instant,
    /// Requests that are being read, handled or answered.
    in_flight: Cell<usize>,
    /// Whether a request has come at all.
    served: Cell<bool>,
    /// Whether it speaks HTTP/2, where bytes without a request are no sign of one.
    multiplexed: Cell<bool>,
    /// When the last request was done with.
    idle_since: Cell<Instant>,
    /// When the first byte of the next head came.
    head_since: Cell<Option<Instant>>,
    /// Whether the first line of that head has not ended yet.
    in_first_line: Cell<bool>,
    /// Where messages end.
    framing: RefCell<Framing>,
    /// Why the next head is refused; the socket tells the peer.
    refusal: Cell<Option<Refusal>>,
    /// Since when the socket takes nothing.
    blocked_since: Cell<Option<Instant>>,
    /// Answers that are being sent.
    sending: Cell<usize>,
    /// When a part of an answer was last taken.
    sent_at: Cell<Instant>,
    /// When the peer said that it sends no more.
    ended_since: Cell<Option<Instant>>,
    /// When the server began to close.
    closing_since: Cell<Option<Instant>>,
    /// When the connection's own task began to run, while it does: then nobody needs to wake it, and a second look
    /// at the clock would show nothing new.
    polling: Cell<Option<Instant>>,
    waker: RefCell<Waker>,
}

impl Watch {
    pub(super) fn new(timeouts: Timeouts) -> Rc<Self> {
        let now = Instant::now();
        Rc::new(Self {
            timeouts,
            opened: now,
            in_flight: Cell::new(0),
            served: Cell::new(false),
            multiplexed: Cell::new(false),
            idle_since: Cell::new(now),
            head_since: Cell::new(None),
            in_first_line: Cell::new(false),
            framing: RefCell::default(),
            refusal: Cell::default(),
            blocked_since: Cell::new(None),
            sending: Cell::new(0),
            sent_at: Cell::new(now),
            ended_since: Cell::new(None),
            closing_since: Cell::new(None),
            polling: Cell::new(None),
            waker: RefCell::new(Waker::noop().clone()),
        })
    }

    /// Returns when the peer has waited too long, as things stand.
    pub(super) fn deadline(&self) -> Option<Instant> {
        let limits = &self.timeouts;
        let stuck = self.blocked_since.get().map(|since| since + limits.send);
        let sending = (self.sending.get() > 0).then(|| self.sent_at.get() + limits.send);
        if stuck.is_some() || sending.is_some() {
            return stuck.into_iter().chain(sending).min();
        }
        if self.in_flight.get() > 0 {
            return self.ended_since.get().map(|since| since + limits.gone);
        }
        if !self.served.get() {
            let closing = self.closing_since.get().map(|since| since + limits.last);
            return Some(closing.map_or(self.first(), |last| last.min(self.first())));
        }
        let head = self.head_since.get().map(|since| since + limits.head);
        Some(head.unwrap_or(self.idle_since.get() + limits.idle))
    }

    fn first(&self) -> Instant {
        self.opened + self.timeouts.head
    }

    /// Returns how long to sleep when nothing is due.
    pub(super) fn pause(&self) -> Duration {
        self.timeouts.idle
    }

    /// Tells the connection that the server closes.
    pub(super) fn close(&self) {
        self.closing_since.set(Some(self.now()));
        self.wake();
    }

    /// Tells whether hyper may be asked to finish: not before a connection had the chance of a first request.
    pub(super) fn may_finish(&self) -> bool {
        self.closing_since.get().is_some() && self.served.get()
    }

    /// Marks a run of the connection's task; the waker is kept for those outside of it.
    pub(super) fn enter(&self, waker: &Waker) {
        self.polling.set(Some(Instant::now()));
        let mut own = self.waker.borrow_mut();
        if !own.will_wake(waker) {
            own.clone_from(waker);
        }
    }

    /// Marks the end of a run.
    pub(super) fn leave(&self) {
        self.polling.set(None);
    }

    /// Returns the time, as of the beginning of the task's run.
    pub(super) fn now(&self) -> Instant {
        self.polling.get().unwrap_or_else(Instant::now)
    }

    fn wake(&self) {
        if self.polling.get().is_none() {
            self.waker.borrow().wake_by_ref();
        }
    }

    /// Notes that bytes came; returns how many of them may be read on.
    pub(super) fn read(&self, bytes: &[u8]) -> usize {
        if self.multiplexed.get() {
            return bytes.len();
        }
        if self.in_flight.get() == 0 && self.head_since.get().is_none() {
            self.head_since.set(Some(self.now()));
            self.in_first_line.set(true);
            let preface = !self.served.get() && bytes.starts_with(b"PRI * HTTP/2.0\r\n");
            self.multiplexed.set(preface);
        }
        if self.in_first_line.get() {
            let goes_on = memchr::memchr(b'\n', bytes).is_none();
            self.in_first_line.set(goes_on);
        }
        match self.framing.borrow_mut().read(bytes) {
            Ok(()) => bytes.len(),
            Err((begin, why)) => {
                self.refusal.set(Some((Code::BadRequest, why)));
                begin
            }
        }
    }

    /// Notes that the peer sends no more; returns whether to say so now. It may be waiting for answers to whole requests.
    pub(super) fn ends(&self) -> bool {
        if self.in_flight.get() == 0
            || self.multiplexed.get()
            || !self.framing.borrow().is_between()
        {
            return true;
        }
        if self.ended_since.get().is_none() {
            self.ended_since.set(Some(self.now()));
        }
        false
    }

    /// Tells whether the head that is being read has not got beyond its first line.
    pub(super) fn is_in_first_line(&self) -> bool {
        self.head_since.get().is_some() && self.in_first_line.get()
    }

    /// Notes that the peer waited too long, and tells whether that was in the middle of a head.
    pub(super) fn expire(&self) -> bool {
        let head = self.head_since.get().is_some() && !self.multiplexed.get();
        if head {
            let late = (Code::RequestTimeout, "the head came too slowly");
            self.refusal.set(Some(late));
        }
        head
    }

    /// Returns why the next head is refused, if it is.
    pub(super) fn refusal(&self) -> Option<Refusal> {
        self.refusal.get()
    }

    /// Tells whether all requests are answered, so that a refusal does not get in between.
    pub(super) fn is_quiet(&self) -> bool {
        self.in_flight.get() == 0 && self.blocked_since.get().is_none()
    }

    /// Notes that the socket took bytes.
    pub(super) fn wrote(&self) {
        self.blocked_since.set(None);
        // In HTTP/2 these may be answers to pings; there only the parts of an answer count.
        if self.sending.get() > 0 && !self.multiplexed.get() {
            self.sent_at.set(self.now());
        }
    }

    /// Notes whether the socket has taken what it did not take at first.
    pub(super) fn flushed(&self, all: bool) {
        match (all, self.blocked_since.get()) {
            (false, _) => self.blocked(),
            (true, Some(_)) => self.wrote(),
            (true, None) => {}
        }
    }

    /// Notes that the socket takes nothing now.
    pub(super) fn blocked(&self) {
        if self.blocked_since.get().is_none() {
            self.blocked_since.set(Some(self.now()));
        }
    }
}

/// A request under way. Dropping it, however it ended, is its end.
pub(super) struct Flight {
    watch: Rc<Watch>,
    sending: bool,
}

impl Flight {
    /// Notes that the head of a request is complete.
    pub(super) fn begin(watch: &Rc<Watch>, multiplexed: bool) -> Self {
        watch.in_flight.set(watch.in_flight.get() + 1);
        watch.served.set(true);
        watch.multiplexed.set(multiplexed);
        watch.head_since.set(None);
        Self {
            watch: Rc::clone(watch),
            sending: false,
        }
    }

    /// Notes that its answer is being sent.
    pub(super) fn sending(mut self) -> Self {
        self.sending = true;
        self.watch.sending.set(self.watch.sending.get() + 1);
        self.watch.sent_at.set(self.watch.now());
        self
    }

    /// Notes that the next part of its answer was taken.
    pub(super) fn progress(&self) {
        self.watch.sent_at.set(self.watch.now());
    }
}

impl Drop for Flight {
    fn drop(&mut self) {
        let watch = &self.watch;
        watch
            .sending
            .set(watch.sending.get() - usize::from(self.sending));
        watch.in_flight.set(watch.in_flight.get() - 1);
        if watch.in_flight.get() == 0 {
            watch.idle_since.set(watch.now());
            watch.wake();
            // What was held back until now, hyper asks for only when it is told to.
            if watch.ended_since.get().is_some() || watch.refusal.get().is_some() {
                watch.waker.borrow().wake_by_ref();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn left(watch: &Watch) -> Option<u64> {
        let left = watch.deadline()?.saturating_duration_since(Instant::now());
        Some((left + Duration::from_millis(500)).as_secs())
    }

    #[test]
    fn each_state_of_a_connection_has_its_own_deadline() {
        let watch = Watch::new(Timeouts::default());
        assert_eq!(left(&watch), Some(10), "silent");
        watch.read(b"G");
        assert_eq!(left(&watch), Some(10), "a first head");
        let flight = Flight::begin(&watch, false);
        assert_eq!(left(&watch), None, "the gateway's own deadline holds");
        let flight = flight.sending();
        assert_eq!(left(&watch), Some(30), "an answer nobody takes");
        drop(flight);
        assert_eq!(left(&watch), Some(75), "idle");
        watch.read(b"G");
        assert_eq!(left(&watch), Some(10), "a slow head on an old connection");
        drop(Flight::begin(&watch, false));
        watch.blocked();
        assert_eq!(left(&watch), Some(30), "a socket that takes nothing");
        watch.wrote();
        assert_eq!(left(&watch), Some(75));
    }

    #[test]
    fn whoever_takes_an_answer_slowly_but_steadily_is_not_cut() {
        for (multiplexed, moves) in [(false, true), (true, false)] {
            let watch = Watch::new(Timeouts::default());
            let _flight = Flight::begin(&watch, multiplexed).sending();
            let before = watch.deadline();
            watch.blocked();
            watch.wrote();
            assert_eq!(
                watch.deadline() > before,
                moves,
                "multiplexed: {multiplexed}"
            );
        }
    }

    #[test]
    fn bytes_without_a_request_do_not_keep_http2_alive() {
        let watch = Watch::new(Timeouts::default());
        drop(Flight::begin(&watch, true));
        let before = watch.deadline();
        watch.read(b"G");
        assert_eq!(watch.deadline(), before);
    }

    #[test]
    fn closing_leaves_a_new_connection_the_time_for_a_request_under_way() {
        let watch = Watch::new(Timeouts::default());
        watch.close();
        assert!(!watch.may_finish());
        assert_eq!(left(&watch), Some(1));
        drop(Flight::begin(&watch, false));
        assert!(watch.may_finish());
    }
}
