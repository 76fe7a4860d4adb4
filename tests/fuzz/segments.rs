//! The reader of segments.

use crate::chance::Chance as Rows;
use crate::frames::{joined, parts, sign};
use crate::generate::Chance;
use crate::rows::{history, key, schema, Told, COLUMNS, KEY, TABLE};
use crate::{check, Source};
use flette::mirror::{MirrorTable, Segment, SegmentBuilder, SegmentError};
use flette_odata::filter::{CompareOp, Filter, TextOp};
use flette_odata::query::OrderBy;
use flette_odata::{Decimal, Value};

/// Most inputs kept.
const KEPT_MAX: usize = 2000;
/// Unpacking is the most that a byte can come to (256), and a few copies of it are held at once.
const FACTOR: usize = 1200;

fn sealed(told: &[Told]) -> Vec<u8> {
    let schema = schema();
    let mut builder = SegmentBuilder::new(schema.table(TABLE).unwrap());
    for (at, told) in told.iter().enumerate() {
        match told {
            Told::Row(id, row) => {
                let etag =
                    if at % 50 == 49 { "\"other\"".to_owned() } else { format!("W/\"{}\"", 40_000 + at) };
                builder.push_row(key(*id), &etag, row).unwrap();
            }
            Told::Gone(id) => builder.push_tombstone(key(*id)),
        }
    }
    builder.seal()
}

/// Segments as pulls and merges leave them, and those of earlier formats.
fn seeds() -> Vec<Vec<u8>> {
    let mut chance = Rows::new(5);
    let mut seeds: Vec<Vec<u8>> =
        [0, 1, 2, 7, 40, 130].map(|items| sealed(&history(items, items.max(1), &mut chance))).to_vec();
    let gone: Vec<Told> = (0..20).map(Told::Gone).collect();
    seeds.push(sealed(&gone));
    let mut table = MirrorTable::new(schema().table(TABLE).unwrap());
    for (number, items) in [(1, 60), (2, 30), (3, 5)] {
        let bytes = sealed(&history(items, 40, &mut chance));
        table.add(number, Segment::open(bytes).unwrap());
    }
    seeds.extend(table.merge(&[1, 2, 3]).unwrap().bytes);
    let golden = std::fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden")).unwrap();
    seeds.extend(golden.map(|file| std::fs::read(file.unwrap().path()).unwrap()));
    seeds
}

struct Bytes {
    inputs: Vec<Vec<u8>>,
    change: fn(&mut Vec<u8>, &mut Chance),
}

impl Source for Bytes {
    fn next(&mut self, chance: &mut Chance) -> Vec<u8> {
        let mut input = chance.of(&self.inputs).clone();
        (self.change)(&mut input, chance);
        input
    }

    fn keep(&mut self, input: Vec<u8>) {
        if self.inputs.len() < KEPT_MAX && input.len() < 1 << 16 {
            self.inputs.push(input);
        }
    }
}

/// A few bytes changed, cut, doubled, or overwritten with numbers that lengths and counts do not expect.
fn change(bytes: &mut Vec<u8>, chance: &mut Chance) {
    for _ in 0..=chance.below(3) {
        let at = chance.below(bytes.len() + 1);
        let end = (at + 1 + chance.below(20)).min(bytes.len()).max(at);
        match chance.below(8) {
            0 => drop(bytes.drain(at..end)),
            1 => {
                let piece = bytes[at..end].to_vec();
                bytes.splice(at..at, piece);
            }
            2 => bytes.truncate(bytes.len() - chance.below(bytes.len().min(64) + 1)),
            3 | 4 => {
                let numbers =
                    [0, 1, 2, 255, 256, 65_535, 65_536, 0x7fff_ffff, 0x8000_0000, u32::MAX - 1, u32::MAX];
                for (place, byte) in bytes[at..].iter_mut().zip(chance.of(&numbers).to_le_bytes()) {
                    *place = byte;
                }
            }
            5 if at < bytes.len() => bytes[at] = chance.next().to_le_bytes()[0],
            _ if at < bytes.len() => bytes[at] ^= 1 << chance.below(8),
            _ => {}
        }
    }
}

/// Reads everything there is to read.
fn read(bytes: &[u8]) -> String {
    let segment = match Segment::open(bytes) {
        Ok(segment) => segment,
        Err(SegmentError::NewerVersion(_)) => return "newer".to_owned(),
        Err(error) => return error.to_string(),
    };
    let checked = segment.check().err().map_or_else(|| "read".to_owned(), |error| error.to_string());
    let rows = segment.rows();
    for row in (0..rows.min(40)).chain(rows.saturating_sub(4)..rows) {
        let _ = (segment.row(row), segment.etag(row), segment.id(row), segment.is_tombstone(row));
        COLUMNS.iter().chain([&KEY]).for_each(|column| drop(segment.cell(row, column)));
    }
    query(segment);
    checked
}

