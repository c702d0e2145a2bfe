//! Compiled patterns, kept on their core, and searches whose work is bounded.
//!
//! A search takes time in proportion to pattern times text. Mostly a lazy automaton does it in one step for each byte; it
//! gives up when the pattern keeps it from that, and then all its places are walked, if they are few enough for the text.
//! Between two matches the call's own budget is looked at.

use std::cell::RefCell;

use regex_automata::hybrid::{dfa, regex};
use regex_automata::nfa::thompson::pikevm::{self, PikeVM};
use regex_automata::nfa::thompson::{self, Compiler, NFA, WhichCaptures};
use regex_automata::util::captures::GroupInfo;
use regex_automata::util::iter::Searcher;
use regex_automata::util::primitives::NonMaxUsize;
use regex_automata::{Anchored, Input, Match, MatchError, MatchKind};
use regex_syntax::hir::{Hir, HirKind};

use crate::base::{Fault, shortened};
use crate::contract::{Call, CoreLocal};
use crate::script::host::data::refused;
use crate::script::meter::Meter;

/// How long a pattern may be, and how many classes it may have where case is ignored: such a class takes milliseconds to read.
const LONGEST: usize = 2 << 10;
const MAX_FOLDED: usize = 32;
/// What a class begins with, or a part of one.
const CLASSES: &[&str] = &["[", r"\p", r"\P", "&&", "--", "~~"];
/// How large a compiled pattern may become, and what its groups may take while they are found. To be read backwards it is
/// larger, for classes beyond ASCII.
const PROGRAM_BYTES: usize = 1 << 20;
const REVERSE_BYTES: usize = 4 << 20;
/// How many patterns a core keeps, and how much they may hold together.
const KEPT: usize = 64;
const KEPT_BYTES: usize = 4 << 20;
/// What the automaton of one direction may hold, unless its pattern needs more.
const AUTOMATON_BYTES: usize = 256 << 10;
/// How long a text may be.
const TEXT_BYTES: usize = 16 << 20;
/// Places times bytes that one search may walk: about a quarter of a second.
const STEPS: usize = 16_000_000;
/// What a byte takes wherever the walk is, in places.
const BYTE: usize = 8;

const SMALLER: &str =
    "Repeat less, or classes of fewer letters: `[0-9]{1,20}` is smaller than `\\d{1,20}`.";

/// The patterns of a core, the latest used last.
#[derive(Default)]
#[expect(
    clippy::vec_box,
    reason = "each use moves a pattern to the end, and it is large"
)]
pub(super) struct Patterns(RefCell<Vec<Box<Pattern>>>);

impl CoreLocal for Patterns {}

impl Patterns {
    /// Lends a compiled pattern.
    pub(super) fn lend<R>(
        &self,
        text: &str,
        use_it: impl FnOnce(&mut Pattern) -> Result<R, Fault>,
    ) -> Result<R, Fault> {
        let known = self.0.borrow().iter().position(|one| *one.text == *text);
        let mut pattern = match known {
            Some(index) => self.0.borrow_mut().remove(index),
            None => Box::new(Pattern::compile(text)?),
        };
        let result = use_it(&mut pattern);
        pattern.weigh();
        self.keep(pattern);
        result
    }

    fn keep(&self, pattern: Box<Pattern>) {
        let mut kept = self.0.borrow_mut();
        kept.push(pattern);
        let mut held: usize = kept.iter().map(|one| one.weight).sum();
        while kept.len() > KEPT || held > KEPT_BYTES {
            held -= kept.remove(0).weight;
        }
    }
}

/// A compiled pattern and what its searches reuse.
pub(super) struct Pattern {
    text: Box<str>,
    /// At how many places in it a walk may be at once.
    places: usize,
    quick: regex::Regex,
    quick_cache: regex::Cache,
    sure: PikeVM,
    /// Made when it is first needed.
    sure_cache: Option<pikevm::Cache>,
    /// What all this holds, as of its last use.
    weight: usize,
}

