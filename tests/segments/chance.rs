//! Chance that can be had again.

/// A seed that failed is told, and gives the same rows and queries again.
pub struct Chance(u64);

impl Chance {
    pub fn new(seed: u64) -> Chance {
        Chance(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    pub fn next(&mut self) -> u64 {
        // Xorshift (Marsaglia 2003), then mixed: low bits alone would be poor.
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0.wrapping_mul(0xd6e8_feb8_6659_fd93) >> 16
    }

    pub fn below(&mut self, limit: usize) -> usize {
        (self.next() % limit as u64) as usize
    }

    pub fn one_in(&mut self, times: usize) -> bool {
        self.below(times) == 0
    }

    pub fn of<'a, T>(&mut self, items: &'a [T]) -> &'a T {
        &items[self.below(items.len())]
    }
}

/// Seeds of a test: `cases`, or as many as `FLETTE_SEGMENT_CASES` says.
pub fn seeds(cases: u64) -> impl Iterator<Item = u64> {
    let said = std::env::var("FLETTE_SEGMENT_CASES").ok().and_then(|text| text.parse().ok());
    (1..=said.unwrap_or(cases)).inspect(|seed| println!("seed {seed}"))
}
