use crate::fixture::{decimal, id, schema, to, A, B, ROOT};
use flette_odata::delta::*;
use flette_odata::format::formatted;
use flette_odata::prefer::Annotations;
use flette_odata::render::*;
use flette_odata::{time, Column, EntityRef, Row, Value};
use proptest::prelude::*;
use serde_json::{json, Value as Json};

fn names(list: &[&str]) -> Vec<String> {
    list.iter().map(|n| (*n).to_owned()).collect()
}

fn nameless(_: &EntityRef) -> Option<String> {
    None
}

fn row(values: &[(&str, Value)]) -> Row {
    values.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect()
}

fn render(
    table: &str,
    select: Option<&[String]>,
    annotations: &Annotations,
    row: &Row,
    nested: &[Nested<'_>],
) -> String {
    let schema = schema();
    let shape = RowShape::new(schema.table(table).unwrap(), select, annotations);
    let cell = |column: &Column| row.get(&column.logical_name).cloned().unwrap_or_default();
    let name = |to: &EntityRef| (to.table == "account").then(|| "Sample \"Ltd\"".to_owned());
    let mut out = Vec::new();
    shape.write_row(&mut out, "W/\"7\"", &cell, &name, nested);
    String::from_utf8(out).unwrap()
}

#[test]
fn a_row_is_written_in_the_order_selected_with_its_key_last() {
    let values = row(&[
        ("accountid", Value::Guid(id(A))),
        ("name", Value::Text("x\n\"y\" é".into())),
        ("revenue", Value::Decimal(decimal("-0.5"))),
        ("primarycontactid", Value::Lookup(to("contact", B))),
    ]);
    let select = names(&["revenue", "name", "primarycontactid", "description", "name", "nosuch"]);
    assert_eq!(
        render("account", Some(&select), &Annotations::none(), &values, &[]),
        format!(
            r#"{{"@odata.etag":"W/\"7\"","revenue":-0.5000,"name":"x\n\"y\" é","_primarycontactid_value":"{B}","description":null,"accountid":"{A}"}}"#
        )
    );
}

#[test]
fn amounts_bring_their_currency_and_parts_of_an_address_the_whole() {
    let mut schema = schema();
    let account = schema.tables.iter_mut().find(|table| table.logical_name == "account").unwrap();
    let currency = Column { logical_name: "transactioncurrencyid".into(), ..account.columns[0].clone() };
    account.columns.push(currency);
    let check = |table: &str, select: &[&str], expected: &[&str]| {
        let table = schema.table(table).unwrap();
        let shape = RowShape::new(table, Some(&names(select)), &Annotations::none());
        let found: Vec<&str> = shape.columns.iter().map(|column| column.logical_name.as_str()).collect();
        assert_eq!(found, expected, "{select:?}");
    };
    check("account", &["revenue", "name"], &["revenue", "name", "transactioncurrencyid", "accountid"]);
    check(
        "account",
        &["transactioncurrencyid", "revenue"],
        &["transactioncurrencyid", "revenue", "accountid"],
    );
    check("account", &["name", "address1_latitude"], &["name", "address1_latitude", "accountid"]);
    check(
        "contact",
        &["address1_city", "lastname", "address1_line1"],
        &["address1_city", "lastname", "address1_line1", "address1_composite", "contactid"],
    );
    check(
        "contact",
        &["contactid", "address1_country"],
        &["contactid", "address1_country", "address1_composite"],
    );
    check("contact", &["address1_composite"], &["address1_composite", "contactid"]);
}

#[test]
fn annotations_stand_before_their_property() {
    let values = row(&[
        ("activityid", Value::Guid(id(B))),
        ("statecode", Value::Int(1)),
        ("regardingobjectid", Value::Lookup(to("account", A))),
        ("subject", Value::Text("Call".into())),
    ]);
    let select = names(&["statecode", "regardingobjectid", "ownerid", "subject"]);
    let formatted = "OData.Community.Display.V1.FormattedValue";
    assert_eq!(
        render("task", Some(&select), &Annotations::all(), &values, &[]),
        format!(
            "{{\"@odata.etag\":\"W/\\\"7\\\"\",\"statecode@{formatted}\":\"Completed\",\"statecode\":1,\
             \"_regardingobjectid_value@{formatted}\":\"Sample \\\"Ltd\\\"\",\
             \"_regardingobjectid_value@Microsoft.Dynamics.CRM.associatednavigationproperty\":\"regardingobjectid_account_task\",\
             \"_regardingobjectid_value@Microsoft.Dynamics.CRM.lookuplogicalname\":\"account\",\
             \"_regardingobjectid_value\":\"{A}\",\"_ownerid_value\":null,\"subject\":\"Call\",\"activityid\":\"{B}\"}}"
        )
    );
}

#[test]
fn expanded_rows_are_nested_or_null() {
    let select = names(&["accountid"]);
    let values = row(&[("accountid", Value::Guid(id(A)))]);
    let nested = [
        Nested { navigation: "primarycontactid", row: Some(b"{\"contactid\":1}") },
        Nested { navigation: "parentaccountid", row: None },
    ];
    let text = render("account", Some(&select), &Annotations::none(), &values, &nested);
    assert_eq!(text.matches("\"accountid\"").count(), 1);
    let json: Json = serde_json::from_str(&text).unwrap();
    assert_eq!(
        (&json["primarycontactid"], &json["parentaccountid"]),
        (&json!({"contactid": 1}), &Json::Null)
    );
}

#[test]
fn no_select_means_every_column_and_an_empty_etag_is_left_out() {
    let schema = schema();
    let account = schema.table("account").unwrap();
    let shape = RowShape::new(account, None, &Annotations::none());
    let mut out = Vec::new();
    shape.write_row(&mut out, "", &|_| Value::Null, &nameless, &[]);
    let json: serde_json::Map<String, Json> = serde_json::from_slice(&out).unwrap();
    assert_eq!(json.len(), account.columns.len());
    assert!(
        json.contains_key("_ownerid_value")
            && !json.contains_key("ownerid")
            && !json.contains_key("@odata.etag")
    );
}

#[test]
fn bodies_and_contexts() {
    let schema = schema();
    let (account, contact) = (schema.table("account").unwrap(), schema.table("contact").unwrap());
    let (select, inner) = (names(&["name", "primarycontactid"]), names(&["fullname", "parentcustomerid"]));
    let expand = [ContextExpand {
        navigation: "primarycontactid",
        table: contact,
        select: Some(&inner),
        expand: Vec::new(),
        reference_only: false,
    }];
    let list = "name,_primarycontactid_value";
    assert_eq!(
        context_entity(ROOT, account, Some(&select), &expand),
        format!(
            "{ROOT}$metadata#accounts({list},primarycontactid(fullname,_parentcustomerid_value))/$entity"
        )
    );
    assert_eq!(context_collection(ROOT, account, None, &[]), format!("{ROOT}$metadata#accounts"));
    assert_eq!(
        context_delta(ROOT, account, Some(&select)),
        format!("{ROOT}$metadata#accounts({list})/$delta")
    );
    let body = collection_body("c", Some(2), Some("n?a=\"b\""), Some("d"), b"{\"a\":1},{}");
    assert_eq!(
        String::from_utf8(body).unwrap(),
        r#"{"@odata.context":"c","@odata.count":2,"@odata.nextLink":"n?a=\"b\"","@odata.deltaLink":"d","value":[{"a":1},{}]}"#
    );
    assert_eq!(collection_body("c", None, None, None, b""), b"{\"@odata.context\":\"c\",\"value\":[]}");
    assert_eq!(entity_body("c", b"{\"a\":1}"), b"{\"@odata.context\":\"c\",\"a\":1}");
    assert_eq!(entity_body("c", b"{}"), b"{\"@odata.context\":\"c\"}");
    assert_eq!(
        tombstone_json(ROOT, account, id(A), TOMBSTONE_DELETED),
        format!(
            r#"{{"@odata.context":"{ROOT}$metadata#accounts/$deletedEntity","id":"{A}","reason":"deleted"}}"#
        )
    );
    let property =
        property_body(ROOT, account, id(A), account.column("name").unwrap(), &Value::Text("x".into()));
    assert_eq!(
        String::from_utf8(property).unwrap(),
        format!(r#"{{"@odata.context":"{ROOT}$metadata#accounts({A})/name","value":"x"}}"#)
    );
}

#[test]
fn people_read_formatted_values() {
    let schema = schema();
    let account = schema.table("account").unwrap();
    let d = |t: &str| Value::Decimal(decimal(t));
    let cases = [
        ("creditonhold", Value::Bool(true), Some("Yes")),
        ("industrycode", Value::Int(2), Some("Farming <&>")),
        ("industrycode", Value::Int(99), None),
        ("statecode", Value::Int(1), Some("Inactive")),
        ("statuscode", Value::Int(2), Some("Status 2")),
        ("numberofemployees", Value::Int(0), Some("0")),
        ("numberofemployees", Value::Int(999), Some("999")),
        ("numberofemployees", Value::Int(1_234_567), Some("1,234,567")),
        ("versionnumber", Value::Int(-1000), Some("-1,000")),
        ("revenue", d("1234"), Some("$1,234.00")),
        ("revenue", d("-1.005"), Some("-$1.01")),
        ("revenue", d("0.001"), Some("$0.00")),
        ("exchangerate", d("1234.5"), Some("1,234.5000000000")),
        ("address1_latitude", Value::Double(-12.5), Some("-12.50000")),
        ("founded", Value::Date(20468), Some("1/15/2026")),
        ("lastonholdtime", Value::DateTime(1_768_471_331_000), Some("1/15/2026 10:02 AM")),
        ("lastonholdtime", Value::DateTime(1_768_521_599_000), Some("1/15/2026 11:59 PM")),
        ("lastonholdtime", Value::DateTime(1_768_435_200_000), Some("1/15/2026 12:00 AM")),
        ("lastonholdtime", Value::DateTime(i64::MAX), None),
        ("founded", Value::Date(i32::MAX), None),
        ("name", Value::Text("x".into()), None),
        ("accountid", Value::Guid(id(A)), None),
        ("industrycode", Value::Null, None),
        ("primarycontactid", Value::Lookup(to("contact", B)), None),
    ];
    for (column, value, expected) in cases {
        let text = formatted(account.column(column).unwrap(), &value);
        assert_eq!(text.as_deref(), expected, "{column} {value:?}");
    }
}

fn written(column: &str, value: &Value) -> String {
    let schema = schema();
    let mut out = Vec::new();
    write_value(&mut out, schema.table("account").unwrap().column(column).unwrap(), value);
    String::from_utf8(out).unwrap()
}

proptest! {
    #[test]
    fn values_are_json_that_reads_back(text: String, int: i64, double: f64, mantissa: i64, scale in 0u8..=12) {
        prop_assert_eq!(serde_json::from_str::<String>(&written("name", &Value::Text(text.clone()))).unwrap(), text);
        prop_assert_eq!(written("biggest", &Value::Int(int)), int.to_string());
        let expected = Some(double).filter(|d| d.is_finite());
        prop_assert_eq!(written("address1_latitude", &Value::Double(double)).parse().ok(), expected);
        let number = flette_odata::Decimal::new(i128::from(mantissa), scale).unwrap();
        let expected = number.rescale(scale.max(10)).to_string();
        prop_assert_eq!(written("exchangerate", &Value::Decimal(number)), expected);
    }

    #[test]
    fn times_are_written_as_the_time_module_does(at in -70_000_000_000_000i64..260_000_000_000_000, days: i32, any: i64) {
        for at in [at, at / 1000 * 1000, any] {
            prop_assert_eq!(written("lastonholdtime", &Value::DateTime(at)), format!("\"{}\"", time::format_datetime(at)));
        }
        for days in [days, days % 3_000_000] {
            prop_assert_eq!(written("founded", &Value::Date(days)), format!("\"{}\"", time::format_date(days)));
        }
    }

    #[test]
    fn any_row_is_one_json_object(texts in prop::collection::vec(any::<String>(), 3), etag: String, all: bool) {
        let values = row(&[
            ("subject", Value::Text(texts[0].clone())),
            ("activityid", Value::Guid(id(A))),
            ("regardingobjectid", Value::Lookup(EntityRef { table: texts[1].clone(), id: id(B) })),
        ]);
        let schema = schema();
        let annotations = if all { Annotations::all() } else { Annotations::none() };
        let shape = RowShape::new(schema.table("task").unwrap(), None, &annotations);
        let cells: Vec<Value> = shape.columns.iter().map(|c| values.get(&c.logical_name).cloned().unwrap_or_default()).collect();
        let (mut copied, mut borrowed) = (Vec::new(), Vec::new());
        let cell = |column: &Column| values.get(&column.logical_name).cloned().unwrap_or_default();
        shape.write_row(&mut copied, &etag, &cell, &|_| Some(texts[2].clone()), &[]);
        shape.write_cells(&mut borrowed, &etag, |at, _| Cell::from(&cells[at]), &|_, _| Some(texts[2].clone()), &[]);
        prop_assert_eq!(&copied, &borrowed);
        let json: Json = serde_json::from_slice(&copied).unwrap();
        prop_assert_eq!(json["subject"].as_str(), Some(texts[0].as_str()));
        prop_assert_eq!(json["_regardingobjectid_value"].as_str(), Some(B));
    }
}
