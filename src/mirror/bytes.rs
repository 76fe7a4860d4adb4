//! Bytes in and out: little endian, bounds checked, no allocation larger than what is there to read.

use super::bits::Bits;

/// What did not hold while reading.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Damage(pub(super) &'static str);

/// Reads from the front.
#[derive(Debug, Clone)]
pub(super) struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Reader<'a> {
        Reader { rest: bytes }
    }

    pub(super) fn take(&mut self, len: usize) -> Result<&'a [u8], Damage> {
        let (taken, rest) = self.rest.split_at_checked(len).ok_or(Damage("ends too early"))?;
        self.rest = rest;
        Ok(taken)
    }

    /// `count` arrays of `N` bytes.
    pub(super) fn take_array<const N: usize>(
        &mut self,
        count: usize,
    ) -> Result<impl ExactSizeIterator<Item = [u8; N]> + 'a, Damage> {
        let bytes = self.take(count.checked_mul(N).ok_or(Damage("too long"))?)?;
        Ok(bytes.chunks_exact(N).map(|chunk| {
            let mut array = [0; N];
            array.copy_from_slice(chunk);
            array
        }))
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], Damage> {
        let mut array = [0; N];
        array.copy_from_slice(self.take(N)?);
        Ok(array)
    }

    pub(super) fn u8(&mut self) -> Result<u8, Damage> {
        self.array().map(u8::from_le_bytes)
    }

    pub(super) fn u16(&mut self) -> Result<u16, Damage> {
        self.array().map(u16::from_le_bytes)
    }

    pub(super) fn u32(&mut self) -> Result<u32, Damage> {
        self.array().map(u32::from_le_bytes)
    }

    /// A `u32` as a length or index.
    pub(super) fn length(&mut self) -> Result<usize, Damage> {
        self.u32().map(|n| n as usize)
    }

    pub(super) fn u64(&mut self) -> Result<u64, Damage> {
        self.array().map(u64::from_le_bytes)
    }

    pub(super) fn i64(&mut self) -> Result<i64, Damage> {
        self.array().map(i64::from_le_bytes)
    }

    /// Nothing may be left.
    pub(super) fn finish(self) -> Result<(), Damage> {
        if self.rest.is_empty() {
            Ok(())
        } else {
            Err(Damage("more bytes than expected"))
        }
    }
}

/// A length or index as it is stored. Everything counted here is part of one segment in memory.
pub(super) fn stored(length: usize) -> u32 {
    u32::try_from(length).expect("a segment and its parts stay below 4 GiB")
}

/// Whole numbers of one width, as narrow as the largest allows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Packed {
    /// All zero; how many.
    Zero(usize),
    /// One byte each, and so on.
    One(Vec<u8>),
    /// Two bytes.
    Two(Vec<u16>),
    /// Four bytes.
    Four(Vec<u32>),
    /// Eight bytes.
    Eight(Vec<u64>),
}

impl Packed {
    /// Packs numbers of which none is above `max`.
    pub(super) fn new(numbers: impl ExactSizeIterator<Item = u64>, max: u64) -> Packed {
        match max {
            0 => Packed::Zero(numbers.len()),
            1..=0xff => Packed::One(numbers.map(|n| n.to_le_bytes()[0]).collect()),
            0x100..=0xffff => Packed::Two(numbers.map(low_two).collect()),
            0x1_0000..=0xffff_ffff => Packed::Four(numbers.map(low_four).collect()),
            _ => Packed::Eight(numbers.collect()),
        }
    }

    pub(super) fn get(&self, at: usize) -> u64 {
        match self {
            Packed::Zero(_) => 0,
            Packed::One(numbers) => u64::from(numbers[at]),
            Packed::Two(numbers) => u64::from(numbers[at]),
            Packed::Four(numbers) => u64::from(numbers[at]),
            Packed::Eight(numbers) => numbers[at],
        }
    }

    /// A number that is an index; those are stored as `u32` at most.
    pub(super) fn index(&self, at: usize) -> usize {
        low_four(self.get(at)) as usize
    }

    pub(super) fn len(&self) -> usize {
        match self {
            Packed::Zero(len) => *len,
            Packed::One(numbers) => numbers.len(),
            Packed::Two(numbers) => numbers.len(),
            Packed::Four(numbers) => numbers.len(),
            Packed::Eight(numbers) => numbers.len(),
        }
    }

