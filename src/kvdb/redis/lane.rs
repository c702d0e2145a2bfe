//! One connection to Redis that makes itself anew when it breaks.

use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher as _, Hasher as _};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use redis::Cmd;
use tokio::runtime::Handle;
use tokio::sync::watch;

use crate::base::Fault;
use crate::contract::{Command, KvReply};
use crate::kvdb::command::{Access, Rule};
use crate::kvdb::fault;
use crate::kvdb::redis::address::{Address, Connection, DIAL};
use crate::kvdb::redis::{reply, scan};
use crate::tasks::Tasks;

/// How long a command may take, waiting for a connection included.
const PATIENCE: Duration = Duration::from_millis(950);
/// The pause after the first failed attempt to connect; doubles with each further one.
const FIRST_PAUSE: Duration = Duration::from_millis(50);
/// The longest pause between attempts.
const LONGEST_PAUSE: Duration = Duration::from_secs(2);

/// One connection to Redis, used from one runtime.
pub(super) struct Lane {
    address: Arc<Address>,
    tasks: Tasks,
    state: watch::Sender<State>,
    /// Whether a task makes the connection at present.
    dialling: AtomicBool,
    /// Counts the connections made.
    made: AtomicU64,
}

/// How the connection is doing.
#[derive(Clone)]
enum State {
    /// It is being made for the first time since it was last up: commands wait for it.
    Dialling,
    /// It works.
    Up(Link),
    /// It could not be made: commands fail at once, attempts go on.
    Down(Fault),
}

#[derive(Clone)]
struct Link {
    number: u64,
    connection: Connection,
}

impl Lane {
    pub(super) fn new(address: Arc<Address>, tasks: Tasks) -> Arc<Self> {
        Arc::new(Self {
            address,
            tasks,
            state: watch::Sender::new(State::Dialling),
            dialling: AtomicBool::new(false),
            made: AtomicU64::new(0),
        })
    }

    /// Runs a command; fails within a second when Redis does not answer.
    pub(super) async fn run(
        self: &Arc<Self>,
        rule: &Rule,
        command: &Command,
    ) -> Result<KvReply, Fault> {
        let mut used = None;
        let timed = tokio::time::timeout(PATIENCE, self.attempt(rule, command, &mut used)).await;
        timed.unwrap_or_else(|_elapsed| {
            // It may be alive but stuck: a new connection finds out, and those after us need not
            // wait.
            if let Some(number) = used {
                self.lost(number);
            }
            Err(fault::down("no answer in time"))
        })
    }

    async fn attempt(
        self: &Arc<Self>,
        rule: &Rule,
        command: &Command,
        used: &mut Option<u64>,
    ) -> Result<KvReply, Fault> {
        // What was sent may have been done: only reads are sent twice.
        let mut again = rule.access == Access::Read;
        loop {
            let mut link = self.link().await?;
            *used = Some(link.number);
            let error = match send(&mut link.connection, command).await {
                Ok(value) => return reply::reply(command, value),
                Err(error) => error,
            };
            if !reply::broken(&error) {
                return Err(reply::failure(command, &error));
            }
            self.lost(link.number);
            if !std::mem::take(&mut again) {
                return Err(fault::down(error.to_string()));
            }
        }
    }

    /// Returns the connection, waiting for one that is being made.
    async fn link(self: &Arc<Self>) -> Result<Link, Fault> {
        if let State::Up(link) = &*self.state.borrow() {
            return Ok(link.clone());
        }
        // Boxed, like all that is rare: the future of every command has room for what it contains.
        Box::pin(self.settled()).await
    }

    async fn settled(self: &Arc<Self>) -> Result<Link, Fault> {
        self.dial();
        let mut changes = self.state.subscribe();
        let settled = changes
            .wait_for(|state| !matches!(state, State::Dialling))
            .await;
        match settled.as_deref() {
            Ok(State::Up(link)) => Ok(link.clone()),
            Ok(State::Down(fault)) => Err(fault.clone()),
            Ok(State::Dialling) | Err(_) => Err(fault::down("the connection is closing")),
        }
    }

