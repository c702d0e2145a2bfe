//! The one budget of an evaluation.
//!
//! A step is about ten nanoseconds of work: a node visited, an expression evaluated, a member of a
//! set sorted. Texts count by their length, so that a function over much text costs what it takes.

use std::cell::Cell;

use crate::xml::xpath::refusal::Spent;

/// The steps an evaluation may take: ten passes over the largest document we read, and below a
/// third of a second.
pub(super) const STEPS: usize = 10_000_000;

/// How many bytes of text are copied, compared, searched or read in the time of a step.
const BYTES: usize = 8;

/// What is left of the steps.
pub(super) struct Budget(Cell<usize>);

impl Budget {
    pub(super) fn new(steps: usize) -> Self {
        Self(Cell::new(steps))
    }

    /// Takes steps.
    pub(super) fn spend(&self, steps: usize) -> Result<(), Spent> {
        match self.0.get().checked_sub(steps) {
            Some(left) => {
                self.0.set(left);
                Ok(())
            }
            None => Err(Spent),
        }
    }

    /// Takes what it costs to go through so many bytes.
    pub(super) fn text(&self, bytes: usize) -> Result<(), Spent> {
        self.spend(bytes / BYTES + 1)
    }
}
