//! SQL against the wire format's own evaluator: the same filter, the same rows; the same order.

use super::support::database;
use flette_odata::collate::value_order;
use flette_odata::filter::{matches, parse_filter, Filter, FILTER_DEPTH_MAX, FILTER_NODES_MAX};
use flette_odata::query::{parse_query, OrderBy};
use flette_odata::{Column, Row, Value};
use flette_server::db::query::Listing;
use flette_server::db::rows::Sight;
use flette_server::{demo, people, web};

/// Numbers that look random and are the same in every run (SplitMix64).
struct Dice(u64);

impl Dice {
    fn below(&mut self, end: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((mixed ^ (mixed >> 31)) % end as u64) as usize
    }

    fn pick<'a>(&mut self, from: &[&'a str]) -> &'a str {
        from[self.below(from.len())]
    }

    fn filter(&mut self, depth: u32) -> String {
        match self.below(if depth == 0 { 5 } else { 8 }) {
            0 => {
                let column = self.pick(&["lastname", "firstname", "address1_city", "telephone2", "jobtitle"]);
                let text = self.pick(&[
                    "'Müller'",
                    "'MÜLLER'",
                    "'o''brien'",
                    "'İ'",
                    "'ß'",
                    "''",
                    "'m'",
                    "'Ø'",
                    "null",
                    "'Łódź'",
                ]);
                format!("{column} {} {text}", self.pick(&["eq", "ne", "gt", "ge", "lt", "le"]))
            }
            1 => {
                let function = self.pick(&["contains", "startswith", "endswith"]);
                let column = self.pick(&["fullname", "address1_line1", "telephone3", "emailaddress1"]);
                format!(
                    "{function}({column},{})",
                    self.pick(&["'Ü'", "'%'", "'_'", "''", "'str'", "'É'", "'ø'", "'@FLETTE'"])
                )
            }
            2 => {
                let column = self.pick(&[
                    "gendercode",
                    "numberofchildren",
                    "versionnumber",
                    "preferredcontactmethodcode",
                ]);
                format!(
                    "{column} {} {}",
                    self.pick(&["eq", "ne", "gt", "ge", "lt", "le"]),
                    self.pick(&["1", "2", "1.5", "-3", "null", "80"])
                )
            }
            3 => {
                let column = self.pick(&["creditlimit", "annualincome", "address1_latitude"]);
                format!(
                    "{column} {} {}",
                    self.pick(&["eq", "ne", "gt", "ge", "lt", "le"]),
                    self.pick(&["10", "9.25", "100.0", "0", "null", "1e1"])
                )
            }
            4 => match self.below(4) {
                0 => format!("birthdate {} 2000-02-29", self.pick(&["eq", "ne", "gt", "le"])),
                1 => format!("createdon {} 2026-01-01T00:00:00Z", self.pick(&["gt", "le", "ne"])),
                2 => format!("donotphone {} {}", self.pick(&["eq", "ne"]), self.pick(&["true", "false"])),
                _ => format!("firstname {} lastname", self.pick(&["eq", "ne", "gt", "le"])),
            },
            5 => format!("not ({})", self.filter(depth - 1)),
            _ => {
                let (left, right) = (self.filter(depth - 1), self.filter(depth - 1));
                format!("({left} {} {right})", self.pick(&["and", "or"]))
            }
        }
    }
}

