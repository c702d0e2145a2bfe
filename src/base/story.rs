//! What happened to one message in `dev`: the host calls of its services, each with its line and what came of it.
//!
//! A story is told while the message is handled; the last few are kept. Secrets do not enter it. `start` keeps none:
//! there is nobody to tell them.

use std::collections::VecDeque;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};

use crate::base::{Cid, Fault, Place, ServiceName, Value, Veil, shortened};

/// How many stories are kept.
const KEPT: usize = 20;
/// How many steps of one are kept: a loop may make thousands.
const STEPS: usize = 500;

/// How much of the input is kept, in characters.
const INPUT: usize = 400;

/// The last few stories of a server.
#[derive(Debug, Default)]
pub struct Stories {
    // Short sections.
    kept: Mutex<VecDeque<Arc<Story>>>,
}

/// How a story begins.
#[derive(Clone, Debug)]
pub struct Opening {
    /// The correlation id.
    pub cid: Cid,
    /// The service.
    pub service: ServiceName,
    /// Where it stands.
    pub place: Place,
    /// Its revision.
    pub revision: u32,
    /// The way to it, such as `channel client1.get-rate (json)`.
    pub way: String,
    /// When it was.
    pub at: DateTime<Utc>,
    /// The input as JSON, without what is hidden.
    pub input: String,
}

/// What happened to one message.
#[derive(Debug)]
pub struct Story {
    /// How it begins.
    pub opening: Opening,
    started: Instant,
    // Short sections.
    told: Mutex<Told>,
}

#[derive(Debug, Default)]
struct Told {
    veil: Veil,
    steps: Vec<Step>,
    /// How many steps more there were.
    more: usize,
    sources: Sources,
    end: Option<End>,
}

/// Texts of files.
pub trait Texts: Send + Sync {
    /// Returns the text of a file by its path.
    fn text(&self, path: &str) -> Option<&str>;
}

/// What the scripts that ran are read from: one for each deployment they came with.
#[derive(Default)]
struct Sources(Vec<Arc<dyn Texts>>);

impl fmt::Debug for Sources {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} sources", self.0.len())
    }
}

/// A host call.
#[derive(Clone, Debug)]
pub struct Step {
    /// The service that made it.
    pub service: String,
    /// How deep services had invoked each other, from 1.
    pub depth: u8,
    /// The function, such as `kvdb.get`.
    pub call: String,
    /// Where the script made it; `None` where that is not known.
    pub place: Option<Place>,
    /// What it was given.
    pub given: String,
    /// What it returned, empty where it never returns anything, or why it failed; `None` while it is under way.
    pub result: Option<Result<String, String>>,
    /// How long it took.
    pub took: Duration,
}

/// How a story ends.
#[derive(Clone, Debug)]
pub struct End {
    /// The status; 0 when nobody waited for the answer any more.
    pub status: u16,
    /// The code of a failure.
    pub code: Option<String>,
    /// Where it failed.
    pub place: Option<Place>,
    /// The block of a failure.
    pub diagnostic: Option<String>,
    /// How long the message took.
    pub took: Duration,
}

impl Stories {
    /// Begins a story.
    pub fn begin(&self, mut opening: Opening) -> Teller {
        opening.input = shortened(&opening.input, INPUT);
        let story = Arc::new(Story {
            opening,
            started: Instant::now(),
            told: Mutex::default(),
        });
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.len() >= KEPT {
            kept.pop_front();
        }
        kept.push_back(Arc::clone(&story));
        Teller(story)
    }

    /// Returns the last story, or the last of a service.
    pub fn last(&self, service: Option<&str>) -> Option<Arc<Story>> {
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let mut latest = kept.iter().rev();
        let fits =
            |story: &&Arc<Story>| service.is_none_or(|name| story.opening.service.as_str() == name);
        latest.find(fits).map(Arc::clone)
    }
}

/// Who tells a story to its end. Dropped before, it ends where it is: whoever asked has gone.
#[derive(Debug)]
pub struct Teller(Arc<Story>);

impl Teller {
    /// Returns the story.
    pub fn story(&self) -> &Arc<Story> {
        &self.0
    }

    /// Ends it.
    pub fn end(&self, status: u16, fault: Option<&Fault>) {
        let story = &self.0;
        let mut told = story.told();
        if told.end.is_some() {
            return;
        }
        let diagnostic = fault.map(|fault| told.veil.over(&fault.block()));
        told.end = Some(End {
            status,
            code: fault.map(|fault| fault.code_text().to_owned()),
            place: fault.and_then(|fault| fault.place().cloned()),
            diagnostic,
            took: story.started.elapsed(),
        });
        told.cover();
    }
}

impl Drop for Teller {
    fn drop(&mut self) {
        self.end(0, None);
    }
}

impl Story {
    fn told(&self) -> MutexGuard<'_, Told> {
        self.told.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds what is hidden from now on.
    pub fn hide(&self, add: impl FnOnce(&mut Veil)) {
        add(&mut self.told().veil);
    }

