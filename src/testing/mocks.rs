//! What stands in the place of the peers: replies that a test prepared, and the record of what was asked.

use std::any::Any;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;

use crate::base::{Code, Fault, Handle, Object};
use crate::connect::http::{Lost, Wire, rewired};
use crate::contract::Connections;
use crate::runtime::Runtime;
use crate::testing::paste::{self, Written};
use crate::testing::wanted::{Sent, Wanted};

/// The mocks of one test. Cheap to clone.
#[derive(Clone)]
pub(super) struct Mocks(Arc<Inner>);

struct Inner {
    /// The connections of the project.
    runtime: Arc<Runtime>,
    /// How a mock that is missing is shown.
    written: Written,
    // Short sections.
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    mocks: Vec<Mock>,
    sent: Vec<Sent>,
    /// Calls that nothing was prepared for.
    unmocked: Vec<Fault>,
}

struct Mock {
    connection: String,
    wanted: Wanted,
    /// Each is used once; the last one stays.
    answers: Vec<Prepared>,
    used: usize,
}

/// What a request gets.
#[derive(Clone, Debug)]
pub(super) enum Prepared {
    /// An answer.
    Reply {
        /// Its status.
        status: u16,
        /// Its headers.
        headers: Vec<(String, String)>,
        /// Its body.
        body: Bytes,
    },
    /// None: no connection was made.
    Connect,
    /// None in time.
    Timeout,
}

/// `t.out.http["name"]`: what a test says of a connection.
pub(super) struct Peer {
    /// The mocks.
    pub(super) mocks: Mocks,
    /// The name of the connection.
    pub(super) name: String,
}

/// What `on` returns: a mock that is to get its answers.
pub(super) struct Prepare {
    /// The mocks.
    pub(super) mocks: Mocks,
    /// Its place among them.
    pub(super) index: usize,
}

impl Object for Peer {
    fn class(&self) -> &'static str {
        "out.http"
    }
    fn as_any(&self) -> &dyn Any {
        self
    }
}

impl Object for Prepare {
    fn class(&self) -> &'static str {
        "mock.http"
    }
    fn as_any(&self) -> &dyn Any {
        self
    }
}

impl Mocks {
    /// Makes the mocks of a test; nothing is prepared.
    pub(super) fn new(runtime: Arc<Runtime>, written: Written) -> Self {
        Self(Arc::new(Inner {
            runtime,
            written,
            state: Mutex::default(),
        }))
    }

    /// Prepares answers for requests; of several mocks that fit, the last one made answers.
    pub(super) fn add(&self, connection: &str, wanted: Wanted, answers: Vec<Prepared>) -> usize {
        let mut state = self.state();
        state.mocks.push(Mock {
            connection: connection.to_owned(),
            wanted,
            answers,
            used: 0,
        });
        state.mocks.len() - 1
    }

    /// Adds an answer to a mock.
    pub(super) fn answer(&self, index: usize, answer: Prepared) {
        if let Some(mock) = self.state().mocks.get_mut(index) {
            mock.answers.push(answer);
        }
    }

    /// Returns the faults of calls that nothing was prepared for.
    pub(super) fn unmocked(&self) -> Vec<Fault> {
        self.state().unmocked.clone()
    }

    /// Checks how often a connection was called; without a number, whether it was.
    pub(super) fn check_called(
        &self,
        connection: &str,
        wanted: &Wanted,
        times: Option<usize>,
    ) -> Result<(), Fault> {
        self.known(connection)?;
        let state = self.state();
        let own = state
            .sent
            .iter()
            .filter(|sent| sent.connection == connection);
        let own: Vec<&Sent> = own.collect();
        let count = own.iter().filter(|sent| wanted.fits(sent)).count();
        if times.map_or(count > 0, |times| count == times) {
            return Ok(());
        }
        let expected = times.map_or("a call".to_owned(), |times| format!("{times} call(s)"));
        let message = format!("'{connection}': expected {expected} like that, got {count}");
        let fault = Fault::new(Code::TestFailed, message);
        let calls: Vec<String> = own.iter().map(|sent| sent.shown()).collect();
        Err(if calls.is_empty() {
            fault.hint("It was not called at all.")
        } else {
            fault.detail(format!("it was called with\n{}", calls.join("\n")))
        })
    }

    /// Refuses the name of a connection that the project does not have.
    pub(super) fn known(&self, connection: &str) -> Result<(), Fault> {
        self.0.runtime.outgoing("http", connection).map(drop)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Connections for Mocks {
    fn outgoing(&self, kind: &str, name: &str) -> Result<Handle, Fault> {
        if kind == "out.http" {
            self.known(name)?;
            let (mocks, name) = (self.clone(), name.to_owned());
            return Ok(Handle::new(Peer { mocks, name }));
        }
        let handle = self.0.runtime.outgoing(kind, name)?;
        let wire: Arc<dyn Wire> = Arc::new(self.clone());
        rewired(&handle, wire).ok_or_else(|| {
            let message = format!("connections of the kind outgoing.{kind} cannot be mocked");
            Fault::new(Code::NotMocked, message)
        })
    }
}

impl Wire for Mocks {
    fn exchange(
        &self,
        connection: &str,
        request: http::Request<Bytes>,
    ) -> Result<http::Response<Bytes>, Lost> {
        let sent = Sent::new(connection, request);
        let mut state = self.state();
        state.sent.push(sent.clone());
        let mut mocks = state.mocks.iter_mut().rev();
        let fits = |mock: &&mut Mock| mock.connection == connection && mock.wanted.fits(&sent);
        let Some(mock) = mocks.find(fits) else {
            let fault = self.missing(&sent);
            state.unmocked.push(fault.clone());
            return Err(Lost::Refused(fault));
        };
        let last = mock.answers.len().saturating_sub(1);
        let answer = mock.answers.get(mock.used.min(last)).cloned();
        mock.used += 1;
        match answer {
            Some(Prepared::Timeout) => Err(Lost::Timeout),
            Some(Prepared::Connect) => Err(Lost::Connect),
            Some(Prepared::Reply {
                status,
                headers,
                body,
            }) => response(status, &headers, body).map_err(Lost::Refused),
            None => {
                let message = format!("the mock of '{connection}' has no answer");
                let fault = Fault::new(Code::NotMocked, message)
                    .hint("Add `:reply(…)` or `:fail(…)` to it; in Rhai with a dot.");
                state.unmocked.push(fault.clone());
                Err(Lost::Refused(fault))
            }
        }
    }
}

impl Mocks {
    fn missing(&self, sent: &Sent) -> Fault {
        let message = format!("'{}' is not mocked for {}", sent.connection, sent.shown());
        let mock = paste::mock(sent, self.0.written);
        Fault::new(Code::NotMocked, message)
            .hint("Tests reach no network. Say what it answers; paste this and fill in the answer:")
            .detail(mock)
    }
}

fn response(
    status: u16,
    headers: &[(String, String)],
    body: Bytes,
) -> Result<http::Response<Bytes>, Fault> {
    let mut builder = http::Response::builder().status(status);
    for (name, value) in headers {
        builder = builder.header(name, value);
    }
    builder.body(body).map_err(|error| {
        let message = format!("the mock cannot answer so: {error}");
        Fault::new(Code::NotMocked, message)
    })
}