#[test]
fn every_filter_chooses_the_rows_that_the_engine_chooses() {
    let database = database();
    people::add_demo_people(&database, web::now()).unwrap();
    demo::fill(&database, 150, 1_790_000_000_000, &mut |_, _| {}).unwrap();
    let schema = database.schema().clone();
    let table = schema.table("contact").unwrap();
    let read = |filter: Option<&Filter>, order: &[OrderBy], columns: &[&Column]| {
        let mut rows: Vec<Row> = Vec::new();
        let sight = Sight::Everything;
        let listing =
            Listing { table, sight: &sight, within: None, filter, order, after: None, limit: 10_000 };
        database
            .read(|reader| {
                reader.list(&listing, columns, |found| {
                    let cells = columns.iter().enumerate();
                    rows.push(cells.map(|(at, c)| (c.logical_name.clone(), found.value(at))).collect());
                    Ok(true)
                })
            })
            .unwrap();
        rows
    };
    let every: Vec<_> = table.columns.iter().collect();
    let key: Vec<_> = table.column("contactid").into_iter().collect();
    // Money and coordinates, which the demo leaves empty.
    database
        .write(|writer| {
            for (at, text) in ["10", "9.25", "100.0000", "9.2500", "0", "-0.5", "10.0"].iter().enumerate() {
                let id = flette_server::schema::id_of(&format!("demo/contact/{at}"));
                let current = writer.row(table, id, &Sight::Everything)?.unwrap();
                let number = flette_odata::Decimal::parse(text).unwrap();
                let changes = [
                    ("creditlimit".to_owned(), Value::Decimal(number)),
                    ("address1_latitude".to_owned(), Value::Double(text.parse().unwrap())),
                    ("numberofchildren".to_owned(), Value::Int(at as i64 - 3)),
                    ("telephone2".to_owned(), Value::Text("İı ß %_".to_owned())),
                ];
                writer.update(table, &current, id, &changes, 0)?;
            }
            Ok(())
        })
        .unwrap();
    let all = read(None, &[], &every);
    assert_eq!(all.len(), 150);
    let mut dice = Dice(7);
    let mut some = 0;
    for _ in 0..1000 {
        let text = dice.filter(3);
        let filter = parse_filter(&text, table, &schema).unwrap_or_else(|error| panic!("{text}: {error}"));
        let chosen =
            all.iter().filter(|row| matches(&filter, &|name| row.get(name).cloned().unwrap_or_default()));
        let expected: Vec<&Value> = chosen.map(|row| &row["contactid"]).collect();
        let rows = read(Some(&filter), &[], &key);
        let found: Vec<&Value> = rows.iter().map(|row| &row["contactid"]).collect();
        assert_eq!(found, expected, "{text}");
        some += usize::from(!expected.is_empty() && expected.len() < all.len());
    }
    assert!(some > 300, "only {some} filters told rows apart");
    for text in [
        "lastname,firstname desc",
        "creditlimit desc",
        "address1_latitude",
        "_parentcustomerid_value desc",
        "birthdate,donotphone",
    ] {
        let query = parse_query(&[("$orderby".to_owned(), text.to_owned())], table, &schema).unwrap();
        let rows = read(None, &query.orderby, &every);
        let cell = |row: &Row, name: &str| row.get(name).cloned().unwrap_or_default();
        for pair in rows.windows(2) {
            let by = query.orderby.iter().map(|by| {
                let order = value_order(&cell(&pair[0], &by.column), &cell(&pair[1], &by.column));
                if by.descending {
                    order.reverse()
                } else {
                    order
                }
            });
            assert!(by.fold(std::cmp::Ordering::Equal, |a, b| a.then(b)).is_le(), "{text}");
        }
    }
}

#[test]
fn the_largest_filters_are_answered_or_refused() {
    let database = database();
    let schema = database.schema();
    let table = schema.table("account").unwrap();
    let check = |text: &str, status: u16| {
        let shown: String = text.chars().take(80).collect();
        let filter = parse_filter(text, table, &schema).unwrap_or_else(|error| panic!("{shown}: {error}"));
        let counted = database.read(|reader| reader.count(&listing(table, &filter)));
        assert_eq!(counted.map_or_else(|error| error.status, |_| 200), status, "{shown}");
    };
    let deep = FILTER_DEPTH_MAX - 1;
    let long = (FILTER_NODES_MAX - 10) / 3;
    check(&vec!["name eq 'x'"; long].join(" or "), 200);
    check(&vec!["contains(name,'x')"; long].join(" and "), 200);
    check(&format!("{}name eq 'x'{}", "not (".repeat(deep / 2), ")".repeat(deep / 2)), 200);
    check(&format!("{}true{}", "(name eq 'x' or name ne 'y' and ".repeat(deep), ")".repeat(deep)), 200);
    let wide = vec!["name eq 'x'"; long / deep - 1].join(" and ");
    check(&format!("{}true{}", format!("(revenue gt 1 or {wide} and ").repeat(deep), ")".repeat(deep)), 200);
    check(&vec!["primarycontactid/fullname eq 'x'"; long].join(" or "), 200);
    let any = "contact_customer_accounts/any(c:c/parentcustomerid_account/name eq 'x')";
    check(&vec![any; 16].join(" or "), 200);
    check(&vec![any; 17].join(" or "), 400);
}

/// All rows that meet a filter, counted up to ten.
fn listing<'q>(table: &'q flette_odata::Table, filter: &'q Filter) -> Listing<'q> {
    let sight = &Sight::Everything;
    Listing { table, sight, within: None, filter: Some(filter), order: &[], after: None, limit: 10 }
}