impl Pattern {
    fn compile(text: &str) -> Result<Self, Fault> {
        if text.len() > LONGEST {
            let bytes = text.len();
            let message = format!("a pattern of {bytes} bytes is longer than {LONGEST}");
            return Err(refused(message));
        }
        let too_large = || refused(format!("{} is too large", named(text))).hint(SMALLER);
        let classes = CLASSES.iter().map(|sign| text.matches(sign).count());
        if ignores_case(text) && classes.sum::<usize>() > MAX_FOLDED {
            return Err(refused(format!("{} has too many classes", named(text)))
                .hint("Without `(?i)` it may have more."));
        }
        let hir = regex_syntax::parse(text).map_err(|error| misread(text, &error))?;
        let (forward, reverse) = automata(&hir).ok_or_else(too_large)?;
        let slots = forward.group_info().slot_len();
        if forward.states().len().saturating_mul(slots) > PROGRAM_BYTES / size_of::<usize>() {
            let fault = refused(format!("{} has too many groups", named(text)));
            return Err(fault.hint("Use `(?:…)` where the text of a group is not asked for."));
        }
        let quick = quick(&forward, &reverse).ok_or_else(too_large)?;
        let sure = PikeVM::new_from_nfa(forward).map_err(|_ignored| too_large())?;
        Ok(Self {
            text: text.into(),
            places: places(&hir),
            quick_cache: quick.create_cache(),
            quick,
            sure,
            sure_cache: None,
            weight: 0,
        })
    }

    fn weigh(&mut self) {
        let sure = self.sure_cache.as_ref();
        self.weight = self.sure.get_nfa().memory_usage()
            + self.quick.reverse().get_nfa().memory_usage()
            + self.quick_cache.memory_usage()
            + sure.map_or(0, pikevm::Cache::memory_usage);
    }

    /// Returns its groups; the first is the whole match.
    pub(super) fn groups(&self) -> &GroupInfo {
        self.sure.get_nfa().group_info()
    }

    /// Tells whether it matches anywhere.
    pub(super) fn is_match(&mut self, text: &str) -> Result<bool, Fault> {
        let input = Input::new(affordable(text)?).earliest(true);
        let found = self.search(&input);
        found
            .map(|found| found.is_some())
            .map_err(|_ignored| self.too_much())
    }

    /// Calls a function with each match and its pattern, from the left, until it returns false.
    pub(super) fn each(
        &mut self,
        call: &Call,
        text: &str,
        mut found: impl FnMut(&mut Self, Match) -> Result<bool, Fault>,
    ) -> Result<(), Fault> {
        let meter = call.core.local::<Meter>();
        let mut searcher = Searcher::new(Input::new(affordable(text)?));
        loop {
            let next = searcher.try_advance(|input| self.search(input));
            let Some(one) = next.map_err(|_ignored| self.too_much())? else {
                return Ok(());
            };
            if !found(self, one)? {
                return Ok(());
            }
            if let Some(over) = meter.spent_now() {
                return Err(over);
            }
        }
    }

    /// Returns the texts of the groups of a match; the first is the whole match.
    pub(super) fn parts<'t>(
        &mut self,
        text: &'t str,
        one: &Match,
    ) -> Result<Vec<Option<&'t str>>, Fault> {
        if self.groups().all_group_len() == 1 {
            return Ok(vec![text.get(one.range())]);
        }
        let mut slots = vec![None; self.groups().slot_len()];
        // What stands around the match counts, too: `\b` looks at it.
        let input = Input::new(text).span(one.span()).anchored(Anchored::Yes);
        if self.walk(&input, &mut slots).is_err() {
            return Err(self.too_much());
        }
        let part = |ends: &[Option<NonMaxUsize>]| match ends {
            [Some(start), Some(end)] => text.get(start.get()..end.get()),
            _ => None,
        };
        Ok(slots.chunks_exact(2).map(part).collect())
    }

    fn search(&mut self, input: &Input<'_>) -> Result<Option<Match>, MatchError> {
        if let Ok(found) = self.quick.try_search(&mut self.quick_cache, input) {
            return Ok(found);
        }
        let mut slots = [None; 2];
        let found = self.walk(input, &mut slots)?;
        let place = |slot: Option<NonMaxUsize>| slot.map(NonMaxUsize::get);
        Ok(match slots.map(place) {
            [Some(start), Some(end)] if found => Some(Match::must(0, start..end)),
            _ => None,
        })
    }

    /// Searches by walking all its places, if that is not too much work; tells whether there is a match.
    fn walk(
        &mut self,
        input: &Input<'_>,
        slots: &mut [Option<NonMaxUsize>],
    ) -> Result<bool, MatchError> {
        let each = self.places.saturating_mul(slots.len() / 2);
        let work = each
            .saturating_add(BYTE)
            .saturating_mul(input.get_span().len());
        if work > STEPS {
            return Err(MatchError::gave_up(input.start()));
        }
        let cache = self
            .sure_cache
            .get_or_insert_with(|| self.sure.create_cache());
        Ok(self.sure.search_slots(cache, input, slots).is_some())
    }

    fn too_much(&self) -> Fault {
        let pattern = named(&self.text);
        refused(format!("{pattern} takes too much work on this text"))
            .hint("Make it simpler, or look at the text in parts.")
    }
}

