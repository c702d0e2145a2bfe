//! The keys of `kladka dev`: each asks something of the server that runs, which goes on meanwhile.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::future::pending;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use futures_util::FutureExt as _;
use serde_json::Value as Json;

use crate::base::{Code, Fault, LocalBoxFuture};
use crate::cli::keyboard::{Keyboard, Pressed};
use crate::cli::last;
use crate::cli::out::{Out, cell, notice};
use crate::cli::service::report_line;
use crate::config::Environment;
use crate::server::Console;

/// What the greeting says of the keys.
pub(super) const KEYS: &str =
    "q quit · r reload · t run tests · o open admin · l last request · ? help";

/// What `?` says of them.
const HELP: &str = "Keys:
  r        reload scripts, objects and settings now
  t        run the tests of the project
  l        show the last request beside the code it hit
  c        show calls to try again
  o        open the admin port's page in a browser
  q        stop: finish what runs, then end (also Ctrl-C)
  Ctrl-Z   suspend, `fg` goes on";

/// How many keys that ask to do something wait for their turn; more are forgotten.
const WAITING: usize = 4;
/// How long a browser may take to say that it cannot be started.
const OPENING: Duration = Duration::from_secs(3);

/// Answers keys until the server is about to end; never returns.
pub(super) async fn answer(
    console: &Console,
    project: &Path,
    terminal: Option<Keyboard>,
    out: Out,
) -> Infallible {
    if let Some(mut terminal) = terminal {
        let keys = Keys {
            console,
            project,
            out,
        };
        tokio::select! {
            () = console.stopped() => {}
            () = keys.answer(&mut terminal) => console.stop(),
        }
        // What is typed while the server drains is the shell's affair again.
        drop(terminal);
    }
    pending().await
}

struct Keys<'a> {
    console: &'a Console,
    project: &'a Path,
    out: Out,
}

impl Keys<'_> {
    /// Answers keys until one asks to stop. What takes a while is done in turn; what only shows something is shown at once.
    async fn answer(&self, terminal: &mut Keyboard) {
        let mut wanted = VecDeque::new();
        let mut busy: Option<LocalBoxFuture<'_, ()>> = None;
        loop {
            while busy.is_none()
                && let Some(key) = wanted.pop_front()
            {
                busy = self.work(key);
            }
            let done = async {
                match &mut busy {
                    Some(work) => work.await,
                    None => pending().await,
                }
            };
            tokio::select! {
                () = done => busy = None,
                pressed = terminal.pressed() => match pressed {
                    Pressed::Gone | Pressed::Key(b'q') => return,
                    Pressed::Key(key @ (b'r' | b't' | b'o')) if wanted.len() < WAITING => {
                        wanted.push_back(key);
                    }
                    Pressed::Key(key) => self.show(key),
                },
            }
        }
    }

    /// Returns what a key asks to do; nothing of one without a meaning.
    fn work(&self, key: u8) -> Option<LocalBoxFuture<'_, ()>> {
        Some(match key {
            b'r' => self.reload().boxed_local(),
            b't' => self.test().boxed_local(),
            b'o' => open(self.console.page()).boxed_local(),
            _ => return None,
        })
    }

    /// Shows what a key asks to see; those without a meaning show nothing.
    fn show(&self, key: u8) {
        match key {
            b'l' => self.say(self.console.last().map(|story| match story {
                Json::Null => "No message has reached a service yet.".to_owned(),
                story => last::text(&story),
            })),
            b'c' => {
                let curls = self.console.curls().join("\n");
                notice(if curls.is_empty() {
                    "There is no channel to try."
                } else {
                    &curls
                });
            }
            b'?' | b'h' => notice(HELP),
            _ => {}
        }
    }

    async fn reload(&self) {
        let done = self.console.reload().await;
        self.say(done.map(|done| reloaded(&done)));
    }

    /// Runs the tests in a process of their own: they record what scripts log, where the server shows it.
    async fn test(&self) {
        notice("Running the tests …");
        let run = async {
            let program = Environment::program()?;
            let mut tests = tokio::process::Command::new(program);
            tests.arg("test").arg("--project").arg(self.project);
            tests.stdin(Stdio::null()).kill_on_drop(true);
            tests.status().await
        };
        if let Err(error) = run.await {
            let message = format!("the tests cannot be run: {error}");
            self.say(Err(Fault::new(Code::Internal, message)));
        }
    }

    fn say(&self, said: Result<String, Fault>) {
        match said {
            Ok(text) => notice(&text),
            Err(fault) => drop(self.out.failure(&fault.into())),
        }
    }
}

