//! Columns of numbers: whole ones as distances from the smallest, decimals exact.

use super::bits::Bits;
use super::bytes::{Damage, Packed, Reader};
use flette_odata::Decimal;

/// Whole numbers: `base + step * distance`. Days, whole seconds and options become a byte or two each.
#[derive(Debug)]
pub(super) struct Ints {
    base: i64,
    step: u64,
    distances: Packed,
}

/// Instants are whole seconds as a rule.
const SECOND_MILLIS: u64 = 1000;

impl Ints {
    pub(super) fn new(numbers: &[i64]) -> Ints {
        Ints::masked(numbers, &Bits::none(numbers.len()))
    }

    /// Rows in `nulls` may read as any number.
    pub(super) fn masked(numbers: &[i64], nulls: &Bits) -> Ints {
        let present = || numbers.iter().enumerate().filter(|(row, _)| !nulls.get(*row)).map(|(_, n)| *n);
        let base = present().min().unwrap_or(0);
        let max = present().max().unwrap_or(0);
        let whole = present().all(|n| n.abs_diff(base) % SECOND_MILLIS == 0);
        let step = if whole { SECOND_MILLIS } else { 1 };
        let distances = numbers.iter().enumerate().map(|(row, n)| match nulls.get(row) {
            true => 0,
            false => n.abs_diff(base) / step,
        });
        Ints { base, step, distances: Packed::new(distances, max.abs_diff(base) / step) }
    }

    pub(super) fn get(&self, row: usize) -> i64 {
        self.base.wrapping_add_unsigned(self.distances.get(row).wrapping_mul(self.step))
    }

    /// The number of a row counted from the smallest, and how many there may be, where these are few.
    pub(super) fn code(&self, row: usize) -> Option<(usize, usize)> {
        match &self.distances {
            Packed::Zero(_) => Some((0, 1)),
            Packed::One(distances) => Some((usize::from(distances[row]), 1 << u8::BITS)),
            Packed::Two(_) | Packed::Four(_) | Packed::Eight(_) => None,
        }
    }

    /// Rows whose number is one of `min..=max`.
    pub(super) fn between(&self, min: i64, max: i64) -> Bits {
        let rows = self.distances.len();
        if self.step == 0 {
            return if (min..=max).contains(&self.base) { Bits::all(rows) } else { Bits::none(rows) };
        }
        let (base, step) = (i128::from(self.base), i128::from(self.step));
        // Distances of the least and the greatest number that pass, rounded inwards.
        let low = (i128::from(min) - base + step - 1).div_euclid(step).max(0);
        let high = (i128::from(max) - base).div_euclid(step).min(i128::from(u64::MAX));
        match (u64::try_from(low), u64::try_from(high)) {
            (Ok(low), Ok(high)) if low <= high => self.distances.within(low, high - low),
            _ => Bits::none(rows),
        }
    }

    pub(super) fn heap_bytes(&self) -> usize {
        self.distances.heap_bytes()
    }

    pub(super) fn write(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.base.to_le_bytes());
        out.extend_from_slice(&self.step.to_le_bytes());
        self.distances.write(out);
    }

    pub(super) fn read(reader: &mut Reader<'_>, rows: usize) -> Result<Ints, Damage> {
        Ok(Ints { base: reader.i64()?, step: reader.u64()?, distances: Packed::read(reader, rows)? })
    }
}

/// Decimals: digits and scale of each row. Digits beyond 64 bits are rare, so they are kept apart in width.
#[derive(Debug)]
pub(super) struct Decimals {
    scales: Packed,
    digits: Digits,
}

#[derive(Debug)]
enum Digits {
    Narrow(Ints),
    Wide(Vec<i128>),
}

impl Decimals {
    pub(super) fn new(numbers: &[Decimal]) -> Decimals {
        let scales = numbers.iter().map(|n| u64::from(n.scale()));
        let scale_max = numbers.iter().map(|n| n.scale()).max().unwrap_or(0);
        let narrow: Option<Vec<i64>> = numbers.iter().map(|n| i64::try_from(n.mantissa()).ok()).collect();
        let digits = match narrow {
            Some(narrow) => Digits::Narrow(Ints::new(&narrow)),
            None => Digits::Wide(numbers.iter().map(|n| n.mantissa()).collect()),
        };
        Decimals { scales: Packed::new(scales, u64::from(scale_max)), digits }
    }

    pub(super) fn get(&self, row: usize) -> Decimal {
        self.checked(row).unwrap_or(Decimal::from(0))
    }

    fn checked(&self, row: usize) -> Option<Decimal> {
        let digits = match &self.digits {
            Digits::Narrow(digits) => i128::from(digits.get(row)),
            Digits::Wide(digits) => digits[row],
        };
        Decimal::new(digits, u8::try_from(self.scales.get(row)).ok()?)
    }

    pub(super) fn heap_bytes(&self) -> usize {
        self.scales.heap_bytes()
            + match &self.digits {
                Digits::Narrow(digits) => digits.heap_bytes(),
                Digits::Wide(digits) => digits.capacity() * size_of::<i128>(),
            }
    }

    pub(super) fn write(&self, out: &mut Vec<u8>) {
        self.scales.write(out);
        match &self.digits {
            Digits::Narrow(digits) => {
                out.push(0);
                digits.write(out);
            }
            Digits::Wide(digits) => {
                out.push(1);
                digits.iter().for_each(|n| out.extend_from_slice(&n.to_le_bytes()));
            }
        }
    }

    pub(super) fn read(reader: &mut Reader<'_>, rows: usize) -> Result<Decimals, Damage> {
        let scales = Packed::read(reader, rows)?;
        let digits = match reader.u8()? {
            0 => Digits::Narrow(Ints::read(reader, rows)?),
            1 => Digits::Wide(reader.take_array(rows)?.map(i128::from_le_bytes).collect()),
            _ => return Err(Damage("unknown width of decimals")),
        };
        let decimals = Decimals { scales, digits };
        if (0..rows).all(|row| decimals.checked(row).is_some()) {
            Ok(decimals)
        } else {
            Err(Damage("decimal out of range"))
        }
    }
}

pub(super) fn write_doubles(numbers: &[f64], out: &mut Vec<u8>) {
    numbers.iter().for_each(|n| out.extend_from_slice(&n.to_le_bytes()));
}

pub(super) fn read_doubles(reader: &mut Reader<'_>, rows: usize) -> Result<Vec<f64>, Damage> {
    let numbers: Vec<f64> = reader.take_array(rows)?.map(f64::from_le_bytes).collect();
    if numbers.iter().all(|n| n.is_finite()) {
        Ok(numbers)
    } else {
        Err(Damage("number is not finite"))
    }
}
