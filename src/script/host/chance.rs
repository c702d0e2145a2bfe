//! Where the random bytes of scripts come from: the system, or in tests a sequence that is always the same.

use std::cell::Cell;

use aws_lc_rs::rand;

use crate::base::{Code, Fault};
use crate::contract::CoreLocal;

/// The random bytes of one core.
#[derive(Default)]
pub(crate) struct Chance {
    /// Where the sequence stands; `None` for bytes of the system.
    place: Cell<Option<u64>>,
}

impl CoreLocal for Chance {}

impl Chance {
    /// Makes all bytes from now on the same as after any other call of this.
    pub(crate) fn fix(&self) {
        self.place.set(Some(0));
    }

    /// Tells whether the bytes are always the same.
    pub(crate) fn is_fixed(&self) -> bool {
        self.place.get().is_some()
    }

    /// Returns from what the random numbers of a VM come: nobody can guess it from those of another.
    pub(crate) fn seed(&self) -> Result<i32, Fault> {
        let mut bytes = [0; 4];
        self.fill(&mut bytes)?;
        Ok(i32::from_be_bytes(bytes))
    }

    /// Fills bytes.
    pub(crate) fn fill(&self, bytes: &mut [u8]) -> Result<(), Fault> {
        let Some(mut place) = self.place.get() else {
            return rand::fill(bytes).map_err(|error| {
                Fault::new(Code::Internal, "no random bytes").detail(error.to_string())
            });
        };
        for part in bytes.chunks_mut(8) {
            place = place.wrapping_add(0x9e37_79b9_7f4a_7c15);
            part.iter_mut()
                .zip(mixed(place).to_be_bytes())
                .for_each(|(byte, fresh)| *byte = fresh);
        }
        self.place.set(Some(place));
        Ok(())
    }
}

/// Mixes a number (splitmix64).
fn mixed(number: u64) -> u64 {
    let mixed = (number ^ (number >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}