/// Opens a page in a browser, if one can be started; says where it is in any case.
async fn open(page: String) {
    let opener = if cfg!(target_os = "macos") {
        "open"
    } else {
        "xdg-open"
    };
    let mut browser = tokio::process::Command::new(opener);
    browser.arg(&page).stdin(Stdio::null());
    browser.stdout(Stdio::null()).stderr(Stdio::null());
    let opened = match tokio::time::timeout(OPENING, browser.status()).await {
        Ok(ended) => ended.is_ok_and(|status| status.success()),
        // It shows the page and stays.
        Err(_still_there) => true,
    };
    notice(&if opened {
        format!("Opened {page}")
    } else {
        format!("No browser can be started here; the page is {page}")
    });
}

/// Says what came of loading everything again: what changed or failed by name, the rest by number.
fn reloaded(done: &Json) -> String {
    let lines = done.pointer("/scripts/services").and_then(Json::as_array);
    let lines = lines.map(Vec::as_slice).unwrap_or_default();
    let (same, other): (Vec<&Json>, Vec<&Json>) = lines
        .iter()
        .partition(|line| cell(line, "outcome") == "same");
    let faults = done.pointer("/scripts/faults").and_then(Json::as_array);
    let faults = faults.map_or(0, Vec::len);
    let refused = done.get("refused").and_then(Json::as_u64).unwrap_or(0);
    let refused = usize::try_from(refused).unwrap_or(usize::MAX);
    let mut text = format!("Reloaded in {} ms:", cell(done, "elapsed_ms"));
    for line in &other {
        text.push_str("\n  ");
        text.push_str(&report_line(line));
    }
    let mut counts = vec![format!("{} unchanged", counted(same.len(), "service"))];
    if faults > 0 {
        counts.push(format!("{} in scripts", counted(faults, "problem")));
    }
    counts.push(match refused {
        0 => "config/ applied".to_owned(),
        refused => format!("{} in config/", counted(refused, "problem")),
    });
    text.push_str(if other.is_empty() { " " } else { "\n  " });
    text.push_str(&counts.join(", "));
    text
}

fn counted(count: usize, word: &str) -> String {
    match count {
        1 => format!("1 {word}"),
        count => format!("{count} {word}s"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reload_names_what_changed_and_counts_the_rest() {
        let line = |name: &str, outcome: &str| serde_json::json!({"name": name, "old": 1, "new": 2, "outcome": outcome, "elapsed_ms": 3});
        let done = |services: Vec<Json>, faults: usize, refused: u64| {
            serde_json::json!({
                "scripts": {"services": services, "faults": vec![Json::Null; faults]},
                "refused": refused, "elapsed_ms": 12,
            })
        };
        assert_eq!(
            reloaded(&done(vec![line("a", "same"), line("b", "same")], 0, 0)),
            "Reloaded in 12 ms: 2 services unchanged, config/ applied"
        );
        let text = reloaded(&done(vec![line("a", "same"), line("b", "ok")], 1, 2));
        assert!(
            text.contains("\n  b ") && text.contains("r1 → r2"),
            "{text}"
        );
        assert!(
            text.ends_with("1 service unchanged, 1 problem in scripts, 2 problems in config/"),
            "{text}"
        );
    }
}
