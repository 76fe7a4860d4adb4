//! Every column type, at its limits: from the wire into a segment and back, exact.

use super::*;

const ID: &str = "4a1c2a2b-0b8e-4c36-9e5c-1d4f7f3f0a01";
const OTHER: &str = "4a1c2a2b-0b8e-4c36-9e5c-1d4f7f3f0a02";

fn decimal(text: &str) -> Value {
    Value::Decimal(Decimal::parse(text).unwrap())
}

fn uuid(text: &str) -> Uuid {
    Uuid::try_parse(text).unwrap()
}

fn lookup(table: &str) -> Value {
    Value::Lookup(EntityRef { table: table.into(), id: uuid(OTHER) })
}

/// The table of all types, with those that only some formats have.
fn wide() -> Table {
    let mut table = table();
    table.columns.push(column("marks", ColumnKind::MultiPicklist { options: Vec::new() }));
    table
}

/// What the server writes for a column, and what it means.
fn cases() -> Vec<(&'static str, String, Value)> {
    let plain: &[(&str, &str, Value)] = &[
        ("size", "-2147483648", Value::Int(i64::from(i32::MIN))),
        ("size", "2147483647", Value::Int(i64::from(i32::MAX))),
        ("version", "-9223372036854775808", Value::Int(i64::MIN)),
        ("version", "9223372036854775807", Value::Int(i64::MAX)),
        ("version", "9007199254740993", Value::Int((1 << 53) + 1)),
        ("amount", "0.1", decimal("0.1")),
        ("amount", "0.10", decimal("0.10")),
        ("amount", "-0.0000000001", decimal("-0.0000000001")),
        ("amount", "99999999999.9999999999", decimal("99999999999.9999999999")),
        ("amount", "123456789012345678.901234567891", decimal("123456789012345678.901234567891")),
        ("amount", "7", decimal("7")),
        ("amount", "1e3", decimal("1000")),
        ("price", "922337203685477.5807", decimal("922337203685477.5807")),
        ("price", "-922337203685477.5808", decimal("-922337203685477.5808")),
        ("price", "5000000.0000", decimal("5000000.0000")),
        ("price", "9007199254740993.0001", decimal("9007199254740993.0001")),
        ("factor", "0.1", Value::Double(0.1)),
        ("factor", "-0.0", Value::Double(-0.0)),
        ("factor", "5e-324", Value::Double(5e-324)),
        ("factor", "1.7976931348623157e308", Value::Double(f64::MAX)),
        ("factor", "3", Value::Double(3.0)),
        ("factor", "0.30000000000000004", Value::Double(0.1 + 0.2)),
        ("active", "true", Value::Bool(true)),
        ("active", "false", Value::Bool(false)),
        ("seen", "\"0001-01-01T00:00:00Z\"", Value::DateTime(-62_135_596_800_000)),
        ("seen", "\"9999-12-31T23:59:59.999Z\"", Value::DateTime(253_402_300_799_999)),
        ("seen", "\"2026-01-15T10:02:11Z\"", Value::DateTime(1_768_471_331_000)),
        ("seen", "\"2026-01-15T10:02:11.25Z\"", Value::DateTime(1_768_471_331_250)),
        ("seen", "\"1969-12-31T23:59:59.999Z\"", Value::DateTime(-1)),
        ("born", "\"0001-01-01\"", Value::Date(-719_162)),
        ("born", "\"9999-12-31\"", Value::Date(2_932_896)),
        ("born", "\"2024-02-29\"", Value::Date(19_782)),
        ("choice", "100000001", Value::Int(100_000_001)),
        ("statecode", "0", Value::Int(0)),
        ("statuscode", "2", Value::Int(2)),
        ("marks", "\"1,3\"", Value::Text("1,3".into())),
        ("marks", "\"3, 1,3,-2\"", Value::Text("-2,1,3".into())),
        ("marks", "\"\"", Value::Null),
        ("name", "\"\"", Value::Text(String::new())),
        ("name", "\"a\\u0000b\"", Value::Text("a\0b".into())),
        ("name", "\"\\ud83d\\ude00 \\u00e5\"", Value::Text("😀 å".into())),
        ("name", "\"A\\u030a e\\u0301\"", Value::Text("A\u{30a} e\u{301}".into())),
        // Half characters cannot be kept; the rest of the text is.
        ("name", "\"a\\ud83d\"", Value::Text("a\u{fffd}".into())),
        ("name", "\"\\ude00\\ud83d\\ud83d\\ude00\"", Value::Text("\u{fffd}\u{fffd}😀".into())),
        ("name", "\"\\\\ud83d \\\\\\ud83d\"", Value::Text("\\ud83d \\\u{fffd}".into())),
    ];
    let mut cases: Vec<_> =
        plain.iter().map(|(name, json, value)| (*name, json.to_string(), value.clone())).collect();
    let long = "long Ø text, ".repeat(80_000);
    assert!(long.len() > 1 << 20);
    cases.push(("note", format!("\"{long}\""), Value::Text(long)));
    cases.push(("step", format!("\"{OTHER}\""), Value::Guid(uuid(OTHER))));
    cases.push(("parent", format!("\"{OTHER}\""), lookup("thing")));
    let nullable = wide().columns.into_iter().map(|column| column.logical_name);
    let nulls = nullable.filter(|name| name != "thingid").collect::<Vec<_>>();
    for name in ["name", "note", "size", "version", "amount", "price", "factor", "active", "seen", "born"] {
        assert!(nulls.iter().any(|known| known == name));
        cases.push((name, "null".into(), Value::Null));
    }
    for name in ["choice", "statecode", "statuscode", "parent", "owner", "marks", "step"] {
        cases.push((name, "null".into(), Value::Null));
    }
    cases
}