    pub(super) fn iter(&self) -> impl ExactSizeIterator<Item = u64> + '_ {
        (0..self.len()).map(|at| self.get(at))
    }

    fn max(&self) -> Option<u64> {
        match self {
            Packed::Zero(len) => (*len > 0).then_some(0),
            Packed::One(numbers) => numbers.iter().max().copied().map(u64::from),
            Packed::Two(numbers) => numbers.iter().max().copied().map(u64::from),
            Packed::Four(numbers) => numbers.iter().max().copied().map(u64::from),
            Packed::Eight(numbers) => numbers.iter().max().copied(),
        }
    }

    /// Places of the numbers from `low` to `low + span`.
    pub(super) fn within(&self, low: u64, span: u64) -> Bits {
        self.test(|number| number.wrapping_sub(low) <= span)
    }

    /// Places of the numbers that are in a set.
    pub(super) fn among(&self, set: &Bits) -> Bits {
        match set.first_two() {
            (None, _) => Bits::none(self.len()),
            (Some(one), None) => self.within(one as u64, 0),
            (Some(_), Some(_)) => self.test(|number| set.get(low_four(number) as usize)),
        }
    }

    fn test(&self, test: impl Fn(u64) -> bool) -> Bits {
        match self {
            Packed::Zero(len) if test(0) => Bits::all(*len),
            Packed::Zero(len) => Bits::none(*len),
            Packed::One(numbers) => Bits::of(numbers, |n| test(u64::from(n))),
            Packed::Two(numbers) => Bits::of(numbers, |n| test(u64::from(n))),
            Packed::Four(numbers) => Bits::of(numbers, |n| test(u64::from(n))),
            Packed::Eight(numbers) => Bits::of(numbers, test),
        }
    }

    pub(super) fn heap_bytes(&self) -> usize {
        match self {
            Packed::Zero(_) => 0,
            Packed::One(numbers) => numbers.capacity(),
            Packed::Two(numbers) => numbers.capacity() * 2,
            Packed::Four(numbers) => numbers.capacity() * 4,
            Packed::Eight(numbers) => numbers.capacity() * 8,
        }
    }

    /// Width in bytes, then the numbers. How many there are the reader must know.
    pub(super) fn write(&self, out: &mut Vec<u8>) {
        match self {
            Packed::Zero(_) => out.push(0),
            Packed::One(numbers) => {
                out.push(1);
                out.extend_from_slice(numbers);
            }
            Packed::Two(numbers) => {
                out.push(2);
                numbers.iter().for_each(|n| out.extend_from_slice(&n.to_le_bytes()));
            }
            Packed::Four(numbers) => {
                out.push(4);
                numbers.iter().for_each(|n| out.extend_from_slice(&n.to_le_bytes()));
            }
            Packed::Eight(numbers) => {
                out.push(8);
                numbers.iter().for_each(|n| out.extend_from_slice(&n.to_le_bytes()));
            }
        }
    }

    pub(super) fn read(reader: &mut Reader<'_>, len: usize) -> Result<Packed, Damage> {
        Ok(match reader.u8()? {
            0 => Packed::Zero(len),
            1 => Packed::One(reader.take(len)?.to_vec()),
            2 => Packed::Two(reader.take_array(len)?.map(u16::from_le_bytes).collect()),
            4 => Packed::Four(reader.take_array(len)?.map(u32::from_le_bytes).collect()),
            8 => Packed::Eight(reader.take_array(len)?.map(u64::from_le_bytes).collect()),
            _ => return Err(Damage("unknown width")),
        })
    }

    /// Reads numbers that must all be below `end`.
    pub(super) fn read_below(reader: &mut Reader<'_>, len: usize, end: usize) -> Result<Packed, Damage> {
        let numbers = Packed::read(reader, len)?;
        let end = u64::from(stored(end));
        if numbers.max().is_none_or(|max| max < end) {
            Ok(numbers)
        } else {
            Err(Damage("index out of range"))
        }
    }
}

fn low_two(number: u64) -> u16 {
    let [a, b, ..] = number.to_le_bytes();
    u16::from_le_bytes([a, b])
}

fn low_four(number: u64) -> u32 {
    let [a, b, c, d, ..] = number.to_le_bytes();
    u32::from_le_bytes([a, b, c, d])
}