fn affordable(text: &str) -> Result<&str, Fault> {
    let bytes = text.len();
    if bytes <= TEXT_BYTES {
        return Ok(text);
    }
    let message =
        format!("a text of {bytes} bytes is longer than the {TEXT_BYTES} a pattern is tried on");
    Err(refused(message).hint("Look at the text in parts."))
}

/// Compiles a pattern to be read forwards and backwards; `None` when it becomes too large.
fn automata(hir: &Hir) -> Option<(NFA, NFA)> {
    let make = |config: thompson::Config, limit| {
        let config = config.nfa_size_limit(Some(limit));
        Compiler::new().configure(config).build_from_hir(hir).ok()
    };
    let forward = make(thompson::Config::new(), PROGRAM_BYTES)?;
    let reverse = thompson::Config::new().reverse(true);
    let reverse = reverse.which_captures(WhichCaptures::None);
    Some((forward, make(reverse, REVERSE_BYTES)?))
}

/// Tells whether a pattern has the flag `i` anywhere.
fn ignores_case(text: &str) -> bool {
    let mut groups = text.split("(?").skip(1);
    groups.any(|group| {
        let mut flags = group
            .chars()
            .take_while(|it| it.is_alphabetic() || *it == '-');
        flags.any(|flag| flag == 'i')
    })
}

/// Counts the places in a pattern. A class is one: of the bytes of its letters only one path is taken at a time.
fn places(hir: &Hir) -> usize {
    let sum = |all: &[Hir]| all.iter().map(places).fold(1, usize::saturating_add);
    match hir.kind() {
        HirKind::Empty | HirKind::Look(_) | HirKind::Class(_) => 1,
        HirKind::Literal(literal) => literal.0.len(),
        HirKind::Capture(group) => places(&group.sub).saturating_add(2),
        HirKind::Concat(all) | HirKind::Alternation(all) => sum(all),
        HirKind::Repetition(repeated) => {
            let times = repeated.max.unwrap_or(repeated.min).max(1);
            let times = usize::try_from(times).unwrap_or(usize::MAX);
            places(&repeated.sub)
                .saturating_add(1)
                .saturating_mul(times)
        }
    }
}

fn quick(forward: &NFA, reverse: &NFA) -> Option<regex::Regex> {
    let make = |nfa: &NFA, config: dfa::Config| {
        let config = config
            .cache_capacity(AUTOMATON_BYTES)
            .skip_cache_capacity_check(true)
            .unicode_word_boundary(true)
            .minimum_cache_clear_count(Some(3))
            // Making a state may take as long as a walk through all of the pattern's, so it must serve for long.
            .minimum_bytes_per_state(Some(nfa.states().len().max(10)));
        let mut builder = dfa::Builder::new();
        builder.configure(config).build_from_nfa(nfa.clone()).ok()
    };
    let forward = make(forward, dfa::Config::new())?;
    let reverse = make(reverse, dfa::Config::new().match_kind(MatchKind::All))?;
    Some(regex::Builder::new().build_from_dfas(forward, reverse))
}

/// Returns what messages call a pattern.
fn named(text: &str) -> String {
    format!("the pattern `{}`", shortened(text, 200))
}