fn item(name: &str, json: &str) -> String {
    let property = wide().column(name).unwrap().property();
    format!("{{\"thingid\":\"{ID}\",\"{property}\":{json}}}")
}

fn assert_reads(segment: &Segment, row: usize, name: &str, expected: &Value) {
    let shown = |value: &Value| format!("{value:?}").chars().take(100).collect::<String>();
    let found = segment.cell(row, name);
    assert_eq!(shown(&found), shown(expected), "{name}");
    assert!(found == *expected, "{name}");
}

#[test]
fn every_type_at_its_limits_is_exact_alone_and_beside_others() {
    let cases = cases();
    for (name, json, expected) in &cases {
        let body = item(name, json);
        let page = decode_row(body.as_bytes(), &wide()).unwrap();
        assert!(page.row(0).get(*name) == Some(expected), "{name}: {json:.60}");
        let segment = Segment::open(page.segment.seal()).unwrap();
        assert_reads(&segment, 0, name, expected);
    }
    // All of them in one page, so that narrow and wide values, and nulls, share columns; then merged with another.
    let items: Vec<String> = cases.iter().map(|(name, json, _)| item(name, json)).collect();
    let ids = |at: usize| items[at].replacen(ID, &key(at as u128).to_string(), 1);
    let body = format!("{{\"value\":[{}]}}", (0..items.len()).map(ids).collect::<Vec<_>>().join(","));
    let sealed = decode_page(body.as_bytes(), &wide()).unwrap().segment.seal();
    let segment = Segment::open(sealed.clone()).unwrap();
    segment.check().unwrap();
    for (row, (name, _, expected)) in cases.iter().enumerate() {
        assert_reads(&segment, row, name, expected);
    }
    let mut mirror = MirrorTable::new(&wide());
    mirror.add(1, segment);
    let mut builder = SegmentBuilder::new(&wide());
    builder.push_row(key(9_999), "", &Row::from([("size".to_owned(), Value::Int(1))])).unwrap();
    mirror.add(2, Segment::open(builder.seal()).unwrap());
    mirror.apply(mirror.merge(&[1, 2]).unwrap()).unwrap();
    assert_eq!(mirror.numbers(), [2]);
    for (at, (name, _, expected)) in cases.iter().enumerate() {
        let found = mirror.find(key(at as u128)).unwrap();
        assert!(mirror.cell(found, name) == *expected, "{name} after a merge");
    }
}

