//! The terminal of `kladka dev`: single keys come in at once, unseen. However the command ends, it is as it was before.
//!
//! Only the mode of the terminal is set, never that of the file: other programs read from it, too. What the terminal
//! makes of Ctrl-C and Ctrl-Z stays. In the background it is not touched: it belongs to somebody else then.

use std::io::{IsTerminal as _, Stdin, stderr, stdin, stdout};

use rustix::process::{Signal, getpgrp, getpid, kill_process};
use rustix::termios::{
    LocalModes, OptionalActions, SpecialCodeIndex, Termios, tcgetattr, tcgetpgrp, tcsetattr,
};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;
use tokio::signal::unix::{Signal as Signals, SignalKind, signal};

use crate::base::{Code, Fault};

/// The keys of the terminal, which is in the mode for them until this is dropped.
pub(super) struct Keyboard {
    input: AsyncFd<Stdin>,
    /// How it was before.
    before: Termios,
    /// By Ctrl-\.
    broken_off: Signals,
    suspended: Signals,
    resumed: Signals,
}

/// What a person did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Pressed {
    /// A key.
    Key(u8),
    /// The terminal has gone, or was to break the command off.
    Gone,
}

impl Keyboard {
    /// Takes the terminal; `None` where there is none, or where it is not ours to use.
    #[expect(
        deprecated,
        reason = "its successor is unsafe, for files that may be closed; standard input stays open"
    )]
    pub(super) fn attach() -> Result<Option<Self>, Fault> {
        let is_terminal = stdin().is_terminal() && stdout().is_terminal() && stderr().is_terminal();
        if !is_terminal || !is_ours() {
            return Ok(None);
        }
        let failed = |error: std::io::Error| {
            Fault::new(Code::Internal, format!("cannot use the terminal: {error}"))
        };
        let before = tcgetattr(stdin()).map_err(|error| failed(error.into()))?;
        let own = |number| signal(SignalKind::from_raw(number));
        let terminal = Self {
            input: AsyncFd::with_interest(stdin(), Interest::READABLE).map_err(failed)?,
            before,
            broken_off: own(Signal::QUIT.as_raw()).map_err(failed)?,
            suspended: own(Signal::TSTP.as_raw()).map_err(failed)?,
            resumed: own(Signal::CONT.as_raw()).map_err(failed)?,
        };
        terminal.enter();
        Ok(Some(terminal))
    }

    /// Waits for a key, also through Ctrl-Z and `fg`. Dropped while it waits, it has lost none.
    pub(super) async fn pressed(&mut self) -> Pressed {
        loop {
            tokio::select! {
                ready = self.input.readable() => {
                    let Ok(mut ready) = ready else { return Pressed::Gone };
                    match read() {
                        Read::Key(key) => {
                            // Brought back by `fg` without having stood still, it learns so from the first line.
                            self.enter();
                            return Pressed::Key(key);
                        }
                        Read::Gone => return Pressed::Gone,
                        Read::Nothing => ready.clear_ready(),
                    }
                }
                _ = self.broken_off.recv() => return Pressed::Gone,
                _ = self.suspended.recv() => {
                    self.leave();
                    // All of us stands still from here until somebody lets it go on.
                    if kill_process(getpid(), Signal::STOP).is_ok() {
                        self.resumed.recv().await;
                    }
                    self.enter();
                }
                // Whoever stopped it otherwise has set the terminal as it likes.
                _ = self.resumed.recv() => self.enter(),
            }
        }
    }

    /// Lets single keys come in, unseen. A read returns at once, with or without one.
    fn enter(&self) {
        let mut mode = self.before.clone();
        mode.local_modes &= !(LocalModes::ICANON | LocalModes::ECHO);
        mode.special_codes[SpecialCodeIndex::VMIN] = 0;
        mode.special_codes[SpecialCodeIndex::VTIME] = 0;
        set(&mode);
    }

    fn leave(&self) {
        set(&self.before);
    }
}

impl Drop for Keyboard {
    fn drop(&mut self) {
        self.leave();
    }
}

/// Sets the mode. Whoever does so from the background is stopped by the system; who has lost the terminal cannot.
fn set(mode: &Termios) {
    if is_ours() {
        tcsetattr(stdin(), OptionalActions::Now, mode).unwrap_or_default();
    }
}

/// Tells whether this process is in the foreground.
fn is_ours() -> bool {
    tcgetpgrp(stdin()).is_ok_and(|group| group == getpgrp())
}

/// What there is to read.
enum Read {
    Key(u8),
    Nothing,
    Gone,
}

/// Reads a key. Those that send several bytes, as arrows do, count as none.
fn read() -> Read {
    if !is_ours() {
        // One that has gone is nobody's.
        return match tcgetattr(stdin()) {
            Ok(_) => Read::Nothing,
            Err(_gone) => Read::Gone,
        };
    }
    let mut bytes = [0; 1];
    match rustix::io::read(stdin(), &mut bytes) {
        Ok(0) if tcgetattr(stdin()).is_ok() => Read::Nothing,
        Ok(1) => Read::Key(bytes[0]),
        Err(rustix::io::Errno::INTR | rustix::io::Errno::AGAIN) => Read::Nothing,
        _ => Read::Gone,
    }
}
