//! What queries mean for rows: small tables, answers worked out by hand.

use super::{accounts, read, wanted, Chance, TABLES};
use crate::fixture::{decimal, schema};
use flette_odata::evaluate::fetch::{fetch, Fetched};
use flette_odata::filter::{Circumstances, HierarchyQuestion};
use flette_odata::{EntityRef, Row, Uuid, Value};
use proptest::prelude::*;
use std::collections::BTreeMap;

/// 2026-01-15T10:00:00Z
const NOW: i64 = 1_768_471_200_000;

fn id(number: u128) -> Uuid {
    Uuid::from_u128(number)
}

fn to(table: &str, number: u128) -> Value {
    Value::Lookup(EntityRef { table: table.into(), id: id(number) })
}

fn text(text: &str) -> Value {
    Value::Text(text.into())
}

/// Three accounts: `Alpha` with contacts 11 (Ann) and 12 (bob), `beta` with contact 13 (Ann), `Gamma` with
/// none.
fn rows() -> BTreeMap<String, Vec<Row>> {
    let account = |number, name: &str, revenue: Option<&str>, contact: Option<u128>, day: i32| -> Row {
        [
            ("accountid", Value::Guid(id(number))),
            ("name", text(name)),
            ("revenue", revenue.map_or(Value::Null, |text| Value::Decimal(decimal(text)))),
            ("primarycontactid", contact.map_or(Value::Null, |number| to("contact", number))),
            ("founded", Value::Date(day)),
            ("numberofemployees", Value::Int(i64::from(day % 10))),
        ]
        .map(|(name, value)| (name.to_owned(), value))
        .into()
    };
    let contact = |number, name: &str, account| -> Row {
        [
            ("contactid", Value::Guid(id(number))),
            ("fullname", text(name)),
            ("lastname", text(name)),
            ("parentcustomerid", to("account", account)),
        ]
        .map(|(name, value)| (name.to_owned(), value))
        .into()
    };
    let accounts = vec![
        account(1, "Alpha", Some("10.00"), Some(12), 20_468),
        account(2, "beta", Some("5.50"), None, 20_469),
        account(3, "Gamma", None, Some(99), 20_100),
    ];
    let contacts = vec![contact(11, "Ann", 1), contact(12, "bob", 1), contact(13, "ann", 2)];
    [("account".to_owned(), accounts), ("contact".to_owned(), contacts)].into()
}

fn resolved(text: &str) -> Vec<Fetched> {
    let hierarchy = |_: &HierarchyQuestion| Ok(Vec::new());
    let at = Circumstances {
        now: NOW,
        user: id(12),
        business_unit: id(5),
        teams: &[],
        utc_offset_minutes: 0,
        hierarchy: &hierarchy,
    };
    let schema = schema();
    let query = read(text).resolve(&schema, &at).unwrap();
    fetch(&rows(), &schema, &query, 0).unwrap()
}

/// Cells as text, parted by blanks; rows by `; `.
fn shown(found: &[Fetched]) -> String {
    let cell = |value: &Value| match value {
        Value::Null => "-".to_owned(),
        Value::Text(text) => text.clone(),
        Value::Int(number) => number.to_string(),
        Value::Decimal(number) => number.to_string(),
        Value::Guid(id) => id.as_u128().to_string(),
        Value::Lookup(to) => to.id.as_u128().to_string(),
        other => format!("{other:?}"),
    };
    let row = |row: &Fetched| row.cells.iter().map(cell).collect::<Vec<_>>().join(" ");
    found.iter().map(row).collect::<Vec<_>>().join("; ")
}

#[test]
fn links_multiply_leave_out_or_only_ask() {
    fn check(kind: &str, inner: &str, expected: &str) {
        let text = accounts(&format!(
            "<attribute name='name'/><link-entity name='contact' from='parentcustomerid' to='accountid' \
             alias='c' link-type='{kind}'>{inner}</link-entity>"
        ));
        assert_eq!(shown(&resolved(&text)), expected, "{kind} {inner}");
    }
    let fullname = "<attribute name='fullname'/>";
    let ann = "<filter><condition attribute='fullname' operator='eq' value='ANN'/></filter>";
    check("inner", "", "Alpha 1; Alpha 1; beta 2");
    check("inner", fullname, "Alpha 1 Ann; Alpha 1 bob; beta 2 ann");
    check("inner", &format!("{fullname}{ann}"), "Alpha 1 Ann; beta 2 ann");
    check("outer", fullname, "Alpha 1 Ann; Alpha 1 bob; beta 2 ann; Gamma 3 -");
    let bob = ann.replace("ANN", "Bob");
    check("outer", &format!("{fullname}{bob}"), "Alpha 1 bob; beta 2 -; Gamma 3 -");
    check("matchfirstrowusingcrossapply", fullname, "Alpha 1 Ann; beta 2 ann");
    check("matchfirstrowusingcrossapply", &format!("{fullname}{bob}"), "Alpha 1 bob");
    check("exists", fullname, "Alpha 1; beta 2");
    check("in", &bob, "Alpha 1");
    check(
        "inner",
        &format!("{fullname}<order attribute='fullname' descending='1'/>"),
        "Alpha 1 bob; Alpha 1 Ann; beta 2 ann",
    );
}

