//! One value out of a column's packed bytes, for whoever reads single rows here and there: nothing is made of the others.

use super::bytes::{Damage, Reader};
use super::column::{int_cell, Cell, Kind, NULLS_ALL, NULLS_NONE, NULLS_SOME};
use super::text::TEXT_PER_ROW;
use flette_odata::{Decimal, Uuid};

/// A column's value in one row below `rows`, as [`super::column::Column::read`] would give it.
///
/// # Errors
/// When the bytes that are looked at cannot be read.
pub(super) fn cell(plain: &[u8], kind: Kind, rows: usize, row: usize) -> Result<Cell<'_>, Damage> {
    let mut reader = Reader::new(plain);
    let null = match reader.u8()? {
        NULLS_NONE => false,
        NULLS_ALL => true,
        NULLS_SOME => Flags::take(&mut reader, rows)?.get(row)?,
        _ => return Err(Damage("unknown kind of nulls")),
    };
    if null {
        return Ok(Cell::Null);
    }
    Ok(match kind {
        Kind::Text => Cell::Text(text(&mut reader, rows, row)?),
        Kind::Id | Kind::Int | Kind::DateTime | Kind::Date => int_cell(kind, int(&mut reader, rows, row)?),
        Kind::Decimal => Cell::Decimal(decimal(&mut reader, rows, row)?),
        Kind::Double => Cell::Double(double(&mut reader, rows, row)?),
        Kind::Bool => Cell::Bool(Flags::take(&mut reader, rows)?.get(row)?),
        Kind::Lookup => {
            let (table, id) = lookup(&mut reader, rows, row)?;
            Cell::Lookup(table, id)
        }
        Kind::Guid => Cell::Guid(lookup(&mut reader, rows, row)?.1),
    })
}

fn double(reader: &mut Reader<'_>, rows: usize, row: usize) -> Result<f64, Damage> {
    let number = f64::from_le_bytes(nth(reader, rows, row)?);
    number.is_finite().then_some(number).ok_or(Damage("number is not finite"))
}

/// Bits as they are stored.
struct Flags<'a>(&'a [u8]);

impl<'a> Flags<'a> {
    fn take(reader: &mut Reader<'a>, rows: usize) -> Result<Flags<'a>, Damage> {
        reader.take(rows.div_ceil(64) * 8).map(Flags)
    }

    fn get(&self, row: usize) -> Result<bool, Damage> {
        let byte = self.0.get(row / 8).ok_or(BEYOND)?;
        Ok(byte >> (row % 8) & 1 == 1)
    }
}

const BEYOND: Damage = Damage("row beyond the last one");

/// Numbers of one width as they are stored.
struct Numbers<'a> {
    width: usize,
    bytes: &'a [u8],
    len: usize,
}

impl<'a> Numbers<'a> {
    fn take(reader: &mut Reader<'a>, len: usize) -> Result<Numbers<'a>, Damage> {
        let width = usize::from(reader.u8()?);
        if ![0, 1, 2, 4, 8].contains(&width) {
            return Err(Damage("unknown width"));
        }
        let bytes = reader.take(len.checked_mul(width).ok_or(Damage("too long"))?)?;
        Ok(Numbers { width, bytes, len })
    }

    fn get(&self, at: usize) -> Result<u64, Damage> {
        if at >= self.len {
            return Err(BEYOND);
        }
        Ok(number(&self.bytes[at * self.width..(at + 1) * self.width]))
    }

    fn index(&self, at: usize, end: usize) -> Result<usize, Damage> {
        let index = usize::try_from(self.get(at)?).ok();
        index.filter(|index| *index < end).ok_or(Damage("index out of range"))
    }

    /// What the numbers before one come to.
    fn sum_before(&self, at: usize) -> Result<usize, Damage> {
        let before = self.bytes.get(..at * self.width).ok_or(BEYOND)?;
        let sum = match self.width {
            0 => 0,
            1 => before.iter().map(|byte| u64::from(*byte)).sum(),
            width => before.chunks_exact(width).map(number).fold(0, u64::saturating_add),
        };
        usize::try_from(sum).map_err(|_| Damage("text too long"))
    }
}

/// Up to eight bytes, little endian.
fn number(bytes: &[u8]) -> u64 {
    let mut eight = [0; 8];
    eight[..bytes.len()].copy_from_slice(bytes);
    u64::from_le_bytes(eight)
}

/// The array of one row, of arrays that stand one after the other.
fn nth<const N: usize>(reader: &mut Reader<'_>, len: usize, at: usize) -> Result<[u8; N], Damage> {
    reader.take_array::<N>(len)?.nth(at).ok_or(BEYOND)
}

/// Texts one after the other, of which one is wanted that may be known later only.
struct List<'a> {
    lengths: Numbers<'a>,
    text: &'a [u8],
}

impl<'a> List<'a> {
    fn take(reader: &mut Reader<'a>, count: usize) -> Result<List<'a>, Damage> {
        let lengths = Numbers::take(reader, count)?;
        let total = reader.length()?;
        Ok(List { lengths, text: reader.take(total)? })
    }

    fn get(&self, at: usize) -> Result<&'a str, Damage> {
        let length = usize::try_from(self.lengths.get(at)?).map_err(|_| Damage("text too long"))?;
        let start = self.lengths.sum_before(at)?;
        let text = start.checked_add(length).and_then(|end| self.text.get(start..end));
        let text = text.ok_or(Damage("texts and their lengths differ"))?;
        std::str::from_utf8(text).map_err(|_| Damage("text is not UTF-8"))
    }
}

fn text<'a>(reader: &mut Reader<'a>, rows: usize, row: usize) -> Result<&'a str, Damage> {
    let count = reader.u32()?;
    if count == TEXT_PER_ROW {
        return List::take(reader, rows)?.get(row);
    }
    let count = count as usize;
    let texts = List::take(reader, count)?;
    texts.get(Numbers::take(reader, rows)?.index(row, count)?)
}

fn int(reader: &mut Reader<'_>, rows: usize, row: usize) -> Result<i64, Damage> {
    let (base, step) = (reader.i64()?, reader.u64()?);
    let distance = Numbers::take(reader, rows)?.get(row)?;
    Ok(base.wrapping_add_unsigned(distance.wrapping_mul(step)))
}

fn decimal(reader: &mut Reader<'_>, rows: usize, row: usize) -> Result<Decimal, Damage> {
    let scale = Numbers::take(reader, rows)?.get(row)?;
    let digits = match reader.u8()? {
        0 => i128::from(int(reader, rows, row)?),
        1 => i128::from_le_bytes(nth(reader, rows, row)?),
        _ => return Err(Damage("unknown width of decimals")),
    };
    let number = u8::try_from(scale).ok().and_then(|scale| Decimal::new(digits, scale));
    number.ok_or(Damage("decimal out of range"))
}

/// Logical name of the target table, and id.
fn lookup<'a>(reader: &mut Reader<'a>, rows: usize, row: usize) -> Result<(&'a str, Uuid), Damage> {
    let table_count = reader.length()?;
    let tables = List::take(reader, table_count)?;
    let count = reader.length()?;
    let table_of = Numbers::take(reader, count)?;
    let ids = reader.take(count.checked_mul(16).ok_or(Damage("too long"))?)?;
    let at = Numbers::take(reader, rows)?.index(row, count)?;
    let id = Uuid::from_bytes(nth(&mut Reader::new(ids), count, at)?);
    Ok((tables.get(table_of.index(at, table_count)?)?, id))
}
