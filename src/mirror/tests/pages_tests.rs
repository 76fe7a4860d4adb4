use super::*;
use flette_odata::time::{format_date, format_datetime};

/// A row's members as the server writes them, in some order.
fn members(id: Uuid, etag: &str, row: &Row) -> Vec<String> {
    let mut members = vec![
        format!("\"@odata.etag\":{}", serde_json::to_string(etag).unwrap()),
        format!("\"thingid\":\"{id}\""),
        "\"unknown\":{\"deep\":[1,{\"x\":null}]}".to_owned(),
        "\"choice@OData.Community.Display.V1.FormattedValue\":\"One\"".to_owned(),
    ];
    for (name, value) in row {
        let json = match value {
            Value::Null => "null".to_owned(),
            Value::Bool(bit) => bit.to_string(),
            Value::Int(number) => number.to_string(),
            Value::Decimal(number) => number.to_string(),
            Value::Double(number) => format!("{number:?}"),
            Value::Text(text) => escaped(text),
            Value::Guid(id) => format!("\"{id}\""),
            Value::DateTime(millis) => format!("\"{}\"", format_datetime(*millis)),
            Value::Date(days) => format!("\"{}\"", format_date(*days)),
            Value::Lookup(target) => format!("\"{}\"", target.id),
        };
        let column = table();
        let property = column.column(name).unwrap().property();
        members.push(format!("\"{property}\":{json}"));
        if let Value::Lookup(target) = value {
            if name == "owner" {
                let annotation = "Microsoft.Dynamics.CRM.lookuplogicalname";
                members.push(format!("\"{property}@{annotation}\":\"{}\"", target.table));
            }
        }
    }
    members
}

/// Every character beyond ASCII as `\u` escapes, in surrogate pairs where needed.
fn escaped(text: &str) -> String {
    let plain = serde_json::to_string(text).unwrap();
    let mut units = [0; 2];
    let escape = |c: char| match c.is_ascii() {
        true => c.to_string(),
        false => c.encode_utf16(&mut units).iter().map(|unit| format!("\\u{unit:04x}")).collect(),
    };
    plain.chars().map(escape).collect()
}

fn tombstone(id: Uuid) -> [String; 3] {
    [
        "\"@odata.context\":\"http://host/api/data/v9.2/$metadata#things/$deletedEntity\"".to_owned(),
        format!("\"id\":\"{id}\""),
        "\"reason\":\"deleted\"".to_owned(),
    ]
}

fn object(members: &[String]) -> String {
    format!("{{{}}}", members.join(","))
}

const NEXT: &str = "http://host/api/data/v9.2/things?$skiptoken=%3Ccookie%20a=%22b%22";
const DELTA: &str = "http://host/api/data/v9.2/things?$deltatoken=919042%2108%2f22";

fn page(items: &[String], links_first: bool) -> String {
    let links = format!("\"@odata.nextLink\":\"{NEXT}\",\"@odata.deltaLink\":\"{DELTA}\"");
    let value = format!("\"value\":[{}]", items.join(","));
    let parts = if links_first { [links, value] } else { [value, links] };
    format!("{{\"@odata.context\":\"c\",\"@odata.count\":7,{}}}", parts.join(","))
}