#[test]
fn links_in_filters_ask_for_some_none_and_all() {
    fn check(kind: &str, name: &str, expected: &str) {
        let text = accounts(&format!(
            "<attribute name='name'/><filter type='or'>\
             <link-entity name='contact' from='parentcustomerid' to='accountid' link-type='{kind}'>\
             <filter><condition attribute='fullname' operator='eq' value='{name}'/></filter></link-entity></filter>"
        ));
        assert_eq!(shown(&resolved(&text)), expected, "{kind} {name}");
    }
    check("any", "bob", "Alpha 1");
    check("not any", "bob", "beta 2; Gamma 3");
    check("any", "ann", "Alpha 1; beta 2");
    // As Dataverse has it: some contact, and none of that name.
    check("all", "bob", "beta 2");
    check("not all", "bob", "Alpha 1");
}

#[test]
fn an_inner_link_below_an_outer_one_does_not_lose_the_row_above() {
    let text = accounts(
        "<attribute name='name'/>\
         <link-entity name='contact' from='contactid' to='primarycontactid' alias='c' link-type='outer'>\
         <attribute name='fullname'/>\
         <link-entity name='account' from='primarycontactid' to='contactid' alias='a' link-type='inner'>\
         <attribute name='name'/><filter><condition attribute='revenue' operator='gt' value='99'/></filter>\
         </link-entity></link-entity>",
    );
    assert_eq!(shown(&resolved(&text)), "Alpha 1 - -; beta 2 - -; Gamma 3 - -");
    let text = text.replace("value='99'", "value='9'");
    assert_eq!(shown(&resolved(&text)), "Alpha 1 bob Alpha; beta 2 - -; Gamma 3 - -");
}

#[test]
fn conditions_name_joined_rows_and_other_columns() {
    fn check(condition: &str, expected: &str) {
        let text = accounts(&format!(
            "<attribute name='name'/><filter><condition {condition}/></filter>\
             <link-entity name='contact' from='parentcustomerid' to='accountid' alias='c' link-type='outer'>\
             <attribute name='fullname'/></link-entity>"
        ));
        assert_eq!(shown(&resolved(&text)), expected, "{condition}");
    }
    check("entityname='c' attribute='contactid' operator='null'", "Gamma 3 -");
    check("entityname='contact' attribute='fullname' operator='ne' value='ann'", "Alpha 1 bob; Gamma 3 -");
    check("entityname='c' attribute='fullname' operator='like' value='_N%'", "Alpha 1 Ann; beta 2 ann");
    check("attribute='primarycontactid' operator='eq' valueof='c.contactid'", "Alpha 1 bob");
    check("attribute='primarycontactid' operator='eq-userid'", "Alpha 1 Ann; Alpha 1 bob");
    check("attribute='founded' operator='today'", "Alpha 1 Ann; Alpha 1 bob");
    check("attribute='founded' operator='tomorrow'", "beta 2 ann");
    check("attribute='founded' operator='on-or-after' value='2026-01-16'", "beta 2 ann");
}

#[test]
fn values_are_taken_as_builders_write_them() {
    fn check(condition: &str, expected: &str) {
        let text = accounts(&format!("<attribute name='accountid'/><filter>{condition}</filter>"));
        assert_eq!(shown(&resolved(&text)), expected, "{condition}");
    }
    let id = "{00000000-0000-0000-0000-00000000000C}";
    check(&format!("<condition attribute='primarycontactid' operator='eq' value='{id}'/>"), "1");
    check("<condition attribute='revenue' operator='ge' value=' 5.5 '/>", "1; 2");
    check("<condition attribute='numberofemployees' operator='gt' value='7.5'/>", "1; 2");
    check(
        "<condition attribute='revenue' operator='between'><value>5</value><value>9</value></condition>",
        "2",
    );
    check(
        "<condition attribute='revenue' operator='not-between'><value>5</value><value>9</value></condition>",
        "1; 3",
    );
    check(
        "<condition attribute='name' operator='in'><value>ALPHA</value><value>gamma</value></condition>",
        "1; 3",
    );
    check("<condition attribute='name' operator='not-in'><value>ALPHA</value></condition>", "2; 3");
    check("<condition attribute='name' operator='begins-with' value='al'/>", "1");
    check("<condition attribute='name' operator='not-end-with' value='A'/>", "");
    check("<condition attribute='name' operator='not-null' value='x'/>", "1; 2; 3");
    check("<condition attribute='founded' operator='eq' value='2026-01-15'/>", "1");
    check("<condition attribute='founded' operator='eq' value='2026-01-15T10:00:00'/>", "");
}