    /// Begins a step. `step` makes it of what may be shown.
    pub fn step(self: &Arc<Self>, step: impl FnOnce(&Veil) -> Step) -> Option<Telling> {
        let mut told = self.told();
        if told.steps.len() >= STEPS {
            told.more += 1;
            return None;
        }
        let step = step(&told.veil);
        told.steps.push(step);
        Some(Telling {
            story: Arc::clone(self),
            index: told.steps.len() - 1,
            started: Instant::now(),
        })
    }

    /// Keeps what the scripts that run are read from.
    pub fn keep_sources(&self, texts: Arc<dyn Texts>) {
        let kept = &mut self.told().sources.0;
        if !kept.iter().any(|own| Arc::ptr_eq(own, &texts)) {
            kept.push(texts);
        }
    }

    /// Returns the steps, and how many more there were.
    pub fn steps(&self) -> (Vec<Step>, usize) {
        let told = self.told();
        (told.steps.clone(), told.more)
    }

    /// Returns the text of a file that a step stands in.
    pub fn source(&self, path: &str) -> Option<String> {
        let told = self.told();
        let text = told.sources.0.iter().find_map(|texts| texts.text(path));
        text.map(str::to_owned)
    }

    /// Returns its end, if it has ended.
    pub fn end(&self) -> Option<End> {
        self.told().end.clone()
    }
}

impl Told {
    /// Hides what was shown before it was known to be a secret: an output is known when it is set.
    fn cover(&mut self) {
        let veil = &self.veil;
        for step in &mut self.steps {
            step.given = veil.over(&step.given);
            if let Some(Ok(text) | Err(text)) = &mut step.result {
                *text = veil.over(text);
            }
        }
    }
}

/// A step under way.
#[derive(Debug)]
pub struct Telling {
    story: Arc<Story>,
    index: usize,
    started: Instant,
}

impl Telling {
    /// Ends the step; `None` for a function that never returns anything.
    pub fn end(self, result: Result<Option<&Value>, &Fault>) {
        let took = self.started.elapsed();
        let mut told = self.story.told();
        let result = match result {
            Ok(value) => Ok(value.map_or_else(String::new, |value| told.veil.show(value))),
            Err(fault) => Err(told.veil.over(&fault.to_string())),
        };
        if let Some(step) = told.steps.get_mut(self.index) {
            step.result = Some(result);
            step.took = took;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::Code;

    fn begin(stories: &Stories, service: &str) -> Teller {
        stories.begin(Opening {
            cid: Cid::fresh(),
            service: ServiceName::new(service).unwrap(),
            place: Place::new("scripts/a.lua", 1, 1),
            revision: 1,
            way: "api".to_owned(),
            at: DateTime::default(),
            input: "{}".to_owned(),
        })
    }

    fn step(given: &str) -> Step {
        Step {
            service: "a".to_owned(),
            depth: 1,
            call: "kvdb.get".to_owned(),
            place: None,
            given: given.to_owned(),
            result: None,
            took: Duration::ZERO,
        }
    }

    #[test]
    fn only_the_last_stories_are_kept() {
        let stories = Stories::default();
        drop(begin(&stories, "first"));
        assert!(stories.last(Some("first")).is_some());
        (0..KEPT).for_each(|_| drop(begin(&stories, "other")));
        assert!(stories.last(Some("first")).is_none());
        assert_eq!(
            stories.last(None).unwrap().opening.service.as_str(),
            "other"
        );
    }

    #[test]
    fn a_story_that_nobody_waits_for_ends() {
        let stories = Stories::default();
        let teller = begin(&stories, "a");
        assert!(stories.last(None).unwrap().end().is_none());
        drop(teller);
        assert_eq!(stories.last(None).unwrap().end().unwrap().status, 0);
    }

    #[test]
    fn what_turns_out_to_be_a_secret_is_hidden_in_all_that_was_told() {
        let stories = Stories::default();
        let teller = begin(&stories, "a");
        let story = teller.story();
        let telling = story.step(|_| step("\"key-4711\"")).unwrap();
        telling.end(Ok(Some(&Value::text("4711"))));
        story.hide(|veil| veil.add_text("4711"));
        let fault = Fault::new(Code::ScriptError, "no number 4711");
        teller.end(500, Some(&fault));
        let (steps, _) = story.steps();
        assert_eq!(steps[0].given, "\"key-***\"");
        assert_eq!(steps[0].result, Some(Ok("\"***\"".to_owned())));
        let end = story.end().unwrap();
        assert_eq!(end.diagnostic.unwrap(), "error[KL-S101]: no number ***");
    }

    #[test]
    fn a_loop_does_not_fill_the_memory() {
        let stories = Stories::default();
        let teller = begin(&stories, "a");
        for _ in 0..STEPS + 7 {
            let telling = teller.story().step(|_| step("1"));
            if let Some(telling) = telling {
                telling.end(Ok(None));
            }
        }
        let (steps, more) = teller.story().steps();
        assert_eq!((steps.len(), more), (STEPS, 7));
    }
}
