//! Figures, not assertions: `cargo test --release --lib timing_tests -- --ignored --nocapture`.

use super::*;
use flette_odata::filter::{CompareOp, Filter, TextOp};
use flette_odata::query::OrderBy;
use std::fmt::Write;
use std::time::Instant;

const ROWS: usize = 100_000;
const PAGE_ROWS: usize = 5_000;

/// 24 columns, as a CRM's contacts have them.
fn contacts() -> Table {
    let text = || ColumnKind::Text { length_max: 200, format: TextFormat::Text };
    let lookup = |tables: &[&str]| ColumnKind::Lookup { targets: tables.iter().map(|t| target(t)).collect() };
    let option = || ColumnKind::Picklist { options: Vec::new(), default: None };
    let limit = |n: i64| Decimal::from(n);
    let mut table = table();
    let texts = [
        "fullname",
        "firstname",
        "lastname",
        "emailaddress1",
        "telephone1",
        "mobilephone",
        "jobtitle",
        "address1_line1",
        "address1_postalcode",
        "address1_city",
        "address1_country",
        "description",
    ];
    table.columns = vec![column("contactid", ColumnKind::Id)];
    table.columns.extend(texts.map(|name| column(name, text())));
    table.columns.extend([
        column("parentcustomerid", lookup(&["account", "contact"])),
        column("ownerid", lookup(&["systemuser", "team"])),
        column("owningbusinessunit", lookup(&["businessunit"])),
        column("statecode", option()),
        column("statuscode", option()),
        column("createdon", ColumnKind::DateTime),
        column("modifiedon", ColumnKind::DateTime),
        column("birthdate", ColumnKind::Date),
        column("creditlimit", ColumnKind::Money { precision: 2, min: limit(0), max: limit(1_000_000) }),
        column("versionnumber", ColumnKind::BigInt),
        column(
            "donotemail",
            ColumnKind::Boolean { label_false: "No".into(), label_true: "Yes".into(), default: false },
        ),
    ]);
    table.primary_id = "contactid".into();
    table
}

fn page(number: usize) -> String {
    let first = ["Anna", "Ola", "Kari", "Åse", "Per", "Nancy", "Ødger", "Maria", "Jan", "Eva"];
    let last = ["Berg", "Hansen", "Dahl", "Lie", "Moen", "Strand", "Haugen", "Bakke", "Eide", "Lund"];
    let city = ["Oslo", "Bergen", "Trondheim", "Stavanger", "Tromsø", "Drammen"];
    let title = ["Manager", "Owner", "Sales Representative", "Purchasing Agent", "Accountant"];
    let mut body = String::from("{\"@odata.context\":\"c\",\"@odata.nextLink\":\"n\",\"value\":[");
    for at in number * PAGE_ROWS..(number + 1) * PAGE_ROWS {
        let mix = key(at as u128).as_u64_pair().1;
        let pick = |shift: u32, count: u64| usize::try_from((mix >> shift) % count).unwrap();
        let (first, last) = (first[pick(3, 10)], last[pick(9, 10)]);
        let separator = if at % PAGE_ROWS == 0 { "" } else { "," };
        write!(
            body,
            "{separator}{{\"@odata.etag\":\"W/\\\"{version}\\\"\",\"contactid\":\"{id}\",\
             \"fullname\":\"{first} {last} {at}\",\"firstname\":\"{first}\",\"lastname\":\"{last} {at}\",\
             \"emailaddress1\":\"{at}@sample.example\",\"telephone1\":\"+47 {phone:08}\",\
             \"mobilephone\":null,\"jobtitle\":\"{title}\",\"address1_line1\":\"Street {street}\",\
             \"address1_postalcode\":\"{post:04}\",\"address1_city\":\"{city}\",\"address1_country\":\"Norway\",\
             \"description\":null,\"_parentcustomerid_value@Microsoft.Dynamics.CRM.lookuplogicalname\":\"account\",\
             \"_parentcustomerid_value\":\"{account}\",\
             \"_ownerid_value@Microsoft.Dynamics.CRM.lookuplogicalname\":\"systemuser\",\
             \"_ownerid_value\":\"{owner}\",\"_owningbusinessunit_value\":\"{unit}\",\"statecode\":0,\
             \"statuscode\":{status},\"createdon\":\"2025-0{month}-1{day}T10:{minute}:11Z\",\
             \"modifiedon\":\"2026-0{month}-1{day}T11:{minute}:12Z\",\"birthdate\":\"19{year}-0{month}-1{day}\",\
             \"creditlimit\":{credit}.0000,\"versionnumber\":{version},\"donotemail\":{bit}}}",
            version = 400_000 + at,
            id = key(at as u128),
            phone = mix % 100_000_000,
            title = title[pick(5, 5)],
            street = pick(7, 3000),
            post = pick(11, 10_000),
            city = city[pick(13, 6)],
            account = key(1_000_000 + pick(15, 10_000) as u128),
            owner = key(2_000_000 + pick(17, 20) as u128),
            unit = key(3_000_000),
            status = 1 + pick(19, 2),
            month = 1 + pick(21, 9),
            day = pick(23, 10),
            minute = 10 + pick(25, 50),
            year = 40 + pick(27, 60),
            credit = pick(29, 500) * 1000,
            bit = pick(31, 2) == 0,
        )
        .unwrap();
    }
    body.push_str("]}");
    body
}

