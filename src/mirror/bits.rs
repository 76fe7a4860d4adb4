//! A fixed-length set of row numbers: selections, nulls, tombstones.

use super::bytes::{Damage, Reader};

/// One bit per row; bits beyond `len` are zero.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Bits {
    words: Vec<u64>,
    len: usize,
}

const WORD: usize = u64::BITS as usize;

impl Bits {
    /// `len` bits, none set.
    pub(super) fn none(len: usize) -> Bits {
        Bits { words: vec![0; len.div_ceil(WORD)], len }
    }

    /// `len` bits, all set.
    pub(super) fn all(len: usize) -> Bits {
        let mut bits = Bits { words: vec![u64::MAX; len.div_ceil(WORD)], len };
        bits.trim();
        bits
    }

    /// The bits for which `test` holds, asked in order.
    pub(super) fn from_fn(len: usize, mut test: impl FnMut(usize) -> bool) -> Bits {
        let mut bits = Bits { words: Vec::with_capacity(len.div_ceil(WORD)), len };
        let mut start = 0;
        while start < len {
            let end = len.min(start + WORD);
            let word = (start..end).fold(0u64, |word, at| word | (u64::from(test(at)) << (at - start)));
            bits.words.push(word);
            start = end;
        }
        bits
    }

    /// A bit for each item, asked in order.
    pub(super) fn of<T: Copy>(items: &[T], mut test: impl FnMut(T) -> bool) -> Bits {
        let word = |items: &[T]| {
            items.iter().enumerate().fold(0u64, |word, (at, item)| word | (u64::from(test(*item)) << at))
        };
        Bits { words: items.chunks(WORD).map(word).collect(), len: items.len() }
    }

    pub(super) fn len(&self) -> usize {
        self.len
    }

    pub(super) fn count(&self) -> usize {
        self.words.iter().map(|word| word.count_ones() as usize).sum()
    }

    pub(super) fn get(&self, at: usize) -> bool {
        self.words.get(at / WORD).is_some_and(|word| word >> (at % WORD) & 1 == 1)
    }

    pub(super) fn set(&mut self, at: usize) {
        self.words[at / WORD] |= 1 << (at % WORD);
    }

    pub(super) fn clear(&mut self, at: usize) {
        self.words[at / WORD] &= !(1 << (at % WORD));
    }

    /// Appends a bit.
    pub(super) fn push(&mut self, bit: bool) {
        if self.len % WORD == 0 {
            self.words.push(0);
        }
        self.len += 1;
        if bit {
            self.set(self.len - 1);
        }
    }

    pub(super) fn and(&mut self, other: &Bits) {
        self.words.iter_mut().zip(&other.words).for_each(|(a, b)| *a &= b);
    }

    pub(super) fn or(&mut self, other: &Bits) {
        self.words.iter_mut().zip(&other.words).for_each(|(a, b)| *a |= b);
    }

    pub(super) fn and_not(&mut self, other: &Bits) {
        self.words.iter_mut().zip(&other.words).for_each(|(a, b)| *a &= !b);
    }

    pub(super) fn negate(&mut self) {
        self.words.iter_mut().for_each(|word| *word = !*word);
        self.trim();
    }

    pub(super) fn is_none(&self) -> bool {
        self.words.iter().all(|word| *word == 0)
    }

    /// The first two set bits.
    pub(super) fn first_two(&self) -> (Option<usize>, Option<usize>) {
        let mut ones = self.ones();
        (ones.next(), ones.next())
    }

    /// Calls `each` for the set bits, ascending: faster than [`Bits::ones`] where there are many.
    pub(super) fn each_one(&self, mut each: impl FnMut(usize)) {
        for (at, word) in self.words.iter().enumerate() {
            let mut rest = *word;
            while rest != 0 {
                each(at * WORD + rest.trailing_zeros() as usize);
                rest &= rest - 1;
            }
        }
    }

    /// The set bits, ascending.
    pub(super) fn ones(&self) -> impl Iterator<Item = usize> + '_ {
        self.words.iter().enumerate().flat_map(|(at, &word)| {
            let mut rest = word;
            std::iter::from_fn(move || {
                let bit = rest.trailing_zeros() as usize;
                rest &= rest.wrapping_sub(1);
                (bit < WORD).then_some(at * WORD + bit)
            })
        })
    }

    pub(super) fn heap_bytes(&self) -> usize {
        self.words.capacity() * size_of::<u64>()
    }

    pub(super) fn write(&self, out: &mut Vec<u8>) {
        self.words.iter().for_each(|word| out.extend_from_slice(&word.to_le_bytes()));
    }

    pub(super) fn read(reader: &mut Reader<'_>, len: usize) -> Result<Bits, Damage> {
        let words = reader.take_array::<8>(len.div_ceil(WORD))?.map(u64::from_le_bytes).collect();
        let bits = Bits { words, len };
        let mut trimmed = bits.clone();
        trimmed.trim();
        if trimmed == bits {
            Ok(bits)
        } else {
            Err(Damage("bits beyond the last row"))
        }
    }

    fn trim(&mut self) {
        let used = self.len % WORD;
        if let (1.., Some(last)) = (used, self.words.last_mut()) {
            *last &= (1 << used) - 1;
        }
    }
}