    /// Notes that a connection broke, unless another one took its place already.
    fn lost(self: &Arc<Self>, number: u64) {
        let was_current = self.state.send_if_modified(|state| {
            let current = matches!(state, State::Up(link) if link.number == number);
            if current {
                *state = State::Dialling;
            }
            current
        });
        if was_current {
            self.dial();
        }
    }

    /// Starts making the connection, unless that is under way.
    fn dial(self: &Arc<Self>) {
        if Handle::try_current().is_err() || self.dialling.swap(true, Ordering::AcqRel) {
            return;
        }
        let dialling = Dialling(Arc::clone(self));
        self.tasks.spawn("kvdb-dial", async move {
            dialling.run().await;
            let lane = Arc::clone(&dialling.0);
            drop(dialling);
            // It may have been lost again before the flag was down; nobody else would notice.
            if matches!(*lane.state.borrow(), State::Dialling) {
                lane.dial();
            }
        });
    }
}

/// The making of a connection. When it ends, whatever way, the next command may start another.
struct Dialling(Arc<Lane>);

impl Drop for Dialling {
    fn drop(&mut self) {
        self.0.dialling.store(false, Ordering::Release);
    }
}

impl Dialling {
    async fn run(&self) {
        let lane = &self.0;
        let mut pause = FIRST_PAUSE;
        loop {
            match self.once().await {
                Ok(link) => {
                    tracing::info!(attempt = link.number, "Redis reached.");
                    lane.state.send_replace(State::Up(link));
                    return;
                }
                Err(fault) => {
                    report(&fault, pause);
                    lane.state.send_replace(State::Down(fault));
                }
            }
            tokio::select! {
                () = lane.tasks.soft.cancelled() => return,
                () = tokio::time::sleep(jittered(pause)) => {}
            }
            pause = LONGEST_PAUSE.min(pause * 2);
        }
    }

    async fn once(&self) -> Result<Link, Fault> {
        let number = self.0.made.fetch_add(1, Ordering::Relaxed) + 1;
        // Weak: the connection lives in the lane and must not keep it alive.
        let lane = Arc::downgrade(&self.0);
        let lost = move || {
            if let Some(lane) = lane.upgrade() {
                lane.lost(number);
            }
        };
        match tokio::time::timeout(DIAL, self.0.address.connect(lost)).await {
            Ok(Ok(connection)) => Ok(Link { number, connection }),
            Ok(Err(error)) => Err(fault::down(error.to_string())),
            Err(_elapsed) => Err(fault::down("no connection in time")),
        }
    }
}

/// Logs an attempt that failed: the first one of an outage loudly, the others for the curious.
fn report(fault: &Fault, pause: Duration) {
    let code = fault.code();
    if pause == FIRST_PAUSE {
        tracing::warn!(%code, error = ?fault, "Redis not reached; trying on.");
    } else {
        tracing::debug!(%code, error = ?fault, "Redis still not reached.");
    }
}

async fn send(
    connection: &mut Connection,
    command: &Command,
) -> Result<redis::Value, redis::RedisError> {
    if let (Connection::Cluster(cluster), "scan") = (&mut *connection, command.name) {
        return Box::pin(scan::scan(cluster, command)).await;
    }
    let mut packed = Cmd::with_capacity(
        command.args.len() + 1,
        command.args.iter().map(Bytes::len).sum(),
    );
    packed.arg(command.name);
    for arg in &command.args {
        packed.arg(arg.as_ref());
    }
    connection.send(&packed).await
}

/// Returns between half of a pause and all of it, so that the cores of all servers do not dial as
/// one.
fn jittered(pause: Duration) -> Duration {
    let random = RandomState::new().build_hasher().finish();
    let part = u32::try_from(random % 1024).unwrap_or_default();
    pause / 2 + pause / 2 * part / 1024
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_differ_and_stay_within_bounds() {
        let pauses: Vec<_> = (0..100).map(|_| jittered(LONGEST_PAUSE)).collect();
        let bounds = LONGEST_PAUSE / 2..=LONGEST_PAUSE;
        assert!(
            pauses.iter().all(|pause| bounds.contains(pause)),
            "{pauses:?}"
        );
        assert!(pauses.iter().any(|pause| *pause != pauses[0]));
    }
}