/// Makes the fault of a pattern that is none, with the place in it.
fn misread(text: &str, error: &regex_syntax::Error) -> Fault {
    let (span, why) = match error {
        regex_syntax::Error::Parse(error) => (error.span(), error.kind().to_string()),
        regex_syntax::Error::Translate(error) => (error.span(), error.kind().to_string()),
        _ => return refused(format!("{} is not understood", named(text))),
    };
    let (line, column) = (span.start.line, span.start.column);
    let place = if text.contains('\n') {
        format!("line {line}, letter {column}")
    } else {
        format!("letter {column}")
    };
    refused(format!(
        "{} is not understood at {place}: {why}",
        named(text)
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pattern(text: &str) -> Pattern {
        Pattern::compile(text).unwrap()
    }

    #[test]
    fn both_ways_to_search_find_the_same() {
        let texts = ["", "ab", "a łódź b łódź", "2013-09-03 ab ab", "\u{feff}ł"];
        let patterns = [
            "",
            "a",
            r"\bł",
            "a*?",
            "(a)|(b)",
            "[0-9]{4}-(..)",
            "ł?",
            r"\B",
            "$",
        ];
        for (text, one) in texts
            .iter()
            .flat_map(|text| patterns.map(|one| (text, one)))
        {
            let mut pattern = pattern(one);
            let wanted = ::regex::Regex::new(one).unwrap();
            let wanted = wanted.find(text).map(|found| found.range());
            let input = Input::new(text);
            let found = pattern.search(&input).unwrap();
            assert_eq!(found.map(|it| it.range()), wanted, "{one} on {text}");
            let mut slots = [None; 2];
            let walked = pattern.walk(&input, &mut slots).unwrap();
            assert_eq!(walked, wanted.is_some(), "{one} on {text}");
            if let (Some(found), [Some(start), Some(end)]) = (found, slots) {
                assert_eq!(found.range(), start.get()..end.get(), "{one} on {text}");
            }
        }
    }

    #[test]
    fn a_core_keeps_patterns_within_bounds() {
        let patterns = Patterns::default();
        let lend = |text: &str| patterns.lend(text, |one| one.is_match("ab")).unwrap();
        for n in 0..200 {
            lend(&format!("a{n}"));
        }
        assert_eq!(patterns.0.borrow().len(), KEPT);
        for n in 0..10 {
            lend(&format!(r"\w{{25}}{n}"));
        }
        let kept = patterns.0.borrow();
        let held: usize = kept.iter().map(|one| one.weight).sum();
        assert!(held > KEPT_BYTES / 2 && held <= KEPT_BYTES, "{held}");
        assert!(kept.len() < 10, "{}", kept.len());
        assert_eq!(&*kept.last().unwrap().text, r"\w{25}9");
    }

    #[test]
    fn what_is_used_stays() {
        let patterns = Patterns::default();
        for n in 0..200 {
            patterns.lend("used", |_| Ok(())).unwrap();
            patterns.lend(&n.to_string(), |_| Ok(())).unwrap();
        }
        assert!(patterns.0.borrow().iter().any(|one| &*one.text == "used"));
    }

    #[test]
    fn work_is_bounded_by_places_times_text() {
        let text = "ł".repeat(100_000);
        let mut words = pattern(r"\b.{900}x");
        let fault = words.is_match(&text).unwrap_err();
        assert!(fault.message().contains("too much work"), "{fault:?}");
        assert!(!pattern(r"\b\w+x").is_match(&text).unwrap());
        let long = "a".repeat(TEXT_BYTES + 1);
        let fault = pattern("a").is_match(&long).unwrap_err();
        assert!(fault.message().contains("is longer than"), "{fault:?}");
    }

    #[test]
    fn classes_are_few_where_case_is_ignored() {
        let classes = "[Ā-ž]".repeat(MAX_FOLDED);
        for (flags, fits) in [
            ("", true),
            ("(?i)", true),
            ("[a](?s-i:x)", false),
            ("(?P<i>[a])", true),
        ] {
            let one = format!("{flags}{classes}");
            assert_eq!(Pattern::compile(&one).is_ok(), fits, "{one}");
        }
    }

    #[test]
    fn places_count_as_often_as_they_repeat() {
        for (text, wanted) in [
            ("abc", 3),
            (r"\w", 1),
            (r"\w{9}", 18),
            (r"(a|b\b)", 7),
            ("a*", 2),
        ] {
            assert_eq!(pattern(text).places, wanted, "{text}");
        }
    }
}
