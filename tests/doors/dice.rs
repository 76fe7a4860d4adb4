//! Chance that can be had again.

pub struct Dice(u64);

impl Dice {
    /// From a seed of its own, which is told.
    pub fn new() -> Dice {
        let seed = flette_odata::Uuid::new_v4().as_u128() as u64 | 1;
        println!("seed {seed}");
        Dice(seed)
    }

    pub fn below(&mut self, limit: usize) -> usize {
        // Xorshift (Marsaglia 2003).
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % limit as u64) as usize
    }

    pub fn of<'a, T>(&mut self, items: &'a [T]) -> &'a T {
        &items[self.below(items.len())]
    }
}