proptest! {
    #![proptest_config(config(64))]

    #[test]
    fn rows_and_tombstones_are_read_whatever_the_order_of_members(
        changes in prop::collection::vec(change(50), 0..8),
        seed in any::<u64>(),
        links_first in any::<bool>(),
    ) {
        let mut state = seed;
        let mut shuffle = |members: &mut [String]| {
            for at in (1..members.len()).rev() {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                members.swap(at, usize::try_from(state >> 33).unwrap() % (at + 1));
            }
        };
        let items: Vec<String> = changes.iter().map(|change| {
            let mut members = match change {
                Change::Put(id, etag, row) => members(key(*id), etag, row),
                Change::Delete(id) => tombstone(key(*id)).to_vec(),
            };
            if seed % 4 != 0 {
                shuffle(&mut members);
            }
            object(&members)
        }).collect();
        let body = page(&items, links_first);
        let page = decode_page(body.as_bytes(), &table()).unwrap();
        prop_assert_eq!(page.next_link.as_deref(), Some(NEXT));
        prop_assert_eq!(page.delta_link.as_deref(), Some(DELTA));
        prop_assert_eq!(page.count, Some(7));
        let ahead = next_link_ahead(body.as_bytes());
        prop_assert_eq!(ahead.as_deref(), links_first.then_some(NEXT));
        prop_assert_eq!((page.rows + page.tombstones) as usize, changes.len());
        let found: Vec<Item> = page.items().collect();
        let rows: Vec<Row> = (0..changes.len()).map(|at| page.row(at)).collect();
        let segment = Segment::open(page.segment.seal()).unwrap();
        for (at, change) in changes.iter().enumerate() {
            match change {
                Change::Put(id, etag, row) => {
                    prop_assert_eq!(found[at], Item::Row(key(*id)));
                    assert_same(&rows[at], &with_key(row, key(*id)));
                    assert_same(&segment.row(at), &rows[at]);
                    prop_assert_eq!(segment.etag(at), Some(etag.clone()));
                }
                Change::Delete(id) => {
                    prop_assert_eq!(found[at], Item::Tombstone(key(*id)));
                    prop_assert!(segment.is_tombstone(at) && segment.id(at) == key(*id));
                }
            }
        }
    }

    #[test]
    fn noise_inside_a_page_never_panics(edits in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4)) {
        let mut body = sample().into_bytes();
        for (at, byte) in edits {
            let at = at.index(body.len());
            body[at] = byte;
        }
        let _ = decode_page(&body, &table());
        let _ = decode_row(&body, &table());
        let _ = next_link_ahead(&body);
    }
}

fn sample() -> String {
    let lookup = Value::Lookup(EntityRef { table: "team".into(), id: key(4) });
    let row = Row::from([
        ("name".to_owned(), Value::Text("\"Ås\"\\\u{1f600}\n".into())),
        ("owner".to_owned(), lookup),
        ("price".to_owned(), Value::Decimal(Decimal::parse("5000000.0000").unwrap())),
        ("seen".to_owned(), Value::DateTime(1_768_471_331_000)),
        ("note".to_owned(), Value::Null),
    ]);
    page(&[object(&members(key(1), "W/\"5\"", &row)), object(&tombstone(key(2)))], false)
}

#[test]
fn a_page_cut_at_any_byte_is_an_error() {
    let body = sample();
    decode_page(body.as_bytes(), &table()).unwrap();
    for len in 0..body.len() {
        let cut = decode_page(&body.as_bytes()[..len], &table());
        assert!(matches!(cut, Err(PageError::Malformed(_))), "{len} bytes: {:?}", cut.err());
    }
    assert!(decode_page(format!("{body}x").as_bytes(), &table()).is_err());
}

fn fault(item: &str) -> PageError {
    let body = format!("{{\"value\":[{item}]}}");
    decode_page(body.as_bytes(), &table()).unwrap_err()
}