#[test]
fn what_is_finer_than_a_millisecond_is_cut_off() {
    for (json, millis) in [
        ("\"2026-01-15T10:02:11.1234567Z\"", 1_768_471_331_123),
        ("\"2026-01-15T10:02:11.9999999Z\"", 1_768_471_331_999),
        ("\"1969-12-31T23:59:59.9999999Z\"", -1),
    ] {
        let page = decode_row(item("seen", json).as_bytes(), &wide()).unwrap();
        assert_eq!(page.row(0)["seen"], Value::DateTime(millis), "{json}");
    }
}

#[test]
fn ids_and_choices_that_are_none_are_refused() {
    for (name, json) in
        [("step", "\"x\""), ("step", "1"), ("marks", "\"1,x\""), ("marks", "1"), ("marks", "[1]")]
    {
        let refused = decode_row(item(name, json).as_bytes(), &wide()).unwrap_err();
        assert_eq!(refused, PageError::WrongType { column: name.into() }, "{json}");
    }
}

#[test]
fn half_a_character_in_a_name_or_link_does_not_hide_the_page() {
    let body = format!(
        "{{\"@odata.nextLink\":\"n\\ud800\",\"value\":[{{\"thingid\":\"{ID}\",\"x\\udfff\":\"\\udbff\",\"size\":3}}]}}"
    );
    let page = decode_page(body.as_bytes(), &wide()).unwrap();
    assert_eq!((page.row(0)["size"].clone(), page.next_link.as_deref()), (Value::Int(3), Some("n\u{fffd}")));
    let cut = &body.as_bytes()[..body.len() - 3];
    assert!(matches!(decode_page(cut, &wide()), Err(PageError::Malformed(_))));
    assert!(decode_page(b"{\"value\":\"\\", &wide()).is_err());
}

const GOLDEN: &[u8] = include_bytes!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden/segment-2.bin"));

/// The rows of the golden file of format 2: all cases that fit into few bytes. Never change them: add a format.
fn golden() -> Vec<u8> {
    let mut builder = SegmentBuilder::new(&wide());
    for (at, (name, _, value)) in cases().into_iter().enumerate().filter(|(_, (name, ..))| *name != "note") {
        let mut row: Row = columns().map(|name| (name, Value::Null)).collect();
        row.insert("owner".into(), lookup(if at % 2 == 0 { "team" } else { "systemuser" }));
        row.insert(name.into(), value);
        builder.push_row(key(at as u128), &format!("W/\"{at}\""), &row).unwrap();
    }
    builder.push_tombstone(key(1_000));
    builder.seal()
}

#[test]
fn the_golden_file_of_the_second_format_opens() {
    let segment = Segment::open(GOLDEN).unwrap();
    segment.check().unwrap();
    let again = Segment::open(golden()).unwrap();
    assert_eq!(segment.rows(), again.rows());
    for row in 0..segment.rows() {
        assert_same(&segment.row(row), &again.row(row));
        assert_eq!((segment.id(row), segment.etag(row)), (again.id(row), again.etag(row)));
        assert_eq!(segment.is_tombstone(row), again.is_tombstone(row));
    }
    for (row, (name, _, expected)) in cases().iter().filter(|(name, ..)| *name != "note").enumerate() {
        assert_reads(&segment, row, name, expected);
    }
}

#[test]
#[ignore = "writes the golden file of a new format, once"]
fn write_the_golden_file_of_the_second_format() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden/segment-2.bin");
    assert!(std::fs::metadata(path).map_or(0, |file| file.len()) == 0, "it is there already");
    std::fs::write(path, golden()).unwrap();
}
