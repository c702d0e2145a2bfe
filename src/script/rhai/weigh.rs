//! Weighs now and then what the functions of a script hold: Rhai itself bounds single values only.
//!
//! The variables of the running function are within reach, those of its callers are not: they count as they were seen
//! when they ran. Texts are shared, so a large one counts once, however many functions hand it on.

use rhai::{Dynamic, Engine};
use rustc_hash::FxHashSet;

use crate::base::{Code, Fault};
use crate::script::meter::thread_cpu;
use crate::script::rhai::bind::raise;
use crate::script::rhai::fiber::{self, Chore};

/// How deep values may be nested at all.
const MAX_NESTED: usize = 1_000;
/// About what a member takes beside its text, in its list or map.
const MEMBER: usize = 64;
/// From this length on, texts are told apart.
const LARGE: usize = 16 << 10;

/// What a function holds.
#[derive(Default)]
pub(crate) struct Load {
    /// Its weight, in bytes.
    weight: usize,
    /// Its large texts, by address.
    texts: FxHashSet<usize>,
}

/// Adds the weighing. It happens where a script uses a variable.
#[expect(
    deprecated,
    reason = "it is not: the attribute says that it may change"
)]
pub(crate) fn install(engine: &mut Engine) {
    engine.on_var(|_, _, context| {
        let task = match fiber::chore() {
            Chore::None => return Ok(None),
            Chore::Weigh(task) => task,
            // The error gets the place of the variable. It can be caught, but there are only some steps left.
            Chore::End(over) => return Err(raise(over)),
        };
        let begun = thread_cpu();
        let limit = task.running.call.ctx.limits.memory;
        let own = context.scope().iter_raw().map(|(_, _, value)| value);
        let payload = task.response.payload.borrow();
        let level = context.call_level();
        let fits = fiber::loads(|loads| weigh(loads, level, own, &payload, limit));
        // The time of the processor: while the thread waits for it, the script makes nothing that would have to be weighed.
        let took = thread_cpu()
            .zip(begun)
            .map(|(now, begun)| now.saturating_sub(begun));
        fiber::weighed(took.unwrap_or_default());
        if fits.unwrap_or(true) {
            return Ok(None);
        }
        let message = "the script needs more memory than it may use";
        let fault = Fault::new(Code::MemoryBudget, message).hint("Handle large data in parts.");
        task.running.end(fault.clone());
        fiber::look_soon();
        Err(raise(fault))
    });
}

/// Weighs the variables of the function at a level, whose callers stand in `loads`; tells whether all together, and the
/// payload, fit into the limit.
fn weigh<'a>(
    loads: &mut Vec<Load>,
    level: usize,
    mut own: impl Iterator<Item = &'a Dynamic>,
    payload: &Dynamic,
    limit: usize,
) -> bool {
    // Callers that were never seen hold nothing, as far as is known.
    loads.resize_with(level, Load::default);
    let callers = loads
        .iter()
        .fold(0_usize, |sum, load| sum.saturating_add(load.weight));
    let mut scale = Scale {
        loads,
        own: FxHashSet::default(),
        left: limit.saturating_sub(callers),
    };
    let free = scale.left;
    let fits = own.all(|value| scale.take(value, 0));
    let weight = free - scale.left;
    let fits = callers <= limit && fits && scale.take(payload, 0);
    let texts = scale.own;
    loads.push(Load { weight, texts });
    fits
}

struct Scale<'a> {
    /// What the callers hold.
    loads: &'a [Load],
    /// The large texts met so far.
    own: FxHashSet<usize>,
    /// What may still be held.
    left: usize,
}

impl Scale<'_> {
    fn pay(&mut self, bytes: usize) -> bool {
        let paid = self.left.checked_sub(bytes);
        self.left = paid.unwrap_or(0);
        paid.is_some()
    }

    /// Tells whether a text was met already.
    fn knows(&mut self, text: &str) -> bool {
        let address = text.as_ptr().addr();
        let known = self.loads.iter().any(|load| load.texts.contains(&address));
        known || !self.own.insert(address)
    }

    /// Takes what a value weighs from what is left; false when that is too little, or the value is nested too deep to be
    /// anybody's data.
    fn take(&mut self, value: &Dynamic, depth: usize) -> bool {
        if let Ok(text) = value.as_immutable_string_ref() {
            return (text.len() >= LARGE && self.knows(&text)) || self.pay(text.len());
        }
        if let Ok(bytes) = value.as_blob_ref() {
            return self.pay(bytes.len());
        }
        if let Ok(list) = value.as_array_ref() {
            let members = self.pay(list.len() * MEMBER);
            return members
                && depth < MAX_NESTED
                && list.iter().all(|one| self.take(one, depth + 1));
        }
        if let Ok(map) = value.as_map_ref() {
            let members = self.pay(map.len() * MEMBER);
            return members
                && depth < MAX_NESTED
                && map.values().all(|one| self.take(one, depth + 1));
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(letters: usize) -> Dynamic {
        rhai::ImmutableString::from("x".repeat(letters)).into()
    }

    #[test]
    fn callers_count_and_a_text_that_is_handed_on_counts_once() {
        let nothing = Dynamic::UNIT;
        let shared = text(1 << 20);
        let mut loads = Vec::new();
        for level in 0..10 {
            let own = [shared.clone(), shared.clone()];
            assert!(
                weigh(&mut loads, level, own.iter(), &shared, 2 << 20),
                "{level}"
            );
        }
        // What each holds of its own adds up.
        let own: Vec<[Dynamic; 1]> = (0..6).map(|_| [text(1 << 20)]).collect();
        let mut loads = Vec::new();
        for (level, own) in own.iter().enumerate() {
            let fits = weigh(&mut loads, level, own.iter(), &nothing, 5 << 20);
            assert_eq!(fits, level < 5, "{level}");
        }
        // Whoever returned holds nothing any more; whoever was not seen is not known to.
        let (one, three) = ([text(1 << 20)], [text(3 << 20)]);
        assert!(weigh(&mut loads, 1, one.iter(), &nothing, 5 << 20));
        assert!(weigh(&mut loads, 9, three.iter(), &nothing, 5 << 20));
        assert!(!weigh(
            &mut loads,
            10,
            [text(1 << 20)].iter(),
            &nothing,
            5 << 20
        ));
    }
}