#[test]
fn what_does_not_fit_the_schema_is_named_without_its_value() {
    let id = key(1);
    let wrong = |column: &str| PageError::WrongType { column: column.into() };
    for (member, column) in [
        ("\"size\":\"7\"", "size"),
        ("\"size\":7.5", "size"),
        ("\"size\":18446744073709551615", "size"),
        ("\"name\":7", "name"),
        ("\"name\":{\"a\":1}", "name"),
        ("\"active\":[true]", "active"),
        ("\"seen\":\"yesterday\"", "seen"),
        ("\"born\":\"2026-02-30\"", "born"),
        ("\"price\":\"1.5\"", "price"),
        ("\"price\":1.5e300", "price"),
        ("\"factor\":1e999", "factor"),
        ("\"_parent_value\":\"no id\"", "parent"),
        ("\"step\":\"no id\"", "step"),
        ("\"step\":5", "step"),
    ] {
        assert_eq!(fault(&format!("{{\"thingid\":\"{id}\",{member}}}")), wrong(column), "{member}");
    }
    let poly = format!("{{\"thingid\":\"{id}\",\"_owner_value\":\"{id}\"}}");
    assert_eq!(fault(&poly), PageError::UnknownTarget { column: "owner".into() });
    assert_eq!(fault("{\"name\":\"x\"}"), PageError::NoId);
    assert_eq!(fault("{\"thingid\":\"x\"}"), PageError::NoId);
    assert_eq!(fault("{\"@odata.context\":\"x/$deletedEntity\"}"), PageError::NoId);
    for twice in ["\"name\":\"a\",\"name\":\"b\"", "\"_parent_value\":null,\"_parent_value\":null"] {
        let item = format!("{{\"thingid\":\"{id}\",{twice}}}");
        assert!(matches!(fault(&item), PageError::Malformed(_)), "{twice}");
    }
    let some = format!("\"{id}\"");
    for [first, second] in [[some.as_str(), &some], [&some, "null"], ["null", &some]] {
        let twice = format!("\"_parent_value\":{first},\"_parent_value\":{second}");
        let item = format!("{{\"thingid\":\"{id}\",{twice}}}");
        assert!(matches!(fault(&item), PageError::Malformed(_)), "{first} {second}");
    }
}

#[test]
fn what_is_no_page_is_refused() {
    for body in ["", "null", "[]", "\"x\"", "<html>", "{\"value\":{}}", "{\"value\":[1]}", "{\"error\":{}}"] {
        let refused = decode_page(body.as_bytes(), &table());
        assert!(matches!(refused, Err(PageError::Malformed(_))), "{body}");
    }
    let secret = decode_page(b"{\"value\":\"secret\"}", &table()).unwrap_err();
    assert!(!format!("{secret:?} {secret}").contains("secret"));
    for body in ["{}", "{\"@odata.context\":\"x\"}", "{\"value\":[]}"] {
        assert_eq!(decode_page(body.as_bytes(), &table()).unwrap().rows, 0, "{body}");
    }
}

#[test]
fn a_tombstone_is_one_whatever_else_its_members_would_mean() {
    let mut table = table();
    table.columns.push(column("reason", ColumnKind::BigInt));
    let body = page(&[object(&tombstone(key(3)))], true);
    let page = decode_page(body.as_bytes(), &table).unwrap();
    assert_eq!(page.items().collect::<Vec<_>>(), [Item::Tombstone(key(3))]);
}

#[test]
fn a_single_row_is_a_page_of_one() {
    let body = object(&members(key(6), "W/\"9\"", &Row::from([("size".to_owned(), Value::Int(3))])));
    let body = body.replacen('{', "{\"@odata.context\":\"http://host/$metadata#things/$entity\",", 1);
    let page = decode_row(body.as_bytes(), &table()).unwrap();
    assert_eq!(page.items().collect::<Vec<_>>(), [Item::Row(key(6))]);
    assert_eq!((page.row(0).get("size"), page.etag(0)), (Some(&Value::Int(3)), Some("W/\"9\"".into())));
    assert_eq!(decode_row(b"{\"error\":{\"code\":\"x\"}}", &table()).unwrap_err(), PageError::NoId);
}

#[test]
fn the_next_link_is_seen_in_the_beginning_of_a_page() {
    let body = page(&[object(&tombstone(key(3)))], true);
    let seen = body.find("\"value\"").unwrap();
    assert_eq!(next_link_ahead(&body.as_bytes()[..seen]).as_deref(), Some(NEXT));
    assert_eq!(next_link_ahead(b"{\"value\":[],\"@odata.nextLink\":\"x\"}"), None);
    assert_eq!(next_link_ahead(b""), None);
}
