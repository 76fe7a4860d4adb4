//! 100,000 contacts of 24 columns, in pages as a server writes them.

use flette::mirror::{decode_page, MirrorTable, Segment};
use flette_odata::edm::{Column, ColumnKind, LookupTarget, OnDelete, TextFormat};
use flette_odata::{Decimal, Table, Uuid};
use std::fmt::Write;

pub const ROWS: usize = 100_000;
pub const PAGE_ROWS: usize = 5_000;

/// Spread as ids made by chance are.
pub fn key(number: u128) -> Uuid {
    let mixed = (number + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835);
    Uuid::from_u128(mixed)
}

fn column(name: &str, kind: ColumnKind) -> Column {
    Column { logical_name: name.into(), schema_name: name.into(), kind, ..Column::default() }
}

fn lookup(tables: &[&str]) -> ColumnKind {
    let target = |table: &&str| LookupTarget {
        table: (*table).into(),
        navigation: (*table).into(),
        collection: (*table).into(),
        relationship: (*table).into(),
        on_delete: OnDelete::RemoveLink,
    };
    ColumnKind::Lookup { targets: tables.iter().map(target).collect() }
}

pub fn table() -> Table {
    let text = || ColumnKind::Text { length_max: 200, format: TextFormat::Text };
    let option = || ColumnKind::Picklist { options: Vec::new(), default: None };
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
    let (min, max) = (Decimal::from(0), Decimal::from(1_000_000));
    let yes_or_no =
        ColumnKind::Boolean { label_false: "No".into(), label_true: "Yes".into(), default: false };
    let mut columns = vec![column("contactid", ColumnKind::Id)];
    columns.extend(texts.map(|name| column(name, text())));
    columns.extend([
        column("parentcustomerid", lookup(&["account", "contact"])),
        column("ownerid", lookup(&["systemuser", "team"])),
        column("owningbusinessunit", lookup(&["businessunit"])),
        column("statecode", option()),
        column("statuscode", option()),
        column("createdon", ColumnKind::DateTime),
        column("modifiedon", ColumnKind::DateTime),
        column("birthdate", ColumnKind::Date),
        column("creditlimit", ColumnKind::Money { precision: 2, min, max }),
        column("versionnumber", ColumnKind::BigInt),
        column("donotemail", yes_or_no),
    ]);
    Table {
        logical_name: "contact".into(),
        set_name: "contacts".into(),
        primary_id: "contactid".into(),
        primary_name: "fullname".into(),
        columns,
        ..Table::default()
    }
}

/// All pages, sealed.
pub fn sealed() -> Vec<Vec<u8>> {
    let table = table();
    let page = |number| decode_page(page(number).as_bytes(), &table).unwrap().segment.seal();
    (0..ROWS / PAGE_ROWS).map(page).collect()
}

/// All rows; nothing is unpacked yet.
pub fn filled() -> MirrorTable {
    thread_local! {
        static SEALED: Vec<Vec<u8>> = sealed();
    }
    let mut mirror = MirrorTable::new(&table());
    SEALED.with(|sealed| {
        for (number, bytes) in sealed.iter().enumerate() {
            mirror.add(number as u64, Segment::open(bytes.clone()).unwrap());
        }
    });
    mirror
}

/// A page as a server writes it.
pub fn page(number: usize) -> String {
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
