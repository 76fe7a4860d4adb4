//! Chance from a seed: SplitMix64 (Steele, Lea and Flood, "Fast splittable pseudorandom number generators", 2014).

use std::cell::Cell;

/// A source of chance that can be shared.
#[derive(Debug)]
pub struct Dice(Cell<u64>);

impl Dice {
    /// The same seed, the same rolls.
    pub fn new(seed: u64) -> Dice {
        Dice(Cell::new(seed))
    }

    /// Any number.
    pub fn next(&self) -> u64 {
        let state = self.0.get().wrapping_add(0x9E37_79B9_7F4A_7C15);
        self.0.set(state);
        let mixed = (state ^ (state >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    /// `0..sides`; 0 for no sides at all.
    pub fn roll(&self, sides: usize) -> usize {
        let sides = u64::try_from(sides).unwrap_or(1).max(1);
        usize::try_from((self.next() >> 11) % sides).unwrap_or(0)
    }

    /// True once in `times`, on average; never for 0.
    pub fn once_in(&self, times: usize) -> bool {
        times > 0 && self.roll(times) == 0
    }

    /// One of these.
    pub fn pick<'a, T>(&self, from: &'a [T]) -> Option<&'a T> {
        from.get(self.roll(from.len()))
    }

    /// Fills with chance.
    pub fn fill(&self, bytes: &mut [u8]) {
        for chunk in bytes.chunks_mut(8) {
            let next = self.next().to_le_bytes();
            for (byte, chance) in chunk.iter_mut().zip(next) {
                *byte = chance;
            }
        }
    }
}