/// Asks a table that has the segment, and merges it.
fn query(segment: Segment) {
    let mut table = MirrorTable::new(schema().table(TABLE).unwrap());
    table.add(7, segment);
    let compare =
        |column: &str, value| Filter::Compare { column: column.into(), op: CompareOp::LessOrEqual, value };
    let filters = [
        Filter::Text { column: "name".into(), op: TextOp::Contains, pattern: "a".into() },
        compare("note", Value::Text("b".into())),
        compare("size", Value::Int(1)),
        compare("seen", Value::DateTime(1_750_000_003_000)),
        compare("amount", Value::Decimal(Decimal::parse("1.5").unwrap())),
        compare("factor", Value::Double(0.5)),
        Filter::Compare { column: "keeper".into(), op: CompareOp::Equal, value: Value::Guid(key(1)) },
        Filter::HasValues { column: "marks".into(), values: vec![1] },
    ];
    for filter in &filters {
        let found = table.select(Some(filter), &[]);
        let ids: Vec<_> = found.iter().take(20).map(|at| (table.id_at(*at), table.row_at(*at))).collect();
        assert!(ids.iter().all(|(id, _)| table.contains(*id)));
    }
    for column in COLUMNS {
        let by = [OrderBy { path: Vec::new(), column: column.to_owned(), descending: true }];
        let all = table.select(None, &[]);
        assert!(table.order(all, &by, Some(50)).len() <= table.len());
    }
    let rows = table.len();
    if let Some(merged) = table.merge(&[7]) {
        table.apply(merged).unwrap();
        assert_eq!(table.len(), rows);
    }
}

#[test]
fn segments_that_were_changed_are_found_to_be() {
    let seeds = seeds();
    let known = seeds.clone();
    check("segment, changed", &mut Bytes { inputs: seeds, change }, FACTOR, &|input| match Segment::open(
        input,
    ) {
        Ok(_) => {
            assert!(known.iter().any(|seed| seed == input), "a changed segment was taken");
            "unchanged".to_owned()
        }
        Err(error) => error.to_string(),
    });
}

#[test]
fn any_bit_of_a_segment_that_flips_is_found() {
    for seed in seeds() {
        Segment::open(seed.as_slice()).unwrap();
        let step = (seed.len() * 8 / 3000).max(1) | 1;
        for bit in (0..seed.len() * 8).step_by(step) {
            let mut damaged = seed.clone();
            damaged[bit / 8] ^= 1 << (bit % 8);
            assert!(matches!(Segment::open(damaged), Err(SegmentError::Damaged(_))), "bit {bit}");
        }
    }
}

#[test]
fn segments_with_right_sums_and_wrong_heads_are_read_or_refused() {
    let change = |bytes: &mut Vec<u8>, chance: &mut Chance| {
        if chance.one_in(2) {
            // In the head, where the lengths are.
            let head = bytes.get(8..12).map_or(0, |len| u32::from_le_bytes(len.try_into().unwrap()) as usize);
            let mut start: Vec<u8> = bytes.drain(..head.min(bytes.len())).collect();
            change(&mut start, chance);
            if chance.one_in(2) && start.len() >= 12 {
                let len = u32::try_from(start.len()).unwrap().to_le_bytes();
                start[8..12].copy_from_slice(&len);
            }
            bytes.splice(0..0, start);
        } else {
            change(bytes, chance);
        }
        sign(bytes);
    };
    check("segment, signed", &mut Bytes { inputs: seeds(), change }, FACTOR, &read);
}

#[test]
fn segments_with_right_sums_and_wrong_blocks_are_read_or_refused() {
    let change = |bytes: &mut Vec<u8>, chance: &mut Chance| {
        let Some((rows, mut parts)) = parts(bytes).filter(|(_, parts)| !parts.is_empty()) else { return };
        let at = chance.below(parts.len());
        change(&mut parts[at].plain, chance);
        if chance.one_in(10) {
            let other = chance.below(parts.len());
            parts.swap(at, other);
        }
        let rows = if chance.one_in(20) { rows + chance.below(3) } else { rows };
        *bytes = joined(rows, &parts, chance);
    };
    check("segment, forged", &mut Bytes { inputs: seeds(), change }, FACTOR, &read);
}