#[test]
fn distinct_rows_come_once_without_case() {
    let text = "<fetch distinct='true'><entity name='contact'><attribute name='fullname'/>\
                <order attribute='fullname' descending='true'/></entity></fetch>";
    assert_eq!(shown(&resolved(text)), "bob; Ann");
}

#[test]
fn groups_and_figures() {
    fn check(inside: &str, expected: &str) {
        let text = format!("<fetch aggregate='true'><entity name='account'>{inside}</entity></fetch>");
        assert_eq!(shown(&resolved(&text)), expected, "{inside}");
    }
    let one = |what: &str| format!("<attribute name='revenue' alias='x' {what}/>");
    check(&one("aggregate='sum'"), "15.50");
    check(&one("aggregate='avg'"), "7.7500000000");
    check(&one("aggregate='min'"), "5.50");
    check(&one("aggregate='max'"), "10.00");
    check(&one("aggregate='count'"), "3");
    check(&one("aggregate='countcolumn'"), "2");
    check(&one("aggregate='countcolumn' distinct='1'"), "2");
    let none = "<filter><condition attribute='name' operator='null'/></filter>";
    check(&format!("{}{none}", one("aggregate='sum'")), "-");
    check(&format!("{}{none}", one("aggregate='count'")), "0");
    check(&format!("{}{none}", one("groupby='true'")), "");
    check("<attribute name='numberofemployees' alias='x' aggregate='avg'/>", "5.6666666667");
    check(
        "<attribute name='founded' alias='year' groupby='true' dategrouping='year'/>\
         <attribute name='accountid' alias='n' aggregate='count'/><order alias='year' descending='true'/>",
        "2026 2; 2025 1",
    );
    check(
        "<attribute name='accountid' alias='n' aggregate='count'/>\
         <link-entity name='contact' from='parentcustomerid' to='accountid'>\
         <attribute name='fullname' groupby='true' alias='who'/></link-entity>",
        "2 Ann; 1 bob",
    );
}

#[test]
fn an_aggregate_over_too_many_rows_is_refused() {
    let text = |max| {
        format!(
            "<fetch aggregate='true' aggregatelimit='{max}'><entity name='account'>\
             <attribute name='name' aggregate='count' alias='n'/></entity></fetch>"
        )
    };
    let run = |max| fetch(&rows(), &schema(), &read(&text(max)), 0);
    assert_eq!(shown(&run(3).unwrap()), "3");
    assert_eq!(run(2).expect_err("three rows").code, "0x8004e023");
}

#[test]
fn parts_of_dates_follow_the_calendar_of_the_caller() {
    use flette_odata::fetchxml::DateGrouping::{Day, Month, Quarter, Week, Year};
    let date = |text| Value::Date(flette_odata::time::parse_date(text).unwrap());
    for (text, expected) in [
        ("2026-01-01", [1, 1, 1, 1, 2026]),
        ("2026-01-03", [3, 1, 1, 1, 2026]),
        ("2026-01-04", [4, 2, 1, 1, 2026]),
        ("2023-01-01", [1, 1, 1, 1, 2023]),
        ("2023-12-31", [31, 53, 12, 4, 2023]),
        ("2000-12-31", [31, 54, 12, 4, 2000]),
        ("2024-02-29", [29, 9, 2, 1, 2024]),
        ("1969-12-31", [31, 53, 12, 4, 1969]),
    ] {
        let parts = [Day, Week, Month, Quarter, Year].map(|part| part.of(&date(text), 0));
        assert_eq!(parts, expected.map(Value::Int), "{text}");
    }
    let late = Value::DateTime(flette_odata::time::parse_datetime("2026-01-31T23:30:00Z").unwrap());
    assert_eq!(Month.of(&late, 0), Value::Int(1));
    assert_eq!(Month.of(&late, 60), Value::Int(2));
    assert_eq!(Year.of(&Value::Null, 0), Value::Null);
}

proptest! {
    #[test]
    fn every_query_has_an_answer_in_whole_order(seed in any::<u64>()) {
        let schema = schema();
        let mut chance = Chance(seed);
        let rows = super::generate::rows(&schema, &TABLES, 4, &wanted, &mut chance);
        let text = super::generate::fetch(&schema, &TABLES, &wanted, &mut chance);
        let hierarchy = |_: &HierarchyQuestion| Ok(Vec::new());
        let at = Circumstances {
            now: NOW,
            user: id(1),
            business_unit: id(5),
            teams: &[],
            utc_offset_minutes: 60,
            hierarchy: &hierarchy,
        };
        let query = read(&text).resolve(&schema, &at).unwrap();
        let found = fetch(&rows, &schema, &query, 60).unwrap();
        for pair in found.windows(2) {
            prop_assert!(query.aggregate || pair[0].position != pair[1].position, "{}", text);
        }
    }
}
