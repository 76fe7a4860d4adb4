//! What the mirror's own steps cost on this machine, in one thread, without a browser: decode, seal, open, scan, order,
//! group, merge. Run it with `cargo bench`; ratios against floors and peers are measured in `bench/`, in real browsers.

#![allow(missing_docs, clippy::unwrap_used, clippy::panic, clippy::cast_possible_truncation)]

mod contacts;

use contacts::{filled, page, table, PAGE_ROWS, ROWS};
use divan::{black_box, AllocProfiler, Bencher};
use flette::mirror::{decode_page, MirrorTable, Segment, Sliced};
use flette_odata::filter::{CompareOp, Filter, TextOp};
use flette_odata::query::OrderBy;
use flette_odata::{Decimal, Value};
use std::collections::HashMap;

#[global_allocator]
static ALLOCATOR: AllocProfiler = AllocProfiler::system();

fn main() {
    divan::main();
}

/// One page of 5,000 rows of 24 columns, from JSON into columns.
#[divan::bench]
fn decode_a_page(bencher: Bencher) {
    let (table, body) = (table(), page(0));
    let bytes = divan::counter::BytesCount::new(body.len());
    bencher.counter(bytes).bench(|| decode_page(black_box(body.as_bytes()), &table).unwrap());
}

/// The same page packed, with sums.
#[divan::bench]
fn seal_a_page(bencher: Bencher) {
    let (table, body) = (table(), page(0));
    bencher
        .with_inputs(|| decode_page(body.as_bytes(), &table).unwrap().segment)
        .bench_values(|builder| builder.seal());
}

/// Sums and keys of a stored segment.
#[divan::bench]
fn open_a_segment(bencher: Bencher) {
    let sealed = decode_page(page(0).as_bytes(), &table()).unwrap().segment.seal();
    bencher.with_inputs(|| sealed.clone()).bench_values(|bytes| Segment::open(bytes).unwrap());
}

/// 100,000 keys into the index, as after a start.
#[divan::bench(sample_count = 20)]
fn index_all(bencher: Bencher) {
    let sealed = contacts::sealed();
    let table = table();
    let open =
        || -> Vec<Segment> { sealed.iter().map(|bytes| Segment::open(bytes.clone()).unwrap()).collect() };
    bencher.with_inputs(open).bench_values(|segments| {
        let mut mirror = MirrorTable::new(&table);
        segments.into_iter().enumerate().for_each(|(number, segment)| mirror.add(number as u64, segment));
        mirror
    });
}

fn filters() -> [(&'static str, Filter); 5] {
    let compare = |column: &str, op, value| Filter::Compare { column: column.into(), op, value };
    let contains =
        Filter::Text { column: "fullname".into(), op: TextOp::Contains, pattern: "åse berg 99".into() };
    [
        ("text equals", compare("address1_city", CompareOp::Equal, Value::Text("oslo".into()))),
        ("text contains", contains),
        ("decimal above", compare("creditlimit", CompareOp::Greater, Value::Decimal(Decimal::from(250_000)))),
        ("time since", compare("modifiedon", CompareOp::GreaterOrEqual, Value::DateTime(1_780_000_000_000))),
        ("option", compare("statuscode", CompareOp::Equal, Value::Int(2))),
    ]
}

/// 100,000 rows, columns unpacked.
#[divan::bench(args = [0, 1, 2, 3, 4])]
fn scan_all_by(bencher: Bencher, number: usize) {
    let (name, filter) = filters()[number].clone();
    let mirror = filled();
    let found = mirror.select(Some(&filter), &[]).len();
    println!("  {name}: {found} rows");
    bencher.bench_local(|| mirror.select(Some(black_box(&filter)), &[]));
}

/// The same after a start: columns are unpacked first.
#[divan::bench(args = [0, 1, 2], sample_count = 20)]
fn scan_packed_by(bencher: Bencher, number: usize) {
    let filter = filters()[number].1.clone();
    bencher.with_inputs(filled).bench_local_refs(|mirror| mirror.select(Some(&filter), &[]).len());
}

/// The first 50 of 100,000.
#[divan::bench(args = ["fullname", "creditlimit", "modifiedon", "address1_city"])]
fn order_all_by(bencher: Bencher, column: &str) {
    let mirror = filled();
    let by = [OrderBy { column: column.to_owned(), ..OrderBy::default() }];
    bencher.bench_local(|| mirror.order(mirror.select(None, &[]), &by, Some(50)));
}

/// How many rows each city has, value by value.
#[divan::bench(sample_count = 20)]
fn group_all_by_city(bencher: Bencher) {
    let mirror = filled();
    bencher.bench_local(|| {
        let mut counts: HashMap<String, usize> = HashMap::new();
        for at in mirror.select(None, &[]) {
            if let Value::Text(city) = mirror.cell(at, "address1_city") {
                *counts.entry(city).or_default() += 1;
            }
        }
        counts
    });
}

/// The same as queries do it: texts are read once for each code of each segment.
#[divan::bench(sample_count = 20)]
fn group_all_by_code(bencher: Bencher) {
    let mirror = filled();
    bencher.bench_local(|| {
        let cells = mirror.cells(["address1_city"]);
        let mut counts: HashMap<(usize, usize), usize> = HashMap::new();
        for at in mirror.select(None, &[]) {
            let code = cells.code(at, 0).unwrap();
            *counts.entry((code.slot, code.code)).or_default() += 1;
        }
        counts
    });
}

/// One row by its id, all columns.
#[divan::bench]
fn read_one_row(bencher: Bencher) {
    let mirror = filled();
    let id = contacts::key(77_777);
    bencher.bench_local(|| mirror.row(black_box(id)).unwrap());
}

/// Two pages merged as compaction does: slice by slice, and the longest slice.
#[divan::bench(sample_count = 20)]
fn merge_two_pages(bencher: Bencher) {
    let mirror = filled();
    let mut longest = std::time::Duration::ZERO;
    bencher.bench_local(|| {
        let mut merge = mirror.begin_merge_of(&[3, 4]).unwrap();
        loop {
            let began = std::time::Instant::now();
            let sliced = mirror.slice(merge);
            longest = longest.max(began.elapsed());
            match sliced {
                Sliced::More(more) => merge = more,
                Sliced::Done(merged) => return merged,
                Sliced::GivenUp => panic!("a segment went"),
            }
        }
    });
    println!("  longest slice {longest:?}, {} rows", 2 * PAGE_ROWS);
}

/// Putting a merge in place: what was merged is indexed again, and nothing else of the 100,000.
#[divan::bench(sample_count = 20)]
fn apply_a_merge(bencher: Bencher) {
    let merged = filled().merge(&[3, 4]).unwrap();
    bencher.with_inputs(|| (filled(), merged.clone())).bench_local_values(|(mut mirror, merged)| {
        mirror.apply(merged).unwrap();
        assert_eq!(mirror.len(), ROWS);
        mirror
    });
}