fn timed<T>(what: &str, work: impl FnOnce() -> T) -> T {
    let start = Instant::now();
    let done = work();
    println!("{what:48} {:9.3} ms", start.elapsed().as_secs_f64() * 1e3);
    done
}

#[test]
#[ignore = "prints figures of an optimised build"]
fn decode_seal_and_query_a_hundred_thousand_contacts() {
    let table = contacts();
    let bodies: Vec<String> = (0..ROWS / PAGE_ROWS).map(page).collect();
    let json: usize = bodies.iter().map(String::len).sum();
    let pages = timed("decode", || {
        bodies.iter().map(|body| decode_page(body.as_bytes(), &table).unwrap()).collect::<Vec<_>>()
    });
    let sealed = timed("seal (pack with LZ4, sums)", || {
        pages.into_iter().map(|page| page.segment.seal()).collect::<Vec<_>>()
    });
    let disk: usize = sealed.iter().map(Vec::len).sum();
    let segments = timed("open (sums, keys)", || {
        sealed.into_iter().map(|bytes| Segment::open(bytes).unwrap()).collect::<Vec<_>>()
    });
    let mut mirror = MirrorTable::new(&table);
    timed("index", || {
        segments.into_iter().enumerate().for_each(|(number, segment)| mirror.add(number as u64, segment));
    });
    let rest = mirror.heap_bytes();
    let city = Filter::Compare {
        column: "address1_city".into(),
        op: CompareOp::Equal,
        value: Value::Text("oslo".into()),
    };
    let contains =
        Filter::Text { column: "fullname".into(), op: TextOp::Contains, pattern: "åse berg 99".into() };
    let credit = Filter::Compare {
        column: "creditlimit".into(),
        op: CompareOp::Greater,
        value: Value::Decimal(Decimal::from(250_000)),
    };
    let since = Filter::Compare {
        column: "modifiedon".into(),
        op: CompareOp::GreaterOrEqual,
        value: Value::DateTime(1_780_000_000_000),
    };
    let by = [OrderBy { column: "fullname".into(), ..OrderBy::default() }];
    for run in ["first (unpacks)", "again"] {
        for (what, filter) in
            [("eq city", &city), ("contains", &contains), ("decimal gt", &credit), ("date ge", &since)]
        {
            let found = timed(&format!("{what}, {run}"), || mirror.select(Some(filter), &[]));
            println!("{:48} {} rows", "", found.len());
        }
        timed(&format!("top 50 of city by name, {run}"), || {
            mirror.order(mirror.select(Some(&city), &[]), &by, Some(50))
        });
        timed(&format!("top 50 of all by name, {run}"), || {
            mirror.order(mirror.select(None, &[]), &by, Some(50))
        });
        timed(&format!("one row by id, {run}"), || mirror.row(key(77_777)));
    }
    let used = mirror.heap_bytes();
    let merged = timed("merge two pages", || mirror.merge(&[3, 4]).unwrap());
    timed("apply the merge", || mirror.apply(merged).unwrap());
    println!("json {json} bytes, disk {disk} ({:.2})", disk as f64 / json as f64);
    println!("heap at rest {rest} ({:.2}), after the queries {used}", rest as f64 / json as f64);
}
