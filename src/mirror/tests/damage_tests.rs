use super::*;
use proptest::sample::Index;

fn small() -> Vec<u8> {
    let row = Row::from([
        ("name".to_owned(), Value::Text("abc".into())),
        ("price".to_owned(), Value::Decimal(Decimal::parse("1.50").unwrap())),
        ("owner".to_owned(), Value::Lookup(EntityRef { table: "team".into(), id: key(5) })),
    ]);
    seal(&[Change::Put(1, "W/\"1\"".into(), row), Change::Delete(2)])
}

#[test]
fn every_flipped_bit_is_found() {
    let bytes = small();
    Segment::open(&bytes[..]).unwrap();
    for bit in 0..bytes.len() * 8 {
        let mut damaged = bytes.clone();
        damaged[bit / 8] ^= 1 << (bit % 8);
        assert!(matches!(Segment::open(damaged), Err(SegmentError::Damaged(_))), "bit {bit}");
    }
}

#[test]
fn every_cut_and_every_tail_is_found() {
    let bytes = small();
    for len in 0..bytes.len() {
        assert!(matches!(Segment::open(&bytes[..len]), Err(SegmentError::Damaged(_))), "{len} bytes");
    }
    assert!(Segment::open([&bytes[..], &[0]].concat()).is_err());
}

/// Puts a right sum on a head that was changed.
fn sign(bytes: &mut [u8]) {
    let Some(len) = bytes.get(8..12).map(|len| u32::from_le_bytes(len.try_into().unwrap()) as usize) else {
        return;
    };
    if (16..=bytes.len()).contains(&len) {
        let crc = super::super::format::head_crc(&bytes[..len]);
        bytes[12..16].copy_from_slice(&crc.to_le_bytes());
    }
}

#[test]
fn a_newer_format_is_told_from_damage() {
    let mut bytes = small();
    bytes[4] = 3;
    sign(&mut bytes);
    assert_eq!(Segment::open(bytes).unwrap_err(), SegmentError::NewerVersion(3));
}

/// Reads everything there is to read.
fn read_all(segment: &Segment) {
    let mut table = MirrorTable::new(&table());
    for row in 0..segment.rows() {
        for column in columns() {
            let kind = super::super::column::Kind::of(&super::table().column(&column).unwrap().kind);
            let value = segment
                .find(&column, kind)
                .map(|at| segment.with_cell_alone(row, at, |cell| cell.to_value()));
            assert!(!matches!(value, Some(Value::Double(number)) if !number.is_finite()), "{column}");
        }
        let _ = (segment.row(row), segment.etag(row));
    }
    table.add(1, Segment::open(small()).unwrap());
}

proptest! {
    #![proptest_config(config(512))]

    #[test]
    fn a_lying_head_never_panics(changes in prop::collection::vec((any::<Index>(), any::<u8>()), 1..4)) {
        let mut bytes = small();
        let head = u32::from_le_bytes(bytes[8..12].try_into().unwrap()) as usize;
        for (at, byte) in changes {
            bytes[16 + at.index(head - 16)] = byte;
        }
        sign(&mut bytes);
        if let Ok(segment) = Segment::open(bytes) {
            let _ = segment.check();
            read_all(&segment);
        }
    }

    #[test]
    fn a_lying_block_never_panics(
        changes in prop::collection::vec(change(5), 1..6),
        edits in prop::collection::vec((any::<Index>(), any::<u8>()), 1..4),
        block in any::<Index>(),
    ) {
        let bytes = seal(&changes);
        let forged = super::super::format::forge(&bytes, |number, plain| {
            if number == block.index(17) {
                for (at, byte) in &edits {
                    let at = at.index(plain.len());
                    plain[at] = *byte;
                }
            }
        });
        if let Ok(segment) = Segment::open(forged) {
            let _ = segment.check();
            read_all(&segment);
        }
    }

    #[test]
    fn noise_never_panics(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = Segment::open(bytes.clone());
        let mut bytes = [b"FLSG\x01\0\0\0", &bytes[..]].concat();
        sign(&mut bytes);
        let _ = Segment::open(bytes);
    }
}
