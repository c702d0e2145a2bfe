//! Lines of a person at a terminal: edited, completed, remembered.

use std::cell::RefCell;
use std::fs::{DirBuilder, OpenOptions};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::rc::Rc;

use rustyline::completion::Completer;
use rustyline::error::ReadlineError;
use rustyline::highlight::Highlighter;
use rustyline::hint::Hinter;
use rustyline::history::FileHistory;
use rustyline::validate::{ValidationContext, ValidationResult, Validator};
use rustyline::{CompletionType, Config, Context, Editor, Helper};

use crate::base::{Code, Fault};
use crate::config::Environment;
use crate::repl::{Talk, Words, complete};

/// How many texts are remembered.
const HISTORY: usize = 2_000;

/// A terminal.
pub(super) struct Terminal {
    editor: Editor<Line, FileHistory>,
    talk: Rc<RefCell<Talk>>,
    history: Option<PathBuf>,
    /// What must not be remembered.
    secrets: Vec<String>,
}

/// What was typed.
pub(super) enum Read {
    /// A text.
    Text(String),
    /// Something that was given up.
    Nothing,
    /// The end.
    End,
}

impl Terminal {
    /// Takes the terminal and the history of the user.
    pub(super) fn open(talk: Rc<RefCell<Talk>>) -> Result<Self, Fault> {
        let environment = Environment::of_process();
        let history = environment
            .state_file("history")
            .filter(|path| own(path).is_ok());
        let config = Config::builder().max_history_size(HISTORY);
        let config = config.map_err(unusable)?;
        let config = config.completion_type(CompletionType::List).build();
        let mut editor = Editor::with_config(config).map_err(unusable)?;
        editor.set_helper(Some(Line(Rc::clone(&talk))));
        if let Some(path) = &history {
            // Without it there is no history, and all else works.
            drop(editor.load_history(path));
        }
        Ok(Self {
            editor,
            talk,
            history,
            secrets: environment.secrets(),
        })
    }

    /// Reads a text: as many lines as it takes to be complete.
    pub(super) fn read(&mut self) -> Result<Read, Fault> {
        let talk = self.talk.borrow();
        let sign = if talk.writes() { "!>" } else { ">" };
        let prompt = format!("{}{sign} ", talk.language());
        drop(talk);
        match self.editor.readline(&prompt) {
            Ok(text) => {
                self.remember(&text);
                Ok(Read::Text(text))
            }
            Err(ReadlineError::Interrupted) => Ok(Read::Nothing),
            Err(ReadlineError::Eof) => Ok(Read::End),
            Err(error) => Err(unusable(error)),
        }
    }

    fn remember(&mut self, text: &str) {
        let secret = self
            .secrets
            .iter()
            .any(|secret| text.contains(secret.as_str()));
        if text.trim().is_empty() || secret {
            return;
        }
        // A history that cannot be kept is no reason to stop.
        drop(self.editor.add_history_entry(text));
        if let Some(path) = &self.history {
            drop(self.editor.append_history(path));
        }
    }
}

/// Makes the file of the history, for its owner alone.
fn own(path: &Path) -> std::io::Result<()> {
    if let Some(folder) = path.parent() {
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(folder)?;
    }
    let file = OpenOptions::new()
        .append(true)
        .create(true)
        .mode(0o600)
        .open(path);
    file.map(drop)
}

#[expect(clippy::needless_pass_by_value, reason = "it is what `map_err` gives")]
fn unusable(error: ReadlineError) -> Fault {
    Fault::new(Code::Internal, "the terminal cannot be used").detail(error.to_string())
}

/// What the editor asks while a line is typed.
struct Line(Rc<RefCell<Talk>>);

impl Helper for Line {}

impl Completer for Line {
    type Candidate = String;

    fn complete(
        &self,
        line: &str,
        pos: usize,
        _: &Context<'_>,
    ) -> rustyline::Result<(usize, Vec<String>)> {
        let talk = self.0.borrow();
        let words = Words {
            language: talk.language(),
            known: talk.known(),
            modules: &talk.modules(),
            variables: &talk.variables(),
        };
        Ok(complete(&words, line.get(..pos).unwrap_or(line)))
    }
}

impl Validator for Line {
    fn validate(&self, context: &mut ValidationContext<'_>) -> rustyline::Result<ValidationResult> {
        if self.0.borrow().is_incomplete(context.input()) {
            return Ok(ValidationResult::Incomplete);
        }
        Ok(ValidationResult::Valid(None))
    }
}

impl Hinter for Line {
    type Hint = String;
}

impl Highlighter for Line {}
